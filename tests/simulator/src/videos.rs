//! The endpoints `video/list` and `video/query`: a creator's public videos, with their links and covers.
//!
//! Private videos and videos in moderation are not listed.
//!
//! <https://developers.tiktok.com/doc/tiktok-api-v2-video-query>

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::call::ApiCall;
use crate::creator::fields;
use crate::envelope::ApiError;
use crate::ids::OpenId;
use crate::publish::{Availability, Publish, Video};
use crate::world::World;

const MAX_VIDEOS_PER_CALL: usize = 20;
const DEFAULT_PAGE_SIZE: usize = 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QueryBody {
    filters: Filters,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filters {
    video_ids: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct ListBody {
    cursor: i64,
    max_count: Option<usize>,
}

/// Answers `video/query`.
pub(crate) fn query(world: &World, user: &OpenId, call: &ApiCall) -> Result<Value, ApiError> {
    let fields = fields(call)?;
    let body: QueryBody = parse(&call.body)?;
    let ids = body.filters.video_ids;
    if ids.is_empty() || ids.len() > MAX_VIDEOS_PER_CALL {
        return Err(ApiError::invalid_params("The number of video ids must be from 1 to 20"));
    }
    let mut found = Vec::new();
    for (publish, video) in public_videos(world, user) {
        if ids.contains(&video.id.to_string()) {
            found.push(describe(world, publish, video, &fields)?);
        }
    }
    Ok(json!({ "videos": found }))
}

/// Answers `video/list`: newest first. The cursor is the publication time of the page's last video, in milliseconds, so
/// the next page omits other videos of that millisecond.
///
/// <https://developers.tiktok.com/doc/tiktok-api-v2-video-list>
pub(crate) fn list(world: &World, user: &OpenId, call: &ApiCall) -> Result<Value, ApiError> {
    let fields = fields(call)?;
    let body: ListBody = if call.body.is_empty() { ListBody::default() } else { parse(&call.body)? };
    let count = body.max_count.unwrap_or(DEFAULT_PAGE_SIZE);
    if !(1..=MAX_VIDEOS_PER_CALL).contains(&count) {
        return Err(ApiError::invalid_params("max_count must be from 1 to 20"));
    }
    let mut videos: Vec<_> = public_videos(world, user).collect();
    videos.sort_by_key(|(_, video)| std::cmp::Reverse(video.published_at));
    if body.cursor > 0 {
        videos.retain(|(_, video)| video.published_at.as_millisecond() < body.cursor);
    }
    let has_more = videos.len() > count;
    videos.truncate(count);
    let cursor = videos.last().map_or(0, |(_, video)| video.published_at.as_millisecond());
    let described: Result<Vec<_>, _> =
        videos.into_iter().map(|(publish, video)| describe(world, publish, video, &fields)).collect();
    Ok(json!({ "videos": described?, "cursor": cursor, "has_more": has_more }))
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::invalid_params(format!("The request body is invalid: {error}")))
}

fn public_videos<'a>(world: &'a World, user: &'a OpenId) -> impl Iterator<Item = (&'a Publish, &'a Video)> {
    let of_user = world.publishes.iter().filter(move |publish| publish.user == *user);
    of_user
        .flat_map(|publish| publish.videos().iter().map(move |video| (publish, video)))
        .filter(|(_, video)| video.availability == Availability::Public)
}

/// Builds the JSON of a video with the requested fields.
fn describe(world: &World, publish: &Publish, video: &Video, fields: &[&str]) -> Result<Value, ApiError> {
    let username = world.user(&publish.user)?.username.as_str();
    let share_url = share_url(username, video.id);
    let duration_s = publish.upload.sniffer().duration_ms().unwrap_or(0) / 1000;
    let mut object = Map::new();
    for field in fields {
        let value = match *field {
            "id" => json!(video.id.to_string()),
            "title" | "video_description" => json!(video.title),
            "create_time" => json!(video.published_at.as_second()),
            "cover_image_url" => json!(cover_url(video.id)),
            "share_url" => json!(share_url),
            "embed_link" => json!(format!("https://www.tiktok.com/player/v1/{}", video.id)),
            "embed_html" => json!(""),
            "duration" => json!(duration_s),
            "height" | "width" | "like_count" | "comment_count" | "share_count" | "view_count" => {
                json!(0)
            }
            unknown => {
                let message = format!("The field {unknown} is unknown");
                return Err(ApiError::invalid_params(message));
            }
        };
        object.insert((*field).to_owned(), value);
    }
    Ok(Value::Object(object))
}

/// The link to a video's page.
pub(crate) fn share_url(username: &str, id: u64) -> String {
    format!("https://www.tiktok.com/@{username}/video/{id}")
}

/// The link to a video's cover image.
pub(crate) fn cover_url(id: u64) -> String {
    format!("https://p16-sign.tiktokcdn-us.com/cover/{id}.jpeg")
}
