//! Login Kit's authorization page: a user allows all, some or none of the scopes that the app requests.
//!
//! If `client_key` or `redirect_uri` is wrong, the user sees an error page, because no
//! trusted redirect address is known. TikTok shows the same page, and never redirects,
//! if a scope is not on the app's list or a required `code_challenge` is missing: its
//! documents do not say so, but many developers have reported it. Every other error,
//! and the user's decision, goes back to the app as a redirect. A code is valid only
//! for the granted scopes and the redirect address of its request; [`crate::oauth`]
//! checks the redirect address.
//!
//! <https://developers.tiktok.com/doc/login-kit-web>

mod page;

use std::collections::BTreeSet;

use jiff::Timestamp;
use url::Url;

use crate::call::ApiCall;
use crate::envelope::{Reply, Rule};
use crate::ids::OpenId;
use crate::redirect::{AppKind, registered_app_kind};
use crate::token_store::{Authorization, Scope, comma_list};
use crate::users::AccountStanding;
use crate::world::World;

/// The result of a GET or POST of the page: the page or a redirect, the code for the call log, and the rule that the
/// app broke, if any.
pub(crate) struct AuthorizeOutcome {
    pub(crate) reply: Reply,
    pub(crate) code: String,
    pub(crate) violation: Option<(Rule, String)>,
}

/// An app's valid request for authorization.
struct AuthorizationRequest {
    scopes: BTreeSet<Scope>,
    redirect_uri: String,
    state: String,
    /// The PKCE challenge.
    challenge: Option<String>,
    /// Whether the page appears even if the user has already granted the scopes (`disable_auto_auth=1`).
    always_show_page: bool,
}

