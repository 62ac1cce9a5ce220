//! Tests that posts round-trip through their items in every state.

mod by_account;
mod calls;

use std::time::Duration;

use domain::chunk::{ChunkCeiling, ChunkPlan, MIN_CHUNK};
use domain::failure::Failure;
use domain::identity::{PublishId, VideoId};
use domain::options::{Mode, PostOptions, PrivacyLevel};
use domain::post::{HoldReason, PostState, Repost, Request, SentReceipt, StateName};
use domain::rate::Rate;
use domain::reason::Reason;
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
use crate::scripted_aws::{Reply, ScriptedAws, ScriptedServer, condition_failed, reply};
use crate::table::Record;

/// A video of three chunks, each of `SIZE / 3` bytes; the last one also has the remainder.
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
        codec: Some(Codec::Other("av01".into())),
        duration_ms: None,
        width: Some(1080),
        height: Some(1920),
        frame_rate: Some(FrameRate::from_thousandths(29_970)),
        average_frame_rate: None,
    }
}

fn report(status: PublishStatus, links: Links) -> StatusReport {
    let video_ids = vec![VideoId::new("7678907398077074696").unwrap()];
    StatusReport { status, uploaded: None, video_ids, links, log_id: Some("2026A".into()) }
}

fn failed(reason: &str) -> PublishStatus {
    PublishStatus::Failed { reason: reason.into() }
}

/// A transition of a post, whether or not the post's state permits it.
#[derive(Debug, Clone, Copy)]
enum Transition {
    Claim,
    HoldForReview,
    HoldForSidecar,
    HoldForSameVideo,
    Schedule,
    SidecarArrives,
    Approve,
    Cancel,
    Retry,
    UpdateOptions,
    Describe,
    Begin,
    SendChunk,
    Commit,
    SendLastChunk,
    LoseLastResponse,
    Defer,
    HandOver,
    Abandon,
    Fail,
    Wake,
    ReportPublished,
    AddLinks,
    ReportDelivered,
    ReportCancelled,
    ReportFailure,
    ReportTransientFailure,
}

const TRANSITIONS: [Transition; 27] = {
    use Transition::*;
    [
        Claim,
        HoldForReview,
        HoldForSidecar,
        HoldForSameVideo,
        Schedule,
        SidecarArrives,
        Approve,
        Cancel,
        Retry,
        UpdateOptions,
        Describe,
        Begin,
        SendChunk,
        Commit,
        SendLastChunk,
        LoseLastResponse,
        Defer,
        HandOver,
        Abandon,
        Fail,
        Wake,
        ReportPublished,
        AddLinks,
        ReportDelivered,
        ReportCancelled,
        ReportFailure,
        ReportTransientFailure,
    ]
};

/// The post as it is stored: the due time is rounded up to a millisecond.
fn rounded(post: &Post) -> Post {
    let mut facts = (**post).clone();
    facts.due_at = facts.due_at.map(|due| Millis::ceil(due).timestamp("due_at").unwrap());
    Post::restore(facts)
}

