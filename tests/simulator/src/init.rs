//! The two init endpoints, which check the request and the creator, and start a publish.
//!
//! A request must satisfy every documented field, type and limit. Unknown fields are
//! rejected. A publish is created only if every check passes.
//!
//! <https://developers.tiktok.com/doc/content-posting-api-reference-direct-post>

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::endpoint::Endpoint;
use crate::envelope::{ApiError, Rule};
use crate::ids::{OpenId, PublishId};
use crate::plan::ChunkPlan;
use crate::publish::{Flow, Publish, PublishState};
use crate::settings::{Audit, BrandToggle};
use crate::upload::Upload;
use crate::users::{AccountStanding, PrivacyLevel, Visibility};
use crate::world::World;

/// The longest caption, in UTF-16 code units.
const MAX_TITLE_UTF16: usize = 2200;
/// How many creators may post within 24 hours through an app that has not passed TikTok's audit.
const UNAUDITED_ACTIVE_USER_CAP: u32 = 5;

/// The `post_info` of a direct post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostInfo {
    /// The caption.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Who may see the post.
    pub privacy_level: PrivacyLevel,
    /// Whether duets are off.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub disable_duet: Option<bool>,
    /// Whether stitches are off.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub disable_stitch: Option<bool>,
    /// Whether comments are off.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub disable_comment: Option<bool>,
    /// The position of the cover frame, in milliseconds.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub video_cover_timestamp_ms: Option<i32>,
    /// Whether a third party paid for the post.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub brand_content_toggle: Option<bool>,
    /// Whether the post promotes the creator's own business.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub brand_organic_toggle: Option<bool>,
    /// Whether the post is labelled as AI-generated.
    #[serde(default, deserialize_with = "non_null", skip_serializing_if = "Option::is_none")]
    pub is_aigc: Option<bool>,
}

/// The declared file and chunk plan, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceInfo {
    /// Size of the whole file.
    pub video_size: u64,
    /// Size of every chunk except the last, which also has the remainder of the file.
    pub chunk_size: u64,
    /// Number of chunks.
    pub total_chunk_count: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DirectBody {
    post_info: PostInfo,
    source_info: Source,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InboxBody {
    source_info: Source,
}

#[derive(Deserialize)]
#[serde(tag = "source", deny_unknown_fields)]
enum Source {
    #[serde(rename = "FILE_UPLOAD")]
    FileUpload { video_size: u64, chunk_size: u64, total_chunk_count: u64 },
    #[serde(rename = "PULL_FROM_URL")]
    PullFromUrl { video_url: String },
}

/// Deserializes a present field as `T`, so that `null` is an error. An absent field is `None`.
fn non_null<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// Handles the init of a direct post.
///
/// Without a recent `creator_info/query` call, the init succeeds and a violation is recorded.
pub(crate) fn direct(
    world: &mut World,
    user: &OpenId,
    body: &[u8],
    now: Timestamp,
) -> Result<(PublishId, Value), ApiError> {
    let body: DirectBody = parse(body)?;
    let plan = body.source_info.plan()?;
    check_post_info(&body.post_info, world.settings.brand_toggle)?;
    check_creator(world, user, &body.post_info, now)?;
    let id = PublishId::direct(&mut world.ids);
    // After all checks, because a refused init must not consume a query.
    if !world.consume_recent_creator_info(user, now) {
        let message = "A direct post was started without a recent creator_info query of its own.";
        let (user, id) = (Some(user.clone()), Some(id.clone()));
        world.record_violation(Endpoint::DirectInit, Rule::Freshness, user, id, message.to_owned());
    }
    let info = Some(body.post_info);
    Ok(start_publish(world, id, user, Flow::Direct, info, plan, now))
}

/// Handles the init of a draft.
///
/// <https://developers.tiktok.com/doc/content-posting-api-reference-upload-video>
pub(crate) fn inbox(
    world: &mut World,
    user: &OpenId,
    body: &[u8],
    now: Timestamp,
) -> Result<(PublishId, Value), ApiError> {
    let body: InboxBody = parse(body)?;
    let plan = body.source_info.plan()?;
    if world.user(user)?.standing == AccountStanding::Banned {
        return Err(ApiError::banned_from_posting());
    }
    if world.pending_drafts(user, now) >= world.settings.pending_drafts_cap as usize {
        return Err(ApiError::too_many_pending_shares());
    }
    let id = PublishId::draft(&mut world.ids);
    Ok(start_publish(world, id, user, Flow::Draft, None, plan, now))
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::invalid_params(format!("The request body is invalid: {error}")))
}

