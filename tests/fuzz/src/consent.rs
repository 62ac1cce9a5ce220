//! Whatever a browser brings to the one public route.

use domain::secret::ExposeSecret;
use tiktok::{AuthorizationResponse, Decision};

use crate::words::{hold, hold_failure, hold_secrets};

/// A text that is found in another by random is shorter.
const UNMISTAKABLE: usize = 24;

/// Reads an input as the query of the consent page's redirect.
pub fn consent(input: &[u8]) {
    let Ok(query) = str::from_utf8(input) else {
        return;
    };
    let answer = AuthorizationResponse::read(query);
    let state = answer.state.as_ref().map(ExposeSecret::expose_secret);
    let code = match &answer.decision {
        Some(Decision::Granted { code, scopes }) => {
            assert!(!code.expose_secret().is_empty());
            Some(code.expose_secret()).filter(|code| !scopes.to_list().contains(code))
        }
        Some(Decision::Refused(denial)) => {
            hold(&denial.error);
            hold_failure(&denial.failure());
            None
        }
        None => None,
    };
    let secrets: Vec<_> = code.into_iter().chain(state).filter(|secret| secret.len() >= UNMISTAKABLE).collect();
    // A denial's words are shown, so nobody has a secret there.
    if !matches!(answer.decision, Some(Decision::Refused(_))) {
        hold_secrets(&format!("{answer:?}"), &secrets);
    }
}
