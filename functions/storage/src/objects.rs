//! The objects in the intake bucket: videos, and the sidecars beside them.
//!
//! Every read of a video is pinned to the version that was dropped, by its
//! version id or, in a bucket without versions, by `If-Match`. Nothing here
//! returns a whole video: there are small reads with a limit, there is
//! [`Objects::read`], a stream that holds what arrives and no more, and there is
//! [`Objects::read_ahead`], which holds a window of it.
//!
//! It knows S3's requests and answers, and not what the bytes are.

mod error;
mod listing;
mod range;
mod read_ahead;
mod retry_budget;
mod sidecar;
mod tags;
mod uploads;
mod window;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use bytes::{Bytes, BytesMut};
use domain::secret::SecretString;
use domain::source::{ObjectVersion, Source};
use futures::TryStreamExt;
use futures::stream::BoxStream;

pub use error::ObjectError;
pub use read_ahead::{BrokeOff, ChunkBody, ReadAhead};
pub use sidecar::MAX_SIDECAR;
pub use uploads::{PresignTarget, UploadedPart};
pub use window::{MAX_WINDOW, MIN_WINDOW, Window, WindowError};

use crate::aws::AwsError;
use crate::clients::Lazy;
use error::ObjectPath;

/// The most that a small read returns, in bytes.
pub const MAX_SMALL_READ: u64 = 64 * 1024;
/// What reading a version takes. Without `s3:ListBucket` S3 says "denied" of
/// what is not there.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>
const TO_READ: &str = "s3:GetObject and s3:GetObjectVersion, and s3:ListBucket on the bucket";

/// A part of an object, as it arrives: pieces in order that end exactly where
/// was asked, or with an error.
pub type ByteRange = BoxStream<'static, Result<Bytes, ObjectError>>;

/// What S3 says of an object without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// How many bytes it has.
    pub bytes: u64,
    /// Its entity tag, without quotes.
    pub etag: Option<String>,
    /// The media type that it was dropped with.
    pub content_type: Option<String>,
    /// Its user metadata, without `x-amz-meta-`, in the order of the names.
    pub metadata: Vec<(String, String)>,
}

/// The newest version of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatestVersion {
    /// The object, pinned to this version.
    pub source: Source,
    /// How many bytes it has.
    pub bytes: u64,
}

/// The buckets that the functions read.
#[derive(Debug, Clone)]
pub struct Objects {
    client: Lazy<Client>,
}

impl Objects {
    /// Takes S3's client.
    #[must_use]
    pub fn new(client: impl Into<Lazy<Client>>) -> Self {
        Self { client: client.into() }
    }

    /// Asks what an object is, pinned to its version.
    pub async fn describe(&self, source: &Source) -> Result<ObjectMeta, ObjectError> {
        let place = ObjectPath::of(source);
        let (version_id, if_match) = pins(source);
        let head = self.client.head_object().bucket(&source.bucket).key(&source.key);
        let answer = head.set_version_id(version_id).set_if_match(if_match).send().await;
        let answer = answer.map_err(|error| place.error(TO_READ, AwsError::of(HEAD, &error)))?;
        let bytes = length_of(&place, &answer)?;
        let etag = answer.e_tag().map(|tag| tag.trim_matches('"').to_owned());
        let mut metadata: Vec<_> = answer.metadata.unwrap_or_default().into_iter().collect();
        metadata.sort();
        Ok(ObjectMeta { bytes, etag, content_type: answer.content_type, metadata })
    }

    /// Finds the newest version of a key; none where nothing is there, or
    /// where it was deleted.
    pub async fn current(&self, bucket: &str, key: &str) -> Result<Option<LatestVersion>, ObjectError> {
        let place = ObjectPath::at(bucket, key);
        let answer = match self.client.head_object().bucket(bucket).key(key).send().await {
            Ok(answer) => answer,
            Err(error) => match place.error(TO_READ, AwsError::of(HEAD, &error)) {
                ObjectError::Gone { .. } => return Ok(None),
                error => return Err(error),
            },
        };
        let bytes = length_of(&place, &answer)?;
        let version = ObjectVersion::from_parts(answer.version_id(), answer.e_tag())
            .ok_or_else(|| place.broken(HEAD, "the answer has neither version id nor entity tag"))?;
        let source = Source { bucket: bucket.to_owned(), key: key.to_owned(), version };
        Ok(Some(LatestVersion { source, bytes }))
    }

