//! Asking: the address of TikTok's page, for a request that is stored first.

use domain::account::Scopes;
use domain::authorization::{AuthorizationRequest, AuthorizationState, ExpectedUser};
use domain::identity::Alias;
use domain::options::Mode;
use jiff::Timestamp;
use url::Url;

use super::{ConnectError, Connections};

/// The address to open in a browser. It is a secret until it was answered:
/// whoever opens it can connect their own TikTok user.
#[derive(Clone)]
pub struct Asked {
    /// Where the user consents.
    pub address: Url,
    /// Until when.
    pub expires_at: Timestamp,
}

impl Connections {
    /// Asks for the consent of the user who is, or will be, this account.
    ///
    /// # Errors
    /// Nothing was asked.
    pub async fn ask(&self, alias: &Alias, state: &AuthorizationState) -> Result<Asked, ConnectError> {
        let app = self.app().await?;
        let known = self.posting.accounts.get(alias).await?;
        let expected = known.as_ref().map_or(ExpectedUser::Anybody, |account| account.expected());
        let mode = self.mode_of(known.as_deref());
        let scopes = asked_for(self.scopes.as_ref(), mode);
        let request = AuthorizationRequest::new(state, alias.clone(), expected, self.posting.now());
        let expires_at = request.expires_at;
        self.consents.create(request).await?;
        tracing::info!(account = %alias, scopes = scopes.to_list(), %expires_at, "consent asked for");
        Ok(Asked { address: self.page.address(app.client_key(), &scopes, state.expose()), expires_at })
    }
}

/// What the operator wishes for, with what the account's posts cannot do without.
fn asked_for(wished: Option<&Scopes>, mode: Mode) -> Scopes {
    wished.map_or_else(|| Scopes::least_for(mode), |wished| wished.clone().with(Scopes::needed_for(mode)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_asked_for_what_the_posts_need_whatever_else_is_wished_for() {
        let wished = Scopes::parse("video.list");
        assert_eq!(asked_for(Some(&wished), Mode::Direct).to_list(), "video.list,video.publish");
        assert_eq!(asked_for(None, Mode::Draft), Scopes::least_for(Mode::Draft));
    }
}
