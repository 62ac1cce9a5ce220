//! The options of a post, as a request, a sidecar, an object's metadata, an
//! account or the stack may state them: one schema for all.
//!
//! A field that is absent, or `null`, leaves the matter to the next source. A
//! field that is unknown or malformed is an error: a misspelt `privacy_levle`
//! must not end in a public post.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::failure::single_line;
use crate::publish_at::PublishAt;

/// How much is said of what is wrong, in characters: it may quote what was sent.
const LONGEST_WHY: usize = 300;

/// The way a video takes on TikTok's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It is posted.
    Direct,
    /// It lands in the user's inbox, and the user posts it in the app.
    Draft,
}

/// Who may see a post. TikTok's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PrivacyLevel {
    /// Everybody.
    PublicToEveryone,
    /// Friends: followers whom the creator follows too.
    MutualFollowFriends,
    /// Followers; for private accounts.
    FollowerOfCreator,
    /// The creator alone.
    SelfOnly,
}

impl PrivacyLevel {
    /// The level as TikTok writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PublicToEveryone => "PUBLIC_TO_EVERYONE",
            Self::MutualFollowFriends => "MUTUAL_FOLLOW_FRIENDS",
            Self::FollowerOfCreator => "FOLLOWER_OF_CREATOR",
            Self::SelfOnly => "SELF_ONLY",
        }
    }

    /// Reads a level as TikTok writes it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::PublicToEveryone, Self::MutualFollowFriends, Self::FollowerOfCreator, Self::SelfOnly]
            .into_iter()
            .find(|level| level.as_str() == text)
    }
}

/// What one source says about a post; every field may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PostOptions {
    /// The caption; cut to the stack's limit.
    pub title: Option<String>,
    /// Posted at once, or sent to the inbox as a draft.
    pub mode: Option<Mode>,
    /// Who may see it.
    pub privacy_level: Option<PrivacyLevel>,
    /// No comments.
    pub disable_comment: Option<bool>,
    /// No duets.
    pub disable_duet: Option<bool>,
    /// No stitches.
    pub disable_stitch: Option<bool>,
    /// The frame shown as cover, in milliseconds from the start.
    #[serde(deserialize_with = "not_negative")]
    pub cover_timestamp_ms: Option<i32>,
    /// A paid partnership with a third party.
    pub brand_content: Option<bool>,
    /// Promotes the creator's own business.
    pub brand_organic: Option<bool>,
    /// Made by artificial intelligence.
    pub ai_generated: Option<bool>,
    /// Not before this time, in RFC 3339; without an offset, on the clocks of the
    /// account's time zone.
    pub publish_at: Option<PublishAt>,
}

/// A source of options that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {place} cannot be read: {why}")]
pub struct OptionsError {
    /// What was read: "sidecar clip.json", "object's metadata".
    pub place: String,
    /// What is wrong with it, and where.
    pub why: String,
}

impl PostOptions {
    /// Reads a sidecar's or a request's JSON.
    ///
    /// # Errors
    /// Names the place, and what is wrong there: not UTF-8, not JSON, an
    /// unknown field, a value of the wrong type.
    pub fn from_json(bytes: &[u8], place: &str) -> Result<Self, OptionsError> {
        from_object(bytes, place)
    }

    /// Reads a change of these options: what it leaves out stays, and `null` leaves
    /// the matter to the next source (<https://www.rfc-editor.org/rfc/rfc7396>).
    ///
    /// # Errors
    /// As [`PostOptions::from_json`], of the change.
    pub fn changed(&self, change: &[u8], place: &str) -> Result<Self, OptionsError> {
        // Read by itself first, so that what is wrong is said of what was written.
        Self::from_json(change, place)?;
        let change: Map<String, Value> = from_object(change, place)?;
        let unwritten = |error: serde_json::Error| OptionsError { place: place.to_owned(), why: error.to_string() };
        let mut changed = serde_json::to_value(self).map_err(unwritten)?;
        if let Value::Object(options) = &mut changed {
            options.extend(change);
        }
        serde_json::from_value(changed).map_err(unwritten)
    }

