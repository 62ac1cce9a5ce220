//! Posts in the HTTP API: reading them, and the commands `approve`, `cancel` and `retry`.

pub(crate) mod api;
mod pages;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::account::Requirement;
use domain::failure::Failure;
use domain::options::PrivacyLevel as Level;
use domain::post::StateName;
use domain::reason::Reason;
use harness::{Cloud, Creator, CreatorSetup, Dropped, TestVideo, is_linked, is_published};
use serde_json::{Value, json};
use simulator::{Endpoint, FailReason, Fault, FaultKind, Visibility};

use crate::drops::tags_of;
use crate::http::{get, patch, post};
use crate::outcomes::refusal;
use crate::runner::{WithCreator, poll_until, scenarios};
use crate::transfers::TWO_CHUNKS;

scenarios![concurrent:
    published_post_is_shown_with_link_and_history,
    posts_are_listed_newest_first_page_by_page,
    approved_post_is_published,
    cancelled_held_post_never_reaches_tiktok,
    cancelled_upload_stops_and_is_never_published,
    processing_post_rejects_cancel_update_and_retry,
    retried_post_is_published_as_same_post,
    corrected_options_let_failed_post_publish,
    post_with_unknown_outcome_rejects_retry,
    patched_options_replace_required_sidecar,
    removed_requirement_releases_posts;
    api, pages
];

fn path(dropped: &Dropped) -> String {
    format!("/posts/{}", dropped.post)
}

/// Sends a command to a post. Returns the post.
async fn command(cloud: &Cloud, dropped: &Dropped, command: &str) -> Result<Value> {
    post(cloud, &format!("{}/{command}", path(dropped)), &Value::Null).await?.with_status(200)
}

/// Sends a command to a post, and checks that it is rejected with advice.
async fn ensure_rejected(cloud: &Cloud, dropped: &Dropped, command: &str, code: &str) -> Result<()> {
    let answer = post(cloud, &format!("{}/{command}", path(dropped)), &Value::Null).await?;
    let problem = answer.problem(409, code)?;
    ensure!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "there is no advice: {problem}");
    Ok(())
}

/// A setup whose posts are held until they are approved.
fn reviewed(setup: &mut CreatorSetup) {
    setup.review = Requirement::Required;
}

/// Drops a video, and waits until its post has a state.
async fn drop_until(creator: &Creator, file: &str, state: StateName) -> Result<Dropped> {
    let dropped = creator.drop_small(file).await?;
    creator.cloud.await_state(&dropped.post, state).await?;
    Ok(dropped)
}

async fn published_post_is_shown_with_link_and_history((cloud, creator): WithCreator) -> Result<()> {
    let dropped = creator.drop_small("clip.mp4").await?;
    cloud.await_post(&dropped.post, "published and linked", is_linked).await?;
    let shown = get(&cloud, &path(&dropped)).await?.with_status(200)?;
    for (field, value) in
        [("id", dropped.post.as_str()), ("account", creator.alias.as_str()), ("state", "published"), ("title", "clip")]
    {
        assert_eq!(shown[field], json!(value), "{shown}");
    }
    assert!(shown["share_url"].as_str().is_some_and(|url| url.starts_with("https://")), "{shown}");
    assert!(shown["video_ids"][0].is_string() && shown["publish_id"].is_string(), "{shown}");
    assert_eq!(shown["progress"]["bytes_sent"], json!(dropped.video.bytes));
    let history = shown["history"].as_array().context("a post has a history")?;
    assert_eq!(history[0]["note"], "dropped");
    for time in [&shown["created_at"], &shown["ended_at"], &history[0]["at"]] {
        let time = time.as_str().context("a time is text")?;
        assert!(time.ends_with('Z') && time.parse::<jiff::Timestamp>().is_ok(), "RFC 3339, in UTC: {time}");
    }
    for unknown in ["/posts/nobody", &format!("/posts/{}", "a".repeat(32))] {
        get(&cloud, unknown).await?.problem(404, "post_not_found")?;
    }
    Ok(())
}

async fn posts_are_listed_newest_first_page_by_page(cloud: Arc<Cloud>) -> Result<()> {
    let creator = Creator::create_with(&cloud, reviewed).await?;
    let mut expected = Vec::new();
    for file in ["1.mp4", "2.mp4", "3.mp4"] {
        expected.insert(0, drop_until(&creator, file, StateName::Held).await?.post.to_string());
    }
    let list = async |query: &str| {
        let page = get(&cloud, &format!("/posts?{query}")).await?.with_status(200)?;
        let posts = page["posts"].as_array().context("a page has posts")?.clone();
        anyhow::Ok((posts, page))
    };
    let account = format!("account={}", creator.alias);
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let (posts, page) = list(&format!("{account}&state=held&limit=2{cursor}")).await?;
        ensure!(posts.len() <= 2 && posts.iter().all(|post| post.get("history").is_none()), "{page}");
        found.extend(posts.iter().filter_map(|post| post["id"].as_str()).map(str::to_owned));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(found, expected);
    let since = cloud.post(&expected[1].parse()?).await?.created_at;
    let (posts, page) = list(&format!("{account}&since={since}")).await?;
    assert_eq!(posts.len(), 2, "{page}");
    let (posts, page) = list(&format!("{account}&before={since}")).await?;
    assert_eq!(posts[0]["id"], json!(expected[2]), "{page}");
    // The list of all accounts also contains posts of other scenarios.
    let (posts, page) = list(&format!("since={since}&state=held&limit=100")).await?;
    let listed = |id: &String| posts.iter().any(|post| post["id"] == **id);
    assert!(listed(&expected[0]) && listed(&expected[1]) && !listed(&expected[2]), "{page}");
    for invalid in ["cursor=eA", "limit=0", "state=done", "since=now", "colour=red"] {
        get(&cloud, &format!("/posts?{invalid}")).await?.problem(400, "query_malformed")?;
    }
    Ok(())
}

