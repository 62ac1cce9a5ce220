//! Posts that are asked for over HTTP: of a video that is uploaded to an address
//! that was handed out for it, or of an object that is in the bucket.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use domain::account::Requirement;
use domain::post::{PostState, StateName};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Cloud, Creator, Dropped, Footage, Put};

use crate::harness::stories;
use crate::limits::stage;
use crate::web::{call, call_saying, client};

stories![among:
    a_video_goes_to_the_address_that_was_handed_out_and_is_posted,
    an_address_takes_the_video_that_it_was_signed_for_and_no_other,
    a_second_upload_to_the_same_address_is_no_second_post,
    a_large_video_is_uploaded_in_parts_and_posted_whole,
    a_request_that_comes_again_under_its_name_is_the_same_post,
    a_post_whose_video_never_comes_fails_and_says_so,
    an_upload_that_is_cancelled_is_not_posted_when_its_bytes_come,
    an_upload_in_parts_that_is_cancelled_is_given_up_at_the_bucket_too,
    an_object_that_is_in_the_bucket_is_posted_on_request,
    what_was_dropped_is_no_second_post_whatever_a_request_is_called,
    a_request_that_no_post_can_be_made_of_says_why,
];

/// A whole request for an upload of this film.
fn request(maker: &Creator, footage: &Footage) -> Value {
    json!({
        "account": maker.alias.as_str(), "file_name": "bread.mp4", "content_type": "video/mp4",
        "bytes": footage.bytes.len(), "options": { "title": "asked for", "privacy_level": "SELF_ONLY" },
    })
}

async fn asked(cloud: &Cloud, path: &str, request: &Value) -> Result<Value> {
    let (status, answer) = call(cloud, Method::POST, path, Some(request)).await?;
    ensure!(status == 201, "{path}: {status} {answer}");
    Ok(answer)
}

/// What a post of an answer becomes, for TikTok's book.
fn dropped(answer: &Value, footage: &Footage) -> Result<Dropped> {
    let key = answer["source"]["key"].as_str().context("a post has a key")?;
    let unversioned = Dropped::at("", key, "", footage);
    Ok(Dropped { post: answer["id"].as_str().context("a post has an id")?.parse()?, ..unversioned })
}

/// Puts bytes to an address, as a browser does: no signature but the address's own.
async fn put(upload: &Value, content_type: Option<&str>, bytes: &[u8]) -> Result<u16> {
    let url = upload["url"].as_str().context("an upload has an address")?;
    let mut request = client()?.put(url).body(bytes.to_vec());
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    Ok(request.send().await?.status().as_u16())
}

async fn a_video_goes_to_the_address_that_was_handed_out_and_is_posted(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let footage = Footage::fresh()?;
    let answer = asked(&cloud, "/uploads", &request(&maker, &footage)).await?;
    let drop = dropped(&answer["post"], &footage)?;
    let path = format!("/posts/{}", drop.post);
    let (status, shown) = call(&cloud, Method::GET, &path, None).await?;
    assert_eq!((status, &shown["state"], &shown["hold_reason"]), (200, &json!("held"), &json!("upload")), "{shown}");
    assert!(!shown.to_string().contains("X-Amz-"), "the address is its asker's alone: {shown}");
    assert_eq!(put(&answer["upload"], Some("video/mp4"), &footage.bytes).await?, 200);
    cloud.await_state(&drop.post, StateName::Published).await?;
    let book = maker.book().await?;
    let published = book.ensure_published_once(&drop)?;
    assert_eq!((published.title.as_str(), published.privacy_level), ("asked for", simulator::PrivacyLevel::SelfOnly));
    let (_, shown) = call(&cloud, Method::GET, &path, None).await?;
    assert!(shown["source"]["version_id"].is_string(), "it is pinned to what came: {shown}");
    Ok(())
}

async fn an_address_takes_the_video_that_it_was_signed_for_and_no_other(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let footage = Footage::fresh()?;
    let answer = asked(&cloud, "/uploads", &request(&maker, &footage)).await?;
    let upload = &answer["upload"];
    assert_eq!(put(upload, Some("video/webm"), &footage.bytes).await?, 403, "another media type");
    assert_eq!(put(upload, None, &footage.bytes).await?, 403, "none at all");
    assert_eq!(put(upload, Some("video/mp4"), &footage.bytes[1..]).await?, 403, "another length");
    let drop = dropped(&answer["post"], &footage)?;
    assert_eq!(cloud.post(&drop.post).await?.state_name(), StateName::Held);
    assert_eq!(put(upload, Some("video/mp4"), &footage.bytes).await?, 200);
    cloud.await_state(&drop.post, StateName::Published).await?;
    maker.book().await?.ensure_published_once(&drop)?;
    Ok(())
}

