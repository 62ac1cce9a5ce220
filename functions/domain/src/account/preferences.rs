//! How an account's posts go out where they do not say it themselves, and how an
//! operator says so: one flat JSON object, of which a change names only what it
//! changes.
//!
//! ```json
//! {
//!   "mode": "direct", "privacy_level": "PUBLIC_TO_EVERYONE",
//!   "disable_comment": false, "disable_duet": true, "disable_stitch": true,
//!   "brand_content": false, "brand_organic": false, "ai_generated": false,
//!   "sidecar": "required", "review": "optional",
//!   "title_prefix": "Anna bakes: ", "title_suffix": " #bread", "time_zone": "Europe/Berlin"
//! }
//! ```
//!
//! A change is a merge patch (<https://www.rfc-editor.org/rfc/rfc7396>): what it
//! leaves out stays, and `null` takes it back. What would make every post of the
//! account fail is refused here, when it is said, and not when a video is dropped.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Requirement;
use crate::options::{Mode, OptionsError, PostOptions, PrivacyLevel, from_object};
use crate::publish_at::Zone;
use crate::settings::{Settings, SettingsError, StackDefaults};
use crate::title::TitleFrame;

/// What a change is called in messages.
const PLACE: &str = "account's preferences";

/// How an account's posts go out where they do not say it themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preferences {
    /// What its posts say where they do not say it themselves.
    pub defaults: PostOptions,
    /// Whether a video waits for its sidecar.
    pub sidecar: Requirement,
    /// Whether a post waits for somebody's approval.
    pub review: Requirement,
    /// What stands around each title.
    pub title_frame: TitleFrame,
    /// Whose clocks a `publish_at` without an offset is read on.
    pub time_zone: Option<Zone>,
}

/// A change that cannot be made; the preferences are as they were.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PreferencesError {
    /// It cannot be read.
    #[error(transparent)]
    Malformed(#[from] OptionsError),
    /// No post could go out so.
    #[error("no post could go out with these preferences")]
    Refused(#[from] SettingsError),
}

/// The preferences as an operator writes them.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Form {
    mode: Option<Mode>,
    privacy_level: Option<PrivacyLevel>,
    disable_comment: Option<bool>,
    disable_duet: Option<bool>,
    disable_stitch: Option<bool>,
    brand_content: Option<bool>,
    brand_organic: Option<bool>,
    ai_generated: Option<bool>,
    sidecar: Option<Requirement>,
    review: Option<Requirement>,
    title_prefix: Option<String>,
    title_suffix: Option<String>,
    time_zone: Option<Zone>,
}

impl Preferences {
    /// The preferences after a change, as JSON, under the stack's defaults.
    ///
    /// # Errors
    /// Names the field that is unknown or malformed, or the contradiction that
    /// every post of the account would fail of.
    pub fn changed(&self, change: &[u8], stack: &StackDefaults) -> Result<Self, PreferencesError> {
        // Read by itself first, so that what is wrong is said of what was written.
        let _: Form = from_object(change, PLACE)?;
        let change: Map<String, Value> = from_object(change, PLACE)?;
        let mut form = self.form();
        form.extend(change);
        let changed = self.reformed(from_object(Value::Object(form).to_string().as_bytes(), PLACE)?);
        Settings::resolve_framed(&changed.defaults, "video.mp4", stack, &changed.title_frame)?;
        Ok(changed)
    }

    /// The preferences as JSON, each field by its name, for people and programs.
    #[must_use]
    pub fn form(&self) -> Map<String, Value> {
        let said = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let defaults = &self.defaults;
        let form = Form {
            mode: defaults.mode,
            privacy_level: defaults.privacy_level,
            disable_comment: defaults.disable_comment,
            disable_duet: defaults.disable_duet,
            disable_stitch: defaults.disable_stitch,
            brand_content: defaults.brand_content,
            brand_organic: defaults.brand_organic,
            ai_generated: defaults.ai_generated,
            sidecar: Some(self.sidecar),
            review: Some(self.review),
            title_prefix: said(self.title_frame.prefix()),
            title_suffix: said(self.title_frame.suffix()),
            time_zone: self.time_zone.clone(),
        };
        match serde_json::to_value(form) {
            Ok(Value::Object(form)) => form,
            _ => Map::new(),
        }
    }

