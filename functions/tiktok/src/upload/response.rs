//! TikTok's responses to the PUT of a chunk: one table of what each HTTP status means and what the caller should do.
//!
//! A response counts by its status and its `Content-Range` header. Its body is not documented and not read.
//! <https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide>
//!
//! # A status proves nothing about the last chunk, except 201
//!
//! A 4xx may be sent after TikTok, or a gateway before it, has passed on the whole chunk. So once the last byte of the
//! video was sent, an error status or an undocumented 2xx is [`ChunkOutcome::Unconfirmed`]: TikTok is asked, and no
//! other upload begins. If the chunk was not sent as a whole, TikTok cannot have it, whatever the status.

use std::ops::RangeInclusive;
use std::time::Duration;

use domain::failure::Failure;
use domain::reason::Reason;
use reqwest::header::{CONTENT_RANGE, HeaderMap};

use super::outcome::{ChunkOutcome, Sent};
use crate::retry_after::retry_after;

/// The position of a chunk in its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChunkPosition {
    /// Another chunk follows.
    NotLast,
    /// No chunk follows: with this one TikTok has every byte.
    Last,
}

/// What to do after an error response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// [`ChunkOutcome::UrlRejected`].
    UrlRejected,
    /// [`ChunkOutcome::Rejected`].
    Rejected,
    /// [`ChunkOutcome::Retry`] after this wait.
    Retry(Duration),
}

/// An error status of the upload URL.
#[derive(Debug, PartialEq, Eq)]
pub struct ErrorStatus {
    /// The HTTP statuses.
    pub http: RangeInclusive<u16>,
    /// What to do.
    pub action: Action,
    /// Our reason, because TikTok sends no code here.
    pub reason: Reason,
    /// What the status means, for people.
    pub meaning: &'static str,
}

const fn row(http: RangeInclusive<u16>, action: Action, reason: Reason, meaning: &'static str) -> ErrorStatus {
    ErrorStatus { http, action, reason, meaning }
}

/// The retry after an error that TikTok may recover from.
const RETRY_AFTER_ERROR: Action = Action::Retry(crate::error_codes::RETRY_DELAY);
/// The retry after a rate limit. TikTok documents no limit for uploads. The wait is short because the upload URL is
/// valid for only one hour.
const RETRY_AFTER_LIMIT: Action = Action::Retry(Duration::from_secs(10));

/// The error statuses. The first row that contains a status applies; the last row must contain every status. The
/// function `outcome` handles 2xx and 416 before this table.
#[rustfmt::skip]
pub static ERROR_STATUSES: [ErrorStatus; 10] = {
    use Action::{Rejected, UrlRejected};
    [
        row(400..=400, Rejected, Reason::UploadMalformed, "TikTok found a chunk's headers malformed or inconsistent with its bytes"),
        row(401..=401, UrlRejected, Reason::UploadRefused, "TikTok no longer accepts the upload URL"),
        row(403..=403, UrlRejected, Reason::UploadUrlExpired, "The upload URL has expired"),
        row(404..=405, UrlRejected, Reason::UploadNotFound, "TikTok does not know this upload"),
        row(408..=408, RETRY_AFTER_ERROR, Reason::UploadTimeout, "Not documented: TikTok did not receive the chunk in time"),
        row(429..=429, RETRY_AFTER_LIMIT, Reason::UploadRateLimited, "Not documented: TikTok limits the rate of requests"),
        row(400..=499, Rejected, Reason::UploadRefused, "TikTok rejected a chunk with a status that its pages do not mention"),
        row(500..=599, RETRY_AFTER_ERROR, Reason::UploadFailed, "TikTok had an internal error while it received a chunk"),
        // Redirects are not followed: the video would be sent to a host that was not checked.
        row(300..=399, UrlRejected, Reason::UploadRedirected, "The upload URL redirects to another address"),
        row(0..=u16::MAX, RETRY_AFTER_ERROR, Reason::UploadInvalidResponse, "TikTok responded to a chunk with a status that HTTP does not define"),
    ]
};

/// Returns the outcome of a response; `total` is the video's size in bytes, and `sent` how much of the chunk was sent
/// when the response came.
pub(crate) fn outcome(http: u16, position: ChunkPosition, sent: Sent, headers: &HeaderMap, total: u64) -> ChunkOutcome {
    let uploaded = uploaded(headers, total);
    match (http, position) {
        // TikTok cannot have accepted bytes that were not sent yet.
        (200..=299, _) if sent == Sent::Partly => {
            let message = format!("TikTok responded with HTTP {http} before the chunk was sent");
            ChunkOutcome::Unknown { why: Failure::of(Reason::UploadAnswerTimeout, message), sent }
        }
        // One integrator receives 201 for every chunk, so only the position decides whether the upload is complete.
        (200..=299, ChunkPosition::NotLast) => ChunkOutcome::Accepted { uploaded },
        // 206 means "more bytes expected". After the last chunk there are none, so TikTok expects another position. 416
        // means that the chunk does not follow the bytes that TikTok has.
        (206, ChunkPosition::Last) | (416, _) => ChunkOutcome::Resync { uploaded },
        // 201 means "all parts are uploaded, publishing begins". No other status confirms that.
        (201, ChunkPosition::Last) => ChunkOutcome::Complete,
        (200..=299, ChunkPosition::Last) => {
            let message = format!("TikTok answered the last chunk with HTTP {http}, which is not documented");
            let mut why = Failure::of(Reason::UploadUnconfirmed, message);
            why.log_id = log_id(headers);
            ChunkOutcome::Unconfirmed(why)
        }
        _ => match error_outcome(http, sent, headers) {
            ChunkOutcome::UrlRejected(why) | ChunkOutcome::Rejected(why)
                if position == ChunkPosition::Last && sent == Sent::Whole =>
            {
                ChunkOutcome::Unconfirmed(why)
            }
            outcome => outcome,
        },
    }
}

