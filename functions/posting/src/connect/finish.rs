//! Taking the answer: the state first, then the code, then the user, then the
//! scopes; only then is anything stored of it.

use domain::account::{Account, Connection, Scopes, TokenPair};
use domain::authorization::{AuthorizationRequest, AuthorizationState, ExpectedUser, RequestClosed};
use domain::failure::error_chain;
use domain::identity::Alias;
use domain::secret::{ExposeSecret, Sealed, SecretString};
use jiff::Timestamp;
use storage::{EncryptionContext, Purpose, SaveError, Versioned};
use tiktok::{AppCredentials, AuthorizationResponse, Decision, ErrorKind, OAuthError, TokenResponse};

use super::{ConnectError, Connections};

/// How often the account is read again where somebody else changed it.
const STORE_TRIES: u32 = 5;

/// An account that was connected just now.
#[derive(Debug, Clone)]
pub struct Connected {
    /// The account.
    pub account: Account,
    /// How many of its posts waited for this and go on now.
    pub resumed: u32,
}

impl Connections {
    /// Takes the answer that TikTok's page sent by the user's browser.
    ///
    /// # Errors
    /// No account was connected or changed. The request is answered all the
    /// same, unless its state was not one to answer.
    pub async fn take(&self, answer: AuthorizationResponse, deadline: Timestamp) -> Result<Connected, ConnectError> {
        let state = answer.state.as_ref().and_then(|state| AuthorizationState::parse(state.expose_secret()));
        let state = state.ok_or(ConnectError::StateUnknown)?;
        let decision = answer.decision.ok_or(ConnectError::Malformed)?;
        let request = self.answered(&state).await?;
        let (code, scopes) = match decision {
            Decision::Granted { code, scopes } => (code, scopes),
            Decision::Refused(denial) => return Err(ConnectError::Denied(denial)),
        };
        let app = self.app().await?;
        let exchanged = self.posting.tiktok.exchange(&app, code.expose_secret(), self.page.redirect_uri()).await;
        let mut grant = exchanged.map_err(unexchanged)?;
        if grant.scopes.is_empty() {
            grant.scopes = scopes;
        }
        if let Err(refused) = self.check(&request, &grant).await {
            self.discard(&app, &grant).await;
            return Err(refused);
        }
        let stored = self.store(&request, &grant).await?;
        let account = self.named(stored, &grant, deadline).await;
        tracing::info!(
            account = %account.alias, username = account.username, scopes = account.scopes.to_list(),
            refresh_expires_at = %account.tokens.refresh_expires_at, "account connected"
        );
        let resumed = self.posting.resume(&account.alias, deadline).await;
        Ok(Connected { account, resumed })
    }

    /// Takes the request's one answer.
    async fn answered(&self, state: &AuthorizationState) -> Result<AuthorizationRequest, ConnectError> {
        let now = self.posting.now();
        let kept = self.consents.get(&state.fingerprint()).await?.ok_or(ConnectError::StateUnknown)?;
        let answered = kept.value.clone().answer(now).map_err(|why| match why {
            RequestClosed::Answered { at } => ConnectError::StateUsed { at },
            RequestClosed::Expired { at } => ConnectError::StateExpired { at },
        })?;
        match self.consents.save(kept, answered).await {
            Ok(kept) => Ok(kept.value),
            Err(SaveError::Conflict) => Err(ConnectError::StateUsed { at: now }),
            Err(SaveError::Store(error)) => Err(error.into()),
        }
    }

