//! TikTok's answers to a PUT and what each asks for, as one table.
//!
//! An answer is its status and one header; its body is not documented and not
//! read. <https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide>

use std::ops::RangeInclusive;
use std::time::Duration;

use domain::failure::Failure;
use reqwest::header::{CONTENT_RANGE, HeaderMap};

use super::outcome::ChunkOutcome;

/// Where in the plan the chunk stands that was answered to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkPosition {
    /// Another chunk follows it.
    Before,
    /// It is the last: with it TikTok has every byte.
    Last,
}

/// What an answer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// [`ChunkOutcome::Accepted`].
    Accepted,
    /// [`ChunkOutcome::Complete`].
    Complete,
    /// [`ChunkOutcome::Resync`].
    Resync,
    /// [`ChunkOutcome::UrlRejected`].
    UrlRejected,
    /// [`ChunkOutcome::Retry`], not before this long.
    Retry(Duration),
    /// [`ChunkOutcome::Rejected`].
    Rejected,
}

/// What a status means and asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// The statuses.
    pub http: RangeInclusive<u16>,
    /// What to do where another chunk follows.
    pub before: Action,
    /// What to do for the last chunk.
    pub last: Action,
    /// Our word for it: TikTok has none here.
    pub code: &'static str,
    /// What TikTok's page says; for people where it ends a post.
    pub meaning: &'static str,
}

const fn on(http: RangeInclusive<u16>, before: Action, last: Action, code: &'static str, meaning: &'static str) -> Row {
    Row { http, before, last, code, meaning }
}

/// The wait before a chunk is sent again after an error of TikTok's.
const AGAIN: Action = Action::Retry(Duration::from_secs(2));
/// The wait after a limit. None is documented for uploads, and the URL lives
/// for an hour only, so it is short.
const LATER: Action = Action::Retry(Duration::from_secs(10));

/// The statuses; the first row that has one is its row.
#[rustfmt::skip]
pub const ANSWERS: [Row; 15] = {
    use Action::{Accepted, Rejected, Complete, UrlRejected, Resync};
    [
        //  status      another follows  the last
        // One integrator sees 201 for every chunk, so it ends nothing early.
        on(201..=201,   Accepted,        Complete, "upload_complete", "All parts are in; publishing starts"),
        // After the last chunk "more expected" means that TikTok stands elsewhere.
        on(206..=206,   Accepted,        Resync,   "upload_accepted", "The chunk is accepted, more is expected"),
        on(200..=299,   Accepted,        Complete, "upload_accepted", "Not documented: a success"),
        on(400..=400,   Rejected,             Rejected,      "upload_malformed", "TikTok found a chunk's headers malformed, or not to fit its bytes"),
        on(401..=401,   UrlRejected,            UrlRejected,     "upload_refused", "TikTok no longer accepts the upload URL"),
        on(403..=403,   UrlRejected,            UrlRejected,     "upload_url_expired", "The upload URL has expired"),
        on(404..=404,   UrlRejected,            UrlRejected,     "upload_not_found", "TikTok does not know this upload"),
        on(405..=405,   UrlRejected,            UrlRejected,     "upload_not_found", "TikTok does not know this upload"),
        on(408..=408,   AGAIN,           AGAIN,    "upload_timeout", "Not documented: TikTok did not get the chunk in time"),
        on(416..=416,   Resync,          Resync,   "range_mismatch", "The chunk does not follow what TikTok has"),
        on(429..=429,   LATER,           LATER,    "upload_rate_limited", "Not documented: TikTok asks for patience"),
        on(400..=499,   Rejected,             Rejected,      "upload_refused", "TikTok refused a chunk in a way that its pages do not have"),
        on(500..=599,   AGAIN,           AGAIN,    "upload_failed", "TikTok met an error of its own while it took a chunk"),
        // Redirects are not followed: the bytes would go where nobody checked.
        on(300..=399,   UrlRejected,            UrlRejected,     "upload_redirected", "The upload URL leads elsewhere"),
        on(0..=u16::MAX, AGAIN,          AGAIN,    "upload_invalid_response", "TikTok's answer to a chunk has a status that HTTP has not"),
    ]
};

/// Tells what an answer asks for; `total` is the video's size in bytes.
pub(crate) fn of(http: u16, place: ChunkPosition, headers: &HeaderMap, total: u64) -> ChunkOutcome {
    let row = row(http);
    let why = || failure(row, http, headers);
    match row.act(place) {
        Action::Accepted => ChunkOutcome::Accepted { uploaded: uploaded(headers, total) },
        Action::Complete => ChunkOutcome::Complete,
        Action::Resync => ChunkOutcome::Resync { uploaded: uploaded(headers, total) },
        Action::UrlRejected => ChunkOutcome::UrlRejected(why()),
        Action::Retry(after) => ChunkOutcome::Retry { after, why: why() },
        Action::Rejected => ChunkOutcome::Rejected(why()),
    }
}

fn row(http: u16) -> &'static Row {
    let [rows @ .., any] = &ANSWERS;
    rows.iter().find(|row| row.http.contains(&http)).unwrap_or(any)
}

