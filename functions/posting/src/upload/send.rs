//! Sending: one chunk from the bucket to TikTok, and what its answer means.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::chunk::Chunk;
use domain::failure::{Failure, backoff};
use domain::upload::Upload;
use futures::{Stream, StreamExt};
use storage::ObjectError;
use tiktok::{ChunkOutcome, UploadUrl};

use super::{Hold, Pace, Progress, URL_NEEDED};
use crate::posting::Posting;
use crate::stop::Stop;

/// How often the lease is renewed while a chunk is on its way.
const HEARTBEAT: Duration = Duration::from_secs(40);
/// How often one chunk is sent again at once, before the post waits.
const TRIES: u32 = 4;

/// What the outcome of a chunk leads to.
enum Then {
    Again(Duration),
    Rest(Progress),
}

impl Posting {
    /// Sends the next chunk, again where TikTok asks for it, and stores what
    /// TikTok has.
    pub(super) async fn send(&self, hold: &mut Hold<'_>, url: &UploadUrl, pace: &mut Pace) -> Result<Progress, Stop> {
        let mut tries = 0;
        loop {
            let upload = hold.post().upload().cloned().ok_or(Stop::Unsure)?;
            let Some(chunk) = upload.next_chunk() else {
                return Err(Stop::Sent);
            };
            self.in_time(hold, &upload, chunk, pace)?;
            let started = self.now();
            let outcome = self.put(hold, url, &upload, chunk).await?;
            pace.sent(chunk.len, Duration::try_from(self.now().duration_since(started)).unwrap_or_default());
            match self.react(hold, &upload, chunk, outcome).await? {
                Then::Rest(progress) => return Ok(progress),
                Then::Again(wait) => {
                    tries += 1;
                    if tries >= TRIES {
                        let message = "TikTok's upload server refuses the chunk for now";
                        return Err(Stop::wait("upload_refused", message, wait));
                    }
                    tokio::time::sleep(wait.min(Duration::from_secs(30)).max(backoff(tries) / 4)).await;
                }
            }
        }
    }

    /// Begins no chunk that the invocation or the URL would cut off.
    fn in_time(&self, hold: &Hold<'_>, upload: &Upload, chunk: Chunk, pace: &Pace) -> Result<(), Stop> {
        let now = self.now();
        if now + pace.needed(chunk.len) > hold.worker().rest_by {
            return Err(Stop::HandOver);
        }
        if upload.can_send(now, URL_NEEDED) {
            return Ok(());
        }
        // Its end is near: the next look at the post decides, with TikTok's word.
        Err(Stop::wait("upload_url_expired", "the upload's hour is over", Duration::from_secs(5)))
    }

    /// One PUT, the lease being renewed meanwhile; cut off at the deadline.
    async fn put(
        &self,
        hold: &mut Hold<'_>,
        url: &UploadUrl,
        upload: &Upload,
        chunk: Chunk,
    ) -> Result<ChunkOutcome, Stop> {
        let container = hold.post().video.as_ref().map(|video| video.container).ok_or(Stop::Unsure)?;
        let body = self.objects.read(&hold.post().source, chunk.first, chunk.len).await?;
        let (body, broken) = watched(body);
        let put = self.tiktok.put_chunk(url, container.content_type(), &upload.plan, chunk, body);
        tokio::pin!(put);
        let left = Duration::try_from(hold.worker().rest_by.duration_since(self.now())).unwrap_or_default();
        let end = tokio::time::sleep(left);
        tokio::pin!(end);
        let outcome = loop {
            tokio::select! {
                biased;
                outcome = &mut put => break outcome,
                () = &mut end => return Err(Stop::HandOver),
                () = tokio::time::sleep(HEARTBEAT) => hold.save(hold.post().clone().renew(self.now())?).await?,
            }
        };
        match broken.lock().ok().and_then(|mut broken| broken.take()) {
            Some(error) => Err(unreadable(upload, error)),
            None => Ok(outcome),
        }
    }

