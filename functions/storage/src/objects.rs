//! Objects in the bucket: videos, and the sidecars beside them.
//!
//! Every read of a video is pinned to the version that was dropped: by its version id or, in a bucket without
//! versioning, by `If-Match`. An unpinned read could mix the bytes of two videos in one post. No function returns a
//! whole video:
//!
//! - [`Objects::read_small`] returns a part of limited size.
//! - [`Objects::read`] returns a stream that buffers only what has arrived.
//! - [`Objects::read_ahead`] buffers at most a window of the video.
//!
//! This module knows S3's requests and responses. It does not know what the bytes mean.

mod access;
mod error;
mod listing;
mod range;
mod read_ahead;
mod retry_budget;
mod sidecar;
mod tags;
mod uploads;
mod versions;
mod window;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{ChecksumMode, ServerSideEncryption};
use bytes::{Bytes, BytesMut};
use domain::bucket_check::Marker;
use domain::content::Checksum;
use domain::secret::SecretString;
use domain::source::{ObjectVersion, Source};
use futures::TryStreamExt;
use futures::stream::BoxStream;

pub use error::ObjectError;
pub use read_ahead::{BrokeOff, ChunkBody, ReadAhead};
pub use sidecar::MAX_SIDECAR;
pub use uploads::{PresignTarget, UploadedPart};
pub use versions::{ListedVersion, Recency, VersionPage};
pub use window::{MAX_WINDOW, MIN_WINDOW, Window, WindowError};

use crate::aws::Kind;
use crate::clients::Lazy;
use error::ObjectPath;

/// The longest range that [`Objects::read_small`] reads, in bytes.
pub const MAX_SMALL_READ: u64 = 1024 * 1024;
/// The permissions that reading a version needs. Without `s3:ListBucket`, S3 denies access to an object that does
/// not exist, instead of reporting that it does not exist.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>
const READ_PERMISSIONS: &str = "s3:GetObject and s3:GetObjectVersion, and s3:ListBucket on the bucket";

const HEAD: &str = "S3 HeadObject";

/// A part of an object as a stream of pieces in order. The stream ends exactly at the requested end, or with an
/// error.
pub type ByteRange = BoxStream<'static, Result<Bytes, ObjectError>>;

/// The metadata of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// The object's size in bytes.
    pub bytes: u64,
    /// The entity tag, without quotes.
    pub etag: Option<String>,
    /// The media type with which the object was put.
    pub content_type: Option<String>,
    /// The checksums that S3 knows. In a bucket without KMS encryption, the entity tag is one of them.
    pub checksums: Vec<Checksum>,
    /// The user metadata, without `x-amz-meta-`, ordered by name.
    pub metadata: Vec<(String, String)>,
    /// How many entries of user metadata S3 does not return, because no header can contain them.
    pub missing_metadata: u32,
}

/// A version of an object that was found by its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatestVersion {
    /// The object, pinned to the version.
    pub source: Source,
    /// The version's size in bytes.
    pub bytes: u64,
}

/// Access to objects in S3.
#[derive(Debug, Clone)]
pub struct Objects {
    client: Lazy<Client>,
}

impl Objects {
    /// Uses this S3 client.
    pub fn new(client: impl Into<Lazy<Client>>) -> Self {
        Self { client: client.into() }
    }

    /// Reads the metadata of an object, pinned to its version.
    pub async fn describe(&self, source: &Source) -> Result<ObjectMeta, ObjectError> {
        let path = ObjectPath::of(source);
        let (version_id, if_match) = pins(source);
        let head = self.client.head_object().bucket(&source.bucket).key(&source.key);
        let head = head.checksum_mode(ChecksumMode::Enabled);
        let response = match head.set_version_id(version_id).set_if_match(if_match).send().await {
            Ok(response) => response,
            Err(error) => {
                let error = path.error(HEAD, READ_PERMISSIONS, &error);
                return Err(access::explain(&self.client, source, error).await);
            }
        };
        let bytes = length_of(&path, &response)?;
        let etag = response.e_tag().map(|tag| tag.trim_matches('"').to_owned());
        let checksums = checksums_of(&response);
        let missing_metadata = response.missing_meta().and_then(|count| u32::try_from(count).ok()).unwrap_or_default();
        let mut metadata: Vec<_> = response.metadata.unwrap_or_default().into_iter().collect();
        metadata.sort();
        let content_type = response.content_type;
        Ok(ObjectMeta { bytes, etag, content_type, checksums, metadata, missing_metadata })
    }