async fn a_second_upload_to_the_same_address_is_no_second_post(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::cast(&cloud, |casting| casting.review = Requirement::Required).await?;
    let (first, second) = (Footage::fresh()?, Footage::fresh()?);
    let answer = asked(&cloud, "/uploads", &request(&maker, &first)).await?;
    let drop = dropped(&answer["post"], &first)?;
    assert_eq!(put(&answer["upload"], Some("video/mp4"), &first.bytes).await?, 200);
    let for_review =
        |post: &domain::post::Post| matches!(post.state, PostState::Held { reason: domain::post::HoldReason::Review });
    let pinned = cloud.await_post(&drop.post, "held for its review", tests::PATIENCE, for_review).await?;
    assert_eq!(put(&answer["upload"], Some("video/mp4"), &second.bytes).await?, 200, "S3 takes it");
    let (status, shown) = call(&cloud, Method::POST, &format!("/posts/{}/approve", drop.post), None).await?;
    assert_eq!(status, 200, "{shown}");
    let published = cloud.await_state(&drop.post, StateName::Published).await?;
    assert_eq!(published.source, pinned.source);
    let book = maker.book().await?;
    book.ensure_published_once(&drop)?;
    assert_eq!(book.times_published(&second), 0);
    Ok(())
}

async fn a_large_video_is_uploaded_in_parts_and_posted_whole(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let footage = Footage::long(100_000_001)?;
    let answer = asked(&cloud, "/uploads", &request(&maker, &footage)).await?;
    let drop = dropped(&answer["post"], &footage)?;
    let upload = &answer["upload"];
    let complete = upload["complete"].as_str().context("it says where it is completed")?;
    let parts = upload["parts"].as_array().context("a large video has parts")?;
    let piece = |part: &Value| -> Result<std::ops::Range<usize>> {
        let first = usize::try_from(part["first_byte"].as_u64().context("a part begins somewhere")?)?;
        Ok(first..first + usize::try_from(part["bytes"].as_u64().context("a part has a length")?)?)
    };
    let last = parts.last().context("there are parts")?;
    assert_eq!(put(last, None, &footage.bytes[piece(last)?][1..]).await?, 403, "a part of another length");
    assert_eq!(put(last, None, &footage.bytes[piece(last)?]).await?, 200);
    let (status, problem) = call(&cloud, Method::POST, complete, None).await?;
    assert_eq!((status, &problem["code"]), (409, &json!("parts_missing")), "{problem}");
    assert!(problem["title"].as_str().is_some_and(|title| title.ends_with(": 1")), "it names them: {problem}");
    for part in &parts[..parts.len() - 1] {
        assert_eq!(put(part, None, &footage.bytes[piece(part)?]).await?, 200);
    }
    for _ in 0..2 {
        let (status, post) = call(&cloud, Method::POST, complete, None).await?;
        assert_eq!((status, &post["id"]), (202, &json!(drop.post.as_str())), "to complete twice is no fault: {post}");
    }
    let published = |post: &domain::post::Post| post.state_name() == StateName::Published;
    cloud.await_post(&drop.post, "published", tests::Patience::seconds(200), published).await?;
    maker.book().await?.ensure_published_once(&drop)?;
    Ok(())
}

