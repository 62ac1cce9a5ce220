//! Uploading: a claimed post goes to TikTok, as far as it can.
//!
//! A worker claims the post, begins an upload or goes on with the one under
//! way, and sends chunk after chunk, the bucket being read ahead meanwhile. At
//! any moment a worker may vanish, and the next one knows from the post alone
//! what can have happened:
//!
//! | the post says | then |
//! |---|---|
//! | no upload | TikTok may know of an init, and it has no bytes: begin |
//! | an upload | TikTok has as much, or more, but not the last chunk: ask it, then go on there with the same publish |
//! | the same, and that the last chunk may have left | TikTok may have every byte: ask it, and begin nothing anew on a guess |
//! | processing | every byte may be there: only TikTok's word counts |
//!
//! What is stored when:
//!
//! | what | is stored |
//! |---|---|
//! | publish id, URL and plan | before the first byte leaves |
//! | that TikTok accepted a chunk | while the next one leaves, before that one's answer is looked at; where chunks take less than a second, once a second |
//! | that the last chunk may have left | before its first byte leaves, with all that was accepted |
//!
//! So the bytes do not wait for the database, and get no further ahead of it than
//! by what goes in a second, one chunk, and a part of another. Where the write beside a chunk is refused, or the lease runs out
//! over it, that chunk is broken off at once ([`LeasedPost::during`]).
//!
//! Whatever ends the work is a [`Exit`], and `conclude` turns it into the
//! post's next state.

mod begin;
mod conclude;
mod leased_post;
mod react;
mod send;
mod throughput_estimate;

use std::time::Duration;

use domain::failure::backoff;
use domain::identity::PostId;
use domain::post::{NotClaimable, Post, Reconciled, StateName, TrustOffset, reconcile};
use domain::rate_limit::CallKind;
use domain::report::StatusReport;
use domain::upload::Upload;
use futures::join;
use storage::{SaveError, StoreError, Versioned};
use tracing::Instrument;

use crate::exit::Exit;
use crate::posting::{Posting, Worker};
use crate::record_state::span_of;
use leased_post::LeasedPost;
use send::{Sending, under_way};
use throughput_estimate::ThroughputEstimate;

/// What became of a post that was to be worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Worked {
    /// There is no such post.
    Unknown,
    /// It cannot be worked on now: a second bell, or an early one.
    NotNow(NotClaimable),
    /// Somebody else has it now.
    LeaseLost,
    /// Work on it rests, and the post says where it stands.
    Rests(StateName),
}

/// How often in one invocation an upload's progress may be in doubt.
const MOST_DOUBTS: u32 = 6;
/// The least that an upload URL must live for more bytes to be sent to it.
const URL_NEEDED: Duration = Duration::from_secs(15);

/// TikTok's code for a publish that it does not know.
const UNKNOWN_PUBLISH: &str = "invalid_publish_id";

/// How often a post is read again where its bell's own note overtook the claim.
const CLAIM_TRIES: u32 = 4;

/// Whether the stored offset is known to be TikTok's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Known,
    /// TikTok named an earlier one than it had acknowledged; it may do so again.
    Rewound,
    /// TikTok must be asked; which position is believed then.
    Unverified(TrustOffset),
}

impl Posting {
    /// Works on a post until it rests.
    ///
    /// # Errors
    /// The database could not be read or written. The post is as it was
    /// stored last; its lease runs out, and it is due again.
    pub async fn upload(&self, id: &PostId, worker: &Worker) -> Result<Worked, StoreError> {
        for _ in 0..CLAIM_TRIES {
            let Some(kept) = self.posts.get(id).await? else {
                tracing::warn!(post.id = %id, "bell ignored: there is no such post");
                return Ok(Worked::Unknown);
            };
            let claimed = match kept.value.clone().claim(&worker.name, self.now()) {
                Ok(claimed) => claimed,
                Err(why) => {
                    span_of(&kept).in_scope(|| tracing::info!(post.id = %id, why = %why, "not worked on now"));
                    return Ok(Worked::NotNow(why));
                }
            };
            match self.posts.save(kept, claimed, self.now()).await {
                Ok(kept) => return Box::pin(self.work_claimed(kept, worker)).await,
                // Whoever wrote may only have noted that the bell was rung.
                Err(SaveError::Conflict) => {}
                Err(SaveError::Store(error)) => return Err(error),
            }
        }
        Ok(Worked::LeaseLost)
    }

