//! What the use cases work with, put together once at cold start.

use std::num::NonZeroU32;
use std::sync::Arc;

use domain::chunk::ChunkCeiling;
use domain::identity::Alias;
use domain::settings::StackDefaults;
use jiff::Timestamp;
use storage::{Accounts, AppSecret, Clients, KmsCipher, Limits, Objects, Posts, WakeQueue, Window};
use tiktok::TikTok;

use crate::config::Config;
use crate::measure::Meter;

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Who works, and when.
#[derive(Debug, Clone)]
pub struct Worker {
    /// A name that no other invocation has; it is written on leases.
    pub name: String,
    /// When its work began.
    pub since: Timestamp,
    /// The moment by which work must be at rest.
    pub deadline: Timestamp,
}

/// The use cases, with all that they use.
pub struct Posting {
    /// The posts.
    pub posts: Posts,
    /// The accounts.
    pub accounts: Accounts,
    /// What is left of TikTok's limits.
    pub limits: Limits,
    /// The dropped objects.
    pub objects: Objects,
    /// The key that seals tokens and upload URLs.
    pub cipher: KmsCipher,
    /// The app's credentials at TikTok.
    pub app: AppSecret,
    /// The bell that wakes `publish`.
    pub wake_queue: WakeQueue,
    /// TikTok.
    pub tiktok: TikTok,
    /// What the stack says where nobody else does.
    pub defaults: StackDefaults,
    /// Whose video one directly under `drop/` is.
    pub default_account: Alias,
    /// The ceiling of a chunk.
    pub chunk_ceiling: ChunkCeiling,
    /// How far the bucket is read ahead.
    pub window: Window,
    /// How many direct posts TikTok is thought to take of an account in 24 hours.
    pub posts_per_day: u32,
    /// How many accounts TikTok lets post directly in 24 hours, where that is known.
    pub posting_users: Option<NonZeroU32>,
    /// Where the time comes from.
    pub clock: Clock,
    pub(crate) meter: Option<Meter>,
}

impl Posting {
    /// Puts the use cases together.
    ///
    /// # Errors
    /// TikTok's client cannot be made of the parameters.
    pub fn new(config: &Config, clients: Clients, clock: Clock) -> Result<Self, tiktok::ConfigError> {
        let api = tiktok::Config { api: config.tiktok_api.clone(), upload_hosts: config.upload_hosts.clone() };
        Ok(Self {
            posts: Posts::new(clients.dynamodb.clone(), &config.posts_table),
            accounts: Accounts::new(clients.dynamodb.clone(), &config.accounts_table),
            limits: Limits::new(clients.dynamodb, &config.limits_table),
            objects: Objects::new(clients.s3),
            cipher: KmsCipher::new(clients.kms, &config.tokens_key_id),
            app: AppSecret::new(clients.secrets, &config.app_secret_arn),
            wake_queue: WakeQueue::new(clients.sqs, &config.intake_queue_url),
            tiktok: TikTok::new(api)?,
            defaults: config.defaults,
            default_account: config.default_account.clone(),
            chunk_ceiling: config.chunk_ceiling,
            window: config.window,
            posts_per_day: config.posts_per_day,
            posting_users: config.posting_users,
            clock,
            meter: None,
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }
}
