//! Every way in which a connecting can end without an account.

use domain::failure::{Disposition, Rejection};
use domain::identity::{Alias, InvalidId};
use jiff::Timestamp;
use storage::{AppSecretError, CipherError, SaveError, StoreError};
use tiktok::{AuthorizationError, OAuthError};

/// Why an account was not connected or disconnected.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The alias is none.
    #[error("the alias cannot be one")]
    Alias(#[source] InvalidId),
    /// There is no such account.
    #[error("there is no account \"{0}\"")]
    UnknownAccount(Alias),
    /// The answer says neither yes nor no.
    #[error("the answer has neither a code nor an error")]
    Malformed,
    /// No request of ours has this state: it is forged, or long past.
    #[error("the answer does not belong to a request")]
    StateUnknown,
    /// The request was answered before.
    #[error("the request was answered before, at {at}")]
    StateUsed {
        /// When.
        at: Timestamp,
    },
    /// The request's time was over.
    #[error("the request's time was over at {at}")]
    StateExpired {
        /// When it was.
        at: Timestamp,
    },
    /// The user, or TikTok, said no.
    #[error("consent was refused: {}", .0.error)]
    Denied(AuthorizationError),
    /// The user allowed less than the account's posts need.
    #[error("the user did not allow {scope}, which the posts of \"{alias}\" need")]
    ScopeMissing {
        /// The account.
        alias: Alias,
        /// What is missing.
        scope: &'static str,
    },
    /// Another user authorized than the one who has the alias.
    #[error("another TikTok user authorized than the one who is connected as \"{alias}\"")]
    WrongUser {
        /// The account.
        alias: Alias,
    },
    /// The user has another alias already.
    #[error("this TikTok user is connected as \"{other}\" already")]
    ConnectedElsewhere {
        /// The other account.
        other: Alias,
    },
    /// TikTok refused the code.
    #[error("TikTok refused to exchange the code")]
    CodeRefused(#[source] OAuthError),
    /// TikTok did not answer; the code may be spent.
    #[error("TikTok did not answer whether the code was exchanged")]
    Unanswered(#[source] OAuthError),
    /// The app's credentials cannot be had.
    #[error("the app's credentials cannot be had")]
    App(#[from] AppSecretError),
    /// The tokens cannot be sealed.
    #[error("the tokens cannot be sealed")]
    KmsCipher(#[from] CipherError),
    /// A table cannot be read or written.
    #[error("a table cannot be read or written")]
    Store(#[from] StoreError),
    /// Somebody else changed the account each time.
    #[error("the account is being changed by others")]
    Busy,
}

impl From<SaveError> for ConnectError {
    fn from(error: SaveError) -> Self {
        match error {
            SaveError::Conflict => Self::Busy,
            SaveError::Store(error) => Self::Store(error),
        }
    }
}

const START_AGAIN: &str = "Nothing was changed. Start again with a new link.";
const OPERATOR: &str = "The operator finds the cause in the log of the api function.";

impl ConnectError {
    /// States what happened, for programs and for people; without anything
    /// that is not the reader's business.
    #[must_use]
    pub fn failure(&self) -> Rejection {
        let own = |code: &str, advice: &str| Rejection::new(code, capitalised(&self.to_string()), advice);
        match self {
            Self::Alias(why) => Rejection::new("alias_invalid", why.to_string(), "Choose another alias."),
            Self::UnknownAccount(_) => own("account_not_found", "GET /accounts lists those that there are."),
            Self::Malformed => own("callback_malformed", "Open the link that leads to TikTok, and answer there."),
            Self::StateUnknown => own("state_not_found", START_AGAIN),
            Self::StateUsed { .. } => {
                own("state_used", "If the account was connected, all is well. If not, start again with a new link.")
            }
            Self::StateExpired { .. } => own("state_expired", START_AGAIN),
            Self::Denied(denial) => {
                let told = denial.failure();
                let code = if denial.is_user_denial() { "authorization_denied" } else { "authorization_rejected" };
                Rejection::new(code, format!("{} ({})", told.message, told.reason), told.advice)
            }
            Self::ScopeMissing { .. } => {
                own("scope_missing", "Start again with a new link, and leave everything ticked that is asked for.")
            }
            Self::WrongUser { .. } => own(
                "wrong_user",
                "Sign in to TikTok as the right user and start again; or disconnect the account first, to give its \
                 place to another user.",
            ),
            Self::ConnectedElsewhere { .. } => {
                own("user_connected_elsewhere", "Drop videos into that account's folder, or disconnect it first.")
            }
            Self::CodeRefused(error) => {
                let told = error.failure();
                // Nothing is tried again by itself here, as a refresh would be.
                let advice = match error.disposition() {
                    Disposition::Retry { .. } => "Start again with a new link in some minutes.".to_owned(),
                    _ => told.advice,
                };
                let message = format!("{} ({})", told.message, told.reason);
                Rejection { log_id: told.log_id, ..Rejection::new("code_refused", message, advice) }
            }
            Self::Unanswered(_) => {
                own("exchange_timeout", "The code can be used once and may be spent. Start again with a new link.")
            }
            Self::App(_) => own("app_secret_unusable", OPERATOR),
            Self::KmsCipher(_) => own("key_unusable", OPERATOR),
            Self::Store(_) => own("store_unavailable", OPERATOR),
            Self::Busy => own("busy", "Try again in a moment."),
        }
    }
}

fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use tiktok::{ApiError, ErrorKind, OAuthCall};

    use super::*;

    fn denial(error_type: Option<&str>) -> ConnectError {
        let error_type = error_type.map(str::to_owned);
        ConnectError::Denied(AuthorizationError { error: "access_denied".into(), error_type, description: None })
    }

    #[test]
    fn a_users_no_and_tiktoks_no_are_told_apart() {
        assert_eq!(denial(None).failure().code, "authorization_denied");
        let refused = denial(Some("non_sandbox_target")).failure();
        assert_eq!(refused.code, "authorization_rejected");
        assert!(refused.message.contains("non_sandbox_target"), "{refused}");
    }

    #[test]
    fn nobody_is_told_to_wait_for_an_exchange_that_is_not_tried_again() {
        for (code, http) in [("temporarily_unavailable", 503), ("rate_limit_exceeded", 429), ("brand_new", 500)] {
            let refusal = ApiError { http, code: code.into(), message: String::new(), log_id: Some("l".into()) };
            let error = OAuthError { call: OAuthCall::Exchange, fault: ErrorKind::Refused(refusal) };
            let failure = ConnectError::CodeRefused(error).failure();
            assert_eq!((failure.code.as_str(), failure.log_id.as_deref()), ("code_refused", Some("l")));
            assert!(failure.message.contains(code) && failure.advice.contains("new link"), "{failure}");
        }
    }

    #[test]
    fn every_way_to_end_has_a_code_of_its_own_and_says_what_to_do() {
        let alias = Alias::new("anna").unwrap();
        let at = Timestamp::UNIX_EPOCH;
        let all = [
            ConnectError::UnknownAccount(alias.clone()),
            ConnectError::Malformed,
            ConnectError::StateUnknown,
            ConnectError::StateUsed { at },
            ConnectError::StateExpired { at },
            denial(None),
            ConnectError::ScopeMissing { alias: alias.clone(), scope: "video.upload" },
            ConnectError::WrongUser { alias: alias.clone() },
            ConnectError::ConnectedElsewhere { other: alias },
            ConnectError::Busy,
        ];
        let mut codes: Vec<_> = all.iter().map(|error| error.failure().code).collect();
        codes.sort();
        codes.dedup();
        assert_eq!(codes.len(), all.len());
        for error in &all {
            let failure = error.failure();
            assert!(failure.message.starts_with(char::is_uppercase) && failure.advice.ends_with('.'), "{failure}");
        }
    }
}
