//! A video that is to be uploaded: the post that waits for it, and the address or
//! addresses that it goes to.
//!
//! A whole video goes in one PUT. A large one goes in parts, each of which can be
//! sent again by itself; the bucket is asked what it has before the parts are made
//! one object, so the sender has to remember nothing of S3's answers.

use domain::drop_key::upload_key;
use domain::failure::error_chain;
use domain::identity::PostId;
use domain::post::{Post, Request};
use domain::request::{IdempotencyKey, RequestDigest, UploadForm};
use domain::secret::SecretString;
use domain::size::VideoSize;
use domain::trace::TraceId;
use jiff::Timestamp;
use storage::{Created, PresignTarget, UploadedPart, Versioned};

use super::{CreateError, Intake, the_same};
use crate::measure::Measurement;
use crate::posting::Posting;

/// From this size on, in bytes, a video is uploaded in parts: what is lost on the
/// way is then not all of it.
const LARGE: u64 = 100_000_000;
/// The size of a part, in bytes; the last one has the rest.
const PART: u64 = 64 * 1024 * 1024;
/// The media types of what TikTok takes.
const CONTENT_TYPES: [&str; 3] = ["video/mp4", "video/quicktime", "video/webm"];

/// A post that waits for its video, and where that goes.
#[derive(Debug)]
pub struct CreatedUpload {
    /// The post.
    pub post: Versioned<Post>,
    /// Where its video goes; nowhere any more, if it is there or the time is over.
    pub offer: Option<UploadTarget>,
}

/// Where a video goes. The addresses are secrets: whoever has one can write there.
#[derive(Debug)]
pub enum UploadTarget {
    /// As a whole, by one PUT with this length and media type.
    Whole {
        /// The address.
        url: SecretString,
        /// The length, in bytes.
        bytes: u64,
        /// The media type.
        content_type: String,
        /// Until when it can be begun.
        until: Timestamp,
    },
    /// In parts, by a PUT for each; then the upload is completed.
    Parts {
        /// The parts, in order.
        parts: Vec<PartTarget>,
        /// Until when each can be begun.
        until: Timestamp,
    },
}

/// Where a part of a video goes.
#[derive(Debug)]
pub struct PartTarget {
    /// Its number, from 1.
    pub number: i32,
    /// Where it begins in the video, in bytes.
    pub first_byte: u64,
    /// Its length, in bytes.
    pub bytes: u64,
    /// The address.
    pub url: SecretString,
}

impl Posting {
    /// Makes a post that waits for its video, and hands out where that goes.
    /// `random_bytes` becomes the post's id where the request has no name.
    ///
    /// # Errors
    /// No post was made, and no address handed out.
    pub async fn create_upload(
        &self,
        intake: &Intake,
        name: Option<&IdempotencyKey>,
        random_bytes: &[u8; 32],
        trace: Option<TraceId>,
        body: &[u8],
    ) -> Result<CreatedUpload, CreateError> {
        let form = UploadForm::read(body)?;
        let digest = form.digest();
        let size = VideoSize::new(form.bytes)?;
        if !CONTENT_TYPES.contains(&form.content_type.as_str()) {
            return Err(CreateError::ContentType(form.content_type));
        }
        let id = name.map_or_else(|| PostId::random(random_bytes), PostId::of_request);
        let content_type = form.content_type.clone();
        let post = match self.posts.get(&id).await? {
            Some(known) => the_same(known, &digest).ok_or(CreateError::KeyReused)?,
            None => self.await_upload(intake, id, form, size, digest, trace).await?,
        };
        let offer = self.offer(&post, content_type).await?;
        Ok(CreatedUpload { post, offer })
    }

    async fn await_upload(
        &self,
        intake: &Intake,
        id: PostId,
        form: UploadForm,
        size: VideoSize,
        digest: RequestDigest,
        trace: Option<TraceId>,
    ) -> Result<Versioned<Post>, CreateError> {
        let key = upload_key(&id, &form.file_name)?;
        let bucket = &intake.bucket;
        let account = self.known(form.account).await?;
        let parts = if size.bytes() > LARGE {
            Some(self.objects.create_multipart_upload(bucket, &key, &form.content_type).await?)
        } else {
            None
        };
        let request = Request { id, account, options: form.options, digest: digest.clone(), trace };
        let place = (bucket.clone(), key.clone());
        let post = Post::await_upload(request, place, size, parts.clone(), self.now());
        match self.posts.create(&post).await? {
            Created::New(kept) => {
                tracing::info!(
                    post.id = %kept.id, account = %kept.account, object.key = key, video.bytes = size.bytes(),
                    trace.id = kept.trace.as_ref().map(tracing::field::display),
                    "upload asked for: the post waits for its bytes"
                );
                self.measure(&Measurement::received(&kept));
                Ok(kept)
            }
            // The same request came at the same time.
            Created::Already(known) => {
                if let Some(parts) = &parts {
                    self.abandon_multipart_upload(bucket, &key, parts).await;
                }
                the_same(known, &digest).ok_or(CreateError::KeyReused)
            }
        }
    }

