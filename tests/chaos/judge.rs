//! The claim, held against TikTok's ledger: every drop is published once, with
//! its own bytes, no rule is broken on the way, and nothing is sent twice for
//! nothing; or it comes to another end that its [`Model`](crate::model::Model)
//! permits. What the functions say of themselves only has to agree.

use anyhow::Result;
use aws::POSTS;
use simulator::{Flow, InitialUploadedBytes, Ledger, LedgerEntry, SettingsRead, UploadedBytes};

use crate::dropped::Drop;
use crate::model::End;
use crate::stage::{IN_INBOX, Rest, Stage};

/// The failure of a post of which TikTok never said how much it has.
const UNCONFIRMED: &str = "upload_unconfirmed";

/// What is to be judged: TikTok was willing to publish all of it.
pub(crate) struct Judged<'a> {
    pub(crate) drops: &'a [Drop],
    pub(crate) rest: Rest,
    /// How much trouble there was.
    pub(crate) fired: usize,
    /// The ceiling of a chunk, in bytes: a single trouble costs one at the most.
    /// A last chunk may be twice as long.
    pub(crate) chunk: u64,
    /// Answers that were none to give.
    pub(crate) untrue: &'a [String],
}

/// How it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Publications, or deliveries of a draft, beyond the first.
    pub(crate) duplicates: usize,
    /// Drops that were not published, or whose post does not say so.
    pub(crate) lost: usize,
    /// Answers, and ends of posts, that the model does not permit.
    pub(crate) forbidden: usize,
    /// Drops of which TikTok would never say whether it has them whole: the post
    /// says so, asks a person to look, and is not sent again on a guess.
    pub(crate) unsure: usize,
    /// Files at TikTok that nobody dropped.
    pub(crate) wrong_bytes: usize,
    /// Documented rules that were broken, and bytes that were sent for nothing.
    pub(crate) broken_rules: usize,
    /// The same in words.
    pub(crate) notes: Vec<String>,
    /// Every upload that was begun: what was sent, and what became of it.
    pub(crate) uploads: Vec<String>,
    /// Which of the settings that nobody knows TikTok's answers hung on.
    pub(crate) settings_read: SettingsRead,
}

impl Verdict {
    pub(crate) fn is_clean(&self) -> bool {
        self.duplicates + self.lost + self.forbidden + self.wrong_bytes + self.broken_rules == 0
    }
}

impl Judged<'_> {
    pub(crate) async fn judge(&self, stage: &Stage) -> Result<Verdict> {
        let ledger = stage.tiktok.ledger();
        let mut verdict = Verdict::default();
        for dropped in self.drops {
            judge_drop(stage, &ledger, dropped, &mut verdict);
        }
        verdict.forbidden += self.untrue.len();
        verdict.notes.extend_from_slice(self.untrue);
        for entry in &ledger.publishes {
            self.judge_entry(entry, &mut verdict);
        }
        for violation in &ledger.violations {
            verdict.broken_rules += 1;
            verdict.notes.push(format!("{:?} {:?}: {}", violation.endpoint, violation.rule, violation.message));
        }
        if self.rest == Rest::Never {
            verdict.lost += usize::from(verdict.lost == 0);
            verdict.notes.push("it never came to rest".to_owned());
        }
        if !verdict.is_clean() {
            verdict.notes.push(self.story(stage).await?);
        }
        verdict.uploads = ledger.publishes.iter().map(told).collect();
        // Last of all: what is judged may hang on one, too.
        verdict.settings_read = stage.tiktok.settings_read();
        Ok(verdict)
    }

    fn judge_entry(&self, entry: &LedgerEntry, verdict: &mut Verdict) {
        let own = |sha256: &String| self.drops.iter().any(|dropped| dropped.film.sha256 == *sha256);
        if entry.sha256.as_ref().is_some_and(|sha256| !own(sha256)) {
            verdict.wrong_bytes += 1;
            verdict.notes.push(format!("{} has bytes that nobody dropped", entry.publish_id));
        }
        let sent: u64 = entry.chunks.iter().map(|chunk| chunk.bytes).sum();
        let most = entry.source_info.video_size + self.fired as u64 * self.chunk * 2;
        if sent > most {
            verdict.broken_rules += 1;
            verdict.notes.push(format!("{}: {sent} bytes were sent, and {most} are enough", entry.publish_id));
        }
    }

    async fn story(&self, stage: &Stage) -> Result<String> {
        let mut story = String::new();
        for dropped in self.drops {
            story.push_str(&stage.cloud.story(&dropped.post).await?);
        }
        Ok(story)
    }
}

