//! A fake of S3: one bucket with versioning, in memory.
//!
//! It does not escape keys and tags in XML, so a test must use none with `<`, `>` or `&`.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Method, Request, header};
use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER};
use futures::stream;
use jiff::Timestamp;

use super::multipart::{self, Created, Uploads};
use super::{Answer, AwsError, reply};
use crate::TestVideo;

/// How many versions and delete markers a page of a list has at most, as in S3.
const PAGE: usize = 1000;

/// The bucket's name.
pub const BUCKET: &str = "intake";

/// The bucket.
#[derive(Default)]
pub struct Bucket {
    objects: BTreeMap<String, Vec<Version>>,
    /// The number of versions created so far, which numbers the next version id.
    created_versions: u64,
    pub(crate) uploads: Uploads,
    /// Objects of completed multipart uploads, whose events are not yet sent. Tests that call [`Bucket::put`] send the
    /// event themselves.
    pub(crate) created: Vec<Created>,
    /// How many versions a page of a list has, if it has fewer than S3's 1,000.
    pub versions_per_page: Option<usize>,
}

struct Version {
    id: String,
    created_at: Timestamp,
    /// None for a delete marker.
    content: Option<TestVideo>,
    metadata: Vec<(String, String)>,
    tags: Vec<(String, String)>,
}

impl Bucket {
    /// Puts an object without an event, and returns its version id. See
    /// [`Queue::put_object_created`](super::Queue::put_object_created) for the event.
    pub fn put(&mut self, key: &str, content: TestVideo, metadata: &[(&str, &str)], now: Timestamp) -> String {
        self.add(key, Some(content), metadata, now)
    }

    /// Replaces the tags of a version.
    pub fn set_tags(&mut self, key: &str, version: &str, tags: &[(&str, &str)]) {
        if let Ok(version) = self.find(key, Some(version)) {
            version.tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        }
    }

    /// The version id of an object's newest version; none if the object does not exist or is deleted.
    pub fn newest(&mut self, key: &str) -> Option<String> {
        self.find(key, None).ok().map(|version| version.id.clone())
    }

    /// Deletes an object: adds a delete marker that hides its versions.
    pub fn delete(&mut self, key: &str, now: Timestamp) {
        self.add(key, None, &[], now);
    }

    /// Deletes one version permanently.
    pub fn delete_version(&mut self, key: &str, version: &str) {
        if let Some(versions) = self.objects.get_mut(key) {
            versions.retain(|stored| stored.id != version);
        }
    }

    /// Adds a version, or a delete marker if there is no content.
    fn add(
        &mut self,
        key: &str,
        content: Option<TestVideo>,
        metadata: &[(&str, &str)],
        created_at: Timestamp,
    ) -> String {
        self.created_versions += 1;
        let id = format!("version-{}", self.created_versions);
        let metadata = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let version = Version { id: id.clone(), created_at, content, metadata, tags: Vec::new() };
        self.objects.entry(key.to_owned()).or_default().push(version);
        id
    }

    /// Finds a version by its id; without an id, the newest version.
    fn find(&mut self, key: &str, id: Option<&str>) -> Result<&mut Version, AwsError> {
        let versions = self.objects.get_mut(key).map(|versions| versions.iter_mut());
        let mut versions = versions.into_iter().flatten();
        let found = match id {
            Some(id) => versions.find(|version| version.id == id),
            None => versions.last(),
        };
        let code = if id.is_some() { "NoSuchVersion" } else { "NoSuchKey" };
        let missing = AwsError { status: 404, ..AwsError::new(code, "the object does not exist") };
        found.filter(|version| version.content.is_some()).ok_or(missing)
    }

    /// The keys of the objects that are not deleted.
    fn keys(&self, prefix: &str) -> impl Iterator<Item = &String> {
        let exists = |versions: &[Version]| versions.last().is_some_and(|last| last.content.is_some());
        self.objects
            .iter()
            .filter(move |(key, versions)| key.starts_with(prefix) && exists(versions))
            .map(|(key, _)| key)
    }
}