async fn approved_post_is_published(cloud: Arc<Cloud>) -> Result<()> {
    let creator = Creator::create_with(&cloud, reviewed).await?;
    let dropped = drop_until(&creator, "clip.mp4", StateName::Held).await?;
    let shown = patch(&cloud, &path(&dropped), &json!({ "title": "seen by two" })).await?.with_status(200)?;
    assert_eq!((&shown["hold_reason"], &shown["title"]), (&json!("review"), &json!("seen by two")), "{shown}");
    command(&cloud, &dropped, "approve").await?;
    command(&cloud, &dropped, "approve").await.context("a second approval is accepted")?;
    assert_eq!(creator.await_published_once(&dropped).await?.publications[0].title, "seen by two");
    let other = drop_until(&creator, "other.mp4", StateName::Held).await?;
    ensure_rejected(&cloud, &other, "retry", "not_failed").await
}

async fn cancelled_held_post_never_reaches_tiktok(cloud: Arc<Cloud>) -> Result<()> {
    let creator = Creator::create_with(&cloud, reviewed).await?;
    let dropped = drop_until(&creator, "clip.mp4", StateName::Held).await?;
    assert_eq!(command(&cloud, &dropped, "cancel").await?["state"], "cancelled");
    command(&cloud, &dropped, "cancel").await.context("a second cancellation is accepted")?;
    ensure_rejected(&cloud, &dropped, "approve", "not_for_review").await?;
    patch(&cloud, &path(&dropped), &json!({ "title": "x" })).await?.problem(409, "post_ended")?;
    let tags = tags_of(&cloud, &dropped).await?;
    assert!(tags.contains(&("dropcast:state".to_owned(), "cancelled".to_owned())), "{tags:?}");
    creator.ledger().await?.ensure_no_init()
}

async fn cancelled_upload_stops_and_is_never_published((cloud, creator): WithCreator) -> Result<()> {
    // The first of two chunks takes at least five seconds, so there is time to cancel.
    let slow = FaultKind::SlowRead { bytes_per_second: 1_000_000 };
    creator.inject(Fault::new(Endpoint::Upload, slow)).await?;
    let dropped = creator.drop_video("clip.mp4", &TestVideo::new(TWO_CHUNKS)?).await?;
    cloud.await_post(&dropped.post, "uploading", |post| post.upload().is_some()).await?;
    let shown = get(&cloud, &path(&dropped)).await?.body;
    assert_eq!(shown["progress"]["bytes_total"], json!(TWO_CHUNKS), "{shown}");
    patch(&cloud, &path(&dropped), &json!({ "title": "x" })).await?.problem(409, "upload_under_way")?;
    let cancelled = command(&cloud, &dropped, "cancel").await?;
    assert!(cancelled["state"] == "cancelled" && cancelled["publish_id"].is_string(), "{cancelled}");
    cloud.ensure_state_stays(&dropped.post, StateName::Cancelled, Duration::from_secs(15)).await?;
    let ledger = creator.ledger().await?;
    assert_eq!((ledger.publishes.len(), ledger.publications.len()), (1, 0), "the last chunk was not sent");
    assert!(ledger.calls_of(Endpoint::Upload) <= 1, "{:#?}", ledger.calls);
    ledger.ensure_no_violation()
}

async fn processing_post_rejects_cancel_update_and_retry((cloud, creator): WithCreator) -> Result<()> {
    // Three polls fail, so the post is still processing when the commands are sent.
    creator.inject(refusal(Endpoint::StatusFetch, 500, "internal_error").times(3)).await?;
    let dropped = drop_until(&creator, "clip.mp4", StateName::Processing).await?;
    ensure_rejected(&cloud, &dropped, "cancel", "may_be_posted").await?;
    ensure_rejected(&cloud, &dropped, "retry", "not_failed").await?;
    patch(&cloud, &path(&dropped), &json!({ "title": "x" })).await?.problem(409, "upload_under_way")?;
    cloud.await_post(&dropped.post, "published", is_published).await?;
    ensure_rejected(&cloud, &dropped, "cancel", "post_ended").await?;
    creator.ledger().await?.ensure_published_once(&dropped)?;
    Ok(())
}

