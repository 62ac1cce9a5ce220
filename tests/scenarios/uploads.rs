//! Posts that an API request creates: `POST /uploads`, for a video that the caller then uploads to presigned URLs, and
//! `POST /posts`, for an object in the bucket.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use domain::account::Requirement;
use domain::post::{HoldReason, Post, PostState, StateName};
use futures::future::try_join_all;
use harness::{Cloud, Creator, Dropped, Put, TestVideo};
use serde_json::{Value, json};
use simulator::PrivacyLevel;

use crate::aws_cli::text;
use crate::http::{client, get, post, post_with_key};
use crate::limits::isolated_env;
use crate::runner::{WithCreator, scenarios};

scenarios![concurrent:
    uploaded_video_is_held_then_published,
    presigned_url_accepts_only_the_declared_video,
    media_type_is_compared_by_its_essence,
    second_upload_to_same_url_makes_no_second_post,
    large_video_is_uploaded_in_parts_and_published,
    repeated_idempotency_key_returns_same_post,
    upload_without_video_expires_and_fails,
    cancelled_upload_is_not_posted_when_bytes_arrive,
    cancelled_multipart_upload_is_aborted_in_the_bucket,
    object_in_bucket_is_posted_on_request,
    idempotency_key_never_duplicates_a_dropped_object,
    invalid_requests_name_the_problem,
];

/// The media type that the requests of these scenarios declare.
const MP4: Option<&str> = Some("video/mp4");
/// A video of one byte more than fits into a single PUT (`MAX_SINGLE_PUT` in posting/src/create/upload.rs).
pub(crate) const MULTIPART_BYTES: u64 = 100_000_001;

/// A complete request to upload this video.
fn request(creator: &Creator, video: &TestVideo) -> Value {
    json!({
        "account": creator.alias.as_str(), "file_name": "bread.mp4", "content_type": "video/mp4",
        "bytes": video.bytes, "options": { "title": "by request", "privacy_level": "SELF_ONLY" },
    })
}

/// A requested upload: the response, and the drop that its post will be in the ledger.
struct Requested {
    creator: Creator,
    dropped: Dropped,
    answer: Value,
}

impl Requested {
    /// Creates a creator and requests an upload of this video.
    async fn new(cloud: &Arc<Cloud>, video: &TestVideo) -> Result<Self> {
        Self::of(Creator::create(cloud).await?, video).await
    }

    async fn of(creator: Creator, video: &TestVideo) -> Result<Self> {
        let answer = post(&creator.cloud, "/uploads", &request(&creator, video)).await?.with_status(201)?;
        Ok(Self { dropped: dropped(&answer["post"], video)?, creator, answer })
    }

    fn upload(&self) -> &Value {
        &self.answer["upload"]
    }

    /// Uploads the video.
    async fn put(&self) -> Result<()> {
        assert_eq!(put(self.upload(), MP4, &self.dropped.video.content()).await?, 200);
        Ok(())
    }

    async fn cancel(&self) -> Result<()> {
        let path = format!("/posts/{}/cancel", self.dropped.post);
        let shown = post(&self.creator.cloud, &path, &Value::Null).await?.with_status(200)?;
        assert_eq!(shown["state"], json!("cancelled"), "{shown}");
        Ok(())
    }
}

/// The drop that a post of a response will be in the ledger.
fn dropped(shown: &Value, video: &TestVideo) -> Result<Dropped> {
    let unversioned = Dropped::at("", text(&shown["source"], "key")?, "", video);
    Ok(Dropped { post: text(shown, "id")?.parse()?, ..unversioned })
}

/// Sends bytes to a presigned URL without any other authentication. Returns the status.
async fn put(upload: &Value, content_type: Option<&str>, bytes: &[u8]) -> Result<u16> {
    let mut request = client()?.put(text(upload, "url")?).body(bytes.to_vec());
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    Ok(request.send().await?.status().as_u16())
}

