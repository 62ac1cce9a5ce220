//! The handler of every call except uploads, which [`crate::upload`] handles.
//!
//! A v2 call passes these checks in order: path, method and content type; access token;
//! scope; rate limit; then the checks of its endpoint. The authorization page and the
//! OAuth endpoints need no access token and have no rate limit.
//!
//! Everything here is synchronous and runs under the lock of the [`World`]. This module knows
//! no sockets and no injected faults; [`crate::server`] handles both.

use jiff::Timestamp;
use serde_json::Value;

use crate::call::ApiCall;
use crate::endpoint::{BodyKind, Endpoint};
use crate::envelope::{ApiError, OAuthError, Reply, Rule, success};
use crate::ids::{OpenId, PublishId};
use crate::world::World;
use crate::{authorize, creator, init, oauth, status, videos};

/// The result of a call: the response, and what the call log records.
#[derive(Debug)]
pub(crate) struct CallOutcome {
    pub(crate) reply: Reply,
    /// `ok`, TikTok's error code, or a short result such as `accepted` for an upload.
    pub(crate) code: String,
    pub(crate) user: Option<OpenId>,
    pub(crate) publish_id: Option<PublishId>,
}

/// The user and the publish that a call concerns, as far as they are known.
///
/// Faults match on both, and the call log records both.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallSubject {
    pub(crate) user: Option<OpenId>,
    pub(crate) publish_id: Option<PublishId>,
}

/// Handles a call, and records a violation if the client broke a rule.
pub(crate) fn handle_call(world: &mut World, call: &ApiCall, now: Timestamp) -> CallOutcome {
    let mut subject = subject_of(world, call, now);
    let (reply, code, violation) = match call.endpoint {
        Endpoint::Authorize if check_request(call).is_ok() => {
            let page = authorize::handle(world, call, now);
            (page.reply, page.code, page.violation)
        }
        Endpoint::Token | Endpoint::Revoke if has_allowed_method(call) => {
            let log_id = world.ids.log_id();
            match oauth::answer(world, call, &mut subject, now) {
                Ok(body) => (Reply::json(200, &body), "ok".to_owned(), None),
                Err(error) => oauth_failure(&error, &log_id),
            }
        }
        // Includes a call to the endpoints above with a wrong method: `check_request` refuses it.
        _ => {
            let log_id = world.ids.log_id();
            match handle_v2(world, call, &mut subject, now) {
                Ok(data) => (success(data, &log_id), "ok".to_owned(), None),
                Err(error) => v2_failure(&error, &log_id),
            }
        }
    };
    if let Some((rule, message)) = violation {
        let CallSubject { user, publish_id } = subject.clone();
        world.record_violation(call.endpoint, rule, user, publish_id, message);
    }
    CallOutcome { reply, code, user: subject.user, publish_id: subject.publish_id }
}

/// The response to a failed call, the code for the call log, and the rule that the client broke, if any.
type Failure = (Reply, String, Option<(Rule, String)>);

fn oauth_failure(error: &OAuthError, log_id: &str) -> Failure {
    let violation = error.rule.map(|rule| (rule, format!("{}: {}", error.error, error.description)));
    (error.reply(log_id), error.error.to_owned(), violation)
}

fn v2_failure(error: &ApiError, log_id: &str) -> Failure {
    let violation = error.rule.map(|rule| (rule, format!("{}: {}", error.code, error.message)));
    (error.reply(log_id), error.code.clone(), violation)
}

/// Finds the user and the publish that a call concerns, before the call is checked.
///
/// An expired or revoked token still identifies its user, so that the call is recorded under that user.
pub(crate) fn subject_of(world: &World, call: &ApiCall, now: Timestamp) -> CallSubject {
    let token_owner = call.bearer().and_then(|token| world.tokens.owner(token));
    let publish_id = call.body_publish_id().map(PublishId::new);
    CallSubject {
        user: token_owner.or_else(|| oauth::user_of(world, call, now)),
        publish_id: publish_id.filter(|id| world.find_publish(id).is_some()),
    }
}

fn has_allowed_method(call: &ApiCall) -> bool {
    call.endpoint.methods().contains(&call.method.as_str())
}

/// Checks the path, the method and, for JSON endpoints, the content type.
fn check_request(call: &ApiCall) -> Result<(), ApiError> {
    if call.endpoint == Endpoint::Unknown {
        return Err(ApiError::not_found());
    }
    if !has_allowed_method(call) {
        return Err(ApiError::method_not_allowed());
    }
    if call.endpoint.body() == BodyKind::Json && !call.has_content_type("application/json") {
        return Err(ApiError::wrong_content_type("application/json; charset=UTF-8"));
    }
    Ok(())
}

fn handle_v2(world: &mut World, call: &ApiCall, subject: &mut CallSubject, now: Timestamp) -> Result<Value, ApiError> {
    check_request(call)?;
    let bearer = call.bearer().ok_or_else(|| ApiError::access_token_invalid().violating(Rule::Credentials))?;
    let token = world.tokens.access(bearer, now);
    let token = token.cloned().ok_or_else(ApiError::access_token_invalid)?;
    let accepted_scopes = call.endpoint.scopes();
    if !accepted_scopes.iter().any(|scope| token.scopes.contains(scope)) {
        return Err(ApiError::scope_not_authorized());
    }
    if let Some(limit) = call.endpoint.calls_per_minute(&world.settings)
        && !world.rate_limiter.try_acquire(call.endpoint, bearer, limit, now)
    {
        return Err(ApiError::rate_limit_exceeded());
    }
    let user = &token.user;
    let mut record_id = |(id, data): (PublishId, Value)| {
        subject.publish_id = Some(id);
        data
    };
    match call.endpoint {
        Endpoint::UserInfo => creator::user_info(world, &token, call),
        Endpoint::CreatorInfo => creator::creator_info(world, user, call, now),
        Endpoint::DirectInit => init::direct(world, user, &call.body, now).map(&mut record_id),
        Endpoint::InboxInit => init::inbox(world, user, &call.body, now).map(&mut record_id),
        Endpoint::ContentInit => {
            Err(ApiError::invalid_params("The media_type, post_mode or source of a photo post is invalid"))
        }
        Endpoint::StatusFetch => status::fetch(world, user, &call.body),
        Endpoint::Cancel => status::cancel(world, user, &call.body),
        Endpoint::VideoList => videos::list(world, user, call),
        Endpoint::VideoQuery => videos::query(world, user, call),
        // Never reached: `check_request`, `handle_call` and `upload` handle these.
        Endpoint::Authorize | Endpoint::Token | Endpoint::Revoke | Endpoint::Upload | Endpoint::Unknown => {
            Err(ApiError::not_found())
        }
    }
}
