//! What went wrong, as programs read it: RFC 9457, `application/problem+json`.
//!
//! `code` is stable; so is `type`, which is the same as a URN. Whatever a problem
//! quotes of a request, it is a few short lines.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::account::PreferencesError;
use domain::failure::{Disposition, Failure, error_chain, single_line};
use posting::{CommandError, ConfigureError, ConnectError, CreateError, CreatorError};
use serde::Serialize;

/// How much is said of what happened, and of what to do, in characters.
const LONGEST: usize = 500;

/// Something that was not done, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    kind: String,
    /// What happened.
    pub(crate) title: String,
    status: u16,
    /// What to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) detail: String,
    /// The stable word.
    pub(crate) code: String,
    /// TikTok's id of the answer, for its support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) log_id: Option<String>,
    /// The least wait before it is worth trying again.
    #[serde(skip)]
    retry_after: Option<Duration>,
}

impl Problem {
    /// States a problem.
    pub(crate) fn new(status: StatusCode, code: &str, title: &str, detail: &str) -> Self {
        Self::of(status, Failure::new(code, title, detail))
    }

    /// States an error, and logs it, once.
    fn told(status: StatusCode, code: &str, error: &dyn std::error::Error, advice: &str) -> Self {
        let why = single_line(&error_chain(error), 2 * LONGEST);
        if status.is_server_error() {
            tracing::error!(problem.code = code, why, "request refused");
        } else {
            tracing::warn!(problem.code = code, why, "request refused");
        }
        Self::new(status, code, &capitalised(&error.to_string()), advice)
    }

    /// States that nothing can be made that nobody could guess.
    pub(crate) fn no_randomness() -> Self {
        let title = "The system gives no randomness, without which no request is safe";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "no_randomness", title, "Try again.")
    }

    /// States a failure as a problem.
    pub(crate) fn of(status: StatusCode, failure: Failure) -> Self {
        Self {
            kind: format!("urn:dropcast:problem:{}", failure.code),
            title: single_line(&failure.message, LONGEST),
            status: status.as_u16(),
            detail: single_line(&failure.advice, LONGEST),
            code: failure.code,
            log_id: failure.log_id,
            retry_after: None,
        }
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl From<ConnectError> for Problem {
    /// States why a connecting ended, and logs it, once.
    fn from(error: ConnectError) -> Self {
        let (status, failure) = (status_of(&error), error.failure());
        let (code, why) = (&failure.code, error_chain(&error));
        if status.is_server_error() {
            tracing::error!(connect.code = code, tiktok.log_id = failure.log_id, why, "request refused");
        } else {
            tracing::warn!(connect.code = code, tiktok.log_id = failure.log_id, why, "request refused");
        }
        Self::of(status, failure)
    }
}

impl From<ConfigureError> for Problem {
    /// States why an account was not configured.
    fn from(error: ConfigureError) -> Self {
        let why = error_chain(&error);
        let (status, code, advice) = match error {
            ConfigureError::Unknown(alias) => return ConnectError::UnknownAccount(alias).into(),
            ConfigureError::Store(error) => return ConnectError::Store(error).into(),
            ConfigureError::Busy => return ConnectError::Busy.into(),
            ConfigureError::Refused(PreferencesError::Malformed(_)) => {
                (StatusCode::BAD_REQUEST, "preferences_malformed", "Mend the change; nothing of it was made.")
            }
            ConfigureError::Refused(PreferencesError::Refused(_)) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "preferences_invalid", "Mend the change; nothing of it was made.")
            }
        };
        tracing::warn!(connect.code = code, why, "request refused");
        Self::new(status, code, &why, advice)
    }
}

impl From<CreateError> for Problem {
    /// States why a post was not made of a request.
    fn from(error: CreateError) -> Self {
        let (status, code, advice) = match &error {
            CreateError::Malformed(_) => (StatusCode::BAD_REQUEST, "request_malformed", "Mend the request."),
            CreateError::UnknownAccount(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "account_not_found", "GET /accounts lists those that there are.")
            }
            CreateError::NoObject { .. } => {
                (StatusCode::UNPROCESSABLE_ENTITY, "object_not_found", "Put it there first, or name another one.")
            }
            CreateError::Size(_) => (StatusCode::UNPROCESSABLE_ENTITY, "size_invalid", "Choose another video."),
            CreateError::FileName(_) => (StatusCode::UNPROCESSABLE_ENTITY, "file_name_invalid", "Choose another name."),
            CreateError::ContentType(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "content_type_invalid", "Export the video as MP4, MOV or WebM.")
            }
            CreateError::KeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "Repeat that request to the letter, or choose a new key for this one.",
            ),
            CreateError::Exists(_) => {
                (StatusCode::CONFLICT, "post_exists", "To post it once more, give the request an Idempotency-Key.")
            }
            CreateError::UnknownPost(_) => {
                (StatusCode::NOT_FOUND, "post_not_found", "GET /posts lists those that there are.")
            }
            CreateError::NotInParts(_) => {
                (StatusCode::CONFLICT, "not_multipart", "GET the post to see where it stands.")
            }
            CreateError::PartsMissing(_) => {
                (StatusCode::CONFLICT, "parts_missing", "Send these parts, whole, and complete the upload again.")
            }
            CreateError::Object(_) => (StatusCode::SERVICE_UNAVAILABLE, "bucket_unavailable", OPERATOR),
            CreateError::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", OPERATOR),
        };
        Self::told(status, code, &error, advice)
    }
}

