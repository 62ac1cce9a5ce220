//! Sending: one chunk from the bucket to TikTok, and what its answer means.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::chunk::{Chunk, ChunkPlan};
use domain::failure::{Failure, backoff};
use domain::post::{Believe, Reconciled, reconcile};
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
            let upload = under_way(hold)?;
            let Some(chunk) = upload.next_chunk() else {
                return Err(Stop::Sent);
            };
            self.in_time(hold, &upload, chunk, pace)?;
            let (outcome, time) = self.try_once(hold, url, &upload, chunk).await?;
            if matches!(outcome, ChunkOutcome::Accepted { .. } | ChunkOutcome::Complete) {
                pace.sent(chunk.len, time);
            }
            match self.react(hold, chunk, outcome).await? {
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
            return Err(out_of_time(pace));
        }
        if upload.can_send(now, URL_NEEDED) {
            return Ok(());
        }
        // Its end is near: the next look at the post decides, with TikTok's word.
        Err(Stop::wait("upload_url_expired", "the upload's hour is over", Duration::from_secs(5)))
    }

    /// Tries a chunk once. The last one is announced in the database before its
    /// first byte leaves; where TikTok, or the bucket, refused this first try of
    /// it, it was not sent after all.
    async fn try_once(
        &self,
        hold: &mut Hold<'_>,
        url: &UploadUrl,
        upload: &Upload,
        chunk: Chunk,
    ) -> Result<(ChunkOutcome, Duration), Stop> {
        let first_try_of_last = chunk == upload.plan.last() && !upload.may_be_complete();
        if first_try_of_last {
            hold.save(hold.post().clone().commit(self.now())?).await?;
        }
        let started = self.now();
        let tried = self.put(hold, url, &upload.plan, chunk).await;
        let time = Duration::try_from(self.now().duration_since(started)).unwrap_or_default();
        if first_try_of_last && tried.as_ref().map_or_else(is_of_the_source, was_refused) {
            hold.save(hold.post().clone().uncommit(self.now())?).await?;
        }
        match tried {
            Ok(outcome) => Ok((outcome, time)),
            Err(Broken::Off(stop)) => Err(stop),
            Err(Broken::Source(error)) => Err(unreadable(&under_way(hold)?, error)),
        }
    }

    /// One PUT, the lease being renewed meanwhile; cut off at the deadline.
    async fn put(
        &self,
        hold: &mut Hold<'_>,
        url: &UploadUrl,
        plan: &ChunkPlan,
        chunk: Chunk,
    ) -> Result<ChunkOutcome, Broken> {
        let post = hold.post().clone();
        let Some(video) = &post.video else {
            return Err(Broken::Off(Stop::Unsure("the post has no video's facts".to_owned())));
        };
        let mut put = Box::pin(async {
            let body = self.objects.read(&post.source, chunk.first, chunk.len).await.map_err(Broken::Source)?;
            let (body, broken) = watched(body);
            let outcome = self.tiktok.put_chunk(url, video.container.content_type(), plan, chunk, body).await;
            let error = broken.lock().ok().and_then(|mut broken| broken.take());
            error.map_or(Ok(outcome), |error| Err(Broken::Source(error)))
        });
        let left = Duration::try_from(hold.worker().rest_by.duration_since(self.now())).unwrap_or_default();
        let end = tokio::time::sleep(left);
        tokio::pin!(end);
        loop {
            tokio::select! {
                biased;
                outcome = &mut put => return outcome,
                () = &mut end => return Err(Broken::Off(Stop::HandOver)),
                () = tokio::time::sleep(HEARTBEAT) => hold.renew().await.map_err(Broken::Off)?,
            }
        }
    }

    async fn react(&self, hold: &mut Hold<'_>, chunk: Chunk, outcome: ChunkOutcome) -> Result<Then, Stop> {
        let now = self.now();
        let upload = under_way(hold)?;
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
            ChunkOutcome::Accepted { .. } => Ok(Then::Rest(Progress::Doubtful(Believe::Further))),
            ChunkOutcome::Resync { uploaded } => match uploaded.and_then(|at| upload.plan.boundary_of(at)) {
                Some(at) if at < total && at != upload.offset => {
                    tracing::warn!(post.id = %id, upload.offset = at, "TikTok names another position: going on there");
                    hold.save(post.clone().progress(at, now)?).await?;
                    Ok(Then::Rest(Progress::Known))
                }
                _ => Ok(Then::Rest(Progress::Doubtful(Believe::Report))),
            },
            ChunkOutcome::Retry { after, why } => {
                tracing::warn!(post.id = %id, chunk.index = chunk.index, %why, "chunk not taken: sending it again");
                Ok(Then::Again(after))
            }
            ChunkOutcome::Unknown { why } => {
                tracing::warn!(post.id = %id, chunk.index = chunk.index, %why, "chunk unanswered: asking TikTok");
                Ok(Then::Rest(Progress::Doubtful(Believe::Further)))
            }
            ChunkOutcome::SourceFailed(fault) => {
                Err(Stop::wait("source_unreadable", fault.to_string(), Duration::from_secs(2)))
            }
            ChunkOutcome::Dead(why) => self.dead(hold, &upload, &why).await,
            ChunkOutcome::Bug(failure) if upload.may_be_complete() => Err(Stop::Unsure(failure.message)),
            ChunkOutcome::Bug(failure) => Err(Stop::Fail(failure)),
        }
    }

    /// TikTok takes nothing more at the upload's URL. It is asked first how the
    /// publish stands: it may have come to an end, and say why.
    async fn dead(&self, hold: &mut Hold<'_>, upload: &Upload, refusal: &Failure) -> Result<Then, Stop> {
        tracing::warn!(post.id = %hold.post().id, publish.id = %upload.publish_id, why = %refusal, "upload refused");
        let report = self.report_of(hold, upload).await;
        match report.as_ref().map(|report| reconcile(upload, report, Believe::Further, self.now(), URL_NEEDED)) {
            Ok(Reconciled::Ended) => {
                return Err(report.map_or_else(|stop| stop, |report| Stop::Verdict(Box::new(report))));
            }
            Ok(Reconciled::AllThere) => return Err(Stop::Sent),
            Ok(Reconciled::SendFrom(_) | Reconciled::Abandon | Reconciled::Wait) | Err(Stop::Fail(_)) => {}
            Err(_) => return Err(report.err().unwrap_or(Stop::Overtaken)),
        }
        if upload.may_be_complete() {
            return Err(Stop::Unsure(refusal.message.clone()));
        }
        self.begin_anew(hold, &refusal.message).await.map(|()| Then::Rest(Progress::Known))
    }
}

