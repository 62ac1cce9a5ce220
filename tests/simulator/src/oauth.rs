//! The token endpoints: codes and refresh tokens into token pairs, and their end.
//!
//! Flat answers, no envelope. A code is looked at before the app's credentials
//! are, as was observed.
//!
//! <https://developers.tiktok.com/doc/oauth-user-access-token-management>

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::api::Concern;
use crate::call::{Call, Pairs};
use crate::endpoint::Endpoint;
use crate::envelope::{OAuthRefusal, Rule};
use crate::ids::OpenId;
use crate::tokens::{Code, TokenPair};
use crate::world::World;

/// `authorization.removed`, reason 5: the developer revoked it.
const REVOKED_BY_DEVELOPER: u8 = 5;

/// Answers `token` and `revoke`.
pub(crate) fn answer(
    world: &mut World,
    call: &Call,
    concern: &mut Concern,
    now: Timestamp,
) -> Result<Value, OAuthRefusal> {
    if !call.is_of_type("application/x-www-form-urlencoded") {
        let description = "The Content-Type must be application/x-www-form-urlencoded.";
        let mut refusal = OAuthRefusal::new("invalid_request", description);
        refusal.rule = Some(Rule::ContentType);
        return Err(refusal);
    }
    let form = call.form();
    if call.endpoint == Endpoint::Revoke {
        return revoke(world, &form, now);
    }
    let pair = match form.one("grant_type") {
        Some("authorization_code") => redeem(world, &form, now),
        Some("refresh_token") => refresh(world, &form, now),
        Some(_) => Err(OAuthRefusal::new("unsupported_grant_type", "The grant_type is not supported.")),
        None => Err(missing()),
    }?;
    concern.user = Some(pair.open_id.clone());
    Ok(json!(pair))
}

/// Finds out whose grant a token call is about.
pub(crate) fn user_of(world: &World, call: &Call, now: Timestamp) -> Option<OpenId> {
    if !matches!(call.endpoint, Endpoint::Token | Endpoint::Revoke) {
        return None;
    }
    let form = call.form();
    let by_code = form.one("code").and_then(|code| world.grants.code(code, now)).map(|code| code.user.clone());
    let token = form.one("refresh_token").or(form.one("token"));
    by_code.or_else(|| token.and_then(|it| world.grants.owner(it)))
}

fn missing() -> OAuthRefusal {
    OAuthRefusal::new("invalid_request", "A required parameter is missing.")
}

fn redeem(world: &mut World, form: &Pairs, now: Timestamp) -> Result<TokenPair, OAuthRefusal> {
    let value = form.one("code").ok_or_else(missing)?;
    let code = world.grants.code(value, now).cloned().ok_or_else(|| {
        let status = world.settings.invalid_grant_http_status;
        OAuthRefusal::invalid_grant(status, "Authorization code is expired.")
    })?;
    authenticate(world, form)?;
    if form.one("redirect_uri").ok_or_else(missing)? != code.redirect_uri {
        return Err(OAuthRefusal::new(
            "invalid_request",
            "Redirect_uri is not matched with the uri when requesting code.",
        ));
    }
    verify(&code, form)?;
    world.grants.consume_code(value);
    let (user, scopes) = (&code.user, &code.scopes);
    let pair = world.grants.issue(user, scopes, &world.settings, &mut world.mint, now);
    Ok(pair)
}

/// Checks the proof of possession: a **hex** SHA-256, unlike everywhere else.
///
/// <https://developers.tiktok.com/doc/login-kit-desktop>
fn verify(code: &Code, form: &Pairs) -> Result<(), OAuthRefusal> {
    let Some(challenge) = &code.challenge else {
        return Ok(());
    };
    let refusal = |description| OAuthRefusal::new("invalid_request", description);
    let verifier = form.one("code_verifier");
    let verifier = verifier.ok_or_else(|| refusal("Code verifier is missing."))?;
    if !(43..=128).contains(&verifier.len()) {
        return Err(refusal("Code verifier has to have 43 to 128 characters."));
    }
    if HEXLOWER.encode(&Sha256::digest(verifier.as_bytes())) != *challenge {
        return Err(refusal("Code verifier or code challenge is invalid."));
    }
    Ok(())
}

fn refresh(world: &mut World, form: &Pairs, now: Timestamp) -> Result<TokenPair, OAuthRefusal> {
    let value = form.one("refresh_token").ok_or_else(missing)?;
    authenticate(world, form)?;
    let pair = world.grants.renew(value, &world.settings, &mut world.mint, now);
    pair.ok_or_else(|| {
        let status = world.settings.invalid_grant_http_status;
        OAuthRefusal::invalid_grant(status, "Refresh token is invalid or expired.")
    })
}

fn revoke(world: &mut World, form: &Pairs, now: Timestamp) -> Result<Value, OAuthRefusal> {
    authenticate(world, form)?;
    let token = form.one("token").ok_or_else(missing)?;
    let user = world.grants.access(token, now).map(|token| token.user.clone());
    let user = user.ok_or_else(|| {
        let status = world.settings.invalid_grant_http_status;
        OAuthRefusal::invalid_grant(status, "Access token is invalid or expired.")
    })?;
    world.remove_consent(&user, REVOKED_BY_DEVELOPER, now);
    Ok(json!({}))
}

fn authenticate(world: &World, form: &Pairs) -> Result<(), OAuthRefusal> {
    let key = form.one("client_key").ok_or_else(missing)?;
    let secret = form.one("client_secret").ok_or_else(missing)?;
    let known = key.as_bytes().ct_eq(world.app.client_key.as_bytes());
    let proven = secret.as_bytes().ct_eq(world.app.client_secret.as_bytes());
    if bool::from(known & proven) {
        Ok(())
    } else {
        Err(OAuthRefusal::new("invalid_client", "Client key or secret is incorrect."))
    }
}
