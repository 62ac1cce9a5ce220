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

/// The alias of an account. The operator chooses it. It names the account's folder under `drop/`.
///
/// Two aliases are equal only if they have the same bytes. With other rules, for example if case were ignored, a person
/// whose IAM policy forbids `drop/anna/*` could drop into `drop/Anna/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Alias(String);

impl Alias {
    /// The form of an alias, as a regular expression: `AllowedPattern` of `DefaultAccount` in `template.yaml`, and the
    /// pattern in the API's OpenAPI document.
    pub const PATTERN: &str = "^[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?$";

    /// Creates an alias from a text, which is not changed.
    ///
    /// # Errors
    /// [`InvalidId`] if the text does not match [`Alias::PATTERN`].
    pub fn new(text: &str) -> Result<Self, InvalidId> {
        let alias = Self(text.to_owned());
        let rule = "1 to 64 characters of a-z, 0-9, '-' and '_', with a letter or a digit at both ends";
        if alias.is_valid() { Ok(alias) } else { Err(InvalidId::new("an account's alias", rule, text)) }
    }

    /// Takes the name of a folder under `drop/` for an alias, without a check, so that a drop into it becomes a post.
    /// An account never has an invalid alias, so the post of an invalid one fails, visibly. The posts table contains
    /// such posts.
    ///
    /// A folder without a name (`drop//clip.mp4`) is `/`, because an index of the posts table accepts no empty text.
    pub fn of_folder(name: &str) -> Self {
        Self(if name.is_empty() { "/" } else { name }.to_owned())
    }

    /// Tells whether an account can have this alias. It can unless [`Alias::of_folder`] made it.
    pub fn is_valid(&self) -> bool {
        let is_alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = self.0.as_bytes();
        (1..=64).contains(&bytes.len())
            && bytes.iter().all(|byte| is_alphanumeric(byte) || matches!(byte, b'-' | b'_'))
            && [bytes.first(), bytes.last()].into_iter().flatten().all(is_alphanumeric)
    }

    /// Returns those aliases with which this one may have been confused, the most similar first: at most three. They
    /// differ only in case, or in at most three characters and a third of them.
    pub fn similar<'a>(&self, aliases: impl IntoIterator<Item = &'a Self>) -> Vec<&'a Self> {
        let folded = self.0.to_lowercase();
        let allowed = (folded.chars().count() / 3).clamp(1, 3);
        let distance = |alias: &'a Self| (strsim::osa_distance(&folded, &alias.0), alias);
        let others = aliases.into_iter().filter(|alias| *alias != self);
        let mut similar: Vec<_> = others.map(distance).filter(|(distance, _)| *distance <= allowed).collect();
        similar.sort();
        similar.into_iter().map(|(_, alias)| alias).take(3).collect()
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
    fn alias_has_exactly_the_documented_form() {
        let longest = "a".repeat(64);
        for valid in ["a", "7", "anna", "a-b_c", "0_0", &longest] {
            assert_eq!(Alias::new(valid).unwrap().as_str(), valid);
        }
        let too_long = "a".repeat(65);
        let invalid = [
            "",
            "Anna",
            "CEO",
            "ceo ",
            " ceo",
            "-a",
            "a-",
            "_",
            "a.b",
            ".",
            "..",
            "a/b",
            "a#b",
            "a\n",
            "ä",
            "ｃｅｏ",
            "ceo\u{301}",
            "\u{212a}",
            &too_long,
        ];
        for text in invalid {
            assert!(Alias::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn folder_is_taken_for_alias_without_change() {
        assert_eq!(Alias::of_folder("ceo"), Alias::new("ceo").unwrap());
        for name in ["CEO", "..", "a#b", "Bäckerei Süß"] {
            let alias = Alias::of_folder(name);
            assert_eq!((alias.as_str(), alias.is_valid()), (name, false));
        }
        assert!(!Alias::of_folder("").is_valid() && !Alias::of_folder("").as_str().is_empty());
    }

    #[test]
    fn similar_aliases_are_found_most_similar_first() {
        let accounts = ["anna", "anna-k", "ben", "ceo", "hanna", "backerei"].map(|text| Alias::new(text).unwrap());
        let similar = |name: &str| -> Vec<&str> {
            Alias::of_folder(name).similar(&accounts).into_iter().map(Alias::as_str).collect()
        };
        assert_eq!(similar("CEO"), ["ceo"]);
        assert_eq!(similar("Anna"), ["anna", "hanna"]);
        assert_eq!(similar("nana"), ["anna"], "two letters were swapped");
        assert_eq!(similar("Bäckerei"), ["backerei"]);
        assert_eq!(similar("zoe"), [""; 0]);
        assert_eq!(similar("anna-k2"), ["anna-k"]);
    }
}
