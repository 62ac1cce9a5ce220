//! Reads from a scripted S3 that breaks off, returns wrong ranges, rejects and throttles.

use bytes::Bytes;
use domain::failure::Disposition;
use futures::TryStreamExt;

use super::*;
use crate::scripted_aws::{Reply, Request, ScriptedAws, ScriptedServer, reply};

fn versioned() -> Source {
    Source { bucket: "intake".into(), key: "drop/anna/clip.mp4".into(), version: ObjectVersion::Id("v1".into()) }
}

fn unversioned() -> Source {
    Source { version: ObjectVersion::ETag("e1".into()), ..versioned() }
}

fn body(first: usize, last: usize) -> Vec<u8> {
    (first..=last).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

/// S3's response to a request for these bytes, first to last, of an object of 1,000 bytes.
fn part(first: usize, last: usize) -> Reply {
    Reply::new(206, body(first, last)).header("content-range", &format!("bytes {first}-{last}/1000"))
}

fn s3_error(status: u16, code: &str) -> Reply {
    Reply::new(status, format!("<Error><Code>{code}</Code><Message>no</Message></Error>"))
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
async fn read_is_pinned_to_the_dropped_version() {
    let server = ScriptedServer::start([reply(part(10, 19)), reply(part(10, 19))]).await;
    assert_eq!(read_all(&server, &versioned(), 10, 10).await.unwrap(), body(10, 19));
    assert_eq!(read_all(&server, &unversioned(), 10, 10).await.unwrap(), body(10, 19));
    let [by_id, by_tag] = &server.requests()[..] else { panic!("two reads") };
    assert!(by_id.target.contains("versionId=v1"), "{}", by_id.target);
    assert_eq!((by_id.header("range"), by_id.header("if-match")), (Some("bytes=10-19"), None));
    assert_eq!(by_tag.header("if-match"), Some("\"e1\""));
    assert!(!by_tag.target.contains("versionId"), "{}", by_tag.target);
}

#[tokio::test]
async fn whole_object_instead_of_a_range_yields_no_byte() {
    let server = ScriptedServer::start([reply(Reply::new(200, body(0, 999)))]).await;
    let read = Objects::new(server.s3()).read(&versioned(), 0, 10).await;
    let Err(error) = read else { panic!("the response was accepted") };
    assert!(matches!(error, ObjectError::WrongRange { .. }), "{error}");
    assert!(error.to_string().contains("bytes 0-9 were requested, and S3 returned the whole object, 1000 bytes"));
}

#[tokio::test]
async fn whole_object_is_accepted_if_it_was_requested() {
    let server = ScriptedServer::start([reply(Reply::new(200, body(0, 99)))]).await;
    assert_eq!(read_all(&server, &versioned(), 0, 100).await.unwrap(), body(0, 99));
}

#[tokio::test]
async fn other_range_than_requested_is_rejected() {
    for wrong in [part(11, 20), part(10, 18), Reply::new(200, body(10, 19))] {
        let server = ScriptedServer::start([reply(wrong)]).await;
        let error = read_all(&server, &versioned(), 10, 10).await.unwrap_err();
        assert!(matches!(error, ObjectError::WrongRange { .. }), "{error}");
    }
}

#[tokio::test]
async fn broken_body_resumes_at_the_next_byte() {
    let server = ScriptedServer::start([
        reply(part(100, 899).cut_at(300)),
        reply(part(400, 899).cut_at(0)),
        reply(part(400, 899)),
    ])
    .await;
    assert_eq!(read_all(&server, &versioned(), 100, 800).await.unwrap(), body(100, 899));
    assert_eq!(ranges(&server.requests()), ["bytes=100-899", "bytes=400-899", "bytes=400-899"]);
}

#[tokio::test]
async fn resumed_read_rejects_the_whole_object() {
    let script = [reply(part(0, 99).cut_at(50)), reply(Reply::new(200, body(0, 99)))];
    let server = ScriptedServer::start(script).await;
    let error = read_all(&server, &versioned(), 0, 100).await.unwrap_err();
    assert!(error.to_string().contains("bytes 50-99 were requested"), "{error}");
}

#[tokio::test]
async fn request_that_cannot_be_built_is_not_retried() {
    let server = ScriptedServer::start([]).await;
    let error = Objects::new(server.s3()).sidecar("intake", "").await.unwrap_err();
    assert!(matches!(&error, ObjectError::Aws(error) if error.kind() == Kind::Rejected), "{error}");
}

#[tokio::test]
async fn changed_object_stops_the_read() {
    let script = [reply(part(0, 99).cut_at(50)), reply(s3_error(412, "PreconditionFailed"))];
    let server = ScriptedServer::start(script).await;
    let mut range = Objects::new(server.s3()).read(&unversioned(), 0, 100).await.unwrap();
    let first = range.try_next().await.unwrap().unwrap();
    assert_eq!(first, body(0, 49));
    let error = range.try_next().await.unwrap_err();
    assert!(matches!(error, ObjectError::Changed { .. }), "{error}");
    assert_eq!(error.disposition(), Disposition::GiveUp);
}

#[tokio::test]
async fn read_that_breaks_too_often_is_an_error() {
    // The first request and five retries.
    let script = (0..6).map(|_| reply(part(0, 99).cut_at(0)));
    let server = ScriptedServer::start(script).await;
    let error = read_all(&server, &versioned(), 0, 100).await.unwrap_err();
    assert!(matches!(&error, ObjectError::Aws(error) if error.kind() == Kind::Unavailable), "{error}");
    assert!(matches!(error.disposition(), Disposition::Retry { .. }));
}

#[tokio::test]
async fn throttled_read_is_retried() {
    let server = ScriptedServer::start([reply(s3_error(503, "SlowDown")), reply(part(0, 9))]).await;
    assert_eq!(read_all(&server, &versioned(), 0, 10).await.unwrap(), body(0, 9));
}

#[tokio::test]
async fn deleted_version_is_gone() {
    for response in [s3_error(404, "NoSuchVersion"), s3_error(404, "NoSuchKey"), s3_error(405, "MethodNotAllowed")] {
        let server = ScriptedServer::start([reply(response)]).await;
        let error = read_all(&server, &versioned(), 0, 10).await.unwrap_err();
        assert!(matches!(error, ObjectError::Gone { .. }), "{error}");
    }
}

#[tokio::test]
async fn denied_object_names_the_missing_permissions() {
    let script = [reply(s3_error(403, "AccessDenied")), reply(Reply::new(403, ""))];
    let server = ScriptedServer::start(script).await;
    let error = read_all(&server, &versioned(), 0, 10).await.unwrap_err();
    assert!(error.to_string().contains("s3:GetObjectVersion"), "{error}");
    assert_eq!(error.disposition(), Disposition::NeedsUser);
}

#[tokio::test]
async fn empty_range_sends_no_request() {
    let server = ScriptedServer::start([]).await;
    assert_eq!(read_all(&server, &versioned(), 0, 0).await.unwrap(), Vec::<u8>::new());
}

#[tokio::test]
async fn small_read_has_a_limit() {
    let server = ScriptedServer::start([reply(part(0, 9))]).await;
    let objects = Objects::new(server.s3());
    assert_eq!(objects.read_small(&versioned(), 0, 10).await.unwrap(), body(0, 9));
    let error = objects.read_small(&versioned(), 0, MAX_SMALL_READ + 1).await.unwrap_err();
    assert!(matches!(error, ObjectError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn describe_returns_size_tag_type_and_metadata() {
    let response = Reply::new(200, "")
        .header("content-length", "4000000000")
        .header("etag", "\"e1\"")
        .header("content-type", "video/mp4")
        .header("x-amz-meta-title", "Hello")
        .header("x-amz-meta-mode", "draft");
    let server = ScriptedServer::start([reply(response)]).await;
    let meta = Objects::new(server.s3()).describe(&versioned()).await.unwrap();
    assert_eq!((meta.bytes, meta.etag.as_deref()), (4_000_000_000, Some("e1")));
    let metadata = [("mode".to_owned(), "draft".to_owned()), ("title".to_owned(), "Hello".to_owned())];
    assert_eq!(meta.metadata, metadata);
    assert!(server.requests()[0].target.contains("versionId=v1"));
}

#[tokio::test]
async fn latest_version_is_found_by_key() {
    let head = || Reply::new(200, "").header("content-length", "5").header("etag", "\"e2\"");
    let server = ScriptedServer::start([
        reply(head().header("x-amz-version-id", "v2")),
        reply(head()),
        reply(Reply::new(404, "")),
    ])
    .await;
    let objects = Objects::new(server.s3());
    let current = || objects.current("intake", "drop/anna/clip.mp4");
    let versions = [current().await, current().await].map(|found| found.unwrap().unwrap().source.version);
    assert_eq!(versions, [ObjectVersion::Id("v2".into()), ObjectVersion::ETag("e2".into())]);
    assert_eq!(current().await.unwrap(), None);
}

#[tokio::test]
async fn malformed_key_or_version_is_not_found() {
    let server = ScriptedServer::start([reply(Reply::new(400, "")), reply(Reply::new(400, ""))]).await;
    let objects = Objects::new(server.s3());
    for (key, version) in [("../clip.mp4", None), ("drop/anna/clip.mp4", Some("none"))] {
        assert_eq!(objects.named("intake", key, version).await.unwrap(), None, "{key} {version:?}");
    }
}

#[tokio::test]
async fn broken_sidecar_read_is_retried() {
    let text = r#"{"title":"Hello"}"#;
    let server = ScriptedServer::start([reply(Reply::new(200, text).cut_at(4)), reply(Reply::new(200, text))]).await;
    let read = Objects::new(server.s3()).sidecar("intake", "drop/clip.json").await.unwrap();
    assert_eq!(read.as_deref(), Some(text.as_bytes()));
}

#[tokio::test]
async fn absent_sidecar_is_none_and_too_large_one_is_not_read() {
    let huge = Reply::new(200, "").header("content-length", "65537");
    let server = ScriptedServer::start([reply(s3_error(404, "NoSuchKey")), reply(huge)]).await;
    let objects = Objects::new(server.s3());
    assert_eq!(objects.sidecar("intake", "drop/clip.json").await.unwrap(), None);
    let error = objects.sidecar("intake", "drop/clip.json").await.unwrap_err();
    assert!(matches!(error, ObjectError::TooLarge { bytes: 65_537, max: MAX_SIDECAR, .. }), "{error}");
}

#[tokio::test]
async fn keys_of_all_pages_are_listed() {
    let page = |key: &str, more: &str| {
        let body = format!(
            "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>{key}</Key></Contents>{more}\
             </ListBucketResult>"
        );
        reply(Reply::new(200, body))
    };
    let more = "<IsTruncated>true</IsTruncated><NextContinuationToken>next</NextContinuationToken>";
    let server = ScriptedServer::start([page("drop/a+1.mp4", more), page("drop/a%C3%BC.mp4", "")]).await;
    let keys = Objects::new(server.s3()).list("intake", "drop/a").await.unwrap();
    assert_eq!(keys, ["drop/a 1.mp4", "drop/aü.mp4"]);
    assert!(server.requests()[1].target.contains("continuation-token=next"));
}

#[tokio::test]
async fn tag_is_added_to_existing_tags() {
    let existing = "<Tagging><TagSet><Tag><Key>team</Key><Value>video</Value></Tag></TagSet></Tagging>";
    let server = ScriptedServer::start([reply(Reply::new(200, existing)), reply(Reply::new(200, ""))]).await;
    Objects::new(server.s3()).tag(&versioned(), &[("dropcast:state", "queued")]).await.unwrap();
    let put = &server.requests()[1];
    assert!(put.method == "PUT" && put.target.contains("versionId=v1"), "{}", put.target);
    let body = put.text();
    assert!(body.contains("<Key>team</Key><Value>video</Value>"), "{body}");
    assert!(body.contains("<Key>dropcast:state</Key><Value>queued</Value>"), "{body}");
}

#[tokio::test]
async fn unchanged_tags_are_not_written() {
    let existing = "<Tagging><TagSet><Tag><Key>dropcast:state</Key><Value>queued</Value></Tag></TagSet></Tagging>";
    let server = ScriptedServer::start([reply(Reply::new(200, existing))]).await;
    Objects::new(server.s3()).tag(&versioned(), &[("dropcast:state", "queued")]).await.unwrap();
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn dots_and_empty_folders_reach_s3_unchanged() {
    for key in ["drop/anna/x/./a.mp4", "drop/anna//a.mp4", "drop/anna/../a.mp4"] {
        let head = || Reply::new(200, "").header("x-amz-version-id", "v1");
        let tags = || Reply::new(200, "<Tagging><TagSet></TagSet></Tagging>");
        let script = [head(), part(0, 9), Reply::new(200, "{}"), tags(), Reply::new(200, "")].map(reply);
        let server = ScriptedServer::start(script).await;
        let objects = Objects::new(server.s3());
        let source = Source { key: key.to_owned(), ..versioned() };
        objects.describe(&source).await.unwrap();
        objects.read_small(&source, 0, 10).await.unwrap();
        objects.sidecar("intake", key).await.unwrap();
        objects.tag(&source, &[("dropcast:state", "queued")]).await.unwrap();
        for request in server.requests() {
            let path = request.target.split('?').next().unwrap_or_default();
            assert_eq!(path, format!("/intake/{key}"), "{}", request.target);
        }
    }
}

#[tokio::test]
async fn key_too_long_for_s3_has_no_sidecar() {
    let server = ScriptedServer::start([reply(s3_error(400, "KeyTooLongError"))]).await;
    assert_eq!(Objects::new(server.s3()).sidecar("intake", &"k".repeat(1025)).await.unwrap(), None);
}

#[tokio::test]
async fn metadata_that_s3_does_not_return_is_counted() {
    let head = Reply::new(200, "").header("x-amz-missing-meta", "2");
    let server = ScriptedServer::start([reply(head.header("x-amz-meta-dropcast-title", "Bread"))]).await;
    let meta = Objects::new(server.s3()).describe(&versioned()).await.unwrap();
    assert_eq!((meta.missing_metadata, meta.metadata), (2, vec![("dropcast-title".to_owned(), "Bread".to_owned())]));
}
