//! Dropping: an object is put into the bucket, and so becomes a post.
//!
//! The post's id follows from the object's version, so whoever drops knows it
//! before any function has heard of it.

use anyhow::{Context, Result};
use aws_sdk_s3::primitives::ByteStream;
use domain::identity::PostId;
use domain::source::{ObjectVersion, Source};
use serde_json::Value;

use crate::cloud::Cloud;
use crate::creator::Creator;
use crate::footage::Footage;

/// Something to put into the bucket.
#[derive(Debug, Clone)]
pub struct Put {
    /// Where.
    pub key: String,
    /// What.
    pub footage: Footage,
    metadata: Vec<(String, String)>,
    trace: Option<String>,
}

/// An object that was dropped, and the post that it becomes.
#[derive(Debug, Clone)]
pub struct Dropped {
    /// The post.
    pub post: PostId,
    /// The object, pinned to its version.
    pub source: Source,
    /// The object's bytes.
    pub footage: Footage,
}

impl Put {
    /// Puts a file at a key.
    #[must_use]
    pub fn new(key: impl Into<String>, footage: &Footage) -> Self {
        Self { key: key.into(), footage: footage.clone(), metadata: Vec::new(), trace: None }
    }

    /// Says something of it in its metadata.
    #[must_use]
    pub fn metadata(mut self, name: &str, value: &str) -> Self {
        self.metadata.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts it as a traced program does, in the trace that this header names.
    #[must_use]
    pub fn traced(mut self, header: String) -> Self {
        self.trace = Some(header);
        self
    }
}

impl Dropped {
    /// Tells which post a version of an object becomes.
    #[must_use]
    pub fn at(bucket: &str, key: &str, version: &str, footage: &Footage) -> Self {
        let version = ObjectVersion::Id(version.to_owned());
        let source = Source { bucket: bucket.to_owned(), key: key.to_owned(), version };
        Self { post: source.post_id(), source, footage: footage.clone() }
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
        let mut request = request.body(ByteStream::from(put.footage.bytes.clone())).customize();
        if let Some(header) = put.trace {
            request = request.mutate_request(move |sent| {
                sent.headers_mut().insert("x-amzn-trace-id", header.clone());
            });
        }
        let done = request.send().await;
        let done = done.with_context(|| format!("{} could not be dropped", put.key))?;
        let version = done.version_id.context("the intake bucket keeps no versions")?;
        Ok(Dropped::at(bucket, &put.key, &version, &put.footage))
    }

    /// Puts a file of options into the intake bucket.
    pub async fn put_options(&self, key: &str, options: &Value) -> Result<()> {
        let options = Footage::of(options.to_string().into_bytes());
        self.put(Put::new(key, &options)).await?;
        Ok(())
    }
}

impl Creator {
    /// Drops a file into the creator's folder.
    pub async fn drops(&self, file: &str, footage: &Footage) -> Result<Dropped> {
        self.cloud.put(Put::new(self.key(file), footage)).await
    }

    /// Drops a file with something said of it in its metadata.
    pub async fn drops_saying(&self, file: &str, footage: &Footage, metadata: &[(&str, &str)]) -> Result<Dropped> {
        let put = Put::new(self.key(file), footage);
        let put = metadata.iter().fold(put, |put, (name, value)| put.metadata(name, value));
        self.cloud.put(put).await
    }

    /// Drops a file of options into the creator's folder.
    pub async fn options(&self, file: &str, options: &Value) -> Result<()> {
        self.cloud.put_options(&self.key(file), options).await
    }
}
