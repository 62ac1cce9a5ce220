//! A request for a user's consent: asked once, answered once, within its time.
//!
//! The user's browser carries the [`AuthorizationState`] to TikTok and back. It is all
//! that proves that an answer belongs to a request of ours, so it cannot be
//! guessed, and only its fingerprint is kept.
//! <https://datatracker.ietf.org/doc/html/rfc6749#section-10.12>

use std::fmt;
use std::time::Duration;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::identity::{Alias, OpenId};

/// How long a user has for TikTok's page.
pub const AUTHORIZATION_TERM: Duration = Duration::from_mins(10);
/// The length of a state in characters: 32 bytes in base64.
const STATE_LENGTH: usize = 43;

/// What goes to TikTok and comes back with the answer. Whoever knows it can
/// answer in the user's place, so it is shown nowhere.
#[derive(Clone)]
pub struct AuthorizationState(SecretString);

impl AuthorizationState {
    /// Makes a state of bytes that nobody can guess.
    #[must_use]
    pub fn new(random_bytes: [u8; 32]) -> Self {
        Self(BASE64URL_NOPAD.encode(&random_bytes).into())
    }

    /// Takes a state as it came back; none, where it cannot be one of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let ours = text.len() == STATE_LENGTH && BASE64URL_NOPAD.decode(text.as_bytes()).is_ok();
        ours.then(|| Self(text.into()))
    }

    /// The text, for the address of TikTok's page.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What is kept of it: enough to know it again, too little to make it.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(HEXLOWER.encode(&Sha256::digest(self.expose().as_bytes())))
    }
}

impl fmt::Debug for AuthorizationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthorizationState(redacted)")
    }
}

/// The SHA-256 of a state, in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Takes a fingerprint as it was stored.
    #[must_use]
    pub fn restore(text: String) -> Self {
        Self(text)
    }

    /// The fingerprint as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whose consent a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedUser {
    /// Whoever consents gets the alias.
    Anybody,
    /// The user who has the alias already, and nobody else.
    User(OpenId),
}

/// A request for consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationRequest {
    /// By what it is known again.
    pub fingerprint: Fingerprint,
    /// The account that is to be connected.
    pub alias: Alias,
    /// Whose consent is meant.
    pub expected: ExpectedUser,
    /// When its time is over.
    pub expires_at: Timestamp,
    /// When it was answered, if it was.
    pub answered_at: Option<Timestamp>,
}

/// A request that cannot be answered any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestClosed {
    /// It was answered before.
    #[error("it was answered at {at}")]
    Answered {
        /// When.
        at: Timestamp,
    },
    /// Its time is over.
    #[error("its time was over at {at}")]
    Expired {
        /// When.
        at: Timestamp,
    },
}

impl AuthorizationRequest {
    /// Asks for a consent, from now until `now` + [`AUTHORIZATION_TERM`].
    #[must_use]
    pub fn new(state: &AuthorizationState, alias: Alias, expected: ExpectedUser, now: Timestamp) -> Self {
        let expires_at = now + AUTHORIZATION_TERM;
        Self { fingerprint: state.fingerprint(), alias, expected, expires_at, answered_at: None }
    }

    /// Takes the one answer. It counts once the request is stored so.
    ///
    /// # Errors
    /// It was answered before, or its time is over.
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
    fn a_request_is_answered_once_and_in_its_time() {
        let answered = request().answer(NOW + Duration::from_mins(9)).unwrap();
        let at = NOW + Duration::from_mins(9);
        assert_eq!(answered.answer(at), Err(RequestClosed::Answered { at }), "not a second time");
        let end = NOW + AUTHORIZATION_TERM;
        assert_eq!(request().answer(end), Err(RequestClosed::Expired { at: end }));
    }

    #[test]
    fn a_state_is_known_again_by_its_fingerprint_alone() {
        let state = AuthorizationState::new([250; 32]);
        let back = AuthorizationState::parse(state.expose()).unwrap();
        assert_eq!(back.fingerprint(), state.fingerprint());
        assert_ne!(AuthorizationState::new([251; 32]).fingerprint(), state.fingerprint());
        assert!(!format!("{state:?} {:?}", request()).contains(state.expose()));
    }

    #[test]
    fn what_cannot_be_a_state_is_none() {
        let state = AuthorizationState::new([0; 32]);
        let long = format!("{}A", state.expose());
        for text in ["", "A", &state.expose()[1..], &long, &"*".repeat(43), &"=".repeat(43)] {
            assert!(AuthorizationState::parse(text).is_none(), "{text}");
        }
    }
}
