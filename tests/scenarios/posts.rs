//! What people see of their posts over HTTP, and what they can still do to them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::account::Requirement;
use domain::options::PrivacyLevel as Level;
use domain::post::StateName;
use reqwest::Method;
use serde_json::{Value, json};
use simulator::{Endpoint, FailReason, Fault, FaultKind, Visibility};
use tests::{Cloud, Creator, Dropped, Footage};

use crate::drops::tags_of;
use crate::harness::stories;
use crate::refusals::refusal;
use crate::transfers::TWO_CHUNKS;
use crate::web::call;

stories![among:
    a_post_is_shown_with_what_became_of_it_and_what_happened,
    posts_are_listed_the_newest_first_and_page_by_page,
    a_post_that_waits_for_a_review_goes_out_once_it_is_approved,
    a_held_post_that_is_cancelled_never_reaches_tiktok,
    an_upload_that_is_cancelled_in_the_middle_is_stopped_and_never_published,
    what_tiktok_may_publish_is_neither_cancelled_nor_changed_nor_tried_again,
    a_post_that_tiktok_failed_is_tried_again_as_the_same_post,
    options_that_failed_a_post_are_mended_and_the_post_goes_out,
    a_post_whose_outcome_nobody_knows_is_not_tried_again,
    options_said_in_a_request_stand_in_for_the_sidecar_that_an_account_asks_for,
    posts_are_released_when_their_account_stops_asking_for_what_holds_them,
];

fn path(dropped: &Dropped, what: &str) -> String {
    format!("/posts/{}{what}", dropped.post)
}

/// Has something done to a post that can be done; answers with the post.
async fn granted(cloud: &Cloud, dropped: &Dropped, what: &str) -> Result<Value> {
    let (status, answer) = call(cloud, Method::POST, &path(dropped, what), None).await?;
    ensure!(status == 200, "{what}: {status} {answer}");
    Ok(answer)
}