    /// Finds the latest version of a key; none if there is no object, or if it was deleted.
    pub async fn current(&self, bucket: &str, key: &str) -> Result<Option<LatestVersion>, ObjectError> {
        let path = ObjectPath::at(bucket, key);
        let response = match self.client.head_object().bucket(bucket).key(key).send().await {
            Ok(response) => response,
            Err(error) => match path.error(HEAD, READ_PERMISSIONS, &error) {
                ObjectError::Gone { .. } => return Ok(None),
                error => return Err(error),
            },
        };
        let bytes = length_of(&path, &response)?;
        let version = ObjectVersion::from_parts(response.version_id(), response.e_tag())
            .ok_or_else(|| path.unavailable(HEAD, "the response has neither version id nor entity tag"))?;
        let source = Source { bucket: bucket.to_owned(), key: key.to_owned(), version };
        Ok(Some(LatestVersion { source, bytes }))
    }

    /// Finds the object that a caller names by its key and perhaps a version id; without a version id, the latest
    /// version. Returns none if there is no such object, or if S3 rejects the key or the version id as malformed.
    pub async fn named(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<Option<LatestVersion>, ObjectError> {
        let found = match version {
            Some(version) => self.version(bucket, key, version).await.map(Some),
            None => self.current(bucket, key).await,
        };
        match found {
            Err(ObjectError::Gone { .. }) => Ok(None),
            // S3 sends status 400 for a malformed key or version id.
            Err(ObjectError::Aws(error)) if error.kind() == Kind::Rejected => Ok(None),
            found => found,
        }
    }

    async fn version(&self, bucket: &str, key: &str, version: &str) -> Result<LatestVersion, ObjectError> {
        let version = ObjectVersion::Id(version.to_owned());
        let source = Source { bucket: bucket.to_owned(), key: key.to_owned(), version };
        let meta = self.describe(&source).await?;
        Ok(LatestVersion { source, bytes: meta.bytes })
    }

    /// Presigns a URL to which a whole object of this length and media type can be put.
    pub async fn presign_put(
        &self,
        target: PresignTarget<'_>,
        bytes: u64,
        content_type: &str,
    ) -> Result<SecretString, ObjectError> {
        uploads::presign_put(&self.client, target, bytes, content_type).await
    }

    /// Presigns a URL to which a part of this length can be put.
    pub async fn presign_part(
        &self,
        target: PresignTarget<'_>,
        upload_id: &str,
        number: i32,
        bytes: u64,
    ) -> Result<SecretString, ObjectError> {
        uploads::presign_part(&self.client, target, upload_id, number, bytes).await
    }

    /// Begins a multipart upload and returns its id.
    pub async fn create_multipart_upload(
        &self,
        bucket: &str,
        key: &str,
        content_type: &str,
    ) -> Result<String, ObjectError> {
        uploads::create(&self.client, bucket, key, content_type).await
    }

    /// Lists the parts that S3 has; none if S3 does not know the upload, because it was completed or aborted.
    pub async fn parts(
        &self,
        bucket: &str,
        key: &str,
        upload_id: &str,
    ) -> Result<Option<Vec<UploadedPart>>, ObjectError> {
        uploads::parts(&self.client, bucket, key, upload_id).await
    }

    /// Makes one object of the parts.
    pub async fn complete_multipart_upload(
        &self,
        bucket: &str,
        key: &str,
        upload_id: &str,
        parts: &[UploadedPart],
    ) -> Result<(), ObjectError> {
        uploads::complete(&self.client, bucket, key, upload_id, parts).await
    }

    /// Aborts a multipart upload. Succeeds if S3 does not know the upload.
    pub async fn abort_multipart_upload(&self, bucket: &str, key: &str, upload_id: &str) -> Result<(), ObjectError> {
        uploads::abort(&self.client, bucket, key, upload_id).await
    }

    /// Lists the keys that begin with a prefix, in S3's order: at most 10,000.
    pub async fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<String>, ObjectError> {
        listing::keys(&self.client, bucket, prefix).await
    }

    /// Lists the versions of the keys that begin with a prefix, in S3's order, one page at a time. `after` is the end of
    /// the previous page.
    pub async fn versions(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<Marker>,
    ) -> Result<VersionPage, ObjectError> {
        versions::page(&self.client, bucket, prefix, after).await
    }

    /// Reads `len` bytes of an object from an offset on, pinned to its version.
    ///
    /// If the connection breaks or the body ends early, the stream resumes at the next byte, a limited number of
    /// times. Its bytes are never incomplete, and never those of another object.
    ///
    /// # Errors
    /// S3 does not respond with exactly this range. Later errors are items of the stream.
    pub async fn read(&self, source: &Source, offset: u64, len: u64) -> Result<ByteRange, ObjectError> {
        range::open((*self.client).clone(), source.clone(), offset, len).await
    }

    /// Reads a video of this size chunk by chunk, pinned to its version, and ahead of the consumer by at most the
    /// window.
    pub fn read_ahead(&self, source: &Source, size: u64, window: Window) -> ReadAhead {
        ReadAhead::new((*self.client).clone(), source.clone(), size, window)
    }

    /// Reads a small range of an object into memory.
    ///
    /// # Errors
    /// [`ObjectError::TooLarge`] for more than [`MAX_SMALL_READ`] bytes.
    pub async fn read_small(&self, source: &Source, offset: u64, len: u64) -> Result<Bytes, ObjectError> {
        if len > MAX_SMALL_READ {
            return Err(ObjectPath::of(source).too_large(len, MAX_SMALL_READ));
        }
        let mut range = self.read(source, offset, len).await?;
        let mut bytes = BytesMut::new();
        while let Some(piece) = range.try_next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.freeze())
    }

