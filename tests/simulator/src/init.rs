//! The start of a publish: what an init has to say, and who may start one.
//!
//! Holds a request to every documented field, type and limit, and to nothing
//! else: an unknown field is refused. A publish exists only if all of it holds.
//!
//! <https://developers.tiktok.com/doc/content-posting-api-reference-direct-post>

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::endpoint::Endpoint;
use crate::envelope::{Refusal, Rule};
use crate::ids::{OpenId, PublishId};
use crate::plan::ChunkPlan;
use crate::post::{Flow, Life, Post};
use crate::settings::{Audit, BrandToggle};
use crate::upload::Upload;
use crate::users::{PrivacyLevel, Standing, Visibility};
use crate::world::World;

/// The longest caption, in UTF-16 code units.
const LONGEST_TITLE: usize = 2200;

/// What a direct post is to look like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostInfo {
    /// The caption.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Who may see it.
    pub privacy_level: PrivacyLevel,
    /// Whether duets are off.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub disable_duet: Option<bool>,
    /// Whether stitches are off.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub disable_stitch: Option<bool>,
    /// Whether comments are off.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub disable_comment: Option<bool>,
    /// The frame to be the cover, in milliseconds.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub video_cover_timestamp_ms: Option<i32>,
    /// Whether a third party paid for it.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub brand_content_toggle: Option<bool>,
    /// Whether it promotes the creator's own business.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub brand_organic_toggle: Option<bool>,
    /// Whether it is labelled as AI-generated.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub is_aigc: Option<bool>,
}

/// The file to come, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceInfo {
    /// Size of the whole file.
    pub video_size: u64,
    /// Size of every chunk but the last.
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

/// Takes a field that is there at its own type: `null` is not "left out".
fn given<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// Starts a direct post.
pub(crate) fn direct(
    world: &mut World,
    user: &OpenId,
    body: &[u8],
    now: Timestamp,
) -> Result<(PublishId, Value), Refusal> {
    let body: DirectBody = parse(body)?;
    let plan = body.source_info.plan()?;
    check_info(&body.post_info, world.settings.brand_toggle)?;
    check_creator(world, user, &body.post_info, now)?;
    let id = PublishId::direct(&mut world.mint);
    if !world.use_fresh_look(user, now) {
        let sentence = "A direct post was started without a recent creator_info query of its own.";
        let (user, id) = (Some(user.clone()), Some(id.clone()));
        world.breach(Endpoint::DirectInit, Rule::Freshness, user, id, sentence.to_owned());
    }
    let info = Some(body.post_info);
    Ok(begin(world, id, user, Flow::Direct, info, plan, now))
}

/// Starts a draft.
///
/// <https://developers.tiktok.com/doc/content-posting-api-reference-upload-video>
pub(crate) fn inbox(
    world: &mut World,
    user: &OpenId,
    body: &[u8],
    now: Timestamp,
) -> Result<(PublishId, Value), Refusal> {
    let body: InboxBody = parse(body)?;
    let plan = body.source_info.plan()?;
    if world.user(user)?.standing == Standing::Banned {
        return Err(Refusal::banned_from_posting());
    }
    if world.pending_drafts(user, now) >= world.settings.pending_drafts_cap as usize {
        return Err(Refusal::too_many_pending_shares());
    }
    let id = PublishId::draft(&mut world.mint);
    Ok(begin(world, id, user, Flow::Draft, None, plan, now))
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::invalid_params(format!("The request body is invalid: {error}")))
}

impl Source {
    fn plan(&self) -> Result<ChunkPlan, Refusal> {
        match self {
            Self::FileUpload { video_size, chunk_size, total_chunk_count } => {
                ChunkPlan::check(*video_size, *chunk_size, *total_chunk_count)
                    .map_err(|error| Refusal::invalid_params(error.to_string()).breaking(Rule::Plan))
            }
            Self::PullFromUrl { video_url } if video_url.starts_with("https://") => {
                Err(Refusal::url_ownership_unverified())
            }
            Self::PullFromUrl { .. } => Err(Refusal::invalid_params("The video url is invalid")),
        }
    }
}

fn check_info(info: &PostInfo, brand_toggle: BrandToggle) -> Result<(), Refusal> {
    let title = info.title.as_deref().unwrap_or_default();
    if title.encode_utf16().count() > LONGEST_TITLE {
        return Err(Refusal::invalid_params("The title is too long"));
    }
    let toggles =
        [("brand_content_toggle", info.brand_content_toggle), ("brand_organic_toggle", info.brand_organic_toggle)];
    if brand_toggle == BrandToggle::Required
        && let Some((name, _)) = toggles.iter().find(|(_, value)| value.is_none())
    {
        return Err(Refusal::invalid_params(format!("{name} is required")));
    }
    if info.brand_content_toggle == Some(true) && info.privacy_level == PrivacyLevel::SelfOnly {
        let message = "Branded content visibility cannot be set to private";
        return Err(Refusal::invalid_params(message).breaking(Rule::Privacy));
    }
    Ok(())
}

