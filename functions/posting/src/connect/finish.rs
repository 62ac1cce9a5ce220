//! Finishes an authorization. Checks the state, the code, the user and the scopes, in this order, and only then stores
//! the grant.

use std::time::Duration;

use domain::account::{Account, Connection, Scopes, TokenPair};
use domain::authorization::{AuthorizationRequest, AuthorizationState, ExpectedUser, RequestClosed};
use domain::failure::error_chain;
use domain::identity::Alias;
use domain::options::Mode;
use domain::secret::{ExposeSecret, Sealed, SecretString};
use jiff::Timestamp;
use storage::{EncryptionContext, Purpose, Versioned};
use tiktok::{AppCredentials, AuthorizationResponse, Decision, ErrorKind, TikTok, TokenResponse};

use super::connections::Connections;
use super::error::ConnectError;
use crate::compare_and_swap::{Change, unless_conflict, update};

/// The timeout for the user's names. An account is connected without them too.
const NAMES_TIMEOUT: Duration = Duration::from_secs(6);

/// An account that was just connected.
#[derive(Debug, Clone)]
pub struct Connected {
    /// The account.
    pub account: Account,
    /// How many of its posts waited for the connection and resume now.
    pub resumed: u32,
}

impl Connections {
    /// Processes the response that TikTok's page sent through the user's browser.
    ///
    /// # Errors
    /// No account was connected or changed. The request is closed and cannot be used again, if the response's state
    /// belonged to an open request and the response had a decision.
    pub async fn finish(
        &self,
        response: AuthorizationResponse,
        deadline: Timestamp,
    ) -> Result<Connected, ConnectError> {
        let state = response.state.as_ref().and_then(|state| AuthorizationState::parse(state.expose_secret()));
        let state = state.ok_or(ConnectError::StateNotFound)?;
        let decision = response.decision.ok_or(ConnectError::Malformed)?;
        let request = self.close_request(&state).await?;
        let (code, scopes) = match decision {
            Decision::Granted { code, scopes } => (code, scopes),
            Decision::Refused(denial) => return Err(ConnectError::Denied(denial)),
        };
        let app = self.app_credentials().await?;
        let exchanged = self.tiktok.exchange(&app, code.expose_secret(), self.config.page.redirect_uri()).await;
        // TikTok's refusal of a code is definite; after a lost answer the code may be used up.
        let mut grant = exchanged.map_err(|error| match error.fault {
            ErrorKind::Refused(_) => ConnectError::CodeRefused(error),
            _ => ConnectError::ExchangeTimeout(error),
        })?;
        if grant.scopes.is_empty() {
            grant.scopes = scopes;
        }
        if let Err(rejected) = self.check(&request, &grant).await {
            self.revoke_unused(&app, &grant).await;
            return Err(rejected);
        }
        let stored = self.store(&request, &grant).await?;
        let account = self.add_names(stored, &grant, deadline).await;
        tracing::info!(
            account = %account.alias, username = account.username, scopes = account.scopes.to_list(),
            refresh_expires_at = %account.tokens.refresh_expires_at, "account connected"
        );
        let resumed = self.open_posts.resume(&account.alias, deadline).await;
        Ok(Connected { account, resumed: u32::try_from(resumed).unwrap_or(u32::MAX) })
    }

    /// Closes the request with this state. A second response with the same state is then rejected.
    async fn close_request(&self, state: &AuthorizationState) -> Result<AuthorizationRequest, ConnectError> {
        let now = self.instruments.now();
        let request = self.requests.get(&state.fingerprint()).await?.ok_or(ConnectError::StateNotFound)?;
        let closed = request.value.clone().answer(now).map_err(|why| match why {
            RequestClosed::Answered { at } => ConnectError::StateUsed(at),
            RequestClosed::Expired { at } => ConnectError::StateExpired(at),
        })?;
        let saved = unless_conflict(self.requests.save(request, closed).await)?;
        Ok(saved.ok_or(ConnectError::StateUsed(now))?.value)
    }

    /// Checks the grant against the request and the existing accounts.
    async fn check(&self, request: &AuthorizationRequest, grant: &TokenResponse) -> Result<(), ConnectError> {
        let alias = &request.alias;
        let account = self.accounts.get(alias).await?;
        let expected_now = account.as_ref().map_or(ExpectedUser::Anybody, |account| account.expected());
        if !is_expected(&request.expected, grant) || !is_expected(&expected_now, grant) {
            return Err(ConnectError::WrongUser(alias.clone()));
        }
        if let Some(other) = self.other_account(alias, grant).await? {
            return Err(ConnectError::ConnectedElsewhere(other));
        }
        let scope = Scopes::needed_for(self.mode_of(account.as_deref()));
        if !grant.scopes.allow(scope) {
            return Err(ConnectError::ScopeMissing { alias: alias.clone(), scope });
        }
        Ok(())
    }

