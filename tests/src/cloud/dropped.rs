//! Drops: objects that are put into the intake bucket and become posts.
//!
//! The post's id follows from the object's version, so a test knows it before any function has received the event.

use anyhow::{Context, Result, bail};
use aws_sdk_s3::primitives::ByteStream;
use domain::identity::PostId;
use domain::source::{ObjectVersion, Source};
use serde_json::Value;

use super::Cloud;
use super::creator::Creator;
use crate::TestVideo;

/// An object to put into the bucket.
#[derive(Debug, Clone)]
pub struct Put {
    key: String,
    video: TestVideo,
    metadata: Vec<(String, String)>,
    trace: Option<String>,
}

/// An object in the bucket and the post that it becomes.
#[derive(Debug, Clone)]
pub struct Dropped {
    /// The post's id.
    pub post: PostId,
    /// The object's version.
    pub source: Source,
    /// The object's content.
    pub video: TestVideo,
}

impl Put {
    /// Puts a file at a key.
    #[must_use]
    pub fn new(key: impl Into<String>, video: &TestVideo) -> Self {
        Self { key: key.into(), video: video.clone(), metadata: Vec::new(), trace: None }
    }

    /// Adds an entry of user-defined metadata.
    #[must_use]
    pub fn metadata(mut self, name: &str, value: &str) -> Self {
        self.metadata.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends this `X-Amzn-Trace-Id` header.
    #[must_use]
    pub fn traced(mut self, header: String) -> Self {
        self.trace = Some(header);
        self
    }
}

impl Dropped {
    /// The post of a version of an object.
    #[must_use]
    pub fn at(bucket: &str, key: &str, version: &str, video: &TestVideo) -> Self {
        let version = ObjectVersion::Id(version.to_owned());
        let source = Source { bucket: bucket.to_owned(), key: key.to_owned(), version };
        Self { post: source.post_id(), source, video: video.clone() }
    }

    /// The object's version id.
    pub fn version(&self) -> Result<&str> {
        match &self.source.version {
            ObjectVersion::Id(version) => Ok(version),
            other => bail!("the bucket has versioning, but the version is {other:?}"),
        }
    }
}

impl Cloud {
    /// Puts an object into the intake bucket.
    pub async fn put(&self, put: Put) -> Result<Dropped> {
        let bucket = &self.outputs().intake_bucket;
        let mut request = self.s3.put_object().bucket(bucket).key(&put.key);
        for (name, value) in &put.metadata {
            request = request.metadata(name, value);
        }
        let mut request = request.body(ByteStream::from(put.video.content())).customize();
        if let Some(header) = put.trace {
            request = request.mutate_request(move |sent| {
                sent.headers_mut().insert("x-amzn-trace-id", header.clone());
            });
        }
        let done = request.send().await.with_context(|| format!("{} could not be put", put.key))?;
        let version = done.version_id.context("the intake bucket has no versioning")?;
        Ok(Dropped::at(bucket, &put.key, &version, &put.video))
    }
}

impl Creator {
    /// Drops a video into the creator's folder.
    pub async fn drop_video(&self, file: &str, video: &TestVideo) -> Result<Dropped> {
        self.drop_with_metadata(file, video, &[]).await
    }

    /// Drops a new small video into the creator's folder.
    pub async fn drop_small(&self, file: &str) -> Result<Dropped> {
        self.drop_video(file, &TestVideo::small()).await
    }

    /// Drops this many new small videos, `0.mp4` first.
    pub async fn drop_many(&self, count: usize) -> Result<Vec<Dropped>> {
        let mut drops = Vec::new();
        for number in 0..count {
            drops.push(self.drop_small(&format!("{number}.mp4")).await?);
        }
        Ok(drops)
    }

    /// Drops a video with user-defined metadata.
    pub async fn drop_with_metadata(
        &self,
        file: &str,
        video: &TestVideo,
        metadata: &[(&str, &str)],
    ) -> Result<Dropped> {
        let put = Put::new(self.key(file), video);
        let put = metadata.iter().fold(put, |put, (name, value)| put.metadata(name, value));
        self.cloud.put(put).await
    }

    /// Puts a sidecar into the creator's folder.
    pub async fn put_options(&self, file: &str, options: &Value) -> Result<()> {
        self.drop_video(file, &TestVideo::of(options.to_string())).await.map(drop)
    }
}
