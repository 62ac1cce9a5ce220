//! Checks that a video becomes a second post of an account only on request (`domain::repost_guard`). Releases the posts
//! that are held for an earlier post, if that post has ended without being posted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::content::Content;
use domain::failure::error_chain;
use domain::identity::PostId;
use domain::post::{HoldReason, Post, Repost};
use domain::reason::Reason;
use domain::repost_guard::{Entry, GuardRecord};
use storage::{GuardKey, Posts, RepostGuard, SaveError, StoreError, StoredGuard, Versioned, WakeQueue};

use crate::best_effort::wake_worker;
use crate::compare_and_swap::{Change, unless_conflict, update};
use crate::config::Config;
use crate::exit::Exit;
use crate::invocation::Instruments;

/// How long a record is kept after its newest post no longer blocks others.
const RETENTION: Duration = Duration::from_hours(24);
/// The wait after a record could not be written because other workers changed it at each attempt.
const CONTENDED_WAIT: Duration = Duration::from_secs(5);

from_dependencies! {
    pub(crate) struct RepostCheck {
        posts: Posts, guard: RepostGuard, wake_queue: WakeQueue, config: Arc<Config>, instruments: Instruments,
    }
}

/// A record, and the posts of the same video that it names.
struct Read {
    stored: StoredGuard,
    rivals: BTreeMap<PostId, Post>,
}

impl RepostCheck {
    /// Enters a post among its account's posts, before anything is asked of TikTok. A post that is entered already is
    /// not entered again, so a worker that crashed after this step delays nothing.
    ///
    /// # Errors
    /// [`Exit::Hold`] if the account has another post of the video, and `repost` does not allow this one.
    pub(crate) async fn enter(&self, post: &Post, content: &Content, repost: Repost) -> Result<(), Exit> {
        let Some(term) = self.config.repost_guard else { return Ok(()) };
        let key = GuardKey::new(&post.account, content.bytes);
        // Most videos are new. So the first attempt writes without a read, and reads only after a conflict.
        let unread = || Read { stored: StoredGuard::unread(key.clone()), rivals: BTreeMap::new() };
        let first = (post.attempt <= 1).then(unread);
        let entered = update(
            first,
            || self.read(key.clone(), post, content, term),
            |Read { stored, rivals }| {
                let now = self.instruments.now();
                let (record, entered) = match stored.record.enter(post, content, repost, &rivals, term, now) {
                    Entry::Entered(record) => (record, Ok(())),
                    Entry::SameVideo { earlier, record } => (record, Err(earlier)),
                };
                Ok::<_, Exit>(match record {
                    Some(record) => Change::Save((stored, record, entered)),
                    None => Change::Stop(entered),
                })
            },
            |(stored, record, entered): (StoredGuard, GuardRecord, Result<(), PostId>)| async move {
                self.save(stored, &record, term).await.map(|()| entered)
            },
        );
        let Some(entered) = entered.await? else {
            let message = "many workers enter videos of this size for the account at the same time";
            return Err(Exit::defer(Reason::RateLimitContended, message, CONTENDED_WAIT));
        };
        entered.map_err(|earlier| Exit::Hold(HoldReason::SameVideo { earlier }))
    }

    async fn read(&self, key: GuardKey, post: &Post, content: &Content, term: Duration) -> Result<Read, Exit> {
        let stored = self.guard.get(key).await?;
        let mut rivals = BTreeMap::new();
        for entered in stored.record.rivals(&post.id, content, term, self.instruments.now()) {
            if let Some(rival) = self.posts.get(&entered.post).await? {
                rivals.insert(entered.post.clone(), rival.value);
            }
        }
        Ok(Read { stored, rivals })
    }

    async fn save(&self, stored: StoredGuard, record: &GuardRecord, term: Duration) -> Result<(), SaveError> {
        let newest = record.newest().unwrap_or_else(|| self.instruments.now());
        self.guard.save(stored, record, newest + term + RETENTION).await
    }

    /// Releases the posts that are held for a post, if it has ended without being posted. If this fails, the poller
    /// decides again about each held post, at the latest after an hour.
    pub(crate) async fn after_transition(&self, post: &Post) {
        if let Err(error) = self.try_release(post).await {
            let error = error_chain(&error);
            tracing::warn!(post.id = %post.id, error, "posts of the same video not released: the poller releases them");
        }
    }

    async fn try_release(&self, earlier: &Post) -> Result<(), StoreError> {
        let Some(bytes) = earlier.bytes.filter(|_| self.config.repost_guard.is_some() && earlier.ended_unposted())
        else {
            return Ok(());
        };
        let stored = self.guard.get(GuardKey::new(&earlier.account, bytes)).await?;
        for id in &stored.record.waiting {
            let held = self.posts.get(id).await?.filter(|post| post.earlier_post() == Some(&earlier.id));
            if let Some(held) = held {
                self.recheck_for(held, Some(earlier)).await?;
            }
        }
        Ok(())
    }

    /// Decides again about a due post that is held for the same video as an earlier post. Returns whether it was
    /// released.
    pub(crate) async fn recheck(&self, held: Versioned<Post>) -> Result<bool, StoreError> {
        let Some(earlier) = held.earlier_post() else { return Ok(false) };
        let earlier = self.posts.get(earlier).await?;
        self.recheck_for(held, earlier.as_deref()).await
    }

    async fn recheck_for(&self, held: Versioned<Post>, earlier: Option<&Post>) -> Result<bool, StoreError> {
        let now = self.instruments.now();
        let Ok(next) = held.value.clone().recheck_same_video(earlier, now) else { return Ok(false) };
        // After a conflict, a person has released or cancelled the post.
        let Some(post) = unless_conflict(self.posts.save(held, next, now).await)? else { return Ok(false) };
        let released = post.is_claimable(now);
        if released {
            tracing::info!(post.id = %post.id, "post released: the earlier post of the same video was not posted");
            wake_worker(&self.wake_queue, &post.id).await;
        }
        Ok(released)
    }
}
