//! The reasons that posts are counted by: few enough that each can be a metric.

use domain::report::FailReason;
use tiktok::reaction;

/// Our own words for why a post waits or has failed. TikTok's are in its tables.
const OURS: [&str; 44] = [
    // the account's limits
    "queued_behind",
    "uploads_per_minute",
    "posts_per_day",
    "drafts_pending",
    "posting_users_per_day",
    "calls_per_minute",
    "rate_limit_contended",
    // its consent
    "needs_reconnect",
    "account_not_found",
    "token_refresh_busy",
    "tokens_not_stored",
    "no_time_to_refresh",
    "access_token_unusable",
    // the video and its options
    "file_empty",
    "file_too_large",
    "options_malformed",
    "options_invalid",
    "source_gone",
    "source_changed",
    "source_unreadable",
    // TikTok, and the way to it
    "tiktok_unreachable",
    "tiktok_timeout",
    "tiktok_invalid_response",
    "upload_host_not_allowed",
    "upload_refused",
    "upload_abandoned",
    "upload_interrupted",
    "upload_attempts_exhausted",
    "upload_unconfirmed",
    "upload_answer_timeout",
    "upload_not_found",
    "upload_timeout",
    "upload_rate_limited",
    "range_mismatch",
    "upload_redirected",
    "upload_malformed",
    "upload_invalid_response",
    "upload_failed",
    "no_reason_given",
    // the stack
    "key_unusable",
    "app_secret_unusable",
    "invocation_too_short",
    "worker_lost",
    "internal_fault",
];

/// A code, where it is one of those that are known; anything that TikTok, or somebody
/// between, may think of is one metric together.
pub(super) fn bounded(code: &str) -> &str {
    let known = OURS.contains(&code) || reaction::find(code).is_some() || FailReason::find(code).is_some();
    if known { code } else { "other" }
}
