//! The guard over single steps, and over random histories of several workers.

use proptest::prelude::*;

use super::*;
use crate::content::{Checksum, HeaderDigest};
use crate::failure::Failure;
use crate::identity::Alias;
use crate::post::{HoldReason, LEASE_TERM, PostState, StateName};
use crate::reason::Reason;
use crate::source::{ObjectVersion, Source};
use crate::video::{Container, VideoFacts};

const TERM: Duration = Duration::from_hours(30 * 24);

fn start() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn video(checksum: &str) -> Content {
    let facts = VideoFacts { duration_ms: Some(1000), ..VideoFacts::unknown(Container::Mp4) };
    let checksums = vec![Checksum::new("CRC64NVME", checksum)];
    Content { bytes: 7, checksums, header: HeaderDigest::from(&facts) }
}

fn claimed(version: usize) -> Post {
    let version = ObjectVersion::Id(version.to_string());
    let source = Source { bucket: "intake".into(), key: "drop/anna/clip.mp4".into(), version };
    Post::submit(Alias::new("anna").unwrap(), source, Some(7), start()).claim("w", start()).unwrap()
}

fn read(posts: &[&Post]) -> BTreeMap<PostId, Post> {
    posts.iter().map(|post| (post.id.clone(), (*post).clone())).collect()
}

/// Enters a post that must be entered, and returns the record.
fn entered(record: &GuardRecord, post: &Post, content: &Content, others: &[&Post]) -> GuardRecord {
    match record.enter(post, content, Repost::Guarded, &read(others), TERM, start()) {
        Entry::Entered(Some(record)) => record,
        other => panic!("{other:?}"),
    }
}

fn earlier_of(entry: &Entry) -> Option<&PostId> {
    match entry {
        Entry::SameVideo { earlier, .. } => Some(earlier),
        Entry::Entered(_) => None,
    }
}

#[test]
fn second_post_of_a_video_is_not_entered() {
    let (first, second) = (claimed(1), claimed(2));
    let record = entered(&GuardRecord::default(), &first, &video("A"), &[]);
    let entry = record.enter(&second, &video("A"), Repost::Guarded, &read(&[&first]), TERM, start());
    let Entry::SameVideo { earlier, record: Some(waiting) } = entry else { panic!("{entry:?}") };
    assert_eq!((&earlier, &waiting.waiting), (&first.id, &vec![second.id.clone()]));
    let again = waiting.enter(&second, &video("A"), Repost::Guarded, &read(&[&first]), TERM, start());
    assert_eq!(again, Entry::SameVideo { earlier: first.id.clone(), record: None }, "nothing is stored twice");
    entered(&record, &second, &video("B"), &[]);
}

#[test]
fn entered_post_continues_after_a_crash() {
    let (first, second) = (claimed(1), claimed(2));
    let record = entered(&GuardRecord::default(), &first, &video("A"), &[]);
    let entry = record.enter(&first, &video("A"), Repost::Guarded, &BTreeMap::new(), TERM, start());
    assert_eq!(entry, Entry::Entered(None));
    let reposted = record.enter(&second, &video("A"), Repost::Requested, &read(&[&first]), TERM, start());
    let Entry::Entered(Some(both)) = reposted else { panic!("{reposted:?}") };
    let entry = both.enter(&first, &video("A"), Repost::Guarded, &read(&[&second]), TERM, start());
    assert_eq!(entry, Entry::Entered(None), "a later repost does not hold the first post");
}

#[test]
fn released_post_holds_a_third_one() {
    let (first, second, third) = (claimed(1), claimed(2), claimed(3));
    let record = entered(&GuardRecord::default(), &first, &video("A"), &[]);
    for repost in [Repost::Requested, Repost::Approved] {
        let Entry::Entered(Some(both)) = record.enter(&second, &video("A"), repost, &read(&[&first]), TERM, start())
        else {
            panic!("{repost} is entered")
        };
        let unposted = first.clone().cancel(start()).unwrap();
        let entry = both.enter(&third, &video("A"), Repost::Guarded, &read(&[&unposted, &second]), TERM, start());
        assert_eq!(earlier_of(&entry), Some(&second.id));
    }
}