fn error_outcome(http: u16, sent: Sent, headers: &HeaderMap) -> ChunkOutcome {
    let row = find(http);
    let mut failure = Failure::of(row.reason.clone(), format!("{} (HTTP {http})", row.meaning));
    failure.log_id = log_id(headers);
    match row.action {
        Action::UrlRejected => ChunkOutcome::UrlRejected(failure),
        Action::Rejected => ChunkOutcome::Rejected(failure),
        Action::Retry(after) => {
            let after = retry_after(headers).map_or(after, |asked| asked.max(after));
            ChunkOutcome::Retry { after, why: failure, sent }
        }
    }
}

fn find(http: u16) -> &'static ErrorStatus {
    let [rows @ .., last] = &ERROR_STATUSES;
    rows.iter().find(|row| row.http.contains(&http)).unwrap_or(last)
}

/// Returns TikTok's id of the response. The header is not documented, but TikTok's servers send it.
fn log_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("x-tt-logid")?.to_str().ok()?;
    (!id.is_empty() && id.len() <= 128).then(|| id.to_owned())
}

/// Reads `UPLOADED_BYTES` from `Content-Range: bytes 0-{UPLOADED_BYTES}/{TOTAL_BYTE_LENGTH}`.
///
/// TikTok's page does not say whether `UPLOADED_BYTES` is a count or the last byte's index; `ChunkPlan::boundary_of` in
/// `domain` decides. A header with another total is ignored, because it does not concern this video.
fn uploaded(headers: &HeaderMap, total: u64) -> Option<u64> {
    let header = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, stated_total) = header.trim().strip_prefix("bytes")?.trim_start().split_once('/')?;
    let (first, uploaded) = range.split_once('-')?;
    let number = |text: &str| text.trim().parse::<u64>().ok();
    (number(first) == Some(0) && number(stated_total) == Some(total)).then(|| number(uploaded)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        [(name.parse().unwrap(), value.parse().unwrap())].into_iter().collect()
    }

    /// The name of an outcome, and the wait in seconds (0 unless the outcome is a retry). The whole chunk was sent.
    fn summary(http: u16, position: ChunkPosition) -> (&'static str, u64) {
        match outcome(http, position, Sent::Whole, &HeaderMap::new(), 1000) {
            ChunkOutcome::Accepted { .. } => ("accepted", 0),
            ChunkOutcome::Complete => ("complete", 0),
            ChunkOutcome::Unconfirmed(_) => ("unconfirmed", 0),
            ChunkOutcome::Resync { .. } => ("resync", 0),
            ChunkOutcome::UrlRejected(_) => ("url rejected", 0),
            ChunkOutcome::Rejected(_) => ("rejected", 0),
            ChunkOutcome::Retry { after, .. } => ("retry", after.as_secs()),
            other @ (ChunkOutcome::Unknown { .. } | ChunkOutcome::SourceFailed(_)) => panic!("HTTP {http}: {other}"),
        }
    }

    #[test]
    fn documented_status_has_the_documented_outcome() {
        for (http, not_last, last) in [
            (201, ("accepted", 0), ("complete", 0)),
            (206, ("accepted", 0), ("resync", 0)),
            (200, ("accepted", 0), ("unconfirmed", 0)),
            (400, ("rejected", 0), ("unconfirmed", 0)),
            (401, ("url rejected", 0), ("unconfirmed", 0)),
            (403, ("url rejected", 0), ("unconfirmed", 0)),
            (404, ("url rejected", 0), ("unconfirmed", 0)),
            (405, ("url rejected", 0), ("unconfirmed", 0)),
            (416, ("resync", 0), ("resync", 0)),
            (429, ("retry", 10), ("retry", 10)),
            (500, ("retry", 2), ("retry", 2)),
            (502, ("retry", 2), ("retry", 2)),
            (503, ("retry", 2), ("retry", 2)),
            (504, ("retry", 2), ("retry", 2)),
        ] {
            let outcomes = (summary(http, ChunkPosition::NotLast), summary(http, ChunkPosition::Last));
            assert_eq!(outcomes, (not_last, last), "HTTP {http}");
        }
    }

    #[test]
    fn undocumented_status_is_handled_by_its_class() {
        for (http, not_last) in [
            (202, "accepted"),
            (204, "accepted"),
            (302, "url rejected"),
            (308, "url rejected"),
            (409, "rejected"),
            (413, "rejected"),
        ] {
            assert_eq!(summary(http, ChunkPosition::NotLast), (not_last, 0), "HTTP {http}");
            assert_eq!(summary(http, ChunkPosition::Last), ("unconfirmed", 0), "HTTP {http}");
        }
        for http in [100, 408, 599, 600, 999] {
            assert_eq!(summary(http, ChunkPosition::Last), ("retry", 2), "HTTP {http}");
        }
    }

    #[test]
    fn only_the_last_chunk_completes_an_upload() {
        for http in 0..=999 {
            assert_ne!(summary(http, ChunkPosition::NotLast).0, "complete", "HTTP {http}");
            assert_ne!(summary(http, ChunkPosition::Last).0, "accepted", "HTTP {http}");
        }
    }

    #[test]
    fn status_under_which_chunk_may_be_stored_is_retried() {
        // Any other action could publish the video twice, see the module's documentation.
        for http in [408, 429].into_iter().chain(500..=599) {
            assert!(matches!(find(http).action, Action::Retry(_)), "HTTP {http}");
        }
    }

    #[test]
    fn only_201_confirms_and_no_status_disproves_a_sent_chunk() {
        for http in 0..=999 {
            let outcome = outcome(http, ChunkPosition::Last, Sent::Whole, &HeaderMap::new(), 1000);
            assert_eq!(outcome == ChunkOutcome::Complete, http == 201, "HTTP {http}");
            assert!(!outcome.is_surely_not_taken(), "HTTP {http}: {outcome}");
        }
    }

    #[test]
    fn chunk_sent_in_part_is_never_taken_whatever_the_status() {
        for http in 0..=999 {
            let outcome = outcome(http, ChunkPosition::Last, Sent::Partly, &HeaderMap::new(), 1000);
            let asks_tiktok = matches!(outcome, ChunkOutcome::Resync { .. });
            assert!(asks_tiktok || outcome.is_surely_not_taken(), "HTTP {http}: {outcome}");
        }
    }

    #[test]
    fn later_retry_after_extends_the_wait() {
        for (value, seconds) in [("1", 10), ("120", 120), ("999999", 86_400), ("soon", 10)] {
            let ChunkOutcome::Retry { after, .. } =
                outcome(429, ChunkPosition::NotLast, Sent::Whole, &headers("retry-after", value), 1000)
            else {
                panic!("HTTP 429 is retried");
            };
            assert_eq!(after.as_secs(), seconds, "{value}");
        }
    }

    #[test]
    fn uploaded_position_is_read_from_content_range() {
        for (range, expected) in [
            ("bytes 0-9999999/50000123", Some(9_999_999)),
            ("bytes 0-10000000/50000123", Some(10_000_000)),
            (" bytes  0-10 / 50000123", Some(10)),
            ("bytes 0-10/50000124", None),
            ("bytes 5-10/50000123", None),
            ("bytes 0-/50000123", None),
            ("bytes */50000123", None),
            ("0-10/50000123", None),
            ("", None),
            ("bytes 0-99999999999999999999/50000123", None),
        ] {
            let resync =
                outcome(416, ChunkPosition::NotLast, Sent::Whole, &headers("content-range", range), 50_000_123);
            assert_eq!(resync, ChunkOutcome::Resync { uploaded: expected }, "{range}");
        }
        assert_eq!(
            outcome(206, ChunkPosition::NotLast, Sent::Whole, &headers("content-range", "bytes 0-10/20"), 20),
            ChunkOutcome::Accepted { uploaded: Some(10) }
        );
        let without_header = outcome(206, ChunkPosition::NotLast, Sent::Whole, &HeaderMap::new(), 20);
        assert_eq!(without_header, ChunkOutcome::Accepted { uploaded: None });
    }

    #[test]
    fn failure_has_reason_status_and_log_id() {
        let outcome = outcome(403, ChunkPosition::NotLast, Sent::Whole, &headers("x-tt-logid", "2026A"), 1);
        let ChunkOutcome::UrlRejected(why) = outcome else {
            panic!("HTTP 403 rejects the URL, but the outcome is {outcome}");
        };
        assert_eq!((why.reason.code(), why.log_id.as_deref()), ("upload_url_expired", Some("2026A")));
        assert_eq!(why.message, "The upload URL has expired (HTTP 403)");
    }

    proptest! {
        #[test]
        fn only_2xx_is_a_success(http in any::<u16>(), range in "[ -~]{0,40}", last in any::<bool>()) {
            let position = if last { ChunkPosition::Last } else { ChunkPosition::NotLast };
            let outcome = outcome(http, position, Sent::Whole, &headers("content-range", &range), 1000);
            let is_success = matches!(outcome, ChunkOutcome::Accepted { .. } | ChunkOutcome::Complete);
            prop_assert!(!is_success || (200..300).contains(&http));
        }
    }
}
