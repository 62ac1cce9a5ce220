//! Reconciles an upload with TikTok: asks TikTok how many bytes it has, and corrects the post.

use domain::failure::backoff;
use domain::post::{Reconciled, TrustOffset, reconcile};
use domain::reason::Reason;
use domain::report::StatusReport;
use domain::upload::Upload;

use super::leased_post::LeasedPost;
use super::session::MIN_URL_LIFETIME;
use crate::exit::Exit;
use crate::invocation::Instruments;
use crate::limited_calls::LimitedCalls;

/// TikTok's code for a publish that it does not know.
const UNKNOWN_PUBLISH: &str = "invalid_publish_id";

from_dependencies! {
    pub(crate) struct Reconciler { calls: LimitedCalls, instruments: Instruments, }
}

impl Reconciler {
    /// Asks TikTok for an upload's offset; stores it or abandons the upload, as `domain::post::reconcile` decides.
    pub(super) async fn reconcile(
        &self,
        leased: &mut LeasedPost<'_>,
        upload: &Upload,
        trust: TrustOffset,
    ) -> Result<(), Exit> {
        let report = match self.fetch_report(leased, upload).await {
            Ok(report) => report,
            Err(Exit::Fail(failure)) if failure.reason.code() == UNKNOWN_PUBLISH && !upload.may_be_complete() => {
                return self.abandon(leased, "TikTok does not know it any more").await;
            }
            Err(Exit::Fail(failure)) if upload.may_be_complete() => return Err(Exit::Unconfirmed(failure.message)),
            Err(exit) => return Err(exit),
        };
        let decision = self.decide(upload, &report, trust);
        tracing::info!(
            post.id = %leased.post().id, publish.id = %upload.publish_id, upload.offset = upload.offset,
            tiktok.uploaded = report.uploaded, tiktok.status = ?report.status, decision = ?decision,
            "upload reconciled with TikTok"
        );
        match decision {
            Reconciled::SendFrom(offset) if offset == upload.offset => Ok(()),
            Reconciled::SendFrom(offset) => {
                let now = self.instruments.now();
                leased.save(leased.post().clone().progress(offset, None, now)?).await
            }
            Reconciled::Abandon => self.abandon(leased, "its URL expires too soon").await,
            Reconciled::AllThere => Err(Exit::Sent),
            Reconciled::Ended => Err(Exit::Reported(Box::new(report))),
            Reconciled::Wait => Err(Exit::Unconfirmed("the upload's URL has expired".to_owned())),
        }
    }

    /// Decides how an upload continues after TikTok's report.
    pub(super) fn decide(&self, upload: &Upload, report: &StatusReport, trust: TrustOffset) -> Reconciled {
        reconcile(upload, report, trust, self.instruments.now(), MIN_URL_LIFETIME)
    }

    pub(super) async fn fetch_report(&self, leased: &LeasedPost<'_>, upload: &Upload) -> Result<StatusReport, Exit> {
        self.calls.report(&upload.publish_id, &leased.post().account, leased.worker()).await
    }

    /// Abandons an upload that TikTok cannot have completed, and defers the post; the next worker begins a new upload.
    /// The wait grows with the number of uploads. Always returns an error.
    pub(super) async fn abandon(&self, leased: &mut LeasedPost<'_>, why: &str) -> Result<(), Exit> {
        let post = leased.post().clone();
        let wait = backoff(post.inits);
        leased.save(post.abandon(self.instruments.now(), why)?).await?;
        Err(Exit::defer(Reason::UploadAbandoned, format!("the upload was abandoned: {why}"), wait))
    }
}
