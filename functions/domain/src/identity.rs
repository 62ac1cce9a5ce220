//! Identifiers: of posts, and TikTok's of publishes, videos and users; the aliases of accounts.
//!
//! Every id is text, also if TikTok sends a number. JSON parsers that read numbers as floats would change the last
//! digits of a 19-digit video id.
//!
//! `PostId` has two more constructors: `of_object` in [`crate::source`] and `of_request` in [`crate::request`].

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE32_NOPAD, Specification};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::macros::string_conversions;

/// The most characters of an invalid text that an error message quotes.
const MAX_QUOTED_CHARS: usize = 80;

/// A text that is not a valid id or alias.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} must be {rule}, but is {text:?}")]
pub struct InvalidId {
    kind: &'static str,
    rule: &'static str,
    text: String,
}

impl InvalidId {
    fn new(kind: &'static str, rule: &'static str, text: &str) -> Self {
        Self { kind, rule, text: text.chars().take(MAX_QUOTED_CHARS).collect() }
    }
}

/// Implements the conversions between a type that wraps a `String` and text. The type has the constructor `new`.
macro_rules! text_conversions {
    ($name:ident) => {
        impl $name {
            /// Returns the text.
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

        string_conversions!($name);
    };
}

/// Defines an id: its type, its name and its rule in error messages, and a function that checks a text.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $is_valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Creates an id from a text, which is not changed.
            ///
            /// # Errors
            /// [`InvalidId`] if the text does not have the form of the id.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                let is_valid: fn(&str) -> bool = $is_valid;
                if is_valid(&text) { Ok(Self(text)) } else { Err(InvalidId::new($kind, $rule, &text)) }
            }
        }

        text_conversions!($name);
    };
}

fn is_printable_ascii(text: &str, max_bytes: usize) -> bool {
    !text.is_empty() && text.len() <= max_bytes && text.bytes().all(|b| b.is_ascii_graphic())
}

text_id!(
    /// The id of a post.
    PostId, "a post id", "32 characters of a-z and 2-7",
    |t| t.len() == 32 && t.bytes().all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b))
);
text_id!(
    /// TikTok's id of a publish. TikTok documents at most 64 characters; up to 128 are accepted.
    PublishId, "a publish id", "1 to 128 printable ASCII characters",
    |t| is_printable_ascii(t, 128)
);
text_id!(
    /// TikTok's id of a published video, as in the link to the video.
    VideoId, "a video id", "1 to 32 digits",
    |t| !t.is_empty() && t.len() <= 32 && t.bytes().all(|b| b.is_ascii_digit())
);
text_id!(
    /// TikTok's id of a user, which is different for each app.
    OpenId, "an open id", "1 to 128 printable ASCII characters",
    |t| is_printable_ascii(t, 128)
);

impl PostId {
    /// Derives an id from random bytes, for a request without an idempotency key.
    pub fn random(random_bytes: &[u8; 32]) -> Self {
        Self::of_parts(&[b"dropcast post of random".as_slice(), random_bytes.as_slice()])
    }

    /// Derives an id from [the SHA-256 of some parts](sha256_of_parts). If the derivation changes, a repeated event or
    /// request does not find its post and makes a second one.
    pub(crate) fn of_parts(parts: &[&[u8]]) -> Self {
        Self(lower_base32(&sha256_of_parts(parts)[..20]))
    }
}

/// Returns the SHA-256 of some parts. It includes the length of each part, so that different parts with the same
/// concatenation have different hashes.
pub(crate) fn sha256_of_parts(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn lower_base32(bytes: &[u8]) -> String {
    let mut lower: Specification = BASE32_NOPAD.specification();
    lower.symbols.make_ascii_lowercase();
    lower.encoding().map_or_else(|_| BASE32_NOPAD.encode(bytes).to_ascii_lowercase(), |encoding| encoding.encode(bytes))
}

/// The alias of an account, in lower case. The operator chooses it. It names the account's folder under `drop/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Alias(String);

impl Alias {
    /// Creates an alias from a name in any case.
    ///
    /// # Errors
    /// [`InvalidId`] if the name is empty, longer than 128 bytes in lower case, or contains `/`, `#` or a control
    /// character.
    pub fn new(name: &str) -> Result<Self, InvalidId> {
        // Check the lower case, which is stored: some letters have more bytes in lower case.
        let alias = name.to_lowercase();
        let is_valid =
            (1..=128).contains(&alias.len()) && !alias.contains(|c: char| matches!(c, '/' | '#') || c.is_control());
        let rule = "1 to 128 bytes without '/', '#' or control characters";
        if is_valid { Ok(Self(alias)) } else { Err(InvalidId::new("an account's alias", rule, name)) }
    }
}

text_conversions!(Alias);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_random_bytes_have_different_post_ids() {
        assert_ne!(PostId::random(&[1; 32]), PostId::random(&[2; 32]));
    }

    #[test]
    fn ids_of_tiktok_are_printable_ascii_of_bounded_length() {
        let longest = "a".repeat(128);
        assert!(PublishId::new(&longest).is_ok() && OpenId::new(&longest).is_ok());
        for invalid in ["", "a b", "a\n", "é", &"a".repeat(129)] {
            assert!(PublishId::new(invalid).is_err() && OpenId::new(invalid).is_err(), "{invalid:?}");
        }
    }

    #[test]
    fn video_id_keeps_all_digits() {
        let id = VideoId::new("7678907398077074696").unwrap();
        assert_eq!(id.to_string(), "7678907398077074696");
        assert!(VideoId::new("7.678907398077075e18").is_err());
    }

    #[test]
    fn alias_ignores_case() {
        assert_eq!(Alias::new("MyBrand"), Alias::new("mybrand"));
        assert!(Alias::new("").is_err());
        assert!(Alias::new("a\nb").is_err());
    }

    #[test]
    fn alias_limit_applies_to_lower_case() {
        // This letter has two bytes, and three in lower case.
        let longest = "Ⱥ".repeat(42);
        let alias = Alias::new(&longest).unwrap();
        assert_eq!((alias.as_str().len(), Alias::new(alias.as_str())), (126, Ok(alias.clone())));
        assert!(Alias::new(&"Ⱥ".repeat(64)).is_err(), "128 bytes, but 192 bytes in lower case");
    }
}
