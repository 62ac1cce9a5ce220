//! S3: one bucket that keeps versions.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Method, Request, header};
use bytes::Bytes;
use futures::stream;

use crate::parts::{self, Created, Uploads};
use crate::{Answer, Film, Refusal, reply};

/// The bucket's name.
pub const BUCKET: &str = "intake";

/// The bucket.
#[derive(Default)]
pub struct Bucket {
    objects: BTreeMap<String, Vec<Version>>,
    given: u64,
    pub(crate) uploads: Uploads,
    /// What it has yet to tell of: what others put there, they tell of themselves.
    pub(crate) created: Vec<Created>,
}

struct Version {
    id: String,
    /// None for the mark of a deletion.
    content: Option<Film>,
    metadata: Vec<(String, String)>,
    tags: Vec<(String, String)>,
}

impl Bucket {
    /// Drops an object, and returns its version.
    pub fn put(&mut self, key: &str, content: Film, metadata: &[(&str, &str)]) -> String {
        self.add(key, Some(content), metadata)
    }

    /// The newest version of an object, if one is there.
    pub fn newest(&mut self, key: &str) -> Option<String> {
        self.find(key, None).ok().map(|version| version.id.clone())
    }

    /// Deletes an object as a person does: a mark hides its versions.
    pub fn delete(&mut self, key: &str) {
        self.add(key, None, &[]);
    }

    /// Deletes a version for good.
    pub fn remove(&mut self, key: &str, version: &str) {
        if let Some(versions) = self.objects.get_mut(key) {
            versions.retain(|kept| kept.id != version);
        }
    }

    fn add(&mut self, key: &str, content: Option<Film>, metadata: &[(&str, &str)]) -> String {
        self.given += 1;
        let id = format!("version-{}", self.given);
        let metadata = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let version = Version { id: id.clone(), content, metadata, tags: Vec::new() };
        self.objects.entry(key.to_owned()).or_default().push(version);
        id
    }

    fn find(&mut self, key: &str, id: Option<&str>) -> Result<&mut Version, Refusal> {
        let versions = self.objects.get_mut(key).map(|versions| versions.iter_mut());
        let mut versions = versions.into_iter().flatten();
        let found = match id {
            Some(id) => versions.find(|version| version.id == id),
            None => versions.last(),
        };
        let code = if id.is_some() { "NoSuchVersion" } else { "NoSuchKey" };
        let missing = Refusal { status: 404, ..Refusal::new(code, "it is not there") };
        found.filter(|version| version.content.is_some()).ok_or(missing)
    }

    fn keys(&self, prefix: &str) -> impl Iterator<Item = &String> {
        let there = |versions: &[Version]| versions.last().is_some_and(|last| last.content.is_some());
        self.objects
            .iter()
            .filter(move |(key, versions)| key.starts_with(prefix) && there(versions))
            .map(|(key, _)| key)
    }
}

/// Answers a call.
pub(crate) fn answer(bucket: &mut Bucket, request: &Request<Bytes>) -> Result<Answer, Refusal> {
    let path = decoded(request.uri().path());
    let query: BTreeMap<String, String> = parameters(request.uri().query().unwrap_or_default());
    let key = path.strip_prefix(&format!("/{BUCKET}")).ok_or_else(|| Refusal {
        status: 404,
        ..Refusal::new("NoSuchBucket", format!("there is no bucket at {path}"))
    })?;
    let key = key.strip_prefix('/').unwrap_or(key);
    if key.is_empty() {
        return Ok(listing(bucket, query.get("prefix").map_or("", String::as_str)));
    }
    if let Some(answer) = parts::answer(bucket, key, &query, request) {
        return answer;
    }
    let version = bucket.find(key, query.get("versionId").map(String::as_str));
    let tagging = query.contains_key("tagging");
    match (request.method(), tagging) {
        (&Method::GET, true) => Ok(reply(200, "application/xml", tags(&version?.tags))),
        (&Method::PUT, true) => {
            version?.tags = read_tags(&String::from_utf8_lossy(request.body()));
            Ok(reply(200, "application/xml", ""))
        }
        (&Method::HEAD, false) => head(version, request),
        (&Method::GET, false) => object(version?, request),
        (method, _) => Err(crate::unknown(format!("S3 {method} {path}"))),
    }
}