#[test]
fn unposted_post_holds_no_other_until_its_retry() {
    let first = claimed(1);
    let record = entered(&GuardRecord::default(), &first, &video("A"), &[]);
    let failed = first.clone().fail(Failure::new(Reason::parse("x"), "x", "x"), start()).unwrap();
    let cancelled = first.clone().cancel(start()).unwrap();
    let second = claimed(2);
    for unposted in [&failed, &cancelled] {
        entered(&record, &second, &video("A"), &[unposted]);
    }
    let retried = failed.retry(start()).unwrap().claim("w", start()).unwrap();
    let record = entered(&record, &retried, &video("A"), &[]);
    assert_eq!(record.posts.len(), 1, "the outdated entry is replaced: another worker's write is a conflict");
    let entry = record.enter(&second, &video("A"), Repost::Guarded, &read(&[&retried]), TERM, start());
    assert_eq!(earlier_of(&entry), Some(&first.id));
}

#[test]
fn two_retried_posts_are_not_held_for_each_other() {
    let fail = |post: &Post| post.clone().fail(Failure::new(Reason::parse("x"), "x", "x"), start()).unwrap();
    let retry = |post: &Post| fail(post).retry(start()).unwrap().claim("w", start()).unwrap();
    let (first, second) = (claimed(1), claimed(2));
    let record = entered(&GuardRecord::default(), &first, &video("A"), &[]);
    let Entry::Entered(Some(both)) =
        record.enter(&second, &video("A"), Repost::Requested, &read(&[&first]), TERM, start())
    else {
        panic!("a requested repost is entered")
    };
    let (first, second) = (retry(&first), retry(&second));
    let record = entered(&both, &first, &video("A"), &[&second]);
    let entry = record.enter(&second, &video("A"), Repost::Guarded, &read(&[&first]), TERM, start());
    assert_eq!(earlier_of(&entry), Some(&first.id));
}

#[test]
fn unknown_or_missing_post_holds_the_later_one() {
    let (first, second) = (claimed(1), claimed(2));
    let record = entered(&GuardRecord::default(), &first, &video("A"), &[]);
    let entry = record.enter(&second, &video("A"), Repost::Guarded, &BTreeMap::new(), TERM, start());
    assert_eq!(earlier_of(&entry), Some(&first.id));
}

#[test]
fn video_can_be_posted_again_after_the_term() {
    let (first, second) = (claimed(1), claimed(2));
    let record = entered(&GuardRecord::default(), &first, &video("A"), &[]);
    let enter = |at| record.enter(&second, &video("A"), Repost::Guarded, &read(&[&first]), TERM, at);
    assert_eq!(earlier_of(&enter(start() + TERM - Duration::from_secs(1))), Some(&first.id));
    let Entry::Entered(Some(record)) = enter(start() + TERM) else { panic!("the term is over") };
    assert_eq!(record.newest(), Some(start() + TERM));
}

#[test]
fn record_is_bounded_and_forgets_the_oldest() {
    let posts: Vec<_> = (0..MAX_POSTS + 2).map(claimed).collect();
    let record = posts
        .iter()
        .enumerate()
        .fold(GuardRecord::default(), |record, (n, post)| entered(&record, post, &video(&format!("{n:04}")), &[]));
    assert_eq!(record.posts.len(), MAX_POSTS);
    assert_eq!(record.posts[0].post, posts[2].id);
}

/// How many posts of the same video a history has.
const POSTS: usize = 3;

#[derive(Debug, Clone, Copy)]
enum Step {
    /// A worker claims the post, or takes it over, and reads the record and the other posts.
    Read(usize),
    /// A worker that has read stores what it decided. It may have lost the post meanwhile.
    Write(usize),
    Fail(usize),
    Cancel(usize),
    Retry(usize),
    Recheck(usize),
    Approve(usize),
}

fn steps() -> impl Strategy<Value = Step> {
    let kinds = prop::sample::select(vec![
        Step::Read as fn(usize) -> Step,
        Step::Read,
        Step::Write,
        Step::Write,
        Step::Fail,
        Step::Cancel,
        Step::Retry,
        Step::Recheck,
        Step::Approve,
    ]);
    (kinds, 0..POSTS).prop_map(|(kind, post)| kind(post))
}

/// What a worker has read: the record with its revision, its post, and the other posts.
type Snapshot = (GuardRecord, u32, Post, BTreeMap<PostId, Post>);

struct World {
    posts: Vec<Post>,
    /// Whether the post's newest attempt passed the guard, so that it may be posted.
    passed: Vec<bool>,
    workers: Vec<Option<Snapshot>>,
    record: GuardRecord,
    revision: u32,
    now: Timestamp,
    /// Whether a guarded post passed while another post of the video could be posted.
    violated: bool,
}

