//! What a creator allows at this moment: asked for before every direct post, and
//! never stretched.

use std::sync::Arc;

use anyhow::{Context, Result};
use domain::post::StateName;
use serde_json::json;
use simulator::{AccountStanding, Endpoint, PrivacyLevel, User, Visibility};
use tests::{Cloud, Creator, Footage};

use crate::harness::stories;
use crate::options::failure_of;

stories![among:
    a_creator_who_turns_private_between_two_posts_is_noticed_before_the_init,
    what_the_creator_has_switched_off_stays_off_whatever_the_options_say,
    every_direct_init_has_a_look_at_the_creator_of_its_own_and_no_draft_has_one,
    a_creator_who_may_not_post_is_told_apart_under_http_200,
];

async fn a_creator_who_turns_private_between_two_posts_is_noticed_before_the_init(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let first = maker.drops("first.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&first.post, StateName::Published).await?;
    let private = User { visibility: Visibility::Private, ..maker.user.clone() };
    cloud.tiktok.put_user(&private).await?;
    let second = maker.drops("second.mp4", &Footage::fresh()?).await?;
    let failure = failure_of(&cloud, &second).await?;
    assert_eq!(failure.reason.code(), "privacy_level_option_mismatch", "{failure}");
    for named in ["PUBLIC_TO_EVERYONE", "FOLLOWER_OF_CREATOR", "SELF_ONLY"] {
        assert!(failure.message.contains(named), "it names what was wanted, and what there is: {failure}");
    }
    let book = maker.book().await?;
    assert_eq!((book.calls_of(Endpoint::CreatorInfo), book.calls_of(Endpoint::DirectInit)), (2, 1));
    assert_eq!(book.ensure_published_once(&first)?.privacy_level, PrivacyLevel::PublicToEveryone);
    // Said anew, it goes out as it was said.
    maker.options("third.json", &json!({ "privacy_level": "FOLLOWER_OF_CREATOR" })).await?;
    let third = maker.drops("third.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&third.post, StateName::Published).await?;
    let book = maker.book().await?;
    book.ensure_published_each_once(&[&first, &third])?;
    assert_eq!(book.publications[1].privacy_level, PrivacyLevel::FollowerOfCreator);
    Ok(())
}

async fn what_the_creator_has_switched_off_stays_off_whatever_the_options_say(cloud: Arc<Cloud>) -> Result<()> {
    let wanted = json!({ "disable_comment": false, "disable_duet": false, "disable_stitch": false });
    let mut drops = Vec::new();
    for off in [[true, false, false], [false, true, false], [false, false, true], [true, true, true]] {
        let maker = Creator::cast(&cloud, |casting| {
            let user = &mut casting.user;
            [user.comment_disabled, user.duet_disabled, user.stitch_disabled] = off;
        })
        .await?;
        maker.options("clip.json", &wanted).await?;
        drops.push((maker.drops("clip.mp4", &Footage::fresh()?).await?, maker, off));
    }
    for (dropped, maker, off) in drops {
        cloud.await_state(&dropped.post, StateName::Published).await?;
        let book = maker.book().await?;
        book.ensure_published_once(&dropped)?;
        let asked = book.publishes[0].post_info.as_ref().context("it is a direct post")?;
        assert_eq!([asked.disable_comment, asked.disable_duet, asked.disable_stitch], off.map(Some));
    }
    Ok(())
}

async fn every_direct_init_has_a_look_at_the_creator_of_its_own_and_no_draft_has_one(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    maker.options("draft.json", &json!({ "mode": "draft" })).await?;
    let draft = maker.drops("draft.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&draft.post, StateName::Delivered).await?;
    assert_eq!(maker.book().await?.calls_of(Endpoint::CreatorInfo), 0);
    for number in 1..=3 {
        let dropped = maker.drops(&format!("{number}.mp4"), &Footage::fresh()?).await?;
        cloud.await_state(&dropped.post, StateName::Published).await?;
    }
    let looks = [Endpoint::CreatorInfo, Endpoint::DirectInit];
    let calls: Vec<_> = maker.book().await?.calls.iter().map(|call| call.endpoint).collect();
    let order: Vec<_> = calls.into_iter().filter(|endpoint| looks.contains(endpoint)).collect();
    assert_eq!(order, looks.repeat(3));
    Ok(())
}

async fn a_creator_who_may_not_post_is_told_apart_under_http_200(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::cast(&cloud, |casting| casting.user.standing = AccountStanding::Banned).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    let failure = failure_of(&cloud, &dropped).await?;
    assert_eq!(failure.reason.code(), "spam_risk_user_banned_from_posting", "{failure}");
    assert!(failure.log_id.is_some() && !failure.advice.is_empty(), "{failure:?}");
    let book = maker.book().await?;
    let refused = book.calls.iter().find(|call| call.endpoint == Endpoint::CreatorInfo).context("it was asked")?;
    assert_eq!((refused.http_status, refused.code.as_str()), (Some(200), failure.reason.code()));
    book.ensure_never_begun()
}