    pub(crate) async fn work_claimed(&self, kept: Versioned<Post>, worker: &Worker) -> Result<Worked, StoreError> {
        let span = span_of(&kept);
        let work = async {
            tracing::info!(post.id = %kept.id, account = %kept.account, attempt = kept.attempt, "post claimed");
            let mut leased = LeasedPost::new(self, kept, worker);
            let Err(stop) = self.work(&mut leased).await;
            self.conclude(leased, stop).await
        };
        Box::pin(work).instrument(span).await
    }

    async fn work(&self, leased: &mut LeasedPost<'_>) -> Result<std::convert::Infallible, Exit> {
        let mut progress = Progress::Unverified(TrustOffset::Further);
        let mut sending = Sending::default();
        let mut doubts = 0;
        loop {
            let Some(upload) = leased.post().upload().cloned() else {
                Box::pin(self.begin(leased, &mut sending)).await?;
                progress = self.send_first(leased, &mut sending).await?;
                continue;
            };
            if progress != Progress::Known {
                doubts += 1;
                if doubts > MOST_DOUBTS {
                    let message = "the upload broke off too often";
                    return Err(Exit::defer("upload_interrupted", message, Duration::from_secs(30)));
                }
                if let Progress::Unverified(believe) = progress {
                    self.reconcile(leased, &upload, believe).await?;
                }
                progress = Progress::Known;
                continue;
            }
            progress = self.send(leased, &upload, &mut sending).await?;
        }
    }

    /// Sends the first chunk of an upload that was just begun. Whoever stands next
    /// in the account's line is called up meanwhile.
    async fn send_first(&self, leased: &mut LeasedPost<'_>, sending: &mut Sending) -> Result<Progress, Exit> {
        let upload = under_way(leased)?;
        let (alias, mode) = (leased.post().account.clone(), leased.post().mode());
        join!(Box::pin(self.send(leased, &upload, sending)), Box::pin(self.wake_next(&alias, mode))).0
    }

    /// Asks TikTok how far an upload is, and brings the post in line with it.
    async fn reconcile(&self, leased: &mut LeasedPost<'_>, upload: &Upload, believe: TrustOffset) -> Result<(), Exit> {
        let report = match self.report_of(leased, upload).await {
            Ok(report) => report,
            Err(Exit::Fail(failure)) if failure.reason.code() == UNKNOWN_PUBLISH && !upload.may_be_complete() => {
                return self.begin_anew(leased, "TikTok does not know it any more").await;
            }
            Err(Exit::Fail(failure)) if upload.may_be_complete() => return Err(Exit::Unconfirmed(failure.message)),
            Err(stop) => return Err(stop),
        };
        let now = self.now();
        let decided = reconcile(upload, &report, believe, now, URL_NEEDED);
        tracing::info!(
            post.id = %leased.post().id, publish.id = %upload.publish_id, upload.offset = upload.offset,
            tiktok.uploaded = report.uploaded, tiktok.status = ?report.status, decision = ?decided,
            "upload compared with TikTok"
        );
        match decided {
            Reconciled::SendFrom(offset) if offset == upload.offset => Ok(()),
            Reconciled::SendFrom(offset) => leased.save(leased.post().clone().progress(offset, None, now)?).await,
            Reconciled::Abandon => self.begin_anew(leased, "its URL does not live long enough").await,
            Reconciled::AllThere => Err(Exit::Sent),
            Reconciled::Ended => Err(Exit::Reported(Box::new(report))),
            Reconciled::Wait => Err(Exit::Unconfirmed("the upload's hour is over".to_owned())),
        }
    }

    async fn report_of(&self, leased: &LeasedPost<'_>, upload: &Upload) -> Result<StatusReport, Exit> {
        let id = &upload.publish_id;
        let ask = async |token| self.tiktok.fetch_status(&token, id).await;
        self.rate_limited(CallKind::StatusFetch, &leased.post().account, leased.worker(), ask).await
    }

    /// Gives an upload up that cannot have ended, and has the post wait a
    /// little before the next one: longer, the more there were.
    async fn begin_anew(&self, leased: &mut LeasedPost<'_>, why: &str) -> Result<(), Exit> {
        let post = leased.post().clone();
        let wait = backoff(post.inits);
        leased.save(post.abandon(self.now(), why)?).await?;
        Err(Exit::defer("upload_abandoned", format!("the upload was given up: {why}"), wait))
    }
}