impl Source {
    /// Checks the declared chunk plan. Every pull is rejected: no URL is verified for the simulated app.
    fn plan(&self) -> Result<ChunkPlan, ApiError> {
        match self {
            Self::FileUpload { video_size, chunk_size, total_chunk_count } => {
                ChunkPlan::check(*video_size, *chunk_size, *total_chunk_count)
                    .map_err(|error| ApiError::invalid_params(error.to_string()).violating(Rule::Plan))
            }
            Self::PullFromUrl { video_url } if video_url.starts_with("https://") => {
                Err(ApiError::url_ownership_unverified())
            }
            Self::PullFromUrl { .. } => Err(ApiError::invalid_params("The video url is invalid")),
        }
    }
}

fn check_post_info(info: &PostInfo, brand_toggle: BrandToggle) -> Result<(), ApiError> {
    let title = info.title.as_deref().unwrap_or_default();
    if title.encode_utf16().count() > MAX_TITLE_UTF16 {
        return Err(ApiError::invalid_params("The title is too long"));
    }
    let toggles =
        [("brand_content_toggle", info.brand_content_toggle), ("brand_organic_toggle", info.brand_organic_toggle)];
    if brand_toggle == BrandToggle::Required
        && let Some((name, _)) = toggles.iter().find(|(_, value)| value.is_none())
    {
        return Err(ApiError::invalid_params(format!("{name} is required")));
    }
    if info.brand_content_toggle == Some(true) && info.privacy_level == PrivacyLevel::SelfOnly {
        let message = "Branded content visibility cannot be set to private";
        return Err(ApiError::invalid_params(message).violating(Rule::Privacy));
    }
    Ok(())
}

fn check_creator(world: &World, user: &OpenId, info: &PostInfo, now: Timestamp) -> Result<(), ApiError> {
    check_posting_allowed(world, user, now)?;
    let creator = world.user(user)?;
    if world.settings.audit == Audit::Pending {
        let fully_private = creator.visibility == Visibility::Private && info.privacy_level == PrivacyLevel::SelfOnly;
        if !fully_private {
            return Err(ApiError::unaudited_client());
        }
    }
    if !creator.privacy_options().contains(&info.privacy_level) {
        return Err(ApiError::privacy_level_option_mismatch());
    }
    Ok(())
}

/// Checks whether this creator may post directly through this app now.
///
/// Used by the direct init and by `creator_info/query` ([`crate::creator`]).
pub(crate) fn check_posting_allowed(world: &World, user: &OpenId, now: Timestamp) -> Result<(), ApiError> {
    let creator = world.user(user)?;
    match creator.standing {
        AccountStanding::Banned => return Err(ApiError::banned_from_posting()),
        AccountStanding::TooManyPosts => return Err(ApiError::too_many_posts()),
        AccountStanding::Good | AccountStanding::Risky | AccountStanding::OutsideSandbox => {}
    }
    let daily_cap = creator.daily_post_cap.unwrap_or(world.settings.daily_post_cap);
    if world.direct_posts_in_last_day(user, now) >= daily_cap as usize {
        return Err(ApiError::too_many_posts());
    }
    let unaudited_cap = (world.settings.audit == Audit::Pending).then_some(UNAUDITED_ACTIVE_USER_CAP);
    let active_user_cap = world.settings.active_user_cap.into_iter().chain(unaudited_cap).min();
    let active = world.active_users(now);
    if active_user_cap.is_some_and(|cap| active.len() >= cap as usize && !active.contains(user)) {
        return Err(ApiError::reached_active_user_cap());
    }
    Ok(())
}

