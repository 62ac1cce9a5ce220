//! What TikTok knows us and a user by. All of it is secret.
//!
//! None of these types has `Display`, their `Debug` shows nothing, and they are
//! compared in constant time. They do not know where they are kept.

use std::fmt;

use domain::secret::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(SecretString);

        impl $name {
            /// Takes the text as TikTok gave it.
            #[must_use]
            pub fn new(text: SecretString) -> Self {
                Self(text)
            }

            /// The text, for whoever keeps it.
            #[must_use]
            pub fn secret(&self) -> &SecretString {
                &self.0
            }

            pub(crate) fn expose(&self) -> &str {
                self.0.expose_secret()
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
            }
        }

        impl Eq for $name {}

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    };
}

secret!(
    /// What calls on a user's behalf are made with.
    AccessToken
);
secret!(
    /// What the next pair of tokens is had for. TikTok rotates it: once another
    /// has been given for it, it is worth nothing.
    RefreshToken
);

/// The app's own credentials, of TikTok's developer portal.
#[derive(Clone)]
pub struct AppCredentials {
    client_key: String,
    client_secret: SecretString,
}

impl AppCredentials {
    /// Takes the pair as the portal shows it.
    #[must_use]
    pub fn new(client_key: impl Into<String>, client_secret: SecretString) -> Self {
        Self { client_key: client_key.into(), client_secret }
    }

    /// TikTok's name for the app; in every authorize link, so no secret.
    #[must_use]
    pub fn client_key(&self) -> &str {
        &self.client_key
    }

    /// The app's secret.
    #[must_use]
    pub fn client_secret(&self) -> &SecretString {
        &self.client_secret
    }
}

impl fmt::Debug for AppCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppCredentials(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        let app = AppCredentials::new("key-1", "secret-1".into());
        let all =
            format!("{:?} {:?} {app:?}", AccessToken::new("access-1".into()), RefreshToken::new("refresh-1".into()));
        assert_eq!(all, "AccessToken(redacted) RefreshToken(redacted) AppCredentials(redacted)");
    }

    #[test]
    fn tokens_are_equal_when_their_texts_are() {
        assert_eq!(RefreshToken::new("refresh-1".into()), RefreshToken::new("refresh-1".into()));
        assert_ne!(RefreshToken::new("refresh-1".into()), RefreshToken::new("refresh-2".into()));
        assert_ne!(RefreshToken::new("refresh-1".into()), RefreshToken::new("refresh-11".into()));
    }
}
