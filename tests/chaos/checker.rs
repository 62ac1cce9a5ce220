//! The checker of the claim of these tests, which it compares with the ledger of TikTok's simulator:
//!
//! - Every video is published exactly once with its own bytes, or ends in another way that its
//!   [`Model`](crate::model::Model) permits.
//! - No rule of TikTok's is broken, and no more bytes are sent again than the faults explain.
//! - The stored state of each post agrees with the ledger.

use std::ops::AddAssign;
use std::time::Duration;

use anyhow::Result;
use harness::aws::Item;
use jiff::Timestamp;
use serde::Serialize;
use simulator::{Flow, InitialUploadedBytes, Ledger, LedgerEntry, SettingsRead, UploadedBytes};

use crate::model::End;
use crate::test_env::{Completion, IN_INBOX, TestEnv};
use crate::test_post::TestPost;

/// The failure code of a post if TikTok never said how many bytes it has: `UploadUnconfirmed` in
/// `domain/src/reason.rs`.
const UNCONFIRMED: &str = "upload_unconfirmed";
/// How long the functions may take to send the last chunk again, if nothing stops them: a lease must expire, and they back
/// off.
const RESEND_TIME: Duration = Duration::from_mins(30);

/// The end of a run, to be checked. Every video must be one that TikTok accepts.
pub(crate) struct Checker<'a> {
    pub(crate) posts: &'a [TestPost],
    pub(crate) completion: Completion,
    /// The number of injected faults.
    pub(crate) faults: usize,
    /// How long the functions were stopped since the first kill, at most.
    pub(crate) stopped: Duration,
    /// The functions' `CHUNK_BYTES`. A fault makes the functions send at most one chunk again. The last chunk may be
    /// almost twice as large.
    pub(crate) chunk_bytes: u64,
    /// Descriptions of responses that are not permitted.
    pub(crate) forbidden: &'a [String],
}

/// The number of violations of the claim, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Violations {
    /// Publications, or deliveries of a draft, beyond the first.
    pub(crate) duplicates: usize,
    /// Videos that should have been published and were not, or whose post does not report it.
    pub(crate) lost: usize,
    /// Responses and final states that the model does not permit.
    pub(crate) forbidden: usize,
    /// Files at TikTok that were never dropped.
    pub(crate) wrong_bytes: usize,
    /// Broken rules of TikTok's, and publishes for which too many bytes were sent again.
    pub(crate) broken_rules: usize,
}

/// The result of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CheckResult {
    pub(crate) violations: Violations,
    /// Posts that failed with [`UNCONFIRMED`] and were not published, if that is permitted: see
    /// [`Checker::is_uncertain`].
    pub(crate) unsure: usize,
    /// A description of each violation.
    pub(crate) notes: Vec<String>,
    /// A line for each publish: its status and its chunks.
    pub(crate) publishes: Vec<String>,
    /// The undocumented settings of the simulator that its responses depended on.
    pub(crate) settings_read: SettingsRead,
}

impl Violations {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn counts(&self) -> [usize; 5] {
        [self.duplicates, self.lost, self.forbidden, self.wrong_bytes, self.broken_rules]
    }
}

impl AddAssign for Violations {
    fn add_assign(&mut self, other: Self) {
        self.duplicates += other.duplicates;
        self.lost += other.lost;
        self.forbidden += other.forbidden;
        self.wrong_bytes += other.wrong_bytes;
        self.broken_rules += other.broken_rules;
    }
}

impl CheckResult {
    pub(crate) fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }
}

