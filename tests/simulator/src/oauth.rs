//! The OAuth endpoints `token` and `revoke`: `token` exchanges a code or a refresh token for a token
//! pair; `revoke` ends a user's authorization and deletes all their tokens.
//!
//! Answers are flat JSON, without the v2 envelope. `token` checks the code before the app's credentials, because
//! TikTok was observed to do so: an expired code is reported even if the `client_key` is wrong.
//!
//! <https://developers.tiktok.com/doc/oauth-user-access-token-management>

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::api::CallSubject;
use crate::call::{ApiCall, Pairs};
use crate::endpoint::Endpoint;
use crate::envelope::{OAuthError, Rule};
use crate::ids::OpenId;
use crate::settings::RefreshFields;
use crate::token_store::{Code, TokenPair};
use crate::world::World;

/// `authorization.removed`, reason 5: revoked by the developer.
const REVOKED_BY_DEVELOPER: u8 = 5;

/// Answers `token` and `revoke`. If a pair is issued, `subject.user` is set, for the log of calls.
pub(crate) fn answer(
    world: &mut World,
    call: &ApiCall,
    subject: &mut CallSubject,
    now: Timestamp,
) -> Result<Value, OAuthError> {
    if !call.has_content_type("application/x-www-form-urlencoded") {
        let description = "The Content-Type must be application/x-www-form-urlencoded.";
        let mut error = OAuthError::new("invalid_request", description);
        error.rule = Some(Rule::ContentType);
        return Err(error);
    }
    let form = call.form();
    if call.endpoint == Endpoint::Revoke {
        return revoke(world, &form, now);
    }
    let pair = match form.one("grant_type") {
        Some("authorization_code") => exchange_code(world, &form, now),
        Some("refresh_token") => refresh(world, &form, now),
        Some(_) => Err(OAuthError::new("unsupported_grant_type", "The grant_type is not supported.")),
        None => Err(missing_parameter()),
    }?;
    subject.user = Some(pair.open_id.clone());
    let is_refresh = form.one("grant_type") == Some("refresh_token");
    Ok(match world.settings.refresh_fields {
        RefreshFields::AccessTokenOnly if is_refresh => {
            json!({ "access_token": pair.access_token, "expires_in": pair.expires_in })
        }
        RefreshFields::All | RefreshFields::AccessTokenOnly => json!(pair),
    })
}

/// Finds the user whose code or token a call to `token` or `revoke` carries.
pub(crate) fn user_of(world: &World, call: &ApiCall, now: Timestamp) -> Option<OpenId> {
    if !matches!(call.endpoint, Endpoint::Token | Endpoint::Revoke) {
        return None;
    }
    let form = call.form();
    let code_owner = form.one("code").and_then(|code| world.tokens.code(code, now)).map(|code| code.user.clone());
    let token = form.one("refresh_token").or(form.one("token"));
    code_owner.or_else(|| token.and_then(|token| world.tokens.owner(token)))
}

fn missing_parameter() -> OAuthError {
    OAuthError::new("invalid_request", "A required parameter is missing.")
}

fn exchange_code(world: &mut World, form: &Pairs, now: Timestamp) -> Result<TokenPair, OAuthError> {
    let value = form.one("code").ok_or_else(missing_parameter)?;
    let code = world.tokens.code(value, now).cloned().ok_or_else(|| {
        let status = world.settings.invalid_grant_http_status;
        OAuthError::invalid_grant(status, "Authorization code is expired.")
    })?;
    authenticate_app(world, form)?;
    if form.one("redirect_uri").ok_or_else(missing_parameter)? != code.redirect_uri {
        return Err(OAuthError::new(
            "invalid_request",
            "Redirect_uri is not matched with the uri when requesting code.",
        ));
    }
    check_code_verifier(&code, form)?;
    world.tokens.remove_code(value);
    Ok(world.tokens.issue(&code.user, &code.scopes, &world.settings, &mut world.ids, now))
}

/// Checks the PKCE verifier of a desktop app. TikTok's challenge is the **hex** SHA-256 of the verifier, where RFC 7636
/// has base64url.
///
/// <https://developers.tiktok.com/doc/login-kit-desktop>
fn check_code_verifier(code: &Code, form: &Pairs) -> Result<(), OAuthError> {
    let Some(challenge) = &code.challenge else {
        return Ok(());
    };
    let invalid = |description| OAuthError::new("invalid_request", description);
    let verifier = form.one("code_verifier");
    let verifier = verifier.ok_or_else(|| invalid("Code verifier is missing."))?;
    if !(43..=128).contains(&verifier.len()) {
        return Err(invalid("Code verifier must have 43 to 128 characters."));
    }
    if HEXLOWER.encode(&Sha256::digest(verifier.as_bytes())) != *challenge {
        return Err(invalid("Code verifier or code challenge is invalid."));
    }
    Ok(())
}

fn refresh(world: &mut World, form: &Pairs, now: Timestamp) -> Result<TokenPair, OAuthError> {
    let value = form.one("refresh_token").ok_or_else(missing_parameter)?;
    authenticate_app(world, form)?;
    let pair = world.tokens.refresh(value, &world.settings, &mut world.ids, now);
    pair.ok_or_else(|| {
        let status = world.settings.invalid_grant_http_status;
        OAuthError::invalid_grant(status, "Refresh token is invalid or expired.")
    })
}

fn revoke(world: &mut World, form: &Pairs, now: Timestamp) -> Result<Value, OAuthError> {
    authenticate_app(world, form)?;
    let token = form.one("token").ok_or_else(missing_parameter)?;
    let user = world.tokens.access(token, now).map(|token| token.user.clone());
    let user = user.ok_or_else(|| {
        let status = world.settings.invalid_grant_http_status;
        OAuthError::invalid_grant(status, "Access token is invalid or expired.")
    })?;
    world.remove_authorization(&user, REVOKED_BY_DEVELOPER, now);
    Ok(json!({}))
}

/// Checks the app's `client_key` and `client_secret` in constant time.
fn authenticate_app(world: &World, form: &Pairs) -> Result<(), OAuthError> {
    let key = form.one("client_key").ok_or_else(missing_parameter)?;
    let secret = form.one("client_secret").ok_or_else(missing_parameter)?;
    let key_matches = key.as_bytes().ct_eq(world.app.client_key.as_bytes());
    let secret_matches = secret.as_bytes().ct_eq(world.app.client_secret.as_bytes());
    if bool::from(key_matches & secret_matches) {
        Ok(())
    } else {
        Err(OAuthError::new("invalid_client", "Client key or secret is incorrect."))
    }
}
