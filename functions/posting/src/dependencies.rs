//! The clients, stores and settings from which the use cases are built.
//!
//! A function creates [`Dependencies`] once, at cold start, and builds the use cases that it serves from it, for
//! example `Poller::from(&dependencies)`. Each use case has clones of the parts that it uses. All parts are cheap to
//! clone.

use std::sync::Arc;

use storage::{Accounts, AppSecret, BucketChecks, Clients, KmsCipher, Limits, Objects, Posts, RepostGuard, WakeQueue};
use tiktok::TikTok;

use crate::config::Config;
use crate::invocation::{Clock, Instruments};
use crate::measure::Meter;

/// Defines [`Dependencies`], and `From<&Dependencies>` for the type of each field: the field is cloned.
macro_rules! dependencies {
    ($($(#[$doc:meta])* $field:ident: $part:ty,)*) => {
        /// The parts from which use cases are built. The fields are public so that a test can replace a part first.
        pub struct Dependencies { $($(#[$doc])* pub $field: $part,)* }

        $(impl From<&Dependencies> for $part {
            fn from(dependencies: &Dependencies) -> Self {
                dependencies.$field.clone()
            }
        })*
    };
}

dependencies! {
    /// The posts table.
    posts: Posts,
    /// The accounts table.
    accounts: Accounts,
    /// The table that counts calls against TikTok's limits.
    limits: Limits,
    /// The progress of the bucket check.
    bucket_checks: BucketChecks,
    /// The table that lists the posts of each video.
    repost_guard: RepostGuard,
    /// The S3 objects.
    objects: Objects,
    /// Seals tokens and upload URLs.
    cipher: KmsCipher,
    /// The app's credentials at TikTok.
    app: Arc<AppSecret>,
    /// Wakes a `publish` worker for a post.
    wake_queue: WakeQueue,
    /// TikTok's API.
    tiktok: TikTok,
    /// The settings from environment variables.
    config: Arc<Config>,
    /// The clock and the meter.
    instruments: Instruments,
}

impl Dependencies {
    /// Creates the dependencies, without a meter.
    ///
    /// # Errors
    /// The configured URL of TikTok's API is not usable, or the HTTP client cannot be created.
    pub fn new(config: Config, clients: Clients, clock: Clock) -> Result<Self, tiktok::ConfigError> {
        let api = tiktok::Config { api: config.tiktok_api.clone(), upload_hosts: config.upload_hosts.clone() };
        Ok(Self {
            posts: Posts::new(clients.dynamodb.clone(), &config.posts_table),
            accounts: Accounts::new(clients.dynamodb.clone(), &config.accounts_table),
            limits: Limits::new(clients.dynamodb.clone(), &config.limits_table),
            bucket_checks: BucketChecks::new(clients.dynamodb.clone(), &config.limits_table),
            repost_guard: RepostGuard::new(clients.dynamodb, &config.repost_guard_table),
            objects: Objects::new(clients.s3),
            cipher: KmsCipher::new(clients.kms, &config.tokens_key_id),
            app: Arc::new(AppSecret::new(clients.secrets, &config.app_secret_arn)),
            wake_queue: WakeQueue::new(clients.sqs, &config.intake_queue_url),
            tiktok: TikTok::new(api)?,
            config: Arc::new(config),
            instruments: Instruments { clock, meter: None },
        })
    }

    /// Adds a meter; without one, measurements are dropped.
    #[must_use]
    pub fn metered(mut self, meter: Meter) -> Self {
        self.instruments.meter = Some(meter);
        self
    }
}

/// Defines a struct, and its constructor `From<&Dependencies>`. The constructor builds each field in the same way: a
/// part of [`Dependencies`] is cloned, and any other type is itself defined by this macro.
macro_rules! from_dependencies {
    ($(#[$attribute:meta])* $visibility:vis struct $name:ident { $($field:ident: $part:ty,)* }) => {
        $(#[$attribute])*
        $visibility struct $name { $(pub(crate) $field: $part,)* }

        impl From<&$crate::dependencies::Dependencies> for $name {
            fn from(dependencies: &$crate::dependencies::Dependencies) -> Self {
                Self { $($field: <$part>::from(dependencies),)* }
            }
        }
    };
}
