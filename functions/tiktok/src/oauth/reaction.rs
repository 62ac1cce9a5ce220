//! OAuth's error words and what each asks for, as one table.
//! <https://developers.tiktok.com/doc/oauth-error-handling>

use std::time::Duration;

use domain::failure::{Disposition, Failure};

use super::error::OAuthCall;
use crate::api_error::ApiError;

/// The first wait of the back-off, which goes from 5 seconds to 5 minutes.
pub(crate) const SOON: Duration = Duration::from_secs(5);

/// What an error word means and asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct OAuthReaction {
    /// TikTok's word.
    pub code: &'static str,
    /// What to do where a refresh was refused so.
    pub on_refresh: Disposition,
    /// What to do where an exchange or a revocation was.
    pub otherwise: Disposition,
    /// What it means, for people.
    pub meaning: &'static str,
    /// What the user or operator can do.
    pub advice: &'static str,
}

const fn on(
    code: &'static str,
    on_refresh: Disposition,
    otherwise: Disposition,
    meaning: &'static str,
    advice: &'static str,
) -> OAuthReaction {
    OAuthReaction { code, on_refresh, otherwise, meaning, advice }
}

/// The documented words, and one that was seen.
#[rustfmt::skip]
pub const OAUTH_REACTIONS: [OAuthReaction; 11] = {
    use Disposition::{GiveUp, NeedsReconnect, NeedsUser, Reconcile};
    const LATER: Disposition = Disposition::Retry { after: SOON };
    [
        on("invalid_request", GiveUp, GiveUp,
            "TikTok misses something in the request for tokens", "Check that the redirect URI is the registered one, to the letter."),
        on("invalid_client", GiveUp, GiveUp,
            "TikTok does not accept the app's credentials", "Check the client key and secret in Secrets Manager."),
        // Expired, revoked, or rotated away by another worker a moment ago.
        on("invalid_grant", Reconcile, NeedsUser,
            "TikTok no longer accepts the account's consent", "Connect the account again."),
        on("invalid_scope", GiveUp, GiveUp,
            "TikTok does not grant the scopes that were asked for", "Add the scopes to the app in TikTok's developer portal."),
        on("unauthorized_client", GiveUp, GiveUp,
            "TikTok does not let this app ask for tokens", "Check the app's products in TikTok's developer portal."),
        on("unsupported_grant_type", GiveUp, GiveUp,
            "TikTok does not know this way of asking for tokens", "StatusReport it with the log id."),
        on("unsupported_response_type", GiveUp, GiveUp,
            "TikTok does not know this way of asking for consent", "StatusReport it with the log id."),
        on("access_denied", NeedsReconnect, NeedsUser,
            "The user or TikTok denied access", "Connect the account again, and allow what is asked for."),
        on("server_error", LATER, LATER,
            "TikTok met an error of its own", "Dropcast tries again by itself."),
        on("temporarily_unavailable", LATER, LATER,
            "TikTok cannot give out tokens for the moment", "Dropcast tries again by itself."),
        on("rate_limit_exceeded", LATER, LATER,
            "TikTok's rate limit is met", "Dropcast tries again by itself."),
    ]
};

/// Finds a word's row.
#[must_use]
pub fn find(code: &str) -> Option<&'static OAuthReaction> {
    OAUTH_REACTIONS.iter().find(|row| row.code == code)
}

/// Tells what an error word asks for; an unknown one, its status.
#[must_use]
pub fn of(code: &str, http: u16, call: OAuthCall) -> Disposition {
    find(code).map_or_else(
        || of_status(http),
        |row| match call {
            OAuthCall::Refresh => row.on_refresh,
            OAuthCall::Exchange | OAuthCall::Revoke => row.otherwise,
        },
    )
}

/// Tells what a status asks for where nothing else is known. It never ends a
/// consent: what ends one has a word.
#[must_use]
pub fn of_status(http: u16) -> Disposition {
    match http {
        408 | 429 => Disposition::Retry { after: SOON },
        400..=499 => Disposition::GiveUp,
        _ => Disposition::Retry { after: SOON },
    }
}

pub(crate) fn failure(refusal: &ApiError) -> Failure {
    let mut failure = refusal.failure();
    let (meaning, advice) = match find(&refusal.code) {
        Some(row) => (row.meaning, row.advice),
        None => (
            "TikTok refused to give out tokens",
            "Look the word up in TikTok's pages, or ask its support with the log id.",
        ),
    };
    failure.message = match refusal.message.as_str() {
        "" => meaning.to_owned(),
        words => format!("{meaning}; TikTok says: {words}"),
    };
    advice.clone_into(&mut failure.advice);
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Disposition = Disposition::Retry { after: Duration::from_secs(5) };

    #[test]
    fn every_documented_word_has_its_reaction_and_the_table_has_no_other() {
        let table: Vec<_> = OAUTH_REACTIONS.iter().map(|row| (row.code, row.on_refresh, row.otherwise)).collect();
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
                ("server_error", LATER, LATER),
                ("temporarily_unavailable", LATER, LATER),
                ("rate_limit_exceeded", LATER, LATER),
            ]
        );
    }

    #[test]
    fn an_unknown_word_is_treated_by_its_status_and_never_ends_a_consent() {
        for (http, expected) in [
            (200, LATER),
            (400, Disposition::GiveUp),
            (401, Disposition::GiveUp),
            (429, LATER),
            (500, LATER),
            (503, LATER),
        ] {
            assert_eq!(of("brand_new", http, OAuthCall::Refresh), expected, "HTTP {http}");
        }
    }

    #[test]
    fn a_failure_speaks_of_tokens_and_keeps_tiktoks_words() {
        let refusal = ApiError {
            http: 400,
            code: "invalid_client".into(),
            message: "no such app".into(),
            log_id: Some("l".into()),
        };
        let failure = failure(&refusal);
        assert_eq!(failure.message, "TikTok does not accept the app's credentials; TikTok says: no such app");
        assert_eq!((failure.code.as_str(), failure.log_id.as_deref()), ("invalid_client", Some("l")));
        let unknown = self::failure(&ApiError { code: "brand_new".into(), message: String::new(), ..refusal });
        assert!(unknown.message.contains("tokens") && unknown.advice.contains("support"), "{unknown}");
    }
}
