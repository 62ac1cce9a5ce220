//! What an object's key says: whose video it is, or whose options.
//!
//! `drop/<account>/…/<file>.mp4|mov|webm` is a video for that account,
//! `drop/<file>` one for the default account. `<file>.json` beside it, or
//! `<file>.mp4.json`, holds its options. Everything else is nobody's, and is
//! said to be so in the log.

use crate::identity::{Alias, PostId};

/// The folder that is watched, with its slash.
pub const DROP_PREFIX: &str = "drop/";
/// The folder that the API's uploads land in, with its slash.
pub const UPLOAD_PREFIX: &str = "uploads/";
/// The files that are taken for videos, by their ending, in any case.
pub const VIDEO_ENDINGS: [&str; 3] = ["mp4", "mov", "webm"];

/// What a key is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DropKey {
    /// A video to post; without an account it goes to the default one.
    Video {
        /// The folder's account, where there is a folder.
        account: Option<Alias>,
    },
    /// Options for a video of the same name.
    Sidecar,
    /// The bytes that a post waits for.
    Upload {
        /// The post.
        post: PostId,
    },
    /// Not ours.
    Ignored(Ignored),
}

/// Why a key is nobody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// Outside `drop/`, and no post's under `uploads/`.
    #[error("it is neither under drop/ nor a post's under uploads/")]
    Elsewhere,
    /// A folder's own marker.
    #[error("it is a folder")]
    Folder,
    /// A file that starts with a dot.
    #[error("its name starts with a dot")]
    Hidden,
    /// Another kind of file.
    #[error("its name ends in none of .mp4, .mov, .webm, .json")]
    Ending,
    /// The account's folder cannot be an alias.
    #[error("its folder cannot be an account's alias (1 to 128 bytes, no '#', no control characters)")]
    Account,
}

impl DropKey {
    /// Reads a decoded key.
    #[must_use]
    pub fn parse(key: &str) -> Self {
        if let Some((post, _)) = key.strip_prefix(UPLOAD_PREFIX).and_then(|path| path.split_once('/')) {
            return PostId::new(post).map_or(Self::Ignored(Ignored::Elsewhere), |post| Self::Upload { post });
        }
        let Some(path) = key.strip_prefix(DROP_PREFIX) else {
            return Self::Ignored(Ignored::Elsewhere);
        };
        let (folder, file) = path.rsplit_once('/').map_or((None, path), |(f, file)| (Some(f), file));
        if file.is_empty() {
            return Self::Ignored(Ignored::Folder);
        }
        if file.starts_with('.') {
            return Self::Ignored(Ignored::Hidden);
        }
        match ending(file) {
            Some(end) if end.eq_ignore_ascii_case("json") => Self::Sidecar,
            Some(end) if is_video_ending(end) => {
                match folder.map(|f| Alias::new(f.split('/').next().unwrap_or(f))).transpose() {
                    Ok(account) => Self::Video { account },
                    Err(_) => Self::Ignored(Ignored::Account),
                }
            }
            _ => Self::Ignored(Ignored::Ending),
        }
    }
}

/// The name of a file that cannot be part of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("file_name must have 1 to 200 bytes without '/' or control characters, and not begin with a dot")]
pub struct InvalidFileName;

/// The key at which the bytes that a post waits for land.
///
/// # Errors
/// Refuses the name of a file that would not end the key.
pub fn upload_key(post: &PostId, file_name: &str) -> Result<String, InvalidFileName> {
    let fits = (1..=200).contains(&file_name.len()) && !file_name.starts_with('.');
    if fits && !file_name.contains(|c: char| c == '/' || c.is_control()) {
        Ok(format!("{UPLOAD_PREFIX}{post}/{file_name}"))
    } else {
        Err(InvalidFileName)
    }
}

/// The keys at which a video's options may lie, the more specific first.
#[must_use]
pub fn sidecars_of(video_key: &str) -> [String; 2] {
    let stem = ending(video_key).map_or(video_key, |end| &video_key[..video_key.len() - end.len() - 1]);
    [format!("{video_key}.json"), format!("{stem}.json")]
}