impl Checker<'_> {
    pub(crate) async fn check(&self, env: &TestEnv) -> Result<CheckResult> {
        let ledger = env.tiktok.ledger();
        let mut result = CheckResult::default();
        for post in self.posts {
            let others =
                self.posts.iter().filter(|other| other.video.sha256 == post.video.sha256 && other.id != post.id);
            self.check_post(env, &ledger, (post, &others.collect::<Vec<_>>()), &mut result);
        }
        result.violations.forbidden += self.forbidden.len();
        result.notes.extend_from_slice(self.forbidden);
        for publish in &ledger.publishes {
            self.check_publish(publish, &mut result);
        }
        for violation in &ledger.violations {
            result.violations.broken_rules += 1;
            result.notes.push(format!("{:?} {:?}: {}", violation.endpoint, violation.rule, violation.message));
        }
        if self.completion == Completion::TooManyRounds {
            // An unfinished post usually counts as lost already. Without one, the endless work itself counts.
            result.violations.lost += usize::from(result.violations.lost == 0);
            result.notes.push("work remained after the last permitted round".to_owned());
        }
        if !result.is_clean() {
            for post in self.posts {
                result.notes.push(env.cloud.describe_post(&post.id).await?);
            }
        }
        result.publishes = ledger.publishes.iter().map(describe).collect();
        // Last, because `is_uncertain` also reads settings.
        result.settings_read = env.tiktok.settings_read();
        Ok(result)
    }

    /// Checks a post. `others` are the other posts of the same video.
    fn check_post(
        &self,
        env: &TestEnv,
        ledger: &Ledger,
        (post, others): (&TestPost, &[&TestPost]),
        result: &mut CheckResult,
    ) {
        let times = times_published(ledger, &post.video.sha256);
        let TestPost { key, model, .. } = post;
        if times > 1 {
            result.violations.duplicates += times - 1;
            result.notes.push(format!("{key} was published {times} times"));
        }
        let publications =
            ledger.publications.iter().filter(|it| it.flow == Flow::Direct && it.sha256 == post.video.sha256);
        for publication in publications.filter(|it| !model.permits_title(&it.title)) {
            result.violations.forbidden += 1;
            result.notes.push(format!("{key} was published as {:?}; {model:?}", publication.title));
        }
        let is_uncertain = |post: &TestPost| {
            times == 0 && env.post(&post.id).is_some_and(|stored| self.is_uncertain(env, ledger, &stored))
        };
        if is_uncertain(post) {
            result.unsure += 1;
            return;
        }
        let state = env.state_of(&post.id);
        let is_posted_by_another = others
            .iter()
            .any(|other| env.state_of(&other.id).is_some_and(|state| state == "published" || state == "delivered"));
        let end = match (times, state.as_deref()) {
            (1, Some("held for same_video")) if is_posted_by_another => Some(End::HeldAsRepeat),
            (1, Some("cancelled")) if is_posted_by_another => Some(End::Cancelled),
            (1, Some("failed")) if is_posted_by_another => Some(End::Failed),
            (1.., Some("published" | "delivered")) => Some(End::Posted),
            // The other post may have been posted, so a person decides about both.
            (0, Some("held for same_video")) if others.iter().any(|other| is_uncertain(other)) => {
                Some(End::HeldAsRepeat)
            }
            (0, Some("cancelled")) => Some(End::Cancelled),
            (0, Some("failed")) => Some(End::Failed),
            (0, None) => Some(End::Absent),
            _ => None,
        };
        if end.is_some_and(|end| model.permits(end)) {
            return;
        }
        // A post that should have been published is lost. Any other end is forbidden.
        if model.permits(End::Posted) {
            result.violations.lost += 1;
        } else {
            result.violations.forbidden += 1;
        }
        result.notes.push(format!("{key} was published {times} times, and its post is {state:?}; {model:?}"));
    }

    /// Whether a post whose video is not published may have failed with [`UNCONFIRMED`].
    ///
    /// This is permitted if a fault happened between the commit mark and TikTok's receipt, and TikTok's upload URL expired
    /// before the functions could complete the upload. Then they cannot know if TikTok has the last chunk. All of these
    /// must hold:
    ///
    /// - The post is stored with an unknown outcome, which tells a person to look. So the video is not lost silently.
    /// - Its publish is the newest of the video's size, lacks exactly the last chunk, and its URL had expired when the
    ///   post failed. So TikTok can never publish it, and no other upload was begun. A second publication would count as
    ///   a duplicate in any case.
    /// - The functions had no chance to send the last chunk again: TikTok hid how many bytes it had, or the URL was valid
    ///   for less than [`RESEND_TIME`] after the last transfer, without the time for which the functions were stopped.
    ///   Functions that give up although they know what is missing, and can send it, have lost the video.
    fn is_uncertain(&self, env: &TestEnv, ledger: &Ledger, stored: &Item) -> bool {
        let text = |name: &str| stored.get(name).and_then(|value| value["S"].as_str());
        let is_unknown = text("failure_code") == Some(UNCONFIRMED) && text("outcome") == Some("unknown");
        let failed_at = text("ended_at").and_then(|at| at.parse::<Timestamp>().ok());
        let own = ledger.publishes.iter().find(|publish| text("publish_id") == Some(publish.publish_id.as_str()));
        let (true, true, Some(failed_at), Some(publish)) = (is_unknown, self.faults > 0, failed_at, own) else {
            return false;
        };
        let size = publish.source_info.video_size;
        let newest = ledger.publishes.iter().rfind(|other| other.source_info.video_size == size);
        let last_chunk = (publish.source_info.total_chunk_count - 1) * publish.source_info.chunk_size;
        if newest != Some(publish) || publish.bytes_received != last_chunk || failed_at < publish.upload_expires_at {
            return false;
        }
        let last_transfer = publish.chunks.last().map_or(publish.created_at, |chunk| chunk.time);
        if publish.upload_expires_at <= last_transfer + self.stopped + RESEND_TIME {
            return true;
        }
        let settings = env.tiktok.settings();
        let hides_zero = || settings.initial_uploaded_bytes.read() == InitialUploadedBytes::Absent;
        (publish.bytes_received == 0 && hides_zero()) || settings.uploaded_bytes.read() == UploadedBytes::Absent
    }

    fn check_publish(&self, publish: &LedgerEntry, result: &mut CheckResult) {
        let is_dropped = |sha256: &String| self.posts.iter().any(|post| post.video.sha256 == *sha256);
        if publish.sha256.as_ref().is_some_and(|sha256| !is_dropped(sha256)) {
            result.violations.wrong_bytes += 1;
            result.notes.push(format!("{} has bytes that were never dropped", publish.publish_id));
        }
        let sent: u64 = publish.chunks.iter().map(|chunk| chunk.bytes).sum();
        let max = publish.source_info.video_size + self.faults as u64 * self.chunk_bytes * 2;
        if sent > max {
            result.violations.broken_rules += 1;
            result.notes.push(format!("{}: {sent} bytes were sent, at most {max} are permitted", publish.publish_id));
        }
    }
}

/// A publish in one line.
fn describe(publish: &LedgerEntry) -> String {
    let chunks: Vec<_> = publish.chunks.iter().map(|chunk| (chunk.first, chunk.outcome)).collect();
    format!("{} {:?} {chunks:?}", publish.status, publish.fail_reason)
}

/// How often a file was published, or delivered to the creator's inbox.
fn times_published(ledger: &Ledger, sha256: &str) -> usize {
    let is_delivered = |publish: &&LedgerEntry| {
        publish.flow == Flow::Draft && publish.status == IN_INBOX && publish.sha256.as_deref() == Some(sha256)
    };
    ledger.times_published(sha256) + ledger.publishes.iter().filter(is_delivered).count()
}
