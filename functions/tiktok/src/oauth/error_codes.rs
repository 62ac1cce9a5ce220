//! OAuth's error codes: one table of what each code means and what the caller should do. The v2 API's codes are in
//! [`crate::error_codes`].
//! <https://developers.tiktok.com/doc/oauth-error-handling>

use std::time::Duration;

use domain::failure::{Disposition, Failure};

use super::call::OAuthCall;
use crate::api_error::ApiError;

/// The minimum wait before a retry. The caller's back-off grows to 5 minutes.
pub(crate) const RETRY_DELAY: Duration = Duration::from_secs(5);

/// One of OAuth's error codes.
#[derive(Debug, PartialEq, Eq)]
pub struct OAuthErrorCode {
    /// The code as TikTok sends it.
    pub code: &'static str,
    /// What to do if a refresh failed with the code.
    pub on_refresh: Disposition,
    /// What to do if an exchange or a revocation failed with the code.
    pub on_other_calls: Disposition,
    /// What the code means, for people.
    pub meaning: &'static str,
    /// What the user or the operator can do.
    pub advice: &'static str,
}

const fn row(
    code: &'static str,
    on_refresh: Disposition,
    on_other_calls: Disposition,
    meaning: &'static str,
    advice: &'static str,
) -> OAuthErrorCode {
    OAuthErrorCode { code, on_refresh, on_other_calls, meaning, advice }
}

/// The documented codes, and `rate_limit_exceeded`, which TikTok sends without documenting it.
#[rustfmt::skip]
pub const OAUTH_ERROR_CODES: [OAuthErrorCode; 11] = {
    use Disposition::{GiveUp, NeedsReconnect, NeedsUser, Reconcile};
    const RETRY: Disposition = Disposition::Retry { after: RETRY_DELAY };
    [
        row("invalid_request", GiveUp, GiveUp,
            "TikTok rejects the token request because a parameter is missing or wrong", "Check that the redirect URI is exactly the registered one."),
        row("invalid_client", GiveUp, GiveUp,
            "TikTok does not accept the app's credentials", "Check the client key and secret in Secrets Manager."),
        // The refresh token has expired, was revoked, or was rotated by another worker a moment ago.
        row("invalid_grant", Reconcile, NeedsUser,
            "TikTok no longer accepts the account's authorization", "Connect the account again."),
        row("invalid_scope", GiveUp, GiveUp,
            "TikTok does not grant the requested scopes", "Add the scopes to the app in TikTok's developer portal."),
        row("unauthorized_client", GiveUp, GiveUp,
            "TikTok does not permit this app to request tokens", "Check the app's products in TikTok's developer portal."),
        row("unsupported_grant_type", GiveUp, GiveUp,
            "TikTok does not support this type of token request", "Report it with the log id."),
        row("unsupported_response_type", GiveUp, GiveUp,
            "TikTok does not support this type of authorization request", "Report it with the log id."),
        row("access_denied", NeedsReconnect, NeedsUser,
            "The user or TikTok denied access", "Connect the account again and allow every permission on TikTok's page."),
        row("server_error", RETRY, RETRY,
            "TikTok had an internal error", "Dropcast retries."),
        row("temporarily_unavailable", RETRY, RETRY,
            "TikTok cannot issue tokens at the moment", "Dropcast retries."),
        row("rate_limit_exceeded", RETRY, RETRY,
            "TikTok's rate limit is reached", "Dropcast retries."),
    ]
};

/// Returns the table's row for a code.
pub fn find(code: &str) -> Option<&'static OAuthErrorCode> {
    OAUTH_ERROR_CODES.iter().find(|row| row.code == code)
}

/// Returns what to do about an error response. The HTTP status decides if the code is unknown.
pub fn disposition(code: &str, http: u16, call: OAuthCall) -> Disposition {
    match (find(code), call) {
        (Some(row), OAuthCall::Refresh) => row.on_refresh,
        (Some(row), OAuthCall::Exchange | OAuthCall::Revoke) => row.on_other_calls,
        (None, _) => disposition_of_status(http),
    }
}

/// Returns what to do if only the HTTP status is known. A status alone never means that an authorization is lost:
/// TikTok sends a code for that.
pub fn disposition_of_status(http: u16) -> Disposition {
    match http {
        408 | 429 => Disposition::Retry { after: RETRY_DELAY },
        400..=499 => Disposition::GiveUp,
        // 5xx is TikTok's own error. A 2xx or 3xx without a valid body is no answer to the call.
        _ => Disposition::Retry { after: RETRY_DELAY },
    }
}

/// Returns an error response as a failure with meaning and advice from this table.
pub(super) fn failure(error: &ApiError) -> Failure {
    let (meaning, advice) = match find(&error.code) {
        Some(row) => (row.meaning, row.advice),
        None => {
            ("TikTok did not issue tokens", "Look the code up in TikTok's pages, or ask its support with the log id.")
        }
    };
    error.failure_with(meaning, advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Disposition = Disposition::Retry { after: Duration::from_secs(5) };

    #[test]
    fn table_has_exactly_the_known_codes() {
        let table: Vec<_> =
            OAUTH_ERROR_CODES.iter().map(|row| (row.code, row.on_refresh, row.on_other_calls)).collect();
        assert_eq!(
            table,
            [
                ("invalid_request", Disposition::GiveUp, Disposition::GiveUp),
                ("invalid_client", Disposition::GiveUp, Disposition::GiveUp),
                ("invalid_grant", Disposition::Reconcile, Disposition::NeedsUser),
                ("invalid_scope", Disposition::GiveUp, Disposition::GiveUp),
                ("unauthorized_client", Disposition::GiveUp, Disposition::GiveUp),
                ("unsupported_grant_type", Disposition::GiveUp, Disposition::GiveUp),
                ("unsupported_response_type", Disposition::GiveUp, Disposition::GiveUp),
                ("access_denied", Disposition::NeedsReconnect, Disposition::NeedsUser),
                ("server_error", RETRY, RETRY),
                ("temporarily_unavailable", RETRY, RETRY),
                ("rate_limit_exceeded", RETRY, RETRY),
            ]
        );
    }

    #[test]
    fn unknown_code_never_ends_an_authorization() {
        // The HTTP status decides, and no status means NeedsReconnect.
        for (http, expected) in [
            (200, RETRY),
            (400, Disposition::GiveUp),
            (401, Disposition::GiveUp),
            (429, RETRY),
            (500, RETRY),
            (503, RETRY),
        ] {
            assert_eq!(disposition("brand_new", http, OAuthCall::Refresh), expected, "HTTP {http}");
        }
    }

    #[test]
    fn failure_has_oauth_meaning_and_tiktoks_message() {
        let error = ApiError {
            http: 400,
            code: "invalid_client".into(),
            message: "no such app".into(),
            log_id: Some("l".into()),
        };
        let known = failure(&error);
        assert_eq!(known.message, "TikTok does not accept the app's credentials; TikTok says: no such app");
        assert_eq!((known.reason.code(), known.log_id.as_deref()), ("invalid_client", Some("l")));
        let unknown = failure(&ApiError { code: "brand_new".into(), message: String::new(), ..error });
        assert!(unknown.message.contains("tokens") && unknown.advice.contains("support"), "{unknown}");
    }
}
