//! What is counted of a post's life, and that somebody looks at it.

use std::collections::BTreeSet;

use domain::chunk::{ChunkCeiling, ChunkPlan};
use domain::failure::Failure;
use domain::identity::{Alias, PublishId};
use domain::post::SentReceipt;
use domain::report::{Links, PublishStatus, StatusReport};
use domain::secret::Sealed;
use domain::size::VideoSize;
use domain::source::{ObjectVersion, Source};
use domain::upload::{LastChunk, Upload};

use super::*;

fn start() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn claimed() -> Post {
    let source =
        Source { bucket: "intake".into(), key: "drop/anna/a.mp4".into(), version: ObjectVersion::Id("1".into()) };
    let post = Post::submit(Alias::new("anna").unwrap(), source, Some(10), start());
    post.claim("worker", start()).unwrap()
}

fn by(reading: &Measurement) -> Vec<(&str, &str)> {
    reading.by.iter().map(|(name, word)| (*name, word.as_str())).collect()
}

#[test]
fn a_failure_is_counted_by_its_reason_where_that_is_one_of_few() {
    for (code, counted) in [("file_empty", "file_empty"), ("auth_removed", "auth_removed"), ("brand_new", "other")] {
        let failed = claimed().fail(Failure::new(code, "", ""), start()).unwrap();
        let reading = Measurement::of_state(&failed, start()).unwrap();
        assert_eq!(by(&reading), [("State", "failed"), ("Reason", counted)]);
        assert_eq!(reading.figures, [(Metric::PostsEnded, 1.0), (Metric::FailureRate, 100.0)]);
    }
}

#[test]
fn nothing_is_counted_by_post_or_account() {
    let deferred = claimed().defer("queued_behind", "", Duration::from_secs(1), start()).unwrap();
    let reading = Measurement::of_state(&deferred, start()).unwrap();
    assert_eq!(by(&reading), [("Reason", "queued_behind")]);
    assert!(reading.about.iter().any(|(name, word)| *name == "post.id" && *word == deferred.id.to_string()));
}

#[test]
fn a_post_that_waited_for_its_time_is_not_late_for_it() {
    let held_until = start() + Duration::from_hours(5);
    let scheduled = claimed().schedule(held_until, start()).unwrap();
    assert_eq!(wanted_at(&scheduled), start());
    let released = scheduled.claim("worker", held_until).unwrap();
    assert_eq!(wanted_at(&released), held_until);
}

/// A post of which TikTok has every byte.
fn processing() -> Post {
    let plan = ChunkPlan::new(VideoSize::new(10).unwrap(), ChunkCeiling::new(10_000_000).unwrap());
    let upload = Upload {
        publish_id: PublishId::new("v_pub_file~v2-1.1").unwrap(),
        url: Sealed::new(vec![1]),
        issued_at: start(),
        plan,
        offset: 0,
        last_chunk: LastChunk::NotSent,
        rate: None,
    };
    let committed = claimed().begin(upload, start()).unwrap().commit(start()).unwrap();
    committed.sent(SentReceipt::Confirmed, start()).unwrap()
}

fn told(status: PublishStatus) -> StatusReport {
    StatusReport { status, uploaded: None, video_ids: vec![], links: Links::default(), log_id: None }
}

fn counts(reading: &Measurement, metric: Metric) -> Option<f64> {
    reading.figures.iter().find(|(counted, _)| *counted == metric).map(|(_, value)| *value)
}

#[test]
fn a_draft_is_timed_until_it_is_in_the_inbox_and_not_until_its_creator_posts_it() {
    let (soon, later) = (start() + Duration::from_secs(30), start() + Duration::from_hours(9));
    let delivered = processing().apply_report(&told(PublishStatus::InInbox), soon).unwrap();
    let reading = Measurement::of_state(&delivered, soon).unwrap();
    assert_eq!((by(&reading), counts(&reading, Metric::TimeToPublish)), (vec![("State", "delivered")], Some(30.0)));
    let published = delivered.apply_report(&told(PublishStatus::Published), later).unwrap();
    let reading = Measurement::of_state(&published, later).unwrap();
    assert_eq!((by(&reading), counts(&reading, Metric::TimeToPublish)), (vec![("State", "published")], None));
    assert_eq!(counts(&reading, Metric::FailureRate), None, "one post is one in the share");
}

#[test]
fn what_tiktok_has_whole_is_counted_in_bytes() {
    let reading = Measurement::of_state(&processing(), start()).unwrap();
    assert_eq!(reading.figures, [(Metric::VideoBytes, 10.0)]);
    assert!(reading.about.contains(&("publish.id", "v_pub_file~v2-1.1".to_owned())));
}

#[test]
fn every_own_and_documented_code_is_its_own_metric_label() {
    let documented = error_codes::ERROR_CODES.iter().map(|row| Reason::parse(row.code));
    for reason in Reason::ALL.iter().cloned().chain(documented) {
        assert_eq!(label(&reason), reason.code());
    }
}

/// The metrics of our namespace that the template names, wherever it does.
fn named_in_the_template() -> BTreeSet<&'static str> {
    let template = include_str!("../../../../template.yaml");
    let mentions = template.split("Dropcast/${AWS::StackName}").skip(1);
    mentions
        .filter_map(|rest| {
            ["\", \"", "MetricName: ", "MetricName=\\\""]
                .iter()
                .filter_map(|before| {
                    let at = rest.find(before)?;
                    Some((at, rest[at + before.len()..].split(|c: char| !c.is_ascii_alphabetic()).next()?))
                })
                .min()
                .filter(|(at, _)| *at < 40)
                .map(|(_, name)| name)
        })
        .collect()
}

#[test]
fn dashboard_and_alarms_name_what_is_measured_and_nothing_else() {
    let measured: BTreeSet<_> = Metric::ALL.iter().map(|metric| metric.name_and_unit().0).collect();
    assert_eq!(named_in_the_template(), measured);
}
