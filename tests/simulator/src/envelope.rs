//! TikTok's response formats: the v2 envelope, the flat `OAuth` format, and every error
//! with its code and HTTP status.
//!
//! The endpoints decide when a call fails; this module only builds the response. An error
//! that the client caused by breaking a documented rule names that [`Rule`].
//!
//! <https://developers.tiktok.com/doc/tiktok-api-v2-error-handling>

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// An HTTP response that has not been written to a connection yet.
///
/// An injected fault may still change it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Reply {
    /// Builds a JSON response.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json; charset=utf-8", body.to_string())
    }

    /// Builds an HTML page for a browser.
    pub(crate) fn html(status: u16, body: String) -> Self {
        Self::new(status, "text/html; charset=utf-8", body)
    }

    /// Builds a response without a body, as the upload host sends.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// Builds a redirect (302).
    pub(crate) fn redirect(location: String) -> Self {
        Self { status: 302, headers: vec![("location", location)], body: String::new() }
    }

    fn new(status: u16, content_type: &str, body: String) -> Self {
        Self { status, headers: vec![("content-type", content_type.to_owned())], body }
    }
}

/// The documented rules that a client can break, by group.
///
/// The ledger records a violation under one of them; see [`crate::Violation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A path that does not exist. TikTok's paths end with a slash.
    Route,
    /// A method that the endpoint does not accept.
    Method,
    /// A `Content-Type` other than the documented one.
    ContentType,
    /// A body, query or form that does not have the documented fields and types.
    Body,
    /// A missing access token, or one sent to an upload URL.
    Credentials,
    /// A chunk plan that is not allowed.
    Plan,
    /// A range that is not the next one of the chunk plan, or a repeated range with other bytes.
    Range,
    /// A missing or malformed header of an upload.
    Headers,
    /// Two uploads to one URL at the same time.
    Parallel,
    /// More calls per minute than the rate limit allows.
    RateLimit,
    /// A privacy level that the creator's options do not contain, or private branded content.
    Privacy,
    /// A direct post without a recent `creator_info/query` of its own.
    Freshness,
    /// Wrong app credentials or parameters in an `OAuth` call.
    #[serde(rename = "oauth")]
    OAuth,
}

/// An error of a v2 endpoint.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    /// The rule that the client broke, if it broke one.
    pub(crate) rule: Option<Rule>,
}

/// The message of most 403 errors; the code tells them apart.
const GUIDELINES: &str = "Please review our integration guidelines at \
    https://developers.tiktok.com/doc/content-sharing-guidelines/";