/// The upload of a post that is being sent.
fn under_way(hold: &Hold<'_>) -> Result<Upload, Stop> {
    hold.post().upload().cloned().ok_or_else(|| Stop::Unsure("the post has no upload".to_owned()))
}

/// An invocation that has sent something hands over at once; one that came to
/// nothing waits, so that two of them do not chase each other.
fn out_of_time(pace: &Pace) -> Stop {
    if pace.has_sent() {
        return Stop::HandOver;
    }
    let message = "the invocation is too short for a chunk: raise the function's timeout, or lower ChunkBytes";
    Stop::wait("no_time", message, Duration::from_mins(1))
}

/// Why a PUT came to no outcome.
enum Broken {
    /// The bucket failed in the middle, so TikTok did not get the chunk whole.
    Source(ObjectError),
    /// It was cut off.
    Off(Stop),
}

fn is_of_the_source(broken: &Broken) -> bool {
    matches!(broken, Broken::Source(_))
}

/// Tells whether a chunk surely was not taken.
fn was_refused(outcome: &ChunkOutcome) -> bool {
    matches!(outcome, ChunkOutcome::Dead(_) | ChunkOutcome::Bug(_) | ChunkOutcome::SourceFailed(_))
}

/// An object that is gone for good ends the post, unless an earlier try of the
/// last chunk may have come through.
fn unreadable(upload: &Upload, error: ObjectError) -> Stop {
    match Stop::from(error) {
        Stop::Fail(failure) if upload.may_be_complete() => Stop::Unsure(failure.message),
        stop => stop,
    }
}

type Cause = Arc<Mutex<Option<ObjectError>>>;

/// Passes a stream on, and keeps what it broke with.
fn watched<T: Send + 'static>(
    body: impl Stream<Item = Result<T, ObjectError>> + Send + 'static,
) -> (impl Stream<Item = Result<T, std::io::Error>> + Send + 'static, Cause) {
    let broken: Cause = Arc::default();
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
