//! What is late: due for so long that looks must have died before they were done
//! with it, or never came.
//!
//! Where every look lives, nothing is late, and nothing here costs a call. Where
//! looks die, the posts at the front are late after some minutes, and then:
//!
//! - TikTok is asked about none of them before it was put off. If asking is what
//!   kills, the next look finds the post behind all others. One that kills each
//!   time thus has a few looks now and then, and the others have the rest.
//! - The front of each shard goes first. All of them take a step, which ends with a
//!   write or a bell; then TikTok is asked about the one that waited longest, alone.
//!   So a look that dies within a few dozen calls has moved some to the back, and
//!   been through with one: everything has its turn in the end.

use std::pin::pin;
use std::time::Duration;

use domain::post::Post;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use storage::{DuePage, SaveError, Shard, StoreError, Versioned};

use super::summary::{DueSummary, PollOutcome};
use super::{Begun, Next};
use crate::posting::{Posting, Worker};

/// How long a post is due before it is late: some looks, as the schedule has them
/// by default. Where they are rarer, much is late, which costs it a write each time.
const LATE: Duration = Duration::from_mins(5);
/// The wait of a late post, unless TikTok's word or another look comes before.
const PUT_OFF: Duration = Duration::from_mins(15);

impl Begun {
    /// Tells whether TikTok is to be asked yet.
    fn asks(&self) -> bool {
        matches!(self.then, Some(Next::Ask(_)))
    }
}

/// Tells whether a post is late that has been due since then.
pub(super) fn is_overdue(due: Timestamp, now: Timestamp) -> bool {
    due + LATE < now
}

impl Posting {
    /// Looks at what is late at the front of each shard, and takes it off the pages.
    pub(super) async fn work_overdue(&self, pages: &mut [(Shard, DuePage)], worker: &Worker) -> DueSummary {
        let mut summary = DueSummary::default();
        let now = self.now();
        let fronts: Vec<_> =
            pages.iter_mut().filter_map(|(_, page)| page.take_if(|due| is_overdue(due, now))).collect();
        let at_once = fronts.len().max(1);
        let mut begun: Vec<_> =
            stream::iter(fronts).map(|id| self.begin_look(id)).buffer_unordered(at_once).collect().await;
        begun.sort_by_key(|look| (look.asks(), look.waited));
        if let Some(longest) = begun.pop() {
            summary.count(&self.end_look(longest, worker).await);
        }
        let others = stream::iter(begun).map(|look| self.end_look(look, worker)).buffer_unordered(at_once);
        let mut others = pin!(others);
        while let Some(look) = others.next().await {
            summary.count(&look);
        }
        summary
    }

    /// Puts a late post off, before TikTok is asked about it; what TikTok says is
    /// stored over this.
    pub(super) async fn postpone(&self, kept: Versioned<Post>) -> Result<Next, StoreError> {
        let now = self.now();
        let later = kept.value.clone().postpone_poll(PUT_OFF, now);
        match self.posts.save(kept, later, now).await {
            Ok(kept) => {
                tracing::info!(post.id = %kept.id, "post is late: put off, and asked about now");
                Ok(Next::Ask(Box::new(kept)))
            }
            Err(SaveError::Conflict) => Ok(Next::Nothing(PollOutcome::Passed)),
            Err(SaveError::Store(error)) => Err(error),
        }
    }
}
