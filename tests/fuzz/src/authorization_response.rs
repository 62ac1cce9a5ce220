//! Fuzz target `authorization_response`: the query of TikTok's redirect after
//! authorization. The route that reads it is public, so anyone can send any query.
//!
//! Properties: a granted code is not empty; TikTok's error is one short line; the
//! debug output shows neither the code nor the state.

use domain::secret::ExposeSecret;
use tiktok::{AuthorizationResponse, Decision};

use crate::checks::{check_failure, check_no_secret, check_text};

/// A secret of at least this many bytes does not occur in another text by accident.
const MIN_DISTINCT_BYTES: usize = 24;

/// Reads an input as the query of the redirect.
pub fn authorization_response(input: &[u8]) {
    let Ok(query) = str::from_utf8(input) else {
        return;
    };
    let response = AuthorizationResponse::read(query);
    let state = response.state.as_ref().map(ExposeSecret::expose_secret);
    let code = match &response.decision {
        Some(Decision::Granted { code, scopes }) => {
            assert!(!code.expose_secret().is_empty());
            // `Debug` shows the scopes, which may contain a fuzzed code.
            Some(code.expose_secret()).filter(|code| !scopes.to_list().contains(code))
        }
        Some(Decision::Refused(error)) => {
            check_text(&error.error);
            check_failure(&error.failure());
            None
        }
        None => None,
    };
    let secrets: Vec<_> = code.into_iter().chain(state).filter(|secret| secret.len() >= MIN_DISTINCT_BYTES).collect();
    // TikTok's error texts are displayed and may contain anything, so the state may
    // occur in them.
    if !matches!(response.decision, Some(Decision::Refused(_))) {
        check_no_secret(&format!("{response:?}"), &secrets);
    }
}
