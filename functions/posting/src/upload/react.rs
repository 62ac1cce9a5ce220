//! Decides what the worker does after TikTok's answer to a chunk.
//!
//! Which HTTP status is which [`ChunkOutcome`] is a table in `functions/tiktok/src/upload/response.rs`.
//!
//! **The commit mark is removed only if the last chunk was not sent as a whole** ([`ChunkOutcome::is_surely_not_taken`]).
//! Otherwise TikTok may have every byte, whatever it answered, and a new upload could post the video twice.

use std::time::Duration;

use domain::chunk::Chunk;
use domain::failure::Failure;
use domain::post::{Post, Reconciled, TrustOffset};
use domain::rate::Rate;
use domain::reason::Reason;
use domain::upload::Upload;
use tiktok::ChunkOutcome;

use super::leased_post::LeasedPost;
use super::reconcile::Reconciler;
use super::session::{Next, Progress};
use crate::exit::Exit;
use crate::measure::Measurement;

impl Reconciler {
    /// Applies TikTok's answer to a chunk. `rate` is the upload's measured rate.
    pub(super) async fn react(
        &self,
        leased: &mut LeasedPost<'_>,
        chunk: Chunk,
        outcome: ChunkOutcome,
        rate: Option<Rate>,
    ) -> Result<Next, Exit> {
        let upload = leased.upload()?;
        let post = leased.post();
        let (id, total) = (post.id.clone(), upload.plan.size().bytes());
        match outcome {
            ChunkOutcome::Complete => {
                tracing::info!(
                    post.id = %id, publish.id = %upload.publish_id, upload.offset = total, video.bytes = total,
                    upload.bytes_per_s = rate.map(Rate::bytes_per_second), "last chunk accepted"
                );
                if let Some(rate) = rate {
                    self.instruments.measure(&Measurement::throughput(post, rate));
                }
                Err(Exit::Sent)
            }
            ChunkOutcome::Unconfirmed(why) => {
                tracing::warn!(post.id = %id, publish.id = %upload.publish_id, %why, "last chunk sent without a receipt: TikTok is polled");
                Err(Exit::Unconfirmed(why.message))
            }
            ChunkOutcome::Accepted { .. } if chunk.end() < total => {
                let next = post.clone().progress(chunk.end(), rate, self.instruments.now())?;
                log_progress(&next, chunk);
                leased.checkpoint(next);
                Ok(Next::Continue(Progress::Known))
            }
            // TikTok accepted the last chunk, but expects more bytes than the video has: TikTok is asked.
            ChunkOutcome::Accepted { .. } => Ok(Next::Continue(Progress::Unverified(TrustOffset::Further))),
            ChunkOutcome::Resync { uploaded } => match uploaded.and_then(|at| upload.plan.boundary_of(at)) {
                Some(at) if at < total && at != upload.offset => {
                    tracing::warn!(post.id = %id, upload.offset = at, "TikTok names another offset: continuing there");
                    leased.save(post.clone().progress(at, None, self.instruments.now())?).await?;
                    Ok(Next::Continue(if at < upload.offset { Progress::Rewound } else { Progress::Known }))
                }
                // The status can lag behind, and another copy of the chunk would be refused in the same way.
                Some(at) if at == total && upload.may_be_complete() => {
                    Err(Exit::Unconfirmed("TikTok's upload server says that it has every byte".to_owned()))
                }
                _ => Ok(Next::Continue(Progress::Unverified(TrustOffset::StatusReport))),
            },
            ChunkOutcome::Retry { after, why, .. } => {
                tracing::warn!(post.id = %id, chunk.index = chunk.index, %why, "chunk not accepted: sending it again");
                Ok(Next::SameChunk(after))
            }
            ChunkOutcome::Unknown { why, .. } => {
                tracing::warn!(post.id = %id, chunk.index = chunk.index, %why, "no answer to a chunk: asking TikTok");
                Ok(Next::Continue(Progress::Unverified(TrustOffset::Further)))
            }
            ChunkOutcome::SourceFailed(fault) => {
                Err(Exit::defer(Reason::SourceUnreadable, fault.to_string(), Duration::from_secs(2)))
            }
            ChunkOutcome::UrlRejected(why) => self.url_rejected(leased, &upload, &why).await,
            ChunkOutcome::Rejected(failure) if upload.may_be_complete() => Err(Exit::Unconfirmed(failure.message)),
            ChunkOutcome::Rejected(failure) => Err(Exit::Fail(failure)),
        }
    }

    /// Abandons an upload whose URL TikTok no longer accepts. TikTok is asked for the status first: the publish may be
    /// complete, or may have failed, and then the report has the reason.
    async fn url_rejected(
        &self,
        leased: &mut LeasedPost<'_>,
        upload: &Upload,
        refusal: &Failure,
    ) -> Result<Next, Exit> {
        let (id, publish_id) = (&leased.post().id, &upload.publish_id);
        tracing::warn!(post.id = %id, publish.id = %publish_id, why = %refusal, "upload URL rejected");
        match self.fetch_report(leased, upload).await {
            Ok(report) => match self.decide(upload, &report, TrustOffset::Further) {
                Reconciled::Ended => return Err(Exit::Reported(Box::new(report))),
                Reconciled::AllThere => return Err(Exit::Sent),
                Reconciled::SendFrom(_) | Reconciled::Abandon | Reconciled::Wait => {}
            },
            // TikTok refuses the status call too, so the rejected URL decides alone.
            Err(Exit::Fail(_)) => {}
            Err(exit) => return Err(exit),
        }
        if upload.may_be_complete() {
            return Err(Exit::Unconfirmed(refusal.message.clone()));
        }
        self.abandon(leased, &refusal.message).await.map(|()| Next::Continue(Progress::Known))
    }
}

/// Logs how far the upload is, its rate, and how long it will take.
fn log_progress(post: &Post, chunk: Chunk) {
    let Some(upload) = post.upload() else { return };
    tracing::info!(
        post.id = %post.id, chunk.index = chunk.index, upload.offset = upload.offset,
        video.bytes = upload.plan.size().bytes(),
        upload.bytes_per_s = upload.rate.map(Rate::bytes_per_second),
        upload.eta_s = upload.eta().map(|eta| eta.as_secs()), "chunk accepted"
    );
}
