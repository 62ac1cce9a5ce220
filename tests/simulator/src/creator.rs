//! What TikTok tells about a creator: profile fields, and what they may post at
//! this moment.
//!
//! Changes nothing but the note that the client looked.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::envelope::Refusal;
use crate::ids::OpenId;
use crate::init::may_post;
use crate::tokens::{Scope, Token};
use crate::users::User;
use crate::world::World;

const AVATAR: &str = "https://p16-sign.tiktokcdn-us.com/avatar.jpeg";

/// Answers `user/info`.
///
/// <https://developers.tiktok.com/doc/tiktok-api-v2-get-user-info>
pub(crate) fn user_info(world: &World, token: &Token, call: &Call) -> Result<Value, Refusal> {
    let fields = fields(call)?;
    let user = world.user(&token.user)?;
    let mut given = Map::new();
    for field in fields {
        let (scope, value) = profile_field(world, user, field)
            .ok_or_else(|| Refusal::invalid_params(format!("The field {field} is unknown")))?;
        if !token.scopes.contains(&scope) {
            return Err(Refusal::scope_permission_missed(field));
        }
        given.insert(field.to_owned(), value);
    }
    Ok(json!({ "user": given }))
}

/// Reads the `fields` of a query, which have to be there.
pub(crate) fn fields(call: &Call) -> Result<Vec<&str>, Refusal> {
    let missing = || Refusal::invalid_params("Fields is required");
    let list = call.query.one("fields").ok_or_else(missing)?;
    Ok(list.split(',').map(str::trim).collect())
}

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
            let theirs = |publication: &&crate::ledger::Publication| publication.user == user.open_id;
            stats(json!(world.publications.iter().filter(theirs).count()))
        }
        _ => None,
    }
}

/// Answers `creator_info/query`; a creator who may not post now is refused under HTTP 200.
///
/// <https://developers.tiktok.com/doc/content-posting-api-reference-query-creator-info>
pub(crate) fn creator_info(world: &mut World, user: &OpenId, call: &Call, now: Timestamp) -> Result<Value, Refusal> {
    if !call.body.is_empty() && call.body.as_ref() != b"{}" {
        return Err(Refusal::invalid_params("The request takes no body"));
    }
    let status = world.settings.creator_info_refusal_http_status;
    may_post(world, user, now).map_err(|refusal| refusal.with_status(status))?;
    world.saw_creator_info(user, now);
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
