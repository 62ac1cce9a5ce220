//! The posts table: whatever can happen to a post comes back.

mod by_account;
mod calls;

use std::time::Duration;

use domain::chunk::{ChunkCeiling, ChunkPlan, MIN_CHUNK};
use domain::failure::Failure;
use domain::identity::{PublishId, VideoId};
use domain::options::{Mode, PostOptions, PrivacyLevel};
use domain::post::{HoldReason, PostState, Request, SentReceipt, StateName};
use domain::rate::Rate;
use domain::report::{Links, PublishStatus, StatusReport};
use domain::request::RequestDigest;
use domain::secret::Sealed;
use domain::settings::{Settings, StackDefaults};
use domain::size::VideoSize;
use domain::source::{ObjectVersion, Source};
use domain::title::TitleLimit;
use domain::trace::TraceId;
use domain::upload::{LastChunk, Upload};
use domain::video::{Codec, Container, FrameRate, VideoFacts};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::attribute::Millis;
use crate::scripted_server::{Answer, ScriptedServer, say};

const SIZE: u64 = 3 * MIN_CHUNK + 7;

fn at(millisecond: i64) -> Timestamp {
    Timestamp::from_millisecond(1_764_000_000_000 + millisecond).unwrap()
}

fn submitted() -> Post {
    let version = ObjectVersion::Id("v1".into());
    let source = Source { bucket: "intake".into(), key: "drop/anna/clip ü.mp4".into(), version };
    Post::submit(Alias::new("anna").unwrap(), source, Some(SIZE), at(0))
}

fn upload(now: Timestamp) -> Upload {
    Upload {
        publish_id: PublishId::new("v_pub_file~v2-1.7").unwrap(),
        url: Sealed::new(b"sealed url".to_vec()),
        issued_at: now,
        plan: ChunkPlan::new(VideoSize::new(SIZE).unwrap(), ChunkCeiling::new(MIN_CHUNK).unwrap()),
        offset: 0,
        last_chunk: LastChunk::NotSent,
        rate: None,
    }
}

fn settings() -> Settings {
    let stack = StackDefaults {
        mode: Mode::Direct,
        privacy_level: PrivacyLevel::PublicToEveryone,
        title_limit: TitleLimit::default(),
    };
    Settings::resolve(&PostOptions::default(), "clip ü.mp4", &stack).unwrap()
}

fn video() -> VideoFacts {
    VideoFacts {
        container: Container::Mov,
        codec: Codec::Other("av01".into()),
        duration_ms: None,
        width: 1080,
        height: 1920,
        frame_rate: Some(FrameRate::from_thousandths(29_970)),
    }
}

fn report(standing: PublishStatus, links: Links) -> StatusReport {
    let video_ids = vec![VideoId::new("7678907398077074696").unwrap()];
    StatusReport { standing, uploaded: None, video_ids, links, log_id: Some("2026A".into()) }
}

fn failed(reason: &str) -> PublishStatus {
    PublishStatus::Failed { reason: reason.into() }
}

/// Something that may happen to a post, whether or not it can happen now.
#[derive(Debug, Clone, Copy)]
enum Step {
    Claim,
    HoldForReview,
    HoldForSidecar,
    Schedule,
    SidecarArrives,
    Approve,
    Cancel,
    Retry,
    Reword,
    Describe,
    Begin,
    SendAChunk,
    Commit,
    SendTheLast,
    LoseTheLast,
    Defer,
    HandOver,
    Abandon,
    Fail,
    Ring,
    IsPublished,
    IsLinked,
    IsDelivered,
    IsCancelled,
    IsRefused,
    IsRefusedForNow,
}

const STEPS: [Step; 26] = {
    use Step::*;
    [
        Claim,
        HoldForReview,
        HoldForSidecar,
        Schedule,
        SidecarArrives,
        Approve,
        Cancel,
        Retry,
        Reword,
        Describe,
        Begin,
        SendAChunk,
        Commit,
        SendTheLast,
        LoseTheLast,
        Defer,
        HandOver,
        Abandon,
        Fail,
        Ring,
        IsPublished,
        IsLinked,
        IsDelivered,
        IsCancelled,
        IsRefused,
        IsRefusedForNow,
    ]
};

/// The post as it is stored: due at the end of the millisecond.
fn to_the_millisecond(post: &Post) -> Post {
    let mut facts = (**post).clone();
    facts.due_at = facts.due_at.map(|due| Millis::ceil(due).instant("due_at").unwrap());
    Post::restore(facts)
}