/// Applies the transition, if the post's state permits it. Otherwise the post is unchanged.
fn apply(post: &Post, transition: Transition, now: Timestamp) -> Post {
    let share_url = Some("https://www.tiktok.com/@anna/video/7678907398077074696".to_owned());
    let links = Links { share_url, cover_url: None };
    let reported = |status| post.clone().apply_report(&report(status, Links::default()), now).ok();
    let next = match transition {
        Transition::Claim => post.clone().claim("publish-1", now).ok(),
        Transition::HoldForReview => post.clone().hold(HoldReason::Review, now).ok(),
        Transition::HoldForSidecar => post.clone().hold(HoldReason::Sidecar, now).ok(),
        Transition::HoldForSameVideo => {
            post.clone().hold(HoldReason::SameVideo { earlier: PostId::random(&[1; 32]) }, now).ok()
        }
        Transition::Schedule => post.clone().schedule(now + Duration::from_millis(1234), now).ok(),
        Transition::SidecarArrives => post.clone().options_arrived(now).ok(),
        Transition::Approve => post.clone().approve(now).ok(),
        Transition::Cancel => post.clone().cancel(now).ok(),
        Transition::Retry => post.clone().retry(now).ok(),
        Transition::UpdateOptions => {
            post.clone().with_options(PostOptions { mode: Some(Mode::Draft), ..PostOptions::default() }, now).ok()
        }
        Transition::Describe => Some(post.clone().described(settings(), video(), SIZE)),
        Transition::Begin => post.clone().begin(upload(now), now).ok(),
        Transition::SendChunk => {
            let next = post.upload().and_then(Upload::next_chunk);
            next.and_then(|chunk| post.clone().progress(chunk.end(), Some(Rate::new(5_000_000)), now).ok())
        }
        Transition::Commit => post.clone().commit(now).ok(),
        Transition::SendLastChunk => post.clone().sent(SentReceipt::Confirmed, now).ok(),
        Transition::LoseLastResponse => {
            post.clone().sent(SentReceipt::Unconfirmed { why: "no response".into() }, now).ok()
        }
        Transition::Defer => {
            post.clone().defer(Reason::parse("rate_limit_exceeded"), "a limit", Duration::from_mins(1), now).ok()
        }
        Transition::HandOver => post.clone().hand_over(now).ok(),
        Transition::Abandon => post.clone().abandon(now, "it is too old").ok(),
        Transition::Fail => {
            post.clone().fail(Failure::new(Reason::parse("not_a_video"), "It is no video", "Drop a video."), now).ok()
        }
        Transition::Wake => Some(post.clone().due_again_at(now + Duration::from_mins(1))),
        Transition::ReportPublished => reported(PublishStatus::Published),
        Transition::AddLinks => post.clone().linked(links, now).ok(),
        Transition::ReportDelivered => reported(PublishStatus::InInbox),
        Transition::ReportCancelled => reported(failed("publish_cancelled")),
        Transition::ReportFailure => reported(failed("spam_risk_text")),
        Transition::ReportTransientFailure => reported(failed("internal")),
    };
    next.unwrap_or_else(|| post.clone())
}

/// A post in every state, made by the transitions that lead to it.
fn one_per_state() -> Vec<(StateName, Post)> {
    use Transition::*;
    let paths: [(StateName, &[Transition]); 9] = [
        (StateName::Held, &[Claim, HoldForReview]),
        (StateName::Scheduled, &[Claim, Schedule]),
        (StateName::Queued, &[Claim, Describe, Begin, SendChunk, Defer]),
        (StateName::Uploading, &[Claim, Describe, Begin, SendChunk]),
        (StateName::Processing, &[Claim, Begin, SendChunk, Commit, LoseLastResponse]),
        (StateName::Published, &[Claim, Begin, SendLastChunk, ReportPublished, AddLinks]),
        (StateName::Delivered, &[Claim, Begin, SendLastChunk, ReportDelivered]),
        (StateName::Failed, &[Claim, Begin, SendLastChunk, ReportFailure]),
        (StateName::Cancelled, &[Claim, Begin, SendLastChunk, ReportCancelled]),
    ];
    let walk = |path: &[Transition]| path.iter().fold(submitted(), |post, &transition| apply(&post, transition, at(5)));
    paths.into_iter().map(|(state, path)| (state, walk(path))).collect()
}

/// The post in this state.
fn post_in(state: StateName) -> Post {
    one_per_state().into_iter().find(|(name, _)| *name == state).unwrap().1
}

