//! A film on a stage: dropped, or asked for; the event that tells of it, and what
//! is known of what may become of it.

use anyhow::{Context, Result, ensure};
use aws::{BUCKET, Film};
use domain::identity::PostId;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tests::{Creator, Dropped, Footage};

use crate::model::Model;
use crate::stage::{Lambda, Request, Stage};

/// A film that becomes a post.
#[derive(Debug, Clone)]
pub(crate) struct Drop {
    pub(crate) key: String,
    pub(crate) version: String,
    pub(crate) film: Film,
    pub(crate) post: PostId,
    /// The request that asked for the post, where one did.
    pub(crate) request: Option<Request>,
    /// What may become of it.
    pub(crate) model: Model,
}

impl Drop {
    /// An object that becomes a post by itself.
    fn of(key: &str, version: String, film: &Film) -> Self {
        let post = Dropped::at(BUCKET, key, &version, &Footage::of("")).post;
        Self { key: key.to_owned(), version, film: film.clone(), post, request: None, model: Model::default() }
    }
}

impl Stage {
    /// Drops a film; its event is in the queue.
    pub(crate) fn drop_film(&self, key: &str, film: &Film, metadata: &[(&str, &str)]) -> Result<Drop> {
        let version = self.aws.kept().bucket.put(key, film.clone(), metadata);
        let dropped = Drop::of(key, version, film);
        self.tell_of(&dropped)?;
        Ok(dropped)
    }

    /// Puts the event of a drop into the queue, as S3 does once or more often.
    pub(crate) fn tell_of(&self, dropped: &Drop) -> Result<()> {
        let event = event(dropped, &self.now().to_string())?;
        let now = self.now();
        self.aws.kept().queue.put(&event, now);
        Ok(())
    }
}

impl Lambda<'_> {
    /// Puts a film where it is not posted by itself, and asks for a post of it.
    pub(crate) async fn ask_post(&mut self, maker: &Creator, film: &Film) -> Result<Drop> {
        let key = "library/clip.mp4";
        let version = self.stage.aws.kept().bucket.put(key, film.clone(), &[]);
        let request = asking_for(maker, &Drop::of(key, version.clone(), film));
        let answer = self.insist(&request).await?;
        ensure!(answer.status == 201, "a post was asked for, and the answer is {answer:?}");
        let post = named(&answer.body)?;
        Ok(Drop { post, request: Some(request), ..Drop::of(key, version, film) })
    }

    /// Asks for an address, and uploads a film there.
    pub(crate) async fn ask_upload(&mut self, maker: &Creator, film: &Film) -> Result<Drop> {
        let body = json!({ "account": maker.alias.as_str(), "file_name": "clip.mp4", "content_type": "video/mp4",
                           "bytes": film.bytes });
        let named_so = |name: &str| Request::named("/uploads", &format!("{name}-{}", maker.alias), &body);
        let mut request = named_so("upload");
        let mut answer = self.insist(&request).await?;
        if answer.body["upload"].is_null() {
            // It took so long to be answered that the address has ended: it is asked for under another name.
            request = named_so("another-upload");
            answer = self.insist(&request).await?;
        }
        ensure!(answer.status == 201, "an upload was asked for, and the answer is {answer:?}");
        let post = named(&answer.body["post"])?;
        let url = answer.body["upload"]["url"].as_str().context("an upload has an address")?;
        let path = url.split('?').next().and_then(|url| url.split_once(&format!("/{BUCKET}/")));
        let key = percent_decode_str(path.context("the address is in the bucket")?.1).decode_utf8()?.into_owned();
        Ok(Drop { post, request: Some(request), ..self.stage.drop_film(&key, film, &[])? })
    }
}

/// A request for a post of this object.
pub(crate) fn asking_for(maker: &Creator, dropped: &Drop) -> Request {
    let body = json!({ "account": maker.alias.as_str(), "key": dropped.key, "version_id": dropped.version });
    Request::named("/posts", &format!("post-{}-{}", maker.alias, dropped.version), &body)
}

/// The post that an answer names.
pub(crate) fn named(post: &Value) -> Result<PostId> {
    Ok(post["id"].as_str().context("a post has an id")?.parse()?)
}

/// The recorded event of a drop, with this one in it.
fn event(dropped: &Drop, time: &str) -> Result<String> {
    let recorded: Value = serde_json::from_str(include_str!("../../events/sqs-s3-put.json"))?;
    let body = recorded["Records"][0]["body"].as_str().context("the recorded event has a body")?;
    let mut body: Value = serde_json::from_str(body)?;
    let record = &mut body["Records"][0];
    record["eventTime"] = time.into();
    record["s3"]["bucket"]["name"] = BUCKET.into();
    let object = &mut record["s3"]["object"];
    object["key"] = dropped.key.as_str().into();
    object["size"] = dropped.film.bytes.into();
    object["eTag"] = dropped.version.as_str().into();
    object["versionId"] = dropped.version.as_str().into();
    Ok(body.to_string())
}
