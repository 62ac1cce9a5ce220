//! Options in an object's metadata, for example `x-amz-meta-dropcast-title`.
//!
//! The names are those of [`PostOptions`] after the prefix `dropcast-`, in any case, with hyphens or underscores. All
//! other metadata belongs to other programs: file managers and synchronisation tools store a file's owner, mode and
//! times there. S3 returns [values beyond
//! ASCII](https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html) in the encoding of mail headers
//! (RFC 2047), which this module decodes. It also restores UTF-8 that S3 has read as Latin-1.

use rfc2047_decoder::{Decoder, RecoverStrategy};
use serde::Deserializer;
use serde::de::value::{Error, MapDeserializer};
use serde::de::{IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use crate::options::{Mode, OptionsError, PostOptions, is_option};

/// The prefix of our names, after [`normalized`].
const PREFIX: &str = "dropcast_";
/// The name of the metadata in [`OptionsError::input`].
const INPUT: &str = "object's metadata";

/// Parses options from user metadata, whose names have no `x-amz-meta-`. Ignores names without our prefix.
///
/// # Errors
/// [`OptionsError`] with the first field that has our prefix and is unknown or invalid, or occurs twice.
pub fn options_from_metadata<'a>(
    metadata: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<PostOptions, OptionsError> {
    let mut fields = Vec::new();
    for (name, text) in metadata {
        if let Some(option) = normalized(name).strip_prefix(PREFIX) {
            let text = decode(text).map_err(|error| OptionsError::new(INPUT, &format!("{option}: {error}")))?;
            fields.push((option.to_owned(), HeaderText(text)));
        }
    }
    serde_path_to_error::deserialize(MapDeserializer::new(fields.into_iter()))
        .map_err(|error| OptionsError::in_field(INPUT, &error))
}

/// Returns the names that are those of options but lack our prefix: probably a person meant an option.
///
/// A `mode` counts only if its value is one of our modes. s3fs and rclone store a file's mode under this name.
pub fn unprefixed_options<'a>(metadata: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<&'a str> {
    let is_ours = |name: &str, text: &str| match normalized(name).as_str() {
        "mode" => [Mode::Direct, Mode::Draft].iter().any(|mode| mode.as_str() == text),
        name => is_option(name),
    };
    metadata.into_iter().filter(|(name, text)| is_ours(name, text)).map(|(name, _)| name).collect()
}

fn normalized(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

/// Decodes the encoded words of a text. RFC 2047 limits a word to 75 characters, but S3 and other programs encode a
/// longer text as one word.
fn decode(text: &str) -> Result<String, rfc2047_decoder::Error> {
    if !text.contains("=?") {
        return Ok(text.to_owned());
    }
    let decoded = Decoder::new().too_long_encoded_word_strategy(RecoverStrategy::Decode).decode(text)?;
    Ok(utf8_read_as_latin1(&decoded).unwrap_or(decoded))
}

/// The text whose UTF-8 bytes are the characters of `text`; none if they are not UTF-8.
///
/// S3 reads metadata as Latin-1. rclone and s3cmd send UTF-8, so S3 returns `Ã¼` for their `ü`.
fn utf8_read_as_latin1(text: &str) -> Option<String> {
    let bytes = text.chars().map(u8::try_from).collect::<Result<_, _>>().ok()?;
    String::from_utf8(bytes).ok()
}

/// The text of a header. It is converted to the type that the field of [`PostOptions`] has.
///
/// The types of options are texts, enums, `bool` and `i32`. An option of another type needs a method here;
/// `options/every_option.rs` tests this.
struct HeaderText(String);

impl<'de> Deserializer<'de> for HeaderText {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    // In these methods, an invalid text reaches the visitor as text: its error then quotes the text and names the
    // expected type.

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.trim().to_ascii_lowercase().parse() {
            Ok(value) => visitor.visit_bool(value),
            Err(_) => visitor.visit_string(self.0),
        }
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match serde_json::from_str(&self.0) {
            Ok(number) => visitor.visit_i64(number),
            Err(_) => visitor.visit_string(self.0),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.into_deserializer().deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        i8 i16 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl IntoDeserializer<'_> for HeaderText {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::PrivacyLevel;

    #[test]
    fn headers_are_parsed_by_type_of_option() {
        let options = options_from_metadata([
            ("dropcast-title", "Bread & butter"),
            ("dropcast-privacy-level", "SELF_ONLY"),
            ("Dropcast_Disable_Comment", "True"),
            ("dropcast-cover-timestamp-ms", "250"),
            ("dropcast-mode", "draft"),
        ])
        .unwrap();
        assert_eq!(options.title.as_deref(), Some("Bread & butter"));
        assert_eq!(options.privacy_level, Some(PrivacyLevel::SelfOnly));
        assert_eq!((options.disable_comment, options.cover_timestamp_ms), (Some(true), Some(250)));
        assert_eq!(options.mode, Some(Mode::Draft));
    }

    #[test]
    fn title_beyond_ascii_is_decoded() {
        let title = |text| options_from_metadata([("dropcast-title", text)]).unwrap().title;
        assert_eq!(title("=?UTF-8?B?w7xiZXIg8J+Rjw==?=").as_deref(), Some("über 👏"));
        assert_eq!(title("=?UTF-8?Q?=C3=BCber?=").as_deref(), Some("über"));
        let long = format!("=?UTF-8?B?{}?=", "w7xi".repeat(700));
        assert_eq!(title(&long), Some("üb".repeat(700)), "one word of more than 75 characters");
        assert_eq!(title("why =? because").as_deref(), Some("why =? because"));
    }

    #[test]
    fn title_that_cannot_be_decoded_is_error() {
        let error = options_from_metadata([("dropcast-title", "=?UTF-8?B?w7x?=")]).unwrap_err();
        assert!(error.detail.starts_with("title: "), "{error}");
    }

    #[test]
    fn title_sent_as_utf8_is_read_as_written() {
        // What S3 returns for the UTF-8 of `ÄMÄZÕÑ S3`, by its documentation.
        let options = options_from_metadata([("dropcast-title", "=?UTF-8?B?w4PChE3Dg8KEWsODwpXDg8KRIFMz?=")]).unwrap();
        assert_eq!(options.title.as_deref(), Some("ÄMÄZÕÑ S3"));
    }

    #[test]
    fn title_sent_as_latin1_is_read_as_written() {
        let options = options_from_metadata([("dropcast-title", "=?UTF-8?Q?M=C3=BCsli?=")]).unwrap();
        assert_eq!(options.title.as_deref(), Some("Müsli"));
    }

    #[test]
    fn title_of_digits_stays_text() {
        let options = options_from_metadata([("dropcast-title", "2026")]).unwrap();
        assert_eq!(options.title.as_deref(), Some("2026"));
    }

    /// What other tools store, as their documentation or an object that they wrote shows it.
    const OF_TOOLS: [&[(&str, &str)]; 7] = [
        // AWS Transfer Family
        &[("user-agent", "AWSTransfer"), ("user-agent-id", "u@s-1")],
        // AWS DataSync
        &[
            ("file-owner", "0"),
            ("file-group", "0"),
            ("file-permissions", "0100644"),
            ("file-atime", "1764000000000ns"),
            ("file-mtime", "1764000000000ns"),
            ("file-acl", "AQ=="),
        ],
        // s3fs
        &[("mode", "33188"), ("uid", "0"), ("gid", "0"), ("mtime", "1764000000"), ("ctime", "1764000000")],
        // rclone --metadata
        &[("mode", "100644"), ("btime", "2026-01-01T00:00:00Z"), ("mtime", "1764000000.1")],
        // s3cmd
        &[("s3cmd-attrs", "uid:0/gname:root/mode:33188")],
        // names that only begin like ours
        &[("dropcast", "x"), ("dropcasttitle", "x"), ("x-dropcast-title", "x")],
        &[],
    ];

    #[test]
    fn metadata_of_other_tools_is_ignored() {
        for metadata in OF_TOOLS {
            let entries = || metadata.iter().copied();
            assert_eq!(options_from_metadata(entries()), Ok(PostOptions::default()), "{metadata:?}");
            assert_eq!(unprefixed_options(entries()), [""; 0], "{metadata:?}");
        }
    }

    #[test]
    fn option_without_prefix_is_named_and_not_applied() {
        let metadata =
            [("Privacy_Level", "?"), ("publish-at", "x"), ("title", "x"), ("mode", "draft"), ("colour", "x")];
        assert_eq!(options_from_metadata(metadata), Ok(PostOptions::default()));
        assert_eq!(unprefixed_options(metadata), ["Privacy_Level", "publish-at", "title", "mode"]);
        assert_eq!(unprefixed_options([("dropcast-title", "x")]), [""; 0]);
    }

    #[test]
    fn unknown_or_repeated_option_is_error() {
        for (metadata, named) in [
            (vec![("dropcast-titel", "x")], "titel"),
            (vec![("dropcast-", "x")], "unknown field"),
            (vec![("dropcast-dropcast-title", "x")], "dropcast_title"),
            (vec![("dropcast-privacy-level", "SELF_ONLY"), ("dropcast-privacy_level", "SELF_ONLY")], "duplicate"),
        ] {
            let error = options_from_metadata(metadata).unwrap_err();
            assert!(error.detail.contains(named) && error.to_string().contains("metadata"), "{named}: {error}");
            assert!(!error.detail.contains("line"), "{error}");
        }
    }

    #[test]
    fn invalid_value_is_error_that_names_the_field() {
        let table = [
            ("dropcast-disable-duet", "maybe", "disable_duet", "maybe"),
            ("dropcast-cover-timestamp-ms", "1.5", "cover_timestamp_ms", "1.5"),
            ("dropcast-cover-timestamp-ms", "4294967296", "cover_timestamp_ms", "4294967296"),
            ("dropcast-cover-timestamp-ms", "-1", "cover_timestamp_ms", "negative"),
            ("dropcast-mode", "33188", "mode", "`direct` or `draft`"),
            ("dropcast-publish-at", "tomorrow", "publish_at", "tomorrow"),
        ];
        for (name, text, field, expected) in table {
            let detail = options_from_metadata([(name, text)]).unwrap_err().detail;
            assert!(detail.starts_with(field) && detail.contains(expected), "{name}: {text}: {detail}");
        }
    }
}
