//! The token responses: the tokens that TikTok issues for an authorization code, or for a refresh token.
//! [RFC 6749, section 5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1)

use std::time::Duration;

use domain::account::Scopes;
use domain::identity::OpenId;
use serde_json::Value;

use crate::credentials::{AccessToken, RefreshToken};
use crate::error::InvalidResponse;
use crate::fields::{raw_text, whole_number};

/// The longest lifetime that is accepted, in seconds: ten years. A longer one is reduced to it, so that the expiry time
/// cannot overflow.
const MAX_LIFETIME_S: u64 = 10 * 365 * 24 * 3600;

/// The lifetime of an access token if TikTok states none.
const DEFAULT_ACCESS_LIFETIME: Duration = Duration::from_mins(30);
/// The lifetime of a refresh token if TikTok states none.
const DEFAULT_REFRESH_LIFETIME: Duration = Duration::from_hours(24);

/// A token response. Its `Debug` does not show the tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenResponse {
    /// TikTok's id of the user for this app.
    pub open_id: OpenId,
    /// The scopes that the user granted; they may be fewer than were requested.
    pub scopes: Scopes,
    /// The access token.
    pub access: AccessToken,
    /// The access token's lifetime from now.
    pub access_lifetime: Duration,
    /// The refresh token, which is exchanged for the next token response.
    pub refresh: RefreshToken,
    /// The refresh token's lifetime from now.
    pub refresh_lifetime: Duration,
}

impl TokenResponse {
    pub(crate) fn read(body: &Value) -> Result<Self, InvalidResponse> {
        let open_id = raw_text(body, "open_id").ok_or(InvalidResponse::Missing("open_id"))?;
        let RefreshedTokens { scopes, access, access_lifetime, refresh, refresh_lifetime } =
            RefreshedTokens::read(body)?;
        Ok(Self {
            open_id: OpenId::new(open_id).map_err(|_| InvalidResponse::Missing("open_id"))?,
            scopes,
            access,
            access_lifetime,
            refresh: refresh.ok_or(InvalidResponse::Missing("refresh_token"))?,
            refresh_lifetime: refresh_lifetime.unwrap_or(DEFAULT_REFRESH_LIFETIME),
        })
    }
}

/// The response to a refresh. Its `Debug` does not show the tokens.
///
/// Only the access token is required: TikTok may already have invalidated the old one, so a response that lacks another
/// field must not be discarded. What it lacks stays as it was. The user is not read: a refresh cannot change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshedTokens {
    /// The scopes that the user granted; empty if the response lists none.
    pub scopes: Scopes,
    /// The access token.
    pub access: AccessToken,
    /// The access token's lifetime from now.
    pub access_lifetime: Duration,
    /// The next refresh token; `None` if the old one stays valid.
    pub refresh: Option<RefreshToken>,
    /// The refresh token's lifetime from now, if TikTok states it.
    pub refresh_lifetime: Option<Duration>,
}

impl RefreshedTokens {
    pub(crate) fn read(body: &Value) -> Result<Self, InvalidResponse> {
        let access = raw_text(body, "access_token").ok_or(InvalidResponse::Missing("access_token"))?;
        let refresh = raw_text(body, "refresh_token").map(|token| RefreshToken::new(token.into()));
        // A new token without a lifetime gets a short one, and so is refreshed soon.
        let stated_refresh_lifetime = lifetime(body, "refresh_expires_in");
        let default = refresh.as_ref().map(|_| DEFAULT_REFRESH_LIFETIME);
        Ok(Self {
            scopes: Scopes::parse(&raw_text(body, "scope").unwrap_or_default()),
            access: AccessToken::new(access.into()),
            access_lifetime: lifetime(body, "expires_in").unwrap_or(DEFAULT_ACCESS_LIFETIME),
            refresh,
            refresh_lifetime: stated_refresh_lifetime.or(default),
        })
    }
}

/// Reads a lifetime in seconds, at most [`MAX_LIFETIME_S`].
fn lifetime(body: &Value, key: &str) -> Option<Duration> {
    let seconds = whole_number(body, key).filter(|&seconds| seconds > 0)?;
    Some(Duration::from_secs(seconds.min(MAX_LIFETIME_S)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn body() -> Value {
        json!({
            "open_id": "open-1", "scope": "", "access_token": "access-1", "expires_in": "86400",
            "refresh_token": "refresh-1", "refresh_expires_in": u64::MAX,
        })
    }

    #[test]
    fn lifetimes_are_read_and_capped_at_ten_years() {
        let tokens = TokenResponse::read(&body()).unwrap();
        assert_eq!(tokens.access_lifetime, Duration::from_hours(24));
        assert_eq!(tokens.refresh_lifetime, Duration::from_secs(MAX_LIFETIME_S));
    }

    #[test]
    fn open_id_and_both_tokens_are_required() {
        for key in ["open_id", "access_token", "refresh_token"] {
            let mut body = body();
            body[key] = json!(null);
            assert_eq!(TokenResponse::read(&body), Err(InvalidResponse::Missing(key)));
        }
    }

    #[test]
    fn tokens_without_lifetime_get_a_short_one() {
        for invalid in [json!(null), json!(0), json!("soon")] {
            let mut body = body();
            (body["expires_in"], body["refresh_expires_in"]) = (invalid.clone(), invalid);
            let tokens = TokenResponse::read(&body).unwrap();
            let lifetimes = (tokens.access_lifetime, tokens.refresh_lifetime);
            assert_eq!(lifetimes, (DEFAULT_ACCESS_LIFETIME, DEFAULT_REFRESH_LIFETIME));
        }
    }

    #[test]
    fn debug_shows_no_token() {
        let debug = format!("{:?}", TokenResponse::read(&body()).unwrap());
        assert!(!debug.contains("access-1") && !debug.contains("refresh-1"), "{debug}");
    }
}