impl World {
    fn new() -> Self {
        let posts = (0..POSTS).map(claimed).collect();
        let (passed, workers) = (vec![false; POSTS], vec![None; POSTS]);
        Self { posts, passed, workers, record: GuardRecord::default(), revision: 0, now: start(), violated: false }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Read(n) => {
                self.now += LEASE_TERM;
                let Ok(post) = self.posts[n].clone().claim("w", self.now) else { return };
                self.posts[n] = post.clone();
                let video = video("A");
                let rivals = self.record.rivals(&post.id, &video, TERM, self.now);
                let rivals = rivals.filter_map(|rival| self.posts.iter().find(|other| other.id == rival.post));
                let rivals = rivals.map(|other| (other.id.clone(), other.clone())).collect();
                self.workers[n] = Some((self.record.clone(), self.revision, post, rivals));
            }
            Step::Write(n) => {
                let Some((record, revision, post, rivals)) = self.workers[n].take() else { return };
                let entry = record.enter(&post, &video("A"), post.repost, &rivals, TERM, self.now);
                let (Entry::Entered(next) | Entry::SameVideo { record: next, .. }) = &entry;
                if let Some(next) = next {
                    if revision != self.revision {
                        return;
                    }
                    (self.record, self.revision) = (next.clone(), revision + 1);
                }
                // The post's own write is a conflict if the worker has lost it.
                if self.posts[n] != post {
                    return;
                }
                match entry {
                    Entry::Entered(_) if self.passed[n] => {}
                    Entry::Entered(_) => {
                        self.violated |= post.repost == Repost::Guarded && self.may_be_posted() > 0;
                        self.passed[n] = true;
                    }
                    Entry::SameVideo { earlier, .. } => {
                        self.posts[n] = post.hold(HoldReason::SameVideo { earlier }, self.now).unwrap();
                    }
                }
            }
            Step::Fail(n) => {
                self.change(n, |post, now| post.fail(Failure::new(Reason::parse("x"), "x", "x"), now).ok());
            }
            Step::Cancel(n) => self.change(n, |post, now| post.cancel(now).ok()),
            Step::Retry(n) => self.change(n, |post, now| post.retry(now).ok()),
            Step::Approve(n) => self.change(n, |post, now| post.approve(now).ok()),
            Step::Recheck(n) => {
                let earlier = self.posts[n].earlier_post();
                let earlier = self.posts.iter().find(|post| Some(&post.id) == earlier).cloned();
                if let Ok(next) = self.posts[n].clone().recheck_same_video(earlier.as_ref(), self.now) {
                    self.posts[n] = next;
                }
            }
        }
    }

    fn change(&mut self, n: usize, change: impl FnOnce(Post, Timestamp) -> Option<Post>) {
        if let Some(next) = change(self.posts[n].clone(), self.now) {
            self.posts[n] = next;
            self.passed[n] = false;
        }
    }

    fn may_be_posted(&self) -> usize {
        self.passed.iter().filter(|passed| **passed).count()
    }
}

proptest! {
    #[test]
    fn one_post_of_a_video_proceeds_at_a_time(history in prop::collection::vec(steps(), 1..60)) {
        let mut world = World::new();
        for step in history {
            world.take(step);
            prop_assert!(!world.violated, "{:?}", world.record);
        }
    }

    #[test]
    fn no_post_stays_held_for_an_unposted_one(history in prop::collection::vec(steps(), 1..60)) {
        let mut world = World::new();
        for step in history {
            world.take(step);
        }
        // What the poller and the workers do after the history.
        for _ in 0..POSTS {
            for n in 0..POSTS {
                for step in [Step::Recheck(n), Step::Read(n), Step::Write(n)] {
                    world.take(step);
                }
            }
        }
        let states: Vec<_> = world.posts.iter().map(Post::state_name).collect();
        let all_unposted = world.posts.iter().all(Post::ended_unposted);
        prop_assert!(all_unposted || world.may_be_posted() >= 1, "{states:?}");
        prop_assert!(!all_unposted || !states.contains(&StateName::Held));
        for post in &world.posts {
            let held = matches!(post.state, PostState::Held { .. });
            prop_assert!(!held || post.due_at.is_some(), "no run of the poller decides again about {post:?}");
        }
    }
}
