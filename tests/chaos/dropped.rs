//! A film that is dropped on a stage, and the event that tells of it.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::aws::{BUCKET, Film};
use crate::stage::Stage;

/// An object that was dropped.
#[derive(Debug, Clone)]
pub(crate) struct Drop {
    pub(crate) key: String,
    pub(crate) version: String,
    pub(crate) film: Film,
}

impl Stage {
    /// Drops a film; its event is in the queue.
    pub(crate) fn drop_film(&self, key: &str, film: &Film, metadata: &[(&str, &str)]) -> Result<Drop> {
        let version = self.aws.kept().bucket.put(key, film.clone(), metadata);
        let dropped = Drop { key: key.to_owned(), version, film: film.clone() };
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
