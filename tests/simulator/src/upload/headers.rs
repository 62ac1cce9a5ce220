//! The headers of a PUT to an upload URL. `Content-Type`, `Content-Length` and `Content-Range` are required, in exactly
//! the documented form; `Authorization` is refused.
//!
//! `Upload::begin` checks whether the range is the next one.

use axum::http::{HeaderMap, header};

use crate::envelope::Rule;
use crate::plan::{ChunkPlan, Range};

use super::UploadError;

const MEDIA_TYPES: [&str; 3] = ["video/mp4", "video/quicktime", "video/webm"];

/// The headers of one PUT.
#[derive(Debug, Clone)]
pub(crate) struct UploadHeaders {
    pub(crate) content_type: String,
    content_length: Option<u64>,
    content_range: Option<String>,
    has_authorization: bool,
}

impl UploadHeaders {
    /// Reads the headers without checking them.
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let text = |name| {
            let value = headers.get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let is_chunked_encoding = headers.contains_key(header::TRANSFER_ENCODING);
        let length = text(header::CONTENT_LENGTH).and_then(|value| value.parse().ok());
        Self {
            content_type: text(header::CONTENT_TYPE).unwrap_or_default(),
            content_length: length.filter(|_| !is_chunked_encoding),
            content_range: text(header::CONTENT_RANGE),
            has_authorization: headers.contains_key(header::AUTHORIZATION),
        }
    }

    /// Refuses an `Authorization` header. The URL itself contains the credential.
    pub(crate) fn check_credentials(&self) -> Result<(), UploadError> {
        if self.has_authorization {
            return Err(malformed(Rule::Credentials, "An access token was sent to the upload URL."));
        }
        Ok(())
    }

    /// Checks the other headers and returns the declared range. `earlier_type` is the `Content-Type` of earlier chunks.
    ///
    /// A missing `Content-Range` or a wrong total is answered with 416, every other error with 400.
    pub(crate) fn check(&self, plan: ChunkPlan, earlier_type: Option<&str>) -> Result<Range, UploadError> {
        if !MEDIA_TYPES.contains(&self.content_type.as_str()) {
            return Err(malformed(
                Rule::ContentType,
                "The Content-Type of a chunk is not video/mp4, video/quicktime or video/webm.",
            ));
        }
        if earlier_type.is_some_and(|earlier| earlier != self.content_type) {
            return Err(malformed(Rule::ContentType, "The Content-Type differs from that of the earlier chunks."));
        }
        let Some(length) = self.content_length else {
            return Err(malformed(
                Rule::Headers,
                "A chunk has no Content-Length, or is sent with chunked transfer encoding.",
            ));
        };
        let Some(value) = &self.content_range else {
            return Err(
                UploadError::new(416, "no_content_range").violating(Rule::Headers, "A chunk has no Content-Range.")
            );
        };
        let Some((range, total)) = parse_range(value) else {
            return Err(malformed(Rule::Headers, "The Content-Range is not of the form bytes FIRST-LAST/TOTAL."));
        };
        if range.len() != length {
            return Err(malformed(Rule::Headers, "The Content-Length is not the length of the Content-Range."));
        }
        if total != plan.video_size() {
            return Err(UploadError::new(416, "total")
                .violating(Rule::Range, "The total in Content-Range is not the declared video_size."));
        }
        Ok(range)
    }
}

fn malformed(rule: Rule, message: &str) -> UploadError {
    UploadError::new(400, "malformed").violating(rule, message)
}

/// Parses exactly `bytes FIRST-LAST/TOTAL`; every variation is refused.
fn parse_range(value: &str) -> Option<(Range, u64)> {
    let number = |digits: &str| -> Option<u64> {
        let only_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        let zero_padded = digits.len() > 1 && digits.starts_with('0');
        (only_digits && !zero_padded).then(|| digits.parse().ok()).flatten()
    };
    let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, total) = (number(first)?, number(last)?, number(total)?);
    (first <= last && last < total).then_some((Range { first, last }, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_content_range_form_is_parsed() {
        let (range, total) = parse_range("bytes 0-9/10").unwrap();
        assert_eq!((range.first, range.last, total), (0, 9, 10));
        for wrong in [
            "0-9/10",
            "bytes=0-9/10",
            "Bytes 0-9/10",
            "bytes 0-9/*",
            "bytes */10",
            "bytes 0-10/10",
            "bytes 9-0/10",
            "bytes 0 - 9/10",
            "bytes 00-9/10",
            "bytes +0-9/10",
            "bytes -9/10",
            "",
        ] {
            assert!(parse_range(wrong).is_none(), "{wrong}");
        }
    }
}
