//! The books, opened and changed.

use std::time::Duration;

use domain::identity::Alias;
use domain::options::Mode;
use domain::rate_limit::{PostingUsers, QueuePosition, UploadQuota, Wait};
use domain::reason::Reason;
use futures::try_join;
use storage::{Counter, LimitKey, SaveError, StoreError, StoredCounter};

use super::has_posted;
use crate::exit::Exit;
use crate::posting::Posting;

/// How often a book is read again that somebody else wrote meanwhile.
const TRIES: u32 = 12;
/// The wait of who never came to write.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// What an upload is held against.
pub(crate) struct AccountLimits {
    pub(super) mode: Mode,
    /// The account's turns.
    pub(crate) turns: StoredCounter<UploadQuota>,
    /// The app's users, where it is a direct post.
    pub(super) users: Option<StoredCounter<PostingUsers>>,
}

impl Posting {
    /// Opens the books that an upload in this mode is held against.
    pub(crate) async fn books(&self, alias: &Alias, mode: Mode) -> Result<AccountLimits, StoreError> {
        let users = async {
            match mode {
                Mode::Direct => self.limits.get(LimitKey::posting_users()).await.map(Some),
                Mode::Draft => Ok(None),
            }
        };
        let (turns, users) = try_join!(self.limits.get(LimitKey::upload_quota(alias, mode)), users)?;
        Ok(AccountLimits { mode, turns, users })
    }

    /// Makes sure that nothing but other posts keeps the account from beginning an
    /// upload now: of its own limits, and the app's.
    pub(crate) fn has_room(&self, alias: &Alias, books: &AccountLimits, ahead: QueuePosition) -> Result<(), Wait> {
        let (now, turns) = (self.now(), &books.turns.value);
        turns.check(self.limits(books.mode), ahead, now)?;
        let admit = |users: &StoredCounter<PostingUsers>| {
            users.value.admit(alias, has_posted(turns, now), self.posting_users, now).map(|_| ())
        };
        books.users.as_ref().map_or(Ok(()), admit)
    }

    /// Changes a book, after whatever others wrote meanwhile.
    pub(super) async fn change<B: Counter>(
        &self,
        key: LimitKey,
        change: impl FnMut(&B) -> Result<Option<B>, Exit>,
    ) -> Result<(), Exit> {
        self.change_read(None, key, change).await
    }

    /// The same of a book that may have been read a moment ago.
    pub(super) async fn change_read<B: Counter>(
        &self,
        mut read: Option<StoredCounter<B>>,
        key: LimitKey,
        mut change: impl FnMut(&B) -> Result<Option<B>, Exit>,
    ) -> Result<(), Exit> {
        for _ in 0..TRIES {
            let opened = match read.take() {
                Some(opened) => opened,
                None => self.limits.get::<B>(key.clone()).await?,
            };
            let Some(next) = change(&opened.value)? else { return Ok(()) };
            match self.limits.save(opened, &next, self.now()).await {
                Ok(()) => return Ok(()),
                Err(SaveError::Conflict) => {}
                Err(SaveError::Store(error)) => return Err(error.into()),
            }
        }
        let message = "many workers use the account's budget at once";
        Err(Exit::rate_limited(Wait {
            reason: Reason::RateLimitContended,
            message: message.to_owned(),
            until: self.now() + BUSY_WAIT,
        }))
    }
}