    async fn react(
        &self,
        hold: &mut Hold<'_>,
        upload: &Upload,
        chunk: Chunk,
        outcome: ChunkOutcome,
    ) -> Result<Then, Stop> {
        let now = self.now();
        let post = hold.post();
        let (id, sent, total) = (post.id.clone(), chunk.end(), upload.plan.size().bytes());
        match outcome {
            ChunkOutcome::Complete => {
                tracing::info!(post.id = %id, upload.offset = total, video.bytes = total, "last chunk accepted");
                Err(Stop::Sent)
            }
            ChunkOutcome::Accepted { .. } if sent < total => {
                tracing::info!(post.id = %id, chunk.index = chunk.index, upload.offset = sent, video.bytes = total, "chunk accepted");
                hold.save(post.clone().progress(sent, now)?).await?;
                Ok(Then::Rest(Progress::Known))
            }
            // TikTok wants more than there is: ask what it has.
            ChunkOutcome::Accepted { .. } => Ok(Then::Rest(Progress::Doubtful)),
            ChunkOutcome::Resync { uploaded } => match uploaded.and_then(|at| upload.plan.boundary_of(at)) {
                Some(at) if at < total && at != upload.offset => {
                    tracing::warn!(post.id = %id, upload.offset = at, "TikTok names another position: going on there");
                    hold.save(post.clone().progress(at, now)?).await?;
                    Ok(Then::Rest(Progress::Known))
                }
                _ => Ok(Then::Rest(Progress::Doubtful)),
            },
            ChunkOutcome::Retry { after, why } => {
                tracing::warn!(post.id = %id, chunk.index = chunk.index, %why, "chunk not taken: sending it again");
                Ok(Then::Again(after))
            }
            ChunkOutcome::Unknown { why } => {
                tracing::warn!(post.id = %id, chunk.index = chunk.index, %why, "chunk unanswered: asking TikTok");
                Ok(Then::Rest(Progress::Doubtful))
            }
            ChunkOutcome::SourceFailed(fault) => {
                Err(Stop::wait("source_unreadable", fault.to_string(), Duration::from_secs(2)))
            }
            ChunkOutcome::Dead(why) => self.dead(hold, upload, &why).await,
            ChunkOutcome::Bug(failure) => Err(Stop::Fail(failure)),
        }
    }

    /// TikTok knows the upload's URL no more.
    async fn dead(&self, hold: &mut Hold<'_>, upload: &Upload, refusal: &Failure) -> Result<Then, Stop> {
        let why = format!("its URL is dead: {}", refusal.message);
        tracing::warn!(post.id = %hold.post().id, publish.id = %upload.publish_id, why, "upload refused");
        if upload.may_be_complete() {
            return Err(Stop::Unsure);
        }
        hold.save(hold.post().clone().abandon(self.now(), &why)?).await?;
        Ok(Then::Rest(Progress::Known))
    }
}

/// The bucket failed in the middle of a chunk, so TikTok did not get it whole.
/// An object that is gone for good ends the post, unless an earlier try of the
/// last chunk may have come through.
fn unreadable(upload: &Upload, error: ObjectError) -> Stop {
    match Stop::from(error) {
        Stop::Fail(_) if upload.may_be_complete() => Stop::Unsure,
        stop => stop,
    }
}

type Broken = Arc<Mutex<Option<ObjectError>>>;

/// Passes a stream on, and keeps what it broke with.
fn watched<T: Send + 'static>(
    body: impl Stream<Item = Result<T, ObjectError>> + Send + 'static,
) -> (impl Stream<Item = Result<T, std::io::Error>> + Send + 'static, Broken) {
    let broken: Broken = Arc::default();
    let keep = Arc::clone(&broken);
    let body = body.map(move |item| {
        item.map_err(|error| {
            let told = std::io::Error::other(error.to_string());
            if let Ok(mut keep) = keep.lock() {
                keep.get_or_insert(error);
            }
            told
        })
    });
    (body, broken)
}
