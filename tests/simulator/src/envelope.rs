//! How TikTok words its answers: the v2 envelope, the flat shape of `OAuth`, and
//! every refusal with its code and HTTP status.
//!
//! Does not decide who is refused. A refusal that is the client's own fault
//! names the rule that was broken.
//!
//! <https://developers.tiktok.com/doc/tiktok-api-v2-error-handling>

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// An answer, before it meets a socket.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Reply {
    /// Answers with JSON.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json; charset=utf-8", body.to_string())
    }

    /// Answers with a page for a browser.
    pub(crate) fn html(status: u16, body: String) -> Self {
        Self::new(status, "text/html; charset=utf-8", body)
    }

    /// Answers with a status alone, as the upload host does.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// Sends a browser elsewhere.
    pub(crate) fn redirect(to: String) -> Self {
        Self { status: 302, headers: vec![("location", to)], body: String::new() }
    }

    fn new(status: u16, content_type: &str, body: String) -> Self {
        Self { status, headers: vec![("content-type", content_type.to_owned())], body }
    }
}

/// The families of rules that a client can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A path that does not exist; the trailing slash is part of a path.
    Route,
    /// A method that the endpoint does not answer.
    Method,
    /// A `Content-Type` other than the documented one.
    ContentType,
    /// A body, query or form that is not as documented.
    Body,
    /// A token where none belongs, or none where one does.
    Credentials,
    /// A chunk plan that is not allowed.
    Plan,
    /// A range that is not the next one of the plan.
    Range,
    /// Missing or malformed headers of an upload.
    Headers,
    /// Two uploads to one URL at the same time.
    Parallel,
    /// More calls a minute than allowed.
    RateLimit,
    /// A privacy level that the creator did not offer.
    Privacy,
    /// A direct post without a fresh look at what the creator may post.
    Freshness,
    /// Credentials or parameters that `OAuth` does not accept.
    #[serde(rename = "oauth")]
    OAuth,
}

/// A refusal as a v2 endpoint words it.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) rule: Option<Rule>,
}

const GUIDELINES: &str = "Please review our integration guidelines at \
    https://developers.tiktok.com/doc/content-sharing-guidelines/";

impl Refusal {
    fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), rule: None }
    }

    /// Marks the refusal as the client's fault.
    pub(crate) fn breaking(mut self, rule: Rule) -> Self {
        self.rule = Some(rule);
        self
    }

    /// Changes the HTTP status, where TikTok answers the same code with several.
    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_params", message).breaking(Rule::Body)
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
        Self::new(429, "rate_limit_exceeded", message).breaking(Rule::RateLimit)
    }

    pub(crate) fn invalid_publish_id() -> Self {
        Self::new(400, "invalid_publish_id", "The publish_id does not exist.")
    }

    pub(crate) fn publish_id_of_another() -> Self {
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
        Self::new(403, "privacy_level_option_mismatch", GUIDELINES).breaking(Rule::Privacy)
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
        Self::new(404, "not_found", "Unsupported path(Janus)").breaking(Rule::Route)
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(405, "method_not_allowed", "Unsupported method").breaking(Rule::Method)
    }

    pub(crate) fn wrong_content_type(expected: &str) -> Self {
        let message = format!("The Content-Type must be {expected}.");
        Self::invalid_params(message).breaking(Rule::ContentType)
    }

    /// Words the refusal as v2 endpoints do.
    pub(crate) fn reply(&self, log_id: &str) -> Reply {
        Reply::json(self.status, &envelope(None, &self.code, &self.message, log_id))
    }
}

/// Words a success as v2 endpoints do.
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

/// A refusal as the `OAuth` endpoints word it.
///
/// <https://developers.tiktok.com/doc/oauth-error-handling>
#[derive(Debug, Clone)]
pub(crate) struct OAuthRefusal {
    pub(crate) status: u16,
    pub(crate) error: &'static str,
    pub(crate) description: &'static str,
    pub(crate) rule: Option<Rule>,
}

impl OAuthRefusal {
    pub(crate) fn new(error: &'static str, description: &'static str) -> Self {
        Self { status: 400, error, description, rule: Some(Rule::OAuth) }
    }

    /// Refuses a code or token; not the client's fault, which cannot know.
    pub(crate) fn invalid_grant(status: u16, description: &'static str) -> Self {
        Self { status, error: "invalid_grant", description, rule: None }
    }

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
    fn a_success_nests_its_code_in_error() {
        let reply = success(json!({ "a": 1 }), "L1");
        let body: Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(body["error"]["code"], "ok");
        assert_eq!(body["error"]["log_id"], "L1");
        assert_eq!(body["data"]["a"], 1);
    }

    #[test]
    fn an_oauth_refusal_is_flat() {
        let reply = OAuthRefusal::new("invalid_client", "no").reply("L1");
        let body: Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(body["error"], "invalid_client");
        assert_eq!(body["log_id"], "L1");
        assert_eq!(reply.status, 400);
    }
}
