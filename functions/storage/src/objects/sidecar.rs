//! The file of options beside a video: small, unpinned, and perhaps not there.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};

use super::TO_READ;
use super::error::{ObjectError, ObjectPath};
use crate::aws::{AwsError, chain};

/// The most that a sidecar may have, in bytes: fifteen times what its longest
/// title can take.
pub const MAX_SIDECAR: u64 = 64 * 1024;

const GET: &str = "S3 GetObject";
/// How often a read that breaks off is begun again.
const TRIES: u32 = 3;
const WAIT: Duration = Duration::from_millis(200);

/// Reads a sidecar whole, or finds that there is none.
pub(super) async fn read(client: &Client, bucket: &str, key: &str) -> Result<Option<Bytes>, ObjectError> {
    let mut tries = 1;
    loop {
        match read_once(client, bucket, key).await {
            Err(ObjectError::Gone { .. }) => return Ok(None),
            Err(ObjectError::Unavailable { source, .. }) if tries < TRIES => {
                tracing::debug!(object = key, error = %source, "a sidecar is read again");
                tokio::time::sleep(WAIT).await;
                tries += 1;
            }
            other => return other.map(Some),
        }
    }
}

async fn read_once(client: &Client, bucket: &str, key: &str) -> Result<Bytes, ObjectError> {
    let place = ObjectPath::at(bucket, key);
    let answer = client.get_object().bucket(bucket).key(key).send().await;
    let answer = answer.map_err(|error| place.error(TO_READ, AwsError::of(GET, &error)))?;
    let length = answer.content_length().and_then(|length| u64::try_from(length).ok());
    let length = length.ok_or_else(|| place.broken(GET, "the answer has no length"))?;
    if length > MAX_SIDECAR {
        return Err(place.too_large(length, MAX_SIDECAR));
    }
    collect(&place, answer.body, length).await
}

async fn collect(place: &ObjectPath, mut body: ByteStream, length: u64) -> Result<Bytes, ObjectError> {
    let mut bytes = BytesMut::new();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| place.broken(GET, chain(&error)))?;
        bytes.extend_from_slice(&piece);
    }
    if bytes.len() as u64 == length {
        Ok(bytes.freeze())
    } else {
        Err(place.broken(GET, format!("the body has {} of {length} bytes", bytes.len())))
    }
}
