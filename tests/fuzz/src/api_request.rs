//! Fuzz target `api_request`: requests to the API (query strings, JSON bodies and
//! idempotency keys).
//!
//! Properties: a page size is within its limits; a cursor, a post's id and a body
//! are equal after they are read back; the same update twice has no further effect;
//! an upload's key names its post; an error is one short line.

use std::fmt::Debug;

use domain::drop_key::{DropKey, upload_key};
use domain::identity::{Alias, PostId};
use domain::listing::{Cursor, ListPosts};
use domain::options::{OptionsError, PostOptions};
use domain::request::{IdempotencyKey, PostForm, RequestDigest, UploadForm};
use domain::size::VideoSize;
use serde::Serialize;

use crate::checks::check_error;
use crate::options::{check_options, preferences};

/// The stored options of a post that a request updates.
const STORED_OPTIONS: &[u8] = br#"{"title":"Hello","mode":"draft","privacy_level":"SELF_ONLY","disable_comment":true,
    "disable_duet":false,"disable_stitch":true,"cover_timestamp_ms":1500,"brand_content":false,
    "brand_organic":true,"ai_generated":true,"publish_at":"2026-12-01T09:00:00"}"#;
/// S3's maximum length of an object key in bytes.
const MAX_KEY_BYTES: usize = 1024;

/// Reads an input as a request. The first line is a route, followed by `?` and a
/// query or by a space and an `Idempotency-Key`. The rest is the body.
pub fn api_request(input: &[u8]) {
    let line_end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (first_line, body) = (&input[..line_end], input.get(line_end + 1..).unwrap_or_default());
    let Ok(first_line) = str::from_utf8(first_line) else { return };
    let (route, rest) = first_line.split_once([' ', '?']).unwrap_or((first_line, ""));
    match route {
        "list" => check_list(rest),
        "post" => {
            post_id(rest);
            check_post(body);
        }
        "upload" => check_upload(&post_id(rest), body),
        "update" => check_update(body),
        "configure" => preferences(body),
        _ => {}
    }
}

/// Checks a list query: the page size is bounded, and the cursor can be read back.
fn check_list(query: &str) {
    match ListPosts::read(query) {
        Ok(ListPosts { filter, after, limit }) => {
            assert!((1..=100).contains(&limit), "the page size is {limit}");
            if let Some(alias) = filter.account {
                assert_eq!(Alias::new(alias.as_str()), Ok(alias));
            }
            if let Some(cursor) = after {
                assert_eq!(Cursor::parse(&cursor.to_text()), Ok(cursor), "the cursor changes when it is read back");
            }
        }
        Err(error) => check_error(&error),
    }
}

/// The id of the post that a request creates; fixed if the idempotency key is invalid.
fn post_id(key: &str) -> PostId {
    let id = match IdempotencyKey::parse(key) {
        Ok(key) => PostId::of_request(&key),
        Err(error) => {
            check_error(&error);
            PostId::random(&[7; 32])
        }
    };
    assert_eq!(PostId::new(id.as_str()).as_ref(), Ok(&id));
    id
}

fn check_post(body: &[u8]) {
    if let Some(form) = check_form(body, PostForm::read, PostForm::digest) {
        check_options(Ok(form.options));
    }
}

/// Checks a request for an upload: the object's key names this post.
fn check_upload(id: &PostId, body: &[u8]) {
    let Some(form) = check_form(body, UploadForm::read, UploadForm::digest) else { return };
    match VideoSize::new(form.bytes) {
        Ok(size) => assert_eq!(size.bytes(), form.bytes),
        Err(error) => check_error(&error),
    }
    match upload_key(id, &form.file_name) {
        Ok(key) => {
            assert!(key.len() <= MAX_KEY_BYTES, "{key:?}");
            assert_eq!(DropKey::parse(&key), DropKey::Upload { post: id.clone() });
        }
        Err(error) => check_error(&error),
    }
    check_options(Ok(form.options));
}

/// Parses a body. A valid body must be equal, with an equal digest, after it is
/// serialized and parsed again.
fn check_form<F: Serialize + PartialEq + Debug>(
    body: &[u8],
    read: fn(&[u8]) -> Result<F, OptionsError>,
    digest: fn(&F) -> RequestDigest,
) -> Option<F> {
    let form = read(body).inspect_err(|error| check_error(error)).ok()?;
    let serialized = serde_json::to_vec(&form).expect("a form can be serialized");
    let parsed = read(&serialized).expect("a serialized form can be parsed");
    assert_eq!(parsed, form, "the form changes when it is read back");
    assert_eq!(digest(&parsed), digest(&form), "the digest changes when the form is read back");
    Some(form)
}

/// Checks an update of a post's options: an update is idempotent.
fn check_update(body: &[u8]) {
    let stored = PostOptions::from_json(STORED_OPTIONS, "post").expect("the stored options are valid");
    let updated = stored.changed(body, "change");
    if let Ok(updated) = &updated {
        assert_eq!(updated.changed(body, "change").as_ref(), Ok(updated), "the same update again has an effect");
        assert_eq!(updated.changed(b"{}", "change").as_ref(), Ok(updated), "an empty update has an effect");
    }
    check_options(updated);
}
