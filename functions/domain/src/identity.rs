//! The names that things go by: posts, accounts, publishes, videos.
//!
//! Every id is text, whatever TikTok or AWS send it as: a 19-digit number does
//! not survive a reader that keeps numbers as floats.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE32_NOPAD, Specification};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::request::IdempotencyKey;
use crate::source::ObjectVersion;

/// A text that cannot be the id it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {rule}, and this is {given:?}")]
pub struct InvalidId {
    what: &'static str,
    rule: &'static str,
    given: String,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $accepts:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is.
            ///
            /// # Errors
            /// Says what was expected where the text cannot be such an id.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                let accepts: fn(&str) -> bool = $accepts;
                if accepts(&text) {
                    Ok(Self(text))
                } else {
                    let given = text.chars().take(80).collect();
                    Err(InvalidId { what: $what, rule: $rule, given })
                }
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

fn is_token(text: &str, longest: usize) -> bool {
    !text.is_empty() && text.len() <= longest && text.bytes().all(|b| b.is_ascii_graphic())
}

text_id!(
    /// A post's own id, the same however often its event arrives.
    PostId, "a post id", "32 characters of a-z and 2-7",
    |t| t.len() == 32 && t.bytes().all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b))
);
text_id!(
    /// TikTok's id of a publish, opaque; its documented length is at most 64.
    PublishId, "a publish id", "1 to 128 printable ASCII characters",
    |t| is_token(t, 128)
);
text_id!(
    /// TikTok's id of a published video, as in its link.
    VideoId, "a video id", "1 to 32 digits",
    |t| !t.is_empty() && t.len() <= 32 && t.bytes().all(|b| b.is_ascii_digit())
);
text_id!(
    /// TikTok's id of a user, as this app sees it.
    OpenId, "an open id", "1 to 128 printable ASCII characters",
    |t| is_token(t, 128)
);

impl PostId {
    /// Derives the id of the post that an object's version becomes.
    ///
    /// The parts are hashed with their lengths, so that no two different
    /// objects can run together into one text.
    #[must_use]
    pub fn of_object(bucket: &str, key: &str, version: &ObjectVersion) -> Self {
        let (kind, version) = match version {
            ObjectVersion::Id(id) => ("version", id.as_str()),
            ObjectVersion::ETag(etag) => ("etag", etag.as_str()),
            ObjectVersion::Awaited => ("awaited", ""),
        };
        Self::of_parts(&["dropcast post of object", bucket, key, kind, version].map(str::as_bytes))
    }

    /// Derives the id of the post that a request is for, from the request's name.
    #[must_use]
    pub fn of_request(name: &IdempotencyKey) -> Self {
        Self::of_parts(&["dropcast post of request", name.as_str()].map(str::as_bytes))
    }

    /// The id of a post that a request without a name is for.
    #[must_use]
    pub fn random(random_bytes: &[u8; 32]) -> Self {
        Self::of_parts(&[b"dropcast post of random".as_slice(), random_bytes.as_slice()])
    }

    fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(lower_base32(&hash.finalize()[..20]))
    }
}

fn lower_base32(bytes: &[u8]) -> String {
    let mut lower: Specification = BASE32_NOPAD.specification();
    lower.symbols.make_ascii_lowercase();
    lower.encoding().map_or_else(|_| BASE32_NOPAD.encode(bytes).to_ascii_lowercase(), |encoding| encoding.encode(bytes))
}

/// The name by which people and folders call an account, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Alias(String);

impl Alias {
    /// Takes a folder's name as an alias; upper and lower case are the same.
    ///
    /// # Errors
    /// Refuses an empty name, one of over 128 bytes, and control characters.
    pub fn new(name: &str) -> Result<Self, InvalidId> {
        // Held to the rule as it is kept: some letters are longer in lower case.
        let alias = name.to_lowercase();
        let fits = !alias.is_empty() && alias.len() <= 128 && !alias.contains(['/', '#']);
        if fits && !alias.chars().any(char::is_control) {
            Ok(Self(alias))
        } else {
            Err(InvalidId {
                what: "an account's alias",
                rule: "1 to 128 bytes without '/', '#' or control characters",
                given: name.chars().take(80).collect(),
            })
        }
    }

    /// The alias as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Alias {
    type Err = InvalidId;
    fn from_str(name: &str) -> Result<Self, InvalidId> {
        Self::new(name)
    }
}

impl TryFrom<String> for Alias {
    type Error = InvalidId;
    fn try_from(name: String) -> Result<Self, InvalidId> {
        Self::new(&name)
    }
}

impl From<Alias> for String {
    fn from(alias: Alias) -> String {
        alias.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(bucket: &str, key: &str, version: &str) -> PostId {
        PostId::of_object(bucket, key, &ObjectVersion::Id(version.into()))
    }

    #[test]
    fn the_same_object_is_the_same_post() {
        assert_eq!(id("b", "drop/a.mp4", "1"), id("b", "drop/a.mp4", "1"));
    }

    #[test]
    fn another_version_key_or_bucket_is_another_post() {
        let post = id("b", "drop/a.mp4", "1");
        for other in [id("b", "drop/a.mp4", "2"), id("b", "drop/b.mp4", "1"), id("c", "drop/a.mp4", "1")] {
            assert_ne!(post, other);
        }
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(id("ab", "c", "1"), id("a", "bc", "1"));
        let etag = PostId::of_object("b", "k", &ObjectVersion::ETag("1".into()));
        assert_ne!(etag, id("b", "k", "1"));
    }

    #[test]
    fn a_request_that_comes_again_is_the_same_post_and_another_is_another() {
        let named = |name| PostId::of_request(&IdempotencyKey::parse(name).unwrap());
        assert_eq!(named("order-7"), named("\"order-7\""));
        assert_ne!(named("order-7"), named("order-8"));
        assert_ne!(PostId::random(&[1; 32]), PostId::random(&[2; 32]));
    }

    #[test]
    fn a_derived_post_id_is_a_valid_post_id() {
        let post = id("b", "drop/ü ~.mp4", "null");
        assert_eq!(post.as_str().parse(), Ok(post.clone()));
    }

    #[test]
    fn a_video_id_keeps_all_its_digits() {
        let id = VideoId::new("7678907398077074696").unwrap();
        assert_eq!(id.to_string(), "7678907398077074696");
        assert!(VideoId::new("7.678907398077075e18").is_err());
    }

    #[test]
    fn an_alias_is_the_same_in_any_case() {
        assert_eq!(Alias::new("MyBrand"), Alias::new("mybrand"));
        assert!(Alias::new("").is_err());
        assert!(Alias::new("a\nb").is_err());
    }

    #[test]
    fn an_alias_that_is_longer_in_lower_case_is_held_to_the_rule_as_it_is_kept() {
        let longest = "Ⱥ".repeat(42);
        let alias = Alias::new(&longest).unwrap();
        assert_eq!((alias.as_str().len(), Alias::new(alias.as_str())), (126, Ok(alias.clone())));
        assert!(Alias::new(&"Ⱥ".repeat(64)).is_err(), "128 bytes are 192 then, which no table reads back");
    }
}
