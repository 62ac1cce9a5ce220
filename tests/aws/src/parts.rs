//! S3: uploads in parts. Parts lie beside the objects until they are made one.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>

use std::collections::BTreeMap;

use axum::http::{Method, Request};
use bytes::Bytes;

use crate::bucket::{BUCKET, Bucket, between};
use crate::{Answer, Film, Refusal, reply};

/// The uploads that were begun, and are neither completed nor given up.
#[derive(Default)]
pub(crate) struct Uploads {
    open: BTreeMap<String, Upload>,
    given: u64,
}

struct Upload {
    key: String,
    parts: BTreeMap<u32, Part>,
}

/// A piece of a film.
struct Part {
    film: Film,
    first: u64,
    bytes: u64,
}

/// An object that came to be, of which the bucket has yet to tell.
pub(crate) struct Created {
    pub(crate) key: String,
    pub(crate) version: String,
    pub(crate) bytes: u64,
}

impl Uploads {
    fn find(&mut self, key: &str, id: &str) -> Result<&mut Upload, Refusal> {
        let missing = Refusal { status: 404, ..Refusal::new("NoSuchUpload", "there is no such upload") };
        self.open.get_mut(id).filter(|upload| upload.key == key).ok_or(missing)
    }

    fn begin(&mut self, key: &str) -> String {
        self.given += 1;
        let id = format!("upload-{}", self.given);
        self.open.insert(id.clone(), Upload { key: key.to_owned(), parts: BTreeMap::new() });
        id
    }
}

impl Bucket {
    /// Takes a part from whoever has its address; false where nobody awaits it any more.
    pub fn put_part(&mut self, key: &str, upload: &str, number: u32, film: &Film, range: (u64, u64)) -> bool {
        let (first, bytes) = range;
        let Ok(upload) = self.uploads.find(key, upload) else { return false };
        upload.parts.insert(number, Part { film: film.clone(), first, bytes });
        true
    }

    /// Makes one object of all parts, which must be a film from its beginning to its end.
    fn complete(&mut self, key: &str, id: &str, named: &str) -> Result<String, Refusal> {
        let upload = self.uploads.find(key, id)?;
        let asked: Vec<_> = named.split("<Part>").skip(1).map(|part| (number(part), between(part, "ETag"))).collect();
        let there: Vec<_> = upload.parts.keys().map(|number| (Some(*number), Some(etag(*number)))).collect();
        let mut end = 0;
        for part in upload.parts.values() {
            end = if part.first == end { end + part.bytes } else { u64::MAX };
        }
        let film = upload.parts.values().next().map(|part| part.film.clone()).filter(|film| film.bytes == end);
        let film = film.filter(|_| asked == there);
        let film = film.ok_or_else(|| Refusal::new("InvalidPart", "these are not the parts of a film"))?;
        self.uploads.open.remove(id);
        let bytes = film.bytes;
        let version = self.put(key, film, &[]);
        self.created.push(Created { key: key.to_owned(), version: version.clone(), bytes });
        Ok(version)
    }
}

/// Answers a call about an upload in parts; none if it is about something else.
pub(crate) fn answer(
    bucket: &mut Bucket,
    key: &str,
    query: &BTreeMap<String, String>,
    request: &Request<Bytes>,
) -> Option<Result<Answer, Refusal>> {
    let result = |name: &str, content: &str| reply(200, "application/xml", format!("<{name}>{content}</{name}>"));
    let id = query.get("uploadId");
    Some(match (request.method(), id) {
        (&Method::POST, None) if query.contains_key("uploads") => {
            let id = bucket.uploads.begin(key);
            let said = format!("<Bucket>{BUCKET}</Bucket><Key>{key}</Key><UploadId>{id}</UploadId>");
            Ok(result("InitiateMultipartUploadResult", &said))
        }
        (&Method::GET, Some(id)) => {
            bucket.uploads.find(key, id).map(|upload| result("ListPartsResult", &listed(upload)))
        }
        (&Method::POST, Some(id)) => {
            let version = bucket.complete(key, id, &String::from_utf8_lossy(request.body()));
            version.map(|version| {
                let said = format!("<Bucket>{BUCKET}</Bucket><Key>{key}</Key><ETag>\"{version}\"</ETag>");
                result("CompleteMultipartUploadResult", &said)
            })
        }
        (&Method::DELETE, Some(id)) => bucket.uploads.find(key, id).map(drop).map(|()| {
            bucket.uploads.open.remove(id);
            reply(204, "application/xml", "")
        }),
        _ => return None,
    })
}

fn listed(upload: &Upload) -> String {
    let parts = upload.parts.iter().map(|(number, part)| {
        let (etag, bytes) = (etag(*number), part.bytes);
        format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag><Size>{bytes}</Size></Part>")
    });
    format!("<IsTruncated>false</IsTruncated>{}", parts.collect::<Vec<_>>().concat())
}

fn number(part: &str) -> Option<u32> {
    between(part, "PartNumber")?.parse().ok()
}

fn etag(number: u32) -> String {
    format!("part-{number}")
}
