//! Whatever is asked of the API: queries, bodies, and what a request is called.

use std::fmt::Debug;

use domain::drop_key::{DropKey, upload_key};
use domain::identity::{Alias, PostId};
use domain::listing::{Cursor, ListPosts};
use domain::options::{OptionsError, PostOptions};
use domain::request::{IdempotencyKey, PostForm, RequestDigest, UploadForm};
use domain::size::VideoSize;
use serde::Serialize;

use crate::options::{hold_options, preferences};
use crate::words::hold_error;

/// What a post says that is to be changed.
const SAID: &[u8] = br#"{"title":"Hello","mode":"draft","privacy_level":"SELF_ONLY","disable_comment":true,
    "disable_duet":false,"disable_stitch":true,"cover_timestamp_ms":1500,"brand_content":false,
    "brand_organic":true,"ai_generated":true,"publish_at":"2026-12-01T09:00:00"}"#;
/// The longest key of an object, in bytes.
const LONGEST_KEY: usize = 1024;

/// Takes an input as a request: in its first line the route, and what follows it, a
/// query or an `Idempotency-Key`; behind it the body.
pub fn request(input: &[u8]) {
    let at = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (first, body) = (&input[..at], input.get(at + 1..).unwrap_or_default());
    let Ok(first) = str::from_utf8(first) else { return };
    let (route, rest) = first.split_once([' ', '?']).unwrap_or((first, ""));
    match route {
        "list" => hold_page(rest),
        "post" => {
            named(rest);
            hold_post(body);
        }
        "upload" => hold_upload(&named(rest), body),
        "reword" => hold_change(body),
        "configure" => preferences(body),
        _ => {}
    }
}

/// A page is bounded, and goes on where it was said to end.
fn hold_page(query: &str) {
    match ListPosts::read(query) {
        Ok(ListPosts { listing, after, most }) => {
            assert!((1..=100).contains(&most), "a page of {most}");
            if let Some(alias) = listing.account {
                assert_eq!(Alias::new(alias.as_str()), Ok(alias));
            }
            if let Some(place) = after {
                assert_eq!(Cursor::parse(&place.to_text()), Ok(place), "as it was given out");
            }
        }
        Err(error) => hold_error(&error),
    }
}

/// The id of the post that a request is for: of one that has a name, always the same.
fn named(key: &str) -> PostId {
    let id = match IdempotencyKey::parse(key) {
        Ok(key) => PostId::of_request(&key),
        Err(error) => {
            hold_error(&error);
            PostId::random(&[7; 32])
        }
    };
    assert_eq!(PostId::new(id.as_str()).as_ref(), Ok(&id));
    id
}

fn hold_post(body: &[u8]) {
    if let Some(form) = form(body, PostForm::read, PostForm::digest) {
        hold_options(Ok(form.options));
    }
}

/// A video goes where it is found to be of this post.
fn hold_upload(id: &PostId, body: &[u8]) {
    let Some(form) = form(body, UploadForm::read, UploadForm::digest) else { return };
    match VideoSize::new(form.bytes) {
        Ok(size) => assert_eq!(size.bytes(), form.bytes),
        Err(error) => hold_error(&error),
    }
    match upload_key(id, &form.file_name) {
        Ok(key) => {
            assert!(key.len() <= LONGEST_KEY, "{key:?}");
            assert_eq!(DropKey::parse(&key), DropKey::Upload { post: id.clone() });
        }
        Err(error) => hold_error(&error),
    }
    hold_options(Ok(form.options));
}

/// What is asked for, which comes back from how it is written out and then asks
/// for the same.
fn form<F: Serialize + PartialEq + Debug>(
    body: &[u8],
    read: fn(&[u8]) -> Result<F, OptionsError>,
    digest: fn(&F) -> RequestDigest,
) -> Option<F> {
    let form = read(body).inspect_err(|error| hold_error(error)).ok()?;
    let written = serde_json::to_vec(&form).expect("a form can be written");
    let again = read(&written).expect("what was written can be read");
    assert_eq!(again, form, "as it was written");
    assert_eq!(digest(&again), digest(&form), "as it was written");
    Some(form)
}

/// A change that was made leaves nothing for the same change to do.
fn hold_change(body: &[u8]) {
    let said = PostOptions::from_json(SAID, "post").expect("they are options");
    let changed = said.changed(body, "change");
    if let Ok(changed) = &changed {
        assert_eq!(changed.changed(body, "change").as_ref(), Ok(changed), "made twice");
        assert_eq!(changed.changed(b"{}", "change").as_ref(), Ok(changed), "a change of nothing");
    }
    hold_options(changed);
}
