//! The preferences of an account: presets for its posts.
//!
//! In JSON, preferences are one flat object:
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
//! The object has the options of [`PostOptions`], except [`PER_POST`], and the fields of [`AccountFields`]. An
//! operator changes it with a [merge patch](https://www.rfc-editor.org/rfc/rfc7396): a missing field keeps its value,
//! and `null` removes it. A change with which every post of the account would fail is rejected when it is made.

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::Requirement;
use crate::options::{OptionsError, PostOptions, apply_patch, fields_of, from_object};
use crate::post::HoldReason;
use crate::publish_at::Zone;
use crate::settings::{Settings, SettingsError, StackDefaults};
use crate::title::TitleFrame;

/// The name of a patch in [`OptionsError::input`].
const INPUT: &str = "account's preferences";
/// The options that only a post has. An account cannot preset them.
const PER_POST: [&str; 4] = ["title", "cover_timestamp_ms", "publish_at", "repost"];

/// The preferences of an account. [`Serialize`] writes the flat JSON object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preferences {
    /// The options of posts whose request, sidecar and metadata do not set them.
    pub defaults: PostOptions,
    /// Whether a dropped video waits for its sidecar.
    pub sidecar: Requirement,
    /// Whether a post waits for an approval.
    pub review: Requirement,
    /// The prefix and suffix of each title.
    pub title_frame: TitleFrame,
    /// The time zone of a `publish_at` without an offset.
    pub time_zone: Option<Zone>,
}

/// Why preferences were not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PreferencesError {
    /// The patch cannot be parsed.
    #[error(transparent)]
    Malformed(#[from] OptionsError),
    /// Every post of the account would fail with the changed preferences.
    #[error("every post would fail with these preferences")]
    Refused(#[from] SettingsError),
}

/// How an account's posts are published by default. In a change, a missing field keeps its value and null removes it.
// The API's OpenAPI document shows the comments of this struct and its fields.
#[derive(Debug, Default, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(example = serde_json::json!({ "mode": "direct", "review": "required", "time_zone": "Europe/Berlin" }))
)]
#[serde(deny_unknown_fields, default)]
struct AccountFields {
    /// Whether a dropped video waits for its sidecar, or for options in a request.
    sidecar: Option<Requirement>,
    /// Whether a post waits for an approval.
    review: Option<Requirement>,
    /// The text before each title.
    title_prefix: Option<String>,
    /// The text after each title.
    title_suffix: Option<String>,
    /// The IANA time zone of a `publish_at` without an offset.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    time_zone: Option<Zone>,
}

impl AccountFields {
    fn of(preferences: &Preferences) -> Self {
        let Preferences { defaults: _, sidecar, review, title_frame, time_zone } = preferences;
        let non_empty = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Self {
            sidecar: Some(*sidecar),
            review: Some(*review),
            title_prefix: non_empty(title_frame.prefix()),
            title_suffix: non_empty(title_frame.suffix()),
            time_zone: time_zone.clone(),
        }
    }
}

impl Preferences {
    /// Tells whether the account still requires what a post is held for. A post that is held for its bytes, or for the
    /// same video, waits whatever the account requires.
    pub fn require(&self, reason: &HoldReason) -> bool {
        match reason {
            HoldReason::Review => self.review == Requirement::Required,
            HoldReason::Sidecar => self.sidecar == Requirement::Required,
            HoldReason::Upload | HoldReason::SameVideo { .. } => true,
        }
    }

    /// Returns these preferences with a merge patch applied.
    ///
    /// # Errors
    /// [`PreferencesError::Malformed`] with the field that is unknown or invalid. [`PreferencesError::Refused`] if no
    /// post could be resolved with the stack's defaults.
    pub fn changed(&self, patch: &[u8], stack: &StackDefaults) -> Result<Self, PreferencesError> {
        let Patch { options, account } = from_object(patch, INPUT)?;
        let defaults = apply_patch(&self.defaults, options, INPUT)?;
        let AccountFields { sidecar, review, title_prefix, title_suffix, time_zone } =
            apply_patch(&AccountFields::of(self), account, INPUT)?;
        let title_frame = TitleFrame::new(&title_prefix.unwrap_or_default(), &title_suffix.unwrap_or_default());
        Settings::resolve_framed(&defaults, "video.mp4", stack, &title_frame)?;
        let (sidecar, review) = (sidecar.unwrap_or_default(), review.unwrap_or_default());
        Ok(Self { defaults, sidecar, review, title_frame, time_zone })
    }
}

