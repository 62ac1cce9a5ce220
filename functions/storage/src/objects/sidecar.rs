//! Reads a sidecar: a JSON file with options beside a video. A sidecar is small and may be absent. Its latest version
//! is read, whereas reads of a video are pinned to a version.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};
use domain::failure::error_chain;

use super::error::{ObjectError, ObjectPath};
use super::{READ_PERMISSIONS, access};

/// The largest sidecar, in bytes: 15 times the size of the longest title.
pub const MAX_SIDECAR: u64 = 64 * 1024;

const GET: &str = "S3 GetObject";
/// How many times a sidecar is read until it arrives whole.
const MAX_TRIES: u32 = 3;
const BACKOFF: Duration = Duration::from_millis(200);

/// Reads a whole sidecar; none if there is no object.
pub(super) async fn read(client: &Client, bucket: &str, key: &str) -> Result<Option<Bytes>, ObjectError> {
    let mut tries = 1;
    loop {
        match read_once(client, bucket, key).await {
            Err(ObjectError::Gone { .. }) => return Ok(None),
            // The caller asks for no key that is longer than S3 allows. Other stores may allow less.
            Err(ObjectError::Aws(error)) if error.code() == Some("KeyTooLongError") => return Ok(None),
            Err(error) if error.is_outage() && tries < MAX_TRIES => {
                tracing::debug!(error = %error, "sidecar read retried");
                tokio::time::sleep(BACKOFF).await;
                tries += 1;
            }
            other => return other.map(Some),
        }
    }
}

async fn read_once(client: &Client, bucket: &str, key: &str) -> Result<Bytes, ObjectError> {
    let path = ObjectPath::at(bucket, key);
    let response = client.get_object().bucket(bucket).key(key).send().await;
    let response = match response {
        Ok(response) => response,
        Err(error) => {
            let error = path.error(GET, READ_PERMISSIONS, &error);
            return Err(access::explain_latest(client, bucket, key, error).await);
        }
    };
    let length = response.content_length().and_then(|length| u64::try_from(length).ok());
    let length = length.ok_or_else(|| path.unavailable(GET, "the response has no length"))?;
    if length > MAX_SIDECAR {
        return Err(path.too_large(length, MAX_SIDECAR));
    }
    collect(&path, response.body, length).await
}

async fn collect(path: &ObjectPath, mut body: ByteStream, length: u64) -> Result<Bytes, ObjectError> {
    let mut bytes = BytesMut::new();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| path.unavailable(GET, error_chain(&error)))?;
        bytes.extend_from_slice(&piece);
    }
    if bytes.len() as u64 == length {
        Ok(bytes.freeze())
    } else {
        Err(path.unavailable(GET, format!("the body has {} of {length} bytes", bytes.len())))
    }
}