async fn uploaded_video_is_held_then_published(cloud: Arc<Cloud>) -> Result<()> {
    let upload = Requested::new(&cloud, &TestVideo::small()).await?;
    let path = format!("/posts/{}", upload.dropped.post);
    let shown = get(&cloud, &path).await?.with_status(200)?;
    assert_eq!((&shown["state"], &shown["hold_reason"]), (&json!("held"), &json!("upload")), "{shown}");
    assert!(!shown.to_string().contains("X-Amz-"), "only the caller that created the upload gets its URL: {shown}");
    upload.put().await?;
    let ledger = upload.creator.await_published_once(&upload.dropped).await?;
    let published = &ledger.publications[0];
    assert_eq!((published.title.as_str(), published.privacy_level), ("by request", PrivacyLevel::SelfOnly));
    let shown = get(&cloud, &path).await?.body;
    assert!(shown["source"]["version_id"].is_string(), "the post is pinned to the uploaded version: {shown}");
    Ok(())
}

async fn presigned_url_accepts_only_the_declared_video(cloud: Arc<Cloud>) -> Result<()> {
    let upload = Requested::new(&cloud, &TestVideo::small()).await?;
    let content = upload.dropped.video.content();
    for (what, content_type, bytes) in [
        ("another media type", Some("video/webm"), &content[..]),
        ("no media type", None, &content[..]),
        ("another length", MP4, &content[1..]),
    ] {
        assert_eq!(put(upload.upload(), content_type, bytes).await?, 403, "{what}");
    }
    assert_eq!(cloud.post(&upload.dropped.post).await?.state_name(), StateName::Held);
    upload.put().await?;
    upload.creator.await_published_once(&upload.dropped).await.map(drop)
}

async fn media_type_is_compared_by_its_essence((cloud, creator): WithCreator) -> Result<()> {
    let video = TestVideo::fixture("vp9.webm")?;
    let mut request = request(&creator, &video);
    let content_type = "Video/WebM;codecs=vp9";
    (request["content_type"], request["file_name"]) = (json!(content_type), json!("bread.webm"));
    let answer = post(&cloud, "/uploads", &request).await?.with_status(201)?;
    assert_eq!(answer["upload"]["headers"]["content-type"], json!(content_type));
    assert_eq!(put(&answer["upload"], Some(content_type), &video.content()).await?, 200);
    let ledger = creator.await_published_once(&dropped(&answer["post"], &video)?).await?;
    assert_eq!(ledger.publishes[0].content_type.as_deref(), Some("video/webm"));
    Ok(())
}

async fn second_upload_to_same_url_makes_no_second_post(cloud: Arc<Cloud>) -> Result<()> {
    let creator = Creator::create_with(&cloud, |setup| setup.review = Requirement::Required).await?;
    let upload = Requested::of(creator, &TestVideo::small()).await?;
    upload.put().await?;
    let in_review = |post: &Post| matches!(post.state, PostState::Held { reason: HoldReason::Review });
    let pinned = cloud.await_post(&upload.dropped.post, "held for its review", in_review).await?;
    let second = TestVideo::small();
    assert_eq!(put(upload.upload(), MP4, &second.content()).await?, 200, "S3 accepts it");
    let approve = format!("/posts/{}/approve", upload.dropped.post);
    post(&cloud, &approve, &Value::Null).await?.with_status(200)?;
    let ledger = upload.creator.await_published_once(&upload.dropped).await?;
    assert_eq!(cloud.post(&upload.dropped.post).await?.source, pinned.source);
    assert_eq!(ledger.times_published(&second), 0);
    Ok(())
}

async fn large_video_is_uploaded_in_parts_and_published(cloud: Arc<Cloud>) -> Result<()> {
    let upload = Requested::new(&cloud, &TestVideo::new(MULTIPART_BYTES)?).await?;
    let complete = text(upload.upload(), "complete")?;
    let parts = upload.upload()["parts"].as_array().context("a large video has parts")?;
    let content = |part: &Value| {
        let (first, bytes) = part["first_byte"].as_u64().zip(part["bytes"].as_u64()).context("a part has a range")?;
        anyhow::Ok(upload.dropped.video.slice(first, first + bytes))
    };
    let (last, others) = parts.split_last().context("there are parts")?;
    assert_eq!(put(last, None, &content(last)?[1..]).await?, 403, "a part of another length");
    assert_eq!(put(last, None, &content(last)?).await?, 200);
    let problem = post(&cloud, complete, &Value::Null).await?.problem(409, "parts_missing")?;
    assert!(problem["title"].as_str().is_some_and(|title| title.ends_with(": 1")), "it names the parts: {problem}");
    for part in others {
        assert_eq!(put(part, None, &content(part)?).await?, 200);
    }
    for _ in 0..2 {
        let shown = post(&cloud, complete, &Value::Null).await?.with_status(202).context("a repeat is accepted")?;
        assert_eq!(shown["id"], json!(upload.dropped.post.as_str()), "{shown}");
    }
    upload.creator.await_published_once(&upload.dropped).await.map(drop)
}

