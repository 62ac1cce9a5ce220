//! What people write: sidecars, metadata, an account's preferences.

use domain::account::Preferences;
use domain::metadata::options_from_metadata;
use domain::options::{Mode, OptionsError, PostOptions, PrivacyLevel};
use domain::publish_at::Zone;
use domain::settings::{Settings, StackDefaults};
use domain::title::{TitleFrame, TitleLimit};

use crate::words::hold_error;

/// Zones whose clocks jump by an hour, by half an hour, and over a whole day.
const ZONES: [&str; 3] = ["Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia"];

/// Reads an input as a sidecar.
pub fn sidecar(input: &[u8]) {
    hold_options(PostOptions::from_json(input, "sidecar clip.json"));
}

/// Reads an input as an object's metadata, `name: value` in each line.
pub fn metadata(input: &[u8]) {
    if let Ok(text) = str::from_utf8(input) {
        hold_options(options_from_metadata(text.lines().filter_map(|line| line.split_once(": "))));
    }
}

/// Reads an input as a change of an account's preferences.
pub fn preferences(input: &[u8]) {
    let stack = defaults(TitleLimit::MAX);
    match Preferences::default().changed(input, &stack) {
        Ok(changed) => {
            let form = serde_json::to_vec(&changed.form()).expect("preferences can be shown");
            assert_eq!(Preferences::default().changed(&form, &stack).as_ref(), Ok(&changed), "as they are shown");
            assert_eq!(changed.changed(b"{}", &stack).as_ref(), Ok(&changed), "a change of nothing");
        }
        Err(error) => hold_error(&error),
    }
}

/// Options can be kept and read back, and end in settings or in a reason.
pub(crate) fn hold_options(options: Result<PostOptions, OptionsError>) {
    let options = match options {
        Ok(options) => options,
        Err(error) => return hold_error(&error),
    };
    let kept = serde_json::to_vec(&options).expect("options can be kept");
    assert_eq!(PostOptions::from_json(&kept, "post").as_ref(), Ok(&options), "as they were kept");
    let framed = TitleFrame::new("Anna bakes: ", " #bread 🍞");
    for (limit, frame) in [(1, TitleFrame::default()), (150, framed), (TitleLimit::MAX, TitleFrame::default())] {
        match Settings::resolve_framed(&options, "clip.mp4", &defaults(limit), &frame) {
            Ok(settings) => {
                assert!(settings.title.utf16_units() <= usize::from(limit), "{settings:?}");
                let kept = serde_json::to_vec(&settings).expect("settings can be kept");
                assert_eq!(serde_json::from_slice::<Settings>(&kept).ok(), Some(settings), "as they were kept");
            }
            Err(error) => hold_error(&error),
        }
    }
    if let Some(publish_at) = options.publish_at {
        let zones = ZONES.map(|name| Zone::new(name).expect("it is a zone"));
        for zone in [None].into_iter().chain(zones.iter().map(Some)) {
            match publish_at.instant(zone) {
                Ok(at) => assert_eq!(at.to_string().parse().ok(), Some(at), "as it was kept"),
                Err(error) => hold_error(&error),
            }
        }
    }
}

fn defaults(limit: u16) -> StackDefaults {
    let title_limit = TitleLimit::new(limit).expect("it is a limit");
    StackDefaults { mode: Mode::Direct, privacy_level: PrivacyLevel::SelfOnly, title_limit }
}
