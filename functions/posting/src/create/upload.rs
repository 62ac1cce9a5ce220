//! Creates a post whose video the caller uploads, and the presigned URLs for the upload.
//!
//! A video is uploaded by one PUT, or, if it is large, in parts by an S3 multipart upload. A part can be sent again on
//! its own. When the caller completes a multipart upload, Dropcast asks S3 which parts it has, so the caller need not
//! keep S3's `ETag`s.

use std::sync::Arc;

use domain::drop_key::upload_key;
use domain::identity::PostId;
use domain::post::{Post, Repost, Request};
use domain::request::{IdempotencyKey, UploadForm};
use domain::secret::SecretString;
use domain::size::VideoSize;
use domain::trace::TraceId;
use domain::video::Container;
use jiff::Timestamp;
use storage::{Accounts, Created, Objects, Posts, PresignTarget, UploadedPart, Versioned};

use super::{CreateError, Intake, existing_account, if_same_request};
use crate::best_effort::abandon_multipart_upload;
use crate::config::Config;
use crate::invocation::Instruments;
use crate::state_recorder::record_received;

/// The largest video that is uploaded by one PUT: 100 MB. With a larger one, a failed connection would lose too much.
const MAX_SINGLE_PUT: u64 = 100_000_000;
/// The size of a part: 64 MiB. The last part has the rest.
const PART_SIZE: u64 = 64 * 1024 * 1024;
/// The longest media type, in bytes.
const MAX_CONTENT_TYPE: usize = 255;

/// A post that waits for its video.
#[derive(Debug)]
pub struct CreatedUpload {
    /// The post.
    pub post: Versioned<Post>,
    /// Where to upload the video; `None` if the video has arrived, or if the time for the upload is over.
    pub target: Option<UploadTarget>,
}

/// Where to upload a video. The URLs are secrets: they permit writing to the bucket.
#[derive(Debug)]
pub enum UploadTarget {
    /// One PUT of this length and media type.
    Whole {
        /// The URL.
        url: SecretString,
        /// The length, in bytes.
        bytes: u64,
        /// The media type.
        content_type: String,
        /// When the PUT must have begun.
        until: Timestamp,
    },
    /// One PUT for each part; then the caller completes the upload.
    Parts {
        /// The parts, in order.
        parts: Vec<PartTarget>,
        /// When each PUT must have begun.
        until: Timestamp,
    },
}

/// Where to upload one part of a video.
#[derive(Debug)]
pub struct PartTarget {
    /// The part's number, from 1.
    pub number: i32,
    /// The part's offset in the video, in bytes.
    pub first_byte: u64,
    /// The part's length, in bytes.
    pub bytes: u64,
    /// The URL.
    pub url: SecretString,
}

from_dependencies! {
    /// Creates posts with uploads.
    pub struct CreateUpload {
        posts: Posts, accounts: Accounts, objects: Objects, config: Arc<Config>, instruments: Instruments,
    }
}

impl CreateUpload {
    /// Creates a post that waits for its video, and presigns the URLs for it. `random_bytes` become the post's id if
    /// the request has no idempotency key.
    ///
    /// # Errors
    /// No URL was returned. If only presigning failed, the post exists, and the same request with its idempotency key
    /// returns the URLs later.
    pub async fn create(
        &self,
        intake: &Intake,
        key: Option<&IdempotencyKey>,
        random_bytes: &[u8; 32],
        trace: Option<TraceId>,
        body: &[u8],
    ) -> Result<CreatedUpload, CreateError> {
        let form = UploadForm::read(body)?;
        let digest = form.digest();
        let size = VideoSize::new(form.bytes)?;
        // The URL is signed for the text that the caller stated, because S3 compares the caller's header with it.
        if form.content_type.len() > MAX_CONTENT_TYPE || Container::from_media_type(&form.content_type).is_none() {
            return Err(CreateError::ContentType(form.content_type));
        }
        let id = key.map_or_else(|| PostId::random(random_bytes), PostId::of_request);
        let repost = if key.is_some() { Repost::Requested } else { Repost::Guarded };
        let content_type = form.content_type.clone();
        let post = match self.posts.get(&id).await? {
            Some(existing) => if_same_request(existing, &digest).ok_or(CreateError::KeyReused)?,
            None => self.create_post(intake, (id, trace, repost), form, size).await?,
        };
        let target = self.presign(&post, content_type).await?;
        Ok(CreatedUpload { post, target })
    }