/// Answers a call to S3.
///
/// `now` is the time of an object that a completed multipart upload makes. S3 uses the time at which the upload began.
pub(crate) fn answer(bucket: &mut Bucket, request: &Request<Bytes>, now: Timestamp) -> Result<Answer, AwsError> {
    let path = percent_decoded(request.uri().path());
    let query: BTreeMap<String, String> = query_parameters(request.uri().query().unwrap_or_default());
    let key = path.strip_prefix(&format!("/{BUCKET}")).ok_or_else(|| AwsError {
        status: 404,
        ..AwsError::new("NoSuchBucket", format!("there is no bucket at {path}"))
    })?;
    let key = key.strip_prefix('/').unwrap_or(key);
    if key.is_empty() && query.contains_key("versions") {
        return Ok(list_versions(bucket, &query));
    }
    if key.is_empty() {
        return Ok(list_objects(bucket, query.get("prefix").map_or("", String::as_str)));
    }
    if let Some(answer) = multipart::answer(bucket, key, &query, request, now) {
        return answer;
    }
    let version = bucket.find(key, query.get("versionId").map(String::as_str));
    let tagging = query.contains_key("tagging");
    match (request.method(), tagging) {
        (&Method::GET, true) => Ok(reply(200, "application/xml", tags_xml(&version?.tags))),
        (&Method::PUT, true) => {
            version?.tags = parse_tags(&String::from_utf8_lossy(request.body()));
            Ok(reply(200, "application/xml", ""))
        }
        (&Method::HEAD, false) => head_object(version, request),
        (&Method::GET, false) => get_object(version?, request),
        (method, _) => Err(super::unsupported(format!("S3 {method} {path}"))),
    }
}

/// Answers `HeadObject`. As in S3, an error has a status but no body.
fn head_object(version: Result<&mut Version, AwsError>, request: &Request<Bytes>) -> Result<Answer, AwsError> {
    let answer = version.and_then(|version| {
        check_if_match(version, request)?;
        let mut answer = object_answer(version, None);
        let wants_checksum = request.headers().get("x-amz-checksum-mode").is_some();
        if let Some(checksum) = version.content.as_ref().filter(|_| wants_checksum).and_then(sha256_header) {
            answer.headers_mut().insert("x-amz-checksum-sha256", checksum);
            answer.headers_mut().insert("x-amz-checksum-type", header::HeaderValue::from_static("FULL_OBJECT"));
        }
        Ok(answer)
    });
    answer.map_err(|error| AwsError { status: error.status, ..AwsError::new("", "") })
}

fn header_of(request: &Request<Bytes>, name: header::HeaderName) -> Option<&str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

/// Checks the `If-Match` header against the version's `ETag`.
fn check_if_match(version: &Version, request: &Request<Bytes>) -> Result<(), AwsError> {
    if header_of(request, header::IF_MATCH).is_some_and(|tag| tag != etag(version)) {
        return Err(AwsError { status: 412, ..AwsError::new("PreconditionFailed", "the ETag differs") });
    }
    Ok(())
}

fn get_object(version: &Version, request: &Request<Bytes>) -> Result<Answer, AwsError> {
    check_if_match(version, request)?;
    let total = version.content.as_ref().map_or(0, |video| video.bytes);
    let range = header_of(request, header::RANGE).map(|header| {
        let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
        // `bytes=5-` has no last offset.
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().unwrap_or(u64::MAX));
        (first <= last && first < total).then(|| (first, last.saturating_add(1).min(total)))
    });
    match range {
        Some(None) => Err(AwsError { status: 416, ..AwsError::new("InvalidRange", "the range is not satisfiable") }),
        Some(range) => Ok(object_answer(version, range)),
        None => Ok(object_answer(version, Some((0, total)))),
    }
}

/// The headers of an object, and the bytes from the range's first offset up to but excluding its second; no bytes
/// without a range.
fn object_answer(version: &Version, range: Option<(u64, u64)>) -> Answer {
    let Some(content) = &version.content else { return reply(404, "application/xml", "") };
    let total = content.bytes;
    let (first, end) = range.unwrap_or((0, total));
    let body = range.map_or_else(Body::empty, |(first, end)| {
        Body::from_stream(stream::iter(content.range(first, end).map(Ok::<_, std::io::Error>)))
    });
    let partial = range.is_some() && (first, end) != (0, total);
    let mut answer = reply(if partial { 206 } else { 200 }, "video/mp4", body);
    let mut set_header = |name: &str, value: String| {
        if let (Ok(name), Ok(value)) = (name.parse::<header::HeaderName>(), value.parse()) {
            answer.headers_mut().insert(name, value);
        }
    };
    set_header("content-length", (end - first).to_string());
    set_header("etag", etag(version));
    set_header("x-amz-version-id", version.id.clone());
    // No function reads this time.
    set_header("last-modified", "Sun, 22 Nov 2026 09:30:12 GMT".to_owned());
    set_header("accept-ranges", "bytes".to_owned());
    if partial {
        set_header("content-range", format!("bytes {first}-{}/{total}", end - 1));
    }
    for (name, value) in &version.metadata {
        set_header(&format!("x-amz-meta-{name}"), value.clone());
    }
    answer
}

