//! Every option is usable in every source and changes the settings.
//!
//! The tests take the names of the options from [`PostOptions`] itself. A new option fails them until `SAMPLES` has a
//! value for it, and then if a place that must handle the option does not. Two places are outside this crate:
//! `tiktok` sends each field of [`Settings`] to TikTok, and `api` shows options, settings and preferences as they are
//! serialized here.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::account::Preferences;
use crate::metadata::{options_from_metadata, unprefixed_options};
use crate::notes;
use crate::settings::{Settings, StackDefaults};
use crate::title::{TitleFrame, TitleLimit};

/// A value for each option that differs from the defaults of [`stack`], as JSON and as the text of a metadata header.
const SAMPLES: [(&str, &str, &str); 12] = [
    ("title", r#""Bread""#, "Bread"),
    ("mode", r#""draft""#, "draft"),
    ("privacy_level", r#""PUBLIC_TO_EVERYONE""#, "PUBLIC_TO_EVERYONE"),
    ("disable_comment", "true", "true"),
    ("disable_duet", "true", "True"),
    ("disable_stitch", "true", " true "),
    ("cover_timestamp_ms", "1500", "1500"),
    ("brand_content", "true", "true"),
    ("brand_organic", "true", "TRUE"),
    ("ai_generated", "true", "true"),
    ("publish_at", r#""2026-12-24T17:00:00Z""#, "2026-12-24T17:00:00Z"),
    ("repost", "true", "true"),
];

/// The options that an account cannot preset.
const PER_POST: [&str; 4] = ["title", "cover_timestamp_ms", "publish_at", "repost"];
/// The options that decide when and whether a post is published, in `posting/src/upload/options.rs`. TikTok gets none
/// of them.
const NOT_SENT: [&str; 2] = ["publish_at", "repost"];

fn stack() -> StackDefaults {
    StackDefaults {
        mode: Mode::Direct,
        privacy_level: PrivacyLevel::FollowerOfCreator,
        title_limit: TitleLimit::default(),
    }
}

/// Returns options with one field, and the field's JSON.
fn with(name: &str, json: &str) -> (PostOptions, Value) {
    let options = PostOptions::from_json(format!(r#"{{"{name}":{json}}}"#).as_bytes(), "sample");
    (options.unwrap_or_else(|error| panic!("{name} is not read from JSON: {error}")), json.parse().unwrap())
}

#[test]
fn every_option_has_a_sample() {
    let names: BTreeSet<_> = fields_of(&PostOptions::default()).into_iter().map(|(name, _)| name).collect();
    let samples: BTreeSet<_> = SAMPLES.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(samples, names, "add a value of the new option to SAMPLES");
}

#[test]
fn every_option_is_read_from_json_and_shown() {
    for (name, json, _) in SAMPLES {
        let (options, value) = with(name, json);
        assert_ne!(options, PostOptions::default(), "{name}");
        assert_eq!(fields_of(&options)[name], value, "{name}");
    }
}

#[test]
fn every_option_is_read_from_metadata() {
    for (name, json, text) in SAMPLES {
        let prefixed = format!("dropcast-{name}");
        let options = options_from_metadata([(prefixed.as_str(), text)]);
        assert_eq!(options.as_ref(), Ok(&with(name, json).0), "{name}: {text:?}");
        assert_eq!(unprefixed_options([(name, text)]), [name]);
    }
}

#[test]
fn every_option_comes_from_first_or_next_source() {
    for (name, json, _) in SAMPLES {
        let (options, _) = with(name, json);
        assert_eq!(options.clone().or(PostOptions::default()), options, "{name}");
        assert_eq!(PostOptions::default().or(options.clone()), options, "{name}");
    }
}

#[test]
fn every_option_can_be_patched() {
    for (name, json, _) in SAMPLES {
        let (options, _) = with(name, json);
        let patch = format!(r#"{{"{name}":{json}}}"#);
        assert_eq!(PostOptions::default().changed(patch.as_bytes(), "patch").as_ref(), Ok(&options), "{name}");
        let removal = format!(r#"{{"{name}":null}}"#);
        assert_eq!(options.changed(removal.as_bytes(), "patch"), Ok(PostOptions::default()), "{name}");
    }
}

#[test]
fn every_preset_option_is_read_from_preferences_and_shown() {
    for (name, json, _) in SAMPLES {
        let patch = format!(r#"{{"{name}":{json}}}"#);
        let changed = Preferences::default().changed(patch.as_bytes(), &stack());
        if PER_POST.contains(&name) {
            assert!(changed.is_err(), "an account cannot preset {name}");
            continue;
        }
        let (preferences, (options, value)) = (changed.unwrap(), with(name, json));
        assert_eq!(preferences.defaults, options, "{name}");
        assert_eq!(serde_json::to_value(&preferences).unwrap()[name], value, "{name}");
    }
}

#[test]
fn every_option_changes_the_settings() {
    let resolve = |options| json!(Settings::resolve(&options, "clip.mp4", &stack()).unwrap());
    let default = resolve(PostOptions::default());
    for (name, json, _) in SAMPLES {
        if !NOT_SENT.contains(&name) {
            let (options, value) = with(name, json);
            let settings = resolve(options);
            assert_ne!(settings, default, "{name}");
            assert_eq!(settings[name], value, "{name}");
        }
    }
}

#[test]
fn every_option_without_effect_on_draft_is_noted() {
    for (name, json, _) in SAMPLES {
        let options = PostOptions { mode: Some(Mode::Draft), ..with(name, json).0 };
        let settings = Settings::resolve(&options, "clip.mp4", &stack()).unwrap();
        let notes = notes::on_settings(&options, "clip.mp4", &TitleFrame::default(), &settings);
        let is_named = notes.iter().any(|note| note.contains(&format!("`{name}`")));
        assert_eq!(is_named, !["mode", "publish_at"].contains(&name), "{name}: {notes:?}");
    }
}
