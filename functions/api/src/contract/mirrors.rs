//! Types that are not this crate's, as they are written in JSON. The tests hold
//! each against the type that it stands for.

#![expect(dead_code, reason = "they are there for their schemas")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A time in RFC 3339, in UTC.
#[derive(Debug, Serialize)]
pub(crate) struct Time;

impl JsonSchema for Time {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// How a post goes out. What is left out, or null, is left to the next source: the
/// sidecar, the object's metadata, the account, the stack.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(example = json!({ "title": "Bread, finally #baking", "privacy_level": "SELF_ONLY" }))]
pub(crate) struct Options {
    /// The caption, with hashtags and mentions. It is cut to the stack's limit, at most 2200 UTF-16 units.
    title: Option<String>,
    /// `direct`: posted; `draft`: sent to the creator's inbox.
    mode: Option<Mode>,
    /// Who may see it, in TikTok's words.
    privacy_level: Option<PrivacyLevel>,
    disable_comment: Option<bool>,
    disable_duet: Option<bool>,
    disable_stitch: Option<bool>,
    /// The frame shown as cover, in milliseconds from the start.
    #[schemars(range(min = 0))]
    cover_timestamp_ms: Option<i32>,
    /// A paid partnership with a third party.
    brand_content: Option<bool>,
    /// Promotes the creator's own business.
    brand_organic: Option<bool>,
    /// Made by artificial intelligence.
    ai_generated: Option<bool>,
    /// Not before this time: RFC 3339, or without an offset on the clocks of the account's time zone.
    #[schemars(example = "2026-12-24T17:00:00+01:00")]
    publish_at: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    Direct,
    Draft,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum PrivacyLevel {
    PublicToEveryone,
    MutualFollowFriends,
    FollowerOfCreator,
    SelfOnly,
}

/// What a post goes out with, settled from all sources.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_excessive_bools, reason = "TikTok's own switches")]
pub(crate) struct Settings {
    title: String,
    mode: Mode,
    privacy_level: PrivacyLevel,
    disable_comment: bool,
    disable_duet: bool,
    disable_stitch: bool,
    cover_timestamp_ms: Option<i32>,
    brand_content: bool,
    brand_organic: bool,
    ai_generated: bool,
}

/// Where a post stands.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Held,
    Scheduled,
    Queued,
    Uploading,
    Processing,
    Published,
    Delivered,
    Failed,
    Cancelled,
}

/// What a held post waits for: an approval, its sidecar or options, or its bytes.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HeldFor {
    Review,
    Sidecar,
    Upload,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Approval {
    NotGiven,
    Given,
}

/// Whether a failed post can be tried again, or may be posted all the same.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    NotPosted,
    Unknown,
}

/// A line of a post's history.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct HistoryEntry {
    at: Time,
    /// The state from then on.
    state: State,
    /// What happened, for people.
    note: String,
}

/// A webhook, as TikTok writes it.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(example = json!({
    "client_key": "ck", "event": "post.publish.complete", "create_time": 1_615_338_610, "user_openid": "o1",
    "content": "{\"publish_id\":\"v_pub_file~v2-1.1\",\"publish_type\":\"DIRECT_POST\"}"
}))]
pub(crate) struct Webhook {
    client_key: Option<String>,
    /// What has happened.
    #[schemars(length(min = 1))]
    event: String,
    /// When, in seconds since 1970.
    create_time: Option<i64>,
    /// Whom it concerns.
    user_openid: Option<String>,
    /// Text that holds JSON of its own.
    content: Option<String>,
}

/// A request to post an object that is in the bucket.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({
    "account": "anna", "key": "library/bread.mp4", "options": { "title": "Bread", "privacy_level": "SELF_ONLY" }
}))]
pub(crate) struct PostRequest {
    /// The account's alias; without one, the stack's default account.
    #[schemars(length(min = 1, max = 128))]
    account: Option<String>,
    /// The object's key in the intake bucket.
    #[schemars(length(min = 1, max = 1024))]
    key: String,
    /// Its version; without one, the newest.
    #[schemars(length(min = 1, max = 1024))]
    version_id: Option<String>,
    #[serde(default)]
    options: Options,
}

/// A request to post a video that is yet to be uploaded.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({
    "account": "anna", "file_name": "bread.mp4", "content_type": "video/mp4", "bytes": 48_000_000,
    "options": { "title": "Bread", "privacy_level": "SELF_ONLY" }
}))]
pub(crate) struct UploadRequest {
    /// The account's alias; without one, the stack's default account.
    #[schemars(length(min = 1, max = 128))]
    account: Option<String>,
    /// The file's name, which is the title where none is said.
    #[schemars(length(min = 1, max = 200))]
    file_name: String,
    content_type: ContentType,
    /// The video's length in bytes. It is uploaded in parts above 100,000,000.
    #[schemars(range(min = 1, max = 4_000_000_000_u64))]
    bytes: u64,
    #[serde(default)]
    options: Options,
}

