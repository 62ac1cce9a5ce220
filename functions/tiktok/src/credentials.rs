//! The tokens of a user and the credentials of our app.
//!
//! None of these types has `Display`, their `Debug` hides the secret, and tokens are compared in constant time. This
//! module does not know where they are stored.

use std::fmt;

use domain::secret::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(SecretString);

        impl $name {
            /// Wraps the token as TikTok sent it.
            pub fn new(text: SecretString) -> Self {
                Self(text)
            }

            /// Returns the token, for storage.
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
    /// An access token. It authorizes calls on a user's behalf.
    AccessToken
);
secret!(
    /// A refresh token. It is exchanged for the next pair of tokens, and is invalid once TikTok has issued that pair.
    RefreshToken
);

/// Our app's credentials from TikTok's developer portal.
#[derive(Clone)]
pub struct AppCredentials {
    client_key: String,
    client_secret: SecretString,
}

impl AppCredentials {
    /// Wraps the pair as the portal shows it.
    pub fn new(client_key: impl Into<String>, client_secret: SecretString) -> Self {
        Self { client_key: client_key.into(), client_secret }
    }

    /// Returns TikTok's id of the app. It is part of every authorize URL, so it is not secret.
    pub fn client_key(&self) -> &str {
        &self.client_key
    }

    /// Returns the app's secret.
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
    fn debug_is_redacted() {
        let app = AppCredentials::new("key-1", "secret-1".into());
        let all =
            format!("{:?} {:?} {app:?}", AccessToken::new("access-1".into()), RefreshToken::new("refresh-1".into()));
        assert_eq!(all, "AccessToken(redacted) RefreshToken(redacted) AppCredentials(redacted)");
    }

    #[test]
    fn tokens_with_equal_text_are_equal() {
        assert_eq!(RefreshToken::new("refresh-1".into()), RefreshToken::new("refresh-1".into()));
        assert_ne!(RefreshToken::new("refresh-1".into()), RefreshToken::new("refresh-2".into()));
        assert_ne!(RefreshToken::new("refresh-1".into()), RefreshToken::new("refresh-11".into()));
    }
}
