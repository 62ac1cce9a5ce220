//! Starts an authorization: stores a request, and returns the link to TikTok's page.

use domain::account::Scopes;
use domain::authorization::{AuthorizationRequest, AuthorizationState, ExpectedUser};
use domain::identity::Alias;
use domain::options::Mode;
use jiff::Timestamp;
use url::Url;

use super::connections::Connections;
use super::error::ConnectError;

/// The link to TikTok's page. It is a secret until it was used: a person who opens it can connect their own TikTok user.
#[derive(Clone)]
pub struct AuthorizationLink {
    /// The link.
    pub url: Url,
    /// When it expires.
    pub expires_at: Timestamp,
}

impl Connections {
    /// Starts the authorization of the user who is, or will be, an account.
    ///
    /// # Errors
    /// No request was stored.
    pub async fn start(&self, alias: &Alias, state: &AuthorizationState) -> Result<AuthorizationLink, ConnectError> {
        let app = self.app_credentials().await?;
        let account = self.accounts.get(alias).await?;
        let expected = account.as_ref().map_or(ExpectedUser::Anybody, |account| account.expected());
        let mode = self.mode_of(account.as_deref());
        let scopes = requested_scopes(self.scopes.as_ref(), mode);
        let request = AuthorizationRequest::new(state, alias.clone(), expected, self.instruments.now());
        let expires_at = request.expires_at;
        self.requests.create(request).await?;
        tracing::info!(account = %alias, scopes = scopes.to_list(), %expires_at, "authorization requested");
        let url = self.page.address(app.client_key(), &scopes, state.expose());
        Ok(AuthorizationLink { url, expires_at })
    }
}

/// The scopes that the operator configured, and those that the account's posts need.
fn requested_scopes(configured: Option<&Scopes>, mode: Mode) -> Scopes {
    let with_needed = |configured: &Scopes| configured.clone().with(Scopes::needed_for(mode));
    configured.map_or_else(|| Scopes::least_for(mode), with_needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_of_mode_is_always_requested() {
        let configured = Scopes::parse("video.list");
        assert_eq!(requested_scopes(Some(&configured), Mode::Direct).to_list(), "video.list,video.publish");
        assert_eq!(requested_scopes(None, Mode::Draft), Scopes::least_for(Mode::Draft));
    }
}
