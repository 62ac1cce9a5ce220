//! What TikTok's answer to a chunk leads to.

use std::time::Duration;

use domain::chunk::Chunk;
use domain::failure::Failure;
use domain::post::{Post, Reconciled, TrustOffset, reconcile};
use domain::rate::Rate;
use domain::upload::Upload;
use tiktok::ChunkOutcome;

use super::send::under_way;
use super::{LeasedPost, Progress, ThroughputEstimate, URL_NEEDED};
use crate::exit::Exit;
use crate::measure::Measurement;
use crate::posting::Posting;

/// How an upload goes on.
pub(super) enum Next {
    /// With the same chunk, after a wait.
    Again(Duration),
    /// With whatever the post says is next.
    Rest(Progress),
}

impl Posting {
    pub(super) async fn react(
        &self,
        leased: &mut LeasedPost<'_>,
        chunk: Chunk,
        outcome: ChunkOutcome,
        pace: &ThroughputEstimate,
    ) -> Result<Next, Exit> {
        let upload = under_way(leased)?;
        let post = leased.post();
        let (id, total) = (post.id.clone(), upload.plan.size().bytes());
        match outcome {
            ChunkOutcome::Complete => {
                tracing::info!(
                    post.id = %id, publish.id = %upload.publish_id, upload.offset = total, video.bytes = total,
                    upload.bytes_per_s = pace.rate().map(Rate::bytes_per_second), "last chunk accepted"
                );
                if let Some(rate) = pace.rate() {
                    self.measure(&Measurement::sent(post, rate));
                }
                Err(Exit::Sent)
            }
            ChunkOutcome::Accepted { .. } if chunk.end() < total => {
                let next = post.clone().progress(chunk.end(), pace.rate(), self.now())?;
                tell_progress(&next, chunk);
                leased.checkpoint(next);
                Ok(Next::Rest(Progress::Known))
            }
            // TikTok wants more than there is: ask what it has.
            ChunkOutcome::Accepted { .. } => Ok(Next::Rest(Progress::Unverified(TrustOffset::Further))),
            ChunkOutcome::Resync { uploaded } => match uploaded.and_then(|at| upload.plan.boundary_of(at)) {
                Some(at) if at < total && at != upload.offset => {
                    tracing::warn!(post.id = %id, upload.offset = at, "TikTok names another position: going on there");
                    leased.save(post.clone().progress(at, None, self.now())?).await?;
                    Ok(Next::Rest(if at < upload.offset { Progress::Rewound } else { Progress::Known }))
                }
                _ => Ok(Next::Rest(Progress::Unverified(TrustOffset::StatusReport))),
            },
            ChunkOutcome::Retry { after, why } => {
                tracing::warn!(post.id = %id, chunk.index = chunk.index, %why, "chunk not taken: sending it again");
                Ok(Next::Again(after))
            }
            ChunkOutcome::Unknown { why } => {
                tracing::warn!(post.id = %id, chunk.index = chunk.index, %why, "chunk unanswered: asking TikTok");
                Ok(Next::Rest(Progress::Unverified(TrustOffset::Further)))
            }
            ChunkOutcome::SourceFailed(fault) => {
                Err(Exit::defer("source_unreadable", fault.to_string(), Duration::from_secs(2)))
            }
            ChunkOutcome::UrlRejected(why) => self.dead(leased, &upload, &why).await,
            ChunkOutcome::Rejected(failure) if upload.may_be_complete() => Err(Exit::Unconfirmed(failure.message)),
            ChunkOutcome::Rejected(failure) => Err(Exit::Fail(failure)),
        }
    }

    /// TikTok takes nothing more at the upload's URL. It is asked first how the
    /// publish stands: it may have come to an end, and say why.
    async fn dead(&self, leased: &mut LeasedPost<'_>, upload: &Upload, refusal: &Failure) -> Result<Next, Exit> {
        tracing::warn!(post.id = %leased.post().id, publish.id = %upload.publish_id, why = %refusal, "upload refused");
        let report = self.report_of(leased, upload).await;
        match report.as_ref().map(|report| reconcile(upload, report, TrustOffset::Further, self.now(), URL_NEEDED)) {
            Ok(Reconciled::Ended) => {
                return Err(report.map_or_else(|stop| stop, |report| Exit::Reported(Box::new(report))));
            }
            Ok(Reconciled::AllThere) => return Err(Exit::Sent),
            Ok(Reconciled::SendFrom(_) | Reconciled::Abandon | Reconciled::Wait) | Err(Exit::Fail(_)) => {}
            Err(_) => return Err(report.err().unwrap_or(Exit::LeaseLost)),
        }
        if upload.may_be_complete() {
            return Err(Exit::Unconfirmed(refusal.message.clone()));
        }
        self.begin_anew(leased, &refusal.message).await.map(|()| Next::Rest(Progress::Known))
    }
}

/// Says how far the upload is, how fast it goes, and how long it will take.
fn tell_progress(post: &Post, chunk: Chunk) {
    let Some(upload) = post.upload() else { return };
    tracing::info!(
        post.id = %post.id, chunk.index = chunk.index, upload.offset = upload.offset,
        video.bytes = upload.plan.size().bytes(),
        upload.bytes_per_s = upload.rate.map(Rate::bytes_per_second),
        upload.eta_s = upload.eta().map(|eta| eta.as_secs()), "chunk accepted"
    );
}
