//! Which measurements a post makes, and that the template uses exactly these metrics.

use std::collections::BTreeSet;

use domain::chunk::{ChunkCeiling, ChunkPlan};
use domain::failure::Failure;
use domain::identity::{Alias, PostId, PublishId};
use domain::options::PostOptions;
use domain::post::Repost;
use domain::post::{Request, SentReceipt};
use domain::report::{Links, PublishStatus, StatusReport};
use domain::request::UploadForm;
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

fn dimensions(measurement: &Measurement) -> Vec<(&str, &str)> {
    measurement.dimensions.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[test]
fn failure_counts_by_known_reason_or_other() {
    for (code, counted) in [("file_empty", "file_empty"), ("auth_removed", "auth_removed"), ("brand_new", "other")] {
        let failed = claimed().fail(Failure::new(Reason::parse(code), "", ""), start()).unwrap();
        let measurement = Measurement::of_state(&failed, start()).unwrap();
        assert_eq!(dimensions(&measurement), [("State", "failed"), ("Reason", counted)]);
        assert_eq!(measurement.metrics, [(Metric::PostsEnded, 1.0), (Metric::FailureRate, 100.0)]);
    }
}

#[test]
fn post_and_account_are_properties_not_dimensions() {
    let deferred = claimed().defer(Reason::QueuedBehind, "", Duration::from_secs(1), start()).unwrap();
    let measurement = Measurement::of_state(&deferred, start()).unwrap();
    assert_eq!(dimensions(&measurement), [("Reason", "queued_behind")]);
    assert!(measurement.properties.iter().any(|(name, value)| *name == "post.id" && *value == deferred.id.to_string()));
}

#[test]
fn time_to_publish_starts_after_the_scheduled_time() {
    let held_until = start() + Duration::from_hours(5);
    let scheduled = claimed().schedule(held_until, start()).unwrap();
    assert_eq!(wanted_at(&scheduled), start());
    let released = scheduled.claim("worker", held_until).unwrap();
    assert_eq!(wanted_at(&released), held_until);
}

/// A post whose video TikTok has received completely.
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

fn report(status: PublishStatus) -> StatusReport {
    StatusReport { status, uploaded: None, video_ids: vec![], links: Links::default(), log_id: None }
}

fn value(measurement: &Measurement, metric: Metric) -> Option<f64> {
    measurement.metrics.iter().find(|(measured, _)| *measured == metric).map(|(_, value)| *value)
}

#[test]
fn time_of_a_draft_ends_at_delivery() {
    let (soon, later) = (start() + Duration::from_secs(30), start() + Duration::from_hours(9));
    let delivered = processing().apply_report(&report(PublishStatus::InInbox), soon).unwrap();
    let measurement = Measurement::of_state(&delivered, soon).unwrap();
    assert_eq!(
        (dimensions(&measurement), value(&measurement, Metric::TimeToPublish)),
        (vec![("State", "delivered")], Some(30.0))
    );
    let published = delivered.apply_report(&report(PublishStatus::Published), later).unwrap();
    let measurement = Measurement::of_state(&published, later).unwrap();
    assert_eq!(
        (dimensions(&measurement), value(&measurement, Metric::TimeToPublish)),
        (vec![("State", "published")], None)
    );
    assert_eq!(value(&measurement, Metric::FailureRate), None, "a post counts once");
}

#[test]
fn processing_post_counts_its_video_bytes() {
    let measurement = Measurement::of_state(&processing(), start()).unwrap();
    assert_eq!(measurement.metrics, [(Metric::VideoBytes, 10.0)]);
    assert!(measurement.properties.contains(&("publish.id", "v_pub_file~v2-1.1".to_owned())));
}

#[test]
fn every_known_reason_is_its_own_metric_label() {
    let documented = error_codes::ERROR_CODES.iter().map(|row| Reason::parse(row.code));
    for reason in Reason::ALL.iter().cloned().chain(documented) {
        assert_eq!(label(&reason), reason.code());
    }
}

#[test]
fn upload_that_never_came_counts_as_upload_expired() {
    let key = "uploads/a/clip.mp4".to_owned();
    let request = Request {
        id: PostId::random(&[7; 32]),
        account: Alias::new("anna").unwrap(),
        options: PostOptions::default(),
        digest: UploadForm::read(br#"{"file_name":"clip.mp4","bytes":10,"content_type":"video/mp4"}"#)
            .unwrap()
            .digest(),
        trace: None,
        repost: Repost::Guarded,
    };
    let size = VideoSize::new(10).unwrap();
    let waiting = Post::await_upload(request, ("intake".to_owned(), key), size, None, start());
    let expired = waiting.expire_upload(start() + Duration::from_hours(48)).unwrap();
    let measurement = Measurement::of_state(&expired, start()).unwrap();
    assert_eq!(dimensions(&measurement), [("State", "failed"), ("Reason", "upload_expired")]);
}

/// The metrics of our namespace that the template names: in its alarms, and in the graphs and searches of its dashboard.
fn metrics_in_template() -> BTreeSet<String> {
    let template: yaml_serde::Value = yaml_serde::from_str(include_str!("../../../../template.yaml")).unwrap();
    let namespace: yaml_serde::Value = yaml_serde::from_str("!Sub Dropcast/${AWS::StackName}").unwrap();
    let resources = template["Resources"].as_mapping().unwrap().values();
    let alarms = resources.map(|resource| &resource["Properties"]).filter(|alarm| alarm["Namespace"] == namespace);
    let mut names: BTreeSet<_> = alarms.map(|alarm| alarm["MetricName"].as_str().unwrap().to_owned()).collect();

    let body = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"].as_str().unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(body).unwrap();
    let widgets = dashboard["widgets"].as_array().unwrap().iter();
    for metric in widgets.filter_map(|widget| widget["properties"]["metrics"].as_array()).flatten() {
        if metric[0] == namespace.as_str().unwrap() {
            names.insert(metric[1].as_str().unwrap().to_owned());
        }
        let search = metric[0]["expression"].as_str().and_then(|search| search.split("MetricName=\"").nth(1));
        names.extend(search.and_then(|rest| rest.split('"').next()).map(str::to_owned));
    }
    names
}

#[test]
fn template_names_exactly_the_measured_metrics() {
    let measured: BTreeSet<_> = Metric::ALL.iter().map(|metric| metric.name_and_unit().0.to_owned()).collect();
    assert_eq!(metrics_in_template(), measured);
}
