//! The repost guard: the same video becomes a second post of an account only on request.
//!
//! S3 creates object versions that no person intended: an SDK repeats a PUT whose response was lost, or a tool copies an
//! object onto itself. Each version is a post. So the guard remembers what an account has posted: one [`GuardRecord`]
//! for each account and size in bytes lists the posts of that size with their [`Content`]. Before a post begins an
//! upload, its worker must enter the post in the record.
//!
//! **One of two posts proceeds.** The record is one item, and each write of it is conditional on the one that was read.
//! Of two posts of the same video that arrive together, the second one finds the first one in the record.
//!
//! **A post that is not posted blocks no other.** The record does not copy the posts' states. The caller reads the posts
//! that [`GuardRecord::rivals`] names, and passes the newest states to [`GuardRecord::enter`]. A post that failed or was
//! cancelled before TikTok had every byte does not block. If it is retried, its entry is outdated
//! ([`GuardedPost::retries`]), and it must be entered again. This write is a conflict for every worker that has seen the
//! post as ended. Otherwise both posts could proceed.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::content::Content;
use crate::identity::PostId;
use crate::post::{Post, Repost};

/// The most posts, and the most waiting posts, of a record. More posts of the same account and size are forgotten, the
/// oldest first. An item of a table has room for about five times as many.
const MAX_POSTS: usize = 200;

/// A post that may have been posted, or may still be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardedPost {
    /// The post.
    pub post: PostId,
    /// How often it had been retried when it was entered. An entry with a smaller number than the post's is outdated.
    pub retries: u32,
    /// When it was entered.
    pub at: Timestamp,
    /// The bytes of its video.
    pub content: Content,
}

/// The posts of an account whose videos have the same size in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GuardRecord {
    /// The posts that passed the guard, in the order in which they were entered.
    pub posts: Vec<GuardedPost>,
    /// The posts that are held for one of `posts`. They are decided again when that post ends without being posted.
    pub waiting: Vec<PostId>,
}

/// Whether a post may begin an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// It may, once this record is stored; immediately if there is none to store.
    Entered(Option<GuardRecord>),
    /// It may not: an earlier post has the same video. The record contains the post among the waiting ones; it is none
    /// if the stored one does already.
    SameVideo {
        /// The earlier post.
        earlier: PostId,
        /// The record to store.
        record: Option<GuardRecord>,
    },
}

impl GuardRecord {
    /// The other posts of this video that were entered within `term`, the oldest first. The caller reads their states.
    pub fn rivals<'a>(
        &'a self,
        post: &'a PostId,
        content: &'a Content,
        term: Duration,
        now: Timestamp,
    ) -> impl Iterator<Item = &'a GuardedPost> {
        let entered = self.posts.iter().filter(move |other| other.post != *post && other.at + term > now);
        entered.filter(|other| other.content.is_same_as(content))
    }

    /// Enters a post, unless an earlier post of the same video may have been posted or may still be. With `repost`, the
    /// post is entered in any case. A post that is entered already stays so. `read` has the posts that [`Self::rivals`]
    /// names; a post that it lacks may have been posted.
    pub fn enter(
        &self,
        post: &Post,
        content: &Content,
        repost: Repost,
        read: &BTreeMap<PostId, Post>,
        term: Duration,
        now: Timestamp,
    ) -> Entry {
        let is_current = |other: &GuardedPost| other.post == post.id && other.retries == post.retries;
        if self.posts.iter().any(is_current) {
            return Entry::Entered(None);
        }
        // A post that was retried since counts again only after it is entered again. Otherwise two retried posts could
        // each be held for the other.
        let is_over = |other: &GuardedPost| {
            read.get(&other.post).is_some_and(|post| post.ended_unposted() || post.retries != other.retries)
        };
        let earlier = self.rivals(&post.id, content, term, now).find(|rival| !is_over(rival));
        if let Some(earlier) = earlier.filter(|_| repost == Repost::Guarded) {
            let earlier = earlier.post.clone();
            let waits = self.waiting.contains(&post.id);
            return Entry::SameVideo { earlier, record: (!waits).then(|| self.clone().with_waiting(post)) };
        }
        let mut next = self.clone();
        next.waiting.retain(|waiting| *waiting != post.id);
        next.posts.retain(|other| other.post != post.id && other.at + term > now && !is_over(other));
        let (id, content) = (post.id.clone(), content.clone());
        next.posts.push(GuardedPost { post: id, retries: post.retries, at: now, content });
        next.posts.drain(..next.posts.len().saturating_sub(MAX_POSTS));
        Entry::Entered(Some(next))
    }

    fn with_waiting(mut self, post: &Post) -> Self {
        self.waiting.push(post.id.clone());
        self.waiting.drain(..self.waiting.len().saturating_sub(MAX_POSTS));
        self
    }

    /// When the newest post was entered; none if there is no post.
    pub fn newest(&self) -> Option<Timestamp> {
        self.posts.iter().map(|entered| entered.at).max()
    }
}

#[cfg(test)]
mod tests;