    /// Another account as which this user is connected.
    async fn other_account(&self, alias: &Alias, grant: &TokenResponse) -> Result<Option<Alias>, ConnectError> {
        for other in self.accounts.aliases_of(&grant.open_id).await? {
            if other == *alias {
                continue;
            }
            let account = self.accounts.get(&other).await?;
            if account.is_some_and(|a| a.open_id == grant.open_id && a.connection == Connection::Connected) {
                return Ok(Some(other));
            }
        }
        Ok(None)
    }

    /// Revokes a grant that was not stored. If the user has an account, nothing is revoked, because that could end the
    /// authorization that the account uses.
    async fn revoke_unused(&self, app: &AppCredentials, grant: &TokenResponse) {
        let revoked = match self.accounts.aliases_of(&grant.open_id).await {
            Ok(aliases) if aliases.is_empty() => {
                self.tiktok.revoke(app, &grant.access).await.map_err(|error| error_chain(&error))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(error_chain(&error)),
        };
        if let Err(error) = revoked {
            tracing::warn!(error, "unused authorization not revoked");
        }
    }

    /// Stores the grant before it is used. If another writer has changed the account meanwhile, the grant is checked
    /// against it and stored again.
    async fn store(
        &self,
        request: &AuthorizationRequest,
        grant: &TokenResponse,
    ) -> Result<Versioned<Account>, ConnectError> {
        let (alias, now) = (&request.alias, self.instruments.now());
        let access = self.seal(Purpose::AccessToken, alias, grant.access.secret()).await?;
        let refresh = self.seal(Purpose::RefreshToken, alias, grant.refresh.secret()).await?;
        let tokens = TokenPair::granted((access, grant.access_lifetime), (refresh, grant.refresh_lifetime), now);
        let (open_id, scopes) = (&grant.open_id, &grant.scopes);
        let stored = update(
            None,
            || async move { Ok(self.accounts.get(alias).await?) },
            |account: Option<Versioned<Account>>| {
                let granted = match &account {
                    None => Account::new(alias.clone(), open_id.clone(), scopes.clone(), tokens.clone()),
                    Some(account) if is_expected(&account.expected(), grant) => {
                        account.value.clone().authorized(open_id.clone(), scopes.clone(), tokens.clone())
                    }
                    Some(_) => return Err(ConnectError::WrongUser(alias.clone())),
                };
                Ok(Change::Save((account, granted)))
            },
            |(account, granted): (Option<Versioned<Account>>, Account)| async move {
                match account {
                    None => self.accounts.create(granted, now).await,
                    Some(account) => self.accounts.save(account, granted, now).await,
                }
            },
        );
        stored.await?.ok_or(ConnectError::Busy)
    }

    async fn seal(&self, purpose: Purpose, alias: &Alias, token: &SecretString) -> Result<Sealed, ConnectError> {
        Ok(self.cipher.seal(&EncryptionContext::new(purpose, alias), token).await?)
    }

    /// Adds the user's names to the account, as far as TikTok tells them. The account is connected without them too.
    async fn add_names(&self, stored: Versioned<Account>, grant: &TokenResponse, deadline: Timestamp) -> Account {
        let timeout = NAMES_TIMEOUT.min(self.instruments.time_until(deadline));
        let named = with_names(&self.tiktok, grant, stored.value.clone());
        let Ok(account) = tokio::time::timeout(timeout, named).await else {
            tracing::warn!(user.open_id = %grant.open_id, "TikTok did not return the user's names in time");
            return stored.value;
        };
        if account == *stored {
            return account;
        }
        match self.accounts.save(&stored, account, self.instruments.now()).await {
            Ok(account) => account.value,
            Err(error) => {
                tracing::warn!(account = %stored.alias, error = error_chain(&error), "the user's names were not stored");
                stored.value
            }
        }
    }
}

/// Tells whether the TikTok user who authorized is the one that is expected.
fn is_expected(expected: &ExpectedUser, grant: &TokenResponse) -> bool {
    match expected {
        ExpectedUser::Anybody => true,
        ExpectedUser::User(open_id) => *open_id == grant.open_id,
    }
}

/// Adds the user's names. TikTok states both names of a creator, and needs no further scope for that than direct posts
/// do. If it may not be asked for the creator, or does not answer, it is asked for the user: without the scope
/// `user.info.profile`, that is the display name only.
async fn with_names(tiktok: &TikTok, grant: &TokenResponse, account: Account) -> Account {
    if grant.scopes.allow(Scopes::needed_for(Mode::Direct)) {
        match tiktok.creator(&grant.access).await {
            Ok(creator) if !creator.username.is_empty() => return account.named(&creator),
            Ok(_) => {}
            Err(error) => tracing::warn!(error = error_chain(&error), "TikTok did not return the creator"),
        }
    }
    match tiktok.user(&grant.access, &grant.scopes).await {
        Ok(user) => Account {
            username: user.username.or(account.username),
            display_name: user.display_name.or(account.display_name),
            ..account
        },
        Err(error) => {
            tracing::warn!(error = error_chain(&error), "TikTok did not return the user");
            account
        }
    }
}
