//! The endpoints `status/fetch`, in its current and its legacy format, and `cancel`, which refuses every upload.
//!
//! This module reads a publish and changes nothing.
//!
//! <https://developers.tiktok.com/doc/content-posting-api-reference-get-video-status>

use serde::Deserialize;
use serde_json::{Value, json};

use crate::envelope::ApiError;
use crate::ids::{OpenId, PublishId};
use crate::publish::{Availability, Publish, PublishState};
use crate::settings::{InitialUploadedBytes, PostIds, Settings, StatusShape, UploadedBytes};
use crate::videos::{cover_url, share_url};
use crate::world::World;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    publish_id: PublishId,
}

/// Answers `status/fetch`.
pub(crate) fn fetch(world: &World, user: &OpenId, body: &[u8]) -> Result<Value, ApiError> {
    let publish = find(world, user, body)?;
    let username = world.user(user)?.username.as_str();
    Ok(match (&publish.state, world.settings.status_shape) {
        (PublishState::Published { .. }, StatusShape::Legacy) => legacy_status(publish, username),
        _ => current_status(publish, &world.settings),
    })
}

/// Answers `cancel`. TikTok cancels only pulls from a URL, which the simulator does not support.
pub(crate) fn cancel(world: &World, user: &OpenId, body: &[u8]) -> Result<Value, ApiError> {
    find(world, user, body)?;
    Err(ApiError::publish_not_cancellable())
}

/// Finds the publish that a body names, which must belong to the user.
fn find<'a>(world: &'a World, user: &OpenId, body: &[u8]) -> Result<&'a Publish, ApiError> {
    let body: Body = serde_json::from_slice(body)
        .map_err(|error| ApiError::invalid_params(format!("The request body is invalid: {error}")))?;
    let index = world.find_publish(&body.publish_id);
    let publish = &world.publishes[index.ok_or_else(ApiError::invalid_publish_id)?];
    if publish.user == *user { Ok(publish) } else { Err(ApiError::publish_id_of_another_user()) }
}

fn current_status(publish: &Publish, settings: &Settings) -> Value {
    let mut data = json!({ "status": publish.status() });
    match &publish.state {
        PublishState::Failed { reason } => data["fail_reason"] = json!(reason),
        PublishState::Published { .. } => {
            data["publicaly_available_post_id"] = public_ids(publish, settings.post_ids);
        }
        PublishState::Uploading | PublishState::Processing { .. } | PublishState::InInbox => {}
    }
    if !matches!(publish.state, PublishState::Failed { .. })
        && let Some(bytes) = uploaded_bytes(publish, settings)
    {
        data["uploaded_bytes"] = json!(bytes);
    }
    data
}

/// The value of `uploaded_bytes`, or `None` if the field is omitted.
fn uploaded_bytes(publish: &Publish, settings: &Settings) -> Option<u64> {
    match publish.upload.received() {
        0 if settings.initial_uploaded_bytes.read() == InitialUploadedBytes::Absent => None,
        received => match settings.uploaded_bytes.read() {
            UploadedBytes::Count => Some(received),
            UploadedBytes::LastIndex => Some(received.saturating_sub(1)),
            UploadedBytes::Absent => None,
            UploadedBytes::WithoutLastChunk => Some(received.min(publish.upload.plan.last_chunk_offset())),
        },
    }
}

/// The value of `publicaly_available_post_id`.
fn public_ids(publish: &Publish, shape: PostIds) -> Value {
    let public = publish.videos().iter().filter(|video| video.availability == Availability::Public);
    let ids: Vec<u64> = public.map(|video| video.id).collect();
    match shape {
        PostIds::Empty => json!([]),
        PostIds::Strings => ids.iter().map(u64::to_string).collect(),
        PostIds::Scalar if !ids.is_empty() => json!(ids[0]),
        PostIds::Numbers | PostIds::Scalar => json!(ids),
    }
}

/// The legacy answer for a published video. It names the video at once, before moderation.
fn legacy_status(publish: &Publish, username: &str) -> Value {
    let mut data = json!({ "status": "PUBLISHED" });
    if let Some(video) = publish.videos().first() {
        data["video_id"] = json!(video.id.to_string());
        data["share_url"] = json!(share_url(username, video.id));
        data["cover_url"] = json!(cover_url(video.id));
    }
    data
}
