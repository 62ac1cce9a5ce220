//! Requests to the API that create a post: their bodies and their idempotency key.
//!
//! A request with the same [`IdempotencyKey`] always gets the same post. The post stores the [`RequestDigest`], by
//! which `posting/src/create/post.rs` detects that a key is reused for a different request.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::identity::{Alias, PostId, sha256_of_parts};
use crate::options::{OptionsError, PostOptions, from_object};

/// The name of a request body in [`OptionsError::input`].
const INPUT: &str = "request";
/// The media types in the OpenAPI document.
#[cfg(feature = "schema")]
const MEDIA_TYPE: &str = "^video/(mp4|x-m4v|quicktime|webm)(; ?codecs=[a-z0-9.]+)?$";
/// The maximum length of an idempotency key in bytes.
const MAX_KEY_BYTES: usize = 255;

/// The value of an [`Idempotency-Key`
/// header](https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

/// A text that is not a valid idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an Idempotency-Key must have 1 to {MAX_KEY_BYTES} printable ASCII characters; double quotes around it are optional"
)]
pub struct InvalidKey;

impl IdempotencyKey {
    /// Parses the value of the header. The draft standard requires double quotes; they are optional here, because
    /// most callers omit them.
    ///
    /// # Errors
    /// [`InvalidKey`] if the key is empty, longer than 255 bytes, or not printable ASCII.
    pub fn parse(value: &str) -> Result<Self, InvalidKey> {
        let value = value.trim();
        let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let key = quoted.unwrap_or(value);
        let has_valid_length = (1..=MAX_KEY_BYTES).contains(&key.len());
        let is_valid = has_valid_length && key.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'"');
        if is_valid { Ok(Self(key.to_owned())) } else { Err(InvalidKey) }
    }

    /// Returns the key without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PostId {
    /// Derives the id of the one post that all requests with this key create. A request for a dropped video gets the id
    /// of [`PostId::of_object`] instead, which the post of S3's event has, too.
    pub fn of_request(key: &IdempotencyKey) -> Self {
        Self::of_parts(&["dropcast post of request", key.as_str()].map(str::as_bytes))
    }
}

/// A request to post an object that is in the bucket.
// The API's OpenAPI document shows the comments of this struct and its fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(
        rename = "PostRequest",
        example = serde_json::json!({
            "account": "anna", "key": "library/bread.mp4",
            "options": { "title": "Bread", "privacy_level": "SELF_ONLY" }
        })
    )
)]
#[serde(deny_unknown_fields)]
pub struct PostForm {
    /// The alias of the account. If it is missing, the stack's default account posts.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>", regex(pattern = Alias::PATTERN)))]
    pub account: Option<Alias>,
    /// The key of the object in the intake bucket.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1024)))]
    pub key: String,
    /// The version of the object. If it is missing, the latest version is posted.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1024)))]
    pub version_id: Option<String>,
    /// The options of the post.
    #[serde(default)]
    pub options: PostOptions,
}

/// A request to post a video that the caller uploads afterwards.
// The API's OpenAPI document shows the comments of this struct and its fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(
        rename = "UploadRequest",
        example = serde_json::json!({
            "account": "anna", "file_name": "bread.mp4", "content_type": "video/mp4", "bytes": 48_000_000,
            "options": { "title": "Bread", "privacy_level": "SELF_ONLY" }
        })
    )
)]
#[serde(deny_unknown_fields)]
pub struct UploadForm {
    /// The alias of the account. If it is missing, the stack's default account posts.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>", regex(pattern = Alias::PATTERN)))]
    pub account: Option<Alias>,
    /// The name of the file. Without a title option, it is the title.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 200)))]
    pub file_name: String,
    /// The media type of the file: `video/mp4`, `video/quicktime` or `video/webm`, in any case, perhaps with parameters,
    /// such as `video/webm;codecs=vp9`. The upload must have exactly this `Content-Type`.
    // `posting/src/create/upload.rs` rejects other types. The pattern is narrower than what it accepts.
    #[cfg_attr(feature = "schema", schemars(length(max = 255), regex(pattern = MEDIA_TYPE)))]
    pub content_type: String,
    /// The size of the file in bytes. A file of more than 100,000,000 bytes is uploaded in parts.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = crate::size::VideoSize::MAX)))]
    pub bytes: u64,
    /// The options of the post.
    #[serde(default)]
    pub options: PostOptions,
}

impl PostForm {
    /// Parses the body of `POST /posts`.
    pub fn read(body: &[u8]) -> Result<Self, OptionsError> {
        from_object(body, INPUT)
    }

    /// Returns the digest of the request.
    pub fn digest(&self) -> RequestDigest {
        RequestDigest::of("posts", &canonical_json(self))
    }
}

impl UploadForm {
    /// Parses the body of `POST /uploads`.
    pub fn read(body: &[u8]) -> Result<Self, OptionsError> {
        from_object(body, INPUT)
    }

