//! How a webhook from TikTok changes a post.
//!
//! TikTok delivers a webhook at least once, in any order, and possibly hours late. A webhook applies only if it names
//! the post's newest publish. A status then goes through [`Post::apply_report`], as a poll's answer does. A change of
//! visibility is known only from webhooks. Such changes are ordered by TikTok's timestamp, not by arrival: one that
//! is older than the known change of the same video is ignored.

use jiff::Timestamp;

use super::{Post, PostState};
use crate::identity::VideoId;
use crate::report::{EventKind, Links, PublishStatus, StatusReport, Visibility, VisibilityChange, WebhookEvent};

/// Why a webhook changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventIgnored {
    /// The webhook is about a publish other than the post's newest, or the post has none.
    #[error("the webhook is about a publish that the post has abandoned")]
    OtherPublish,
    /// The post has this information or newer information.
    #[error("the post has this information already")]
    KnownAlready,
}

impl Post {
    /// Applies a webhook.
    ///
    /// # Errors
    /// The webhook changes nothing; the post stays as it is.
    pub fn apply_event(self, event: &WebhookEvent, now: Timestamp) -> Result<Self, EventIgnored> {
        if self.publish_id() != Some(&event.publish_id) {
            return Err(EventIgnored::OtherPublish);
        }
        let before = self.clone();
        let changed = match &event.kind {
            EventKind::Status(status) if self.knows(status) => return Err(EventIgnored::KnownAlready),
            EventKind::Status(status) => {
                self.apply_report(&status_only(status.clone()), now).map_err(|_| EventIgnored::OtherPublish)?
            }
            EventKind::Public(video) => self.change_visibility(event, video, Visibility::Public, now),
            EventKind::Withdrawn(video) => self.change_visibility(event, video, Visibility::Withdrawn, now),
        };
        if changed == before { Err(EventIgnored::KnownAlready) } else { Ok(changed) }
    }

    /// Stops polling a published post that has its share link. `posting/src/links.rs` calls this if the account's
    /// scopes do not allow the cover link, the only other thing that a poll could reveal.
    #[must_use]
    pub fn finalize(self) -> Self {
        match &self.state {
            PostState::Published { links, .. } if links.share_url.is_some() => self.clear_due(),
            _ => self,
        }
    }

    /// Tells whether a status adds nothing: the post has reached this result of the publish, or a better one.
    fn knows(&self, status: &PublishStatus) -> bool {
        match &self.state {
            PostState::Published { .. } => true,
            PostState::Delivered { .. } => matches!(status, PublishStatus::InInbox | PublishStatus::Failed { .. }),
            PostState::Failed { .. } | PostState::Cancelled { .. } => matches!(status, PublishStatus::Failed { .. }),
            PostState::Held { .. }
            | PostState::Scheduled { .. }
            | PostState::Queued { .. }
            | PostState::Uploading { .. }
            | PostState::Processing { .. } => false,
        }
    }

    /// Applies a change of a video's visibility. Either kind of change proves that the video was posted.
    fn change_visibility(self, event: &WebhookEvent, video: &VideoId, visibility: Visibility, now: Timestamp) -> Self {
        let at = event.at;
        let (since, mut publication) = self.publication(now);
        if publication
            .visibility
            .iter()
            .any(|known| known.video == *video && (known.at, known.visibility) >= (at, visibility))
        {
            return self;
        }
        publication.visibility.retain(|known| known.video != *video);
        publication.visibility.push(VisibilityChange { video: video.clone(), visibility, at });
        publication.video_ids.retain(|known| known != video);
        match visibility {
            Visibility::Public => publication.video_ids.push(video.clone()),
            Visibility::Withdrawn if publication.links.belong_to(video) || publication.video_ids.is_empty() => {
                publication.links = Links::default();
            }
            Visibility::Withdrawn => {}
        }
        self.publish(event.publish_id.clone(), since, publication, now)
    }
}

/// A report that contains only a status, as a webhook does.
fn status_only(status: PublishStatus) -> StatusReport {
    StatusReport { status, uploaded: None, video_ids: Vec::new(), links: Links::default(), log_id: None }
}
