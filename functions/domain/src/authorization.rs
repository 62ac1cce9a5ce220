//! A request for a user's OAuth authorization. It is answered at most once, within ten minutes.
//!
//! The user's browser carries the [`AuthorizationState`] to TikTok and back. It is the only proof that a response
//! belongs to a request of this app ([RFC 6749 §10.12](https://datatracker.ietf.org/doc/html/rfc6749#section-10.12)).
//! It is therefore random, and only its [`Fingerprint`] is stored.

use std::fmt;
use std::time::Duration;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::identity::{Alias, OpenId};

/// How long the user has to answer on TikTok's page.
pub const AUTHORIZATION_TERM: Duration = Duration::from_mins(10);
/// The length of a state in characters: 32 bytes in base64url.
const STATE_LENGTH: usize = 43;

/// The OAuth parameter `state`. It is secret: anyone who knows it could connect another account in place of the user.
#[derive(Clone)]
pub struct AuthorizationState(SecretString);

impl AuthorizationState {
    /// Creates a state from random bytes.
    pub fn new(random_bytes: [u8; 32]) -> Self {
        Self(BASE64URL_NOPAD.encode(&random_bytes).into())
    }

    /// Parses a state from TikTok's redirect. Returns `None` if this app cannot have created it.
    pub fn parse(text: &str) -> Option<Self> {
        let is_valid = text.len() == STATE_LENGTH && BASE64URL_NOPAD.decode(text.as_bytes()).is_ok();
        is_valid.then(|| Self(text.into()))
    }

    /// Returns the secret text, for the URL of TikTok's page.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Returns the fingerprint, which is stored to find the request again.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(HEXLOWER.encode(&Sha256::digest(self.expose().as_bytes())))
    }
}

impl fmt::Debug for AuthorizationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthorizationState(redacted)")
    }
}

/// The SHA-256 of a state, in hexadecimal digits. It is not a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Creates a fingerprint from its stored text.
    pub fn restore(text: String) -> Self {
        Self(text)
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The user who must give an authorization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedUser {
    /// Any user: the alias has no connected account.
    Anybody,
    /// The user of the account that has the alias.
    User(OpenId),
}

/// A request for an authorization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationRequest {
    /// The fingerprint of the request's state. It identifies the request.
    pub fingerprint: Fingerprint,
    /// The alias of the account that is connected.
    pub alias: Alias,
    /// The user who must give the authorization.
    pub expected: ExpectedUser,
    /// When the request expires.
    pub expires_at: Timestamp,
    /// When the request was answered, if it was.
    pub answered_at: Option<Timestamp>,
}

/// Why a request cannot be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestClosed {
    /// The request was already answered.
    #[error("the authorization request was already answered at {at}")]
    Answered {
        /// The time of the first answer.
        at: Timestamp,
    },
    /// The request has expired.
    #[error("the authorization request expired at {at}")]
    Expired {
        /// The time at which it expired.
        at: Timestamp,
    },
}

impl AuthorizationRequest {
    /// Creates a request that expires [`AUTHORIZATION_TERM`] after `now`.
    pub fn new(state: &AuthorizationState, alias: Alias, expected: ExpectedUser, now: Timestamp) -> Self {
        let expires_at = now + AUTHORIZATION_TERM;
        Self { fingerprint: state.fingerprint(), alias, expected, expires_at, answered_at: None }
    }

    /// Marks the request as answered. The caller must store the returned request before it uses the answer, so that
    /// only one answer counts.
    ///
    /// # Errors
    /// [`RequestClosed`] if the request was already answered or has expired.
    pub fn answer(self, now: Timestamp) -> Result<Self, RequestClosed> {
        match self.answered_at {
            Some(at) => Err(RequestClosed::Answered { at }),
            None if self.expires_at <= now => Err(RequestClosed::Expired { at: self.expires_at }),
            None => Ok(Self { answered_at: Some(now), ..self }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn request() -> AuthorizationRequest {
        AuthorizationRequest::new(
            &AuthorizationState::new([7; 32]),
            Alias::new("anna").unwrap(),
            ExpectedUser::Anybody,
            NOW,
        )
    }

    #[test]
    fn request_is_answered_once_before_it_expires() {
        let answered = request().answer(NOW + Duration::from_mins(9)).unwrap();
        let at = NOW + Duration::from_mins(9);
        assert_eq!(answered.answer(at), Err(RequestClosed::Answered { at }));
        let end = NOW + AUTHORIZATION_TERM;
        assert_eq!(request().answer(end), Err(RequestClosed::Expired { at: end }));
    }

    #[test]
    fn state_has_stable_fingerprint_and_is_never_shown() {
        let state = AuthorizationState::new([250; 32]);
        let parsed = AuthorizationState::parse(state.expose()).unwrap();
        assert_eq!(parsed.fingerprint(), state.fingerprint());
        assert_ne!(AuthorizationState::new([251; 32]).fingerprint(), state.fingerprint());
        assert!(!format!("{state:?} {:?}", request()).contains(state.expose()));
    }

    #[test]
    fn invalid_state_is_rejected() {
        let state = AuthorizationState::new([0; 32]);
        let long = format!("{}A", state.expose());
        for text in ["", "A", &state.expose()[1..], &long, &"*".repeat(43), &"=".repeat(43)] {
            assert!(AuthorizationState::parse(text).is_none(), "{text}");
        }
    }
}