    /// Finds an object as somebody names it: a version of a key, or the newest;
    /// none where there is no such one, or never could be.
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
            // 400 is what S3 says of what cannot be a key, or a version's id.
            Err(ObjectError::Gone { .. } | ObjectError::Refused { .. }) => Ok(None),
            found => found,
        }
    }

    async fn version(&self, bucket: &str, key: &str, version: &str) -> Result<LatestVersion, ObjectError> {
        let version = ObjectVersion::Id(version.to_owned());
        let source = Source { bucket: bucket.to_owned(), key: key.to_owned(), version };
        let described = self.describe(&source).await?;
        Ok(LatestVersion { source, bytes: described.bytes })
    }

    /// Signs an address to which a whole object of this length and kind can be put.
    pub async fn presign_put(
        &self,
        slot: PresignTarget<'_>,
        bytes: u64,
        content_type: &str,
    ) -> Result<SecretString, ObjectError> {
        uploads::presign_put(&self.client, slot, bytes, content_type).await
    }

    /// Signs an address to which a part of this length can be put.
    pub async fn presign_part(
        &self,
        slot: PresignTarget<'_>,
        upload: &str,
        number: i32,
        bytes: u64,
    ) -> Result<SecretString, ObjectError> {
        uploads::presign_part(&self.client, slot, upload, number, bytes).await
    }

    /// Begins an upload in parts; answers with S3's name for it.
    pub async fn create_multipart_upload(
        &self,
        bucket: &str,
        key: &str,
        content_type: &str,
    ) -> Result<String, ObjectError> {
        uploads::begin(&self.client, bucket, key, content_type).await
    }

    /// Lists the parts that are there; none where S3 knows no such upload, because
    /// it was completed or given up.
    pub async fn parts(&self, bucket: &str, key: &str, upload: &str) -> Result<Option<Vec<UploadedPart>>, ObjectError> {
        uploads::parts(&self.client, bucket, key, upload).await
    }

    /// Makes one object of parts.
    pub async fn complete_multipart_upload(
        &self,
        bucket: &str,
        key: &str,
        upload: &str,
        parts: &[UploadedPart],
    ) -> Result<(), ObjectError> {
        uploads::complete(&self.client, bucket, key, upload, parts).await
    }

    /// Gives an upload in parts up.
    pub async fn abort_multipart_upload(&self, bucket: &str, key: &str, upload: &str) -> Result<(), ObjectError> {
        uploads::abort(&self.client, bucket, key, upload).await
    }

    /// Lists the keys that begin with a prefix, in S3's order: ten thousand at
    /// the most.
    pub async fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<String>, ObjectError> {
        listing::keys(&self.client, bucket, prefix).await
    }

    /// Reads a range of an object, pinned to its version.
    ///
    /// Where the connection breaks, or ends early, the stream goes on at the
    /// very next byte, a few times; what it hands on is never short and never
    /// another object's.
    ///
    /// # Errors
    /// Before the first byte, where S3 does not answer with exactly this range.
    pub async fn read(&self, source: &Source, first: u64, len: u64) -> Result<ByteRange, ObjectError> {
        range::open((*self.client).clone(), source.clone(), first, len).await
    }

    /// Reads a video of this size, chunk after chunk, ahead of whoever takes
    /// them: as many bytes at once as the window has, pinned to its version.
    #[must_use]
    pub fn read_ahead(&self, source: &Source, size: u64, window: Window) -> ReadAhead {
        ReadAhead::new((*self.client).clone(), source.clone(), size, window)
    }

    /// Reads a small range of an object into memory.
    ///
    /// # Errors
    /// Refuses more than [`MAX_SMALL_READ`].
    pub async fn read_small(&self, source: &Source, first: u64, len: u64) -> Result<Bytes, ObjectError> {
        if len > MAX_SMALL_READ {
            return Err(ObjectPath::of(source).too_large(len, MAX_SMALL_READ));
        }
        let mut range = self.read(source, first, len).await?;
        let mut bytes = BytesMut::new();
        while let Some(piece) = range.try_next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.freeze())
    }

    /// Reads the file of options at a key; none where there is none.
    ///
    /// # Errors
    /// Refuses a file of more than [`MAX_SIDECAR`] bytes before reading it.
    pub async fn sidecar(&self, bucket: &str, key: &str) -> Result<Option<Bytes>, ObjectError> {
        sidecar::read(&self.client, bucket, key).await
    }

    /// Adds tags to an object, among those that others gave it.
    ///
    /// In a bucket without versions the tags go to whatever object is at the
    /// key now: S3 has no condition for them.
    ///
    /// # Errors
    /// Leaves the tags as they were.
    pub async fn tag(&self, source: &Source, tags: &[(&str, &str)]) -> Result<(), ObjectError> {
        tags::add(&self.client, source, tags).await
    }
}

const HEAD: &str = "S3 HeadObject";

/// What pins a request to the source's version: a version id, or `If-Match`.
fn pins(source: &Source) -> (Option<String>, Option<String>) {
    match &source.version {
        ObjectVersion::Id(id) => (Some(id.clone()), None),
        ObjectVersion::ETag(etag) => (None, Some(format!("\"{etag}\""))),
        // No object has this tag: what is not there yet is not read.
        ObjectVersion::Awaited => (None, Some("\"awaited\"".to_owned())),
    }
}

fn length_of(place: &ObjectPath, answer: &HeadObjectOutput) -> Result<u64, ObjectError> {
    let length = answer.content_length().and_then(|length| u64::try_from(length).ok());
    length.ok_or_else(|| place.broken(HEAD, "the answer has no length"))
}

#[cfg(test)]
mod tests;
