//! The SDK's clients that everything here stands on.

use aws_types::SdkConfig;

/// A client of each service.
#[derive(Debug, Clone)]
pub struct Clients {
    /// The tables.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// The key.
    pub kms: aws_sdk_kms::Client,
    /// The bucket.
    pub s3: aws_sdk_s3::Client,
    /// The app's credentials.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// The queue.
    pub sqs: aws_sdk_sqs::Client,
}

impl Clients {
    /// Makes them all of one configuration. An endpoint of one's own has no
    /// name for each bucket, so the bucket goes into the path there.
    #[must_use]
    pub fn of(config: &SdkConfig) -> Self {
        let own_endpoint = config.endpoint_url().is_some();
        let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(own_endpoint).build();
        Self {
            dynamodb: aws_sdk_dynamodb::Client::new(config),
            kms: aws_sdk_kms::Client::new(config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            secrets: aws_sdk_secretsmanager::Client::new(config),
            sqs: aws_sdk_sqs::Client::new(config),
        }
    }
}
