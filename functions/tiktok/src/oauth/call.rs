//! The calls of OAuth.

use std::fmt;

/// A call to OAuth. Its `Display` is the name that logs and errors show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OAuthCall {
    /// Exchanges an authorization code for tokens.
    Exchange,
    /// Exchanges a refresh token for tokens.
    Refresh,
    /// Revokes an authorization.
    Revoke,
}

impl fmt::Display for OAuthCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exchange => "oauth/token (authorization_code)",
            Self::Refresh => "oauth/token (refresh_token)",
            Self::Revoke => "oauth/revoke",
        })
    }
}
