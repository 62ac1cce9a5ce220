//! A film on a stage: dropped, or asked for; the event that tells of it, and what
//! is known of what may become of it.

use anyhow::{Context, Result, ensure};
use aws::{BUCKET, TestVideo};
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
    pub(crate) film: TestVideo,
    pub(crate) post: PostId,
    /// The request that asked for the post, where one did.
    pub(crate) request: Option<Request>,
    /// What may become of it.
    pub(crate) model: Model,
}

impl Drop {
    /// An object that becomes a post by itself.
    fn of(key: &str, version: String, film: &TestVideo) -> Self {
        let post = Dropped::at(BUCKET, key, &version, &Footage::of("")).post;
        Self { key: key.to_owned(), version, film: film.clone(), post, request: None, model: Model::default() }
    }
}

impl Stage {
    /// Drops a film; its event is in the queue.
    pub(crate) fn drop_film(&self, key: &str, film: &TestVideo, metadata: &[(&str, &str)]) -> Result<Drop> {
        let version = self.aws.state().bucket.put(key, film.clone(), metadata);
        let dropped = Drop::of(key, version, film);
        self.tell_of(&dropped)?;
        Ok(dropped)
    }

    /// Puts the event of a drop into the queue, as S3 does once or more often.
    pub(crate) fn tell_of(&self, dropped: &Drop) -> Result<()> {
        let now = self.now();
        self.aws.state().queue.put_object_created(&dropped.key, &dropped.version, dropped.film.bytes, now)
    }
}

impl Lambda<'_> {
    /// Puts a film where it is not posted by itself, and asks for a post of it.
    pub(crate) async fn create_post(&mut self, maker: &Creator, film: &TestVideo) -> Result<Drop> {
        let key = "library/clip.mp4";
        let version = self.stage.aws.state().bucket.put(key, film.clone(), &[]);
        let request = asking_for(maker, &Drop::of(key, version.clone(), film));
        let answer = self.insist(&request).await?;
        ensure!(answer.status == 201, "a post was asked for, and the answer is {answer:?}");
        let post = named(&answer.body)?;
        Ok(Drop { post, request: Some(request), ..Drop::of(key, version, film) })
    }

    /// Asks for an address, and uploads a film there.
    pub(crate) async fn create_upload(&mut self, maker: &Creator, film: &TestVideo) -> Result<Drop> {
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
        self.target = Some(post.clone());
        let upload = &answer.body["upload"];
        let Some(parts) = upload["parts"].as_array() else {
            let (key, _) = address(&upload["url"])?;
            return Ok(Drop { post, request: Some(request), ..self.stage.drop_film(&key, film, &[])? });
        };
        let key = self.send_parts(&post, film, parts).await?;
        // Where somebody cancelled it meanwhile, there is none.
        let version = self.stage.aws.state().bucket.newest(&key).unwrap_or_else(|| "none".to_owned());
        Ok(Drop { post, request: Some(request), ..Drop::of(&key, version, film) })
    }

    /// Sends a film in parts and has it completed: too early at first, when the first
    /// part is missing. Says which key it is at.
    async fn send_parts(&mut self, post: &PostId, film: &TestVideo, parts: &[Value]) -> Result<String> {
        let complete = Request::complete(post);
        let (first, others) = parts.split_first().context("a large video has parts")?;
        for part in others {
            self.send_part(film, part)?;
        }
        let early = self.insist(&complete).await?;
        let is_cancelled = |stage: &Stage| stage.state_of(post).is_some_and(|state| state == "cancelled");
        let is_missed = early.status == 409 && early.body["code"] == "parts_missing";
        ensure!(is_missed || is_cancelled(self.stage), "it was completed too early, and the answer is {early:?}");
        let key = self.send_part(film, first)?;
        let whole = self.insist(&complete).await?;
        ensure!(whole.status == 202 || is_cancelled(self.stage), "it was completed, and the answer is {whole:?}");
        Ok(key)
    }

    /// Sends a part to its address; says which key that is for.
    fn send_part(&self, film: &TestVideo, part: &Value) -> Result<String> {
        let (key, query) = address(&part["url"])?;
        let upload = query.split('&').find_map(|pair| pair.strip_prefix("uploadId=")).context("it is of an upload")?;
        let count = |name: &str| part[name].as_u64().context("a part has its place");
        let number = u32::try_from(count("part_number")?)?;
        let range = (count("first_byte")?, count("bytes")?);
        self.stage.aws.state().bucket.put_part(&key, upload, number, film, range);
        Ok(key)
    }
}

/// The key that an address in the bucket is for, and what else it says.
fn address(url: &Value) -> Result<(String, &str)> {
    let url = url.as_str().context("an upload has an address")?;
    let (path, query) = url.split_once('?').context("an address is signed")?;
    let (_, key) = path.split_once(&format!("/{BUCKET}/")).context("the address is in the bucket")?;
    Ok((percent_decode_str(key).decode_utf8()?.into_owned(), query))
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
