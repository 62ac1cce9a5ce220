//! Uploading: a claimed post goes to TikTok, as far as it can.
//!
//! A worker claims the post, begins an upload or goes on with the one under
//! way, and sends chunk after chunk. After each accepted chunk the offset is
//! stored, before the next leaves. So at any moment a worker may vanish, and
//! the next one knows from the post alone what can have happened:
//!
//! | the post says | then |
//! |---|---|
//! | no upload | TikTok may know of an init, and it has no bytes: begin |
//! | an upload | ask TikTok what it has, then go on there with the same publish |
//! | processing | every byte may be there: only TikTok's word counts |
//!
//! Whatever ends the work is a [`Stop`], and `conclude` turns it into the
//! post's next state.

mod begin;
mod conclude;
mod hold;
mod pace;
mod send;

use std::time::Duration;

use domain::identity::PostId;
use domain::post::{NotClaimable, Reconciled, StateName, reconcile};
use domain::upload::Upload;
use storage::{Purpose, SaveError, SealContext, StoreError};
use tiktok::UploadUrl;

use crate::posting::{Posting, Worker};
use crate::stop::Stop;
use hold::Hold;
use pace::Pace;

/// What became of a post that was to be worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Worked {
    /// There is no such post.
    Unknown,
    /// It cannot be worked on now: a second bell, or an early one.
    NotNow(NotClaimable),
    /// Somebody else has it now.
    Overtaken,
    /// Work on it rests, and the post says where it stands.
    Rests(StateName),
}

/// How often in one invocation an upload's progress may have to be asked for.
const MOST_DOUBTS: u32 = 6;
/// The least that an upload URL must live for more bytes to be sent to it.
const URL_NEEDED: Duration = Duration::from_secs(15);

/// TikTok's code for a publish that it does not know.
const UNKNOWN_PUBLISH: &str = "invalid_publish_id";

/// Whether the stored offset is known to be TikTok's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Known,
    Doubtful,
}

impl Posting {
    /// Works on a post until it rests.
    ///
    /// # Errors
    /// The database could not be read or written. The post is as it was
    /// stored last; its lease runs out, and it is due again.
    pub async fn upload(&self, id: &PostId, worker: &Worker) -> Result<Worked, StoreError> {
        let Some(kept) = self.posts.get(id).await? else {
            tracing::warn!(post.id = %id, "bell ignored: there is no such post");
            return Ok(Worked::Unknown);
        };
        let claimed = match kept.value.clone().claim(&worker.name, self.now()) {
            Ok(claimed) => claimed,
            Err(why) => {
                tracing::info!(post.id = %id, why = %why, "not worked on now");
                return Ok(Worked::NotNow(why));
            }
        };
        let kept = match self.posts.save(kept, claimed, self.now()).await {
            Ok(kept) => kept,
            Err(SaveError::Overtaken) => return Ok(Worked::Overtaken),
            Err(SaveError::Store(error)) => return Err(error),
        };
        tracing::info!(post.id = %id, account = %kept.account, attempt = kept.attempt, "post claimed");
        let mut hold = Hold::new(self, kept, worker);
        let Err(stop) = self.work(&mut hold).await;
        self.conclude(hold, stop).await
    }

    async fn work(&self, hold: &mut Hold<'_>) -> Result<std::convert::Infallible, Stop> {
        let mut progress = Progress::Doubtful;
        let mut pace = Pace::default();
        let mut doubts = 0;
        loop {
            let Some(upload) = hold.post().upload().cloned() else {
                self.begin(hold).await?;
                progress = Progress::Known;
                continue;
            };
            if progress == Progress::Doubtful {
                doubts += 1;
                if doubts > MOST_DOUBTS {
                    return Err(Stop::wait(
                        "upload_unsteady",
                        "the upload broke off too often",
                        Duration::from_secs(30),
                    ));
                }
                self.reconcile(hold, &upload).await?;
                progress = Progress::Known;
                continue;
            }
            let url = self.url_of(hold, &upload).await?;
            progress = self.send(hold, &url, &mut pace).await?;
        }
    }

    /// Asks TikTok how far an upload is, and brings the post in line with it.
    async fn reconcile(&self, hold: &mut Hold<'_>, upload: &Upload) -> Result<(), Stop> {
        let id = upload.publish_id.clone();
        let account = hold.post().account.clone();
        let asked = self.with_token(&account, hold.worker(), async |token| self.tiktok.report(&token, &id).await);
        let report = match asked.await {
            Ok(report) => report,
            Err(Stop::Fail(failure)) if failure.code == UNKNOWN_PUBLISH && !upload.may_be_complete() => {
                let abandoned = hold.post().clone().abandon(self.now(), "TikTok does not know it any more")?;
                return hold.save(abandoned).await;
            }
            Err(stop) => return Err(stop),
        };
        let now = self.now();
        let decided = reconcile(upload, &report, now, URL_NEEDED);
        tracing::info!(
            post.id = %hold.post().id, publish.id = %upload.publish_id, upload.offset = upload.offset,
            tiktok.uploaded = report.uploaded, tiktok.standing = ?report.standing, decision = ?decided,
            "upload compared with TikTok"
        );
        match decided {
            Reconciled::SendFrom(offset) => hold.save(hold.post().clone().progress(offset, now)?).await,
            Reconciled::Abandon => {
                hold.save(hold.post().clone().abandon(now, "its URL does not live long enough")?).await
            }
            Reconciled::AllThere => Err(Stop::Sent),
            Reconciled::Ended => Err(Stop::Verdict(Box::new(report))),
            Reconciled::Wait => Err(Stop::Unsure),
        }
    }

    async fn url_of(&self, hold: &Hold<'_>, upload: &Upload) -> Result<UploadUrl, Stop> {
        let context = SealContext::new(Purpose::UploadUrl, &hold.post().account);
        Ok(UploadUrl::restore(self.vault.open(&context, &upload.url).await?))
    }
}
