//! A creator's public videos, with their links and covers.
//!
//! Shows what is publicly available, and nothing private or in moderation.
//!
//! <https://developers.tiktok.com/doc/tiktok-api-v2-video-query>

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::creator::fields;
use crate::envelope::Refusal;
use crate::ids::OpenId;
use crate::post::{Availability, Post, Video};
use crate::world::World;

const MOST_AT_ONCE: usize = 20;
const USUAL_PAGE: usize = 10;

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
pub(crate) fn query(world: &World, user: &OpenId, call: &Call) -> Result<Value, Refusal> {
    let fields = fields(call)?;
    let body: QueryBody = parse(&call.body)?;
    let wanted = body.filters.video_ids;
    if wanted.is_empty() || wanted.len() > MOST_AT_ONCE {
        return Err(Refusal::invalid_params("The number of video ids has to be from 1 to 20"));
    }
    let mut found = Vec::new();
    for (post, video) in public_videos(world, user) {
        if wanted.contains(&video.id.to_string()) {
            found.push(describe(world, post, video, &fields)?);
        }
    }
    Ok(json!({ "videos": found }))
}

/// Answers `video/list`: the newest first, paged by time of publication in milliseconds.
///
/// <https://developers.tiktok.com/doc/tiktok-api-v2-video-list>
pub(crate) fn list(world: &World, user: &OpenId, call: &Call) -> Result<Value, Refusal> {
    let fields = fields(call)?;
    let body: ListBody = if call.body.is_empty() { ListBody::default() } else { parse(&call.body)? };
    let count = body.max_count.unwrap_or(USUAL_PAGE);
    if !(1..=MOST_AT_ONCE).contains(&count) {
        return Err(Refusal::invalid_params("max_count has to be from 1 to 20"));
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
        videos.into_iter().map(|(post, video)| describe(world, post, video, &fields)).collect();
    Ok(json!({ "videos": described?, "cursor": cursor, "has_more": has_more }))
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::invalid_params(format!("The request body is invalid: {error}")))
}

fn public_videos<'a>(world: &'a World, user: &'a OpenId) -> impl Iterator<Item = (&'a Post, &'a Video)> {
    let theirs = world.posts.iter().filter(move |post| post.user == *user);
    theirs
        .flat_map(|post| post.videos().iter().map(move |video| (post, video)))
        .filter(|(_, video)| video.availability == Availability::Public)
}

fn describe(world: &World, post: &Post, video: &Video, fields: &[&str]) -> Result<Value, Refusal> {
    let username = world.user(&post.user)?.username.as_str();
    let share_url = share_url(username, video.id);
    let seconds = post.upload.sniffer().duration_ms().unwrap_or(0) / 1000;
    let mut given = Map::new();
    for field in fields {
        let value = match *field {
            "id" => json!(video.id.to_string()),
            "title" | "video_description" => json!(video.title),
            "create_time" => json!(video.published_at.as_second()),
            "cover_image_url" => json!(cover_url(video.id)),
            "share_url" => json!(share_url),
            "embed_link" => json!(format!("https://www.tiktok.com/player/v1/{}", video.id)),
            "embed_html" => json!(""),
            "duration" => json!(seconds),
            "height" | "width" | "like_count" | "comment_count" | "share_count" | "view_count" => {
                json!(0)
            }
            unknown => {
                let message = format!("The field {unknown} is unknown");
                return Err(Refusal::invalid_params(message));
            }
        };
        given.insert((*field).to_owned(), value);
    }
    Ok(Value::Object(given))
}

/// The link under which a video is watched.
pub(crate) fn share_url(username: &str, id: u64) -> String {
    format!("https://www.tiktok.com/@{username}/video/{id}")
}

/// The link of a video's cover.
pub(crate) fn cover_url(id: u64) -> String {
    format!("https://p16-sign.tiktokcdn-us.com/cover/{id}.jpeg")
}