/// The media types of MP4, MOV and WebM.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) enum ContentType {
    #[serde(rename = "video/mp4")]
    Mp4,
    #[serde(rename = "video/quicktime")]
    QuickTime,
    #[serde(rename = "video/webm")]
    WebM,
}

/// How an account's posts go out where they do not say it themselves. A change
/// names only what it changes; null takes a field back.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(example = json!({ "mode": "direct", "review": "required", "time_zone": "Europe/Berlin" }))]
pub(crate) struct Preferences {
    mode: Option<Mode>,
    privacy_level: Option<PrivacyLevel>,
    disable_comment: Option<bool>,
    disable_duet: Option<bool>,
    disable_stitch: Option<bool>,
    brand_content: Option<bool>,
    brand_organic: Option<bool>,
    ai_generated: Option<bool>,
    /// Whether a video waits for its sidecar, or for options that are said of it by request.
    sidecar: Option<Requirement>,
    /// Whether a post waits for somebody's approval.
    review: Option<Requirement>,
    title_prefix: Option<String>,
    title_suffix: Option<String>,
    /// An IANA time zone.
    time_zone: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Requirement {
    Required,
    Optional,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::account;
    use domain::options::PostOptions;
    use domain::post::{self, StateName};
    use domain::request::{PostForm, UploadForm};
    use domain::settings::StackDefaults;
    use domain::title::TitleLimit;
    use serde_json::Value;

    use super::*;

    fn fields(value: &impl Serialize) -> BTreeSet<String> {
        serde_json::to_value(value).unwrap().as_object().unwrap().keys().cloned().collect()
    }

    fn written<T: JsonSchema>() -> Value {
        schemars::schema_for!(T).to_value()
    }

    fn example<T: JsonSchema>() -> Value {
        written::<T>()["examples"][0].clone()
    }

    fn properties<T: JsonSchema>() -> BTreeSet<String> {
        fields(&written::<T>()["properties"])
    }

    /// The words of an enum, with or without something said of each.
    fn words<T: JsonSchema>() -> Vec<String> {
        let schema = written::<T>();
        let described = schema["oneOf"].as_array().into_iter().flatten().map(|one| one["const"].clone());
        let plain = schema["enum"].as_array().into_iter().flatten().cloned();
        let words: Vec<_> = plain.chain(described).filter_map(|word| word.as_str().map(str::to_owned)).collect();
        assert!(!words.is_empty(), "{schema}");
        words
    }

    fn is_read<T: serde::de::DeserializeOwned>(word: &str) -> bool {
        serde_json::from_value::<T>(json!(word)).is_ok()
    }

    #[test]
    fn what_stands_for_a_type_has_its_fields() {
        assert_eq!(properties::<Options>(), fields(&PostOptions::default()));
        let anybodys = account::Preferences::default().form();
        assert_eq!(properties::<Preferences>(), anybodys.keys().cloned().collect());
        let stack = StackDefaults {
            mode: domain::options::Mode::Draft,
            privacy_level: domain::options::PrivacyLevel::SelfOnly,
            title_limit: TitleLimit::default(),
        };
        let settled = domain::settings::Settings::resolve(&PostOptions::default(), "a.mp4", &stack).unwrap();
        assert_eq!(properties::<Settings>(), fields(&settled));
        let at = jiff::Timestamp::UNIX_EPOCH;
        let line = post::HistoryEntry { at, state: StateName::Held, note: String::new() };
        assert_eq!(properties::<HistoryEntry>(), fields(&line));
    }

    #[test]
    fn what_stands_for_a_word_is_one() {
        assert!(words::<State>().iter().all(|word| is_read::<StateName>(word)));
        assert!(words::<HeldFor>().iter().all(|word| is_read::<post::HoldReason>(word)));
        assert!(words::<Approval>().iter().all(|word| is_read::<post::Approval>(word)));
        assert!(words::<Outcome>().iter().all(|word| is_read::<post::Outcome>(word)));
        assert!(words::<Mode>().iter().all(|word| is_read::<domain::options::Mode>(word)));
        assert!(words::<PrivacyLevel>().iter().all(|word| is_read::<domain::options::PrivacyLevel>(word)));
        assert!(words::<Requirement>().iter().all(|word| is_read::<account::Requirement>(word)));
    }

    #[test]
    fn the_examples_are_understood() {
        assert!(PostOptions::from_json(example::<Options>().to_string().as_bytes(), "example").is_ok());
        assert!(serde_json::from_value::<PostForm>(example::<PostRequest>()).is_ok());
        assert!(serde_json::from_value::<UploadForm>(example::<UploadRequest>()).is_ok());
        let post = serde_json::from_value::<PostForm>(example::<PostRequest>()).unwrap();
        assert_eq!(properties::<PostRequest>(), fields(&post));
        let upload = serde_json::from_value::<UploadForm>(example::<UploadRequest>()).unwrap();
        assert_eq!(properties::<UploadRequest>(), fields(&upload));
    }
}