    /// Holds the grant against the request, and against the accounts there are.
    async fn check(&self, request: &AuthorizationRequest, grant: &TokenResponse) -> Result<(), ConnectError> {
        let alias = &request.alias;
        let known = self.posting.accounts.get(alias).await?;
        let as_it_is_now = known.as_ref().map_or(ExpectedUser::Anybody, |account| account.expected());
        if !is_expected(&request.expected, grant) || !is_expected(&as_it_is_now, grant) {
            return Err(ConnectError::WrongUser { alias: alias.clone() });
        }
        if let Some(other) = self.elsewhere(alias, grant).await? {
            return Err(ConnectError::ConnectedElsewhere { other });
        }
        let scope = Scopes::needed_for(self.mode_of(known.as_deref()));
        if !grant.scopes.allow(scope) {
            return Err(ConnectError::ScopeMissing { alias: alias.clone(), scope });
        }
        Ok(())
    }

    /// Another account that this user is connected as.
    async fn elsewhere(&self, alias: &Alias, grant: &TokenResponse) -> Result<Option<Alias>, ConnectError> {
        for other in self.posting.accounts.aliases_of(&grant.open_id).await? {
            if other == *alias {
                continue;
            }
            let account = self.posting.accounts.get(&other).await?;
            let theirs = account.filter(|a| a.open_id == grant.open_id && a.connection == Connection::Connected);
            if theirs.is_some() {
                return Ok(Some(other));
            }
        }
        Ok(None)
    }

    /// Gives a grant back that nobody wants. Not where the user is connected:
    /// that would end a consent which is in use.
    async fn discard(&self, app: &AppCredentials, grant: &TokenResponse) {
        match self.posting.accounts.aliases_of(&grant.open_id).await {
            Ok(aliases) if aliases.is_empty() => {}
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(error = error_chain(&error), "an unwanted consent was not given back");
                return;
            }
        }
        if let Err(error) = self.posting.tiktok.revoke(app, &grant.access).await {
            tracing::warn!(error = error_chain(&error), "an unwanted consent was not given back");
        }
    }

    /// Stores the grant: before it is used for anything, and under whatever
    /// else became of the account meanwhile.
    async fn store(
        &self,
        request: &AuthorizationRequest,
        grant: &TokenResponse,
    ) -> Result<Versioned<Account>, ConnectError> {
        let (alias, now) = (&request.alias, self.posting.now());
        let access = self.seal(Purpose::AccessToken, alias, grant.access.secret()).await?;
        let refresh = self.seal(Purpose::RefreshToken, alias, grant.refresh.secret()).await?;
        let tokens = TokenPair::granted((access, grant.access_lifetime), (refresh, grant.refresh_lifetime), now);
        let (open_id, scopes) = (&grant.open_id, &grant.scopes);
        for _ in 0..STORE_TRIES {
            let stored = match self.posting.accounts.get(alias).await? {
                None => {
                    let account = Account::new(alias.clone(), open_id.clone(), scopes.clone(), tokens.clone());
                    self.posting.accounts.create(account, now).await
                }
                Some(kept) if is_expected(&kept.expected(), grant) => {
                    let account = kept.value.clone().authorized(open_id.clone(), scopes.clone(), tokens.clone());
                    self.posting.accounts.save(kept, account, now).await
                }
                Some(_) => return Err(ConnectError::WrongUser { alias: alias.clone() }),
            };
            match stored {
                Err(SaveError::Conflict) => {}
                stored => return Ok(stored?),
            }
        }
        Err(ConnectError::Busy)
    }

    async fn seal(&self, purpose: Purpose, alias: &Alias, token: &SecretString) -> Result<Sealed, ConnectError> {
        Ok(self.posting.cipher.seal(&EncryptionContext::new(purpose, alias), token).await?)
    }
}

fn is_expected(expected: &ExpectedUser, grant: &TokenResponse) -> bool {
    match expected {
        ExpectedUser::Anybody => true,
        ExpectedUser::User(open_id) => *open_id == grant.open_id,
    }
}

/// Tells a refusal from an answer that was lost: with that, the code may be spent.
fn unexchanged(error: OAuthError) -> ConnectError {
    match error.fault {
        ErrorKind::Refused(_) => ConnectError::CodeRefused(error),
        _ => ConnectError::Unanswered(error),
    }
}
