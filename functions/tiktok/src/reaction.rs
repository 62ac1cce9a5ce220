//! TikTok's error codes and what each asks for, as one table.
//!
//! Sources: the error tables of
//! <https://developers.tiktok.com/doc/content-posting-api-reference-direct-post>,
//! <https://developers.tiktok.com/doc/content-posting-api-reference-upload-video>,
//! <https://developers.tiktok.com/doc/content-posting-api-reference-query-creator-info>,
//! <https://developers.tiktok.com/doc/content-posting-api-reference-get-video-status>
//! and <https://developers.tiktok.com/doc/tiktok-api-v2-error-handling>.
//!
//! A code asks for the same wherever it appears and under whatever HTTP status:
//! `creator_info` sends some under 200. Only a code that is not here is treated
//! by its status. Waits are least waits; jitter is the caller's.

use std::time::Duration;

use domain::failure::Disposition;

/// What an error code means and asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Reaction {
    /// TikTok's word.
    pub code: &'static str,
    /// The HTTP statuses under which it is known to come.
    pub http: &'static [u16],
    /// The calls that are known to answer it.
    pub calls: &'static str,
    /// What to do.
    pub disposition: Disposition,
    /// What it means, for people.
    pub meaning: &'static str,
    /// What the user or operator can do.
    pub advice: &'static str,
}

const fn on(
    code: &'static str,
    http: &'static [u16],
    calls: &'static str,
    disposition: Disposition,
    meaning: &'static str,
    advice: &'static str,
) -> Reaction {
    Reaction { code, http, calls, disposition, meaning, advice }
}

const AN_HOUR: Duration = Duration::from_hours(1);
const SOME_HOURS: Duration = Duration::from_hours(6);
/// The rate limits' sliding window: a minute.
const WINDOW: Duration = Duration::from_mins(1);
/// The first wait of the back-off after an error of TikTok's own.
const SHORTLY: Duration = crate::error::SHORTLY;

/// The documented codes, in the order of their HTTP status.
#[rustfmt::skip]
pub const REACTIONS: [Reaction; 19] = {
    use Disposition::{Defer, GiveUp, NeedsUser, Refresh, Retry};
    [
        // Some pages say `invalid_param`, the answers say `invalid_params`.
        on("invalid_param", &[400], "all", GiveUp,
            "TikTok does not take this request", "Correct what TikTok names, then drop the video again."),
        on("invalid_params", &[400], "all", GiveUp,
            "TikTok does not take this request", "Correct what TikTok names, then drop the video again."),
        on("invalid_file_upload", &[400], "all", GiveUp,
            "TikTok does not take this file", "Export it as MP4 with H.264 and drop it again."),
        on("scope_permission_missed", &[400], "user/info, video/query", NeedsUser,
            "The creator has not allowed this app what the call needs", "Connect the account again and allow all that is asked for."),
        on("app_version_check_failed", &[400], "content/init", NeedsUser,
            "The creator's TikTok app is too old for this", "Update the TikTok app, then drop the video again."),
        on("invalid_publish_id", &[400], "status/fetch, cancel", GiveUp,
            "TikTok no longer knows this publish", "Look in the TikTok app whether the video is there before dropping it again."),
        on("token_not_authorized_for_specified_publish_id", &[400], "status/fetch, cancel", GiveUp,
            "This publish belongs to another TikTok user", "Check which TikTok user the account is connected to."),
        // Nothing is left to be cancelled; `cancel` makes a success of it.
        on("publish_not_cancellable", &[400], "cancel", GiveUp,
            "TikTok has gone too far with this publish to cancel it", "Delete the post in the TikTok app."),
        // Refreshed and repeated once, for an init too: a 401 created nothing.
        on("access_token_invalid", &[401], "all", Refresh,
            "TikTok does not accept the access token", "If it goes on, connect the account again."),
        on("scope_not_authorized", &[401], "all", NeedsUser,
            "The creator has not allowed this app to post", "Connect the account again and allow posting (video.publish) and uploading (video.upload)."),
        // A rolling day: room comes back hour by hour.
        on("spam_risk_too_many_posts", &[403, 200], "init, creator_info", Defer { after: SOME_HOURS },
            "The creator's daily number of posts through apps is used up", "Dropcast tries again in some hours; the creator can post in the TikTok app now."),
        on("spam_risk_user_banned_from_posting", &[403, 200], "init, creator_info", NeedsUser,
            "TikTok has banned this creator from posting", "The creator must settle that with TikTok in the app; then drop the video again."),
        on("spam_risk_too_many_pending_share", &[403], "inbox/video/init", Defer { after: AN_HOUR },
            "The creator's inbox is full of drafts", "Post or discard drafts in the TikTok app; Dropcast tries again every hour."),
        on("reached_active_user_cap", &[403, 200], "init, creator_info", Defer { after: SOME_HOURS },
            "This app's daily number of posting users is used up", "Dropcast tries again in some hours; the operator can ask TikTok for a higher quota or an audit."),
        // It is the account that must be private, not the post.
        on("unaudited_client_can_only_post_to_private_accounts", &[403], "video/init", NeedsUser,
            "TikTok has not audited this app, so it can only post to private accounts", "Make the TikTok account private, post drafts, or have the app audited; then drop the video again."),
        on("url_ownership_unverified", &[403], "init by URL", GiveUp,
            "TikTok does not know that the video's address is ours", "Verify the address in TikTok's developer portal."),
        // Never answered by choosing another level: TikTok counts mismatches.
        on("privacy_level_option_mismatch", &[403], "video/init", NeedsUser,
            "The creator cannot choose this privacy level now", "Set privacy_level to one that the account offers, or change the account's privacy in the TikTok app; then drop the video again."),
        on("rate_limit_exceeded", &[429], "all", Defer { after: WINDOW },
            "TikTok's rate limit is met", "Dropcast tries again by itself."),
        on("internal_error", &[500, 502, 503, 504], "all", Retry { after: SHORTLY },
            "TikTok met an error of its own", "Dropcast tries again by itself."),
    ]
};

