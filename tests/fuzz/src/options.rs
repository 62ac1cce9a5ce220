//! Fuzz targets `sidecar`, `metadata` and `preferences`: options that people write.
//!
//! Properties: options, settings, preferences and publish times are equal after
//! they are read back; a title is within its limit; an empty update has no effect;
//! an error is one short line, and so is a note.

use domain::account::Preferences;
use domain::metadata::{options_from_metadata, unprefixed_options};
use domain::notes;
use domain::options::{Mode, OptionsError, PostOptions, PrivacyLevel};
use domain::publish_at::Zone;
use domain::settings::{Settings, StackDefaults};
use domain::title::{TitleFrame, TitleLimit};

use crate::checks::check_error;

/// Time zones with offset changes of an hour, of half an hour, and of a whole day.
const ZONES: [&str; 3] = ["Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia"];

/// Reads an input as a sidecar.
pub fn sidecar(input: &[u8]) {
    check_options(PostOptions::from_json(input, "sidecar clip.json"));
}

/// Reads an input as an object's metadata, `name: value` on each line.
pub fn metadata(input: &[u8]) {
    if let Ok(text) = str::from_utf8(input) {
        let entries = || text.lines().filter_map(|line| line.split_once(": "));
        check_options(options_from_metadata(entries()));
        let unprefixed = unprefixed_options(entries());
        assert!(unprefixed.iter().all(|name| !name.to_ascii_lowercase().starts_with("dropcast")), "{unprefixed:?}");
        if let Some(note) = notes::metadata_ignored(&unprefixed) {
            check_note(&note);
        }
    }
}

/// Reads an input as an update of an account's preferences.
pub fn preferences(input: &[u8]) {
    let stack = defaults(TitleLimit::MAX);
    match Preferences::default().changed(input, &stack) {
        Ok(updated) => {
            let shown = serde_json::to_vec(&updated).expect("preferences can be serialized");
            let read_back = Preferences::default().changed(&shown, &stack);
            assert_eq!(read_back.as_ref(), Ok(&updated), "the preferences change when they are read back");
            assert_eq!(updated.changed(b"{}", &stack).as_ref(), Ok(&updated), "an empty update has an effect");
        }
        Err(error) => check_error(&error),
    }
}

/// Checks options: they can be read back from storage, and they resolve to
/// settings or to an error.
pub(crate) fn check_options(options: Result<PostOptions, OptionsError>) {
    let options = match options {
        Ok(options) => options,
        Err(error) => return check_error(&error),
    };
    let stored = serde_json::to_vec(&options).expect("options can be serialized");
    let read_back = PostOptions::from_json(&stored, "post");
    assert_eq!(read_back.as_ref(), Ok(&options), "the options change when they are read back");
    let framed = TitleFrame::new("Anna bakes: ", " #bread 🍞");
    // The extreme limits, and a title with a prefix and a suffix.
    for (limit, frame) in [(1, TitleFrame::default()), (150, framed), (TitleLimit::MAX, TitleFrame::default())] {
        match Settings::resolve_framed(&options, "clip.mp4", &defaults(limit), &frame) {
            Ok(settings) => {
                for note in notes::on_settings(&options, "clip.mp4", &frame, &settings) {
                    check_note(&note);
                }
                assert!(settings.title.utf16_units() <= usize::from(limit), "{settings:?}");
                let stored = serde_json::to_vec(&settings).expect("settings can be serialized");
                let read_back = serde_json::from_slice::<Settings>(&stored);
                assert_eq!(read_back.ok(), Some(settings), "the settings change when they are read back");
            }
            Err(error) => check_error(&error),
        }
    }
    if let Some(publish_at) = options.publish_at {
        let zones = ZONES.map(|name| Zone::new(name).expect("the time zone exists"));
        for zone in [None].into_iter().chain(zones.iter().map(Some)) {
            match publish_at.instant(zone) {
                Ok(at) => assert_eq!(at.to_string().parse().ok(), Some(at), "the time changes when it is read back"),
                Err(error) => check_error(&error),
            }
        }
    }
}

/// Checks a note: one line of bounded length.
fn check_note(note: &str) {
    assert!(note.chars().count() <= 300 && !note.contains(char::is_control), "{note:?}");
}

fn defaults(title_limit: u16) -> StackDefaults {
    let title_limit = TitleLimit::new(title_limit).expect("the limit is valid");
    StackDefaults { mode: Mode::Direct, privacy_level: PrivacyLevel::SelfOnly, title_limit }
}