async fn repeated_idempotency_key_returns_same_post((cloud, creator): WithCreator) -> Result<()> {
    let video = TestVideo::small();
    let (wanted, key) = (request(&creator, &video), format!("\"scenario-{}\"", creator.alias));
    let send = async |request: &Value| post_with_key(&cloud, "/uploads", &key, request).await;
    let mut ids = Vec::new();
    for answer in try_join_all([send(&wanted), send(&wanted), send(&wanted), send(&wanted)]).await? {
        let answer = answer.with_status(201)?;
        ids.push((answer["post"]["id"].clone(), answer["upload"]["expires_at"].clone()));
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "four requests at the same time: {ids:?}");
    let mut other = wanted.clone();
    other["options"]["title"] = json!("something else");
    send(&other).await?.problem(422, "idempotency_key_reused")?;
    let answer = send(&wanted).await?.body;
    assert_eq!(put(&answer["upload"], MP4, &video.content()).await?, 200, "a new signature for the same object");
    let dropped = dropped(&answer["post"], &video)?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    let late = send(&wanted).await?.with_status(201)?;
    // The video was uploaded, so there is no upload any more.
    assert_eq!((&late["post"]["id"], &late["upload"]), (&answer["post"]["id"], &Value::Null), "{late}");
    creator.ledger().await?.ensure_published_once(&dropped)?;
    post_with_key(&cloud, "/uploads", "\"\"", &json!({})).await?.problem(400, "idempotency_key_malformed").map(drop)
}

async fn upload_without_video_expires_and_fails(cloud: Arc<Cloud>) -> Result<()> {
    let env = isolated_env(&cloud, |_| {}, &[]).await?;
    let creator = Creator::create(&env.cloud).await?;
    let id = env.create_upload(&request(&creator, &TestVideo::small())).await?;
    let expires_at = env.cloud.post(&id).await?.due_at.context("the post is due when its URL has expired")?;
    env.advance().await?;
    let post = env.cloud.post(&id).await?;
    let PostState::Failed { failure, .. } = &post.state else { bail!("{:?}", post.state) };
    assert_eq!(failure.reason.code(), "upload_expired");
    assert!(env.now() > expires_at && !failure.advice.is_empty(), "{failure}");
    creator.ledger().await?.ensure_no_init()
}

async fn cancelled_upload_is_not_posted_when_bytes_arrive(cloud: Arc<Cloud>) -> Result<()> {
    let upload = Requested::new(&cloud, &TestVideo::small()).await?;
    upload.cancel().await?;
    upload.put().await.context("the URL stays valid")?;
    cloud.ensure_state_stays(&upload.dropped.post, StateName::Cancelled, Duration::from_secs(5)).await?;
    let tags = cloud.s3.get_object_tagging().bucket(&cloud.outputs().intake_bucket).key(&upload.dropped.source.key);
    let tags = tags.send().await?.tag_set;
    assert!(tags.iter().any(|tag| tag.value == "ignored"), "the object shows that it is not posted: {tags:?}");
    upload.creator.ledger().await?.ensure_no_init()
}

async fn cancelled_multipart_upload_is_aborted_in_the_bucket(cloud: Arc<Cloud>) -> Result<()> {
    let upload = Requested::new(&cloud, &TestVideo::new(MULTIPART_BYTES)?).await?;
    assert!(is_open(&cloud, &upload.dropped).await?, "{}", upload.answer);
    upload.cancel().await?;
    assert!(!is_open(&cloud, &upload.dropped).await?, "stored parts cost money");
    Ok(())
}

/// Returns whether the bucket has a multipart upload for an object.
async fn is_open(cloud: &Cloud, dropped: &Dropped) -> Result<bool> {
    let list = cloud.s3.list_multipart_uploads().bucket(&cloud.outputs().intake_bucket);
    let listed = list.prefix(&dropped.source.key).send().await?;
    Ok(!listed.uploads().is_empty())
}

