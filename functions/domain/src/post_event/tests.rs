//! Compares the event of each state with the examples in `events/notices`.

use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::chunk::{ChunkCeiling, ChunkPlan};
use crate::options::{PostOptions, PrivacyLevel};
use crate::post::{HoldReason, SentReceipt};
use crate::rate::Rate;
use crate::report::Links;
use crate::report::{PublishStatus, StatusReport};
use crate::secret::Sealed;
use crate::settings::{Settings, StackDefaults};
use crate::size::VideoSize;
use crate::title::TitleLimit;
use crate::upload::{LastChunk, Upload};
use crate::video::{Codec, Container, VideoFacts};

const SIZE: u64 = 11_000_000;
const ID: &str = "7678907398077074696";

fn after(seconds: u64) -> Timestamp {
    "2026-06-01T12:00:00Z".parse::<Timestamp>().unwrap() + Duration::from_secs(seconds)
}

fn submitted() -> Post {
    let version = ObjectVersion::Id("v1".into());
    let source = Source { bucket: "dropcast-intake-1a2b3c".into(), key: "drop/anna/clip.mp4".into(), version };
    Post::submit(Alias::new("anna").unwrap(), source, Some(SIZE), after(0))
}

fn claimed() -> Post {
    submitted().claim("publish/1", after(1)).unwrap()
}

fn begun(mode: Mode) -> Post {
    let stack =
        StackDefaults { mode, privacy_level: PrivacyLevel::PublicToEveryone, title_limit: TitleLimit::default() };
    let options = PostOptions { title: Some("Bread, finally #baking".into()), ..PostOptions::default() };
    let settings = Settings::resolve(&options, "clip.mp4", &stack).unwrap();
    let video = VideoFacts { codec: Some(Codec::H264), ..VideoFacts::unknown(Container::Mp4) };
    let upload = Upload {
        publish_id: PublishId::new(format!("v_pub_file~v2-1.{ID}")).unwrap(),
        url: Sealed::new(b"sealed url".to_vec()),
        issued_at: after(2),
        plan: ChunkPlan::new(VideoSize::new(SIZE).unwrap(), ChunkCeiling::new(64_000_000).unwrap()),
        offset: 0,
        last_chunk: LastChunk::NotSent,
        rate: Some(Rate::new(5_000_000)),
    };
    claimed().described(settings, video, SIZE).begin(upload, after(2)).unwrap()
}

fn processing(mode: Mode) -> Post {
    begun(mode).commit(after(3)).unwrap().sent(SentReceipt::Confirmed, after(4)).unwrap()
}

fn reported(mode: Mode, status: PublishStatus) -> Post {
    let published = status == PublishStatus::Published;
    let report = StatusReport {
        status,
        uploaded: None,
        video_ids: published.then(|| VideoId::new(ID).unwrap()).into_iter().collect(),
        links: Links::default(),
        log_id: Some("20260601120005A1B2C3".into()),
    };
    processing(mode).apply_report(&report, after(5)).unwrap()
}

fn linked() -> Post {
    let link = Links::of_video("anna", &VideoId::new(ID).unwrap());
    reported(Mode::Direct, PublishStatus::Published).linked(link, after(5)).unwrap()
}

fn covered() -> Post {
    let cover_url = Some("https://p16.tiktokcdn.com/cover.jpeg".to_owned());
    linked().linked(Links { share_url: None, cover_url }, after(6)).unwrap()
}

fn failed(reason: &str) -> Post {
    reported(Mode::Direct, PublishStatus::Failed { reason: reason.into() })
}

fn event_of(before: Option<Post>, after: Post, sequence: u64, at: Timestamp) -> Option<(PostEventKind, Value)> {
    let event = Change { before, after, sequence, at }.event("dropcast");
    event.map(|(kind, event)| (kind, serde_json::to_value(event).unwrap()))
}

