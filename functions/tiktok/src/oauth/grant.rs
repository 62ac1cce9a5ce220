//! A pair of tokens as TikTok grants it.

use std::time::Duration;

use domain::account::Scopes;
use domain::identity::OpenId;
use serde_json::Value;

use crate::credentials::{AccessToken, RefreshToken};
use crate::error::InvalidResponse;
use crate::fields::{count, exact};

/// The longest lifetime that is believed: ten years, so that adding it to any
/// time of ours is a time.
const LONGEST: u64 = 10 * 365 * 24 * 3600;

/// The lifetime of an access token where TikTok states none.
const CAUTIOUS_ACCESS: Duration = Duration::from_mins(30);
/// The lifetime of a refresh token where TikTok states none.
const CAUTIOUS_REFRESH: Duration = Duration::from_hours(24);

/// What a consent or a refresh gives. Its tokens are not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Whose it is.
    pub open_id: OpenId,
    /// What the user allowed; it may be less than was asked for.
    pub scopes: Scopes,
    /// What calls are made with.
    pub access: AccessToken,
    /// How long from now.
    pub access_lifetime: Duration,
    /// What the next grant is had for.
    pub refresh: RefreshToken,
    /// How long from now.
    pub refresh_lifetime: Duration,
}

impl Grant {
    pub(crate) fn read(body: &Value) -> Result<Self, InvalidResponse> {
        let needed = |key| exact(body, key).ok_or(InvalidResponse::Missing(key));
        // By now TikTok may have ended the pair before. A pair is not thrown
        // away for want of a lifetime: it is used, and soon exchanged.
        let lifetime = |key, cautious| {
            let stated = count(body, key).filter(|&seconds| seconds > 0);
            stated.map_or(cautious, |seconds| Duration::from_secs(seconds.min(LONGEST)))
        };
        Ok(Self {
            open_id: OpenId::new(needed("open_id")?).map_err(|_| InvalidResponse::Missing("open_id"))?,
            scopes: Scopes::parse(&exact(body, "scope").unwrap_or_default()),
            access: AccessToken::new(needed("access_token")?.into()),
            access_lifetime: lifetime("expires_in", CAUTIOUS_ACCESS),
            refresh: RefreshToken::new(needed("refresh_token")?.into()),
            refresh_lifetime: lifetime("refresh_expires_in", CAUTIOUS_REFRESH),
        })
    }
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
    fn lifetimes_are_obeyed_as_they_come_within_reason() {
        let grant = Grant::read(&body()).unwrap();
        assert_eq!(grant.access_lifetime, Duration::from_hours(24));
        assert_eq!(grant.refresh_lifetime, Duration::from_secs(LONGEST));
    }

    #[test]
    fn the_tokens_and_their_owner_are_needed() {
        for key in ["open_id", "access_token", "refresh_token"] {
            let mut body = body();
            body[key] = json!(null);
            assert_eq!(Grant::read(&body), Err(InvalidResponse::Missing(key)));
        }
    }

    #[test]
    fn a_pair_without_lifetimes_is_kept_and_soon_exchanged() {
        for unstated in [json!(null), json!(0), json!("soon")] {
            let mut body = body();
            (body["expires_in"], body["refresh_expires_in"]) = (unstated.clone(), unstated);
            let grant = Grant::read(&body).unwrap();
            assert_eq!((grant.access_lifetime, grant.refresh_lifetime), (CAUTIOUS_ACCESS, CAUTIOUS_REFRESH));
        }
    }

    #[test]
    fn debug_shows_no_token() {
        let shown = format!("{:?}", Grant::read(&body()).unwrap());
        assert!(!shown.contains("access-1") && !shown.contains("refresh-1"), "{shown}");
    }
}