/// What is said of an object without its bytes; a refusal has no body either.
fn head(version: Result<&mut Version, Refusal>, request: &Request<Bytes>) -> Result<Answer, Refusal> {
    let described = version.and_then(|version| {
        check(version, request)?;
        Ok(described(version, None))
    });
    described.map_err(|refusal| Refusal { status: refusal.status, ..Refusal::new("", "") })
}

fn said(request: &Request<Bytes>, name: header::HeaderName) -> Option<&str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

/// Holds an object against the tag that it must have.
fn check(version: &Version, request: &Request<Bytes>) -> Result<(), Refusal> {
    if said(request, header::IF_MATCH).is_some_and(|tag| tag != etag(version)) {
        return Err(Refusal { status: 412, ..Refusal::new("PreconditionFailed", "it is another one") });
    }
    Ok(())
}

fn object(version: &Version, request: &Request<Bytes>) -> Result<Answer, Refusal> {
    check(version, request)?;
    let total = version.content.as_ref().map_or(0, |film| film.bytes);
    let range = said(request, header::RANGE).map(|asked| {
        let (first, last) = asked.strip_prefix("bytes=")?.split_once('-')?;
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().unwrap_or(u64::MAX));
        (first <= last && first < total).then(|| (first, last.saturating_add(1).min(total)))
    });
    match range {
        Some(None) => Err(Refusal { status: 416, ..Refusal::new("InvalidRange", "there is no such range") }),
        Some(range) => Ok(described(version, range)),
        None => Ok(described(version, Some((0, total)))),
    }
}

/// An object's head, and the bytes of a range where one is given.
fn described(version: &Version, range: Option<(u64, u64)>) -> Answer {
    let Some(content) = &version.content else { return reply(404, "application/xml", "") };
    let total = content.bytes;
    let (first, end) = range.unwrap_or((0, total));
    let body = range.map_or_else(Body::empty, |(first, end)| {
        Body::from_stream(stream::iter(content.range(first, end).map(Ok::<_, std::io::Error>)))
    });
    let part = range.is_some() && (first, end) != (0, total);
    let mut answer = reply(if part { 206 } else { 200 }, "video/mp4", body);
    let mut say = |name: &str, value: String| {
        if let (Ok(name), Ok(value)) = (name.parse::<header::HeaderName>(), value.parse()) {
            answer.headers_mut().insert(name, value);
        }
    };
    say("content-length", (end - first).to_string());
    say("etag", etag(version));
    say("x-amz-version-id", version.id.clone());
    say("last-modified", "Sun, 22 Nov 2026 09:30:12 GMT".to_owned());
    say("accept-ranges", "bytes".to_owned());
    if part {
        say("content-range", format!("bytes {first}-{}/{total}", end - 1));
    }
    for (name, value) in &version.metadata {
        say(&format!("x-amz-meta-{name}"), value.clone());
    }
    answer
}

fn etag(version: &Version) -> String {
    format!("\"{}\"", version.id)
}

fn listing(bucket: &Bucket, prefix: &str) -> Answer {
    let contents: Vec<_> = bucket.keys(prefix).map(|key| format!("<Contents><Key>{key}</Key></Contents>")).collect();
    let contents = contents.concat();
    let result = format!("<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>");
    reply(200, "application/xml", result)
}

fn tags(tags: &[(String, String)]) -> String {
    let tags = tags.iter().map(|(key, value)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>"));
    format!("<Tagging><TagSet>{}</TagSet></Tagging>", tags.collect::<Vec<_>>().concat())
}

/// What stands in an element of this name.
pub(crate) fn between(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
}

fn read_tags(xml: &str) -> Vec<(String, String)> {
    xml.split("<Tag>").skip(1).filter_map(|tag| Some((between(tag, "Key")?, between(tag, "Value")?))).collect()
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn parameters(query: &str) -> BTreeMap<String, String> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(k, v)| (decoded(k), decoded(v))).collect()
}
