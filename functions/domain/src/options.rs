//! The options of a post. [`PostOptions`] is their only definition.
//!
//! All sources of options use it: a request to the API, a sidecar, an object's metadata ([`crate::metadata`]) and an
//! account's preferences ([`crate::account::Preferences`]). [`crate::settings::Settings`] is the result of all
//! sources for one post.
//!
//! In every source, a missing field and `null` mean: use the next source. An unknown field or an invalid value is an
//! error, because a misspelt `privacy_levle` must not lead to a public post.

use std::fmt::Display;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::failure::single_line;
use crate::macros::named_enum;
use crate::publish_at::PublishAt;

/// The maximum length of [`OptionsError::detail`] in characters. The detail can quote the input.
const MAX_DETAIL_CHARS: usize = 300;

named_enum! {
    /// How TikTok receives a video.
    pub enum Mode {
        /// TikTok publishes the video.
        Direct = "direct",
        /// TikTok sends the video to the creator's inbox, and the creator posts it in the app.
        Draft = "draft",
    }
}

named_enum! {
    /// Who can see a post. The values are TikTok's.
    pub enum PrivacyLevel {
        /// Everyone.
        PublicToEveryone = "PUBLIC_TO_EVERYONE",
        /// The creator's friends: followers whom the creator follows back.
        MutualFollowFriends = "MUTUAL_FOLLOW_FRIENDS",
        /// The creator's followers. TikTok offers this level to private accounts.
        FollowerOfCreator = "FOLLOWER_OF_CREATOR",
        /// Only the creator.
        SelfOnly = "SELF_ONLY",
    }
}

/// The options of a post, as one source states them. A field that is missing or null is left to the next source:
/// request, sidecar, object metadata, account, stack.
// The API's OpenAPI document shows the comments of this struct and its fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(
        rename = "Options",
        example = serde_json::json!({ "title": "Bread, finally #baking", "privacy_level": "SELF_ONLY" })
    )
)]
#[serde(deny_unknown_fields, default)]
pub struct PostOptions {
    /// The caption, with hashtags and mentions. It is cut to the stack's limit, which is at most 2200 UTF-16 code
    /// units. Without a title, the file name is the caption.
    pub title: Option<String>,
    /// Whether TikTok publishes the video or sends it to the creator's inbox as a draft.
    pub mode: Option<Mode>,
    /// Who can see the post. A draft ignores it.
    pub privacy_level: Option<PrivacyLevel>,
    /// Forbids comments.
    pub disable_comment: Option<bool>,
    /// Forbids duets.
    pub disable_duet: Option<bool>,
    /// Forbids stitches.
    pub disable_stitch: Option<bool>,
    /// The frame that is shown as cover, in milliseconds from the start of the video.
    #[serde(deserialize_with = "not_negative")]
    #[cfg_attr(feature = "schema", schemars(range(min = 0)))]
    pub cover_timestamp_ms: Option<i32>,
    /// Discloses a paid partnership with a third party.
    pub brand_content: Option<bool>,
    /// Discloses that the post promotes the creator's own business.
    pub brand_organic: Option<bool>,
    /// Labels the video as made by artificial intelligence.
    pub ai_generated: Option<bool>,
    /// The earliest time of publication, in RFC 3339. A time without an offset is in the account's time zone.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>", example = "2026-12-24T17:00:00+01:00"))]
    pub publish_at: Option<PublishAt>,
    /// Posts the video although the account has another post of it. Without this option, such a post is held.
    pub repost: Option<bool>,
}

/// Options that cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {input} cannot be parsed: {detail}")]
pub struct OptionsError {
    /// What was parsed, for example `sidecar clip.json` or `object's metadata`.
    pub input: String,
    /// What is wrong and in which field: one line of at most 300 characters.
    pub detail: String,
}

impl OptionsError {
    pub(crate) fn new(input: &str, detail: &str) -> Self {
        Self { input: input.to_owned(), detail: single_line(detail, MAX_DETAIL_CHARS) }
    }

