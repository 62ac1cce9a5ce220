//! Posts that are held because their account has an earlier post of the same video.
//!
//! Such a post waits for a person, unless the earlier post ends without being posted: then it continues immediately. The
//! worker, command or poll that ends the earlier post releases it. If that fails, the poller finds the held post by its
//! due time and decides again. Once the earlier post is posted, only a person continues the held one, and it is not due
//! any more.

use std::time::Duration;

use jiff::Timestamp;

use super::{HoldReason, InvalidTransition, Post, PostState};
use crate::identity::PostId;

/// The wait before the first decision. It covers an earlier post that ended while this one was being held.
pub(super) const FIRST_RECHECK: Duration = Duration::from_mins(1);
/// The longest wait between two decisions.
const MAX_RECHECK: Duration = Duration::from_hours(1);

impl Post {
    /// The earlier post of the same video, for which the post is held.
    pub fn earlier_post(&self) -> Option<&PostId> {
        self.state.fields().earlier_post
    }

    /// Decides again about a post that is held for the same video. `earlier` is the newest state of the earlier post;
    /// without one, the earlier post may have been posted.
    ///
    /// While the earlier post is under way, the wait grows with the time for which this post has been held.
    ///
    /// # Errors
    /// The post is not held for this earlier post.
    pub fn recheck_same_video(self, earlier: Option<&Post>, now: Timestamp) -> Result<Self, InvalidTransition> {
        let PostState::Held { reason: HoldReason::SameVideo { earlier: id } } = &self.state else {
            return Err(self.invalid("decided again"));
        };
        if earlier.is_some_and(|earlier| earlier.id != *id) {
            return Err(self.invalid("decided again"));
        }
        let held_at = self.history.last().map_or(self.created_at, |entry| entry.at);
        let age = Duration::try_from(now.duration_since(held_at)).unwrap_or_default();
        let is_open = |earlier: &Post| {
            !matches!(
                earlier.state,
                PostState::Published { .. }
                    | PostState::Delivered { .. }
                    | PostState::Failed { .. }
                    | PostState::Cancelled { .. }
            )
        };
        Ok(match earlier {
            Some(earlier) if earlier.ended_unposted() => {
                self.queue(now, None, None, now, "the earlier post of the video was not posted")
            }
            Some(earlier) if is_open(earlier) => self.due_again_at(now + age.clamp(FIRST_RECHECK, MAX_RECHECK)),
            Some(_) | None => self.clear_due(),
        })
    }
}
