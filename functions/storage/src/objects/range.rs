//! A range of an object as a stream that survives a broken connection.
//!
//! A video goes out as slowly as TikTok takes it, for minutes at a time, and S3
//! ends connections that it finds idle. So a break is nothing special: the
//! stream asks for what is missing, from the very next byte, pinned to the same
//! version. Its breaks draw on a [`RetryBudget`], which it may share with others.
//!
//! ```text
//! open -> GET first..end -> bytes … -> the end: done
//!          ^                  |
//!          +-- GET at..end <--+ break, or an end before the end
//! ```
//!
//! Invariant: of no answer that is not exactly the range asked for is a byte
//! handed on.

use std::ops::Range;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use domain::source::Source;
use futures::StreamExt;
use futures::stream;

use super::error::{ObjectError, ObjectPath};
use super::retry_budget::RetryBudget;
use super::{ByteRange, TO_READ, pins};
use crate::aws::{AwsError, chain};

const GET: &str = "S3 GetObject";
/// How often a read of one range goes on after a break.
const BREAKS: u32 = 5;

/// Opens a range; S3 has accepted to serve it when this returns.
pub(super) async fn open(client: Client, source: Source, first: u64, len: u64) -> Result<ByteRange, ObjectError> {
    let end = first.checked_add(len).ok_or_else(|| ObjectPath::of(&source).too_large(len, u64::MAX - first))?;
    let mut reader = Reader::new(client, source, first..end, RetryBudget::new(BREAKS));
    reader.connect().await?;
    Ok(stream::try_unfold(reader, |mut reader| async move { Ok(reader.next().await?.map(|bytes| (bytes, reader))) })
        .boxed())
}

/// Where a read of a range is.
pub(super) struct Reader {
    client: Client,
    source: Source,
    place: ObjectPath,
    /// The offset of the next byte to hand on.
    at: u64,
    /// The offset behind the last one.
    end: u64,
    body: Option<ByteStream>,
    patience: RetryBudget,
}

impl Reader {
    /// A read that has not asked for anything yet.
    pub(super) fn new(client: Client, source: Source, range: Range<u64>, patience: RetryBudget) -> Self {
        let place = ObjectPath::of(&source);
        Self { client, source, place, at: range.start, end: range.end, body: None, patience }
    }

    /// The next piece; none at the end of the range.
    ///
    /// # Errors
    /// Where the range cannot be had to its end. What was handed on is right.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, ObjectError> {
        while self.at < self.end {
            let Some(body) = &mut self.body else {
                self.connect().await?;
                continue;
            };
            match body.next().await {
                Some(Ok(bytes)) if bytes.is_empty() => {}
                Some(Ok(bytes)) => return self.advance(bytes).map(Some),
                Some(Err(error)) => self.broke(chain(&error)).await?,
                None => self.broke("it ended early".to_owned()).await?,
            }
        }
        Ok(None)
    }

    /// Asks for all that is missing, until S3 serves it or will not.
    async fn connect(&mut self) -> Result<(), ObjectError> {
        while self.body.is_none() && self.at < self.end {
            match self.get().await {
                Ok(body) => self.body = Some(body),
                Err(error @ ObjectError::Unavailable { .. }) => self.patience.after(error).await?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn get(&self) -> Result<ByteStream, ObjectError> {
        let (version_id, if_match) = pins(&self.source);
        let get = self.client.get_object().bucket(&self.source.bucket).key(&self.source.key);
        let get = get.set_version_id(version_id).set_if_match(if_match);
        let answer = get.range(format!("bytes={}-{}", self.at, self.end - 1)).send().await;
        let answer = answer.map_err(|error| self.place.error(TO_READ, AwsError::of(GET, &error)))?;
        self.check(&answer)?;
        Ok(answer.body)
    }

    /// Refuses an answer that is not what was asked for. Without `Content-Range`
    /// it is the whole object, which is right only where that was asked for.
    fn check(&self, answer: &GetObjectOutput) -> Result<(), ObjectError> {
        let asked = format!("{}-{}", self.at, self.end - 1);
        let length = answer.content_length().and_then(|length| u64::try_from(length).ok());
        let right_length = length == Some(self.end - self.at);
        let right_range = match answer.content_range() {
            Some(range) => range.strip_prefix("bytes ").and_then(|range| range.split('/').next()) == Some(&asked),
            None => self.at == 0,
        };
        if right_length && right_range {
            return Ok(());
        }
        let length = length.map_or("no length".to_owned(), |length| format!("{length} bytes"));
        let given = answer
            .content_range()
            .map_or_else(|| format!("the whole object, {length}"), |range| format!("{range}, {length}"));
        Err(self.place.wrong_range(asked, given))
    }

    fn advance(&mut self, bytes: Bytes) -> Result<Bytes, ObjectError> {
        let at = self.at.saturating_add(bytes.len() as u64);
        if at > self.end {
            let asked = format!("{}-{}", self.at, self.end - 1);
            return Err(self.place.wrong_range(asked, format!("{} bytes more", at - self.end)));
        }
        self.at = at;
        Ok(bytes)
    }

    async fn broke(&mut self, why: String) -> Result<(), ObjectError> {
        self.body = None;
        let error = self.place.broken(GET, format!("the body broke off at byte {}: {why}", self.at));
        self.patience.after(error).await
    }
}
