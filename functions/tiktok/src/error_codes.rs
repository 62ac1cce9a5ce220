//! The error codes of TikTok's v2 API: one table of what each code means and what the caller should do. OAuth's codes
//! are in [`oauth::error_codes`](crate::oauth::error_codes).
//!
//! Sources: the error tables of <https://developers.tiktok.com/doc/content-posting-api-reference-direct-post>,
//! <https://developers.tiktok.com/doc/content-posting-api-reference-upload-video>,
//! <https://developers.tiktok.com/doc/content-posting-api-reference-query-creator-info>,
//! <https://developers.tiktok.com/doc/content-posting-api-reference-get-video-status> and
//! <https://developers.tiktok.com/doc/tiktok-api-v2-error-handling>.
//!
//! A code means the same in every call of the v2 API and under every HTTP status: `creator_info` sends some codes under
//! HTTP 200. The HTTP status decides only if the table does not have the code.
//!
//! The waits are minimum waits. The caller adds back-off and jitter (`functions/posting/src/upload/conclusion.rs`).

use std::time::Duration;

use domain::failure::Disposition;

/// One of TikTok's error codes.
#[derive(Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// The code as TikTok sends it.
    pub code: &'static str,
    /// The HTTP statuses under which TikTok is known to send it.
    pub http: &'static [u16],
    /// The calls that are known to respond with it, by the end of their paths. For readers only.
    ///
    /// `all` means every call. `init` means both inits: `video/init` (direct posts) and `inbox/video/init` (drafts).
    /// Dropcast makes neither `content/init` (photos) nor `init by URL` (TikTok downloads the video).
    pub calls: &'static str,
    /// What the caller should do.
    pub disposition: Disposition,
    /// What the code means, for people.
    pub meaning: &'static str,
    /// What the user or the operator can do.
    pub advice: &'static str,
}

const fn row(
    code: &'static str,
    http: &'static [u16],
    calls: &'static str,
    disposition: Disposition,
    meaning: &'static str,
    advice: &'static str,
) -> ErrorCode {
    ErrorCode { code, http, calls, disposition, meaning, advice }
}

/// The minimum wait after an internal error of TikTok's, or after a call without a response.
pub(crate) const RETRY_DELAY: Duration = Duration::from_secs(2);
/// TikTok's rate limits count the calls of a sliding window of this length.
const RATE_LIMIT_WINDOW: Duration = Duration::from_mins(1);
/// The wait for room in the creator's inbox, which only the creator can make.
const INBOX_WAIT: Duration = Duration::from_hours(1);
/// The wait after a quota of 24 hours is used up. The 24 hours are a sliding window, so room returns hour by hour.
const DAILY_QUOTA_WAIT: Duration = Duration::from_hours(6);

