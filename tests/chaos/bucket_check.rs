//! Tests of the bucket check with many objects at once: which versions are submitted, and what happens if a page of the
//! bucket kills `status` each time. The story [`EventLost`](crate::story::Story::EventLost) injects faults into a check
//! of one object.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use domain::account::Requirement;
use domain::bucket_check::{LEASE, MAX_AGE};
use domain::identity::PostId;
use harness::aws::POSTS;
use harness::{Creator, TestVideo};

use crate::fault_proxy::{CallSelector, Fault, Moment, PlannedFault};
use crate::runner::block_on;
use crate::story::{CHUNK_BYTES, EVENT_LATE, conclude};
use crate::test_env::{Lambda, Paths, TestEnv};
use crate::test_post::TestPost;

/// The size of the smallest video, in bytes. Each further video is larger, because the model finds a video's publishes
/// by the size.
const FIRST_BYTES: u64 = 50_000;
/// So few that a check of the objects below needs more pages than one run lists (`MAX_PAGES` in
/// `posting/src/bucket_check.rs`).
const VERSIONS_PER_PAGE: usize = 1;
/// Enough runs of `status` for the whole check.
const RUNS: usize = 3;

/// Puts objects without events.
struct Bucket<'a> {
    env: &'a TestEnv,
    creator: &'a Creator,
    next_bytes: u64,
}

impl Bucket<'_> {
    fn video(&mut self) -> Result<TestVideo> {
        self.next_bytes += 1;
        TestVideo::new(self.next_bytes)
    }

    fn put(&mut self, file: &str) -> Result<TestPost> {
        let video = self.video()?;
        Ok(self.env.drop_without_event(&self.creator.key(file), &video, &[]))
    }

    /// Tags an object with the post of another object or its own post.
    fn tag(&self, object: &TestPost, post: &PostId) {
        let tags = [("dropcast:post", post.as_str()), ("dropcast:state", "published")];
        self.env.aws.state().bucket.set_tags(&object.key, &object.version, &tags);
    }
}

/// A check submits each version that an event should have submitted, once and in its order, and no other. The late
/// events make no second post.
pub(crate) fn submits_missed_versions(paths: &Paths) -> Result<()> {
    block_on(async {
        let env = TestEnv::start(paths).await?;
        env.reset(|_| {})?;
        env.check_bucket();
        env.aws.state().bucket.versions_per_page = Some(VERSIONS_PER_PAGE);
        let mut lambda = Lambda::new(&env, CHUNK_BYTES);
        let creator = Creator::create(&env.cloud).await?;
        let patient = Creator::create_with(&env.cloud, |it| it.sidecar = Requirement::Required).await?;
        let mut bucket = Bucket { env: &env, creator: &creator, next_bytes: FIRST_BYTES };

        let too_old = bucket.put("too old.mp4")?;
        env.advance(MAX_AGE.saturating_sub(EVENT_LATE).as_secs())?;
        let start = env.now();
        let known = bucket.put("known.mp4")?;
        env.send_event(&known)?;
        let video = bucket.video()?;
        let awaits_sidecar = env.drop_video(&patient.key("held.mp4"), &video, &[])?;
        lambda.deliver_messages().await?;
        let video = bucket.video()?;
        let uploaded = lambda.create_upload(&creator, &video).await?;
        lose_messages(&env);
        let overwritten = [bucket.put("overwritten.mp4")?, bucket.put("overwritten.mp4")?];
        let deleted = bucket.put("deleted.mp4")?;
        env.aws.state().bucket.delete(&deleted.key, env.now());
        let copied = bucket.put("copied.mp4")?;
        bucket.tag(&copied, &known.id);
        let item_deleted = bucket.put("item deleted.mp4")?;
        bucket.tag(&item_deleted, &item_deleted.id);
        let gone = bucket.put("gone.mp4")?;
        env.aws.state().bucket.delete_version(&gone.key, &gone.version);
        let ignored = [bucket.put(".hidden.mp4")?, bucket.put("notes.txt")?, bucket.put("folder/")?];
        env.aws.state().bucket.put(&patient.key("held.json"), TestVideo::of("{}"), &[], env.now());
        env.advance(EVENT_LATE.as_secs())?;
        let too_young = bucket.put("too young.mp4")?;
        ensure!(env.state_of(&awaits_sidecar.id).as_deref() == Some("held for sidecar"), "its sidecar was read early");

        for _ in 0..RUNS {
            lambda.run_status().await?;
        }
        let [first, second] = overwritten;
        let mut posts = vec![known, awaits_sidecar, uploaded, first, second, deleted, copied];
        let stored: BTreeSet<_> = env.posts().iter().map(|post| post["id"]["S"].to_string()).collect();
        let expected: BTreeSet<_> = posts.iter().map(|post| format!("\"{}\"", post.id)).collect();
        ensure!(stored == expected, "{stored:?} are stored instead of {expected:?}");
        ensure!(env.state_of(&posts[1].id).as_deref() == Some("queued"), "the post was not released for its sidecar");
        ensure!(env.state_of(&posts[2].id).as_deref() == Some("queued"), "the post has not got its upload");
        let dropped_at =
            |post: &TestPost| env.post(&post.id).and_then(|post| post["dropped_at"]["N"].as_str()?.parse().ok());
        let at: Option<i64> = dropped_at(&posts[3]);
        let latest = (env.now() - EVENT_LATE).as_millisecond();
        ensure!(at.is_some_and(|at| at <= latest), "dropped at {at:?} instead of {latest} or before");
        for other in [&too_old, &too_young, &item_deleted, &gone].into_iter().chain(&ignored) {
            ensure!(env.post(&other.id).is_none(), "{} has a post", other.key);
        }

        let result = conclude(&mut lambda, &[creator.clone(), patient], &mut posts, start).await?;
        ensure!(result.check.is_clean(), "{:#?}", result.check);
        Ok(())
    })
}

/// Removes all messages of the queue, as if S3 had not sent its events.
fn lose_messages(env: &TestEnv) {
    let mut state = env.aws.state();
    while let Some(message) = state.queue.receive(env.now()) {
        state.queue.remove(&message.id);
    }
}

/// If `status` dies each time that it lists the bucket, the runs in the time of the lease publish the due posts.
pub(crate) fn leaves_runs_to_due_posts(paths: &Paths) -> Result<()> {
    block_on(async {
        let env = TestEnv::start(paths).await?;
        env.reset(|_| {})?;
        env.check_bucket();
        let list = "S3 ListObjectVersions".to_owned();
        let kills = (0..20).map(|number| PlannedFault {
            call: CallSelector::Named(number, list.clone()),
            fault: Fault::Kill(Moment::Before),
        });
        env.proxy.reset(kills.collect());
        let mut lambda = Lambda::new(&env, CHUNK_BYTES);
        let creator = Creator::create(&env.cloud).await?;
        env.drop_video(&creator.key("clip.mp4"), &TestVideo::new(FIRST_BYTES)?, &[])?;
        lambda.deliver_messages().await?;
        let mut published_after = None;
        for minute in 0..30 {
            lambda.run_status().await?;
            let are_published = env.aws.state().tables.items(POSTS).all(|post| post["state"]["S"] == "published");
            if are_published {
                published_after = Some(Duration::from_mins(minute));
                break;
            }
            env.advance(60)?;
        }
        ensure!(!env.proxy.injected().is_empty(), "no run was killed, so this test proves nothing");
        ensure!(published_after.is_some_and(|after| after <= 2 * LEASE), "published after {published_after:?}");
        lambda.stop().await
    })
}
