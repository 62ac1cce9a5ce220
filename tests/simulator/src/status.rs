//! What became of a publish, in the current and in the older shape, and the
//! refusal to cancel an upload.
//!
//! Reads a publish and does not move it.
//!
//! <https://developers.tiktok.com/doc/content-posting-api-reference-get-video-status>

use serde::Deserialize;
use serde_json::{Value, json};

use crate::envelope::Refusal;
use crate::ids::{OpenId, PublishId};
use crate::post::{Availability, Life, Post};
use crate::settings::{NoneUploaded, PostIds, Settings, StatusShape, UploadedBytes};
use crate::videos::{cover_url, share_url};
use crate::world::World;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    publish_id: PublishId,
}

/// Answers `status/fetch`.
pub(crate) fn fetch(world: &World, user: &OpenId, body: &[u8]) -> Result<Value, Refusal> {
    let post = find(world, user, body)?;
    let username = world.user(user)?.username.as_str();
    Ok(match (&post.life, world.settings.status_shape) {
        (Life::Published { .. }, StatusShape::Older) => older(post, username),
        _ => current(post, &world.settings),
    })
}

/// Answers `cancel`, which is for running pulls alone.
pub(crate) fn cancel(world: &World, user: &OpenId, body: &[u8]) -> Result<Value, Refusal> {
    find(world, user, body)?;
    Err(Refusal::publish_not_cancellable())
}

fn find<'a>(world: &'a World, user: &OpenId, body: &[u8]) -> Result<&'a Post, Refusal> {
    let body: Body = serde_json::from_slice(body)
        .map_err(|error| Refusal::invalid_params(format!("The request body is invalid: {error}")))?;
    let index = world.find(&body.publish_id);
    let post = &world.posts[index.ok_or_else(Refusal::invalid_publish_id)?];
    if post.user == *user { Ok(post) } else { Err(Refusal::publish_id_of_another()) }
}

fn current(post: &Post, settings: &Settings) -> Value {
    let mut data = json!({ "status": post.status() });
    match &post.life {
        Life::Failed { reason } => data["fail_reason"] = json!(reason),
        Life::Published { .. } => {
            data["publicaly_available_post_id"] = public_ids(post, settings.post_ids);
        }
        Life::Uploading | Life::Processing { .. } | Life::InInbox => {}
    }
    if !matches!(post.life, Life::Failed { .. })
        && let Some(uploaded) = uploaded(post, settings)
    {
        data["uploaded_bytes"] = json!(uploaded);
    }
    data
}

/// What is said of the bytes that were received, if anything is.
fn uploaded(post: &Post, settings: &Settings) -> Option<u64> {
    match post.upload.received() {
        0 if settings.none_uploaded.consult() == NoneUploaded::Unsaid => None,
        received => match settings.uploaded_bytes.consult() {
            UploadedBytes::Count => Some(received),
            UploadedBytes::LastIndex => Some(received.saturating_sub(1)),
            UploadedBytes::Absent => None,
        },
    }
}

fn public_ids(post: &Post, shape: PostIds) -> Value {
    let public = post.videos().iter().filter(|video| video.availability == Availability::Public);
    let ids: Vec<u64> = public.map(|video| video.id).collect();
    match shape {
        PostIds::Empty => json!([]),
        PostIds::Strings => ids.iter().map(u64::to_string).collect(),
        PostIds::Scalar if !ids.is_empty() => json!(ids[0]),
        PostIds::Numbers | PostIds::Scalar => json!(ids),
    }
}

/// The contract of an earlier time, which knew no moderation.
fn older(post: &Post, username: &str) -> Value {
    let mut data = json!({ "status": "PUBLISHED" });
    if let Some(video) = post.videos().first() {
        data["video_id"] = json!(video.id.to_string());
        data["share_url"] = json!(share_url(username, video.id));
        data["cover_url"] = json!(cover_url(video.id));
    }
    data
}
