//! The configuration of the AWS SDK. It is the same in every function.

mod tls_roots;

use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{ConfigLoader, SdkConfig};

use crate::environment::variable;

/// How many times the SDK sends a call in total, with its own back-off between the attempts.
const MAX_ATTEMPTS: u32 = 5;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest wait for the first byte of a response.
const READ_TIMEOUT: Duration = Duration::from_secs(15);
/// The longest wait for the next bytes of a response. It must be well below `chunk_stall` (60 s) in
/// `tiktok/src/timeouts.rs`: a stalled read from S3 stalls the chunk that is being sent, and must resume before that
/// timeout.
const STALL_TIMEOUT: Duration = Duration::from_secs(15);

/// Loads credentials, region and endpoint from the environment, as the SDK does (`AWS_REGION`, `AWS_ENDPOINT_URL`, …).
pub async fn config() -> SdkConfig {
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build();
    let retries = RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS);
    let stalls = StalledStreamProtectionConfig::enabled().grace_period(STALL_TIMEOUT).build();
    let config =
        aws_config::from_env().timeout_config(timeouts).retry_config(retries).stalled_stream_protection(stalls);
    tls_roots::apply(with_role_credentials(config), variable).load().await
}

/// If the environment contains credentials, as in Lambda, uses no other source. The SDK's default also prefers the
/// environment, but initializes all other sources before, which slows a cold start.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
fn with_role_credentials(config: ConfigLoader) -> ConfigLoader {
    let are_set = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].iter().all(|name| variable(name).is_some());
    if are_set { config.credentials_provider(EnvironmentVariableCredentialsProvider::new()) } else { config }
}