async fn object_in_bucket_is_posted_on_request((cloud, creator): WithCreator) -> Result<()> {
    let (video, newer) = (TestVideo::small(), TestVideo::small());
    let key = format!("library/{}/bread & butter.mp4", creator.alias);
    let older = cloud.put(Put::new(&key, &video)).await?;
    cloud.put(Put::new(&key, &newer)).await?;
    let wanted = json!({ "account": creator.alias.as_str(), "key": key, "version_id": older.version()? });
    let answer = post(&cloud, "/posts", &wanted).await?.with_status(201)?;
    let repeated = post(&cloud, "/posts", &wanted).await?.with_status(201)?;
    assert_eq!(answer["id"], repeated["id"], "a version of an object is one post");
    let mut other = wanted.clone();
    other["options"] = json!({ "title": "another" });
    post(&cloud, "/posts", &other).await?.problem(409, "post_exists")?;
    let first = dropped(&answer, &video)?;
    assert_eq!(creator.await_published_once(&first).await?.publications[0].title, "bread & butter");
    // With an idempotency key of its own, the same object makes another post.
    let other_creator = Creator::create(&cloud).await?;
    let key = format!("again-{}", creator.alias);
    other["account"] = json!(other_creator.alias.as_str());
    let send = || post_with_key(&cloud, "/posts", &key, &other);
    let answers = try_join_all([send(), send(), send()]).await?;
    let second_id = answers[0].body["id"].clone();
    ensure!(answers.iter().all(|answer| answer.status == 201 && answer.body["id"] == second_id), "{answers:?}");
    assert_ne!(second_id, answer["id"]);
    let second = dropped(&answers[0].body, &video)?;
    assert_eq!(other_creator.await_published_once(&second).await?.publications[0].title, "another");
    Ok(())
}

async fn idempotency_key_never_duplicates_a_dropped_object((cloud, creator): WithCreator) -> Result<()> {
    let from_drop = creator.drop_small("clip.mp4").await?;
    cloud.await_state(&from_drop.post, StateName::Published).await?;
    let wanted = json!({ "account": creator.alias.as_str(), "key": from_drop.source.key });
    let key = format!("twice-{}", creator.alias);
    post_with_key(&cloud, "/posts", &key, &wanted).await?.problem(409, "post_exists")?;
    let upload = Requested::of(creator.clone(), &TestVideo::small()).await?;
    upload.put().await?;
    cloud.await_state(&upload.dropped.post, StateName::Published).await?;
    let key = cloud.post(&upload.dropped.post).await?.source.key.clone();
    let wanted = json!({ "account": creator.alias.as_str(), "key": key });
    post(&cloud, "/posts", &wanted).await?.problem(409, "post_exists")?;
    creator.ledger().await?.ensure_published_each_once([&from_drop, &upload.dropped])
}

async fn invalid_requests_name_the_problem((cloud, creator): WithCreator) -> Result<()> {
    let valid = request(&creator, &TestVideo::small());
    let with = |field: &str, value: Value| {
        let mut request = valid.clone();
        request[field] = value;
        request
    };
    let object = |key: &str| json!({ "account": creator.alias.as_str(), "key": key });
    let table = [
        ("/uploads", with("account", json!("nobody")), 422, "account_not_found"),
        ("/uploads", with("bytes", json!(0)), 422, "size_invalid"),
        ("/uploads", with("bytes", json!(4_000_000_001_u64)), 422, "size_invalid"),
        ("/uploads", with("content_type", json!("image/png")), 422, "content_type_invalid"),
        ("/uploads", with("content_type", json!("video/mp4\r\nx-amz-tagging: a=b")), 422, "content_type_invalid"),
        ("/uploads", with("file_name", json!("../a.mp4")), 422, "file_name_invalid"),
        ("/uploads", with("options", json!({ "titel": "x" })), 400, "request_malformed"),
        ("/uploads", with("colour", json!("red")), 400, "request_malformed"),
        ("/posts", object("library/nothing.mp4"), 422, "object_not_found"),
        ("/posts", object(""), 422, "object_not_found"),
        ("/posts", json!({ "account": "nobody", "key": "library/nothing.mp4" }), 422, "account_not_found"),
        ("/posts", json!({}), 400, "request_malformed"),
    ];
    for (path, request, status, code) in table {
        let problem = post(&cloud, path, &request).await?.problem(status, code).with_context(|| request.to_string())?;
        assert!(problem["detail"].is_string(), "{problem}");
    }
    creator.ledger().await?.ensure_no_init()
}