fn example(name: &str) -> Value {
    let path = format!("{}/../../events/notices/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn held_for_same_video() -> Post {
    let version = ObjectVersion::Id("v0".into());
    let earlier = Source { version, ..submitted().source.clone() }.post_id();
    claimed().hold(HoldReason::SameVideo { earlier }, after(2)).unwrap()
}

#[test]
fn event_of_each_state_equals_its_example() {
    let limit = "TikTok's rate limit is met";
    let deferred =
        claimed().defer(Reason::parse("rate_limit_exceeded"), limit, Duration::from_mins(1), after(2)).unwrap();
    let scheduled = claimed().schedule("2026-12-24T16:00:00Z".parse().unwrap(), after(2)).unwrap();
    let (direct, draft) = (|| Some(processing(Mode::Direct)), || Some(processing(Mode::Draft)));
    for (name, before, post, sequence, second) in vec![
        ("queued", None, submitted(), 1, 0),
        ("deferred", Some(claimed()), deferred, 3, 2),
        ("held", Some(claimed()), claimed().hold(HoldReason::Review, after(2)).unwrap(), 3, 2),
        ("held-same-video", Some(claimed()), held_for_same_video(), 3, 2),
        ("scheduled", Some(claimed()), scheduled, 3, 2),
        ("uploading", Some(submitted()), claimed(), 2, 1),
        ("processing", Some(begun(Mode::Direct)), processing(Mode::Direct), 5, 4),
        ("published", direct(), linked(), 6, 5),
        ("linked", Some(linked()), covered(), 7, 6),
        ("delivered", draft(), reported(Mode::Draft, PublishStatus::InInbox), 6, 5),
        ("failed", direct(), failed("spam_risk"), 6, 5),
        ("cancelled", direct(), failed("publish_cancelled"), 6, 5),
    ] {
        let (kind, detail) = event_of(before, post, sequence, after(second)).unwrap();
        let example = example(name);
        assert_eq!(detail, example["detail"], "{name}: {detail:#}");
        assert_eq!(kind.as_str(), example["detail-type"], "{name}");
    }
}

#[test]
fn internal_changes_publish_no_event() {
    let begun = begun(Mode::Direct);
    let moved = begun.clone().progress(SIZE, Some(Rate::new(9)), after(3)).unwrap();
    let renewed = begun.clone().renew(after(60)).unwrap();
    let committed = begun.clone().commit(after(3)).unwrap();
    for next in [moved, renewed, committed, begun.clone()] {
        assert_eq!(event_of(Some(begun.clone()), next, 4, after(60)), None);
    }
    assert_eq!(event_of(Some(submitted()), submitted().due_again_at(after(9)), 2, after(1)), None);
}

#[test]
fn new_publish_id_and_new_deferral_publish_update() {
    let (kind, begun) = event_of(Some(claimed()), begun(Mode::Direct), 3, after(2)).unwrap();
    assert_eq!((kind, &begun["state"]), (PostEventKind::Updated, &begun["previous_state"]));
    assert!(begun["publish_id"].is_string());
    let waiting = submitted().awaiting_reconnect("connect it", Duration::from_mins(15), after(2)).unwrap();
    let (kind, waiting) = event_of(Some(submitted()), waiting, 2, after(2)).unwrap();
    assert_eq!((kind, &waiting["deferral"]["code"]), (PostEventKind::Updated, &Value::from("needs_reconnect")));
}

#[test]
fn no_event_contains_upload_url_or_worker() {
    for post in [claimed(), begun(Mode::Direct), processing(Mode::Direct), linked(), failed("internal")] {
        let (_, detail) = event_of(None, post, 1, after(9)).unwrap();
        let text = detail.to_string();
        // The sealed URL as text, in base64 and as JSON numbers; the worker; the lease.
        for hidden in ["sealed", "url\":\"c2", "publish/1", "lease", "115,101,97"] {
            assert!(!text.contains(hidden), "{text}");
        }
    }
}