    /// Creates an error whose detail starts with the name of the invalid field.
    pub(crate) fn in_field(input: &str, error: &serde_path_to_error::Error<impl Display>) -> Self {
        match error.path().to_string().as_str() {
            "." | "?" => Self::new(input, &error.inner().to_string()),
            field => Self::new(input, &format!("{field}: {}", error.inner())),
        }
    }
}

impl PostOptions {
    /// Parses a sidecar or a request body. `input` names it in errors.
    ///
    /// # Errors
    /// [`OptionsError`] if the bytes are not UTF-8 or not one JSON object, if a field is unknown or occurs twice, or
    /// if a value is invalid.
    pub fn from_json(bytes: &[u8], input: &str) -> Result<Self, OptionsError> {
        from_object(bytes, input)
    }

    /// Returns these options with a [merge patch](https://www.rfc-editor.org/rfc/rfc7396) applied: a missing field
    /// keeps its value, and `null` removes it.
    ///
    /// # Errors
    /// The errors of [`PostOptions::from_json`] for the patch.
    pub fn changed(&self, patch: &[u8], input: &str) -> Result<Self, OptionsError> {
        // Parse the patch as options first: the error then has the position in the patch.
        Self::from_json(patch, input)?;
        apply_patch(self, from_object(patch, input)?, input)
    }

    /// Returns these options, with the missing ones taken from `next`, the next source.
    #[must_use]
    pub fn or(self, next: Self) -> Self {
        Self {
            title: self.title.or(next.title),
            mode: self.mode.or(next.mode),
            privacy_level: self.privacy_level.or(next.privacy_level),
            disable_comment: self.disable_comment.or(next.disable_comment),
            disable_duet: self.disable_duet.or(next.disable_duet),
            disable_stitch: self.disable_stitch.or(next.disable_stitch),
            cover_timestamp_ms: self.cover_timestamp_ms.or(next.cover_timestamp_ms),
            brand_content: self.brand_content.or(next.brand_content),
            brand_organic: self.brand_organic.or(next.brand_organic),
            ai_generated: self.ai_generated.or(next.ai_generated),
            publish_at: self.publish_at.or(next.publish_at),
            repost: self.repost.or(next.repost),
        }
    }
}

/// Deserializes an optional number that is at least zero.
fn not_negative<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i32>, D::Error> {
    match Option::<i32>::deserialize(deserializer)? {
        Some(ms) if ms < 0 => Err(D::Error::custom(format!("must not be negative, but is {ms}"))),
        ms => Ok(ms),
    }
}

/// Parses exactly one JSON object. A byte order mark before it is ignored.
pub(crate) fn from_object<T: DeserializeOwned>(bytes: &[u8], input: &str) -> Result<T, OptionsError> {
    let error = |detail: String| OptionsError::new(input, &detail);
    let text =
        std::str::from_utf8(bytes).map_err(|e| error(format!("invalid UTF-8 after byte {}", e.valid_up_to())))?;
    let text = text.trim_start_matches('\u{feff}');
    if !text.trim_start().starts_with('{') {
        return Err(error("it must be one JSON object, in braces".into()));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|e| OptionsError::in_field(input, &e))?;
    json.end().map_err(|e| error(e.to_string()))?;
    Ok(value)
}

/// Tells whether a name is the name of an option.
pub(crate) fn is_option(name: &str) -> bool {
    fields_of(&PostOptions::default()).contains_key(name)
}

/// Returns the fields of a struct, `null` for those without a value.
pub(crate) fn fields_of(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// Returns a struct with the fields of a merge patch applied. All fields must be optional.
pub(crate) fn apply_patch<T: Serialize + DeserializeOwned>(
    current: &T,
    patch: Map<String, Value>,
    input: &str,
) -> Result<T, OptionsError> {
    let mut fields = fields_of(current);
    fields.extend(patch);
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|e| OptionsError::in_field(input, &e))
}

