//! The line, worked: whether it is a post's turn, and who is called up next.
//!
//! Nobody keeps the line. Each worker reads it where it needs to: before an
//! upload is begun, and after a post has left it, so that the next one is not
//! left to sleep for longer than it has to.

use domain::failure::error_chain;
use domain::identity::Alias;
use domain::options::Mode;
use domain::post::Post;
use domain::rate_limit::{QueuePosition, UploadQuota};
use storage::{QueueEntry, SaveError, StoreError};

use crate::exit::Exit;
use crate::posting::Posting;
use crate::rate_limit::AccountLimits;

impl Posting {
    /// Makes sure that it is a post's turn, in its account's line up to it.
    ///
    /// # Errors
    /// It is not; or a book cannot be read.
    pub(crate) async fn await_turn(&self, post: &Post, mode: Mode, line: &[QueueEntry]) -> Result<AccountLimits, Exit> {
        let books = self.books(&post.account, mode).await?;
        let before = |other: &&QueueEntry| (other.dropped_at, &other.id) < (post.dropped_at, &post.id);
        let mut ahead = self.waiting(line, mode, &books.turns.value).filter(before);
        let head = ahead.next();
        let ahead = QueuePosition {
            posts: head.map_or(0, |_| 1) + ahead.count(),
            head_not_before: head.and_then(|head| head.queue_not_before),
        };
        self.has_room(&post.account, &books, ahead).map_err(Exit::rate_limited)?;
        Ok(books)
    }

    /// Calls up whoever stands first in an account's line, where the turn comes
    /// sooner than they were told: of one mode, or of both after a post whose mode
    /// nobody knew. Where that fails they come when they were told.
    pub(crate) async fn wake_next(&self, alias: &Alias, mode: Option<Mode>) {
        if let Err(error) = self.try_wake_next(alias, mode).await {
            tracing::warn!(account = %alias, error = error_chain(&error), "the next post was not called up: it comes by itself");
        }
    }

    async fn try_wake_next(&self, alias: &Alias, only: Option<Mode>) -> Result<(), StoreError> {
        let line = self.posts.front_of_account_queue(alias, only).await?;
        for mode in [Mode::Direct, Mode::Draft] {
            if only.is_some_and(|only| only != mode) || !line.iter().any(|post| post.mode == Some(mode)) {
                continue;
            }
            let books = self.books(alias, mode).await?;
            // One whose options nobody has read yet is on its way, and speaks for itself.
            if let Some(head) =
                self.waiting(&line, mode, &books.turns.value).next().filter(|head| head.mode == Some(mode))
            {
                let room = self.has_room(alias, &books, QueuePosition::default());
                self.wake(head, room.map_or_else(|wait| wait.until, |()| self.now())).await?;
            }
        }
        Ok(())
    }

    async fn wake(&self, head: &QueueEntry, at: jiff::Timestamp) -> Result<(), StoreError> {
        let Some(kept) = self.posts.get(&head.id).await? else { return Ok(()) };
        let Some(called) = kept.value.clone().woken_early(at) else { return Ok(()) };
        match self.posts.save(kept, called, self.now()).await {
            Ok(_) => {}
            // Somebody has it, and tells it when its turn is.
            Err(SaveError::Conflict) => return Ok(()),
            Err(SaveError::Store(error)) => return Err(error),
        }
        if at <= self.now() {
            tracing::info!(post.id = %head.id, "the post's turn has come: called up");
            if let Err(error) = self.wake_queue.wake(&head.id).await {
                tracing::warn!(post.id = %head.id, error = error_chain(&error), "bell not rung: the post is due and will be found");
            }
        }
        Ok(())
    }

    /// Those of a line that wait for this mode's turn, or may.
    fn waiting<'a>(
        &self,
        line: &'a [QueueEntry],
        mode: Mode,
        turns: &'a UploadQuota,
    ) -> impl Iterator<Item = &'a QueueEntry> {
        let now = self.now();
        line.iter()
            .filter(move |post| post.mode.is_none_or(|theirs| theirs == mode) && !turns.has_reserved(&post.id, now))
    }
}
