//! The keys that begin with a prefix.
//!
//! A key may hold what XML cannot, so S3 is asked to encode them.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>

use aws_sdk_s3::Client;
use aws_sdk_s3::types::EncodingType;
use percent_encoding::percent_decode_str;

use super::error::{ObjectError, ObjectPath};
use crate::aws::AwsError;

/// How many pages of a thousand keys are read at most.
const PAGES: usize = 10;
const TO_LIST: &str = "s3:ListBucket on the bucket";

/// Lists keys, page after page.
pub(super) async fn keys(client: &Client, bucket: &str, prefix: &str) -> Result<Vec<String>, ObjectError> {
    let place = ObjectPath::at(bucket, prefix);
    let mut keys = Vec::new();
    let mut next = None;
    for _ in 0..PAGES {
        let list = client.list_objects_v2().bucket(bucket).prefix(prefix).encoding_type(EncodingType::Url);
        let page = list.set_continuation_token(next).send().await;
        let page = page.map_err(|error| place.error(TO_LIST, AwsError::of("S3 ListObjectsV2", &error)))?;
        let encoded = page.encoding_type() == Some(&EncodingType::Url);
        for object in page.contents() {
            let key = object.key().unwrap_or_default();
            keys.push(if encoded { decoded(key) } else { key.to_owned() });
        }
        next = page.next_continuation_token;
        if next.is_none() {
            return Ok(keys);
        }
    }
    tracing::warn!(prefix = %place, keys = keys.len(), "there are more keys than are looked at");
    Ok(keys)
}

/// S3 writes a space as `+`, others as `%20`; a plus sign is `%2B` for both.
fn decoded(key: &str) -> String {
    percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_key_is_the_key_again() {
        assert_eq!(decoded("drop/a+b%20c%2B%C3%BC%01.mp4"), "drop/a b c+ü\u{1}.mp4");
        assert_eq!(decoded("drop/100%25.mp4"), "drop/100%.mp4");
    }
}