async fn a_request_that_comes_again_under_its_name_is_the_same_post(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let footage = Footage::fresh()?;
    let (wanted, name) = (request(&maker, &footage), format!("\"story-{}\"", maker.alias));
    let ask = async |wanted: &Value| {
        call_saying(
            &cloud,
            Method::POST,
            "/uploads",
            &[("idempotency-key", name.as_str())],
            wanted.to_string().into_bytes(),
        )
        .await
    };
    let at_once = futures::future::join_all([ask(&wanted), ask(&wanted), ask(&wanted), ask(&wanted)]).await;
    let mut ids = Vec::new();
    for answer in at_once {
        let (status, answer) = answer?;
        ensure!(status == 201, "{answer}");
        ids.push((answer["post"]["id"].clone(), answer["upload"]["expires_at"].clone()));
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "asked four times at once: {ids:?}");
    let mut other = wanted.clone();
    other["options"]["title"] = json!("something else");
    let (status, problem) = ask(&other).await?;
    assert_eq!((status, &problem["code"]), (422, &json!("idempotency_key_reused")), "{problem}");
    let (_, answer) = ask(&wanted).await?;
    assert_eq!(put(&answer["upload"], Some("video/mp4"), &footage.bytes).await?, 200, "signed anew, the same address");
    let drop = dropped(&answer["post"], &footage)?;
    cloud.await_state(&drop.post, StateName::Published).await?;
    let (status, late) = ask(&wanted).await?;
    assert_eq!((status, &late["post"]["id"], &late["upload"]), (201, &answer["post"]["id"], &Value::Null), "{late}");
    maker.book().await?.ensure_published_once(&drop)?;
    let (status, problem) =
        call_saying(&cloud, Method::POST, "/uploads", &[("idempotency-key", "\"\"")], b"{}".to_vec()).await?;
    assert_eq!((status, &problem["code"]), (400, &json!("idempotency_key_malformed")));
    Ok(())
}

async fn a_post_whose_video_never_comes_fails_and_says_so(cloud: Arc<Cloud>) -> Result<()> {
    let stage = stage(&cloud, |_| {}, &[]).await?;
    let maker = Creator::connect(&stage.cloud).await?;
    let id = stage.create_upload(&request(&maker, &Footage::fresh()?))?;
    let until = stage.cloud.post(&id).await?.due_at.context("it is due when its bytes cannot come any more")?;
    stage.pass().await?;
    let post = stage.cloud.post(&id).await?;
    let PostState::Failed { failure, .. } = &post.state else { anyhow::bail!("{:?}", post.state) };
    assert_eq!(failure.reason.code(), "upload_expired");
    assert!(stage.now() > until && !failure.advice.is_empty(), "{failure}");
    maker.book().await?.ensure_never_begun()
}

async fn an_upload_that_is_cancelled_is_not_posted_when_its_bytes_come(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let footage = Footage::fresh()?;
    let answer = asked(&cloud, "/uploads", &request(&maker, &footage)).await?;
    let drop = dropped(&answer["post"], &footage)?;
    let (status, shown) = call(&cloud, Method::POST, &format!("/posts/{}/cancel", drop.post), None).await?;
    assert_eq!((status, &shown["state"]), (200, &json!("cancelled")), "{shown}");
    assert_eq!(put(&answer["upload"], Some("video/mp4"), &footage.bytes).await?, 200, "the address lives on");
    cloud.stays(&drop.post, StateName::Cancelled, std::time::Duration::from_secs(5)).await?;
    maker.book().await?.ensure_never_begun()
}

async fn an_upload_in_parts_that_is_cancelled_is_given_up_at_the_bucket_too(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let footage = Footage::fresh()?;
    let mut large = request(&maker, &footage);
    large["bytes"] = json!(150_000_000);
    let answer = asked(&cloud, "/uploads", &large).await?;
    let drop = dropped(&answer["post"], &footage)?;
    assert!(is_open(&cloud, &drop).await?, "{answer}");
    let (status, shown) = call(&cloud, Method::POST, &format!("/posts/{}/cancel", drop.post), None).await?;
    assert_eq!((status, &shown["state"]), (200, &json!("cancelled")), "{shown}");
    assert!(!is_open(&cloud, &drop).await?, "its parts would be paid for");
    Ok(())
}

/// Whether the bucket awaits parts of an object.
async fn is_open(cloud: &Cloud, drop: &Dropped) -> Result<bool> {
    let listed = cloud.s3.list_multipart_uploads().bucket(&cloud.outputs().intake_bucket);
    let listed = listed.prefix(&drop.source.key).send().await?;
    Ok(!listed.uploads().is_empty())
}