impl ApiError {
    fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), rule: None }
    }

    /// Marks the error as a violation: the ledger records that the client broke the rule.
    pub(crate) fn violating(mut self, rule: Rule) -> Self {
        self.rule = Some(rule);
        self
    }

    /// Replaces the HTTP status, because TikTok sends some codes with different statuses.
    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_params", message).violating(Rule::Body)
    }

    pub(crate) fn access_token_invalid() -> Self {
        Self::new(401, "access_token_invalid", "The access token is invalid or not found in the request.")
    }

    pub(crate) fn scope_not_authorized() -> Self {
        Self::new(
            401,
            "scope_not_authorized",
            "The user did not authorize the scope required for completing this request.",
        )
    }

    pub(crate) fn scope_permission_missed(field: &str) -> Self {
        let message = format!("The field {field} needs a scope that was not granted.");
        Self::new(400, "scope_permission_missed", message)
    }

    pub(crate) fn rate_limit_exceeded() -> Self {
        let message = "The API rate limit was exceeded. Please try again later.";
        Self::new(429, "rate_limit_exceeded", message).violating(Rule::RateLimit)
    }

    pub(crate) fn invalid_publish_id() -> Self {
        Self::new(400, "invalid_publish_id", "The publish_id does not exist.")
    }

    pub(crate) fn publish_id_of_another_user() -> Self {
        Self::new(
            400,
            "token_not_authorized_for_specified_publish_id",
            "The access token has no authorization for this publish_id.",
        )
    }

    pub(crate) fn publish_not_cancellable() -> Self {
        let message = "The publish cannot be cancelled.";
        Self::new(400, "publish_not_cancellable", message)
    }

    pub(crate) fn url_ownership_unverified() -> Self {
        Self::new(403, "url_ownership_unverified", GUIDELINES)
    }

    pub(crate) fn privacy_level_option_mismatch() -> Self {
        Self::new(403, "privacy_level_option_mismatch", GUIDELINES).violating(Rule::Privacy)
    }

    pub(crate) fn unaudited_client() -> Self {
        let code = "unaudited_client_can_only_post_to_private_accounts";
        Self::new(403, code, GUIDELINES)
    }

    pub(crate) fn reached_active_user_cap() -> Self {
        Self::new(403, "reached_active_user_cap", GUIDELINES)
    }

    pub(crate) fn too_many_posts() -> Self {
        Self::new(403, "spam_risk_too_many_posts", GUIDELINES)
    }

    pub(crate) fn banned_from_posting() -> Self {
        Self::new(403, "spam_risk_user_banned_from_posting", GUIDELINES)
    }

    pub(crate) fn too_many_pending_shares() -> Self {
        Self::new(403, "spam_risk_too_many_pending_share", GUIDELINES)
    }

    pub(crate) fn not_found() -> Self {
        Self::new(404, "not_found", "Unsupported path(Janus)").violating(Rule::Route)
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(405, "method_not_allowed", "Unsupported method").violating(Rule::Method)
    }

    pub(crate) fn wrong_content_type(expected: &str) -> Self {
        let message = format!("The Content-Type must be {expected}.");
        Self::invalid_params(message).violating(Rule::ContentType)
    }

    /// Builds the response.
    pub(crate) fn reply(&self, log_id: &str) -> Reply {
        Reply::json(self.status, &envelope(None, &self.code, &self.message, log_id))
    }
}

/// Builds the response of a successful v2 call.
pub(crate) fn success(data: Value, log_id: &str) -> Reply {
    Reply::json(200, &envelope(Some(data), "ok", "", log_id))
}

/// Builds `{ "data": …, "error": { "code", "message", "log_id" } }`.
pub(crate) fn envelope(data: Option<Value>, code: &str, message: &str, log_id: &str) -> Value {
    let error = json!({ "code": code, "message": message, "log_id": log_id });
    match data {
        Some(data) => json!({ "data": data, "error": error }),
        None => json!({ "error": error }),
    }
}

/// An error of an `OAuth` endpoint: flat, without an envelope.
///
/// <https://developers.tiktok.com/doc/oauth-error-handling>
#[derive(Debug, Clone)]
pub(crate) struct OAuthError {
    pub(crate) status: u16,
    pub(crate) error: &'static str,
    pub(crate) description: &'static str,
    /// The rule that the client broke, if it broke one.
    pub(crate) rule: Option<Rule>,
}

impl OAuthError {
    /// An error that the client caused ([`Rule::OAuth`]), with HTTP status 400.
    pub(crate) fn new(error: &'static str, description: &'static str) -> Self {
        Self { status: 400, error, description, rule: Some(Rule::OAuth) }
    }

    /// An invalid code or token. No violation: a client cannot know that a token was revoked or expired.
    pub(crate) fn invalid_grant(status: u16, description: &'static str) -> Self {
        Self { status, error: "invalid_grant", description, rule: None }
    }

    /// Builds the response.
    pub(crate) fn reply(&self, log_id: &str) -> Reply {
        let body = json!({
            "error": self.error,
            "error_description": self.description,
            "log_id": log_id,
        });
        Reply::json(self.status, &body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_code_is_nested_in_error() {
        let reply = success(json!({ "a": 1 }), "L1");
        let body: Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(body["error"]["code"], "ok");
        assert_eq!(body["error"]["log_id"], "L1");
        assert_eq!(body["data"]["a"], 1);
    }

    #[test]
    fn oauth_error_is_flat() {
        let reply = OAuthError::new("invalid_client", "no").reply("L1");
        let body: Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(body["error"], "invalid_client");
        assert_eq!(body["log_id"], "L1");
        assert_eq!(reply.status, 400);
    }
}
