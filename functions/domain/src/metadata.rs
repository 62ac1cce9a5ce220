//! Options in an object's metadata, for example `x-amz-meta-title`.
//!
//! The names are those of [`PostOptions`], in any case, with hyphens or underscores. S3 returns [values beyond
//! ASCII](https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html) in the encoding of mail headers
//! (RFC 2047), which this module decodes.

use std::collections::BTreeMap;

use serde::Deserializer;
use serde::de::value::{Error, MapDeserializer};
use serde::de::{IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use crate::options::{OptionsError, PostOptions};

/// Metadata of rclone, s3fs, goofys, s3cmd and similar tools. It describes the file, so it is ignored.
const METADATA_OF_TOOLS: &str = "atime btime ctime mtime uid gid permissions xattr md5chksum s3cmd_attrs \
     s3b_last_modified sha256 src_last_modified_millis file_mtime";

/// Parses options from user metadata, whose names have no `x-amz-meta-` prefix.
///
/// # Errors
/// [`OptionsError`] with the first field that is unknown or invalid.
pub fn options_from_metadata<'a>(
    metadata: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<PostOptions, OptionsError> {
    let fields: BTreeMap<_, _> = metadata
        .into_iter()
        .map(|(name, text)| (name.to_ascii_lowercase().replace('-', "_"), HeaderText(decode(text))))
        .filter(|(name, _)| !METADATA_OF_TOOLS.split(' ').any(|of_tool| of_tool == name))
        .collect();
    serde_path_to_error::deserialize(MapDeserializer::new(fields.into_iter()))
        .map_err(|error| OptionsError::in_field("object's metadata", &error))
}

fn decode(text: &str) -> String {
    if text.contains("=?") {
        rfc2047_decoder::decode(text).unwrap_or_else(|_| text.to_owned())
    } else {
        text.to_owned()
    }
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
    use crate::options::{Mode, PrivacyLevel};

    #[test]
    fn headers_are_parsed_by_type_of_option() {
        let options = options_from_metadata([
            ("title", "Bread & butter"),
            ("privacy-level", "SELF_ONLY"),
            ("Disable_Comment", "True"),
            ("cover-timestamp-ms", "250"),
            ("mode", "draft"),
        ])
        .unwrap();
        assert_eq!(options.title.as_deref(), Some("Bread & butter"));
        assert_eq!(options.privacy_level, Some(PrivacyLevel::SelfOnly));
        assert_eq!((options.disable_comment, options.cover_timestamp_ms), (Some(true), Some(250)));
        assert_eq!(options.mode, Some(Mode::Draft));
    }

    #[test]
    fn title_beyond_ascii_is_decoded() {
        let options = options_from_metadata([("title", "=?UTF-8?B?w7xiZXIg8J+Rjw==?=")]).unwrap();
        assert_eq!(options.title.as_deref(), Some("über 👏"));
        let quoted = options_from_metadata([("title", "=?UTF-8?Q?=C3=BCber?=")]).unwrap();
        assert_eq!(quoted.title.as_deref(), Some("über"));
    }

    #[test]
    fn title_of_digits_stays_text() {
        let options = options_from_metadata([("title", "2026")]).unwrap();
        assert_eq!(options.title.as_deref(), Some("2026"));
    }

    #[test]
    fn unknown_option_is_error_but_tool_metadata_is_ignored() {
        let error = options_from_metadata([("titel", "x")]).unwrap_err();
        assert!(error.to_string().contains("titel") && error.to_string().contains("metadata"), "{error}");
        assert!(!error.detail.contains("line"), "{error}");
        let of_tools = [("mtime", "1700000000.1"), ("s3cmd-attrs", "uid:0/gname:root")];
        assert_eq!(options_from_metadata(of_tools), Ok(PostOptions::default()));
    }

    #[test]
    fn invalid_value_is_error_that_names_the_field() {
        let table = [
            ("disable-duet", "maybe", "disable_duet", "maybe"),
            ("cover-timestamp-ms", "1.5", "cover_timestamp_ms", "1.5"),
            ("cover-timestamp-ms", "4294967296", "cover_timestamp_ms", "4294967296"),
            ("cover-timestamp-ms", "-1", "cover_timestamp_ms", "negative"),
            ("mode", "public", "mode", "`direct` or `draft`"),
            ("publish-at", "tomorrow", "publish_at", "tomorrow"),
        ];
        for (name, text, field, expected) in table {
            let detail = options_from_metadata([(name, text)]).unwrap_err().detail;
            assert!(detail.starts_with(field) && detail.contains(expected), "{name}: {text}: {detail}");
        }
    }
}
