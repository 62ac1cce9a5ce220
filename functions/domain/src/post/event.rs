//! What TikTok says by itself, heeded.
//!
//! A word comes at least once, in any order, and hours late. It counts only for
//! the publish that it names, where that is the post's newest; then it goes the
//! way of every report, [`Post::apply_report`]. What that cannot know, who can see a
//! video, goes by when TikTok said it and not by when it was heard: a word that
//! is older than what is known changes nothing.

use jiff::Timestamp;

use super::{Post, PostState};
use crate::identity::{PublishId, VideoId};
use crate::report::{EventKind, Links, PublishStatus, StatusReport, Visibility, VisibilityChange, WebhookEvent};

/// Why a word changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventIgnored {
    /// It is about another publish than the post's newest.
    #[error("it is about a publish that the post has given up")]
    OtherPublish,
    /// The post knows as much, or better.
    #[error("the post knows it")]
    KnownAlready,
}

impl Post {
    /// Heeds what TikTok says by itself.
    ///
    /// # Errors
    /// Tells why the word changes nothing; the post is left as it is.
    pub fn apply_event(self, word: &WebhookEvent, now: Timestamp) -> Result<Self, EventIgnored> {
        if self.publish_id() != Some(&word.publish_id) {
            return Err(EventIgnored::OtherPublish);
        }
        let before = self.clone();
        let heeded = match &word.tidings {
            EventKind::Status(standing) if self.knows(standing) => return Err(EventIgnored::KnownAlready),
            EventKind::Status(standing) => {
                self.apply_report(&said(standing.clone()), now).map_err(|_| EventIgnored::OtherPublish)?
            }
            EventKind::Public(video) => self.sighted(&word.publish_id, video, Visibility::Public, word.at, now),
            EventKind::Withdrawn(video) => self.sighted(&word.publish_id, video, Visibility::Withdrawn, word.at, now),
        };
        if heeded == before { Err(EventIgnored::KnownAlready) } else { Ok(heeded) }
    }

    /// Notes that what is known of a published post is all that there will be:
    /// nobody needs to look again.
    #[must_use]
    pub fn finalize(self) -> Self {
        match &self.state {
            PostState::Published { links, .. } if links.share_url.is_some() => self.clear_due(),
            _ => self,
        }
    }

    /// Tells whether a standing is no news: it is an end of the publish, and the
    /// post has come to that end or to a better one.
    fn knows(&self, standing: &PublishStatus) -> bool {
        match &self.state {
            PostState::Published { .. } => true,
            PostState::Delivered { .. } => matches!(standing, PublishStatus::InInbox | PublishStatus::Failed { .. }),
            PostState::Failed { .. } | PostState::Cancelled { .. } => matches!(standing, PublishStatus::Failed { .. }),
            PostState::Held { .. }
            | PostState::Scheduled { .. }
            | PostState::Queued { .. }
            | PostState::Uploading { .. }
            | PostState::Processing { .. } => false,
        }
    }

    /// Everybody can see a video of the publish, or not any more: either way it was posted.
    fn sighted(
        self,
        publish_id: &PublishId,
        video: &VideoId,
        visibility: Visibility,
        at: Timestamp,
        now: Timestamp,
    ) -> Self {
        let (since, mut seen) = self.seen(now);
        if seen.visibility.iter().any(|known| known.video == *video && (known.at, known.visibility) >= (at, visibility))
        {
            return self;
        }
        seen.visibility.retain(|known| known.video != *video);
        seen.visibility.push(VisibilityChange { video: video.clone(), visibility, at });
        seen.video_ids.retain(|known| known != video);
        match visibility {
            Visibility::Public => seen.video_ids.push(video.clone()),
            Visibility::Withdrawn if seen.links.lead_to(video) || seen.video_ids.is_empty() => {
                seen.links = Links::default();
            }
            Visibility::Withdrawn => {}
        }
        self.publish(publish_id.clone(), since, seen, now)
    }
}

/// A report that says no more than where the publish stands.
fn said(standing: PublishStatus) -> StatusReport {
    StatusReport { standing, uploaded: None, video_ids: Vec::new(), links: Links::default(), log_id: None }
}