    /// Lets what a more specific source left open be said by another.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            title: self.title.or(other.title),
            mode: self.mode.or(other.mode),
            privacy_level: self.privacy_level.or(other.privacy_level),
            disable_comment: self.disable_comment.or(other.disable_comment),
            disable_duet: self.disable_duet.or(other.disable_duet),
            disable_stitch: self.disable_stitch.or(other.disable_stitch),
            cover_timestamp_ms: self.cover_timestamp_ms.or(other.cover_timestamp_ms),
            brand_content: self.brand_content.or(other.brand_content),
            brand_organic: self.brand_organic.or(other.brand_organic),
            ai_generated: self.ai_generated.or(other.ai_generated),
            publish_at: self.publish_at.or(other.publish_at),
        }
    }
}

/// A cover's place: TikTok counts from the start.
fn not_negative<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i32>, D::Error> {
    match Option::<i32>::deserialize(deserializer)? {
        Some(ms) if ms < 0 => Err(D::Error::custom(format!("it must not be negative, and is {ms}"))),
        place => Ok(place),
    }
}

/// Reads one JSON object and nothing else, naming the field that is wrong.
pub(crate) fn from_object<T: DeserializeOwned>(bytes: &[u8], place: &str) -> Result<T, OptionsError> {
    let error = |why: String| OptionsError { place: place.to_owned(), why: single_line(&why, LONGEST_WHY) };
    let text =
        std::str::from_utf8(bytes).map_err(|e| error(format!("it is not UTF-8 (at byte {})", e.valid_up_to())))?;
    let text = text.trim_start_matches('\u{feff}');
    if !text.trim_start().starts_with('{') {
        return Err(error("it must be a JSON object; one without any option is {}".into()));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let read = serde_path_to_error::deserialize(&mut json).map_err(|e| error(at_its_field(&e)))?;
    json.end().map_err(|e| error(e.to_string()))?;
    Ok(read)
}

/// What is wrong, after the name of the field that it is wrong with.
fn at_its_field(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    match error.path().to_string().as_str() {
        "." | "?" => error.inner().to_string(),
        field => format!("{field}: {}", error.inner()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<PostOptions, OptionsError> {
        PostOptions::from_json(json.as_bytes(), "sidecar clip.json")
    }

    #[test]
    fn every_field_is_read() {
        let options = read(
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
    fn what_is_wrong_is_named() {
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
        for (json, named) in table {
            let error = read(json).map(|o| format!("{o:?}")).unwrap_err();
            assert!(error.to_string().contains("sidecar clip.json"), "{error}");
            assert!(error.why.contains(named), "{json}: {error}");
        }
        assert!(PostOptions::from_json(&[b'{', 0xff], "x").unwrap_err().why.contains("byte 1"));
    }

    #[test]
    fn what_is_wrong_is_said_in_one_short_line_whatever_was_written() {
        let long = "x".repeat(60_000);
        for json in [r#"{"a\nb":1}"#, &format!(r#"{{"{long}":1}}"#), &format!(r#"{{"mode":"{long}"}}"#)] {
            let why = read(json).unwrap_err().why;
            assert!(why.chars().count() <= LONGEST_WHY && !why.chars().any(char::is_control), "{why:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_and_null_are_harmless() {
        assert_eq!(read("\u{feff}{\"title\":null}"), Ok(PostOptions::default()));
    }

    #[test]
    fn a_change_names_only_what_it_changes_and_null_takes_back() {
        let said = read(r#"{"title":"a","disable_duet":true,"publish_at":"2026-12-01T09:00:00+01:00"}"#).unwrap();
        let changed = said.changed(br#"{"title":null,"mode":"draft"}"#, "request").unwrap();
        assert_eq!(changed, PostOptions { title: None, mode: Some(Mode::Draft), ..said.clone() });
        assert_eq!(said.changed(b"{}", "request").as_ref(), Ok(&said));
        let refused = said.changed(br#"{"titel":"b"}"#, "request").unwrap_err();
        assert!(refused.to_string().contains("request") && refused.why.contains("titel"), "{refused}");
    }

    #[test]
    fn the_more_specific_source_wins_field_by_field() {
        let sidecar = read(r#"{"title":"mine"}"#).unwrap();
        let account = read(r#"{"title":"theirs","mode":"draft"}"#).unwrap();
        let both = sidecar.or(account);
        assert_eq!((both.title.as_deref(), both.mode), (Some("mine"), Some(Mode::Draft)));
    }
}