    /// Reads the sidecar at a key; none if there is no object, or if S3 accepts no key of this length.
    ///
    /// # Errors
    /// [`ObjectError::TooLarge`] for an object of more than [`MAX_SIDECAR`] bytes, before it is read.
    pub async fn sidecar(&self, bucket: &str, key: &str) -> Result<Option<Bytes>, ObjectError> {
        sidecar::read(&self.client, bucket, key).await
    }

    /// Replaces our tags of an object (`dropcast:…`) and keeps its other tags. A tag that another program adds at the same moment can be lost,
    /// because S3 only replaces all tags at once.
    ///
    /// In a bucket without versioning, the tags are added to the object that is at the key now, because S3 has no
    /// condition for tags.
    ///
    /// # Errors
    /// The tags are unchanged.
    pub async fn tag(&self, source: &Source, tags: &[(&str, &str)]) -> Result<(), ObjectError> {
        tags::add(&self.client, source, tags).await
    }

    /// Reads the value of an object's tag; none if the object does not have the tag.
    pub async fn tag_value(&self, source: &Source, key: &str) -> Result<Option<String>, ObjectError> {
        tags::value(&self.client, source, key).await
    }
}

/// The version id or the `If-Match` header that pins a request to the source's version.
fn pins(source: &Source) -> (Option<String>, Option<String>) {
    match &source.version {
        ObjectVersion::Id(id) => (Some(id.clone()), None),
        ObjectVersion::ETag(etag) => (None, Some(format!("\"{etag}\""))),
        // No object has this entity tag, so an object that has not been uploaded yet is never read.
        ObjectVersion::Awaited => (None, Some("\"awaited\"".to_owned())),
    }
}

fn length_of(path: &ObjectPath, response: &HeadObjectOutput) -> Result<u64, ObjectError> {
    let length = response.content_length().and_then(|length| u64::try_from(length).ok());
    length.ok_or_else(|| path.unavailable(HEAD, "the response has no length"))
}

/// The checksums in a response, and the digest in its entity tag.
fn checksums_of(response: &HeadObjectOutput) -> Vec<Checksum> {
    let of_content = [
        ("CRC32", response.checksum_crc32()),
        ("CRC32C", response.checksum_crc32_c()),
        ("CRC64NVME", response.checksum_crc64_nvme()),
        ("SHA1", response.checksum_sha1()),
        ("SHA256", response.checksum_sha256()),
        ("SHA512", response.checksum_sha512()),
        ("MD5", response.checksum_md5()),
        ("XXHASH64", response.checksum_xxhash64()),
        ("XXHASH3", response.checksum_xxhash3()),
        ("XXHASH128", response.checksum_xxhash128()),
    ];
    let stated = of_content.into_iter().filter_map(|(algorithm, value)| Some(Checksum::new(algorithm, value?)));
    // With KMS or a customer's key, the entity tag is no digest, although it looks like one.
    let is_plain = matches!(response.server_side_encryption(), None | Some(ServerSideEncryption::Aes256));
    let is_digest = is_plain && response.sse_customer_algorithm().is_none();
    let tag = response.e_tag().filter(|_| is_digest).map(|tag| tag.trim_matches('"'));
    stated.chain(tag.and_then(Checksum::of_entity_tag)).collect()
}

#[cfg(test)]
mod tests;