fn judge_drop(stage: &Stage, ledger: &Ledger, dropped: &Drop, verdict: &mut Verdict) {
    let times = times_published(ledger, &dropped.film.sha256);
    if times > 1 {
        verdict.duplicates += times - 1;
        verdict.notes.push(format!("{} was published {times} times", dropped.key));
    }
    let own = ledger.publications.iter().filter(|it| it.flow == Flow::Direct && it.sha256 == dropped.film.sha256);
    for other in own.filter(|it| !dropped.model.permits_title(&it.title)) {
        verdict.forbidden += 1;
        verdict.notes.push(format!("{} was published as {:?}; {:?}", dropped.key, other.title, dropped.model));
    }
    // Where TikTok does not say how much it has, nobody can know.
    if times == 0 && failure_of(stage, dropped).as_deref() == Some(UNCONFIRMED) && is_mute(stage, ledger, dropped) {
        verdict.unsure += 1;
        return;
    }
    let stored = stage.state_of(&dropped.post);
    let end = match (times, stored.as_deref()) {
        (1.., Some("published" | "delivered")) => Some(End::Posted),
        (0, Some("cancelled")) => Some(End::Cancelled),
        (0, Some("failed")) => Some(End::Failed),
        (0, None) => Some(End::Absent),
        _ => None,
    };
    if end.is_some_and(|end| dropped.model.permits(end)) {
        return;
    }
    // What was not posted, and was to be, is lost; everything else was forbidden.
    if dropped.model.permits(End::Posted) {
        verdict.lost += 1;
    } else {
        verdict.forbidden += 1;
    }
    let (key, model) = (&dropped.key, &dropped.model);
    verdict.notes.push(format!("{key} was published {times} times, and its post is {stored:?}; {model:?}"));
}

/// An upload in a line.
fn told(upload: &LedgerEntry) -> String {
    let chunks: Vec<_> = upload.chunks.iter().map(|chunk| (chunk.first, chunk.outcome)).collect();
    format!("{} {:?} {chunks:?}", upload.status, upload.fail_reason)
}

/// Whether TikTok does not say how much it has of the newest upload of a drop.
fn is_mute(stage: &Stage, ledger: &Ledger, dropped: &Drop) -> bool {
    let mut uploads = ledger.publishes.iter().filter(|it| it.source_info.video_size == dropped.film.bytes);
    let settings = stage.tiktok.settings();
    let has_none = uploads.next_back().is_some_and(|upload| upload.bytes_received == 0);
    has_none && settings.initial_uploaded_bytes.read() == InitialUploadedBytes::Absent
        || settings.uploaded_bytes.read() == UploadedBytes::Absent
}

/// How often a file was published, or delivered to an inbox.
fn times_published(ledger: &Ledger, sha256: &str) -> usize {
    let delivered = |entry: &&LedgerEntry| {
        entry.flow == Flow::Draft && entry.status == IN_INBOX && entry.sha256.as_deref() == Some(sha256)
    };
    ledger.times_published(sha256) + ledger.publishes.iter().filter(delivered).count()
}

/// Why the post of a drop failed, if it did.
fn failure_of(stage: &Stage, dropped: &Drop) -> Option<String> {
    let kept = stage.aws.state();
    let mut posts = kept.tables.items(POSTS).filter(|item| item["id"]["S"] == dropped.post.as_str());
    posts.next()?.get("failure_code")?["S"].as_str().map(str::to_owned)
}
