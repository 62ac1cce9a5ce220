//! The way of a video from its owner into the bucket: addresses that are signed
//! for one object of one size and kind, whole or in parts.
//!
//! Whoever has such an address can write that object until it ends, so it is a
//! secret. S3 holds the sender to what was signed: a body of another length, or
//! under another media type, is refused.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html>

use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, RequestChecksumCalculation};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Part};
use domain::secret::SecretString;
use jiff::Timestamp;

use super::error::{ObjectError, ObjectPath};
use crate::aws::{AwsError, Kind, chain};

const TO_UPLOAD: &str = "s3:PutObject on uploads/";
const TO_LIST_PARTS: &str = "s3:ListMultipartUploadParts on uploads/";
const TO_ABORT: &str = "s3:AbortMultipartUpload on uploads/";

/// The object that an address is for.
#[derive(Debug, Clone, Copy)]
pub struct PresignTarget<'a> {
    /// The bucket.
    pub bucket: &'a str,
    /// The key.
    pub key: &'a str,
    /// From when to when the address is good.
    pub from: Timestamp,
    /// How long it is, from then on.
    pub term: Duration,
}

impl PresignTarget<'_> {
    fn signing(&self, place: &ObjectPath) -> Result<PresigningConfig, ObjectError> {
        let signing = PresigningConfig::builder().start_time(SystemTime::from(self.from)).expires_in(self.term);
        signing.build().map_err(|error| place.broken(SIGN, chain(&error)))
    }
}

/// A part of an upload that S3 has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedPart {
    /// Its number, from 1.
    pub number: i32,
    /// How many bytes it has.
    pub bytes: u64,
    etag: Option<String>,
}

const SIGN: &str = "signing for S3";

/// The body is the sender's; nothing is known of its checksum here.
fn without_checksum() -> Builder {
    Builder::new().request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
}

/// Signs an address for a whole object.
pub(super) async fn presign_put(
    client: &Client,
    slot: PresignTarget<'_>,
    bytes: u64,
    content_type: &str,
) -> Result<SecretString, ObjectError> {
    let place = ObjectPath::at(slot.bucket, slot.key);
    let put = client.put_object().bucket(slot.bucket).key(slot.key).content_type(content_type);
    let put = put.content_length(i64::try_from(bytes).unwrap_or(i64::MAX));
    let signed = put.customize().config_override(without_checksum()).presigned(slot.signing(&place)?).await;
    let signed = signed.map_err(|error| place.error(TO_UPLOAD, AwsError::of(SIGN, &error)))?;
    Ok(SecretString::from(signed.uri()))
}

/// Signs an address for a part.
pub(super) async fn presign_part(
    client: &Client,
    slot: PresignTarget<'_>,
    upload: &str,
    number: i32,
    bytes: u64,
) -> Result<SecretString, ObjectError> {
    let place = ObjectPath::at(slot.bucket, slot.key);
    let put = client.upload_part().bucket(slot.bucket).key(slot.key).upload_id(upload).part_number(number);
    let put = put.content_length(i64::try_from(bytes).unwrap_or(i64::MAX));
    let signed = put.customize().config_override(without_checksum()).presigned(slot.signing(&place)?).await;
    let signed = signed.map_err(|error| place.error(TO_UPLOAD, AwsError::of(SIGN, &error)))?;
    Ok(SecretString::from(signed.uri()))
}

/// Begins an upload in parts; answers with S3's name for it.
pub(super) async fn begin(client: &Client, bucket: &str, key: &str, content_type: &str) -> Result<String, ObjectError> {
    let place = ObjectPath::at(bucket, key);
    let begun = client.create_multipart_upload().bucket(bucket).key(key).content_type(content_type).send().await;
    let begun = begun.map_err(|error| place.error(TO_UPLOAD, AwsError::of("S3 CreateMultipartUpload", &error)))?;
    begun.upload_id.ok_or_else(|| place.broken("S3 CreateMultipartUpload", "the answer has no upload id"))
}

/// Lists the parts that S3 has; none where it knows no such upload: it was
/// completed, or given up.
pub(super) async fn parts(
    client: &Client,
    bucket: &str,
    key: &str,
    upload: &str,
) -> Result<Option<Vec<UploadedPart>>, ObjectError> {
    let place = ObjectPath::at(bucket, key);
    let mut parts = Vec::new();
    let list = client.list_parts().bucket(bucket).key(key).upload_id(upload);
    let mut pages = list.into_paginator().items().send();
    while let Some(part) = pages.next().await {
        match part {
            Ok(part) => parts.extend(read(&part)),
            Err(error) => {
                let error = AwsError::of("S3 ListParts", &error);
                if error.kind() == Kind::Missing && error.code() != Some("NoSuchBucket") {
                    return Ok(None);
                }
                return Err(place.error(TO_LIST_PARTS, error));
            }
        }
    }
    Ok(Some(parts))
}

fn read(part: &Part) -> Option<UploadedPart> {
    let bytes = part.size().and_then(|size| u64::try_from(size).ok())?;
    Some(UploadedPart { number: part.part_number()?, bytes, etag: part.e_tag.clone() })
}

/// Makes one object of the parts.
pub(super) async fn complete(
    client: &Client,
    bucket: &str,
    key: &str,
    upload: &str,
    parts: &[UploadedPart],
) -> Result<(), ObjectError> {
    let place = ObjectPath::at(bucket, key);
    let parts =
        parts.iter().map(|part| CompletedPart::builder().part_number(part.number).set_e_tag(part.etag.clone()).build());
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
    let done = client.complete_multipart_upload().bucket(bucket).key(key).upload_id(upload).multipart_upload(parts);
    let done = done.send().await;
    done.map(|_| ()).map_err(|error| place.error(TO_UPLOAD, AwsError::of("S3 CompleteMultipartUpload", &error)))
}

/// Gives an upload in parts up; one that S3 does not know is given up already.
pub(super) async fn abort(client: &Client, bucket: &str, key: &str, upload: &str) -> Result<(), ObjectError> {
    let place = ObjectPath::at(bucket, key);
    let done = client.abort_multipart_upload().bucket(bucket).key(key).upload_id(upload).send().await;
    match done.map_err(|error| AwsError::of("S3 AbortMultipartUpload", &error)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == Kind::Missing => Ok(()),
        Err(error) => Err(place.error(TO_ABORT, error)),
    }
}