    /// These preferences with everything that a form says.
    fn reformed(&self, form: Form) -> Self {
        Self {
            defaults: PostOptions {
                mode: form.mode,
                privacy_level: form.privacy_level,
                disable_comment: form.disable_comment,
                disable_duet: form.disable_duet,
                disable_stitch: form.disable_stitch,
                brand_content: form.brand_content,
                brand_organic: form.brand_organic,
                ai_generated: form.ai_generated,
                ..self.defaults.clone()
            },
            sidecar: form.sidecar.unwrap_or_default(),
            review: form.review.unwrap_or_default(),
            title_frame: TitleFrame::new(
                form.title_prefix.as_deref().unwrap_or_default(),
                form.title_suffix.as_deref().unwrap_or_default(),
            ),
            time_zone: form.time_zone,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::title::TitleLimit;

    fn stack() -> StackDefaults {
        let title_limit = TitleLimit::new(20).unwrap();
        StackDefaults { mode: Mode::Direct, privacy_level: PrivacyLevel::SelfOnly, title_limit }
    }

    fn change(preferences: &Preferences, change: &str) -> Result<Preferences, PreferencesError> {
        preferences.changed(change.as_bytes(), &stack())
    }

    fn everything() -> Value {
        json!({
            "mode": "direct", "privacy_level": "PUBLIC_TO_EVERYONE", "disable_comment": true, "disable_duet": true,
            "disable_stitch": false, "brand_content": false, "brand_organic": true, "ai_generated": true,
            "sidecar": "required", "review": "required", "title_prefix": "A: ", "title_suffix": " #a",
            "time_zone": "Europe/Berlin",
        })
    }

    #[test]
    fn everything_that_is_said_is_kept_and_shown() {
        let preferences = change(&Preferences::default(), &everything().to_string()).unwrap();
        assert_eq!(Value::Object(preferences.form()), everything());
        assert_eq!(preferences.title_frame, TitleFrame::new("A: ", " #a"));
        assert_eq!((preferences.sidecar, preferences.review), (Requirement::Required, Requirement::Required));
        assert_eq!(preferences.defaults.brand_organic, Some(true));
    }

    #[test]
    fn a_change_leaves_the_rest_and_null_takes_back() {
        let before = change(&Preferences::default(), &everything().to_string()).unwrap();
        let after =
            change(&before, r#"{"mode":"draft","privacy_level":null,"review":null,"title_prefix":null}"#).unwrap();
        let frame = TitleFrame::new("", " #a");
        let defaults = PostOptions { mode: Some(Mode::Draft), privacy_level: None, ..before.defaults.clone() };
        assert_eq!(
            after,
            Preferences { defaults, review: Requirement::Optional, title_frame: frame, ..before.clone() }
        );
        assert_eq!(change(&before, "{}").unwrap(), before);
    }

    #[test]
    fn what_the_form_does_not_name_stays() {
        let defaults = PostOptions { title: Some("ours".into()), ..PostOptions::default() };
        let before = Preferences { defaults, ..Preferences::default() };
        assert_eq!(change(&before, r#"{"mode":"draft"}"#).unwrap().defaults.title.as_deref(), Some("ours"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let table = [
            (r#"{"privacy_levle":"SELF_ONLY"}"#, "privacy_levle"),
            (r#"{"title":"for all"}"#, "title"),
            (r#"{"sidecar":true}"#, "sidecar"),
            (r#"{"time_zone":"Berlin"}"#, "Europe/Berlin"),
            (r#"{"mode":"draft","mode":"direct"}"#, "duplicate"),
            ("[]", "JSON object"),
        ];
        for (json, named) in table {
            let error = change(&Preferences::default(), json).unwrap_err();
            assert!(matches!(error, PreferencesError::Malformed(_)), "{json}: {error}");
            assert!(error.to_string().contains(named), "{json}: {error}");
        }
    }

    #[test]
    fn what_would_fail_every_post_is_refused() {
        let table = [
            (r#"{"title_prefix":"0123456789","title_suffix":"0123456789!"}"#, "TitleFrame"),
            (r#"{"brand_content":true}"#, "BrandedContentIsPrivate"),
            (r#"{"brand_content":true,"privacy_level":"SELF_ONLY"}"#, "BrandedContentIsPrivate"),
        ];
        for (json, named) in table {
            let error = change(&Preferences::default(), json).unwrap_err();
            assert!(format!("{error:?}").contains(named), "{json}: {error:?}");
        }
        assert!(
            change(&Preferences::default(), r#"{"title_prefix":"0123456789","title_suffix":"0123456789"}"#).is_ok()
        );
    }
}