impl Serialize for Preferences {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = preset_options(&self.defaults);
        fields.extend(fields_of(&AccountFields::of(self)));
        fields.serialize(serializer)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Preferences {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Preferences".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = AccountFields::json_schema(generator);
        let options = PostOptions::json_schema(generator).remove("properties");
        if let (Some(Value::Object(fields)), Some(Value::Object(options))) = (schema.get_mut("properties"), options) {
            fields.extend(options.into_iter().filter(|(name, _)| !PER_POST.contains(&name.as_str())));
        }
        schema
    }
}

/// Returns the options that an account can preset, `null` for those without a value.
fn preset_options(options: &PostOptions) -> Map<String, Value> {
    let mut fields = fields_of(options);
    fields.retain(|name, _| !PER_POST.contains(&name.as_str()));
    fields
}

/// A merge patch, divided by the struct that has the field. Its values are not checked yet.
#[derive(Default)]
struct Patch {
    /// Fields of [`PostOptions`].
    options: Map<String, Value>,
    /// Fields of [`AccountFields`].
    account: Map<String, Value>,
}

impl<'de> Deserialize<'de> for Patch {
    /// Rejects unknown and repeated fields, as derived code does. `#[serde(flatten)]` would do so as well, but its
    /// errors do not name the field of an invalid value.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PatchVisitor;

