//! Which keys the sidecar of a video can have, and which videos a sidecar can belong to.
//!
//! A file name with a letter such as `é` has two Unicode forms: composed (NFC), which most systems write, and
//! decomposed (NFD), which macOS writes. They look the same, but S3 compares keys byte for byte. So a sidecar is found
//! in either form, whichever form the video's key has. The folders and the file name can differ in form, because a
//! folder can be older than the file. <https://www.unicode.org/reports/tr15/>

use std::collections::BTreeSet;

use unicode_normalization::{UnicodeNormalization, is_nfc, is_nfd};

use super::{DropKey, MAX_KEY_BYTES, without_extension};

/// Returns the keys that a video's sidecar can have. For `clip.mp4`, these are `clip.mp4.json` and `clip.json`; for a
/// key beyond ASCII, both in each Unicode form.
///
/// A key that S3 does not accept is omitted. So a video with a key of 1,024 bytes can have no sidecar.
pub fn keys_of(video_key: &str) -> Vec<String> {
    let names = [video_key, without_extension(video_key)].map(|name| format!("{name}.json"));
    let keys: BTreeSet<_> = names.iter().flat_map(|key| forms(key)).collect();
    keys.into_iter().filter(|key| key.len() <= MAX_KEY_BYTES).collect()
}

/// Returns prefixes: the key of each video that can have this sidecar begins with one of them.
///
/// Other keys can have such a prefix too; [`belongs_to`] excludes them.
pub fn video_prefixes_of(sidecar_key: &str) -> BTreeSet<String> {
    forms(without_extension(sidecar_key))
}

/// Tells whether a key is one that the sidecar of this video can have.
pub fn belongs_to(sidecar_key: &str, video_key: &str) -> bool {
    matches!(DropKey::parse(video_key), DropKey::Video { .. })
        && keys_of(video_key).iter().any(|key| key == sidecar_key)
}

/// Returns the file name of a key for an error message, with its Unicode form if it has one that a reader cannot see.
pub fn name_in_message(key: &str) -> String {
    let name = key.rsplit('/').next().unwrap_or(key);
    match (is_nfc(name), is_nfd(name)) {
        (true, false) => format!("{name} (in Unicode form NFC)"),
        (false, true) => format!("{name} (in Unicode form NFD)"),
        _ => name.to_owned(),
    }
}

/// Returns a key in its own form, composed and decomposed, with each form of its folders and of its file name.
fn forms(key: &str) -> BTreeSet<String> {
    let (folder, file) = key.split_at(key.rfind('/').map_or(0, |slash| slash + 1));
    let forms = |text: &str| [text.to_owned(), text.nfc().collect(), text.nfd().collect()];
    let files = forms(file);
    forms(folder).iter().flat_map(|folder| files.iter().map(move |file| format!("{folder}{file}"))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NFC: &str = "drop/anna/Caf\u{e9}";
    const NFD: &str = "drop/anna/Cafe\u{301}";

    #[test]
    fn sidecar_key_matches_its_video_only() {
        assert_eq!(keys_of("drop/a.b/clip.mp4"), ["drop/a.b/clip.json", "drop/a.b/clip.mp4.json"]);
        for key in keys_of("drop/a.b/clip.v2.mov") {
            assert!(belongs_to(&key, "drop/a.b/clip.v2.mov"), "{key}");
        }
        assert!(!belongs_to("drop/a.b/clip.json", "drop/a.b/clip2.mp4"));
        assert!(!belongs_to("drop/a.b/clip.json", "drop/a.b/clip.avi"));
        assert_eq!(video_prefixes_of("drop/a.b/clip.json").len(), 1, "an ASCII key has one form");
    }

    #[test]
    fn sidecar_belongs_to_video_in_each_unicode_form() {
        for (video, sidecar) in [(NFC, NFC), (NFC, NFD), (NFD, NFC), (NFD, NFD)] {
            for (video, sidecar) in [
                (format!("{video}.mp4"), format!("{sidecar}.json")),
                (format!("{video}.mp4"), format!("{sidecar}.mp4.json")),
                (format!("{video}/clip.mp4"), format!("{sidecar}/clip.json")),
                (format!("{NFC}/{}.mp4", &video[10..]), format!("{NFC}/{}.json", &sidecar[10..])),
            ] {
                assert!(belongs_to(&sidecar, &video), "{sidecar:?} {video:?}");
                let prefixes = video_prefixes_of(&sidecar);
                assert!(prefixes.iter().any(|prefix| video.starts_with(prefix)), "{sidecar:?} {video:?}");
            }
        }
        assert!(!belongs_to("drop/anna/Cafe.json", &format!("{NFC}.mp4")));
    }

    #[test]
    fn longest_key_leaves_no_room_for_sidecar() {
        let video = |bytes: usize| format!("drop/anna/{}.mp4", "x".repeat(bytes - 14));
        let lengths = |bytes| keys_of(&video(bytes)).iter().map(String::len).collect::<Vec<_>>();
        assert_eq!(lengths(1019), [1020, 1024]);
        assert_eq!(lengths(1020), [1021]);
        assert_eq!(lengths(1023), [1024]);
        assert_eq!(lengths(1024), [0; 0]);
    }

    #[test]
    fn message_distinguishes_unicode_forms_of_a_name() {
        assert_eq!(name_in_message("drop/anna/clip.json"), "clip.json");
        assert_eq!(name_in_message(&format!("{NFC}.json")), "Caf\u{e9}.json (in Unicode form NFC)");
        assert_eq!(name_in_message(&format!("{NFD}.json")), "Cafe\u{301}.json (in Unicode form NFD)");
    }

    proptest! {
        #[test]
        fn sidecar_and_video_find_each_other_in_any_form(
            name in "[a-z\u{e0}-\u{ff}\u{1e00}-\u{1eff}가-갸が ]{1,12}", video_is_nfd in any::<bool>(), sidecar_is_nfd in any::<bool>(),
        ) {
            let form = |is_nfd: bool| -> String { if is_nfd { name.nfd().collect() } else { name.nfc().collect() } };
            let video = format!("drop/anna/{}.mp4", form(video_is_nfd));
            let sidecar = format!("drop/anna/{}.json", form(sidecar_is_nfd));
            prop_assert!(belongs_to(&sidecar, &video));
            prop_assert!(video_prefixes_of(&sidecar).iter().any(|prefix| video.starts_with(prefix)));
        }
    }
}
