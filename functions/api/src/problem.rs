//! Error responses: problem documents as in RFC 9457, `application/problem+json`.
//!
//! `code` is stable, and `type` is the code as a URN. [`Problem`] has a conversion from each error of `posting`; these
//! conversions choose the status and the code, and log the error once.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::account::PreferencesError;
use domain::failure::{Disposition, Rejection, error_chain, single_line};
use posting::{CommandError, ConfigureError, ConnectError, CreateError, CreatorError};
use serde::Serialize;

/// Maximum length of a title and of a detail, in characters. Both can quote the request.
const MAX_TEXT: usize = 500;

/// Advice for an error that only the operator can fix.
const SEE_LOG: &str = "The operator finds the cause in the log of the api function.";
/// Advice for an unknown post.
pub(crate) const LIST_POSTS: &str = "GET /posts lists the posts.";
const LIST_ACCOUNTS: &str = "GET /accounts lists the accounts.";
const FIX_PREFERENCES: &str = "Correct the change; nothing was changed.";

/// Why a request failed, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Problem {
    /// `urn:dropcast:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// What failed.
    pub(crate) title: String,
    /// The HTTP status.
    status: u16,
    /// What to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) detail: String,
    /// A stable code for programs.
    pub(crate) code: String,
    /// TikTok's id of its answer, for TikTok's support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) log_id: Option<String>,
    /// The time after which a retry can succeed; sent as the `Retry-After` header.
    #[serde(skip)]
    retry_after: Option<Duration>,
}

impl Problem {
    /// A problem. `title` states what failed, `detail` what to do.
    pub(crate) fn new(status: StatusCode, code: &str, title: &str, detail: &str) -> Self {
        Self::of(status, Rejection::new(code, title, detail))
    }

    /// A problem for a rejection. Title and detail are limited to [`MAX_TEXT`] characters on a single line.
    pub(crate) fn of(status: StatusCode, rejection: Rejection) -> Self {
        Self {
            kind: format!("urn:dropcast:problem:{}", rejection.code),
            title: single_line(&rejection.message, MAX_TEXT),
            status: status.as_u16(),
            detail: single_line(&rejection.advice, MAX_TEXT),
            code: rejection.code,
            log_id: rejection.log_id,
            retry_after: None,
        }
    }

    /// The problem of a path without a route.
    pub(crate) fn no_such_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "There is no such route", "GET /openapi.json lists the routes.")
    }

    /// The problem of a path that has routes, but none for this method.
    pub(crate) fn method_not_allowed() -> Self {
        let title = "The route does not accept this method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", title, "GET /openapi.json lists the routes.")
    }

    /// The problem of a failed random number generator. Without random bytes, state and write tokens could be guessed.
    pub(crate) fn no_randomness() -> Self {
        let title = "The random number generator failed";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "no_randomness", title, "Try again.")
    }

    /// The problem of an error, with the error's text as title. It logs the error with its causes.
    fn logged(status: StatusCode, code: &str, error: &dyn std::error::Error, advice: &str) -> Self {
        log_rejection(status, code, None, error);
        Self::new(status, code, &capitalised(&error.to_string()), advice)
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

fn log_rejection(status: StatusCode, code: &str, log_id: Option<&str>, error: &dyn std::error::Error) {
    let error = single_line(&error_chain(error), 2 * MAX_TEXT);
    if status.is_server_error() {
        tracing::error!(problem.code = code, tiktok.log_id = log_id, error, "request failed");
    } else {
        tracing::warn!(problem.code = code, tiktok.log_id = log_id, error, "request rejected");
    }
}

impl From<ConnectError> for Problem {
    fn from(error: ConnectError) -> Self {
        let (status, rejection) = (connect_status(&error), error.rejection());
        log_rejection(status, &rejection.code, rejection.log_id.as_deref(), &error);
        Self::of(status, rejection)
    }
}

/// The status of a failed connection: 502 if TikTok failed or refused the app, 503 if the app's credentials cannot be read
/// or one of our own services failed.
fn connect_status(error: &ConnectError) -> StatusCode {
    match error {
        ConnectError::Alias(_) | ConnectError::Malformed | ConnectError::StateNotFound => StatusCode::BAD_REQUEST,
        ConnectError::Denied(_) | ConnectError::ScopeMissing { .. } => StatusCode::FORBIDDEN,
        ConnectError::AccountNotFound(_) => StatusCode::NOT_FOUND,
        ConnectError::StateUsed { .. }
        | ConnectError::WrongUser { .. }
        | ConnectError::ConnectedElsewhere { .. }
        | ConnectError::Busy => StatusCode::CONFLICT,
        ConnectError::StateExpired { .. } => StatusCode::GONE,
        // The browser brought an invalid or used code. The app and TikTok work.
        ConnectError::CodeRefused(error) if error.disposition() == Disposition::NeedsUser => StatusCode::BAD_REQUEST,
        ConnectError::CodeRefused(_) | ConnectError::ExchangeTimeout(_) => StatusCode::BAD_GATEWAY,
        ConnectError::App(_) | ConnectError::Cipher(_) | ConnectError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl From<ConfigureError> for Problem {
    fn from(error: ConfigureError) -> Self {
        let (status, code) = match error {
            ConfigureError::NotFound(alias) => return ConnectError::AccountNotFound(alias).into(),
            ConfigureError::Store(error) => return ConnectError::Store(error).into(),
            ConfigureError::Busy => return ConnectError::Busy.into(),
            ConfigureError::Invalid(PreferencesError::Malformed(_)) => {
                (StatusCode::BAD_REQUEST, "preferences_malformed")
            }
            ConfigureError::Invalid(PreferencesError::Refused(_)) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "preferences_invalid")
            }
        };
        log_rejection(status, code, None, &error);
        // The title includes the causes, because they name the invalid field.
        Self::new(status, code, &error_chain(&error), FIX_PREFERENCES)
    }
}

impl From<CreateError> for Problem {
    fn from(error: CreateError) -> Self {
        let (status, code, advice) = match &error {
            CreateError::Malformed(_) => (StatusCode::BAD_REQUEST, "request_malformed", "Correct the request."),
            CreateError::AccountNotFound(_) => (StatusCode::UNPROCESSABLE_ENTITY, "account_not_found", LIST_ACCOUNTS),
            CreateError::ObjectNotFound(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "object_not_found", "Upload the object first, or name another.")
            }
            CreateError::Size(_) => (StatusCode::UNPROCESSABLE_ENTITY, "size_invalid", "Choose another video."),
            CreateError::FileName(_) => (StatusCode::UNPROCESSABLE_ENTITY, "file_name_invalid", "Choose another name."),
            CreateError::ContentType(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "content_type_invalid", "Export the video as MP4, MOV or WebM.")
            }
            CreateError::KeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "Repeat the first request exactly, or choose a new key.",
            ),
            CreateError::Exists(_) => {
                (StatusCode::CONFLICT, "post_exists", "To post it once more, give the request an Idempotency-Key.")
            }
            CreateError::PostNotFound(_) => (StatusCode::NOT_FOUND, "post_not_found", LIST_POSTS),
            CreateError::NotMultipart(_) => (StatusCode::CONFLICT, "not_multipart", "GET the post to see its state."),
            CreateError::PartsMissing(_) => (
                StatusCode::CONFLICT,
                "parts_missing",
                "Upload these parts completely, then complete the upload again.",
            ),
            CreateError::Object(_) => (StatusCode::SERVICE_UNAVAILABLE, "bucket_unavailable", SEE_LOG),
            CreateError::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", SEE_LOG),
        };
        Self::logged(status, code, &error, advice)
    }
}

