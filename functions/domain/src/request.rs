//! Requests for posts: what they say, and what makes one the same when it comes again.
//! <https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::identity::Alias;
use crate::options::{OptionsError, PostOptions, from_object};

/// What a request is called in messages.
const PLACE: &str = "request";
/// The longest key, in bytes.
const LONGEST: usize = 255;

/// A caller's own name for a request: whatever comes under it again is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

/// A text that cannot be such a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an Idempotency-Key must have 1 to {LONGEST} printable ASCII characters; they may stand in double quotes")]
pub struct InvalidKey;

impl IdempotencyKey {
    /// Reads a header's value: a string in double quotes, as the draft has it, or
    /// the same without them, as most callers write it.
    ///
    /// # Errors
    /// Refuses a value that is empty, too long, or not printable ASCII.
    pub fn parse(value: &str) -> Result<Self, InvalidKey> {
        let value = value.trim();
        let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let key = quoted.unwrap_or(value);
        let fits = (1..=LONGEST).contains(&key.len()) && key.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'"');
        if fits { Ok(Self(key.to_owned())) } else { Err(InvalidKey) }
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A request to post an object that is in the bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostForm {
    /// Whose post it is to be; the default account's, where nobody is named.
    pub account: Option<Alias>,
    /// The object's key.
    pub key: String,
    /// Its version; the newest, where none is named.
    pub version_id: Option<String>,
    /// How it is to go out.
    #[serde(default)]
    pub options: PostOptions,
}

/// A request to post a video that is yet to be uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UploadForm {
    /// Whose post it is to be; the default account's, where nobody is named.
    pub account: Option<Alias>,
    /// The file's name.
    pub file_name: String,
    /// Its media type.
    pub content_type: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// How it is to go out.
    #[serde(default)]
    pub options: PostOptions,
}

impl PostForm {
    /// Reads a request's body.
    ///
    /// # Errors
    /// Says what is wrong with it, and where.
    pub fn read(body: &[u8]) -> Result<Self, OptionsError> {
        from_object(body, PLACE)
    }

    /// What was asked for.
    #[must_use]
    pub fn digest(&self) -> RequestDigest {
        RequestDigest::of("posts", &written(self))
    }
}

impl UploadForm {
    /// Reads a request's body.
    ///
    /// # Errors
    /// Says what is wrong with it, and where.
    pub fn read(body: &[u8]) -> Result<Self, OptionsError> {
        from_object(body, PLACE)
    }

    /// What was asked for.
    #[must_use]
    pub fn digest(&self) -> RequestDigest {
        RequestDigest::of("uploads", &written(self))
    }
}

/// A form has nothing that JSON could not say.
fn written(form: &impl Serialize) -> String {
    serde_json::to_string(form).unwrap_or_default()
}

/// What a request asked for, as a digest: two that differ in spaces or in the order
/// of fields ask for the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestDigest(String);

impl RequestDigest {
    /// Digests what was asked for, written out by whoever understood it, under the
    /// name of what it was asked of.
    #[must_use]
    pub fn of(route: &str, asked: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [route, asked] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(HEXLOWER.encode(&hash.finalize()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_with_and_without_quotes() {
        let key = IdempotencyKey::parse("\"8e03978e-40d5\"").unwrap();
        assert_eq!(IdempotencyKey::parse(" 8e03978e-40d5 "), Ok(key.clone()));
        assert_eq!(key.as_str(), "8e03978e-40d5");
    }

    #[test]
    fn what_cannot_be_a_key_is_refused() {
        for text in ["", "\"\"", "\"", "a\"b", "ü", "a\u{7f}b", &"x".repeat(256)] {
            assert_eq!(IdempotencyKey::parse(text), Err(InvalidKey), "{text}");
        }
        assert!(IdempotencyKey::parse(&"x".repeat(255)).is_ok());
    }

    #[test]
    fn spaces_and_the_order_of_fields_ask_for_nothing_else() {
        let form = |json: &str| PostForm::read(json.as_bytes()).unwrap();
        let one = form(r#"{"key":"a.mp4","account":"anna","options":{"title":"x","mode":"draft"}}"#);
        let same =
            form("{ \"options\": {\"mode\":\"draft\", \"title\":\"x\"}, \"account\":\"Anna\",\n\"key\":\"a.mp4\"}");
        assert_eq!(one.digest(), same.digest());
        assert_ne!(one.digest(), form(r#"{"key":"b.mp4","account":"anna"}"#).digest());
        let wrong = PostForm::read(br#"{"key":"a.mp4","options":{"titel":"x"}}"#).unwrap_err();
        assert!(wrong.to_string().contains("titel"), "{wrong}");
    }

    #[test]
    fn another_route_or_another_wish_is_another_request() {
        let digest = RequestDigest::of("posts", "{}");
        assert_eq!(digest, RequestDigest::of("posts", "{}"));
        assert_ne!(digest, RequestDigest::of("uploads", "{}"));
        assert_ne!(RequestDigest::of("a", "bc"), RequestDigest::of("ab", "c"));
    }
}