/// A video's SHA-256 as S3 states it, in Base64.
fn sha256_header(video: &TestVideo) -> Option<header::HeaderValue> {
    let digest = HEXLOWER.decode(video.sha256.as_bytes()).ok()?;
    BASE64.encode(&digest).parse().ok()
}

/// The `ETag`: the version id in quotes. S3's is a hash, but the functions only compare it.
fn etag(version: &Version) -> String {
    format!("\"{}\"", version.id)
}

fn list_objects(bucket: &Bucket, prefix: &str) -> Answer {
    let contents: Vec<_> = bucket.keys(prefix).map(|key| format!("<Contents><Key>{key}</Key></Contents>")).collect();
    let contents = contents.concat();
    let result = format!("<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>");
    reply(200, "application/xml", result)
}

/// Answers `ListObjectVersions`: the versions and delete markers in the order of the keys, the newest of a key first.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>
fn list_versions(bucket: &Bucket, query: &BTreeMap<String, String>) -> Answer {
    let parameter = |name: &str| query.get(name).map_or("", String::as_str);
    let (prefix, key_marker, version_marker) =
        (parameter("prefix"), parameter("key-marker"), parameter("version-id-marker"));
    let keys = bucket.objects.iter().filter(|(key, _)| key.starts_with(prefix));
    let all =
        keys.flat_map(|(key, versions)| versions.iter().enumerate().rev().map(move |(at, it)| (key, versions, at, it)));
    let mut found_marker = version_marker.is_empty();
    let mut rest = all.filter(|(key, _, _, version)| {
        let is_after =
            key.as_str() > key_marker || (key.as_str() == key_marker && found_marker && !version_marker.is_empty());
        found_marker |= key.as_str() == key_marker && version.id == version_marker;
        is_after
    });
    let page: Vec<_> = rest.by_ref().take(bucket.versions_per_page.unwrap_or(PAGE)).collect();
    let is_truncated = rest.next().is_some();
    let entry = |(key, versions, at, version): &(&String, &Vec<Version>, usize, &Version)| {
        let (id, created_at, is_latest) = (&version.id, version.created_at, at + 1 == versions.len());
        let head = format!(
            "<Key>{key}</Key><VersionId>{id}</VersionId><IsLatest>{is_latest}</IsLatest>\
             <LastModified>{created_at:.3}</LastModified>"
        );
        match &version.content {
            Some(content) => {
                let (tag, bytes) = (etag(version), content.bytes);
                format!("<Version>{head}<ETag>{tag}</ETag><Size>{bytes}</Size></Version>")
            }
            None => format!("<DeleteMarker>{head}</DeleteMarker>"),
        }
    };
    let last = page.last().filter(|_| is_truncated).map(|(key, _, _, version)| {
        let id = &version.id;
        format!("<NextKeyMarker>{key}</NextKeyMarker><NextVersionIdMarker>{id}</NextVersionIdMarker>")
    });
    let entries: String = page.iter().map(entry).collect();
    let next = last.unwrap_or_default();
    let result =
        format!("<ListVersionsResult><IsTruncated>{is_truncated}</IsTruncated>{next}{entries}</ListVersionsResult>");
    reply(200, "application/xml", result)
}

fn tags_xml(tags: &[(String, String)]) -> String {
    let tags = tags.iter().map(|(key, value)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>"));
    format!("<Tagging><TagSet>{}</TagSet></Tagging>", tags.collect::<Vec<_>>().concat())
}

fn parse_tags(xml: &str) -> Vec<(String, String)> {
    xml.split("<Tag>").skip(1).filter_map(|tag| Some((element(tag, "Key")?, element(tag, "Value")?))).collect()
}

/// The text of the first XML element with this name.
pub(crate) fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
}

fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn query_parameters(query: &str) -> BTreeMap<String, String> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(name, value)| (percent_decoded(name), percent_decoded(value))).collect()
}
