//! The page on which a user lets the app in, for part of what it asks or not at
//! all.
//!
//! A mistake in who asks is shown to the user; every other answer goes back to
//! the app. The code is good for what was granted, and only there.
//!
//! <https://developers.tiktok.com/doc/login-kit-web>

mod page;

use std::collections::BTreeSet;

use jiff::Timestamp;
use url::Url;

use crate::call::Call;
use crate::envelope::{Reply, Rule};
use crate::ids::OpenId;
use crate::redirect::{AppKind, registered};
use crate::tokens::{Consent, Scope, comma_list};
use crate::users::Standing;
use crate::world::World;

/// A page or a redirect, and what is to be noted about it.
pub(crate) struct Shown {
    pub(crate) reply: Reply,
    pub(crate) code: String,
    pub(crate) breach: Option<(Rule, String)>,
}

/// What an app asks a user for.
struct Request {
    scopes: BTreeSet<Scope>,
    redirect_uri: String,
    state: String,
    challenge: Option<String>,
    always_ask: bool,
}

/// Why a request is not put to the user.
enum Mistake {
    /// It is not known where to send the answer.
    Shown(&'static str),
    /// The app is told.
    Returned { to: String, state: Option<String>, error: &'static str, description: &'static str },
}

/// Answers the consent page and the decision made on it.
pub(crate) fn answer(world: &mut World, call: &Call, now: Timestamp) -> Shown {
    let request = match read(world, call) {
        Ok(request) => request,
        Err(mistake) => return refuse(mistake),
    };
    if call.method == "POST" {
        return decide(world, &request, call, now);
    }
    let signed_in = world.settings.signed_in.clone();
    let granted = |user: &OpenId| world.grants.granted(user, now).is_superset(&request.scopes);
    match signed_in {
        Some(user) if !request.always_ask && granted(&user) => {
            let scopes = request.scopes.clone();
            grant(world, &request, user, scopes, now)
        }
        _ => Shown {
            reply: Reply::html(200, page::consent(world, &request.scopes, call)),
            code: "ok".to_owned(),
            breach: None,
        },
    }
}

fn read(world: &World, call: &Call) -> Result<Request, Mistake> {
    let query = &call.query;
    if query.one("client_key") != Some(world.app.client_key.as_str()) {
        return Err(Mistake::Shown("client_key"));
    }
    let offered = query.one("redirect_uri").unwrap_or_default();
    let kind = registered(&world.settings, offered).ok_or(Mistake::Shown("redirect_uri"))?;
    let state = query.one("state").map(str::to_owned);
    let mistake =
        |error, description| Mistake::Returned { to: offered.to_owned(), state: state.clone(), error, description };
    if query.one("response_type") != Some("code") {
        let description = "The response_type has to be code.";
        return Err(mistake("unsupported_response_type", description));
    }
    let names = query.one("scope").unwrap_or_default().split(',');
    let scopes: Option<BTreeSet<Scope>> = names.map(Scope::parse).collect();
    let scopes = scopes.ok_or_else(|| mistake("invalid_scope", "A scope is unknown."))?;
    let challenge = query.one("code_challenge").map(str::to_owned);
    let proves = challenge.is_some() && query.one("code_challenge_method") == Some("S256");
    if (kind == AppKind::Desktop || challenge.is_some()) && !proves {
        let description = "A code_challenge with code_challenge_method S256 is required.";
        return Err(mistake("invalid_request", description));
    }
    Ok(Request {
        scopes,
        redirect_uri: offered.to_owned(),
        state: state.clone().ok_or_else(|| mistake("invalid_request", "The state is missing."))?,
        challenge,
        always_ask: query.one("disable_auto_auth") == Some("1"),
    })
}

fn refuse(mistake: Mistake) -> Shown {
    match mistake {
        Mistake::Shown(parameter) => Shown {
            reply: Reply::html(400, page::mistake(parameter)),
            code: parameter.to_owned(),
            breach: Some((Rule::OAuth, format!("The consent page was opened with a wrong {parameter}."))),
        },
        Mistake::Returned { to, state, error, description } => Shown {
            breach: Some((Rule::OAuth, format!("{error}: {description}"))),
            ..back(
                &to,
                &[("error", Some(error)), ("error_description", Some(description)), ("state", state.as_deref())],
                error,
            )
        },
    }
}

fn decide(world: &mut World, request: &Request, call: &Call, now: Timestamp) -> Shown {
    let form = call.form();
    let denied = |error_type: Option<&str>| {
        let description = "User denied the authorization.";
        let answer = [
            ("error", Some("access_denied")),
            ("error_description", Some(description)),
            ("error_type", error_type),
            ("state", Some(request.state.as_str())),
        ];
        back(&request.redirect_uri, &answer, "access_denied")
    };
    let user = form.one("user").map(OpenId::new);
    let user = user.and_then(|id| world.users.get(&id));
    let agreed: BTreeSet<Scope> = form.all("granted").filter_map(Scope::parse).collect();
    let scopes: BTreeSet<Scope> = agreed.intersection(&request.scopes).copied().collect();
    match user {
        Some(user) if user.standing == Standing::OutsideSandbox => denied(Some("non_sandbox_target")),
        Some(user) if form.one("decision") == Some("allow") && !scopes.is_empty() => {
            let user = user.open_id.clone();
            grant(world, request, user, scopes, now)
        }
        _ => denied(None),
    }
}

fn grant(world: &mut World, request: &Request, user: OpenId, scopes: BTreeSet<Scope>, now: Timestamp) -> Shown {
    let granted = comma_list(&scopes);
    let consent =
        Consent { user, scopes, redirect_uri: request.redirect_uri.clone(), challenge: request.challenge.clone() };
    let code = world.grants.issue_code(consent, &world.settings, &mut world.mint, now);
    let answer =
        [("code", Some(code.as_str())), ("scopes", Some(granted.as_str())), ("state", Some(request.state.as_str()))];
    back(&request.redirect_uri, &answer, "ok")
}

/// Sends the browser back to the app.
fn back(to: &str, answer: &[(&str, Option<&str>)], code: &str) -> Shown {
    let given = answer.iter().filter_map(|(name, value)| value.map(|value| (*name, value)));
    let reply = Url::parse_with_params(to, given)
        .map_or_else(|_| Reply::html(400, page::mistake("redirect_uri")), |url| Reply::redirect(url.into()));
    Shown { reply, code: code.to_owned(), breach: None }
}