proptest! {
    #[test]
    fn post_round_trips_after_any_transitions(
        path in prop::collection::vec((prop::sample::select(&TRANSITIONS[..]), 0..200_000i64), 0..40),
    ) {
        let (mut post, mut now) = (submitted(), 0);
        for (transition, wait_ms) in path {
            now += wait_ms;
            post = apply(&post, transition, at(now));
            let item = record::item_of(&post, at(now)).unwrap();
            prop_assert_eq!(Post::from_item(&item).unwrap(), rounded(&post));
            prop_assert_eq!(item.contains_key("due_shard"), post.due_at.is_some());
            prop_assert_eq!(item.contains_key("due_at"), post.due_at.is_some());
        }
    }

    #[test]
    fn any_text_round_trips(key in ".{1,80}", folder in any::<String>(), version in "[!-~]{1,40}", title in any::<String>()) {
        let source = Source { bucket: "intake".into(), key, version: ObjectVersion::ETag(version) };
        let post = Post::submit(Alias::of_folder(&folder), source, None, at(0));
        let options = PostOptions { title: Some(title), ..PostOptions::default() };
        let mut facts = (*post).clone();
        facts.request = options;
        let post = Post::restore(facts);
        let item = record::item_of(&post, at(0)).unwrap();
        prop_assert_eq!(Post::from_item(&item).unwrap(), post);
    }
}

#[test]
fn post_in_every_state_round_trips() {
    for (state, post) in one_per_state() {
        assert_eq!(post.state_name(), state);
        let item = record::item_of(&post, at(9)).unwrap();
        assert_eq!(Post::from_item(&item).unwrap(), post, "{state}");
    }
}

#[test]
fn post_that_awaits_its_upload_round_trips() {
    let request = Request {
        id: PostId::new("a".repeat(32)).unwrap(),
        account: Alias::new("anna").unwrap(),
        options: PostOptions::default(),
        digest: RequestDigest::of("uploads", "{}"),
        trace: TraceId::from_header("Root=1-67403a18-1f2e3d4c5b6a798081726354"),
        repost: Repost::Requested,
    };
    let object = ("intake".to_owned(), "uploads/a/clip.mp4".to_owned());
    let size = VideoSize::new(SIZE).unwrap();
    let post = Post::await_upload(request, object, size, Some("parts-1".to_owned()), at(0));
    let item = record::item_of(&post, at(0)).unwrap();
    assert!(!item.contains_key("version_id") && !item.contains_key("etag") && item.contains_key("due_at"));
    assert_eq!(Post::from_item(&item).unwrap(), post);
    let arrived = post.attach_object(ObjectVersion::Id("v1".into()), None, at(5)).unwrap();
    assert_eq!(Post::from_item(&record::item_of(&arrived, at(5)).unwrap()).unwrap(), arrived);
}

#[test]
fn missing_attribute_is_named() {
    let required = [
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
    for ((state, post), (expected, name)) in one_per_state().into_iter().zip(required) {
        assert_eq!(state, expected);
        let mut item = record::item_of(&post, at(9)).unwrap();
        item.remove(name).unwrap();
        let error = Post::from_item(&item).unwrap_err();
        assert_eq!(error.to_string(), format!("attribute {name} is missing"), "{state}");
    }
}

#[test]
fn offset_inside_a_chunk_is_invalid() {
    let post = post_in(StateName::Uploading);
    let mut item = record::item_of(&post, at(9)).unwrap();
    item.insert("offset".into(), aws_sdk_dynamodb::types::AttributeValue::N("5".into()));
    assert_eq!(Post::from_item(&item).unwrap_err().to_string(), "attribute offset is invalid: no chunk begins at it");
}

#[test]
fn unconfirmed_upload_keeps_url_and_offset() {
    let post = post_in(StateName::Processing);
    assert!(matches!(post.state, PostState::Processing { .. }));
    let restored = Post::from_item(&record::item_of(&post, at(9)).unwrap()).unwrap();
    let upload = restored.upload().unwrap();
    assert_eq!((upload.url.ciphertext(), upload.offset), (&b"sealed url"[..], SIZE / 3));
}