    async fn create_post(
        &self,
        intake: &Intake,
        (id, trace, repost): (PostId, Option<TraceId>, Repost),
        form: UploadForm,
        size: VideoSize,
    ) -> Result<Versioned<Post>, CreateError> {
        let (bucket, digest) = (&intake.bucket, form.digest());
        let key = upload_key(&id, &form.file_name)?;
        let account = existing_account(&self.accounts, form.account, &self.config.default_account).await?;
        let multipart = if size.bytes() > MAX_SINGLE_PUT {
            Some(self.objects.create_multipart_upload(bucket, &key, &form.content_type).await?)
        } else {
            None
        };
        let request = Request { id, account, options: form.options, digest: digest.clone(), trace, repost };
        let place = (bucket.clone(), key.clone());
        let post = Post::await_upload(request, place, size, multipart.clone(), self.instruments.now());
        match self.posts.create(&post).await? {
            Created::New(post) => {
                record_received(&post, &self.instruments, "post created for a request: it waits for its upload");
                Ok(post)
            }
            // The same request was sent twice at the same time.
            Created::Already(existing) => {
                if let Some(upload) = &multipart {
                    abandon_multipart_upload(&self.objects, bucket, &key, upload).await;
                }
                if_same_request(existing, &digest).ok_or(CreateError::KeyReused)
            }
        }
    }

    /// Presigns the URLs of a post that waits for its video. They are signed as of the post's creation, so the URLs of
    /// a repeated request expire at the same time as the first ones.
    async fn presign(&self, post: &Post, content_type: String) -> Result<Option<UploadTarget>, CreateError> {
        let until = post.upload_until().filter(|until| *until > self.instruments.now());
        let Some(until) = until else { return Ok(None) };
        let bytes = post.bytes.unwrap_or_default();
        // A presigned URL states whole seconds.
        let from = Timestamp::from_second(post.created_at.as_second()).unwrap_or(post.created_at);
        let term = until.duration_since(from).unsigned_abs();
        let target = PresignTarget { bucket: &post.source.bucket, key: &post.source.key, from, term };
        let Some(upload) = &post.multipart_upload_id else {
            let url = self.objects.presign_put(target, bytes, &content_type).await?;
            return Ok(Some(UploadTarget::Whole { url, bytes, content_type, until }));
        };
        let mut parts = Vec::new();
        for (number, first_byte, bytes) in split(bytes) {
            let url = self.objects.presign_part(target, upload, number, bytes).await?;
            parts.push(PartTarget { number, first_byte, bytes, url });
        }
        Ok(Some(UploadTarget::Parts { parts, until }))
    }

    /// Completes the multipart upload of a post's video. S3's event then reports the object, as for any upload. For an
    /// upload that was completed already, returns the post.
    ///
    /// # Errors
    /// With [`CreateError::PartsMissing`] the caller can still send the parts.
    pub async fn complete(&self, id: &PostId) -> Result<Versioned<Post>, CreateError> {
        let post = self.posts.get(id).await?.ok_or_else(|| CreateError::PostNotFound(id.clone()))?;
        let not_multipart = CreateError::NotMultipart(post.state_name());
        let Some(upload) = &post.multipart_upload_id else { return Err(not_multipart) };
        if !post.awaits_bytes() {
            return if post.source.version.is_known() { Ok(post) } else { Err(not_multipart) };
        }
        let (bucket, key) = (&post.source.bucket, &post.source.key);
        // `None`: S3 no longer knows the multipart upload, because it was completed or aborted.
        let Some(uploaded) = self.objects.parts(bucket, key, upload).await? else { return Ok(post) };
        let expected: Vec<_> = split(post.bytes.unwrap_or_default()).collect();
        let missing = missing_parts(&expected, &uploaded);
        if !missing.is_empty() {
            return Err(CreateError::PartsMissing(missing));
        }
        let is_expected = |part: &UploadedPart| expected.iter().any(|(number, ..)| *number == part.number);
        let parts: Vec<_> = uploaded.into_iter().filter(is_expected).collect();
        self.objects.complete_multipart_upload(bucket, key, upload, &parts).await?;
        tracing::info!(post.id = %id, parts = parts.len(), "upload completed");
        Ok(post)
    }
}

/// Splits a video into parts: number, first byte and length of each.
fn split(bytes: u64) -> impl Iterator<Item = (i32, u64, u64)> {
    let count = bytes.div_ceil(PART_SIZE);
    (1..).zip(0..count).map(move |(number, n)| (number, n * PART_SIZE, PART_SIZE.min(bytes - n * PART_SIZE)))
}

fn missing_parts(expected: &[(i32, u64, u64)], uploaded: &[UploadedPart]) -> Vec<i32> {
    let has = |number: i32, bytes: u64| uploaded.iter().any(|part| part.number == number && part.bytes == bytes);
    expected.iter().filter(|(number, _, bytes)| !has(*number, *bytes)).map(|(number, ..)| *number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_video_in_order() {
        for bytes in [MAX_SINGLE_PUT + 1, 2 * PART_SIZE, 2 * PART_SIZE + 1, 4_000_000_000] {
            let parts: Vec<_> = split(bytes).collect();
            let mut end = 0;
            for (n, (number, first, len)) in (1..).zip(&parts) {
                assert_eq!((*number, *first), (n, end));
                assert!(*len > 0 && *len <= PART_SIZE);
                end += len;
            }
            assert_eq!(end, bytes);
            assert!(parts.len() <= 60, "one response can list all parts");
        }
    }
}
