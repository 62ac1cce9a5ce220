//! A model of one post: which responses and final states are permitted after the recorded commands and faults. It knows
//! the commands, their responses and TikTok's ledger. It does not know how the functions work.
//!
//! The functions may choose when they act and how often they try. These rules are fixed:
//!
//! - A post whose cancel was answered with 200 is never published. A cancel is rejected only if TikTok may have every
//!   byte, or the post is finished.
//! - A post that TikTok failed is failed, and so is a post whose object was deleted. It is retried only on a command.
//! - A post that is held for review is not published before its approval.
//! - A post whose change of options was answered with 200 is published with the new title. The change is not rejected
//!   while the post is scheduled.
//! - Of several posts of one video, one is published, and the others are held.
//! - Every other post is published.
//!
//! [`check_negative_controls`] verifies that the model rejects violations of these rules.

mod negative_controls;

use harness::TestVideo;
use simulator::{Ledger, LedgerEntry};

use crate::test_env::{Command, CommandRecord, FINAL_STATES, UPDATED_TITLE};

pub(crate) use negative_controls::check as check_negative_controls;

/// The state of a post that needs an approval, as `TestEnv::state_of` returns it.
const IN_REVIEW: &str = "held for review";
/// The state of a post before its `publish_at`.
const SCHEDULED: &str = "scheduled";

/// The end of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// TikTok published the video, or delivered it to an inbox.
    Posted,
    Cancelled,
    Failed,
    /// The post is held, because another post of the same video was published.
    HeldAsRepeat,
    /// There is no post.
    Absent,
}

/// Whether a command took effect. The order matters: the model compares with `<` and `>`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Certainty {
    #[default]
    No,
    /// The command was sent and had no response.
    Maybe,
    Yes,
}

/// What is known about a post.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    cancelled: Certainty,
    /// TikTok failed the publish, and no retry has been accepted since.
    publish_failed: bool,
    /// A retry was sent and had no response.
    maybe_retried: bool,
    /// The object's version was deleted.
    object_deleted: bool,
    /// Whether the post was approved; none if it needs no approval.
    approved: Option<Certainty>,
    /// Whether the post has [`UPDATED_TITLE`].
    title_updated: Certainty,
}

impl Model {
    /// Sets that the post needs an approval.
    pub(crate) fn require_review(&mut self) {
        self.approved = Some(Certainty::No);
    }

    /// Records that TikTok failed the publish.
    pub(crate) fn record_publish_failed(&mut self) {
        self.publish_failed = true;
    }

    /// Records that the object's version was deleted.
    pub(crate) fn record_object_deleted(&mut self) {
        self.object_deleted = true;
    }

    pub(crate) fn is_object_deleted(&self) -> bool {
        self.object_deleted
    }

    /// Whether the post may end in this way.
    pub(crate) fn permits(&self, end: End) -> bool {
        match end {
            End::Posted => {
                let has_failed = self.publish_failed && !self.maybe_retried;
                self.cancelled < Certainty::Yes && self.approved != Some(Certainty::No) && !has_failed
            }
            End::Cancelled => self.cancelled > Certainty::No,
            End::Failed => self.cancelled < Certainty::Yes && (self.publish_failed || self.object_deleted),
            End::HeldAsRepeat => self.cancelled < Certainty::Yes,
            End::Absent => self.object_deleted,
        }
    }

    /// Whether the post may be published with this title.
    pub(crate) fn permits_title(&self, title: &str) -> bool {
        match self.title_updated {
            Certainty::No => title != UPDATED_TITLE,
            Certainty::Maybe => true,
            Certainty::Yes => title == UPDATED_TITLE,
        }
    }