/// Why a request is rejected before the user decides.
enum RequestError {
    /// The user sees an error page that names the wrong parameter, and the app learns nothing.
    ShowToUser(&'static str),
    /// The error goes to the app's redirect address.
    ReturnToApp { redirect_uri: String, state: Option<String>, error: &'static str, description: &'static str },
}

/// Shows the page (GET), or handles the user's decision (POST).
///
/// A GET redirects at once if the signed-in user has already granted every requested scope.
pub(crate) fn handle(world: &mut World, call: &ApiCall, now: Timestamp) -> AuthorizeOutcome {
    let request = match parse_request(world, call) {
        Ok(request) => request,
        Err(error) => return reject(error),
    };
    if call.method == "POST" {
        return decide(world, &request, call, now);
    }
    let signed_in = world.settings.signed_in.clone();
    let already_granted = |user: &OpenId| world.tokens.granted_scopes(user, now).is_superset(&request.scopes);
    match signed_in {
        Some(user) if !request.always_show_page && already_granted(&user) => {
            let scopes = request.scopes.clone();
            issue_code(world, &request, user, scopes, now)
        }
        _ => AuthorizeOutcome {
            reply: Reply::html(200, page::authorization(world, &request.scopes, call)),
            code: "ok".to_owned(),
            violation: None,
        },
    }
}

fn parse_request(world: &World, call: &ApiCall) -> Result<AuthorizationRequest, RequestError> {
    let query = &call.query;
    if query.one("client_key") != Some(world.app.client_key.as_str()) {
        return Err(RequestError::ShowToUser("client_key"));
    }
    let redirect_uri = query.one("redirect_uri").unwrap_or_default();
    let app_kind =
        registered_app_kind(&world.settings, redirect_uri).ok_or(RequestError::ShowToUser("redirect_uri"))?;
    let state = query.one("state").map(str::to_owned);
    let app_error = |error, description| RequestError::ReturnToApp {
        redirect_uri: redirect_uri.to_owned(),
        state: state.clone(),
        error,
        description,
    };
    if query.one("response_type") != Some("code") {
        let description = "The response_type must be code.";
        return Err(app_error("unsupported_response_type", description));
    }
    let names = query.one("scope").unwrap_or_default().split(',');
    let of_app = |name| Scope::parse(name).filter(|scope| world.settings.app_scopes.contains(scope));
    let scopes: Option<BTreeSet<Scope>> = names.map(of_app).collect();
    let scopes = scopes.ok_or(RequestError::ShowToUser("scope"))?;
    let challenge = query.one("code_challenge").map(str::to_owned);
    let has_pkce = challenge.is_some() && query.one("code_challenge_method") == Some("S256");
    if (app_kind == AppKind::Desktop || challenge.is_some()) && !has_pkce {
        return Err(RequestError::ShowToUser("code_challenge"));
    }
    Ok(AuthorizationRequest {
        scopes,
        redirect_uri: redirect_uri.to_owned(),
        state: state.clone().ok_or_else(|| app_error("invalid_request", "The state is missing."))?,
        challenge,
        always_show_page: query.one("disable_auto_auth") == Some("1"),
    })
}

fn reject(error: RequestError) -> AuthorizeOutcome {
    match error {
        RequestError::ShowToUser(parameter) => AuthorizeOutcome {
            reply: Reply::html(400, page::error(parameter)),
            code: parameter.to_owned(),
            violation: Some((Rule::OAuth, format!("The authorization page was opened with a wrong {parameter}."))),
        },
        RequestError::ReturnToApp { redirect_uri, state, error, description } => AuthorizeOutcome {
            violation: Some((Rule::OAuth, format!("{error}: {description}"))),
            ..redirect_to_app(
                &redirect_uri,
                &[("error", Some(error)), ("error_description", Some(description)), ("state", state.as_deref())],
                error,
            )
        },
    }
}

/// Handles the form of the page. Only requested scopes are granted; a form that grants none of them is a denial.
fn decide(world: &mut World, request: &AuthorizationRequest, call: &ApiCall, now: Timestamp) -> AuthorizeOutcome {
    let form = call.form();
    let denied = |error_type: Option<&str>| {
        let description = "User denied the authorization.";
        let parameters = [
            ("error", Some("access_denied")),
            ("error_description", Some(description)),
            ("error_type", error_type),
            ("state", Some(request.state.as_str())),
        ];
        redirect_to_app(&request.redirect_uri, &parameters, "access_denied")
    };
    let user = form.one("user").map(OpenId::new);
    let user = user.and_then(|id| world.users.get(&id));
    let checked: BTreeSet<Scope> = form.all("granted").filter_map(Scope::parse).collect();
    let scopes: BTreeSet<Scope> = checked.intersection(&request.scopes).copied().collect();
    match user {
        Some(user) if user.standing == AccountStanding::OutsideSandbox => denied(Some("non_sandbox_target")),
        Some(user) if form.one("decision") == Some("allow") && !scopes.is_empty() => {
            let user = user.open_id.clone();
            issue_code(world, request, user, scopes, now)
        }
        _ => denied(None),
    }
}

fn issue_code(
    world: &mut World,
    request: &AuthorizationRequest,
    user: OpenId,
    scopes: BTreeSet<Scope>,
    now: Timestamp,
) -> AuthorizeOutcome {
    let granted = comma_list(&scopes);
    let authorization = Authorization {
        user,
        scopes,
        redirect_uri: request.redirect_uri.clone(),
        challenge: request.challenge.clone(),
    };
    let code = world.tokens.issue_code(authorization, &world.settings, &mut world.ids, now);
    let parameters =
        [("code", Some(code.as_str())), ("scopes", Some(granted.as_str())), ("state", Some(request.state.as_str()))];
    redirect_to_app(&request.redirect_uri, &parameters, "ok")
}

/// Redirects the browser to the app. Parameters without a value are left out.
fn redirect_to_app(redirect_uri: &str, parameters: &[(&str, Option<&str>)], code: &str) -> AuthorizeOutcome {
    let present = parameters.iter().filter_map(|(name, value)| value.map(|value| (*name, value)));
    let reply = Url::parse_with_params(redirect_uri, present)
        .map_or_else(|_| Reply::html(400, page::error("redirect_uri")), |url| Reply::redirect(url.into()));
    AuthorizeOutcome { reply, code: code.to_owned(), violation: None }
}
