//! A range of an object as a stream that survives a broken connection.
//!
//! A video is read as slowly as TikTok accepts it, for minutes at a time, and S3 closes connections that it finds
//! idle. A broken connection is therefore normal: the stream requests the remaining bytes from the next byte on,
//! pinned to the same version. Each break uses one retry of a [`RetryBudget`], which several reads can share.
//!
//! ```text
//! open -> GET offset..end -> bytes … -> end of the range
//!          ^                   |
//!          +--- GET at..end <--+ connection broken, or body ended early
//! ```
//!
//! Invariant: no byte is returned from a response that is not exactly the requested range. A wrong byte would become
//! part of the published video.

use std::ops::Range;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use domain::failure::error_chain;
use domain::source::Source;
use futures::StreamExt;
use futures::stream;

use super::error::{ObjectError, ObjectPath};
use super::retry_budget::RetryBudget;
use super::{ByteRange, READ_PERMISSIONS, access, pins};

const GET: &str = "S3 GetObject";
/// How many times the read of one range resumes.
const MAX_RETRIES: u32 = 5;

/// Opens a range. S3 has accepted the first request when this returns.
pub(super) async fn open(client: Client, source: Source, offset: u64, len: u64) -> Result<ByteRange, ObjectError> {
    let end = offset.checked_add(len).ok_or_else(|| ObjectPath::of(&source).too_large(len, u64::MAX - offset))?;
    let mut reader = Reader::new(client, source, offset..end, RetryBudget::new(MAX_RETRIES));
    reader.connect().await?;
    Ok(stream::try_unfold(reader, |mut reader| async move { Ok(reader.next().await?.map(|bytes| (bytes, reader))) })
        .boxed())
}

/// The unread rest of a range, and the connection from which it is read.
pub(super) struct Reader {
    client: Client,
    source: Source,
    path: ObjectPath,
    /// The offset of the next byte to return.
    at: u64,
    /// The offset behind the last byte of the range.
    end: u64,
    /// The body of the current response.
    body: Option<ByteStream>,
    retries: RetryBudget,
}

impl Reader {
    /// Makes a read that has not sent a request yet.
    pub(super) fn new(client: Client, source: Source, range: Range<u64>, retries: RetryBudget) -> Self {
        let path = ObjectPath::of(&source);
        Self { client, source, path, at: range.start, end: range.end, body: None, retries }
    }

    /// The next piece; none at the end of the range.
    ///
    /// # Errors
    /// The rest of the range cannot be read. The pieces that were returned are correct.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, ObjectError> {
        while self.at < self.end {
            let Some(body) = &mut self.body else {
                self.connect().await?;
                continue;
            };
            match body.next().await {
                Some(Ok(bytes)) if bytes.is_empty() => {}
                Some(Ok(bytes)) => return self.advance(bytes).map(Some),
                Some(Err(error)) => self.retry_after_break(error_chain(&error)).await?,
                None => self.retry_after_break("it ended early".to_owned()).await?,
            }
        }
        Ok(None)
    }

    /// Requests all remaining bytes, and retries while S3 is unavailable and the budget permits it.
    async fn connect(&mut self) -> Result<(), ObjectError> {
        while self.body.is_none() && self.at < self.end {
            match self.get().await {
                Ok(body) => self.body = Some(body),
                Err(error) if error.is_outage() => self.retries.spend(error).await?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn get(&self) -> Result<ByteStream, ObjectError> {
        let (version_id, if_match) = pins(&self.source);
        let get = self.client.get_object().bucket(&self.source.bucket).key(&self.source.key);
        let get = get.set_version_id(version_id).set_if_match(if_match);
        let response = get.range(format!("bytes={}", self.remaining())).send().await;
        let response = match response {
            Ok(response) => response,
            Err(error) => {
                let error = self.path.error(GET, READ_PERMISSIONS, &error);
                return Err(access::explain(&self.client, &self.source, error).await);
            }
        };
        self.check(&response)?;
        Ok(response.body)
    }

    /// The remaining range, as first and last byte.
    fn remaining(&self) -> String {
        format!("{}-{}", self.at, self.end - 1)
    }

    /// Rejects a response that is not the requested range. A response without `Content-Range` contains the whole
    /// object, which is correct only if the whole object was requested.
    fn check(&self, response: &GetObjectOutput) -> Result<(), ObjectError> {
        let requested = self.remaining();
        let length = response.content_length().and_then(|length| u64::try_from(length).ok());
        let length_matches = length == Some(self.end - self.at);
        let range_matches = match response.content_range() {
            Some(range) => range.strip_prefix("bytes ").and_then(|range| range.split('/').next()) == Some(&requested),
            None => self.at == 0,
        };
        if length_matches && range_matches {
            return Ok(());
        }
        let length = length.map_or("no length".to_owned(), |length| format!("{length} bytes"));
        let range = response.content_range().unwrap_or("the whole object");
        Err(self.path.wrong_range(requested, format!("{range}, {length}")))
    }

    fn advance(&mut self, bytes: Bytes) -> Result<Bytes, ObjectError> {
        let at = self.at.saturating_add(bytes.len() as u64);
        if at > self.end {
            return Err(self.path.wrong_range(self.remaining(), format!("{} bytes more", at - self.end)));
        }
        self.at = at;
        Ok(bytes)
    }

    async fn retry_after_break(&mut self, why: String) -> Result<(), ObjectError> {
        self.body = None;
        let error = self.path.unavailable(GET, format!("the body broke off at byte {}: {why}", self.at));
        self.retries.spend(error).await
    }
}