/// Takes the step where the post can; a post that cannot stays as it is.
fn take(post: &Post, step: Step, now: Timestamp) -> Post {
    let share_url = Some("https://www.tiktok.com/@anna/video/7678907398077074696".to_owned());
    let links = Links { share_url, cover_url: None };
    let settle = |standing| post.clone().apply_report(&report(standing, Links::default()), now).ok();
    let next = match step {
        Step::Claim => post.clone().claim("publish-1", now).ok(),
        Step::HoldForReview => post.clone().hold(HoldReason::Review, now).ok(),
        Step::HoldForSidecar => post.clone().hold(HoldReason::Sidecar, now).ok(),
        Step::Schedule => post.clone().schedule(now + Duration::from_millis(1234), now).ok(),
        Step::SidecarArrives => post.clone().options_arrived(now).ok(),
        Step::Approve => post.clone().approve(now).ok(),
        Step::Cancel => post.clone().cancel(now).ok(),
        Step::Retry => post.clone().retry(now).ok(),
        Step::Reword => {
            post.clone().with_options(PostOptions { mode: Some(Mode::Draft), ..PostOptions::default() }, now).ok()
        }
        Step::Describe => Some(post.clone().described(settings(), video(), SIZE)),
        Step::Begin => post.clone().begin(upload(now), now).ok(),
        Step::SendAChunk => {
            let next = post.upload().and_then(Upload::next_chunk);
            next.and_then(|chunk| post.clone().progress(chunk.end(), Some(Rate::new(5_000_000)), now).ok())
        }
        Step::Commit => post.clone().commit(now).ok(),
        Step::SendTheLast => post.clone().sent(SentReceipt::Confirmed, now).ok(),
        Step::LoseTheLast => post.clone().sent(SentReceipt::Unconfirmed { why: "no answer".into() }, now).ok(),
        Step::Defer => post.clone().defer("rate_limit_exceeded", "a limit", Duration::from_mins(1), now).ok(),
        Step::HandOver => post.clone().hand_over(now).ok(),
        Step::Abandon => post.clone().abandon(now, "it is too old").ok(),
        Step::Fail => post.clone().fail(Failure::new("not_a_video", "It is no video", "Drop a video."), now).ok(),
        Step::Ring => Some(post.clone().woken(now + Duration::from_mins(1))),
        Step::IsPublished => settle(PublishStatus::Published),
        Step::IsLinked => post.clone().linked(links, now).ok(),
        Step::IsDelivered => settle(PublishStatus::InInbox),
        Step::IsCancelled => settle(failed("publish_cancelled")),
        Step::IsRefused => settle(failed("spam_risk_text")),
        Step::IsRefusedForNow => settle(failed("internal")),
    };
    next.unwrap_or_else(|| post.clone())
}

/// A post of every state, by the steps that lead there.
fn one_of_each() -> Vec<(StateName, Post)> {
    use Step::*;
    let sent = SendTheLast;
    let paths: [(StateName, &[Step]); 9] = [
        (StateName::Held, &[Claim, HoldForReview]),
        (StateName::Scheduled, &[Claim, Schedule]),
        (StateName::Queued, &[Claim, Describe, Begin, SendAChunk, Defer]),
        (StateName::Uploading, &[Claim, Describe, Begin, SendAChunk]),
        (StateName::Processing, &[Claim, Begin, SendAChunk, Commit, LoseTheLast]),
        (StateName::Published, &[Claim, Begin, sent, IsPublished, IsLinked]),
        (StateName::Delivered, &[Claim, Begin, sent, IsDelivered]),
        (StateName::Failed, &[Claim, Begin, sent, IsRefused]),
        (StateName::Cancelled, &[Claim, Begin, sent, IsCancelled]),
    ];
    let walk = |steps: &[Step]| steps.iter().fold(submitted(), |post, &step| take(&post, step, at(5)));
    paths.into_iter().map(|(state, steps)| (state, walk(steps))).collect()
}