    /// Returns the digest of the request.
    pub fn digest(&self) -> RequestDigest {
        RequestDigest::of("uploads", &canonical_json(self))
    }
}

/// Returns a form as JSON without its absent fields, with the fields in alphabetical order. An optional field that a
/// later version adds, and a change in the order of the struct's fields, do not change the text of a request.
fn canonical_json(form: &impl Serialize) -> String {
    // This cannot fail, because forms contain only strings, numbers and options.
    canonical(&serde_json::to_value(form).unwrap_or_default())
}

fn canonical(value: &Value) -> String {
    // No form contains a list.
    let Value::Object(fields) = value else { return value.to_string() };
    let present: BTreeMap<_, _> = fields.iter().filter(|(_, value)| !value.is_null()).collect();
    let fields: Vec<_> = present.iter().map(|(name, value)| format!("{}:{}", json!(name), canonical(value))).collect();
    format!("{{{}}}", fields.join(","))
}

/// The SHA-256 of a request's route and parsed body, in hexadecimal. Spaces, the order of fields, and absent fields do not
/// change it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestDigest(String);

impl RequestDigest {
    /// Computes the digest of a body for a route. The body must be serialized again after it was parsed, so that
    /// equal requests have equal texts.
    pub fn of(route: &str, body: &str) -> Self {
        Self(HEXLOWER.encode(&sha256_of_parts(&[route, body].map(str::as_bytes))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_around_key_are_optional() {
        let key = IdempotencyKey::parse("\"8e03978e-40d5\"").unwrap();
        assert_eq!(IdempotencyKey::parse(" 8e03978e-40d5 "), Ok(key.clone()));
        assert_eq!(key.as_str(), "8e03978e-40d5");
    }

    #[test]
    fn invalid_key_is_rejected() {
        for text in ["", "\"\"", "\"", "a\"b", "ü", "a\u{7f}b", &"x".repeat(256)] {
            assert_eq!(IdempotencyKey::parse(text), Err(InvalidKey), "{text}");
        }
        assert!(IdempotencyKey::parse(&"x".repeat(255)).is_ok());
    }

    #[test]
    fn equal_keys_have_equal_post_ids() {
        let id = |key| PostId::of_request(&IdempotencyKey::parse(key).unwrap());
        assert_eq!(id("order-7"), id("\"order-7\""));
        assert_ne!(id("order-7"), id("order-8"));
    }

    #[test]
    fn spaces_and_field_order_do_not_change_digest() {
        let parse = |json: &str| PostForm::read(json.as_bytes()).unwrap();
        let one = parse(r#"{"key":"a.mp4","account":"anna","options":{"title":"x","mode":"draft"}}"#);
        let same =
            parse("{ \"options\": {\"mode\":\"draft\", \"title\":\"x\"}, \"account\":\"anna\",\n\"key\":\"a.mp4\"}");
        assert_eq!(one.digest(), same.digest());
        assert_ne!(one.digest(), parse(r#"{"key":"b.mp4","account":"anna"}"#).digest());
        let error = PostForm::read(br#"{"key":"a.mp4","options":{"titel":"x"}}"#).unwrap_err();
        assert!(error.to_string().contains("titel"), "{error}");
    }

    #[test]
    fn absent_fields_are_not_in_the_digest() {
        let form = PostForm::read(br#"{"key":"a.mp4","options":{"title":"x"}}"#).unwrap();
        // A version with another optional field, or another order of fields, must compute the same text.
        assert_eq!(canonical_json(&form), r#"{"key":"a.mp4","options":{"title":"x"}}"#);
        let explicit =
            PostForm::read(br#"{"account":null,"key":"a.mp4","options":{"title":"x","mode":null}}"#).unwrap();
        assert_eq!(explicit.digest(), form.digest());
        let bare = PostForm::read(br#"{"key":"a.mp4"}"#).unwrap();
        assert_ne!(bare.digest(), form.digest());
    }

    #[test]
    fn body_that_is_no_object_is_named_as_such() {
        for body in ["[]", "", "7", "null"] {
            let error = PostForm::read(body.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("must be one JSON object"), "{body}: {error}");
            assert!(!error.contains("{}"), "an empty object is not a valid request: {error}");
        }
    }

    #[test]
    fn digest_depends_on_route_and_body() {
        let digest = RequestDigest::of("posts", "{}");
        assert_eq!(digest, RequestDigest::of("posts", "{}"));
        assert_ne!(digest, RequestDigest::of("uploads", "{}"));
        assert_ne!(RequestDigest::of("a", "bc"), RequestDigest::of("ab", "c"));
    }

    #[cfg(feature = "schema")]
    #[test]
    fn schema_examples_are_valid() {
        let example = |schema: schemars::Schema| schema.to_value()["examples"][0].to_string();
        assert!(PostForm::read(example(schemars::schema_for!(PostForm)).as_bytes()).is_ok());
        assert!(UploadForm::read(example(schemars::schema_for!(UploadForm)).as_bytes()).is_ok());
    }
}
