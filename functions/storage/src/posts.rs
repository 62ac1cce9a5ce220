//! The posts: created once, changed only by who saw what they change, and found
//! again when they are due.
//!
//! The index `due` has a post only while it should be looked at by a certain
//! time, in one of eight shards. What it says may lag behind: it names posts,
//! and whoever works on one reads it first. The index `line` is as sparse: it has
//! the posts that wait for their account's turn. The index `publish` finds the post
//! of TikTok's id of a publish, from when it is stored: before the first byte leaves.

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

use crate::table::{Condition, Item, Put, RecordError, SaveError, StoreError, Table, revision_of};
use crate::versioned::{Revision, Versioned};

/// How many posts of a page are read at once.
const AT_ONCE: usize = 16;

/// What became of a post that was to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// It was created.
    New(Versioned<Post>),
    /// It was there already: its event came again, or late. It is as it was.
    Already(Versioned<Post>),
}

/// A page of an account's posts that are not at an end.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenPage {
    /// The posts, the oldest first.
    pub posts: Vec<Versioned<Post>>,
    /// Where the next page begins, if there may be more.
    pub next: Option<PageKey>,
}

/// A page of the posts that were looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The posts, the newest first; there may be none, and more behind.
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
    /// Takes the table by its name.
    #[must_use]
    pub fn new(client: Client, table_name: impl Into<String>) -> Self {
        Self { table: Table::new(client, table_name.into(), record::KEY) }
    }

    /// Creates a post, unless it is there already.
    ///
    /// # Errors
    /// Where the table cannot be read or written: the post may then have been
    /// created, and creating it again finds it.
    pub async fn create(&self, post: &Post) -> Result<Created, StoreError> {
        let item = self.item_of(post, post.created_at)?;
        match self.table.put(item, Condition::Absent).await? {
            Put::Done(revision) => Ok(Created::New(Versioned::new(post.clone(), revision))),
            Put::Refused(Some(item)) => self.kept(&post.id, &item).map(Created::Already),
            Put::Refused(None) => {
                Err(StoreError::Deleted { table: self.table.name().to_owned(), key: post.id.as_str().to_owned() })
            }
        }
    }

    /// Reads a post as the last write left it.
    pub async fn get(&self, id: &PostId) -> Result<Option<Versioned<Post>>, StoreError> {
        let item = self.table.get(id.as_str()).await?;
        item.map(|item| self.kept(id, &item)).transpose()
    }

    /// Stores a changed post, unless somebody wrote since it was read.
    ///
    /// # Errors
    /// [`SaveError::Conflict`] where somebody did: nothing was stored. With
    /// [`StoreError::Unavailable`] it may have been stored, or not.
    pub async fn save(
        &self,
        was: impl Into<Revision>,
        post: Post,
        now: Timestamp,
    ) -> Result<Versioned<Post>, SaveError> {
        let item = self.item_of(&post, now)?;
        match self.table.put(item, Condition::At(was.into())).await? {
            Put::Done(revision) => Ok(Versioned::new(post, revision)),
            Put::Refused(_) => Err(SaveError::Conflict),
        }
    }

    /// Finds posts of a shard that should be looked at by now, the longest due
    /// first, a page at a time.
    pub async fn due(&self, now: Timestamp, shard: Shard, after: Option<PageKey>) -> Result<DuePage, StoreError> {
        due::page(&self.table, now, shard, after).await
    }

    /// Finds an account's posts that are not at an end, the oldest first, a page
    /// at a time. The index lags behind a little; a post is only written where
    /// it still is what was found.
    pub async fn open_of(&self, alias: &Alias, after: Option<PageKey>) -> Result<OpenPage, StoreError> {
        let (items, next) = by_account::page(&self.table, alias, after).await?;
        let posts = items.iter().filter_map(|item| self.readable(item)).collect();
        Ok(OpenPage { posts, next })
    }

    /// Looks posts up, the newest first, at most so many. What an index says may
    /// lag behind a little; a post that has left the state that was asked for is
    /// not shown in it.
    pub async fn list(&self, wanted: &PostFilter, after: Option<Cursor>, most: usize) -> Result<Listed, StoreError> {
        let (items, next) = listing::page(&self.table, wanted, after, most).await?;
        let posts = if wanted.account.is_some() {
            items.iter().filter_map(|item| self.readable(item)).collect()
        } else {
            let ids: Vec<_> = items.iter().filter_map(record::id_of).collect();
            let posts = stream::iter(ids).map(|id| async move { self.get(&id).await }).buffered(AT_ONCE);
            posts.try_filter_map(|post| std::future::ready(Ok(post))).try_collect::<Vec<_>>().await?
        };
        let fits = |post: &Versioned<Post>| wanted.state.is_none_or(|state| post.state_name() == state);
        Ok(Listed { posts: posts.into_iter().filter(fits).collect(), next })
    }

    /// Reads a post of an index; one that cannot be read is passed over, so that
    /// it cannot keep the posts behind it from being found.
    fn readable(&self, item: &Item) -> Option<Versioned<Post>> {
        let read = || Ok(Versioned::new(record::post_of(item)?, revision_of(item)?));
        read()
            .inspect_err(|error: &RecordError| {
                tracing::warn!(table = self.table.name(), error = %error, "an item of the account index is no post");
            })
            .ok()
    }

    /// Reads an account's line from its head up to those who were dropped by
    /// `until`, in the order dropped; of a very long line, the front.
    pub async fn line(&self, account: &Alias, until: Timestamp) -> Result<Vec<QueueEntry>, StoreError> {
        account_queue::read(&self.table, account, until).await
    }

    /// Reads the front of an account's line, in the order dropped, as far as it
    /// takes to see who goes next in a mode; where none is named, the very front.
    pub async fn front_of_account_queue(
        &self,
        account: &Alias,
        mode: Option<Mode>,
    ) -> Result<Vec<QueueEntry>, StoreError> {
        account_queue::front(&self.table, account, mode).await
    }

    /// Finds the posts whose newest publish has this id: one, or none. The index
    /// lags behind a little: whoever works on one reads it first.
    pub async fn of_publish(&self, id: &PublishId) -> Result<Vec<PostId>, StoreError> {
        by_publish::find(&self.table, id).await
    }

    fn item_of(&self, post: &Post, now: Timestamp) -> Result<Item, StoreError> {
        record::item_of(post, now).map_err(|error| self.unusable(&post.id, error))
    }

    fn kept(&self, id: &PostId, item: &Item) -> Result<Versioned<Post>, StoreError> {
        let read = || Ok(Versioned::new(record::post_of(item)?, revision_of(item)?));
        read().map_err(|error| self.unusable(id, error))
    }

    fn unusable(&self, id: &PostId, error: RecordError) -> StoreError {
        StoreError::record(self.table.name(), id.as_str(), error)
    }
}

#[cfg(test)]
mod tests;
