//! Clients of AWS, set up alike in every function.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;

/// How often the SDK tries a call, with its own back-off between the tries.
const TRIES: u32 = 5;
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long an answer may take to begin.
const READ: Duration = Duration::from_secs(15);

/// What clients are made from: credentials, region and endpoint, as the SDK
/// finds them in the environment (`AWS_REGION`, `AWS_ENDPOINT_URL`, …).
#[derive(Debug, Clone)]
pub struct Aws(SdkConfig);

impl Aws {
    /// Reads the SDK's own configuration.
    pub async fn from_env() -> Self {
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(READ).build();
        let retries = RetryConfig::standard().with_max_attempts(TRIES);
        Self(aws_config::from_env().timeout_config(timeouts).retry_config(retries).load().await)
    }

    /// A client of DynamoDB.
    #[must_use]
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.0)
    }

    /// A client of KMS.
    #[must_use]
    pub fn kms(&self) -> aws_sdk_kms::Client {
        aws_sdk_kms::Client::new(&self.0)
    }

    /// A client of S3. An endpoint of one's own has no name for each bucket.
    #[must_use]
    pub fn s3(&self) -> aws_sdk_s3::Client {
        let own_endpoint = self.0.endpoint_url().is_some();
        let config = aws_sdk_s3::config::Builder::from(&self.0).force_path_style(own_endpoint).build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// A client of Secrets Manager.
    #[must_use]
    pub fn secrets(&self) -> aws_sdk_secretsmanager::Client {
        aws_sdk_secretsmanager::Client::new(&self.0)
    }

    /// A client of SQS.
    #[must_use]
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.0)
    }
}