/// Creates the publish; returns its id and the `data` of the response.
fn start_publish(
    world: &mut World,
    id: PublishId,
    user: &OpenId,
    flow: Flow,
    info: Option<PostInfo>,
    plan: ChunkPlan,
    now: Timestamp,
) -> (PublishId, Value) {
    let ttl = world.settings.upload_url_ttl_s;
    let upload = Upload::new(plan, ttl, &mut world.ids, now);
    let data = json!({
        "publish_id": id,
        "upload_url": upload.url(&world.app.public_url),
    });
    world.add(Publish {
        id: id.clone(),
        user: user.clone(),
        flow,
        info,
        created_at: now,
        upload,
        state: PublishState::Uploading,
        forced_failure: None,
    });
    (id, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(json: &str) -> Result<PostInfo, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn post_info_types_are_strict() {
        assert!(info(r#"{"privacy_level":"SELF_ONLY"}"#).is_ok());
        for wrong in [
            "{}",
            r#"{"privacy_level":"EVERYONE"}"#,
            r#"{"privacy_level":"SELF_ONLY","is_aigc":"true"}"#,
            r#"{"privacy_level":"SELF_ONLY","title":null}"#,
            r#"{"privacy_level":"SELF_ONLY","video_cover_timestamp_ms":1.5}"#,
            r#"{"privacy_level":"SELF_ONLY","description":"x"}"#,
        ] {
            assert!(info(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn source_info_sizes_must_be_integers() {
        let source = |json: &str| serde_json::from_str::<Source>(json).is_ok();
        assert!(source(r#"{"source":"FILE_UPLOAD","video_size":9,"chunk_size":9,"total_chunk_count":1}"#));
        for wrong in [
            r#"{"source":"FILE_UPLOAD","video_size":"9","chunk_size":9,"total_chunk_count":1}"#,
            r#"{"source":"FILE_UPLOAD","video_size":9.0,"chunk_size":9,"total_chunk_count":1}"#,
            r#"{"source":"FILE_UPLOAD","chunk_size":9,"total_chunk_count":1}"#,
            r#"{"source":"FILE_UPLOAD","video_size":9,"chunk_size":9,"total_chunk_count":1,"x":1}"#,
            r#"{"source":"PULL_FROM_URL","video_size":9}"#,
            r#"{"video_size":9,"chunk_size":9,"total_chunk_count":1}"#,
        ] {
            assert!(!source(wrong), "{wrong}");
        }
    }

    #[test]
    fn title_length_counts_utf16_units() {
        let with_title = |title: String| {
            let info = PostInfo {
                title: Some(title),
                ..info(r#"{"privacy_level":"SELF_ONLY","brand_content_toggle":false,"brand_organic_toggle":false}"#)
                    .unwrap()
            };
            check_post_info(&info, BrandToggle::Required)
        };
        assert!(with_title("é".repeat(2200)).is_ok());
        assert!(with_title("🎬".repeat(1100)).is_ok());
        assert!(with_title("🎬".repeat(1101)).is_err());
    }

    #[test]
    fn private_branded_content_is_rejected() {
        let branded = info(r#"{"privacy_level":"SELF_ONLY","brand_content_toggle":true,"brand_organic_toggle":false}"#);
        let error = check_post_info(&branded.unwrap(), BrandToggle::Required).unwrap_err();
        assert_eq!((error.code.as_str(), error.rule), ("invalid_params", Some(Rule::Privacy)));
    }

    #[test]
    fn brand_toggles_are_required_unless_set_optional() {
        for incomplete in [
            r#"{"privacy_level":"SELF_ONLY"}"#,
            r#"{"privacy_level":"SELF_ONLY","brand_content_toggle":false}"#,
            r#"{"privacy_level":"SELF_ONLY","brand_organic_toggle":false}"#,
        ] {
            let incomplete = info(incomplete).unwrap();
            assert!(check_post_info(&incomplete, BrandToggle::Required).is_err(), "{incomplete:?}");
            assert!(check_post_info(&incomplete, BrandToggle::Optional).is_ok(), "{incomplete:?}");
        }
    }
}
