//! Lists the keys that begin with a prefix.
//!
//! A key can contain characters that XML cannot, so the request asks S3 to encode the keys.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>

use aws_sdk_s3::Client;
use aws_sdk_s3::types::EncodingType;
use percent_encoding::percent_decode_str;

use super::error::{ObjectError, ObjectPath};

/// How many pages of 1,000 keys are read at most.
const MAX_PAGES: usize = 10;

/// Lists the keys of all pages.
pub(super) async fn keys(client: &Client, bucket: &str, prefix: &str) -> Result<Vec<String>, ObjectError> {
    let path = ObjectPath::at(bucket, prefix);
    let mut keys = Vec::new();
    let mut token = None;
    for _ in 0..MAX_PAGES {
        let list = client.list_objects_v2().bucket(bucket).prefix(prefix).encoding_type(EncodingType::Url);
        let page = list.set_continuation_token(token).send().await;
        let page = page.map_err(|error| path.error("S3 ListObjectsV2", "s3:ListBucket on the bucket", &error))?;
        let is_encoded = page.encoding_type() == Some(&EncodingType::Url);
        for object in page.contents() {
            let key = object.key().unwrap_or_default();
            keys.push(if is_encoded { decoded(key) } else { key.to_owned() });
        }
        token = page.next_continuation_token;
        if token.is_none() {
            return Ok(keys);
        }
    }
    tracing::warn!(prefix = %path, keys = keys.len(), "list cut off: the prefix has more keys than are read");
    Ok(keys)
}

/// Decodes a key. S3 encodes a space as `+`, other implementations as `%20`. Both encode a plus sign as `%2B`.
pub(super) fn decoded(key: &str) -> String {
    percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_key_is_decoded() {
        assert_eq!(decoded("drop/a+b%20c%2B%C3%BC%01.mp4"), "drop/a b c+ü\u{1}.mp4");
        assert_eq!(decoded("drop/100%25.mp4"), "drop/100%.mp4");
    }
}