#[cfg(test)]
mod every_option;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<PostOptions, OptionsError> {
        PostOptions::from_json(json.as_bytes(), "sidecar clip.json")
    }

    #[test]
    fn json_with_all_fields_is_parsed() {
        let options = parse(
            r#"{"title":"A","mode":"draft","privacy_level":"SELF_ONLY","disable_comment":true,
                "disable_duet":true,"disable_stitch":false,"cover_timestamp_ms":1500,"brand_content":false,
                "brand_organic":true,"ai_generated":true,"publish_at":"2026-12-01T09:00:00+01:00"}"#,
        )
        .unwrap();
        assert_eq!(options.mode, Some(Mode::Draft));
        assert_eq!(options.privacy_level, Some(PrivacyLevel::SelfOnly));
        assert_eq!(options.publish_at, Some("2026-12-01T08:00:00Z".parse().unwrap()));
        assert_eq!(options.ai_generated, Some(true));
    }

    #[test]
    fn error_names_input_and_invalid_field() {
        let table = [
            (r#"{"privacy_levle":"SELF_ONLY"}"#, "privacy_levle"),
            (r#"{"privacy_level":"PRIVATE"}"#, "PRIVATE"),
            (r#"{"title":5}"#, "expected a string"),
            (r#"{"publish_at":"tomorrow"}"#, "publish_at"),
            (r#"{"cover_timestamp_ms":-1}"#, "negative"),
            (r#"{"cover_timestamp_ms":4294967296}"#, "4294967296"),
            (r#"{"title":"a","title":"b"}"#, "duplicate"),
            ("[]", "JSON object"),
            ("", "JSON object"),
            ("{", "EOF"),
            ("{} {}", "trailing"),
        ];
        for (json, expected) in table {
            let error = parse(json).map(|o| format!("{o:?}")).unwrap_err();
            assert!(error.to_string().contains("sidecar clip.json"), "{error}");
            assert!(error.detail.contains(expected), "{json}: {error}");
        }
        assert!(PostOptions::from_json(&[b'{', 0xff], "x").unwrap_err().detail.contains("byte 1"));
    }

    #[test]
    fn error_is_one_short_line_for_any_input() {
        let long = "x".repeat(60_000);
        for json in [r#"{"a\nb":1}"#, &format!(r#"{{"{long}":1}}"#), &format!(r#"{{"mode":"{long}"}}"#)] {
            let detail = parse(json).unwrap_err().detail;
            assert!(detail.chars().count() <= MAX_DETAIL_CHARS && !detail.chars().any(char::is_control), "{detail:?}");
        }
    }

    #[test]
    fn byte_order_mark_and_null_are_ignored() {
        assert_eq!(parse("\u{feff}{\"title\":null}"), Ok(PostOptions::default()));
    }

    #[test]
    fn patch_changes_its_fields_and_null_removes() {
        let before = parse(r#"{"title":"a","disable_duet":true,"publish_at":"2026-12-01T09:00:00+01:00"}"#).unwrap();
        let after = before.changed(br#"{"title":null,"mode":"draft"}"#, "request").unwrap();
        assert_eq!(after, PostOptions { title: None, mode: Some(Mode::Draft), ..before.clone() });
        assert_eq!(before.changed(b"{}", "request").as_ref(), Ok(&before));
        let error = before.changed(br#"{"titel":"b"}"#, "request").unwrap_err();
        assert!(error.to_string().contains("request") && error.detail.contains("titel"), "{error}");
    }

    #[test]
    fn first_source_with_an_option_wins() {
        let sidecar = parse(r#"{"title":"sidecar"}"#).unwrap();
        let account = parse(r#"{"title":"account","mode":"draft"}"#).unwrap();
        let both = sidecar.or(account);
        assert_eq!((both.title.as_deref(), both.mode), (Some("sidecar"), Some(Mode::Draft)));
    }

    #[cfg(feature = "schema")]
    #[test]
    fn schema_example_is_valid() {
        let schema = schemars::schema_for!(PostOptions).to_value();
        assert!(parse(&schema["examples"][0].to_string()).is_ok());
    }
}
