//! Configuring: an operator says how an account's posts go out.

use domain::account::{Account, Preferences, PreferencesError, Requirement};
use domain::identity::Alias;
use domain::post::HoldReason;
use storage::{SaveError, StoreError};

use crate::posting::Posting;

/// How often an account is read again when somebody else changed it, as a
/// refresh of its tokens does.
const TRIES: u32 = 5;

/// Why an account was not configured; its preferences are as they were.
#[derive(Debug, thiserror::Error)]
pub enum ConfigureError {
    /// Nobody connected an account under this alias.
    #[error("no TikTok account is connected as \"{0}\"")]
    Unknown(Alias),
    /// The change itself cannot be made.
    #[error(transparent)]
    Refused(#[from] PreferencesError),
    /// The account could not be read or written.
    #[error("the account could not be stored")]
    Store(#[from] StoreError),
    /// The account changed each time that it was to be changed.
    #[error("the account is being changed by others: try it again")]
    Busy,
}

impl Posting {
    /// Changes an account's preferences as a JSON object says
    /// (`domain::account::Preferences`): what it leaves out stays, `null` takes
    /// back. Posts that are taken up from now on go by them; those that are held for
    /// what is not asked for any more go on.
    ///
    /// # Errors
    /// Nothing was changed, and the error says what of it is wrong; or, where a
    /// table fails in the middle, what is held goes on when the same is said again.
    pub async fn configure(&self, alias: &Alias, change: &[u8]) -> Result<Preferences, ConfigureError> {
        for _ in 0..TRIES {
            let kept = self.accounts.get(alias).await?.ok_or_else(|| ConfigureError::Unknown(alias.clone()))?;
            let preferences = kept.preferences.changed(change, &self.defaults)?;
            let configured = Account { preferences: preferences.clone(), ..kept.value.clone() };
            match self.accounts.save(kept, configured, self.now()).await {
                Ok(_) => {
                    tracing::info!(account = %alias, "account configured");
                    Box::pin(self.let_go_on(alias, &preferences)).await?;
                    return Ok(preferences);
                }
                Err(SaveError::Conflict) => {}
                Err(SaveError::Store(error)) => return Err(error.into()),
            }
        }
        Err(ConfigureError::Busy)
    }

    async fn let_go_on(&self, alias: &Alias, preferences: &Preferences) -> Result<(), StoreError> {
        for (requirement, reason) in
            [(preferences.sidecar, HoldReason::Sidecar), (preferences.review, HoldReason::Review)]
        {
            if requirement == Requirement::Optional {
                let released = self.release_held(alias, reason).await?;
                if released > 0 {
                    tracing::info!(account = %alias, posts.released = released, ?reason, "held posts go on");
                }
            }
        }
        Ok(())
    }
}