/// Finds a code's row.
#[must_use]
pub fn find(code: &str) -> Option<&'static Reaction> {
    REACTIONS.iter().find(|row| row.code == code)
}

/// Tells what an error code asks for; a code unknown or empty, its status.
#[must_use]
pub fn of(code: &str, http: u16) -> Disposition {
    find(code).map_or_else(|| of_status(http), |row| row.disposition)
}

/// Tells what a status asks for where nothing else is known.
#[must_use]
pub fn of_status(http: u16) -> Disposition {
    match http {
        401 => Disposition::Refresh,
        408 => Disposition::Retry { after: SHORTLY },
        429 => Disposition::Defer { after: WINDOW },
        400..=499 => Disposition::GiveUp,
        _ => Disposition::Retry { after: SHORTLY },
    }
}

pub(crate) fn meaning_of_status(http: u16) -> &'static str {
    match of_status(http) {
        Disposition::Refresh => "TikTok does not accept the access token",
        Disposition::Defer { .. } => "TikTok's rate limit is met",
        Disposition::Retry { .. } => "TikTok met an error of its own",
        Disposition::GiveUp | Disposition::Reconcile | Disposition::NeedsUser | Disposition::NeedsReconnect => {
            "TikTok refused the request"
        }
    }
}

pub(crate) fn advice_of_status(http: u16) -> &'static str {
    match of_status(http) {
        Disposition::Refresh => "If it goes on, connect the account again.",
        Disposition::Defer { .. } | Disposition::Retry { .. } => "Dropcast tries again by itself.",
        Disposition::GiveUp | Disposition::Reconcile | Disposition::NeedsUser | Disposition::NeedsReconnect => {
            "Look the code up in TikTok's pages, or ask its support with the log id; then drop the video again."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The codes of TikTok's pages, and what design and pages say of each.
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
    fn every_documented_code_has_its_reaction_and_the_table_has_no_other() {
        let table: Vec<_> = REACTIONS.iter().map(|row| (row.code, row.disposition)).collect();
        assert_eq!(table, documented());
    }

    #[test]
    fn a_known_code_asks_for_the_same_under_any_status() {
        for row in &REACTIONS {
            for http in row.http.iter().chain(&[200, 400, 401, 403, 429, 500]) {
                assert_eq!(of(row.code, *http), row.disposition, "{} under {http}", row.code);
            }
        }
    }

    #[test]
    fn an_unknown_or_empty_code_is_treated_by_its_status() {
        for code in ["", "brand_new_code"] {
            assert_eq!(of(code, 400), Disposition::GiveUp);
            assert_eq!(of(code, 401), Disposition::Refresh);
            assert_eq!(of(code, 403), Disposition::GiveUp);
            assert_eq!(of(code, 429), Disposition::Defer { after: WINDOW });
            for http in [200, 302, 408, 500, 502, 503, 504, 599] {
                assert_eq!(of(code, http), Disposition::Retry { after: SHORTLY }, "{code} under {http}");
            }
        }
    }

    #[test]
    fn every_row_speaks_to_people_in_whole_sentences() {
        for row in &REACTIONS {
            assert!(row.meaning.starts_with(char::is_uppercase) && !row.meaning.ends_with('.'), "{}", row.code);
            assert!(row.advice.starts_with(char::is_uppercase) && row.advice.ends_with('.'), "{}", row.code);
            assert!(!row.http.is_empty() && !row.calls.is_empty(), "{}", row.code);
        }
    }

    proptest! {
        #[test]
        fn a_limit_or_an_error_of_tiktoks_own_never_fails_a_post(http in 500u16..600, code in "[a-z_]{0,30}") {
            if find(&code).is_none() {
                let retried = matches!(of(&code, http), Disposition::Retry { .. });
                prop_assert!(retried);
            }
            let deferred = matches!(of_status(429), Disposition::Defer { .. });
            prop_assert!(deferred);
        }
    }
}
