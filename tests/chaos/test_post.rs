//! The posts of the tests, and the three ways to create one: drop a video, request a post of an object (`POST /posts`),
//! or upload a video to a presigned URL (`POST /uploads`).

use anyhow::{Context, Result, ensure};
use domain::identity::PostId;
use domain::source::{ObjectVersion, Source};
use harness::aws::BUCKET;
use harness::{Creator, TestVideo};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::model::Model;
use crate::test_env::{Lambda, Request, TestEnv};

/// A video and its post.
#[derive(Debug, Clone)]
pub(crate) struct TestPost {
    pub(crate) key: String,
    pub(crate) version: String,
    pub(crate) video: TestVideo,
    pub(crate) id: PostId,
    /// The request that created the post; none for a drop.
    pub(crate) request: Option<Request>,
    /// Which responses and which end the post may have.
    pub(crate) model: Model,
}

impl TestPost {
    /// The post of a dropped object.
    fn of_drop(key: &str, version: String, video: &TestVideo) -> Self {
        let id = drop_id(key, &version);
        Self { key: key.to_owned(), version, video: video.clone(), id, request: None, model: Model::default() }
    }

    /// The post that this request created from an object.
    fn of_request(request: Request, id: PostId, key: &str, version: String, video: &TestVideo) -> Self {
        Self { id, request: Some(request), ..Self::of_drop(key, version, video) }
    }
}

/// The id of the post of a dropped object version.
pub(crate) fn drop_id(key: &str, version: &str) -> PostId {
    let version = ObjectVersion::Id(version.to_owned());
    Source { bucket: BUCKET.to_owned(), key: key.to_owned(), version }.post_id()
}

impl TestEnv {
    /// Puts a video into the bucket, and sends S3's event to the queue.
    pub(crate) fn drop_video(&self, key: &str, video: &TestVideo, metadata: &[(&str, &str)]) -> Result<TestPost> {
        let post = self.drop_without_event(key, video, metadata);
        self.send_event(&post)?;
        Ok(post)
    }

    /// Puts a video into the bucket, whose event S3 loses or sends later ([`send_event`](Self::send_event)).
    pub(crate) fn drop_without_event(&self, key: &str, video: &TestVideo, metadata: &[(&str, &str)]) -> TestPost {
        let version = self.aws.state().bucket.put(key, video.clone(), metadata, self.now());
        TestPost::of_drop(key, version, video)
    }

    /// Sends S3's event of a post's object to the queue. S3 may send an event more than once, so a test may, too.
    pub(crate) fn send_event(&self, post: &TestPost) -> Result<()> {
        let now = self.now();
        self.aws.state().queue.put_object_created(&post.key, &post.version, post.video.bytes, now)
    }
}

impl Lambda<'_> {
    /// Puts a video outside of `drop/`, and requests a post of it.
    pub(crate) async fn create_post(&mut self, creator: &Creator, video: &TestVideo) -> Result<TestPost> {
        let key = "library/clip.mp4";
        let version = self.env.aws.state().bucket.put(key, video.clone(), &[], self.env.now());
        let request = post_request(creator, key, &version);
        let response = self.request_until_answered(&request).await?;
        ensure!(response.status == 201, "the response to a request for a post is {response:?}");
        Ok(TestPost::of_request(request, post_id(&response.body)?, key, version, video))
    }

    /// Requests an upload, and uploads a video to the presigned URL or, if it is large, in parts.
    pub(crate) async fn create_upload(&mut self, creator: &Creator, video: &TestVideo) -> Result<TestPost> {
        let body = json!({ "account": creator.alias.as_str(), "file_name": "clip.mp4", "content_type": "video/mp4",
                           "bytes": video.bytes });
        let with_key = |key: &str| Request::idempotent("/uploads", &format!("{key}-{}", creator.alias), &body);
        let mut request = with_key("upload");
        let mut response = self.request_until_answered(&request).await?;
        if response.body["upload"].is_null() {
            // The first response was lost, and the URL expired before this one. Another key gets a new upload.
            request = with_key("another-upload");
            response = self.request_until_answered(&request).await?;
        }
        ensure!(response.status == 201, "the response to a request for an upload is {response:?}");
        let id = post_id(&response.body["post"])?;
        self.target = Some(id.clone());
        let upload = &response.body["upload"];
        let Some(parts) = upload["parts"].as_array() else {
            let (key, _) = parse_url(&upload["url"])?;
            return Ok(TestPost { id, request: Some(request), ..self.env.drop_video(&key, video, &[])? });
        };
        let key = self.upload_parts(&id, video, parts).await?;
        // If the post was cancelled meanwhile, there is no object.
        let version = self.env.aws.state().bucket.newest(&key).unwrap_or_else(|| "none".to_owned());
        Ok(TestPost::of_request(request, id, &key, version, video))
    }

    /// Uploads the parts and completes the upload. A first attempt to complete, while the first part is missing, must
    /// be rejected. A cancel may end the upload at any moment. Returns the object's key.
    async fn upload_parts(&mut self, id: &PostId, video: &TestVideo, parts: &[Value]) -> Result<String> {
        let complete = Request::complete(id);
        let (first, others) = parts.split_first().context("the upload has no parts")?;
        for part in others {
            self.upload_part(video, part)?;
        }
        let early = self.request_until_answered(&complete).await?;
        let is_cancelled = |env: &TestEnv| env.state_of(id).is_some_and(|state| state == "cancelled");
        let is_rejected = early.status == 409 && early.body["code"] == "parts_missing";
        ensure!(is_rejected || is_cancelled(self.env), "the response to completing without a part is {early:?}");
        let key = self.upload_part(video, first)?;
        let completed = self.request_until_answered(&complete).await?;
        let is_accepted = completed.status == 202 || is_cancelled(self.env);
        ensure!(is_accepted, "the response to completing with all parts is {completed:?}");
        Ok(key)
    }

    /// Uploads a part to its presigned URL, and returns the object's key.
    fn upload_part(&self, video: &TestVideo, part: &Value) -> Result<String> {
        let (key, query) = parse_url(&part["url"])?;
        let upload =
            query.split('&').find_map(|pair| pair.strip_prefix("uploadId=")).context("the URL has no uploadId")?;
        let number = |name: &str| part[name].as_u64().with_context(|| format!("the part has no {name}"));
        let range = (number("first_byte")?, number("bytes")?);
        let part_number = u32::try_from(number("part_number")?)?;
        self.env.aws.state().bucket.put_part(&key, upload, part_number, video, range);
        Ok(key)
    }
}

/// The object's key in a presigned URL, and the query.
fn parse_url(url: &Value) -> Result<(String, &str)> {
    let url = url.as_str().context("the upload has no URL")?;
    let (path, query) = url.split_once('?').context("the URL is not signed")?;
    let (_, key) = path.split_once(&format!("/{BUCKET}/")).context("the URL is not in the bucket")?;
    Ok((percent_decode_str(key).decode_utf8()?.into_owned(), query))
}

/// A request for a post of this version of an object.
pub(crate) fn post_request(creator: &Creator, key: &str, version: &str) -> Request {
    let body = json!({ "account": creator.alias.as_str(), "key": key, "version_id": version });
    Request::idempotent("/posts", &format!("post-{}-{version}", creator.alias), &body)
}

/// The id in a response's post.
pub(crate) fn post_id(post: &Value) -> Result<PostId> {
    Ok(post["id"].as_str().context("the response has no post id")?.parse()?)
}