/// The documented codes, in the order of their HTTP status.
#[rustfmt::skip]
pub const ERROR_CODES: [ErrorCode; 19] = {
    use Disposition::{Defer, GiveUp, NeedsUser, Refresh, Retry};
    [
        // Some pages say `invalid_param`, the responses say `invalid_params`.
        row("invalid_param", &[400], "all", GiveUp,
            "TikTok rejects a parameter of the request", "Correct what TikTok names, then drop the video again."),
        row("invalid_params", &[400], "all", GiveUp,
            "TikTok rejects a parameter of the request", "Correct what TikTok names, then drop the video again."),
        row("invalid_file_upload", &[400], "all", GiveUp,
            "TikTok rejects this file", "Export it as MP4 with H.264 and drop it again."),
        row("scope_permission_missed", &[400], "user/info, video/query", NeedsUser,
            "The creator has not granted this app the permission that the call needs", "Connect the account again and allow every permission on TikTok's page."),
        row("app_version_check_failed", &[400], "content/init", NeedsUser,
            "The creator's TikTok app is too old for this post", "Update the TikTok app, then drop the video again."),
        row("invalid_publish_id", &[400], "status/fetch, cancel", GiveUp,
            "TikTok no longer knows this publish", "Check in the TikTok app whether the video is there before you drop it again."),
        row("token_not_authorized_for_specified_publish_id", &[400], "status/fetch, cancel", GiveUp,
            "This publish belongs to another TikTok user", "Check which TikTok user the account is connected to."),
        // `TikTok::cancel` (cancel.rs) returns this code as `Cancellation::NotCancellable` instead of an error.
        row("publish_not_cancellable", &[400], "cancel", GiveUp,
            "TikTok can no longer cancel this publish", "Delete the post in the TikTok app."),
        // The caller refreshes the token and repeats the call once. That is safe for an init too: a 401 created
        // nothing.
        row("access_token_invalid", &[401], "all", Refresh,
            "TikTok rejects the access token", "If this repeats, connect the account again."),
        row("scope_not_authorized", &[401], "all", NeedsUser,
            "The creator has not allowed this app to post", "Connect the account again and allow posting (video.publish) and uploading (video.upload)."),
        row("spam_risk_too_many_posts", &[403, 200], "init, creator_info", Defer { after: DAILY_QUOTA_WAIT },
            "The creator's daily number of posts through apps is used up", "Dropcast retries in some hours; the creator can post in the TikTok app now."),
        row("spam_risk_user_banned_from_posting", &[403, 200], "init, creator_info", NeedsUser,
            "TikTok has banned this creator from posting", "The creator must settle that with TikTok in the app; then drop the video again."),
        row("spam_risk_too_many_pending_share", &[403], "inbox/video/init", Defer { after: INBOX_WAIT },
            "The creator's inbox is full of drafts", "Post or discard drafts in the TikTok app; Dropcast retries every hour."),
        row("reached_active_user_cap", &[403, 200], "init, creator_info", Defer { after: DAILY_QUOTA_WAIT },
            "This app's daily number of posting users is used up", "Dropcast retries in some hours; the operator can ask TikTok for a higher quota or an audit."),
        // The account must be private, not the post.
        row("unaudited_client_can_only_post_to_private_accounts", &[403], "video/init", NeedsUser,
            "TikTok has not audited this app, so it can only post to private accounts", "Make the TikTok account private, post drafts, or have the app audited; then drop the video again."),
        row("url_ownership_unverified", &[403], "init by URL", GiveUp,
            "TikTok has not verified that the video's URL is ours", "Verify the URL in TikTok's developer portal."),
        // Dropcast never chooses another level instead, because TikTok counts mismatches against the app.
        row("privacy_level_option_mismatch", &[403], "video/init", NeedsUser,
            "The creator cannot choose this privacy level now", "Set privacy_level to one that the account offers, or change the account's privacy in the TikTok app; then drop the video again."),
        row("rate_limit_exceeded", &[429], "all", Defer { after: RATE_LIMIT_WINDOW },
            "TikTok's rate limit is reached", "Dropcast retries after a minute."),
        row("internal_error", &[500, 502, 503, 504], "all", Retry { after: RETRY_DELAY },
            "TikTok had an internal error", "Dropcast retries."),
    ]
};

/// Returns the table's row for a code.
pub fn find(code: &str) -> Option<&'static ErrorCode> {
    ERROR_CODES.iter().find(|row| row.code == code)
}

/// Returns what to do about an error response. The HTTP status decides if the code is unknown or empty.
pub fn disposition(code: &str, http: u16) -> Disposition {
    find(code).map_or_else(|| disposition_of_status(http), |row| row.disposition)
}

/// Returns what to do if only the HTTP status is known.
pub fn disposition_of_status(http: u16) -> Disposition {
    match http {
        401 => Disposition::Refresh,
        408 => Disposition::Retry { after: RETRY_DELAY },
        429 => Disposition::Defer { after: RATE_LIMIT_WINDOW },
        400..=499 => Disposition::GiveUp,
        // 5xx is TikTok's own error. A 2xx or 3xx without TikTok's envelope is no answer to the call: a proxy may have
        // sent it, or it was cut off. Every call can be repeated without harm (`ErrorKind::Unanswered`).
        _ => Disposition::Retry { after: RETRY_DELAY },
    }
}