        impl<'de> Visitor<'de> for PatchVisitor {
            type Value = Patch;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Patch, A::Error> {
                let options = preset_options(&PostOptions::default());
                let account = fields_of(&AccountFields::default());
                let mut patch = Patch::default();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    let fields = match &name {
                        name if options.contains_key(name) => &mut patch.options,
                        name if account.contains_key(name) => &mut patch.account,
                        name => {
                            let known: Vec<_> = options.keys().chain(account.keys()).map(String::as_str).collect();
                            let known = known.join(", ");
                            return Err(A::Error::custom(format!("unknown field `{name}`, expected one of {known}")));
                        }
                    };
                    if fields.contains_key(&name) {
                        return Err(A::Error::custom(format!("duplicate field `{name}`")));
                    }
                    fields.insert(name, value);
                }
                Ok(patch)
            }
        }

        deserializer.deserialize_map(PatchVisitor)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::identity::PostId;
    use crate::options::{Mode, PrivacyLevel};
    use crate::title::TitleLimit;

    fn stack() -> StackDefaults {
        let title_limit = TitleLimit::new(20).unwrap();
        StackDefaults { mode: Mode::Direct, privacy_level: PrivacyLevel::SelfOnly, title_limit }
    }

    fn change(preferences: &Preferences, patch: &str) -> Result<Preferences, PreferencesError> {
        preferences.changed(patch.as_bytes(), &stack())
    }

    fn all_fields() -> Value {
        json!({
            "mode": "direct", "privacy_level": "PUBLIC_TO_EVERYONE", "disable_comment": true, "disable_duet": true,
            "disable_stitch": false, "brand_content": false, "brand_organic": true, "ai_generated": true,
            "sidecar": "required", "review": "required", "title_prefix": "A: ", "title_suffix": " #a",
            "time_zone": "Europe/Berlin",
        })
    }

    #[test]
    fn all_fields_are_changed_and_shown() {
        let preferences = change(&Preferences::default(), &all_fields().to_string()).unwrap();
        assert_eq!(json!(preferences), all_fields());
        assert_eq!(preferences.title_frame, TitleFrame::new("A: ", " #a"));
        assert_eq!((preferences.sidecar, preferences.review), (Requirement::Required, Requirement::Required));
        assert_eq!(preferences.defaults.brand_organic, Some(true));
    }

    #[test]
    fn default_preferences_are_shown_with_all_fields() {
        let shown = json!(Preferences::default());
        let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&shown), names(&all_fields()));
        assert_eq!((&shown["mode"], &shown["review"]), (&Value::Null, &json!("optional")));
    }

    #[test]
    fn missing_field_keeps_value_and_null_removes() {
        let before = change(&Preferences::default(), &all_fields().to_string()).unwrap();
        let after =
            change(&before, r#"{"mode":"draft","privacy_level":null,"review":null,"title_prefix":null}"#).unwrap();
        let title_frame = TitleFrame::new("", " #a");
        let defaults = PostOptions { mode: Some(Mode::Draft), privacy_level: None, ..before.defaults.clone() };
        assert_eq!(after, Preferences { defaults, review: Requirement::Optional, title_frame, ..before.clone() });
        assert_eq!(change(&before, "{}").unwrap(), before);
    }

    #[test]
    fn change_keeps_stored_options_that_no_patch_can_set() {
        let defaults = PostOptions { title: Some("ours".into()), ..PostOptions::default() };
        let before = Preferences { defaults, ..Preferences::default() };
        assert_eq!(change(&before, r#"{"mode":"draft"}"#).unwrap().defaults.title.as_deref(), Some("ours"));
    }

    #[test]
    fn error_names_invalid_field() {
        let table = [
            (r#"{"privacy_levle":"SELF_ONLY"}"#, "privacy_levle"),
            (r#"{"title":"for all"}"#, "title"),
            (r#"{"sidecar":true}"#, "sidecar"),
            (r#"{"disable_duet":"maybe"}"#, "disable_duet"),
            (r#"{"time_zone":"Berlin"}"#, "Europe/Berlin"),
            (r#"{"mode":"draft","mode":"direct"}"#, "duplicate"),
            ("[]", "JSON object"),
        ];
        for (json, expected) in table {
            let error = change(&Preferences::default(), json).unwrap_err();
            assert!(matches!(error, PreferencesError::Malformed(_)), "{json}: {error}");
            assert!(error.to_string().contains(expected), "{json}: {error}");
        }
    }

    #[test]
    fn change_that_fails_every_post_is_rejected() {
        let table = [
            (r#"{"title_prefix":"0123456789","title_suffix":"0123456789!"}"#, "TitleFrame"),
            (r#"{"brand_content":true}"#, "BrandedContentIsPrivate"),
            (r#"{"brand_content":true,"privacy_level":"SELF_ONLY"}"#, "BrandedContentIsPrivate"),
        ];
        for (json, expected) in table {
            let error = change(&Preferences::default(), json).unwrap_err();
            assert!(format!("{error:?}").contains(expected), "{json}: {error:?}");
        }
        assert!(
            change(&Preferences::default(), r#"{"title_prefix":"0123456789","title_suffix":"0123456789"}"#).is_ok()
        );
    }

    #[test]
    fn only_holds_for_a_requirement_depend_on_the_account() {
        let none = Preferences::default();
        let all = change(&none, r#"{"review":"required","sidecar":"required"}"#).unwrap();
        for reason in [HoldReason::Review, HoldReason::Sidecar] {
            assert!(all.require(&reason) && !none.require(&reason), "{reason:?}");
        }
        let earlier = PostId::random(&[1; 32]);
        for reason in [HoldReason::Upload, HoldReason::SameVideo { earlier }] {
            assert!(all.require(&reason) && none.require(&reason), "{reason:?}");
        }
    }

    #[cfg(feature = "schema")]
    #[test]
    fn schema_has_the_fields_that_are_shown() {
        let schema = schemars::schema_for!(Preferences).to_value();
        let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&schema["properties"]), names(&all_fields()));
        assert_eq!(schema["additionalProperties"], false);
        let example = schema["examples"][0].to_string();
        assert!(change(&Preferences::default(), &example).is_ok());
    }
}