    /// Records a command about the post, whose video this is.
    ///
    /// # Errors
    /// The response is not permitted. The message says why. The first matching arm decides, so the arms' order matters.
    pub(crate) fn record(&mut self, record: &CommandRecord, video: &TestVideo) -> Result<(), String> {
        let (command, before, after) = (record.command, record.before.as_deref(), record.after.as_deref());
        let Some(status) = record.status.filter(|status| *status < 500) else {
            self.record_without_response(command);
            return Ok(());
        };
        let publishes = Publishes { video, ledger: &record.ledger };
        // If the states before and after differ, another actor may have changed the post before the command arrived.
        let was_always = |state| before == Some(state) && after == Some(state);
        let forbidden = |why: &str| {
            let before = before.unwrap_or("unknown");
            Err(format!("{command:?} was answered with {status}, and the post's state was {before}: {why}"))
        };
        match (command, status) {
            (_, 404) if before.is_none() => {}
            (_, 404) => return forbidden("the post exists"),
            _ if before.is_none() => return forbidden("the post does not exist"),
            (Command::Cancel | Command::Retry, 200) if publishes.have_all_bytes() => {
                return forbidden("TikTok has every byte");
            }
            (Command::Cancel, 200) => self.cancelled = Certainty::Yes,
            (Command::Cancel, 409) if was_always("cancelled") => return forbidden("a repeated cancel is accepted"),
            (Command::Cancel, 409) if is_final(before) || is_final(after) || publishes.may_have_all_bytes() => {}
            (Command::Cancel, 409) => return forbidden("TikTok cannot have every byte"),
            (Command::Retry, 200) if before == Some("failed") => {
                (self.publish_failed, self.maybe_retried) = (false, false);
            }
            (Command::Retry, 200) => return forbidden("the post has not failed"),
            (Command::Retry, 409) if was_always("failed") && self.publish_failed => {
                return forbidden("TikTok failed the publish");
            }
            (Command::Approve, _) if self.approved == Some(Certainty::No) && publishes.are_published() => {
                return forbidden("the video was published before its approval");
            }
            (Command::Approve, 200) if self.approved == Some(Certainty::No) && before != Some(IN_REVIEW) => {
                return forbidden("the post is not held for review");
            }
            (Command::Approve, 200) => self.approved = self.approved.map(|_| Certainty::Yes),
            (Command::Approve, 409) if was_always(IN_REVIEW) && self.approved.is_some() => {
                return forbidden("the post is held for review");
            }
            (Command::Retry, 409) => {
                // If the post is no longer failed, an earlier retry without a response took effect.
                let was_retried = self.maybe_retried && before != Some("failed");
                self.publish_failed &= !was_retried;
                self.maybe_retried &= !was_retried;
            }
            (Command::UpdateOptions, 200) if publishes.are_published() => {
                return forbidden("the video is already published");
            }
            (Command::UpdateOptions, 200) => self.title_updated = Certainty::Yes,
            (Command::UpdateOptions, 409) if was_always(SCHEDULED) => return forbidden("the post is scheduled"),
            (Command::Approve | Command::UpdateOptions, 409) => {}
            _ => return forbidden("no command has a response with this status"),
        }
        Ok(())
    }

    /// Records a command that had no response. It may have taken effect.
    fn record_without_response(&mut self, command: Command) {
        let maybe = |certainty: Certainty| certainty.max(Certainty::Maybe);
        match command {
            Command::Cancel => self.cancelled = maybe(self.cancelled),
            Command::Approve => self.approved = self.approved.map(maybe),
            Command::Retry => self.maybe_retried = true,
            Command::UpdateOptions => self.title_updated = maybe(self.title_updated),
        }
    }
}

/// The publishes of a video in TikTok's ledger. They are found by the video's size, so the videos of one run must have
/// different sizes.
struct Publishes<'a> {
    video: &'a TestVideo,
    ledger: &'a Ledger,
}

impl Publishes<'_> {
    fn iter(&self) -> impl Iterator<Item = &LedgerEntry> {
        self.ledger.publishes.iter().filter(|publish| publish.source_info.video_size == self.video.bytes)
    }

    fn are_published(&self) -> bool {
        self.ledger.times_published(&self.video.sha256) > 0
    }

    fn have_all_bytes(&self) -> bool {
        self.iter().any(|publish| publish.bytes_received == self.video.bytes && publish.fail_reason.is_none())
    }

    /// Whether TikTok has all chunks but the last, or had them before it failed the publish. The last one may have been
    /// sent already.
    fn may_have_all_bytes(&self) -> bool {
        let last_chunk_offset = |it: &LedgerEntry| (it.source_info.total_chunk_count - 1) * it.source_info.chunk_size;
        self.iter().any(|publish| publish.bytes_received >= last_chunk_offset(publish))
    }
}

fn is_final(state: Option<&str>) -> bool {
    state.is_some_and(|state| FINAL_STATES.contains(&state))
}
