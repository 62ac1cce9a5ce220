//! Which versions are looked at, and the settings. `tests/chaos/bucket_check.rs` runs whole checks.

use super::*;

fn now() -> Timestamp {
    "2026-06-02T12:00:00Z".parse().unwrap()
}

fn listed(key: &str, version: ObjectVersion, age: Duration, recency: Recency) -> ListedVersion {
    let source = Source { bucket: "intake".into(), key: key.into(), version };
    ListedVersion { source, bytes: 10, created_at: now() - age, recency }
}

fn id() -> ObjectVersion {
    ObjectVersion::Id("1".into())
}

fn etag() -> ObjectVersion {
    ObjectVersion::ETag("e".into())
}

#[test]
fn only_readable_videos_and_sidecars_are_candidates() {
    let upload = format!("uploads/{}/clip.mp4", PostId::random(&[7; 32]));
    let (latest, noncurrent) = (Recency::Latest, Recency::Noncurrent);
    let table = [
        ("drop/anna/clip.mp4", id(), latest, true),
        ("drop/anna/clip.mp4", id(), noncurrent, true),
        ("drop/anna/clip.mp4", etag(), latest, true),
        ("drop/anna/clip.mp4", etag(), noncurrent, false),
        (&upload, id(), noncurrent, true),
        ("drop/anna/clip.json", id(), latest, true),
        ("drop/anna/clip.json", id(), noncurrent, false),
        ("drop/anna/", id(), latest, false),
        ("drop/anna/.clip.mp4", id(), latest, false),
        ("drop/anna/clip.txt", id(), latest, false),
        ("uploads/clip.mp4", id(), latest, false),
    ];
    for (key, version, recency, expected) in table {
        let version = listed(key, version, Duration::from_hours(2), recency);
        assert_eq!(is_candidate(&version, now()), expected, "{version:?}");
    }
}

#[test]
fn young_and_old_versions_are_no_candidates() {
    for (hours, expected) in [(0, false), (1, false), (2, true), (71, true), (72, false)] {
        let version = listed("drop/anna/clip.mp4", id(), Duration::from_hours(hours), Recency::Latest);
        assert_eq!(is_candidate(&version, now()), expected, "{hours} hours old");
    }
}

#[test]
fn submitted_object_has_same_post_id_as_its_event() {
    for version in [id(), etag()] {
        let listed = listed("drop/anna/clip.mp4", version, Duration::from_hours(2), Recency::Latest);
        let arrival = arrival_of(&listed, None);
        let named = ObjectVersion::from_parts(arrival.version_id.as_deref(), arrival.etag.as_deref()).unwrap();
        assert_eq!(PostId::of_object(&arrival.bucket, &arrival.key, &named), listed.source.post_id());
        assert_eq!((arrival.at, arrival.bytes), (Some(listed.created_at), Some(10)));
    }
}

#[test]
fn interval_is_zero_to_24_hours() {
    let read = |hours: &str| {
        BucketCheckConfig::read(|name| Some(if name == "INTAKE_BUCKET" { "intake" } else { hours }.to_owned()))
    };
    assert_eq!(read("0").unwrap().interval, None);
    assert_eq!(read("6").unwrap().interval, Some(Duration::from_hours(6)));
    assert_eq!(read("24").unwrap().interval, Some(Duration::from_hours(24)));
    for invalid in ["25", "-1", "daily"] {
        let error = read(invalid).unwrap_err().to_string();
        assert!(error.contains("BUCKET_CHECK_HOURS") && error.contains(invalid), "{error}");
    }
    assert!(BucketCheckConfig::read(|_| None).unwrap_err().to_string().contains("INTAKE_BUCKET"));
}
