//! A creator: a TikTok user, and the connected account that stands for the user.
//!
//! The scenarios in `accounts.rs` test the OAuth connection itself. For all others, [`Creator::create`] writes the
//! account to the table as an OAuth connection leaves it, with tokens that the simulator issued and the stack's key
//! sealed. Each scenario creates its own creators, so that scenarios do not affect each other.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use domain::account::{Account, Connection, Preferences, Requirement, Scopes, TokenPair};
use domain::identity::{Alias, OpenId};
use domain::options::{Mode, PostOptions, PrivacyLevel};
use domain::secret::SecretString;
use simulator::{Fault, Scope, User, WebhookDelivery};
use storage::{EncryptionContext, Purpose, SaveError};
use uuid::Uuid;

use super::Cloud;

/// The settings of a new creator. By default the creator posts directly and publicly, has granted every scope, and
/// TikTok sends no webhooks about the creator.
pub struct CreatorSetup {
    /// The account's alias: the folder under `drop/`.
    pub alias: String,
    /// The TikTok user.
    pub user: User,
    /// The scopes that the user grants.
    pub scopes: Vec<Scope>,
    /// The account's default options.
    pub defaults: PostOptions,
    /// Whether a video waits for its sidecar.
    pub sidecar: Requirement,
    /// Whether a post waits for an approval.
    pub review: Requirement,
}

/// A creator whose account is connected.
#[derive(Clone)]
pub struct Creator {
    /// The cloud that the account is in.
    pub cloud: Arc<Cloud>,
    /// The account's alias.
    pub alias: Alias,
    /// The TikTok user.
    pub user: User,
}

impl CreatorSetup {
    fn new() -> Self {
        let id = &Uuid::new_v4().simple().to_string()[..12];
        let mut user = User::new(format!("open-{id}"), format!("maker.{id}"));
        // Most scenarios test polls, which a webhook would make superfluous.
        user.webhooks = WebhookDelivery::Disabled;
        Self {
            alias: format!("maker-{id}"),
            user,
            scopes: Scope::ALL.to_vec(),
            defaults: PostOptions {
                mode: Some(Mode::Direct),
                privacy_level: Some(PrivacyLevel::PublicToEveryone),
                ..PostOptions::default()
            },
            sidecar: Requirement::Optional,
            review: Requirement::Optional,
        }
    }
}

impl Creator {
    /// Creates a creator with the default settings.
    pub async fn create(cloud: &Arc<Cloud>) -> Result<Self> {
        Self::create_with(cloud, |_| {}).await
    }

    /// Creates a creator with changed settings.
    pub async fn create_with(cloud: &Arc<Cloud>, change: impl FnOnce(&mut CreatorSetup)) -> Result<Self> {
        let mut setup = CreatorSetup::new();
        change(&mut setup);
        cloud.tiktok.put_user(&setup.user).await?;
        let CreatorSetup { alias, user, scopes, defaults, sidecar, review } = setup;
        let creator = Self { cloud: Arc::clone(cloud), alias: Alias::new(&alias)?, user };
        let preferences = Preferences { defaults, sidecar, review, ..Preferences::default() };
        creator.connect(&scopes, preferences).await.context("connecting a creator's account")?;
        Ok(creator)
    }

    /// Has the user grant the scopes and stores the connected account. It replaces an account that an earlier run left.
    async fn connect(&self, scopes: &[Scope], preferences: Preferences) -> Result<()> {
        let now = runtime::clock::now();
        let granted = self.cloud.tiktok.grant(&self.user.open_id, scopes).await?;
        let seal = async |purpose, token: String, expires_in| {
            let context = EncryptionContext::new(purpose, &self.alias);
            let sealed = self.cloud.cipher.seal(&context, &SecretString::from(token)).await?;
            anyhow::Ok((sealed, Duration::from_secs(expires_in)))
        };
        let account = Account {
            alias: self.alias.clone(),
            open_id: OpenId::new(self.user.open_id.as_str())?,
            username: Some(self.user.username.clone()),
            display_name: Some(self.user.nickname.clone()),
            scopes: Scopes::parse(&granted.scope),
            connection: Connection::Connected,
            tokens: TokenPair::granted(
                seal(Purpose::AccessToken, granted.access_token, granted.expires_in).await?,
                seal(Purpose::RefreshToken, granted.refresh_token, granted.refresh_expires_in).await?,
                now,
            ),
            refreshing: None,
            fresh_token_refused_at: None,
            preferences,
        };
        let accounts = &self.cloud.accounts;
        match accounts.create(account.clone(), now).await {
            Ok(_) => Ok(()),
            Err(SaveError::Conflict) => {
                let stored = accounts.get(&self.alias).await?.context("the account existed a moment ago")?;
                accounts.save(stored, account, now).await?;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Connects the account again with every scope. Its preferences stay.
    pub async fn reconnect(&self) -> Result<()> {
        let preferences = self.account().await?.preferences;
        self.connect(&Scope::ALL, preferences).await
    }

    /// Reads the account.
    pub async fn account(&self) -> Result<Account> {
        let stored = self.cloud.accounts.get(&self.alias).await?;
        Ok(stored.context("the creator's account does not exist")?.value)
    }

    /// Moves all times of the stored tokens into the past by this duration, so that Dropcast takes the tokens for
    /// older. TikTok still accepts them: its clock does not change.
    pub async fn age_tokens(&self, by: Duration) -> Result<()> {
        let stored = self.cloud.accounts.get(&self.alias).await?.context("the creator's account does not exist")?;
        let mut aged = stored.value.clone();
        let tokens = &mut aged.tokens;
        for time in [
            &mut tokens.access_expires_at,
            &mut tokens.refresh_expires_at,
            &mut tokens.granted_at,
            &mut tokens.renew_at,
        ] {
            *time -= by;
        }
        self.cloud.accounts.save(stored, aged, runtime::clock::now()).await?;
        Ok(())
    }

    /// Injects a fault that affects this creator only. Returns the fault's id.
    pub async fn inject(&self, fault: Fault) -> Result<u64> {
        Ok(self.cloud.tiktok.inject(&fault.for_user(self.user.open_id.clone())).await?)
    }

    /// The key of a file in the creator's folder.
    #[must_use]
    pub fn key(&self, file: &str) -> String {
        format!("drop/{}/{file}", self.alias)
    }
}
