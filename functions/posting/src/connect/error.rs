//! Why an account was not connected or disconnected.

use domain::failure::{Disposition, Rejection};
use domain::identity::{Alias, InvalidId};
use jiff::Timestamp;
use storage::{AppSecretError, CipherError, SaveError, StoreError};
use tiktok::{AuthorizationError, OAuthError};

/// Why an account was not connected or disconnected.
#[expect(missing_docs, reason = "the message of each undocumented variant says what it means")]
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("invalid alias")]
    Alias(#[source] InvalidId),
    #[error("account \"{0}\" not found")]
    AccountNotFound(Alias),
    #[error("the response has neither a code nor an error")]
    Malformed,
    /// No request has this state: the response is forged, or its request was deleted long after it expired.
    #[error("the response does not belong to a request")]
    StateNotFound,
    #[error("the request was used before, at {0}")]
    StateUsed(Timestamp),
    #[error("the request expired at {0}")]
    StateExpired(Timestamp),
    /// The user, or TikTok, denied the authorization.
    #[error("authorization denied: {}", .0.error)]
    Denied(AuthorizationError),
    /// The user allowed less than the account's posts need.
    #[error("the user did not allow {scope}, which the posts of \"{alias}\" need")]
    ScopeMissing { alias: Alias, scope: &'static str },
    #[error("another TikTok user authorized than the one who is connected as \"{0}\"")]
    WrongUser(Alias),
    #[error("this TikTok user is connected as \"{0}\" already")]
    ConnectedElsewhere(Alias),
    #[error("TikTok refused to exchange the code")]
    CodeRefused(#[source] OAuthError),
    /// TikTok did not answer; the code may be used up.
    #[error("TikTok did not answer whether the code was exchanged")]
    ExchangeTimeout(#[source] OAuthError),
    #[error("the app's credentials cannot be read")]
    App(#[from] AppSecretError),
    #[error("the tokens cannot be sealed")]
    Cipher(#[from] CipherError),
    #[error("a table cannot be read or written")]
    Store(#[from] StoreError),
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
    /// The code, message and advice for the caller. It has no internal details, since the caller may be anyone.
    #[must_use]
    pub fn rejection(&self) -> Rejection {
        let own = |code: &str, advice: &str| Rejection::new(code, capitalised(&self.to_string()), advice);
        match self {
            Self::Alias(why) => Rejection::new("alias_invalid", why.to_string(), "Choose another alias."),
            Self::AccountNotFound(_) => own("account_not_found", "GET /accounts lists the accounts."),
            Self::Malformed => own("callback_malformed", "Open the link that leads to TikTok, and answer there."),
            Self::StateNotFound => own("state_not_found", START_AGAIN),
            Self::StateUsed(_) => {
                own("state_used", "If the account was connected, all is well. If not, start again with a new link.")
            }
            Self::StateExpired(_) => own("state_expired", START_AGAIN),
            Self::Denied(denial) => {
                let failure = denial.failure();
                let code = if denial.is_user_denial() { "authorization_denied" } else { "authorization_rejected" };
                Rejection::new(code, format!("{} ({})", failure.message, failure.reason), failure.advice)
            }
            Self::ScopeMissing { .. } => {
                own("scope_missing", "Start again with a new link, and leave every requested permission checked.")
            }
            Self::WrongUser(_) => own(
                "wrong_user",
                "Sign in to TikTok as the right user and start again; or disconnect the account first, to give its \
                 alias to another user.",
            ),
            Self::ConnectedElsewhere(_) => {
                own("user_connected_elsewhere", "Drop videos into that account's folder, or disconnect it first.")
            }
            Self::CodeRefused(error) => {
                let failure = error.failure();
                // TikTok's advice may promise a retry, but a code is never exchanged again.
                let advice = match error.disposition() {
                    Disposition::Retry { .. } => "Start again with a new link in some minutes.".to_owned(),
                    _ => failure.advice,
                };
                let message = format!("{} ({})", failure.message, failure.reason);
                Rejection { log_id: failure.log_id, ..Rejection::new("code_refused", message, advice) }
            }
            Self::ExchangeTimeout(_) => {
                own("exchange_timeout", "The code works once and may be used up. Start again with a new link.")
            }
            Self::App(_) => own("app_secret_unusable", OPERATOR),
            Self::Cipher(_) => own("key_unusable", OPERATOR),
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
    fn denials_of_user_and_of_tiktok_have_different_codes() {
        assert_eq!(denial(None).rejection().code, "authorization_denied");
        let refused = denial(Some("non_sandbox_target")).rejection();
        assert_eq!(refused.code, "authorization_rejected");
        assert!(refused.message.contains("non_sandbox_target"), "{refused}");
    }

    #[test]
    fn refused_code_advises_a_new_link() {
        for (code, http) in [("temporarily_unavailable", 503), ("rate_limit_exceeded", 429), ("brand_new", 500)] {
            let refusal = ApiError { http, code: code.into(), message: String::new(), log_id: Some("l".into()) };
            let error = OAuthError::new(OAuthCall::Exchange, ErrorKind::Refused(refusal));
            let rejection = ConnectError::CodeRefused(error).rejection();
            assert_eq!((rejection.code.as_str(), rejection.log_id.as_deref()), ("code_refused", Some("l")));
            assert!(rejection.message.contains(code) && rejection.advice.contains("new link"), "{rejection}");
        }
    }

    #[test]
    fn every_error_has_its_own_code_and_advice() {
        let alias = Alias::new("anna").unwrap();
        let at = Timestamp::UNIX_EPOCH;
        let all = [
            ConnectError::AccountNotFound(alias.clone()),
            ConnectError::Malformed,
            ConnectError::StateNotFound,
            ConnectError::StateUsed(at),
            ConnectError::StateExpired(at),
            denial(None),
            ConnectError::ScopeMissing { alias: alias.clone(), scope: "video.upload" },
            ConnectError::WrongUser(alias.clone()),
            ConnectError::ConnectedElsewhere(alias),
            ConnectError::Busy,
        ];
        let mut codes: Vec<_> = all.iter().map(|error| error.rejection().code).collect();
        codes.sort();
        codes.dedup();
        assert_eq!(codes.len(), all.len());
        for error in &all {
            let rejection = error.rejection();
            let is_capitalised = rejection.message.starts_with(char::is_uppercase);
            assert!(is_capitalised && rejection.advice.ends_with('.'), "{rejection}");
        }
    }
}