impl Row {
    /// What to do for a chunk in this place.
    #[must_use]
    pub fn act(&self, place: ChunkPosition) -> Action {
        match place {
            ChunkPosition::Before => self.before,
            ChunkPosition::Last => self.last,
        }
    }
}

fn failure(row: &Row, http: u16, headers: &HeaderMap) -> Failure {
    let advice = match row.before {
        Action::Rejected => "Drop the video again; if it fails again, report it with the log.",
        Action::Accepted | Action::Complete | Action::Resync | Action::UrlRejected | Action::Retry(_) => {
            "Dropcast asks TikTok and goes on by itself."
        }
    };
    let mut failure = Failure::new(row.code, format!("{} (HTTP {http})", row.meaning), advice);
    failure.log_id = log_id(headers);
    failure
}

/// TikTok's id of the answer, which its servers are seen to send.
fn log_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("x-tt-logid")?.to_str().ok()?;
    (!id.is_empty() && id.len() <= 128).then(|| id.to_owned())
}

/// Reads `Content-Range: bytes 0-{UPLOADED_BYTES}/{TOTAL_BYTE_LENGTH}`. Whether
/// `UPLOADED_BYTES` is a count or an index is not for this place to say; one
/// about another total is about another video.
fn uploaded(headers: &HeaderMap, total: u64) -> Option<u64> {
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, of) = range.trim().strip_prefix("bytes")?.trim_start().split_once('/')?;
    let (first, uploaded) = range.split_once('-')?;
    let number = |text: &str| text.trim().parse::<u64>().ok();
    (number(first) == Some(0) && number(of) == Some(total)).then(|| number(uploaded)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        [(name.parse().unwrap(), value.parse().unwrap())].into_iter().collect()
    }

    fn act(http: u16, place: ChunkPosition) -> Action {
        row(http).act(place)
    }

    #[test]
    fn every_documented_answer_asks_for_what_the_page_says() {
        use Action::{Accepted, Complete, Rejected, Resync, UrlRejected};
        for (http, before, last) in [
            (201, Accepted, Complete),
            (206, Accepted, Resync),
            (200, Accepted, Complete),
            (400, Rejected, Rejected),
            (401, UrlRejected, UrlRejected),
            (403, UrlRejected, UrlRejected),
            (404, UrlRejected, UrlRejected),
            (405, UrlRejected, UrlRejected),
            (416, Resync, Resync),
            (429, LATER, LATER),
            (500, AGAIN, AGAIN),
            (502, AGAIN, AGAIN),
            (503, AGAIN, AGAIN),
            (504, AGAIN, AGAIN),
        ] {
            assert_eq!(
                (act(http, ChunkPosition::Before), act(http, ChunkPosition::Last)),
                (before, last),
                "HTTP {http}"
            );
        }
    }

    #[test]
    fn an_undocumented_answer_is_treated_by_its_class() {
        for (http, last) in [
            (202, Action::Complete),
            (302, Action::UrlRejected),
            (308, Action::UrlRejected),
            (409, Action::Rejected),
            (413, Action::Rejected),
        ] {
            assert_eq!(act(http, ChunkPosition::Last), last, "HTTP {http}");
        }
        for http in [100, 408, 599, 600, 999] {
            assert_eq!(act(http, ChunkPosition::Last), AGAIN, "HTTP {http}");
        }
    }

    #[test]
    fn a_chunk_that_another_follows_never_completes_an_upload() {
        for row in &ANSWERS {
            assert_ne!(row.before, Action::Complete, "{row:?}");
            assert_ne!(row.last, Action::Accepted, "{row:?}");
        }
    }

    #[test]
    fn what_tiktok_has_is_read_from_its_header() {
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
            let answer = of(416, ChunkPosition::Before, &headers("content-range", range), 50_000_123);
            assert_eq!(answer, ChunkOutcome::Resync { uploaded: expected }, "{range}");
        }
        assert_eq!(
            of(206, ChunkPosition::Before, &headers("content-range", "bytes 0-10/20"), 20),
            ChunkOutcome::Accepted { uploaded: Some(10) }
        );
        assert_eq!(of(206, ChunkPosition::Before, &HeaderMap::new(), 20), ChunkOutcome::Accepted { uploaded: None });
    }

    #[test]
    fn a_failure_says_what_happened_and_keeps_the_log_id() {
        let ChunkOutcome::UrlRejected(why) = of(403, ChunkPosition::Last, &headers("x-tt-logid", "2026A"), 1) else {
            panic!("a dead URL is dead");
        };
        assert_eq!((why.code.as_str(), why.log_id.as_deref()), ("upload_url_expired", Some("2026A")));
        assert_eq!(why.message, "The upload URL has expired (HTTP 403)");
    }

    proptest! {
        #[test]
        fn whatever_the_answer_is_it_has_an_outcome(http in any::<u16>(), range in "[ -~]{0,40}", last in any::<bool>()) {
            let place = if last { ChunkPosition::Last } else { ChunkPosition::Before };
            let outcome = of(http, place, &headers("content-range", &range), 1000);
            let is_success = matches!(outcome, ChunkOutcome::Accepted { .. } | ChunkOutcome::Complete);
            prop_assert!(!is_success || (200..300).contains(&http));
        }
    }
}
