//! The posts table.
//!
//! A post is created once, and each later write is conditional on the revision that was read. Five indexes find
//! posts. All are eventually consistent, so an entry can be out of date. Before a caller works on a post, it must read
//! the post by its id, or save it: with an outdated revision the save fails as a conflict.
//!
//! | index | entries | use |
//! |---|---|---|
//! | `due` | posts that have a due time, in eight shards | the poller's next work |
//! | `account_queue` | posts that are in their account's queue | the order of uploads |
//! | `publish` | posts that have a publish id; a post gets one before its first byte is sent | webhooks |
//! | `account` | all posts of an account | a disconnect, a reconnect, lists |
//! | `time` | all posts | lists |

mod account_queue;
mod by_account;
mod by_publish;
mod change;
mod due;
mod listing;
mod record;
mod shard;
mod state_record;

use aws_sdk_dynamodb::Client;
use domain::identity::{Alias, PostId, PublishId};
use domain::listing::{Cursor, PostFilter};
use domain::options::Mode;
use domain::post::Post;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

pub use account_queue::QueueEntry;
pub use change::change_of;
pub use due::{DuePage, PageKey};
pub use shard::Shard;

use crate::table::{Condition, Item, Put, SaveError, StoreError, Table, versioned};
use crate::versioned::{Revision, Versioned};

/// How many posts of a page [`Posts::list`] reads at the same time.
const MAX_CONCURRENT_READS: usize = 16;

/// The outcome of [`Posts::create`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// The post was created.
    New(Versioned<Post>),
    /// The post existed already, because its event was delivered again or late. It is unchanged.
    Already(Versioned<Post>),
}

/// A page of an account's open posts.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenPage {
    /// The posts, the oldest first.
    pub posts: Vec<Versioned<Post>>,
    /// Where the next page begins, if there may be more.
    pub next: Option<PageKey>,
}

/// A page of a list of posts.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The posts, the newest first. A page can be empty although later pages are not.
    pub posts: Vec<Versioned<Post>>,
    /// Where the next page begins, if there may be more.
    pub next: Option<Cursor>,
}

/// The posts table.
#[derive(Debug, Clone)]
pub struct Posts {
    table: Table,
}

impl Posts {
    /// Uses the table with this name.
    pub fn new(client: Client, table_name: impl Into<String>) -> Self {
        Self { table: Table::new(client, table_name.into(), record::KEY) }
    }

    /// Creates a post, unless it exists.
    ///
    /// # Errors
    /// The table cannot be read or written. The post may have been created; a repeated call then returns
    /// [`Created::Already`].
    pub async fn create(&self, post: &Post) -> Result<Created, StoreError> {
        let id = post.id.as_str();
        let item = record::item_of(post, post.created_at).map_err(|error| self.table.invalid(id, error))?;
        match self.table.put(item, Condition::Absent).await? {
            Put::Written(revision) => Ok(Created::New(Versioned::new(post.clone(), revision))),
            Put::ConditionFailed(Some(item)) => self.table.value_of(id, &item).map(Created::Already),
            Put::ConditionFailed(None) => Err(self.table.deleted(id)),
        }
    }

    /// Reads a post with a consistent read.
    pub async fn get(&self, id: &PostId) -> Result<Option<Versioned<Post>>, StoreError> {
        self.table.load(id.as_str()).await
    }

    /// Stores a changed post, unless another writer changed it after it was read.
    ///
    /// # Errors
    /// [`SaveError::Conflict`] if another writer did: the caller must stop, or read the post and decide again. After
    /// any other error with disposition `Retry`, the post may have been stored.
    pub async fn save(
        &self,
        read_revision: impl Into<Revision>,
        post: Post,
        now: Timestamp,
    ) -> Result<Versioned<Post>, SaveError> {
        let item = record::item_of(&post, now);
        self.table.store(Condition::At(read_revision.into()), post, item).await
    }

    /// Finds the posts of a shard that are due, the longest due first, one page at a time. To find all due
    /// posts, the caller queries every shard of [`Shard::all`].
    pub async fn due(&self, now: Timestamp, shard: Shard, after: Option<PageKey>) -> Result<DuePage, StoreError> {
        due::page(&self.table, now, shard, after).await
    }

    /// Finds an account's open posts, the oldest first, one page at a time. A post is open if it has a due time. A
    /// published post has one while TikTok may still report its link or visibility. A post that is held for
    /// review has none.
    ///
    /// The index is eventually consistent. A caller that saves a post gets a conflict if the post has changed.
    pub async fn open_of(&self, alias: &Alias, after: Option<PageKey>) -> Result<OpenPage, StoreError> {
        let (items, next) = by_account::page(&self.table, alias, after).await?;
        let posts = items.iter().filter_map(|item| self.post_or_skip(item)).collect();
        Ok(OpenPage { posts, next })
    }

    /// Lists the posts that match a filter, the newest first, at most `limit` per page.
    ///
    /// The indexes are eventually consistent. A post whose state no longer matches the filter is left out.
    pub async fn list(&self, filter: &PostFilter, after: Option<Cursor>, limit: usize) -> Result<Listed, StoreError> {
        let (items, next) = listing::page(&self.table, filter, after, limit).await?;
        let posts = if filter.account.is_some() {
            items.iter().filter_map(|item| self.post_or_skip(item)).collect()
        } else {
            // The index `time` does not contain whole posts.
            let ids: Vec<_> = items.iter().filter_map(record::id_of).collect();
            let posts = stream::iter(ids).map(|id| async move { self.get(&id).await }).buffered(MAX_CONCURRENT_READS);
            posts.try_filter_map(|post| std::future::ready(Ok(post))).try_collect::<Vec<_>>().await?
        };
        let matches = |post: &Versioned<Post>| filter.state.is_none_or(|state| post.state_name() == state);
        Ok(Listed { posts: posts.into_iter().filter(matches).collect(), next })
    }

    /// Reads the entries of an account's queue whose videos were dropped at `until` or before, in the order of the drop
    /// times: at most about `account_queue::MAX_ENTRIES`.
    pub async fn account_queue(&self, account: &Alias, until: Timestamp) -> Result<Vec<QueueEntry>, StoreError> {
        account_queue::read(&self.table, account, until).await
    }

    /// Reads the front of an account's queue, in the order of the drop times. With a mode, it reads until it has found
    /// enough posts of that mode. Without a mode, it reads one page.
    pub async fn front_of_account_queue(
        &self,
        account: &Alias,
        mode: Option<Mode>,
    ) -> Result<Vec<QueueEntry>, StoreError> {
        account_queue::front(&self.table, account, mode).await
    }

    /// Finds the posts whose newest publish has this id: one or none. The index is eventually consistent.
    pub async fn of_publish(&self, id: &PublishId) -> Result<Vec<PostId>, StoreError> {
        by_publish::find(&self.table, id).await
    }

    /// Reads a post from an index entry. An invalid entry is skipped, so that it does not hide other posts.
    fn post_or_skip(&self, item: &Item) -> Option<Versioned<Post>> {
        let warn = |error: &_| tracing::warn!(table = self.table.name(), error = %error, "invalid post skipped");
        versioned(item).inspect_err(warn).ok()
    }
}

#[cfg(test)]
mod tests;
