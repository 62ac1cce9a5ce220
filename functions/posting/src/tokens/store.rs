//! The tokens as the accounts table has them: sealed.

use domain::account::{Account, Connection};
use domain::identity::Alias;
use domain::secret::Sealed;
use storage::{Accounts, EncryptionContext, KmsCipher, Purpose, SaveError, StoreError, Versioned};
use tiktok::AccessToken;

use crate::exit::Exit;
use crate::invocation::Instruments;
use crate::measure::Measurement;

/// An access token, and the ciphertext from which it was opened. The ciphertext tells whether the account has a newer
/// token.
pub(crate) struct OpenedToken {
    pub(crate) token: AccessToken,
    pub(crate) sealed: Sealed,
}

from_dependencies! {
    pub(crate) struct TokenStore { accounts: Accounts, cipher: KmsCipher, instruments: Instruments, }
}

impl TokenStore {
    /// Reads an account that must be connected.
    pub(super) async fn connected(&self, alias: &Alias) -> Result<Versioned<Account>, Exit> {
        if_connected(self.accounts.get(alias).await?.ok_or_else(|| Exit::account_not_found(alias))?)
    }

    /// Opens an account's access token.
    pub(super) async fn open(&self, account: &Account) -> Result<OpenedToken, Exit> {
        let sealed = account.tokens.access.clone();
        let context = EncryptionContext::new(Purpose::AccessToken, &account.alias);
        Ok(OpenedToken { token: AccessToken::new(self.cipher.open(&context, &sealed).await?), sealed })
    }

    /// Marks an account as to be connected again. If another worker has changed the account since, nothing is marked:
    /// TikTok's next refusal will mark it.
    pub(super) async fn mark_authorization_lost(
        &self,
        account: Versioned<Account>,
        why: &str,
    ) -> Result<(), StoreError> {
        let now = self.instruments.now();
        tracing::error!(account = %account.alias, why, "TikTok refuses the account's tokens: connect it again");
        match self.accounts.save(&account, account.value.clone().authorization_lost(why, now), now).await {
            Ok(_) => {
                self.instruments.measure(&Measurement::authorization_lost(&account.alias));
                Ok(())
            }
            Err(SaveError::Conflict) => Ok(()),
            Err(SaveError::Store(error)) => Err(error),
        }
    }
}

/// Returns the account if it is connected.
pub(super) fn if_connected(account: Versioned<Account>) -> Result<Versioned<Account>, Exit> {
    match &account.connection {
        Connection::Connected => Ok(account),
        Connection::NeedsReconnect { why, .. } => Err(Exit::needs_reconnect(why)),
    }
}
