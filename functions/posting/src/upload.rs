//! Sends a post's video to TikTok.
//!
//! A worker claims the post, begins an upload or continues the post's current upload, and sends chunk after chunk. A
//! worker may die at any moment. The next worker derives from the stored post what can have happened:
//!
//! | the post has | what the next worker does |
//! |---|---|
//! | no upload | TikTok may know an upload, but has no bytes of it: the worker begins a new upload |
//! | an upload without the commit mark | TikTok has as many bytes as the post says, or more, but not the last chunk: the worker asks TikTok for its offset, and continues the same publish there |
//! | an upload with the commit mark | TikTok may have every byte: the worker asks TikTok, and begins no new upload on a guess, which could post the video twice |
//! | the state `Processing` | TikTok may have every byte: the post is not claimed, and `poller` polls TikTok |
//!
//! What is stored when (`Upload::last_chunk` is the commit mark):
//!
//! | what | is stored |
//! |---|---|
//! | publish id, upload URL and chunk plan | before the first byte is sent |
//! | the offset after an accepted chunk | while the next chunk is sent, and before its answer is processed; at most once a second |
//! | the commit mark: the last chunk may have been sent | before its first byte is sent, together with the offset |
//!
//! Sending does not wait for the database. TikTok is ahead of the stored offset by at most the bytes of one second, one
//! chunk, and a part of another. If a write during a chunk is refused, or the lease expires during the write, the
//! worker aborts the chunk at once ([`LeasedPost::run_renewing`]).
//!
//! Every way to stop is an [`Exit`], which [`conclusion`] turns into the post's next state.

mod begin;
mod conclusion;
mod inputs;
mod leased_post;
mod options;
mod react;
mod reconcile;
mod send;
mod session;
mod throughput_estimate;

use std::convert::Infallible;
use std::time::Duration;

use domain::identity::PostId;
use domain::post::{Post, TrustOffset};
use domain::reason::Reason;
use futures::join;
use storage::{Posts, StoreError, Versioned};
use tracing::Instrument;

pub use conclusion::WorkOutcome;

use crate::account_queue::AccountQueue;
use crate::compare_and_swap::{Change, update};
use crate::exit::Exit;
use crate::invocation::{Instruments, Worker};
use crate::state_recorder::span_of;
use begin::UploadStarter;
use conclusion::Conclusion;
use leased_post::LeasedPost;
use reconcile::Reconciler;
use send::ChunkSender;
use session::{Progress, UploadSession};

/// How often one invocation asks TikTok for an upload's offset, or goes back to an earlier offset, before the post is
/// deferred.
const MAX_RESYNCS: u32 = 6;

from_dependencies! {
    /// Works on posts: claims them and sends their videos.
    pub struct UploadWorker {
        posts: Posts, starter: UploadStarter, reconciler: Reconciler, sender: ChunkSender, conclusion: Conclusion,
        queue: AccountQueue, instruments: Instruments,
    }
}

impl UploadWorker {
    /// Works on a post until it is sent, fails, or must wait.
    ///
    /// # Errors
    /// The database could not be read or written. The post is as it was stored last. Its lease expires, and then it is
    /// due again.
    pub async fn upload(&self, id: &PostId, worker: &Worker) -> Result<WorkOutcome, StoreError> {
        // Claiming is retried after a conflict: perhaps the poller only stored the due time after it woke a worker.
        let claimed = update(
            None,
            || async move { self.posts.get(id).await },
            |post: Option<Versioned<Post>>| {
                let Some(post) = post else {
                    tracing::warn!(post.id = %id, "message ignored: post not found");
                    return Ok(Change::Stop(Err(WorkOutcome::NotFound)));
                };
                Ok(match post.value.clone().claim(&worker.name, self.instruments.now()) {
                    Ok(claimed) => Change::Save((post, claimed)),
                    Err(why) => {
                        span_of(&post).in_scope(|| tracing::info!(post.id = %id, why = %why, "post not claimed"));
                        Change::Stop(Err(WorkOutcome::NotClaimable(why)))
                    }
                })
            },
            |(post, claimed): (Versioned<Post>, Post)| async move {
                self.posts.save(post, claimed, self.instruments.now()).await.map(Ok)
            },
        );
        match Box::pin(claimed).await? {
            Some(Ok(post)) => self.work_on_claimed(post, worker).await,
            Some(Err(outcome)) => Ok(outcome),
            None => Ok(WorkOutcome::LeaseLost),
        }
    }

    /// Works on a post that this worker has claimed.
    pub(crate) async fn work_on_claimed(
        &self,
        post: Versioned<Post>,
        worker: &Worker,
    ) -> Result<WorkOutcome, StoreError> {
        let span = span_of(&post);
        let work = async {
            tracing::info!(post.id = %post.id, account = %post.account, attempt = post.attempt, "post claimed");
            let mut leased = LeasedPost::new(&self.posts, &self.instruments, post, worker);
            let Err(exit) = self.work(&mut leased).await;
            self.conclusion.conclude(leased, exit).await
        };
        Box::pin(work).instrument(span).await
    }

    /// Begins or continues the upload until it cannot continue in this invocation.
    async fn work(&self, leased: &mut LeasedPost<'_>) -> Result<Infallible, Exit> {
        let mut progress = Progress::Unverified(TrustOffset::Further);
        let mut session = UploadSession::default();
        let mut resyncs = 0;
        loop {
            let Some(upload) = leased.post().upload().cloned() else {
                Box::pin(self.starter.begin(leased, &mut session)).await?;
                // While the first chunk is sent, the next post of the account's queue is woken.
                let upload = leased.upload()?;
                let (alias, mode) = (leased.post().account.clone(), leased.post().mode());
                let send = Box::pin(self.sender.send(leased, &upload, &mut session));
                progress = join!(send, Box::pin(self.queue.wake_next(&alias, mode))).0?;
                continue;
            };
            if progress != Progress::Known {
                resyncs += 1;
                if resyncs > MAX_RESYNCS {
                    let message = "the upload was interrupted too often";
                    return Err(Exit::defer(Reason::UploadInterrupted, message, Duration::from_secs(30)));
                }
                if let Progress::Unverified(trust) = progress {
                    self.reconciler.reconcile(leased, &upload, trust).await?;
                }
                progress = Progress::Known;
                continue;
            }
            progress = self.sender.send(leased, &upload, &mut session).await?;
        }
    }
}
