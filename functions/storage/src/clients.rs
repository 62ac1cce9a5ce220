//! The AWS SDK clients of this crate, except EventBridge's, which [`EventBus`](crate::EventBus) creates.

use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use aws_types::SdkConfig;

/// One client for each service.
///
/// Every invocation calls DynamoDB, so its client is created at once. The other clients are created on first use:
/// each client parses the endpoint rules of all AWS regions, which takes a large part of a cold start.
#[derive(Debug, Clone)]
pub struct Clients {
    /// DynamoDB, for the tables.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// KMS, for the key that seals tokens and upload URLs.
    pub kms: Lazy<aws_sdk_kms::Client>,
    /// S3, for videos and sidecars.
    pub s3: Lazy<aws_sdk_s3::Client>,
    /// Secrets Manager, for the TikTok app's credentials.
    pub secrets: Lazy<aws_sdk_secretsmanager::Client>,
    /// SQS, for wake messages to the intake queue.
    pub sqs: Lazy<aws_sdk_sqs::Client>,
}

impl Clients {
    /// Creates all clients from one configuration.
    ///
    /// If the configuration names an endpoint, S3 requests have the bucket in the path, because such an endpoint
    /// has no host name for each bucket.
    pub fn of(config: &SdkConfig) -> Self {
        let s3 = |config: &SdkConfig| {
            let custom_endpoint = config.endpoint_url().is_some();
            let config = aws_sdk_s3::config::Builder::from(config).force_path_style(custom_endpoint);
            aws_sdk_s3::Client::from_conf(config.build())
        };
        Self {
            dynamodb: aws_sdk_dynamodb::Client::new(config),
            kms: Lazy::from_config(config, aws_sdk_kms::Client::new),
            s3: Lazy::from_config(config, s3),
            secrets: Lazy::from_config(config, aws_sdk_secretsmanager::Client::new),
            sqs: Lazy::from_config(config, aws_sdk_sqs::Client::new),
        }
    }
}

/// A client that is created on first use. All clones share it.
#[derive(Debug)]
pub struct Lazy<C>(Arc<LazyLock<C, Create<C>>>);

type Create<C> = Box<dyn FnOnce() -> C + Send>;

impl<C: 'static> Lazy<C> {
    pub(crate) fn from_config(config: &SdkConfig, create: impl FnOnce(&SdkConfig) -> C + Send + 'static) -> Self {
        let config = config.clone();
        Self::new(Box::new(move || create(&config)))
    }

    fn new(create: Create<C>) -> Self {
        Self(Arc::new(LazyLock::new(create)))
    }
}

impl<C> Clone for Lazy<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> Deref for Lazy<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.0
    }
}

/// Wraps a client that exists already.
impl<C: Send + 'static> From<C> for Lazy<C> {
    fn from(client: C) -> Self {
        Self::new(Box::new(|| client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn lazy_client_is_created_once_on_first_use() {
        let created = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&created);
        let lazy = Lazy::new(Box::new(move || count.fetch_add(1, Ordering::SeqCst) + 1));
        let clone = lazy.clone();
        assert_eq!(created.load(Ordering::SeqCst), 0);
        assert_eq!((*lazy, *clone), (1, 1));
        assert_eq!(created.load(Ordering::SeqCst), 1);
    }
}
