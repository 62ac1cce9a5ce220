//! A creator: a TikTok user, and the account in the stack that stands for them.
//!
//! The connecting itself is another story; here the account is written as it is
//! after one, with tokens that TikTok issued and the stack's key sealed. Each
//! scenario casts its own, so that scenarios never meet.

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

use crate::cloud::Cloud;

/// Who is cast: what differs from an ordinary creator is changed here.
pub struct Casting {
    /// The folder under `drop/`.
    pub alias: String,
    /// The user on TikTok's side.
    pub user: User,
    /// What the user agreed to.
    pub scopes: Vec<Scope>,
    /// What the account's posts say where they do not say it themselves.
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
    /// The account's name in the stack.
    pub alias: Alias,
    /// The user on TikTok's side.
    pub user: User,
}

impl Casting {
    fn ordinary() -> Self {
        let id = &Uuid::new_v4().simple().to_string()[..12];
        let mut user = User::new(format!("open-{id}"), format!("maker.{id}"));
        // Without webhooks everything has to be as true, and polls are what most stories are about.
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
    /// Casts an ordinary creator, who posts publicly and directly.
    pub async fn connect(cloud: &Arc<Cloud>) -> Result<Self> {
        Self::cast(cloud, |_| {}).await
    }

    /// Casts a creator who differs from an ordinary one.
    pub async fn cast(cloud: &Arc<Cloud>, differ: impl FnOnce(&mut Casting)) -> Result<Self> {
        let mut casting = Casting::ordinary();
        differ(&mut casting);
        cloud.tiktok.put_user(&casting.user).await?;
        let alias = Alias::new(&casting.alias)?;
        let creator = Self { cloud: Arc::clone(cloud), alias, user: casting.user.clone() };
        let Casting { scopes, defaults, sidecar, review, .. } = casting;
        let preferences = Preferences { defaults, sidecar, review, ..Preferences::default() };
        creator.consent(&scopes, preferences).await.context("connecting a creator's account")?;
        Ok(creator)
    }

    /// Has the user consent, and writes down what a connected account is.
    async fn consent(&self, scopes: &[Scope], preferences: Preferences) -> Result<()> {
        let now = runtime::clock::now();
        let granted = self.cloud.tiktok.grant(&self.user.open_id, scopes).await?;
        let seal = async |purpose, token: String| {
            let context = EncryptionContext::new(purpose, &self.alias);
            self.cloud.vault.seal(&context, &SecretString::from(token)).await
        };
        let account = Account {
            alias: self.alias.clone(),
            open_id: OpenId::new(self.user.open_id.as_str())?,
            username: Some(self.user.username.clone()),
            display_name: Some(self.user.nickname.clone()),
            scopes: Scopes::parse(&granted.scope),
            connection: Connection::Connected,
            tokens: TokenPair::granted(
                (seal(Purpose::AccessToken, granted.access_token).await?, Duration::from_secs(granted.expires_in)),
                (
                    seal(Purpose::RefreshToken, granted.refresh_token).await?,
                    Duration::from_secs(granted.refresh_expires_in),
                ),
                now,
            ),
            refreshing: None,
            preferences,
        };
        self.store(account).await
    }

    /// Stores the account, in place of one that an earlier run left behind.
    async fn store(&self, account: Account) -> Result<()> {
        let (accounts, now) = (&self.cloud.accounts, runtime::clock::now());
        match accounts.create(account.clone(), now).await {
            Ok(_) => Ok(()),
            Err(SaveError::Conflict) => {
                let there = accounts.get(&self.alias).await?.context("the account was there a moment ago")?;
                accounts.save(there, account, now).await?;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Has the user consent anew, as somebody does who connects once more.
    pub async fn reconnect(&self) -> Result<()> {
        let known = self.account().await?;
        self.consent(&Scope::ALL, known.preferences).await
    }

    /// The account as it is stored now.
    pub async fn account(&self) -> Result<Account> {
        let kept = self.cloud.accounts.get(&self.alias).await?;
        Ok(kept.context("the creator's account is gone")?.value)
    }

    /// Lets time pass for the account's tokens: it is as it would be if they had
    /// been granted so much earlier. TikTok's own clock stays.
    pub async fn age(&self, by: Duration) -> Result<()> {
        let kept = self.cloud.accounts.get(&self.alias).await?.context("the creator's account is gone")?;
        let TokenPair { access, access_expires_at, refresh, refresh_expires_at, granted_at, renew_at } =
            kept.tokens.clone();
        let tokens = TokenPair {
            access,
            access_expires_at: access_expires_at - by,
            refresh,
            refresh_expires_at: refresh_expires_at - by,
            granted_at: granted_at - by,
            renew_at: renew_at - by,
        };
        let aged = Account { tokens, ..kept.value.clone() };
        self.cloud.accounts.save(kept, aged, runtime::clock::now()).await?;
        Ok(())
    }

    /// Orders trouble for this creator alone.
    pub async fn inject(&self, fault: Fault) -> Result<()> {
        self.cloud.tiktok.inject(&fault.for_user(self.user.open_id.clone())).await?;
        Ok(())
    }

    /// The key at which a file of this creator's is dropped.
    #[must_use]
    pub fn key(&self, file: &str) -> String {
        format!("drop/{}/{file}", self.alias)
    }
}
