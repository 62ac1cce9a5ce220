//! The stored counters of TikTok's limits: read, and changed by compare-and-swap.

use std::time::Duration;

use domain::identity::Alias;
use domain::options::Mode;
use domain::rate_limit::{Posted, PostingUsers, UploadQuota, Wait};
use domain::reason::Reason;
use futures::try_join;
use jiff::Timestamp;
use storage::{Counter, LimitKey, Limits, StoreError, StoredCounter};

use crate::compare_and_swap::{Change, update};
use crate::exit::Exit;
use crate::invocation::Instruments;

/// The wait of a worker that could not write a counter because of other workers.
const CONTENDED_WAIT: Duration = Duration::from_secs(5);

/// The counters that decide whether an upload may begin.
pub(crate) struct AccountLimits {
    pub(crate) mode: Mode,
    /// The account's uploads in this mode.
    pub(crate) quota: StoredCounter<UploadQuota>,
    /// The app's posting users; only for direct posts.
    pub(crate) users: Option<StoredCounter<PostingUsers>>,
}

from_dependencies! {
    pub(crate) struct LimitStore { limits: Limits, instruments: Instruments, }
}

impl LimitStore {
    /// Reads the counters for an account's uploads in a mode.
    pub(super) async fn read(&self, alias: &Alias, mode: Mode) -> Result<AccountLimits, StoreError> {
        let users = async {
            match mode {
                Mode::Direct => self.limits.get(LimitKey::posting_users()).await.map(Some),
                Mode::Draft => Ok(None),
            }
        };
        let (quota, users) = try_join!(self.limits.get(LimitKey::upload_quota(alias, mode)), users)?;
        Ok(AccountLimits { mode, quota, users })
    }

    /// Changes a counter. `change` returns `None` if nothing needs to be written.
    pub(super) async fn change<C: Counter>(
        &self,
        key: LimitKey,
        change: impl FnMut(&C) -> Result<Option<C>, Exit>,
    ) -> Result<(), Exit> {
        self.change_read(None, key, change).await
    }

    /// Changes a counter that may have been read shortly before; it is then not read again before the first write.
    pub(super) async fn change_read<C: Counter>(
        &self,
        read: Option<StoredCounter<C>>,
        key: LimitKey,
        mut change: impl FnMut(&C) -> Result<Option<C>, Exit>,
    ) -> Result<(), Exit> {
        let changed = update(
            read,
            || async { Ok(self.limits.get(key.clone()).await?) },
            |counter: StoredCounter<C>| {
                let next = change(&counter.value)?;
                Ok::<_, Exit>(next.map_or(Change::Stop(()), |next| Change::Save((counter, next))))
            },
            |(counter, next): (StoredCounter<C>, C)| async move {
                self.limits.save(counter, &next, self.instruments.now()).await
            },
        );
        changed.await?.ok_or_else(|| {
            let message = "many workers change the account's limits at the same time".to_owned();
            let until = self.instruments.now() + CONTENDED_WAIT;
            Exit::rate_limited(Wait { reason: Reason::RateLimitContended, message, until })
        })
    }
}

/// Whether an account has posted directly within a day.
pub(super) fn has_posted(quota: &UploadQuota, now: Timestamp) -> Posted {
    if quota.has_posted(now) { Posted::Today } else { Posted::NotToday }
}
