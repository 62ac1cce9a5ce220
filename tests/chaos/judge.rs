//! The claim, held against TikTok's ledger: every drop is published once, with
//! its own bytes, no rule is broken on the way, and nothing is sent twice for
//! nothing. What the functions say of themselves only has to agree.

use anyhow::Result;
use simulator::{Entry, Flow, Ledger, UploadedBytes};

use crate::aws::{Item, POSTS};
use crate::dropped::Drop;
use crate::stage::{Rest, Stage};

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
}

/// How it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Publications, or deliveries of a draft, beyond the first.
    pub(crate) duplicates: usize,
    /// Drops that were not published, or whose post does not say so.
    pub(crate) lost: usize,
    /// Drops of which TikTok would never say whether it has them whole: the post
    /// says so, asks a person to look, and is not sent again on a guess.
    pub(crate) unsure: usize,
    /// Files at TikTok that nobody dropped.
    pub(crate) wrong_bytes: usize,
    /// Documented rules that were broken, and bytes that were sent for nothing.
    pub(crate) broken_rules: usize,
    /// The same in words.
    pub(crate) notes: Vec<String>,
}

impl Verdict {
    pub(crate) fn is_clean(&self) -> bool {
        self.duplicates + self.lost + self.wrong_bytes + self.broken_rules == 0
    }
}

impl Judged<'_> {
    pub(crate) async fn judge(&self, stage: &Stage) -> Result<Verdict> {
        let ledger = stage.tiktok.ledger();
        let mut verdict = Verdict::default();
        for dropped in self.drops {
            let times = times_published(&ledger, &dropped.film.sha256);
            if times > 1 {
                verdict.duplicates += times - 1;
                verdict.notes.push(format!("{} was published {times} times", dropped.key));
            }
            let states = states_of(stage, dropped);
            let told = states.iter().any(|state| state == "published" || state == "delivered");
            // Where TikTok does not say how much it has, nobody can know.
            let mute = stage.tiktok.settings().uploaded_bytes == UploadedBytes::Absent;
            if times == 0 && mute && ended_for(stage, dropped, UNCONFIRMED) {
                verdict.unsure += 1;
            } else if times == 0 || !told {
                verdict.lost += 1;
                verdict.notes.push(format!("{} was published {times} times, and its post is {states:?}", dropped.key));
            }
        }
        for entry in &ledger.publishes {
            self.judge_entry(entry, &mut verdict);
        }
        for violation in &ledger.violations {
            verdict.broken_rules += 1;
            verdict.notes.push(format!("{:?} {:?}: {}", violation.endpoint, violation.rule, violation.sentence));
        }
        if self.rest == Rest::Never {
            verdict.lost += usize::from(verdict.lost == 0);
            verdict.notes.push("it never came to rest".to_owned());
        }
        if !verdict.is_clean() {
            verdict.notes.push(self.story(stage).await?);
        }
        Ok(verdict)
    }

    fn judge_entry(&self, entry: &Entry, verdict: &mut Verdict) {
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
            let post = tests::Dropped::at(crate::aws::BUCKET, &dropped.key, &dropped.version, &tests::Footage::of(""));
            story.push_str(&stage.cloud.story(&post.post).await?);
        }
        Ok(story)
    }
}

/// How often a file was published, or delivered to an inbox.
fn times_published(ledger: &Ledger, sha256: &str) -> usize {
    let delivered = |entry: &&Entry| {
        entry.flow == Flow::Draft && entry.status == "SEND_TO_USER_INBOX" && entry.sha256.as_deref() == Some(sha256)
    };
    ledger.times_published(sha256) + ledger.publishes.iter().filter(delivered).count()
}

/// Whether the post of a drop failed for this reason.
fn ended_for(stage: &Stage, dropped: &Drop, code: &str) -> bool {
    let kept = stage.aws.kept();
    let mut of_it = kept.tables.items(POSTS).filter(|item| is_of(item, dropped));
    of_it.any(|item| item.get("failure_code").is_some_and(|it| it["S"] == code))
}

fn is_of(post: &Item, dropped: &Drop) -> bool {
    post.get("version_id").is_some_and(|version| version["S"] == dropped.version.as_str())
}

/// What the post of a drop says.
fn states_of(stage: &Stage, dropped: &Drop) -> Vec<String> {
    let kept = stage.aws.kept();
    let of_it = kept.tables.items(POSTS).filter(|item| is_of(item, dropped));
    of_it.filter_map(|item| item["state"]["S"].as_str().map(str::to_owned)).collect()
}