    /// Signs the addresses of a post that waits for its video. They end when the
    /// first ones did, however often they are asked for.
    async fn offer(&self, post: &Post, content_type: String) -> Result<Option<UploadTarget>, CreateError> {
        let Some(until) = post.upload_until().filter(|until| *until > self.now()) else { return Ok(None) };
        let bytes = post.bytes.unwrap_or_default();
        // Signatures know whole seconds.
        let from = Timestamp::from_second(post.created_at.as_second()).unwrap_or(post.created_at);
        let term = until.duration_since(from).unsigned_abs();
        let slot = PresignTarget { bucket: &post.source.bucket, key: &post.source.key, from, term };
        let Some(upload) = &post.multipart_upload_id else {
            let url = self.objects.presign_put(slot, bytes, &content_type).await?;
            return Ok(Some(UploadTarget::Whole { url, bytes, content_type, until }));
        };
        let mut parts = Vec::new();
        for (number, first_byte, bytes) in cut(bytes) {
            let url = self.objects.presign_part(slot, upload, number, bytes).await?;
            parts.push(PartTarget { number, first_byte, bytes, url });
        }
        Ok(Some(UploadTarget::Parts { parts, until }))
    }

    /// Makes one object of the parts of a post's video, which then arrives as any
    /// other does. Where that was done before, nothing is left to do.
    ///
    /// # Errors
    /// Parts are missing: they are named, and can be sent yet.
    pub async fn complete_upload(&self, id: &PostId) -> Result<Versioned<Post>, CreateError> {
        let post = self.posts.get(id).await?.ok_or_else(|| CreateError::UnknownPost(id.clone()))?;
        let Some(upload) = &post.multipart_upload_id else { return Err(CreateError::NotInParts(post.state_name())) };
        if !post.awaits_bytes() {
            return if post.source.version.is_known() {
                Ok(post)
            } else {
                Err(CreateError::NotInParts(post.state_name()))
            };
        }
        let (bucket, key) = (&post.source.bucket, &post.source.key);
        let Some(there) = self.objects.parts(bucket, key, upload).await? else { return Ok(post) };
        let wanted: Vec<_> = cut(post.bytes.unwrap_or_default()).collect();
        let missing = missing(&wanted, &there);
        if !missing.is_empty() {
            return Err(CreateError::PartsMissing(missing));
        }
        let parts: Vec<_> = there.into_iter().filter(|part| wanted.iter().any(|(n, ..)| *n == part.number)).collect();
        self.objects.complete_multipart_upload(bucket, key, upload, &parts).await?;
        tracing::info!(post.id = %id, parts = parts.len(), "upload completed");
        Ok(post)
    }

    /// Gives an upload in parts up; what that misses, the bucket's own rule removes.
    pub(crate) async fn abandon_multipart_upload(&self, bucket: &str, key: &str, upload: &str) {
        if let Err(error) = self.objects.abort_multipart_upload(bucket, key, upload).await {
            let error = error_chain(&error);
            tracing::warn!(object.key = key, error, "an upload in parts was not given up: the bucket does so in a day");
        }
    }
}

/// The parts of a video: number, first byte and length of each.
fn cut(bytes: u64) -> impl Iterator<Item = (i32, u64, u64)> {
    (1..).zip(0..bytes.div_ceil(PART)).map(move |(number, n)| (number, n * PART, PART.min(bytes - n * PART)))
}

fn missing(wanted: &[(i32, u64, u64)], there: &[UploadedPart]) -> Vec<i32> {
    let has = |number: i32, bytes: u64| there.iter().any(|part| part.number == number && part.bytes == bytes);
    wanted.iter().filter(|(number, _, bytes)| !has(*number, *bytes)).map(|(number, ..)| *number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_video_are_all_of_it_and_in_order() {
        for bytes in [LARGE + 1, 2 * PART, 2 * PART + 1, 4_000_000_000] {
            let parts: Vec<_> = cut(bytes).collect();
            let mut end = 0;
            for (n, (number, first, len)) in (1..).zip(&parts) {
                assert_eq!((*number, *first), (n, end));
                assert!(*len > 0 && *len <= PART);
                end += len;
            }
            assert_eq!(end, bytes);
            assert!(parts.len() <= 60, "all of them fit into one answer");
        }
    }
}