fn check_creator(world: &World, user: &OpenId, info: &PostInfo, now: Timestamp) -> Result<(), Refusal> {
    may_post(world, user, now)?;
    let creator = world.user(user)?;
    if world.settings.audit == Audit::Outstanding {
        let hidden = creator.visibility == Visibility::Private && info.privacy_level == PrivacyLevel::SelfOnly;
        if !hidden {
            return Err(Refusal::unaudited_client());
        }
    }
    if !creator.privacy_options().contains(&info.privacy_level) {
        return Err(Refusal::privacy_level_option_mismatch());
    }
    Ok(())
}

/// Checks what `creator_info` and a direct init have in common: whether this
/// creator may post through this app now.
pub(crate) fn may_post(world: &World, user: &OpenId, now: Timestamp) -> Result<(), Refusal> {
    let creator = world.user(user)?;
    match creator.standing {
        Standing::Banned => return Err(Refusal::banned_from_posting()),
        Standing::TooManyPosts => return Err(Refusal::too_many_posts()),
        Standing::Good | Standing::Risky | Standing::OutsideSandbox => {}
    }
    let cap = creator.daily_post_cap.unwrap_or(world.settings.daily_post_cap);
    if world.direct_posts_of_the_day(user, now) >= cap as usize {
        return Err(Refusal::too_many_posts());
    }
    let unaudited_cap = (world.settings.audit == Audit::Outstanding).then_some(5);
    let cap = world.settings.active_user_cap.into_iter().chain(unaudited_cap).min();
    let active = world.active_users(now);
    if cap.is_some_and(|cap| active.len() >= cap as usize && !active.contains(user)) {
        return Err(Refusal::reached_active_user_cap());
    }
    Ok(())
}

fn begin(
    world: &mut World,
    id: PublishId,
    user: &OpenId,
    flow: Flow,
    info: Option<PostInfo>,
    plan: ChunkPlan,
    now: Timestamp,
) -> (PublishId, Value) {
    let ttl = world.settings.upload_url_ttl_s;
    let upload = Upload::new(plan, ttl, &mut world.mint, now);
    let data = json!({
        "publish_id": id,
        "upload_url": upload.url(&world.app.public_url),
    });
    world.add(Post {
        id: id.clone(),
        user: user.clone(),
        flow,
        info,
        created_at: now,
        upload,
        life: Life::Uploading,
        doom: None,
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
    fn types_are_strict() {
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
    fn sizes_are_integers_and_belong_to_an_upload() {
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
    fn a_title_is_measured_in_utf16_units() {
        let with_title = |title: String| {
            let info = PostInfo {
                title: Some(title),
                ..info(r#"{"privacy_level":"SELF_ONLY","brand_content_toggle":false,"brand_organic_toggle":false}"#)
                    .unwrap()
            };
            check_info(&info, BrandToggle::Required)
        };
        assert!(with_title("é".repeat(2200)).is_ok());
        assert!(with_title("🎬".repeat(1100)).is_ok());
        assert!(with_title("🎬".repeat(1101)).is_err());
    }

    #[test]
    fn branded_content_cannot_be_private() {
        let branded = info(r#"{"privacy_level":"SELF_ONLY","brand_content_toggle":true,"brand_organic_toggle":false}"#);
        let refusal = check_info(&branded.unwrap(), BrandToggle::Required).unwrap_err();
        assert_eq!((refusal.code.as_str(), refusal.rule), ("invalid_params", Some(Rule::Privacy)));
    }

    #[test]
    fn each_brand_toggle_has_to_be_said_unless_it_is_set_otherwise() {
        for unsaid in [
            r#"{"privacy_level":"SELF_ONLY"}"#,
            r#"{"privacy_level":"SELF_ONLY","brand_content_toggle":false}"#,
            r#"{"privacy_level":"SELF_ONLY","brand_organic_toggle":false}"#,
        ] {
            let unsaid = info(unsaid).unwrap();
            assert!(check_info(&unsaid, BrandToggle::Required).is_err(), "{unsaid:?}");
            assert!(check_info(&unsaid, BrandToggle::Optional).is_ok(), "{unsaid:?}");
        }
    }
}