impl From<CreatorError> for Problem {
    fn from(error: CreatorError) -> Self {
        let later = "Try again after the time in Retry-After.";
        match &error {
            CreatorError::NotFound(alias) => ConnectError::AccountNotFound(alias.clone()).into(),
            CreatorError::NeedsReconnect(_) => {
                let advice = "Connect the account again: GET /connect.";
                Self::logged(StatusCode::CONFLICT, "needs_reconnect", &error, advice)
            }
            CreatorError::Limited { after, .. } => {
                let problem = Self::logged(StatusCode::TOO_MANY_REQUESTS, "rate_limited", &error, later);
                Self { retry_after: Some(*after), ..problem }
            }
            CreatorError::Refused(failure) => {
                let problem = Self::logged(StatusCode::BAD_GATEWAY, "tiktok_refused", &error, &failure.advice);
                Self { log_id: failure.log_id.clone(), ..problem }
            }
            CreatorError::Unavailable { after, .. } => {
                let problem = Self::logged(StatusCode::SERVICE_UNAVAILABLE, "tiktok_unavailable", &error, later);
                Self { retry_after: Some(*after), ..problem }
            }
            CreatorError::Store(_) => {
                Self::logged(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", &error, SEE_LOG)
            }
        }
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        let (status, code, advice) = match &error {
            CommandError::NotFound(_) => (StatusCode::NOT_FOUND, "post_not_found", LIST_POSTS),
            CommandError::Rejected(rejected) => (StatusCode::CONFLICT, rejected.code(), rejected.advice()),
            CommandError::Options(_) => {
                (StatusCode::BAD_REQUEST, "options_malformed", "Correct the options; nothing was changed.")
            }
            CommandError::Busy => (StatusCode::CONFLICT, "busy", "Try again in a few seconds."),
            CommandError::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", SEE_LOG),
        };
        Self::logged(status, code, &error, advice)
    }
}

/// The sentence with an uppercase first letter.
pub(crate) fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // The serialization cannot fail: a problem consists of strings and a number.
        let body = serde_json::to_string(&self).unwrap_or_default();
        let content_type = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status(), content_type, body).into_response();
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
    fn invalid_code_gets_400_and_failed_exchange_gets_502() {
        for (http, code, status) in
            [(400, "invalid_grant", 400), (401, "invalid_client", 502), (500, "server_error", 502)]
        {
            let refusal = ApiError { http, code: code.into(), message: String::new(), log_id: None };
            let error = OAuthError::new(OAuthCall::Exchange, ErrorKind::Refused(refusal));
            assert_eq!(Problem::from(ConnectError::CodeRefused(error)).status().as_u16(), status, "{code}");
        }
    }

    #[test]
    fn quoted_request_is_shortened_to_one_line() {
        let long = "x\n".repeat(30_000);
        let errors = [CreateError::ObjectNotFound(long.clone()), CreateError::ContentType(long.clone())];
        let direct = Problem::new(StatusCode::BAD_REQUEST, "query_malformed", &long, &long);
        for problem in errors.map(Problem::from).into_iter().chain([direct]) {
            let texts = [&problem.title, &problem.detail];
            assert!(texts.iter().all(|text| text.len() <= MAX_TEXT && !text.contains('\n')), "{problem:?}");
        }
    }

    #[test]
    fn problem_has_stable_type_and_advice() {
        let error = ConnectError::AccountNotFound(Alias::new("anna").unwrap());
        let advice = error.rejection().advice;
        assert!(advice.contains("GET /accounts"), "{advice}");
        assert_eq!(
            serde_json::to_value(Problem::from(error)).unwrap(),
            json!({
                "type": "urn:dropcast:problem:account_not_found", "code": "account_not_found", "status": 404,
                "title": "Account \"anna\" not found", "detail": advice,
            })
        );
    }
}