/// What the keys of all videos that a sidecar could be for begin with.
///
/// A listing of it may hold more; [`is_sidecar_of`] tells.
#[must_use]
pub fn videos_prefix_of(sidecar_key: &str) -> &str {
    ending(sidecar_key).map_or(sidecar_key, |end| &sidecar_key[..sidecar_key.len() - end.len() - 1])
}

/// Tells whether the options at one key are those of the video at another.
#[must_use]
pub fn is_sidecar_of(sidecar_key: &str, video_key: &str) -> bool {
    matches!(DropKey::parse(video_key), DropKey::Video { .. })
        && sidecars_of(video_key).iter().any(|key| key == sidecar_key)
}

fn is_video_ending(ending: &str) -> bool {
    VIDEO_ENDINGS.iter().any(|video| ending.eq_ignore_ascii_case(video))
}

fn ending(name: &str) -> Option<&str> {
    let file = name.rsplit('/').next()?;
    file.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(_, end)| end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn video(account: Option<&str>) -> DropKey {
        DropKey::Video { account: account.map(|a| Alias::new(a).unwrap()) }
    }

    #[test]
    fn a_key_tells_the_account_and_the_kind() {
        let table = [
            ("drop/clip.mp4", video(None)),
            ("drop/anna/clip.MP4", video(Some("anna"))),
            ("drop/Anna/2026/may/clip.mov", video(Some("anna"))),
            ("drop/anna/ü ber+ & #1.webm", video(Some("anna"))),
            ("drop/anna/clip.json", DropKey::Sidecar),
            ("drop/anna/clip.mp4.json", DropKey::Sidecar),
            ("drop/anna/", DropKey::Ignored(Ignored::Folder)),
            ("drop/", DropKey::Ignored(Ignored::Folder)),
            ("drop/anna/.hidden.mp4", DropKey::Ignored(Ignored::Hidden)),
            ("drop/anna/clip.avi", DropKey::Ignored(Ignored::Ending)),
            ("drop/anna/mp4", DropKey::Ignored(Ignored::Ending)),
            ("drop//clip.mp4", DropKey::Ignored(Ignored::Account)),
            ("Drop/clip.mp4", DropKey::Ignored(Ignored::Elsewhere)),
            ("uploads/x/clip.mp4", DropKey::Ignored(Ignored::Elsewhere)),
            ("", DropKey::Ignored(Ignored::Elsewhere)),
        ];
        for (key, expected) in table {
            assert_eq!(DropKey::parse(key), expected, "{key}");
        }
    }

    #[test]
    fn an_upload_lands_at_its_post() {
        let post = PostId::new("a".repeat(32)).unwrap();
        let key = upload_key(&post, "Ü 1.mp4").unwrap();
        assert_eq!(key, format!("uploads/{post}/Ü 1.mp4"));
        assert_eq!(DropKey::parse(&key), DropKey::Upload { post: post.clone() });
        for name in ["", "a/b.mp4", ".mp4", "..", "a\n.mp4", &"x".repeat(201)] {
            assert_eq!(upload_key(&post, name), Err(InvalidFileName), "{name}");
        }
    }

    #[test]
    fn a_sidecar_lies_beside_its_video() {
        assert_eq!(sidecars_of("drop/a.b/clip.mp4"), ["drop/a.b/clip.mp4.json", "drop/a.b/clip.json"]);
        for key in sidecars_of("drop/a.b/clip.v2.mov") {
            assert!(is_sidecar_of(&key, "drop/a.b/clip.v2.mov"));
            assert!("drop/a.b/clip.v2.mov".starts_with(videos_prefix_of(&key)), "{key}");
        }
        assert!(!is_sidecar_of("drop/a.b/clip.json", "drop/a.b/clip2.mp4"));
        assert!(!is_sidecar_of("drop/a.b/clip.json", "drop/a.b/clip.avi"));
    }
}