/// Returns meaning and advice if only the HTTP status is known.
pub(crate) fn text_of_status(http: u16) -> (&'static str, &'static str) {
    match disposition_of_status(http) {
        Disposition::Refresh => ("TikTok rejects the access token", "If this repeats, connect the account again."),
        Disposition::Defer { .. } => ("TikTok's rate limit is reached", "Dropcast retries after a minute."),
        Disposition::Retry { .. } => ("TikTok had an internal error", "Dropcast retries."),
        Disposition::GiveUp | Disposition::Reconcile | Disposition::NeedsUser | Disposition::NeedsReconnect => (
            "TikTok rejected the request",
            "Look the code up in TikTok's pages, or ask its support with the log id; then drop the video again.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The codes of TikTok's pages with the expected dispositions. The test repeats the table, so that no row changes
    /// unnoticed.
    fn documented() -> Vec<(&'static str, Disposition)> {
        let defer = |hours: u64| Disposition::Defer { after: Duration::from_hours(hours) };
        vec![
            ("invalid_param", Disposition::GiveUp),
            ("invalid_params", Disposition::GiveUp),
            ("invalid_file_upload", Disposition::GiveUp),
            ("scope_permission_missed", Disposition::NeedsUser),
            ("app_version_check_failed", Disposition::NeedsUser),
            ("invalid_publish_id", Disposition::GiveUp),
            ("token_not_authorized_for_specified_publish_id", Disposition::GiveUp),
            ("publish_not_cancellable", Disposition::GiveUp),
            ("access_token_invalid", Disposition::Refresh),
            ("scope_not_authorized", Disposition::NeedsUser),
            ("spam_risk_too_many_posts", defer(6)),
            ("spam_risk_user_banned_from_posting", Disposition::NeedsUser),
            ("spam_risk_too_many_pending_share", defer(1)),
            ("reached_active_user_cap", defer(6)),
            ("unaudited_client_can_only_post_to_private_accounts", Disposition::NeedsUser),
            ("url_ownership_unverified", Disposition::GiveUp),
            ("privacy_level_option_mismatch", Disposition::NeedsUser),
            ("rate_limit_exceeded", Disposition::Defer { after: Duration::from_mins(1) }),
            ("internal_error", Disposition::Retry { after: Duration::from_secs(2) }),
        ]
    }

    #[test]
    fn table_has_exactly_the_documented_codes() {
        let table: Vec<_> = ERROR_CODES.iter().map(|row| (row.code, row.disposition)).collect();
        assert_eq!(table, documented());
    }

    #[test]
    fn known_code_has_same_disposition_under_any_status() {
        for row in &ERROR_CODES {
            for http in row.http.iter().chain(&[200, 400, 401, 403, 429, 500]) {
                assert_eq!(disposition(row.code, *http), row.disposition, "{} under {http}", row.code);
            }
        }
    }

    #[test]
    fn unknown_or_empty_code_is_handled_by_status() {
        for code in ["", "brand_new_code"] {
            assert_eq!(disposition(code, 400), Disposition::GiveUp);
            assert_eq!(disposition(code, 401), Disposition::Refresh);
            assert_eq!(disposition(code, 403), Disposition::GiveUp);
            assert_eq!(disposition(code, 429), Disposition::Defer { after: RATE_LIMIT_WINDOW });
            for http in [200, 302, 408, 500, 502, 503, 504, 599] {
                assert_eq!(disposition(code, http), Disposition::Retry { after: RETRY_DELAY }, "{code} under {http}");
            }
        }
    }

    #[test]
    fn every_row_has_meaning_and_advice_as_sentences() {
        for row in &ERROR_CODES {
            assert!(row.meaning.starts_with(char::is_uppercase) && !row.meaning.ends_with('.'), "{}", row.code);
            assert!(row.advice.starts_with(char::is_uppercase) && row.advice.ends_with('.'), "{}", row.code);
            assert!(!row.http.is_empty() && !row.calls.is_empty(), "{}", row.code);
        }
    }

    proptest! {
        #[test]
        fn limit_or_internal_error_never_fails_a_post(http in 500u16..600, code in "[a-z_]{0,30}") {
            if find(&code).is_none() {
                let retried = matches!(disposition(&code, http), Disposition::Retry { .. });
                prop_assert!(retried);
            }
            let deferred = matches!(disposition_of_status(429), Disposition::Defer { .. });
            prop_assert!(deferred);
        }
    }
}
