//! A caller's upload of a video into the bucket with presigned URLs, as a whole object or as a multipart upload.
//!
//! A presigned URL permits writing one object of one length and media type. Anyone who has the URL can use it until
//! it expires, so the URL is a secret. S3 rejects a body of another length or media type.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html>

use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, RequestChecksumCalculation};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Part};
use domain::failure::error_chain;
use domain::secret::SecretString;
use jiff::Timestamp;

use super::error::{ObjectError, ObjectPath};
use crate::aws::Kind;

const PRESIGN: &str = "S3 presigning";
const CREATE: &str = "S3 CreateMultipartUpload";
const LIST_PARTS: &str = "S3 ListParts";
const COMPLETE: &str = "S3 CompleteMultipartUpload";
const ABORT: &str = "S3 AbortMultipartUpload";

const PUT_PERMISSION: &str = "s3:PutObject on uploads/";
const LIST_PERMISSION: &str = "s3:ListMultipartUploadParts on uploads/";
const ABORT_PERMISSION: &str = "s3:AbortMultipartUpload on uploads/";

/// The object for which a URL is presigned.
#[derive(Debug, Clone, Copy)]
pub struct PresignTarget<'a> {
    /// The bucket.
    pub bucket: &'a str,
    /// The key.
    pub key: &'a str,
    /// The time from which the URL is valid.
    pub from: Timestamp,
    /// How long the URL is valid.
    pub term: Duration,
}

impl PresignTarget<'_> {
    fn config(&self, path: &ObjectPath) -> Result<PresigningConfig, ObjectError> {
        let config = PresigningConfig::builder().start_time(SystemTime::from(self.from)).expires_in(self.term);
        config.build().map_err(|error| path.unavailable(PRESIGN, error_chain(&error)))
    }
}

/// A part of a multipart upload that S3 has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedPart {
    /// The part's number, from 1.
    pub number: i32,
    /// The part's size in bytes.
    pub bytes: u64,
    etag: Option<String>,
}

/// Omits the checksum that the SDK signs by default, because only the caller has the body.
fn without_checksum() -> Builder {
    Builder::new().request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
}

/// Presigns a URL for a whole object.
pub(super) async fn presign_put(
    client: &Client,
    target: PresignTarget<'_>,
    bytes: u64,
    content_type: &str,
) -> Result<SecretString, ObjectError> {
    let path = ObjectPath::at(target.bucket, target.key);
    let put = client.put_object().bucket(target.bucket).key(target.key).content_type(content_type);
    let put = put.content_length(i64::try_from(bytes).unwrap_or(i64::MAX));
    let signed = put.customize().config_override(without_checksum()).presigned(target.config(&path)?).await;
    let signed = signed.map_err(|error| path.error(PRESIGN, PUT_PERMISSION, &error))?;
    Ok(SecretString::from(signed.uri()))
}

/// Presigns a URL for a part.
pub(super) async fn presign_part(
    client: &Client,
    target: PresignTarget<'_>,
    upload_id: &str,
    number: i32,
    bytes: u64,
) -> Result<SecretString, ObjectError> {
    let path = ObjectPath::at(target.bucket, target.key);
    let put = client.upload_part().bucket(target.bucket).key(target.key).upload_id(upload_id).part_number(number);
    let put = put.content_length(i64::try_from(bytes).unwrap_or(i64::MAX));
    let signed = put.customize().config_override(without_checksum()).presigned(target.config(&path)?).await;
    let signed = signed.map_err(|error| path.error(PRESIGN, PUT_PERMISSION, &error))?;
    Ok(SecretString::from(signed.uri()))
}

/// Begins a multipart upload and returns its id.
pub(super) async fn create(
    client: &Client,
    bucket: &str,
    key: &str,
    content_type: &str,
) -> Result<String, ObjectError> {
    let path = ObjectPath::at(bucket, key);
    let created = client.create_multipart_upload().bucket(bucket).key(key).content_type(content_type).send().await;
    let created = created.map_err(|error| path.error(CREATE, PUT_PERMISSION, &error))?;
    created.upload_id.ok_or_else(|| path.unavailable(CREATE, "the response has no upload id"))
}

/// Lists the parts that S3 has; none if S3 does not know the upload, because it was completed or aborted.
pub(super) async fn parts(
    client: &Client,
    bucket: &str,
    key: &str,
    upload_id: &str,
) -> Result<Option<Vec<UploadedPart>>, ObjectError> {
    let path = ObjectPath::at(bucket, key);
    let mut parts = Vec::new();
    let list = client.list_parts().bucket(bucket).key(key).upload_id(upload_id);
    let mut pages = list.into_paginator().items().send();
    while let Some(part) = pages.next().await {
        match part.map_err(|error| path.error(LIST_PARTS, LIST_PERMISSION, &error)) {
            Ok(part) => parts.extend(uploaded_part(&part)),
            Err(ObjectError::Gone { .. }) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(Some(parts))
}

fn uploaded_part(part: &Part) -> Option<UploadedPart> {
    let bytes = part.size().and_then(|size| u64::try_from(size).ok())?;
    Some(UploadedPart { number: part.part_number()?, bytes, etag: part.e_tag.clone() })
}

/// Makes one object of the parts.
pub(super) async fn complete(
    client: &Client,
    bucket: &str,
    key: &str,
    upload_id: &str,
    parts: &[UploadedPart],
) -> Result<(), ObjectError> {
    let path = ObjectPath::at(bucket, key);
    let parts =
        parts.iter().map(|part| CompletedPart::builder().part_number(part.number).set_e_tag(part.etag.clone()).build());
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
    let complete = client.complete_multipart_upload().bucket(bucket).key(key).upload_id(upload_id);
    let sent = complete.multipart_upload(parts).send().await;
    sent.map(|_| ()).map_err(|error| path.error(COMPLETE, PUT_PERMISSION, &error))
}

/// Aborts a multipart upload. Succeeds if S3 does not know the upload or the bucket.
pub(super) async fn abort(client: &Client, bucket: &str, key: &str, upload_id: &str) -> Result<(), ObjectError> {
    let path = ObjectPath::at(bucket, key);
    let sent = client.abort_multipart_upload().bucket(bucket).key(key).upload_id(upload_id).send().await;
    match sent.map_err(|error| path.error(ABORT, ABORT_PERMISSION, &error)) {
        Ok(_) | Err(ObjectError::Gone { .. }) => Ok(()),
        Err(ObjectError::Aws(error)) if error.kind() == Kind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