/// Has something done to a post that cannot be done; answers with the code.
async fn refused(cloud: &Cloud, dropped: &Dropped, what: &str) -> Result<String> {
    let (status, answer) = call(cloud, Method::POST, &path(dropped, what), None).await?;
    ensure!(status == 409, "{what}: {status} {answer}");
    ensure!(answer["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "it should say what to do: {answer}");
    Ok(answer["code"].as_str().context("a problem has a code")?.to_owned())
}

async fn a_post_is_shown_with_what_became_of_it_and_what_happened(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    let linked = |post: &domain::post::Post| post.state_name() == StateName::Published && post.due_at.is_none();
    cloud.await_post(&dropped.post, "published and linked", tests::PATIENCE, linked).await?;
    let (status, shown) = call(&cloud, Method::GET, &path(&dropped, ""), None).await?;
    assert_eq!(status, 200, "{shown}");
    let told = (&shown["id"], &shown["account"], &shown["state"], &shown["title"]);
    assert_eq!(
        told,
        (&json!(dropped.post.as_str()), &json!(maker.alias.as_str()), &json!("published"), &json!("clip"))
    );
    assert!(shown["share_url"].as_str().is_some_and(|url| url.starts_with("https://")), "{shown}");
    assert!(shown["video_ids"][0].is_string() && shown["publish_id"].is_string(), "{shown}");
    assert_eq!(shown["progress"]["bytes_sent"], json!(dropped.footage.bytes.len()));
    let notes = shown["history"].as_array().context("a post has a history")?;
    assert_eq!(notes[0]["note"], "dropped");
    for time in [&shown["created_at"], &shown["ended_at"], &notes[0]["at"]] {
        let time = time.as_str().context("a time is text")?;
        assert!(time.ends_with('Z') && time.parse::<jiff::Timestamp>().is_ok(), "RFC 3339, in UTC: {time}");
    }
    for nobody in ["/posts/nobody", &format!("/posts/{}", "a".repeat(32))] {
        let (status, problem) = call(&cloud, Method::GET, nobody, None).await?;
        assert_eq!((status, &problem["code"]), (404, &json!("post_not_found")), "{nobody}: {problem}");
    }
    Ok(())
}

async fn posts_are_listed_the_newest_first_and_page_by_page(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::cast(&cloud, |casting| casting.review = Requirement::Required).await?;
    let mut wanted = Vec::new();
    for file in ["1.mp4", "2.mp4", "3.mp4"] {
        let dropped = maker.drops(file, &Footage::fresh()?).await?;
        cloud.await_state(&dropped.post, StateName::Held).await?;
        wanted.insert(0, dropped.post.to_string());
    }
    let mut found = Vec::new();
    let mut next = String::new();
    loop {
        let query = format!("/posts?account={}&state=held&limit=2{next}", maker.alias);
        let (status, page) = call(&cloud, Method::GET, &query, None).await?;
        ensure!(status == 200, "{page}");
        let posts = page["posts"].as_array().context("a page has posts")?;
        ensure!(posts.len() <= 2 && posts.iter().all(|post| post.get("history").is_none()), "{page}");
        found.extend(posts.iter().filter_map(|post| post["id"].as_str()).map(str::to_owned));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        next = format!("&cursor={cursor}");
    }
    assert_eq!(found, wanted);
    let since = cloud.post(&wanted[1].parse()?).await?.created_at;
    let (_, page) = call(&cloud, Method::GET, &format!("/posts?account={}&since={since}", maker.alias), None).await?;
    assert_eq!(page["posts"].as_array().map(Vec::len), Some(2), "{page}");
    let (_, page) = call(&cloud, Method::GET, &format!("/posts?account={}&before={since}", maker.alias), None).await?;
    assert_eq!(page["posts"][0]["id"], json!(wanted[2]), "{page}");
    // Everybody's: others drop meanwhile, so these are among the newest.
    let (status, page) = call(&cloud, Method::GET, &format!("/posts?since={since}&state=held&limit=100"), None).await?;
    let among = |id: &String| page["posts"].as_array().is_some_and(|posts| posts.iter().any(|post| post["id"] == **id));
    assert!(status == 200 && among(&wanted[0]) && among(&wanted[1]) && !among(&wanted[2]), "{page}");
    for wrong in ["cursor=eA", "limit=0", "state=done", "since=now", "colour=red"] {
        let (status, problem) = call(&cloud, Method::GET, &format!("/posts?{wrong}"), None).await?;
        assert_eq!((status, &problem["code"]), (400, &json!("query_malformed")), "{wrong}: {problem}");
    }
    Ok(())
}

async fn a_post_that_waits_for_a_review_goes_out_once_it_is_approved(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::cast(&cloud, |casting| casting.review = Requirement::Required).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&dropped.post, StateName::Held).await?;
    let (status, shown) =
        call(&cloud, Method::PATCH, &path(&dropped, ""), Some(&json!({ "title": "seen by two" }))).await?;
    assert_eq!(
        (status, &shown["hold_reason"], &shown["title"]),
        (200, &json!("review"), &json!("seen by two")),
        "{shown}"
    );
    granted(&cloud, &dropped, "/approve").await?;
    granted(&cloud, &dropped, "/approve").await.context("to approve twice is no fault")?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    assert_eq!(maker.book().await?.ensure_published_once(&dropped)?.title, "seen by two");
    let other = maker.drops("other.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&other.post, StateName::Held).await?;
    assert_eq!(refused(&cloud, &other, "/retry").await?, "not_failed");
    Ok(())
}

async fn a_held_post_that_is_cancelled_never_reaches_tiktok(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::cast(&cloud, |casting| casting.review = Requirement::Required).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&dropped.post, StateName::Held).await?;
    assert_eq!(granted(&cloud, &dropped, "/cancel").await?["state"], "cancelled");
    granted(&cloud, &dropped, "/cancel").await.context("to cancel twice is no fault")?;
    assert_eq!(refused(&cloud, &dropped, "/approve").await?, "not_for_review");
    let (status, problem) = call(&cloud, Method::PATCH, &path(&dropped, ""), Some(&json!({ "title": "x" }))).await?;
    assert_eq!((status, &problem["code"]), (409, &json!("post_ended")), "{problem}");
    let tags = tags_of(&cloud, &dropped).await?;
    assert!(tags.contains(&("dropcast:state".to_owned(), "cancelled".to_owned())), "{tags:?}");
    maker.book().await?.ensure_never_begun()
}

async fn an_upload_that_is_cancelled_in_the_middle_is_stopped_and_never_published(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    // The first of two chunks takes long: there is time to change one's mind.
    let slow = FaultKind::SlowRead { bytes_per_second: 1_000_000 };
    maker.inject(Fault::new(Endpoint::Upload, slow)).await?;
    let dropped = maker.drops("clip.mp4", &Footage::long(TWO_CHUNKS)?).await?;
    let begun = |post: &domain::post::Post| post.upload().is_some();
    cloud.await_post(&dropped.post, "under way", tests::PATIENCE, begun).await?;
    let (_, shown) = call(&cloud, Method::GET, &path(&dropped, ""), None).await?;
    assert_eq!(shown["progress"]["bytes_total"], json!(TWO_CHUNKS), "{shown}");
    let (status, problem) = call(&cloud, Method::PATCH, &path(&dropped, ""), Some(&json!({ "title": "x" }))).await?;
    assert_eq!((status, &problem["code"]), (409, &json!("upload_under_way")), "{problem}");
    let stopped = granted(&cloud, &dropped, "/cancel").await?;
    assert!(stopped["state"] == "cancelled" && stopped["publish_id"].is_string(), "{stopped}");
    cloud.stays(&dropped.post, StateName::Cancelled, Duration::from_secs(15)).await?;
    let book = maker.book().await?;
    assert_eq!((book.publishes.len(), book.publications.len()), (1, 0), "the last chunk never left");
    assert!(book.calls_of(Endpoint::Upload) <= 1, "{:#?}", book.calls);
    book.ensure_no_rule_broken()
}

async fn what_tiktok_may_publish_is_neither_cancelled_nor_changed_nor_tried_again(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    maker.inject(refusal(Endpoint::StatusFetch, 500, "internal_error").times(3)).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&dropped.post, StateName::Processing).await?;
    assert_eq!(refused(&cloud, &dropped, "/cancel").await?, "may_be_posted");
    assert_eq!(refused(&cloud, &dropped, "/retry").await?, "not_failed");
    let (status, problem) = call(&cloud, Method::PATCH, &path(&dropped, ""), Some(&json!({ "title": "x" }))).await?;
    assert_eq!((status, &problem["code"]), (409, &json!("upload_under_way")), "{problem}");
    let published = |post: &domain::post::Post| post.state_name() == StateName::Published;
    cloud.await_post(&dropped.post, "published", tests::Patience::seconds(200), published).await?;
    assert_eq!(refused(&cloud, &dropped, "/cancel").await?, "post_ended");
    maker.book().await?.ensure_published_once(&dropped)?;
    Ok(())
}