async fn retried_post_is_published_as_same_post((cloud, creator): WithCreator) -> Result<()> {
    let failing = FaultKind::FailPost { reason: FailReason::FileFormatCheckFailed };
    creator.inject(Fault::new(Endpoint::Upload, failing)).await?;
    let dropped = drop_until(&creator, "clip.mp4", StateName::Failed).await?;
    let shown = get(&cloud, &path(&dropped)).await?.body;
    let failure = &shown["failure"];
    assert_eq!((&failure["code"], &failure["outcome"]), (&json!("file_format_check_failed"), &json!("not_posted")));
    assert!(failure["log_id"].is_string() && failure["advice"].is_string(), "{failure}");
    let retried = command(&cloud, &dropped, "retry").await?;
    assert_eq!((&retried["id"], &retried["state"]), (&shown["id"], &json!("queued")));
    let ledger = creator.await_published_once(&dropped).await?;
    let history = cloud.post(&dropped.post).await?.history.clone();
    assert!(history.iter().any(|line| line.state == StateName::Failed), "{history:?}");
    assert_eq!(ledger.publishes.len(), 2, "the failed publish and a new one");
    Ok(())
}

async fn corrected_options_let_failed_post_publish(cloud: Arc<Cloud>) -> Result<()> {
    let creator = Creator::create_with(&cloud, |setup| {
        setup.user.visibility = Visibility::Private;
        setup.defaults.privacy_level = Some(Level::PublicToEveryone);
    })
    .await?;
    let dropped = drop_until(&creator, "clip.mp4", StateName::Failed).await?;
    for invalid in [json!({ "privacy_levle": "SELF_ONLY" }), json!([]), json!({ "privacy_level": "PRIVATE" })] {
        patch(&cloud, &path(&dropped), &invalid).await?.problem(400, "options_malformed")?;
    }
    let corrected = json!({ "privacy_level": "FOLLOWER_OF_CREATOR" });
    let shown = patch(&cloud, &path(&dropped), &corrected).await?.with_status(200)?;
    assert_eq!(shown["state"], json!("failed"), "new options alone retry nothing");
    command(&cloud, &dropped, "retry").await?;
    let ledger = creator.await_published_once(&dropped).await?;
    assert_eq!(ledger.publications[0].privacy_level, simulator::PrivacyLevel::FollowerOfCreator);
    Ok(())
}

async fn post_with_unknown_outcome_rejects_retry((cloud, creator): WithCreator) -> Result<()> {
    // TikTok has every byte, but claims for an hour not to know the publish, so the video may or may not be posted.
    creator.inject(refusal(Endpoint::StatusFetch, 400, "invalid_publish_id").until_cleared()).await?;
    let dropped = drop_until(&creator, "clip.mp4", StateName::Processing).await?;
    let now = runtime::clock::now();
    poll_until("failed post", Duration::from_secs(10), Duration::from_millis(100), async || {
        let post = cloud.posts.get(&dropped.post).await?.context("the post does not exist")?;
        let denial = || Failure::new(Reason::parse("invalid_publish_id"), "TikTok does not know the publish", "");
        let denied = post.value.clone().publish_denied(denial(), now);
        let failed = denied.publish_denied(denial(), now + Duration::from_hours(1));
        // A poll can write the post at the same time.
        Ok(cloud.posts.save(post, failed, now).await.ok().map(drop))
    })
    .await?;
    ensure_rejected(&cloud, &dropped, "retry", "outcome_unknown").await?;
    assert_eq!(creator.ledger().await?.publishes.len(), 1, "a retry could make a second post");
    Ok(())
}

async fn patched_options_replace_required_sidecar(cloud: Arc<Cloud>) -> Result<()> {
    let creator = Creator::create_with(&cloud, |setup| setup.sidecar = Requirement::Required).await?;
    let dropped = drop_until(&creator, "clip.mp4", StateName::Held).await?;
    patch(&cloud, &path(&dropped), &json!({ "title": "from the request" })).await?.with_status(200)?;
    assert_eq!(creator.await_published_once(&dropped).await?.publications[0].title, "from the request");
    Ok(())
}

async fn removed_requirement_releases_posts(cloud: Arc<Cloud>) -> Result<()> {
    let creator = Creator::create_with(&cloud, reviewed).await?;
    let dropped = drop_until(&creator, "clip.mp4", StateName::Held).await?;
    let account = format!("/accounts/{}", creator.alias);
    // The post is held for its review, so the sidecar's requirement does not matter.
    patch(&cloud, &account, &json!({ "sidecar": "optional" })).await?.with_status(200)?;
    cloud.ensure_state_stays(&dropped.post, StateName::Held, Duration::from_secs(2)).await?;
    patch(&cloud, &account, &json!({ "review": null })).await?.with_status(200)?;
    creator.await_published_once(&dropped).await.map(drop)
}