proptest! {
    #[test]
    fn whatever_happens_to_a_post_it_comes_back_as_it_was(
        steps in prop::collection::vec((prop::sample::select(&STEPS[..]), 0..200_000i64), 0..40),
    ) {
        let (mut post, mut now) = (submitted(), 0);
        for (step, wait) in steps {
            now += wait;
            post = take(&post, step, at(now));
            let item = record::item_of(&post, at(now)).unwrap();
            prop_assert_eq!(record::post_of(&item).unwrap(), to_the_millisecond(&post));
            prop_assert_eq!(item.contains_key("due_shard"), post.due_at.is_some());
            prop_assert_eq!(item.contains_key("due_at"), post.due_at.is_some());
        }
    }

    #[test]
    fn any_text_comes_back_as_it_was(key in ".{1,80}", version in "[!-~]{1,40}", title in any::<String>()) {
        let source = Source { bucket: "intake".into(), key, version: ObjectVersion::ETag(version) };
        let post = Post::submit(Alias::new("anna").unwrap(), source, None, at(0));
        let options = PostOptions { title: Some(title), ..PostOptions::default() };
        let mut facts = (*post).clone();
        facts.request = options;
        let post = Post::restore(facts);
        let item = record::item_of(&post, at(0)).unwrap();
        prop_assert_eq!(record::post_of(&item).unwrap(), post);
    }
}

#[test]
fn a_post_of_every_state_comes_back_as_it_was() {
    for (state, post) in one_of_each() {
        assert_eq!(post.state_name(), state);
        let item = record::item_of(&post, at(9)).unwrap();
        assert_eq!(record::post_of(&item).unwrap(), post, "{state}");
    }
}

#[test]
fn a_post_whose_bytes_are_on_their_way_comes_back_as_it_was() {
    let request = Request {
        id: PostId::new("a".repeat(32)).unwrap(),
        account: Alias::new("anna").unwrap(),
        options: PostOptions::default(),
        digest: RequestDigest::of("uploads", "{}"),
        trace: TraceId::from_header("Root=1-67403a18-1f2e3d4c5b6a798081726354"),
    };
    let place = ("intake".to_owned(), "uploads/a/clip.mp4".to_owned());
    let size = VideoSize::new(SIZE).unwrap();
    let post = Post::await_upload(request, place, size, Some("parts-1".to_owned()), at(0));
    let item = record::item_of(&post, at(0)).unwrap();
    assert!(!item.contains_key("version_id") && !item.contains_key("etag") && item.contains_key("due_at"));
    assert_eq!(record::post_of(&item).unwrap(), post);
    let arrived = post.arrived(ObjectVersion::Id("v1".into()), None, at(5)).unwrap();
    assert_eq!(record::post_of(&record::item_of(&arrived, at(5)).unwrap()).unwrap(), arrived);
}

#[test]
fn a_missing_attribute_is_named() {
    let telling = [
        (StateName::Held, "hold_reason"),
        (StateName::Scheduled, "publish_at"),
        (StateName::Queued, "not_before"),
        (StateName::Uploading, "lease_owner"),
        (StateName::Processing, "receipt"),
        (StateName::Published, "publish_id"),
        (StateName::Delivered, "ended_at"),
        (StateName::Failed, "failure_code"),
        (StateName::Cancelled, "ended_at"),
    ];
    for ((state, post), (of, name)) in one_of_each().into_iter().zip(telling) {
        assert_eq!(state, of);
        let mut item = record::item_of(&post, at(9)).unwrap();
        item.remove(name).unwrap();
        let error = record::post_of(&item).unwrap_err();
        assert_eq!(error.to_string(), format!("it has no attribute {name}"), "{state}");
    }
}

#[test]
fn an_offset_that_no_chunk_begins_at_is_not_believed() {
    let (_, post) = one_of_each().swap_remove(3);
    let mut item = record::item_of(&post, at(9)).unwrap();
    item.insert("offset".into(), aws_sdk_dynamodb::types::AttributeValue::N("5".into()));
    assert_eq!(record::post_of(&item).unwrap_err().to_string(), "its attribute offset is wrong: no chunk begins there");
}

/// The item as the console shows it, in DynamoDB's JSON, read back through the wire.
#[test]
fn an_upload_whose_end_is_unconfirmed_comes_back_with_its_url_and_offset() {
    let (_, post) = one_of_each().swap_remove(4);
    assert!(matches!(post.state, PostState::Processing { .. }));
    let restored = record::post_of(&record::item_of(&post, at(9)).unwrap()).unwrap();
    let upload = restored.upload().unwrap();
    assert_eq!((upload.url.ciphertext(), upload.offset), (&b"sealed url"[..], SIZE / 3));
}
