//! A worker's hold on a post: what it read, and the right to write the next.

use domain::post::Post;
use storage::Kept;

use crate::posting::{Posting, Worker};
use crate::stop::Stop;

/// A claimed post. Every write through it is conditional on the last; after
/// one has failed, nothing can be written through it any more.
pub(crate) struct Hold<'a> {
    posting: &'a Posting,
    kept: Kept<Post>,
    worker: &'a Worker,
}

impl<'a> Hold<'a> {
    pub(crate) fn new(posting: &'a Posting, kept: Kept<Post>, worker: &'a Worker) -> Self {
        Self { posting, kept, worker }
    }

    pub(crate) fn post(&self) -> &Post {
        &self.kept.value
    }

    pub(crate) fn worker(&self) -> &'a Worker {
        self.worker
    }

    /// Keeps the lease from running out.
    pub(crate) async fn renew(&mut self) -> Result<(), Stop> {
        self.save(self.post().clone().renew(self.posting.now())?).await
    }

    /// Makes the next step true.
    pub(crate) async fn save(&mut self, next: Post) -> Result<(), Stop> {
        self.kept = self.posting.posts.save(&self.kept, next, self.posting.now()).await?;
        Ok(())
    }
}
