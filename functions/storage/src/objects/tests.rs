//! Reads against a scripted S3 that breaks off, lies, refuses and throttles.

use bytes::Bytes;
use domain::failure::Disposition;
use futures::TryStreamExt;

use super::*;
use crate::scripted_server::{Answer, Request, ScriptedServer, say};

fn versioned() -> Source {
    Source { bucket: "intake".into(), key: "drop/anna/clip.mp4".into(), version: ObjectVersion::Id("v1".into()) }
}

fn unversioned() -> Source {
    Source { version: ObjectVersion::ETag("e1".into()), ..versioned() }
}

fn body(first: usize, last: usize) -> Vec<u8> {
    (first..=last).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

/// S3's answer to a request for these bytes of a thousand.
fn part(first: usize, last: usize) -> Answer {
    Answer::new(206, body(first, last)).header("content-range", &format!("bytes {first}-{last}/1000"))
}

fn refusal(status: u16, code: &str) -> Answer {
    Answer::new(status, format!("<Error><Code>{code}</Code><Message>no</Message></Error>"))
}

async fn read_all(server: &ScriptedServer, source: &Source, first: u64, len: u64) -> Result<Vec<u8>, ObjectError> {
    let range = Objects::new(server.s3()).read(source, first, len).await?;
    let pieces: Vec<Bytes> = range.try_collect().await?;
    Ok(pieces.concat())
}

fn ranges(requests: &[Request]) -> Vec<String> {
    requests.iter().map(|r| r.header("range").unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn a_range_is_read_of_the_version_that_was_dropped() {
    let server = ScriptedServer::start([say(part(10, 19)), say(part(10, 19))]).await;
    assert_eq!(read_all(&server, &versioned(), 10, 10).await.unwrap(), body(10, 19));
    assert_eq!(read_all(&server, &unversioned(), 10, 10).await.unwrap(), body(10, 19));
    let [by_id, by_tag] = &server.requests()[..] else { panic!("two reads") };
    assert!(by_id.line.contains("versionId=v1"), "{}", by_id.line);
    assert_eq!((by_id.header("range"), by_id.header("if-match")), (Some("bytes=10-19"), None));
    assert_eq!(by_tag.header("if-match"), Some("\"e1\""));
    assert!(!by_tag.line.contains("versionId"), "{}", by_tag.line);
}

#[tokio::test]
async fn the_whole_object_instead_of_a_part_is_refused_before_a_byte_is_used() {
    let server = ScriptedServer::start([say(Answer::new(200, body(0, 999)))]).await;
    let refused = Objects::new(server.s3()).read(&versioned(), 0, 10).await;
    let Err(error) = refused else { panic!("it was accepted") };
    assert!(matches!(error, ObjectError::WrongRange { .. }), "{error}");
    assert!(error.to_string().contains("bytes 0-9 were asked for, and the answer is the whole object, 1000 bytes"));
}

#[tokio::test]
async fn the_whole_object_is_right_where_the_whole_was_asked_for() {
    let server = ScriptedServer::start([say(Answer::new(200, body(0, 99)))]).await;
    assert_eq!(read_all(&server, &versioned(), 0, 100).await.unwrap(), body(0, 99));
}

#[tokio::test]
async fn a_part_other_than_the_one_asked_for_is_refused() {
    for wrong in [part(11, 20), part(10, 18), Answer::new(200, body(10, 19))] {
        let server = ScriptedServer::start([say(wrong)]).await;
        let error = read_all(&server, &versioned(), 10, 10).await.unwrap_err();
        assert!(matches!(error, ObjectError::WrongRange { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_goes_on_at_the_very_next_byte() {
    let server =
        ScriptedServer::start([say(part(100, 899).cut_at(300)), say(part(400, 899).cut_at(0)), say(part(400, 899))])
            .await;
    assert_eq!(read_all(&server, &versioned(), 100, 800).await.unwrap(), body(100, 899));
    assert_eq!(ranges(&server.requests()), ["bytes=100-899", "bytes=400-899", "bytes=400-899"]);
}

#[tokio::test]
async fn a_read_that_goes_on_refuses_the_whole_object_too() {
    let script = [say(part(0, 99).cut_at(50)), say(Answer::new(200, body(0, 99)))];
    let server = ScriptedServer::start(script).await;
    let error = read_all(&server, &versioned(), 0, 100).await.unwrap_err();
    assert!(error.to_string().contains("bytes 50-99 were asked for"), "{error}");
}

#[tokio::test]
async fn a_request_that_cannot_be_made_is_not_sent_nor_retried() {
    let server = ScriptedServer::start([]).await;
    let error = Objects::new(server.s3()).sidecar("intake", "").await.unwrap_err();
    assert!(matches!(error, ObjectError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn an_object_that_changed_meanwhile_stops_the_read() {
    let script = [say(part(0, 99).cut_at(50)), say(refusal(412, "PreconditionFailed"))];
    let server = ScriptedServer::start(script).await;
    let mut range = Objects::new(server.s3()).read(&unversioned(), 0, 100).await.unwrap();
    let first = range.try_next().await.unwrap().unwrap();
    assert_eq!(first, body(0, 49));
    let error = range.try_next().await.unwrap_err();
    assert!(matches!(error, ObjectError::Changed { .. }), "{error}");
    assert_eq!(error.disposition(), Disposition::GiveUp);
}

#[tokio::test]
async fn a_read_that_breaks_off_again_and_again_ends_with_an_error() {
    let script = (0..6).map(|_| say(part(0, 99).cut_at(0)));
    let server = ScriptedServer::start(script).await;
    let error = read_all(&server, &versioned(), 0, 100).await.unwrap_err();
    assert!(matches!(error, ObjectError::Unavailable { .. }), "{error}");
    assert!(matches!(error.disposition(), Disposition::Retry { .. }));
}

#[tokio::test]
async fn throttling_costs_time_and_no_bytes() {
    let server = ScriptedServer::start([say(refusal(503, "SlowDown")), say(part(0, 9))]).await;
    assert_eq!(read_all(&server, &versioned(), 0, 10).await.unwrap(), body(0, 9));
}

#[tokio::test]
async fn a_deleted_version_is_gone() {
    for answer in [refusal(404, "NoSuchVersion"), refusal(404, "NoSuchKey"), refusal(405, "MethodNotAllowed")] {
        let server = ScriptedServer::start([say(answer)]).await;
        let error = read_all(&server, &versioned(), 0, 10).await.unwrap_err();
        assert!(matches!(error, ObjectError::Gone { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_forbidden_object_names_the_permissions_that_may_be_missing() {
    let server = ScriptedServer::start([say(refusal(403, "AccessDenied"))]).await;
    let error = read_all(&server, &versioned(), 0, 10).await.unwrap_err();
    assert!(error.to_string().contains("s3:GetObjectVersion"), "{error}");
    assert_eq!(error.disposition(), Disposition::NeedsUser);
}

#[tokio::test]
async fn an_empty_range_asks_for_nothing() {
    let server = ScriptedServer::start([]).await;
    assert_eq!(read_all(&server, &versioned(), 0, 0).await.unwrap(), Vec::<u8>::new());
}

#[tokio::test]
async fn a_small_read_has_a_limit() {
    let server = ScriptedServer::start([say(part(0, 9))]).await;
    let objects = Objects::new(server.s3());
    assert_eq!(objects.read_small(&versioned(), 0, 10).await.unwrap(), body(0, 9));
    let error = objects.read_small(&versioned(), 0, MAX_SMALL_READ + 1).await.unwrap_err();
    assert!(matches!(error, ObjectError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn an_object_is_described_without_its_bytes() {
    let answer = Answer::new(200, "")
        .header("content-length", "4000000000")
        .header("etag", "\"e1\"")
        .header("content-type", "video/mp4")
        .header("x-amz-meta-title", "Hello")
        .header("x-amz-meta-mode", "draft");
    let server = ScriptedServer::start([say(answer)]).await;
    let described = Objects::new(server.s3()).describe(&versioned()).await.unwrap();
    assert_eq!((described.bytes, described.etag.as_deref()), (4_000_000_000, Some("e1")));
    let metadata = [("mode".to_owned(), "draft".to_owned()), ("title".to_owned(), "Hello".to_owned())];
    assert_eq!(described.metadata, metadata);
    assert!(server.requests()[0].line.contains("versionId=v1"));
}

#[tokio::test]
async fn the_newest_version_of_a_key_is_found_pinned() {
    let head = || Answer::new(200, "").header("content-length", "5").header("etag", "\"e2\"");
    let server =
        ScriptedServer::start([say(head().header("x-amz-version-id", "v2")), say(head()), say(Answer::new(404, ""))])
            .await;
    let objects = Objects::new(server.s3());
    let current = || objects.current("intake", "drop/anna/clip.mp4");
    let versions = [current().await, current().await].map(|found| found.unwrap().unwrap().source.version);
    assert_eq!(versions, [ObjectVersion::Id("v2".into()), ObjectVersion::ETag("e2".into())]);
    assert_eq!(current().await.unwrap(), None);
}

#[tokio::test]
async fn what_can_be_no_key_and_no_version_is_not_there() {
    let server = ScriptedServer::start([say(Answer::new(400, "")), say(Answer::new(400, ""))]).await;
    let objects = Objects::new(server.s3());
    for (key, version) in [("../clip.mp4", None), ("drop/anna/clip.mp4", Some("none"))] {
        assert_eq!(objects.named("intake", key, version).await.unwrap(), None, "{key} {version:?}");
    }
}

#[tokio::test]
async fn a_sidecar_is_read_whole_even_when_a_read_breaks_off() {
    let text = r#"{"title":"Hello"}"#;
    let server = ScriptedServer::start([say(Answer::new(200, text).cut_at(4)), say(Answer::new(200, text))]).await;
    let read = Objects::new(server.s3()).sidecar("intake", "drop/clip.json").await.unwrap();
    assert_eq!(read.as_deref(), Some(text.as_bytes()));
}

#[tokio::test]
async fn no_sidecar_is_none_and_a_huge_one_is_refused_unread() {
    let huge = Answer::new(200, "").header("content-length", "65537");
    let server = ScriptedServer::start([say(refusal(404, "NoSuchKey")), say(huge)]).await;
    let objects = Objects::new(server.s3());
    assert_eq!(objects.sidecar("intake", "drop/clip.json").await.unwrap(), None);
    let error = objects.sidecar("intake", "drop/clip.json").await.unwrap_err();
    assert!(matches!(error, ObjectError::TooLarge { bytes: 65_537, max: MAX_SIDECAR, .. }), "{error}");
}

#[tokio::test]
async fn keys_are_listed_page_after_page() {
    let page = |key: &str, more: &str| {
        let body = format!(
            "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>{key}</Key></Contents>{more}\
             </ListBucketResult>"
        );
        say(Answer::new(200, body))
    };
    let more = "<IsTruncated>true</IsTruncated><NextContinuationToken>next</NextContinuationToken>";
    let server = ScriptedServer::start([page("drop/a+1.mp4", more), page("drop/a%C3%BC.mp4", "")]).await;
    let keys = Objects::new(server.s3()).list("intake", "drop/a").await.unwrap();
    assert_eq!(keys, ["drop/a 1.mp4", "drop/aü.mp4"]);
    assert!(server.requests()[1].line.contains("continuation-token=next"));
}

#[tokio::test]
async fn a_tag_is_added_to_those_that_are_there() {
    let there = "<Tagging><TagSet><Tag><Key>team</Key><Value>video</Value></Tag></TagSet></Tagging>";
    let server = ScriptedServer::start([say(Answer::new(200, there)), say(Answer::new(200, ""))]).await;
    Objects::new(server.s3()).tag(&versioned(), &[("dropcast:state", "queued")]).await.unwrap();
    let put = &server.requests()[1];
    assert!(put.line.starts_with("PUT") && put.line.contains("versionId=v1"), "{}", put.line);
    assert!(put.body.contains("<Key>team</Key><Value>video</Value>"), "{}", put.body);
    assert!(put.body.contains("<Key>dropcast:state</Key><Value>queued</Value>"), "{}", put.body);
}

#[tokio::test]
async fn tags_that_are_there_already_are_not_written_again() {
    let there = "<Tagging><TagSet><Tag><Key>dropcast:state</Key><Value>queued</Value></Tag></TagSet></Tagging>";
    let server = ScriptedServer::start([say(Answer::new(200, there))]).await;
    Objects::new(server.s3()).tag(&versioned(), &[("dropcast:state", "queued")]).await.unwrap();
    assert_eq!(server.requests().len(), 1);
}