async fn an_object_that_is_in_the_bucket_is_posted_on_request(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let (footage, newer) = (Footage::fresh()?, Footage::fresh()?);
    let key = format!("library/{}/bread & butter.mp4", maker.alias);
    let older = cloud.put(Put::new(&key, &footage)).await?;
    cloud.put(Put::new(&key, &newer)).await?;
    let domain::source::ObjectVersion::Id(version) = &older.source.version else { anyhow::bail!("it has a version") };
    let wanted = json!({ "account": maker.alias.as_str(), "key": key, "version_id": version });
    let answer = asked(&cloud, "/posts", &wanted).await?;
    let again = asked(&cloud, "/posts", &wanted).await?;
    assert_eq!(answer["id"], again["id"], "a version of an object is one post");
    let mut other = wanted.clone();
    other["options"] = json!({ "title": "another" });
    let (status, problem) = call(&cloud, Method::POST, "/posts", Some(&other)).await?;
    assert_eq!((status, &problem["code"]), (409, &json!("post_exists")), "{problem}");
    let drop = dropped(&answer, &footage)?;
    cloud.await_state(&drop.post, StateName::Published).await?;
    let book = maker.book().await?;
    assert_eq!(book.ensure_published_once(&drop)?.title, "bread & butter");
    // Under a name of its own it is another post, on purpose.
    let other_maker = Creator::connect(&cloud).await?;
    let name = format!("again-{}", maker.alias);
    other["account"] = json!(other_maker.alias.as_str());
    let headers = [("idempotency-key", name.as_str())];
    let ask = || call_saying(&cloud, Method::POST, "/posts", &headers, other.to_string().into_bytes());
    let at_once = futures::future::try_join_all([ask(), ask(), ask()]).await?;
    let once_more = &at_once[0].1;
    ensure!(at_once.iter().all(|(status, post)| *status == 201 && post["id"] == once_more["id"]), "{at_once:?}");
    assert_ne!(once_more["id"], answer["id"]);
    let drop = dropped(once_more, &footage)?;
    cloud.await_state(&drop.post, StateName::Published).await?;
    assert_eq!(other_maker.book().await?.ensure_published_once(&drop)?.title, "another");
    Ok(())
}

async fn what_was_dropped_is_no_second_post_whatever_a_request_is_called(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let drop = maker.drops("clip.mp4", &Footage::fresh()?).await?;
    cloud.await_state(&drop.post, StateName::Published).await?;
    let wanted = json!({ "account": maker.alias.as_str(), "key": drop.source.key }).to_string().into_bytes();
    let name = format!("twice-{}", maker.alias);
    let (status, problem) =
        call_saying(&cloud, Method::POST, "/posts", &[("idempotency-key", name.as_str())], wanted).await?;
    assert_eq!((status, &problem["code"]), (409, &json!("post_exists")), "{problem}");
    let footage = Footage::fresh()?;
    let answer = asked(&cloud, "/uploads", &request(&maker, &footage)).await?;
    let upload = dropped(&answer["post"], &footage)?;
    assert_eq!(put(&answer["upload"], Some("video/mp4"), &footage.bytes).await?, 200);
    cloud.await_state(&upload.post, StateName::Published).await?;
    let key = cloud.post(&upload.post).await?.source.key.clone();
    let wanted = json!({ "account": maker.alias.as_str(), "key": key });
    let (status, problem) = call(&cloud, Method::POST, "/posts", Some(&wanted)).await?;
    assert_eq!((status, &problem["code"]), (409, &json!("post_exists")), "{problem}");
    maker.book().await?.ensure_published_each_once(&[&drop, &upload])
}

async fn a_request_that_no_post_can_be_made_of_says_why(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let whole = request(&maker, &Footage::fresh()?);
    let but = |field: &str, value: Value| {
        let mut request = whole.clone();
        request[field] = value;
        request
    };
    let object = |key: &str| json!({ "account": maker.alias.as_str(), "key": key });
    let table = [
        ("/uploads", but("account", json!("nobody")), 422, "account_not_found"),
        ("/uploads", but("bytes", json!(0)), 422, "size_invalid"),
        ("/uploads", but("bytes", json!(4_000_000_001_u64)), 422, "size_invalid"),
        ("/uploads", but("content_type", json!("image/png")), 422, "content_type_invalid"),
        ("/uploads", but("file_name", json!("../a.mp4")), 422, "file_name_invalid"),
        ("/uploads", but("options", json!({ "titel": "x" })), 400, "request_malformed"),
        ("/uploads", but("colour", json!("red")), 400, "request_malformed"),
        ("/posts", object("library/nothing.mp4"), 422, "object_not_found"),
        ("/posts", object(""), 422, "object_not_found"),
        ("/posts", json!({ "account": "nobody", "key": "library/nothing.mp4" }), 422, "account_not_found"),
        ("/posts", json!({}), 400, "request_malformed"),
    ];
    for (path, request, status, code) in table {
        let (answered, problem) = call(&cloud, Method::POST, path, Some(&request)).await?;
        assert_eq!((answered, &problem["code"]), (status, &json!(code)), "{path} {request}: {problem}");
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
    }
    maker.book().await?.ensure_never_begun()
}