const OPERATOR: &str = "The operator finds the cause in the log of the api function.";

impl From<CreatorError> for Problem {
    /// States why it is not known what a creator may post.
    fn from(error: CreatorError) -> Self {
        let again = "Try again after the time that Retry-After names.";
        match &error {
            CreatorError::Unknown(alias) => ConnectError::UnknownAccount(alias.clone()).into(),
            CreatorError::NeedsReconnect(_) => {
                Self::told(StatusCode::CONFLICT, "needs_reconnect", &error, "Have its user consent: GET /connect.")
            }
            CreatorError::Limited { after, .. } => {
                let problem = Self::told(StatusCode::TOO_MANY_REQUESTS, "rate_limited", &error, again);
                Self { retry_after: Some(*after), ..problem }
            }
            CreatorError::Refused(failure) => {
                let problem = Self::told(StatusCode::BAD_GATEWAY, "tiktok_refused", &error, &failure.advice);
                Self { log_id: failure.log_id.clone(), ..problem }
            }
            CreatorError::Unavailable { after, .. } => {
                let problem = Self::told(StatusCode::SERVICE_UNAVAILABLE, "tiktok_unavailable", &error, again);
                Self { retry_after: Some(*after), ..problem }
            }
            CreatorError::Store(_) => {
                Self::told(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", &error, OPERATOR)
            }
        }
    }
}

impl From<CommandError> for Problem {
    /// States why nothing was done about a post.
    fn from(error: CommandError) -> Self {
        let (status, code, advice) = match &error {
            CommandError::Unknown(_) => {
                (StatusCode::NOT_FOUND, "post_not_found", "GET /posts lists those that there are.")
            }
            CommandError::Refused(refusal) => (StatusCode::CONFLICT, refusal.code(), refusal.advice()),
            CommandError::Options(_) => {
                (StatusCode::BAD_REQUEST, "options_malformed", "Mend the options; nothing was changed.")
            }
            CommandError::Busy => (StatusCode::CONFLICT, "busy", "Try again in a moment."),
            CommandError::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", OPERATOR),
        };
        Self::told(status, code, &error, advice)
    }
}

pub(crate) fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn status_of(error: &ConnectError) -> StatusCode {
    match error {
        ConnectError::Alias(_) | ConnectError::Malformed | ConnectError::StateUnknown => StatusCode::BAD_REQUEST,
        ConnectError::Denied(_) | ConnectError::ScopeMissing { .. } => StatusCode::FORBIDDEN,
        ConnectError::UnknownAccount(_) => StatusCode::NOT_FOUND,
        ConnectError::StateUsed { .. }
        | ConnectError::WrongUser { .. }
        | ConnectError::ConnectedElsewhere { .. }
        | ConnectError::Busy => StatusCode::CONFLICT,
        ConnectError::StateExpired { .. } => StatusCode::GONE,
        // The code that was brought is none, or was used: nothing is wrong here or at TikTok.
        ConnectError::CodeRefused(error) if error.disposition() == Disposition::NeedsUser => StatusCode::BAD_REQUEST,
        ConnectError::CodeRefused(_) | ConnectError::Unanswered(_) => StatusCode::BAD_GATEWAY,
        ConnectError::App(_) | ConnectError::KmsCipher(_) | ConnectError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // A problem has nothing that JSON could not say.
        let body = serde_json::to_string(&self).unwrap_or_default();
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status(), kind, body).into_response();
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::identity::Alias;
    use serde_json::json;
    use tiktok::{ApiError, ErrorKind, OAuthCall, OAuthError};

    #[test]
    fn a_code_that_is_none_is_told_from_one_that_tiktok_does_not_exchange_now() {
        for (http, code, status) in
            [(400, "invalid_grant", 400), (401, "invalid_client", 502), (500, "server_error", 502)]
        {
            let refusal = ApiError { http, code: code.into(), message: String::new(), log_id: None };
            let error = OAuthError { call: OAuthCall::Exchange, fault: ErrorKind::Refused(refusal) };
            assert_eq!(Problem::from(ConnectError::CodeRefused(error)).status().as_u16(), status, "{code}");
        }
    }

    #[test]
    fn a_problem_is_short_and_in_one_line_whatever_was_asked() {
        let long = "x\n".repeat(30_000);
        let asked = [CreateError::NoObject { key: long.clone() }, CreateError::ContentType(long.clone())];
        let told = Problem::new(StatusCode::BAD_REQUEST, "query_malformed", &long, &long);
        for problem in asked.map(Problem::from).into_iter().chain([told]) {
            let said = [&problem.title, &problem.detail];
            assert!(said.iter().all(|words| words.len() <= LONGEST && !words.contains('\n')), "{problem:?}");
        }
    }

    #[test]
    fn a_problem_has_a_stable_type_and_says_what_to_do() {
        let problem = Problem::from(ConnectError::UnknownAccount(Alias::new("anna").unwrap()));
        assert_eq!(
            serde_json::to_value(&problem).unwrap(),
            json!({
                "type": "urn:dropcast:problem:account_not_found", "code": "account_not_found", "status": 404,
                "title": "There is no account \"anna\"", "detail": "GET /accounts lists those that there are.",
            })
        );
    }
}
