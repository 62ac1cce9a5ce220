//! The header `Retry-After`: how long a server asks its clients to wait before they call again.
//! [RFC 9110, section 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)
//!
//! TikTok does not document the header, but a gateway in front of it may send it. This module does not know the time: a
//! date counts from the `Date` header of the same response.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// The longest wait that is respected. A longer one is reduced to it, so that a wrong value cannot stop a post for good.
const MAX_WAIT: Duration = Duration::from_hours(24);

/// Returns the wait that a response asks for: seconds, or a date. `None` if it asks for none or is malformed.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if let Ok(seconds) = value.parse() {
        Duration::from_secs(seconds)
    } else {
        let sent_at = date(headers.get(DATE)?.to_str().ok()?)?;
        Duration::try_from(date(value)?.duration_since(sent_at)).ok()?
    };
    Some(wait.min(MAX_WAIT))
}

/// Parses an HTTP date, for example `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(retry_after_value: &str, date: Option<&str>) -> Option<u64> {
        let mut headers: HeaderMap = [(RETRY_AFTER, retry_after_value.parse().unwrap())].into_iter().collect();
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        retry_after(&headers).map(|wait| wait.as_secs())
    }

    #[test]
    fn seconds_and_dates_are_read_and_capped_at_a_day() {
        let now = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(wait(" 120 ", None), Some(120));
        assert_eq!(wait("4000000", None), Some(86_400));
        assert_eq!(wait("Sun, 06 Nov 1994 08:50:37 GMT", now), Some(60));
        assert_eq!(wait("Mon, 06 Nov 1995 08:50:37 GMT", now), Some(86_400));
    }

    #[test]
    fn unusable_value_asks_for_no_wait() {
        let now = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        for value in ["", "soon", "-5", "1.5", "Sun, 06 Nov 1994 08:00:00 GMT"] {
            assert_eq!(wait(value, now), None, "{value}");
        }
        assert_eq!(wait("Sun, 06 Nov 1994 08:50:37 GMT", None), None, "the client has no clock of its own");
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