async fn a_post_that_tiktok_failed_is_tried_again_as_the_same_post(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    maker
        .inject(Fault::new(Endpoint::Upload, FaultKind::FailPost { reason: FailReason::FileFormatCheckFailed }))
        .await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&dropped.post, StateName::Failed).await?;
    let (_, shown) = call(&cloud, Method::GET, &path(&dropped, ""), None).await?;
    let failure = &shown["failure"];
    assert_eq!((&failure["code"], &failure["outcome"]), (&json!("file_format_check_failed"), &json!("not_posted")));
    assert!(failure["log_id"].is_string() && failure["advice"].is_string(), "{failure}");
    let again = granted(&cloud, &dropped, "/retry").await?;
    assert_eq!((&again["id"], &again["state"]), (&shown["id"], &json!("queued")));
    let post = cloud.await_state(&dropped.post, StateName::Published).await?;
    assert!(post.history.iter().any(|line| line.state == StateName::Failed), "{:?}", post.history);
    let book = maker.book().await?;
    book.ensure_published_once(&dropped)?;
    assert_eq!(book.publishes.len(), 2, "the one that failed, and one more");
    Ok(())
}

async fn options_that_failed_a_post_are_mended_and_the_post_goes_out(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::cast(&cloud, |casting| {
        casting.user.visibility = Visibility::Private;
        casting.defaults.privacy_level = Some(Level::PublicToEveryone);
    })
    .await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&dropped.post, StateName::Failed).await?;
    let patch = async |change: &Value| call(&cloud, Method::PATCH, &path(&dropped, ""), Some(change)).await;
    for wrong in [json!({ "privacy_levle": "SELF_ONLY" }), json!([]), json!({ "privacy_level": "PRIVATE" })] {
        let (status, problem) = patch(&wrong).await?;
        assert_eq!((status, &problem["code"]), (400, &json!("options_malformed")), "{problem}");
    }
    let (status, shown) = patch(&json!({ "privacy_level": "FOLLOWER_OF_CREATOR" })).await?;
    assert_eq!((status, &shown["state"]), (200, &json!("failed")), "it is not tried again by itself");
    granted(&cloud, &dropped, "/retry").await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    let book = maker.book().await?;
    assert_eq!(book.ensure_published_once(&dropped)?.privacy_level, simulator::PrivacyLevel::FollowerOfCreator);
    Ok(())
}

async fn a_post_whose_outcome_nobody_knows_is_not_tried_again(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    maker.inject(refusal(Endpoint::StatusFetch, 400, "invalid_publish_id")).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&dropped.post, StateName::Failed).await?;
    assert_eq!(refused(&cloud, &dropped, "/retry").await?, "outcome_unknown");
    assert_eq!(maker.book().await?.publishes.len(), 1, "a second post on a guess is never made");
    Ok(())
}

async fn options_said_in_a_request_stand_in_for_the_sidecar_that_an_account_asks_for(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::cast(&cloud, |casting| casting.sidecar = Requirement::Required).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&dropped.post, StateName::Held).await?;
    let change = json!({ "title": "said by request" });
    let (status, shown) = call(&cloud, Method::PATCH, &path(&dropped, ""), Some(&change)).await?;
    assert_eq!(status, 200, "{shown}");
    cloud.await_state(&dropped.post, StateName::Published).await?;
    assert_eq!(maker.book().await?.ensure_published_once(&dropped)?.title, "said by request");
    Ok(())
}

async fn posts_are_released_when_their_account_stops_asking_for_what_holds_them(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::cast(&cloud, |casting| {
        casting.review = Requirement::Required;
    })
    .await?;
    let dropped = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&dropped.post, StateName::Held).await?;
    let account = format!("/accounts/{}", maker.alias);
    let (status, answer) = call(&cloud, Method::PATCH, &account, Some(&json!({ "sidecar": "optional" }))).await?;
    assert_eq!(status, 200, "{answer}");
    cloud.stays(&dropped.post, StateName::Held, Duration::from_secs(2)).await?;
    let (status, answer) = call(&cloud, Method::PATCH, &account, Some(&json!({ "review": null }))).await?;
    assert_eq!(status, 200, "{answer}");
    cloud.await_state(&dropped.post, StateName::Published).await?;
    maker.book().await?.ensure_published_once(&dropped)?;
    Ok(())
}
