//! The way of every call but an upload: is it well formed, who calls, may they,
//! not too often, and then the endpoint itself.
//!
//! Synchronous, under the world's lock, and ignorant of sockets and faults.

use jiff::Timestamp;
use serde_json::Value;

use crate::call::Call;
use crate::endpoint::{BodyKind, Endpoint};
use crate::envelope::{OAuthRefusal, Refusal, Reply, Rule, success};
use crate::ids::{OpenId, PublishId};
use crate::world::World;
use crate::{consent, creator, init, oauth, status, videos};

/// An answer, and what the log of calls says about it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    pub(crate) code: String,
    pub(crate) user: Option<OpenId>,
    pub(crate) publish_id: Option<PublishId>,
}

/// Whom and what a call turned out to be about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Concern {
    pub(crate) user: Option<OpenId>,
    pub(crate) publish_id: Option<PublishId>,
}

/// Answers a call.
pub(crate) fn answer(world: &mut World, call: &Call, now: Timestamp) -> Answer {
    let mut concern = concern(world, call, now);
    let (reply, code, breach) = match call.endpoint {
        Endpoint::Authorize if is_well_formed(call).is_ok() => {
            let page = consent::answer(world, call, now);
            (page.reply, page.code, page.breach)
        }
        Endpoint::Token | Endpoint::Revoke if is_method(call) => {
            let log_id = world.mint.log_id();
            match oauth::answer(world, call, &mut concern, now) {
                Ok(body) => (Reply::json(200, &body), "ok".to_owned(), None),
                Err(refusal) => flat(&refusal, &log_id),
            }
        }
        _ => {
            let log_id = world.mint.log_id();
            match v2(world, call, &mut concern, now) {
                Ok(data) => (success(data, &log_id), "ok".to_owned(), None),
                Err(refusal) => enveloped(&refusal, &log_id),
            }
        }
    };
    if let Some((rule, sentence)) = breach {
        let Concern { user, publish_id } = concern.clone();
        world.breach(call.endpoint, rule, user, publish_id, sentence);
    }
    Answer { reply, code, user: concern.user, publish_id: concern.publish_id }
}

type Told = (Reply, String, Option<(Rule, String)>);

fn flat(refusal: &OAuthRefusal, log_id: &str) -> Told {
    let breach = refusal.rule.map(|rule| (rule, format!("{}: {}", refusal.error, refusal.description)));
    (refusal.reply(log_id), refusal.error.to_owned(), breach)
}

fn enveloped(refusal: &Refusal, log_id: &str) -> Told {
    let breach = refusal.rule.map(|rule| (rule, format!("{}: {}", refusal.code, refusal.message)));
    (refusal.reply(log_id), refusal.code.clone(), breach)
}

/// Finds out whom and what a call is about, before it is judged. A token that is
/// dead says whose it was, so that what is done with it is in its user's book.
pub(crate) fn concern(world: &World, call: &Call, now: Timestamp) -> Concern {
    let by_token = call.bearer().and_then(|it| world.grants.owner(it));
    let named = call.named_publish().map(PublishId::new);
    Concern {
        user: by_token.or_else(|| oauth::user_of(world, call, now)),
        publish_id: named.filter(|id| world.find(id).is_some()),
    }
}

fn is_method(call: &Call) -> bool {
    call.endpoint.methods().contains(&call.method.as_str())
}

fn is_well_formed(call: &Call) -> Result<(), Refusal> {
    if call.endpoint == Endpoint::Unknown {
        return Err(Refusal::not_found());
    }
    if !is_method(call) {
        return Err(Refusal::method_not_allowed());
    }
    if call.endpoint.body() == BodyKind::Json && !call.is_of_type("application/json") {
        return Err(Refusal::wrong_content_type("application/json; charset=UTF-8"));
    }
    Ok(())
}

fn v2(world: &mut World, call: &Call, concern: &mut Concern, now: Timestamp) -> Result<Value, Refusal> {
    is_well_formed(call)?;
    let bearer = call.bearer().ok_or_else(|| Refusal::access_token_invalid().breaking(Rule::Credentials))?;
    let token = world.grants.access(bearer, now);
    let token = token.cloned().ok_or_else(Refusal::access_token_invalid)?;
    let needed = call.endpoint.scopes();
    if !needed.iter().any(|scope| token.scopes.contains(scope)) {
        return Err(Refusal::scope_not_authorized());
    }
    if let Some(most) = call.endpoint.limit(&world.settings)
        && !world.limits.admit(call.endpoint, bearer, most, now)
    {
        return Err(Refusal::rate_limit_exceeded());
    }
    let user = &token.user;
    let mut started = |(id, data): (PublishId, Value)| {
        concern.publish_id = Some(id);
        data
    };
    match call.endpoint {
        Endpoint::UserInfo => creator::user_info(world, &token, call),
        Endpoint::CreatorInfo => creator::creator_info(world, user, call, now),
        Endpoint::DirectInit => init::direct(world, user, &call.body, now).map(&mut started),
        Endpoint::InboxInit => init::inbox(world, user, &call.body, now).map(&mut started),
        Endpoint::ContentInit => {
            Err(Refusal::invalid_params("The media_type, post_mode or source of a photo post is invalid"))
        }
        Endpoint::StatusFetch => status::fetch(world, user, &call.body),
        Endpoint::Cancel => status::cancel(world, user, &call.body),
        Endpoint::VideoList => videos::list(world, user, call),
        Endpoint::VideoQuery => videos::query(world, user, call),
        Endpoint::Authorize | Endpoint::Token | Endpoint::Revoke | Endpoint::Upload | Endpoint::Unknown => {
            Err(Refusal::not_found())
        }
    }
}
