//! The SDK's clients that everything here stands on.

use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use aws_types::SdkConfig;

/// A client of each service. The tables are asked at every invocation; the others
/// are made when they are first needed: each parses the endpoints of all of AWS, which
/// is a good part of a cold start.
#[derive(Debug, Clone)]
pub struct Clients {
    /// The tables.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// The key.
    pub kms: Lazy<aws_sdk_kms::Client>,
    /// The bucket.
    pub s3: Lazy<aws_sdk_s3::Client>,
    /// The app's credentials.
    pub secrets: Lazy<aws_sdk_secretsmanager::Client>,
    /// The queue.
    pub sqs: Lazy<aws_sdk_sqs::Client>,
}

impl Clients {
    /// Makes them all of one configuration. An endpoint of one's own has no
    /// name for each bucket, so the bucket goes into the path there.
    #[must_use]
    pub fn of(config: &SdkConfig) -> Self {
        let s3 = |config: &SdkConfig| {
            let own_endpoint = config.endpoint_url().is_some();
            let config = aws_sdk_s3::config::Builder::from(config).force_path_style(own_endpoint);
            aws_sdk_s3::Client::from_conf(config.build())
        };
        Self {
            dynamodb: aws_sdk_dynamodb::Client::new(config),
            kms: Lazy::made(config, aws_sdk_kms::Client::new),
            s3: Lazy::made(config, s3),
            secrets: Lazy::made(config, aws_sdk_secretsmanager::Client::new),
            sqs: Lazy::made(config, aws_sdk_sqs::Client::new),
        }
    }
}

/// A client that is made when it is first used, once for all its clones.
#[derive(Debug)]
pub struct Lazy<C>(Arc<LazyLock<C, Making<C>>>);

type Making<C> = Box<dyn FnOnce() -> C + Send>;

impl<C: 'static> Lazy<C> {
    fn made(config: &SdkConfig, make: impl FnOnce(&SdkConfig) -> C + Send + 'static) -> Self {
        let config = config.clone();
        Self::by(Box::new(move || make(&config)))
    }

    fn by(making: Making<C>) -> Self {
        Self(Arc::new(LazyLock::new(making)))
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

/// One that is there already.
impl<C: Send + 'static> From<C> for Lazy<C> {
    fn from(client: C) -> Self {
        Self::by(Box::new(|| client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn it_is_made_at_its_first_use_and_once() {
        let made = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&made);
        let later = Lazy::by(Box::new(move || count.fetch_add(1, Ordering::SeqCst) + 1));
        let other = later.clone();
        assert_eq!(made.load(Ordering::SeqCst), 0);
        assert_eq!((*later, *other), (1, 1));
        assert_eq!(made.load(Ordering::SeqCst), 1);
    }
}
