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
//! over it, that chunk is broken off at once ([`Hold::during`]).
//!
//! Whatever ends the work is a [`Stop`], and `conclude` turns it into the
//! post's next state.

mod begin;
mod conclude;
mod hold;
mod pace;
mod react;
mod send;

use std::time::Duration;

use domain::budget::CallKind;
use domain::failure::backoff;
use domain::identity::PostId;
use domain::post::{Believe, NotClaimable, Post, Reconciled, StateName, reconcile};
use domain::report::Report;
use domain::upload::Upload;
use futures::join;
use storage::{Kept, SaveError, StoreError};
use tracing::Instrument;

use crate::announce::span_of;
use crate::posting::{Posting, Worker};
use crate::stop::Stop;
use hold::Hold;
use pace::Pace;
use send::{Sending, under_way};

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
    TakenBack,
    /// TikTok must be asked; which position is believed then.
    Doubtful(Believe),
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
                Err(SaveError::Overtaken) => {}
                Err(SaveError::Store(error)) => return Err(error),
            }
        }
        Ok(Worked::Overtaken)
    }

    pub(crate) async fn work_claimed(&self, kept: Kept<Post>, worker: &Worker) -> Result<Worked, StoreError> {
        let span = span_of(&kept);
        let work = async {
            tracing::info!(post.id = %kept.id, account = %kept.account, attempt = kept.attempt, "post claimed");
            let mut hold = Hold::new(self, kept, worker);
            let Err(stop) = self.work(&mut hold).await;
            self.conclude(hold, stop).await
        };
        Box::pin(work).instrument(span).await
    }

    async fn work(&self, hold: &mut Hold<'_>) -> Result<std::convert::Infallible, Stop> {
        let mut progress = Progress::Doubtful(Believe::Further);
        let mut sending = Sending::default();
        let mut doubts = 0;
        loop {
            let Some(upload) = hold.post().upload().cloned() else {
                Box::pin(self.begin(hold, &mut sending)).await?;
                progress = self.send_first(hold, &mut sending).await?;
                continue;
            };
            if progress != Progress::Known {
                doubts += 1;
                if doubts > MOST_DOUBTS {
                    let message = "the upload broke off too often";
                    return Err(Stop::wait("upload_unsteady", message, Duration::from_secs(30)));
                }
                if let Progress::Doubtful(believe) = progress {
                    self.reconcile(hold, &upload, believe).await?;
                }
                progress = Progress::Known;
                continue;
            }
            progress = self.send(hold, &upload, &mut sending).await?;
        }
    }

    /// Sends the first chunk of an upload that was just begun. Whoever stands next
    /// in the account's line is called up meanwhile.
    async fn send_first(&self, hold: &mut Hold<'_>, sending: &mut Sending) -> Result<Progress, Stop> {
        let upload = under_way(hold)?;
        let (alias, mode) = (hold.post().account.clone(), hold.post().mode());
        join!(Box::pin(self.send(hold, &upload, sending)), Box::pin(self.call_up(&alias, mode))).0
    }

    /// Asks TikTok how far an upload is, and brings the post in line with it.
    async fn reconcile(&self, hold: &mut Hold<'_>, upload: &Upload, believe: Believe) -> Result<(), Stop> {
        let report = match self.report_of(hold, upload).await {
            Ok(report) => report,
            Err(Stop::Fail(failure)) if failure.code == UNKNOWN_PUBLISH && !upload.may_be_complete() => {
                return self.begin_anew(hold, "TikTok does not know it any more").await;
            }
            Err(Stop::Fail(failure)) if upload.may_be_complete() => return Err(Stop::Unsure(failure.message)),
            Err(stop) => return Err(stop),
        };
        let now = self.now();
        let decided = reconcile(upload, &report, believe, now, URL_NEEDED);
        tracing::info!(
            post.id = %hold.post().id, publish.id = %upload.publish_id, upload.offset = upload.offset,
            tiktok.uploaded = report.uploaded, tiktok.standing = ?report.standing, decision = ?decided,
            "upload compared with TikTok"
        );
        match decided {
            Reconciled::SendFrom(offset) if offset == upload.offset => Ok(()),
            Reconciled::SendFrom(offset) => hold.save(hold.post().clone().progress(offset, None, now)?).await,
            Reconciled::Abandon => self.begin_anew(hold, "its URL does not live long enough").await,
            Reconciled::AllThere => Err(Stop::Sent),
            Reconciled::Ended => Err(Stop::Verdict(Box::new(report))),
            Reconciled::Wait => Err(Stop::Unsure("the upload's hour is over".to_owned())),
        }
    }

    async fn report_of(&self, hold: &Hold<'_>, upload: &Upload) -> Result<Report, Stop> {
        let id = &upload.publish_id;
        let ask = async |token| self.tiktok.report(&token, id).await;
        self.within_minute(CallKind::StatusFetch, &hold.post().account, hold.worker(), ask).await
    }

    /// Gives an upload up that cannot have ended, and has the post wait a
    /// little before the next one: longer, the more there were.
    async fn begin_anew(&self, hold: &mut Hold<'_>, why: &str) -> Result<(), Stop> {
        let post = hold.post().clone();
        let wait = backoff(post.inits);
        hold.save(post.abandon(self.now(), why)?).await?;
        Err(Stop::wait("upload_given_up", format!("the upload was given up: {why}"), wait))
    }
}
