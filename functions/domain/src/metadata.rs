//! Options in an object's metadata: `x-amz-meta-title` and its fellows.
//!
//! The same schema as a sidecar's, in header form: names in any case, with
//! hyphens or underscores; values as text. Beyond ASCII, S3 hands values on in
//! the encoding of mail headers (RFC 2047), which is undone here.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>

use serde_json::{Map, Value};

use crate::options::{OptionsError, PostOptions};

/// What other people's tools write about a file, and which is no option.
const OF_OTHER_TOOLS: [&str; 14] = [
    "atime",
    "btime",
    "ctime",
    "mtime",
    "uid",
    "gid",
    "permissions",
    "xattr", // rclone, s3fs, goofys
    "md5chksum",
    "s3cmd_attrs",
    "s3b_last_modified",
    "sha256",
    "src_last_modified_millis",
    "file_mtime",
];

/// Reads options from user metadata, given without the `x-amz-meta-` prefix.
///
/// # Errors
/// Names the first field that is unknown or malformed.
pub fn options_from_metadata<'a>(
    metadata: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<PostOptions, OptionsError> {
    let mut fields = Map::new();
    for (name, value) in metadata {
        let name = name.to_ascii_lowercase().replace('-', "_");
        if !OF_OTHER_TOOLS.contains(&name.as_str()) {
            let value = typed(&name, &decoded(value));
            fields.insert(name, value);
        }
    }
    let json = Value::Object(fields).to_string();
    PostOptions::from_json(json.as_bytes(), "object's metadata").map_err(|error| {
        // The position is one in a text that nobody wrote.
        let why = error.why.split(" at line ").next().unwrap_or(&error.why).to_owned();
        OptionsError { why, ..error }
    })
}

/// A header's text as the JSON value that its field wants.
fn typed(name: &str, text: &str) -> Value {
    match name {
        "title" | "mode" | "privacy_level" | "publish_at" => Value::String(text.to_owned()),
        _ => match serde_json::from_str(&text.trim().to_ascii_lowercase()) {
            Ok(value @ (Value::Bool(_) | Value::Number(_))) => value,
            _ => Value::String(text.to_owned()),
        },
    }
}

fn decoded(value: &str) -> String {
    if value.contains("=?") {
        rfc2047_decoder::decode(value).unwrap_or_else(|_| value.to_owned())
    } else {
        value.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Mode, PrivacyLevel};

    #[test]
    fn options_are_read_from_headers() {
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
    fn a_title_beyond_ascii_arrives_as_it_was_written() {
        let options = options_from_metadata([("title", "=?UTF-8?B?w7xiZXIg8J+Rjw==?=")]).unwrap();
        assert_eq!(options.title.as_deref(), Some("über 👏"));
        let quoted = options_from_metadata([("title", "=?UTF-8?Q?=C3=BCber?=")]).unwrap();
        assert_eq!(quoted.title.as_deref(), Some("über"));
    }

    #[test]
    fn a_title_of_digits_is_a_title() {
        let options = options_from_metadata([("title", "2026")]).unwrap();
        assert_eq!(options.title.as_deref(), Some("2026"));
    }

    #[test]
    fn a_misspelt_option_is_an_error_and_another_tools_note_is_not() {
        let error = options_from_metadata([("titel", "x")]).unwrap_err();
        assert!(error.to_string().contains("titel") && error.to_string().contains("metadata"), "{error}");
        assert!(!error.why.contains("line"), "{error}");
        assert!(options_from_metadata([("disable-duet", "maybe")]).is_err());
        let foreign = [("mtime", "1700000000.1"), ("s3cmd-attrs", "uid:0/gname:root")];
        assert_eq!(options_from_metadata(foreign), Ok(PostOptions::default()));
    }
}
