//! The endpoints `user/info` (profile fields) and `creator_info/query` (what a creator may post now).
//!
//! The only state that changes here is the record of `creator_info/query` calls. Each direct init in [`crate::init`]
//! consumes a recent one.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::call::ApiCall;
use crate::envelope::ApiError;
use crate::ids::OpenId;
use crate::init::check_posting_allowed;
use crate::token_store::{Scope, Token};
use crate::users::User;
use crate::world::World;

const AVATAR: &str = "https://p16-sign.tiktokcdn-us.com/avatar.jpeg";

/// Handles `user/info`.
///
/// <https://developers.tiktok.com/doc/tiktok-api-v2-get-user-info>
pub(crate) fn user_info(world: &World, token: &Token, call: &ApiCall) -> Result<Value, ApiError> {
    let fields = fields(call)?;
    let user = world.user(&token.user)?;
    let mut requested = Map::new();
    for field in fields {
        let (scope, value) = profile_field(world, user, field)
            .ok_or_else(|| ApiError::invalid_params(format!("The field {field} is unknown")))?;
        if !token.scopes.contains(&scope) {
            return Err(ApiError::scope_permission_missed(field));
        }
        requested.insert(field.to_owned(), value);
    }
    Ok(json!({ "user": requested }))
}

/// Parses the required query parameter `fields`, a comma-separated list. Also used by [`crate::videos`].
pub(crate) fn fields(call: &ApiCall) -> Result<Vec<&str>, ApiError> {
    let missing = || ApiError::invalid_params("Fields is required");
    let list = call.query.one("fields").ok_or_else(missing)?;
    Ok(list.split(',').map(str::trim).collect())
}

/// Returns a profile field's value and the scope that it needs; `None` if TikTok has no such field.
fn profile_field(world: &World, user: &User, field: &str) -> Option<(Scope, Value)> {
    let basic = |value: Value| Some((Scope::UserInfoBasic, value));
    let profile = |value: Value| Some((Scope::UserInfoProfile, value));
    let stats = |value: Value| Some((Scope::UserInfoStats, value));
    match field {
        "open_id" => basic(json!(user.open_id)),
        "union_id" => basic(json!(format!("union-{}", user.open_id))),
        "avatar_url" | "avatar_url_100" | "avatar_large_url" => basic(json!(AVATAR)),
        "display_name" => basic(json!(user.nickname)),
        "bio_description" => profile(json!("")),
        "profile_deep_link" => profile(json!(format!("https://www.tiktok.com/@{}", user.username))),
        "is_verified" => profile(json!(false)),
        "username" => profile(json!(user.username)),
        "follower_count" | "following_count" | "likes_count" => stats(json!(0)),
        "video_count" => {
            let by_user = |publication: &&crate::ledger::Publication| publication.user == user.open_id;
            stats(json!(world.publications.iter().filter(by_user).count()))
        }
        _ => None,
    }
}

/// Handles `creator_info/query`. If the creator may not post now, the response has an error code under
/// the HTTP status of the setting `creator_info_refusal_http_status`, by default 200.
///
/// <https://developers.tiktok.com/doc/content-posting-api-reference-query-creator-info>
pub(crate) fn creator_info(
    world: &mut World,
    user: &OpenId,
    call: &ApiCall,
    now: Timestamp,
) -> Result<Value, ApiError> {
    if !call.body.is_empty() && call.body.as_ref() != b"{}" {
        return Err(ApiError::invalid_params("The request takes no body"));
    }
    let status = world.settings.creator_info_refusal_http_status;
    check_posting_allowed(world, user, now).map_err(|error| error.with_status(status))?;
    world.record_creator_info_query(user, now);
    let creator = world.user(user)?;
    Ok(json!({
        "creator_avatar_url": AVATAR,
        "creator_username": creator.username,
        "creator_nickname": creator.nickname,
        "privacy_level_options": creator.privacy_options(),
        "comment_disabled": creator.comment_disabled,
        "duet_disabled": creator.duets_off(),
        "stitch_disabled": creator.stitches_off(),
        "max_video_post_duration_sec": creator.max_video_post_duration_sec,
    }))
}
