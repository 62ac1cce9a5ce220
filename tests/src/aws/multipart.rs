//! A fake of S3's multipart uploads. The parts stay apart from the objects until the upload is completed.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>

use std::collections::BTreeMap;

use axum::http::{Method, Request};
use bytes::Bytes;
use jiff::Timestamp;

use super::bucket::{BUCKET, Bucket, element};
use super::{Answer, AwsError, reply};
use crate::TestVideo;

/// The multipart uploads that are neither completed nor aborted.
#[derive(Default)]
pub(crate) struct Uploads {
    open: BTreeMap<String, Upload>,
    created: u64,
}

struct Upload {
    key: String,
    parts: BTreeMap<u32, Part>,
}

/// A byte range of a test video.
struct Part {
    video: TestVideo,
    first: u64,
    bytes: u64,
}

/// A created object, whose event the bucket has not yet sent to the queue.
pub(crate) struct Created {
    pub(crate) key: String,
    pub(crate) version: String,
    pub(crate) bytes: u64,
}

impl Uploads {
    fn find(&mut self, key: &str, id: &str) -> Result<&mut Upload, AwsError> {
        let missing = AwsError { status: 404, ..AwsError::new("NoSuchUpload", "there is no such upload") };
        self.open.get_mut(id).filter(|upload| upload.key == key).ok_or(missing)
    }

    fn create(&mut self, key: &str) -> String {
        self.created += 1;
        let id = format!("upload-{}", self.created);
        self.open.insert(id.clone(), Upload { key: key.to_owned(), parts: BTreeMap::new() });
        id
    }
}

impl Bucket {
    /// Stores a part, as a PUT to its presigned URL does. `range` is the part's offset in the video and its length,
    /// each in bytes. Returns false if the upload was completed or aborted before.
    pub fn put_part(&mut self, key: &str, upload: &str, number: u32, video: &TestVideo, range: (u64, u64)) -> bool {
        let (first, bytes) = range;
        let Ok(upload) = self.uploads.find(key, upload) else { return false };
        upload.parts.insert(number, Part { video: video.clone(), first, bytes });
        true
    }

    /// Joins all parts to one object and returns its version id. `listed` is the request's XML list of parts, which
    /// must equal the stored parts. The parts must be a whole test video.
    fn complete(&mut self, key: &str, id: &str, listed: &str, now: Timestamp) -> Result<String, AwsError> {
        let upload = self.uploads.find(key, id)?;
        let listed: Vec<_> =
            listed.split("<Part>").skip(1).map(|part| (part_number(part), element(part, "ETag"))).collect();
        let stored: Vec<_> = upload.parts.keys().map(|number| (Some(*number), Some(etag(*number)))).collect();
        let mut end = 0;
        for part in upload.parts.values() {
            // u64::MAX, which is no video's size, marks a gap or an overlap.
            end = if part.first == end { end + part.bytes } else { u64::MAX };
        }
        let video = upload.parts.values().next().map(|part| part.video.clone()).filter(|video| video.bytes == end);
        let video = video.filter(|_| listed == stored);
        let video = video.ok_or_else(|| AwsError::new("InvalidPart", "the parts are not a whole test video"))?;
        self.uploads.open.remove(id);
        let bytes = video.bytes;
        let version = self.put(key, video, &[], now);
        self.created.push(Created { key: key.to_owned(), version: version.clone(), bytes });
        Ok(version)
    }
}

/// Answers a call of the multipart API; none if the request is another call.
pub(crate) fn answer(
    bucket: &mut Bucket,
    key: &str,
    query: &BTreeMap<String, String>,
    request: &Request<Bytes>,
    now: Timestamp,
) -> Option<Result<Answer, AwsError>> {
    let result = |name: &str, content: &str| reply(200, "application/xml", format!("<{name}>{content}</{name}>"));
    let id = query.get("uploadId");
    Some(match (request.method(), id) {
        (&Method::POST, None) if query.contains_key("uploads") => {
            let id = bucket.uploads.create(key);
            let content = format!("<Bucket>{BUCKET}</Bucket><Key>{key}</Key><UploadId>{id}</UploadId>");
            Ok(result("InitiateMultipartUploadResult", &content))
        }
        (&Method::GET, Some(id)) => {
            bucket.uploads.find(key, id).map(|upload| result("ListPartsResult", &part_list(upload)))
        }
        (&Method::POST, Some(id)) => {
            let version = bucket.complete(key, id, &String::from_utf8_lossy(request.body()), now);
            version.map(|version| {
                let content = format!("<Bucket>{BUCKET}</Bucket><Key>{key}</Key><ETag>\"{version}\"</ETag>");
                result("CompleteMultipartUploadResult", &content)
            })
        }
        (&Method::DELETE, Some(id)) => bucket.uploads.find(key, id).map(drop).map(|()| {
            bucket.uploads.open.remove(id);
            reply(204, "application/xml", "")
        }),
        _ => return None,
    })
}

fn part_list(upload: &Upload) -> String {
    let parts = upload.parts.iter().map(|(number, part)| {
        let (etag, bytes) = (etag(*number), part.bytes);
        format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag><Size>{bytes}</Size></Part>")
    });
    format!("<IsTruncated>false</IsTruncated>{}", parts.collect::<Vec<_>>().concat())
}

fn part_number(part: &str) -> Option<u32> {
    element(part, "PartNumber")?.parse().ok()
}

fn etag(number: u32) -> String {
    format!("part-{number}")
}
