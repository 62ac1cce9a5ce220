//! Notes: lines that a post's history gets without a change of state, so that a person sees which of the post's data
//! had no effect. [`Post::with_note`](crate::post::Post::with_note) adds one.

use serde_json::Value;

use crate::failure::single_line;
use crate::options::{Mode, PostOptions, fields_of};
use crate::settings::Settings;
use crate::title::{TitleFrame, title_of_file};

/// The maximum length of a note, in characters.
const MAX_NOTE_CHARS: usize = 300;
/// The options that also apply to a draft.
const OF_DRAFTS: [&str; 2] = ["mode", "publish_at"];

/// The note about metadata with the names of options but without our prefix
/// ([`unprefixed_options`](crate::metadata::unprefixed_options)).
pub fn metadata_ignored(names: &[&str]) -> Option<String> {
    let text = format!("metadata {} ignored: options begin with `dropcast-`", quoted(names.iter().copied()));
    (!names.is_empty()).then(|| single_line(&text, MAX_NOTE_CHARS))
}

/// The note about metadata that S3 does not return, because its values cannot be sent in a header.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>
pub fn metadata_missing(entries: u32) -> Option<String> {
    let text =
        || format!("S3 does not return {entries} metadata entries of the object: use a sidecar for such options");
    (entries > 0).then(text)
}

/// The notes about options that have no effect, or less, with these settings: those that TikTok ignores for a draft, and
/// a title that was cut.
pub fn on_settings(options: &PostOptions, file_name: &str, frame: &TitleFrame, settings: &Settings) -> Vec<String> {
    let note = if settings.mode == Mode::Draft {
        ignored_for_draft(options, frame)
    } else {
        title_cut(options, file_name, frame, settings)
    };
    note.into_iter().collect()
}

/// TikTok's API has no field for the options of a draft:
/// <https://developers.tiktok.com/doc/content-posting-api-reference-upload-video>. Switches that are off are omitted:
/// they ask for nothing.
fn ignored_for_draft(options: &PostOptions, frame: &TitleFrame) -> Option<String> {
    let is_stated = |value: &Value| !matches!(value, Value::Null | Value::Bool(false));
    let mut names: Vec<_> = fields_of(options).into_iter().filter(|(_, value)| is_stated(value)).collect();
    names.retain(|(name, _)| !OF_DRAFTS.contains(&name.as_str()));
    let affixes = [("title_prefix", frame.prefix()), ("title_suffix", frame.suffix())];
    let affixes = affixes.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, _)| name);
    let names: Vec<_> = names.iter().map(|(name, _)| name.as_str()).chain(affixes).collect();
    let text = format!(
        "TikTok ignores {} for a draft: the creator enters the post's details in the app",
        quoted(names.iter().copied())
    );
    (!names.is_empty()).then_some(text)
}

fn title_cut(options: &PostOptions, file_name: &str, frame: &TitleFrame, settings: &Settings) -> Option<String> {
    let units = |text: &str| text.encode_utf16().count();
    let stated = options.title.as_deref().map(str::trim).filter(|title| !title.is_empty());
    let given = units(stated.unwrap_or_else(|| title_of_file(file_name).trim()));
    let kept = settings.title.utf16_units().saturating_sub(units(frame.prefix()) + units(frame.suffix()));
    let text = || format!("title cut to the limit: {kept} of {given} UTF-16 code units are kept");
    (kept < given).then(text)
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::PrivacyLevel;
    use crate::settings::StackDefaults;
    use crate::title::TitleLimit;

    fn notes(options: &PostOptions, file_name: &str, frame: &TitleFrame) -> Vec<String> {
        let title_limit = TitleLimit::new(10).unwrap();
        let stack = StackDefaults { mode: Mode::Direct, privacy_level: PrivacyLevel::SelfOnly, title_limit };
        let settings = Settings::resolve_framed(options, file_name, &stack, frame).unwrap();
        on_settings(options, file_name, frame, &settings)
    }

    fn titled(title: &str) -> PostOptions {
        PostOptions { title: Some(title.into()), ..PostOptions::default() }
    }

    #[test]
    fn ignored_metadata_is_named() {
        assert_eq!(metadata_ignored(&[]), None);
        let note = metadata_ignored(&["title"]).unwrap();
        assert_eq!(note, "metadata `title` ignored: options begin with `dropcast-`");
        let note = metadata_ignored(&["privacy-level", "title"]).unwrap();
        assert!(note.contains("`privacy-level`, `title` ignored"), "{note}");
    }

    #[test]
    fn missing_metadata_is_counted() {
        assert_eq!(metadata_missing(0), None);
        assert!(metadata_missing(2).unwrap().contains("2 metadata entries"));
    }

    #[test]
    fn draft_lists_the_options_that_tiktok_ignores() {
        let options = PostOptions {
            mode: Some(Mode::Draft),
            privacy_level: Some(PrivacyLevel::PublicToEveryone),
            ai_generated: Some(true),
            disable_duet: Some(false),
            publish_at: Some("2026-12-24T17:00:00Z".parse().unwrap()),
            ..titled("Bread, which is longer than the limit")
        };
        let list = notes(&options, "clip.mp4", &TitleFrame::new("", " #bread"));
        let [note] = &list[..] else { panic!("{list:?}") };
        for name in ["`title`", "`privacy_level`", "`ai_generated`", "`title_suffix`"] {
            assert!(note.contains(name), "{note}");
        }
        for name in ["mode", "publish_at", "disable_duet", "title_prefix"] {
            assert!(!note.contains(&format!("`{name}`")), "{note}");
        }
        let plain = PostOptions { mode: Some(Mode::Draft), ..PostOptions::default() };
        assert_eq!(notes(&plain, "a long file name.mp4", &TitleFrame::default()), [""; 0]);
    }

    #[test]
    fn cut_title_is_noted_with_both_lengths() {
        let none = TitleFrame::default();
        assert_eq!(notes(&titled(" 0123456789 "), "a.mp4", &none), [""; 0]);
        let expected = ["title cut to the limit: 10 of 11 UTF-16 code units are kept"];
        assert_eq!(notes(&titled("0123456789X"), "a.mp4", &none), expected);
        assert_eq!(notes(&titled(" "), "0123456789X.mp4", &none), expected, "the file name is the title");
        let repeats = TitleFrame::new("", "bcdefghi");
        assert_eq!(notes(&titled("abc"), "a.mp4", &repeats).len(), 1, "the suffix hides that the title was cut");
        assert_eq!(notes(&titled("ab"), "a.mp4", &repeats), [""; 0]);
    }
}
