//! What TikTok's answer to a chunk leads to.

use std::time::Duration;

use domain::chunk::Chunk;
use domain::failure::Failure;
use domain::post::{Believe, Post, Reconciled, reconcile};
use domain::rate::Rate;
use domain::upload::Upload;
use tiktok::ChunkOutcome;

use super::send::under_way;
use super::{Hold, Pace, Progress, URL_NEEDED};
use crate::measure::Reading;
use crate::posting::Posting;
use crate::stop::Stop;

/// How an upload goes on.
pub(super) enum Then {
    /// With the same chunk, after a wait.
    Again(Duration),
    /// With whatever the post says is next.
    Rest(Progress),
}

impl Posting {
    pub(super) async fn react(
        &self,
        hold: &mut Hold<'_>,
        chunk: Chunk,
        outcome: ChunkOutcome,
        pace: &Pace,
    ) -> Result<Then, Stop> {
        let upload = under_way(hold)?;
        let post = hold.post();
        let (id, total) = (post.id.clone(), upload.plan.size().bytes());
        match outcome {
            ChunkOutcome::Complete => {
                tracing::info!(
                    post.id = %id, publish.id = %upload.publish_id, upload.offset = total, video.bytes = total,
                    upload.bytes_per_s = pace.rate().map(Rate::bytes_a_second), "last chunk accepted"
                );
                if let Some(rate) = pace.rate() {
                    self.measure(&Reading::sent(post, rate));
                }
                Err(Stop::Sent)
            }
            ChunkOutcome::Accepted { .. } if chunk.end() < total => {
                let next = post.clone().progress(chunk.end(), pace.rate(), self.now())?;
                tell_progress(&next, chunk);
                hold.note(next);
                Ok(Then::Rest(Progress::Known))
            }
            // TikTok wants more than there is: ask what it has.
            ChunkOutcome::Accepted { .. } => Ok(Then::Rest(Progress::Doubtful(Believe::Further))),
            ChunkOutcome::Resync { uploaded } => match uploaded.and_then(|at| upload.plan.boundary_of(at)) {
                Some(at) if at < total && at != upload.offset => {
                    tracing::warn!(post.id = %id, upload.offset = at, "TikTok names another position: going on there");
                    hold.save(post.clone().progress(at, None, self.now())?).await?;
                    Ok(Then::Rest(if at < upload.offset { Progress::TakenBack } else { Progress::Known }))
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

/// Says how far the upload is, how fast it goes, and how long it will take.
fn tell_progress(post: &Post, chunk: Chunk) {
    let Some(upload) = post.upload() else { return };
    tracing::info!(
        post.id = %post.id, chunk.index = chunk.index, upload.offset = upload.offset,
        video.bytes = upload.plan.size().bytes(),
        upload.bytes_per_s = upload.rate.map(Rate::bytes_a_second),
        upload.eta_s = upload.eta().map(|eta| eta.as_secs()), "chunk accepted"
    );
}
