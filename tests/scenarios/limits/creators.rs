//! What a creator currently allows (TikTok's `creator_info`). Dropcast reads it before each direct post, and posts
//! nothing that it does not allow.

use std::sync::Arc;

use anyhow::{Context, Result};
use domain::post::StateName;
use harness::{Cloud, Creator};
use serde_json::json;
use simulator::{AccountStanding, Endpoint, PrivacyLevel, User, Visibility};

use crate::runner::{WithCreator, for_each, scenarios};

scenarios![concurrent:
    creator_turned_private_is_noticed_before_init,
    options_cannot_enable_what_creator_disabled,
    each_direct_init_queries_creator_info_and_drafts_never,
    banned_creator_under_http_200_fails_the_post,
];

async fn creator_turned_private_is_noticed_before_init((cloud, creator): WithCreator) -> Result<()> {
    let first = creator.drop_small("first.mp4").await?;
    cloud.await_state(&first.post, StateName::Published).await?;
    let private = User { visibility: Visibility::Private, ..creator.user.clone() };
    cloud.tiktok.put_user(&private).await?;
    let second = creator.drop_small("second.mp4").await?;
    let failure = cloud.await_failure(&second).await?;
    assert_eq!(failure.reason.code(), "privacy_level_option_mismatch", "{failure}");
    for named in ["PUBLIC_TO_EVERYONE", "FOLLOWER_OF_CREATOR", "SELF_ONLY"] {
        assert!(failure.message.contains(named), "the message names the requested and the available levels: {failure}");
    }
    let ledger = creator.ledger().await?;
    let calls = (ledger.calls_of(Endpoint::CreatorInfo), ledger.calls_of(Endpoint::DirectInit));
    assert_eq!(calls, (2, 1), "the second post made no init");
    assert_eq!(ledger.ensure_published_once(&first)?.privacy_level, PrivacyLevel::PublicToEveryone);
    creator.put_options("third.json", &json!({ "privacy_level": "FOLLOWER_OF_CREATOR" })).await?;
    let third = creator.drop_small("third.mp4").await?;
    let ledger = creator.await_each_published_once([&first, &third]).await?;
    assert_eq!(ledger.publications[1].privacy_level, PrivacyLevel::FollowerOfCreator);
    Ok(())
}

async fn options_cannot_enable_what_creator_disabled(cloud: Arc<Cloud>) -> Result<()> {
    let wanted = json!({ "disable_comment": false, "disable_duet": false, "disable_stitch": false });
    let cases = [[true, false, false], [false, true, false], [false, false, true], [true, true, true]];
    for_each(cases, async |disabled| {
        let creator = Creator::create_with(&cloud, |setup| {
            let user = &mut setup.user;
            [user.comment_disabled, user.duet_disabled, user.stitch_disabled] = disabled;
        })
        .await?;
        creator.put_options("clip.json", &wanted).await?;
        let dropped = creator.drop_small("clip.mp4").await?;
        let ledger = creator.await_published_once(&dropped).await?;
        let sent = ledger.post_info()?;
        assert_eq!([sent.disable_comment, sent.disable_duet, sent.disable_stitch], disabled.map(Some));
        Ok(())
    })
    .await
}

async fn each_direct_init_queries_creator_info_and_drafts_never((cloud, creator): WithCreator) -> Result<()> {
    creator.put_options("draft.json", &json!({ "mode": "draft" })).await?;
    let draft = creator.drop_small("draft.mp4").await?;
    cloud.await_state(&draft.post, StateName::Delivered).await?;
    assert_eq!(creator.ledger().await?.calls_of(Endpoint::CreatorInfo), 0);
    for number in 1..=3 {
        let dropped = creator.drop_small(&format!("{number}.mp4")).await?;
        cloud.await_state(&dropped.post, StateName::Published).await?;
    }
    let pair = [Endpoint::CreatorInfo, Endpoint::DirectInit];
    let calls = creator.ledger().await?.calls;
    let order: Vec<_> = calls.iter().map(|call| call.endpoint).filter(|endpoint| pair.contains(endpoint)).collect();
    assert_eq!(order, pair.repeat(3));
    Ok(())
}

async fn banned_creator_under_http_200_fails_the_post(cloud: Arc<Cloud>) -> Result<()> {
    let creator = Creator::create_with(&cloud, |setup| setup.user.standing = AccountStanding::Banned).await?;
    let dropped = creator.drop_small("clip.mp4").await?;
    let failure = cloud.await_failure(&dropped).await?;
    assert_eq!(failure.reason.code(), "spam_risk_user_banned_from_posting", "{failure}");
    assert!(failure.log_id.is_some() && !failure.advice.is_empty(), "{failure:?}");
    let ledger = creator.ledger().await?;
    let refused = ledger.calls.iter().find(|call| call.endpoint == Endpoint::CreatorInfo).context("no call")?;
    assert_eq!((refused.http_status, refused.code.as_str()), (Some(200), failure.reason.code()));
    ledger.ensure_no_init()
}
