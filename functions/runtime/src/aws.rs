//! How AWS is reached, alike in every function.

mod tls_roots;

use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{ConfigLoader, SdkConfig};

use crate::environment::variable;

/// How often the SDK tries a call, with its own back-off between the tries.
const TRIES: u32 = 5;
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long an answer may take to begin.
const READ: Duration = Duration::from_secs(15);
/// How long an answer that has begun may give nothing: well below the time for
/// which TikTok's upload is kept waiting, so that a read that falls silent has
/// gone on elsewhere by then.
const SILENCE: Duration = Duration::from_secs(15);

/// Reads credentials, region and endpoint as the SDK finds them in the
/// environment (`AWS_REGION`, `AWS_ENDPOINT_URL`, …).
pub async fn config() -> SdkConfig {
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(READ).build();
    let retries = RetryConfig::standard().with_max_attempts(TRIES);
    let stalls = StalledStreamProtectionConfig::enabled().grace_period(SILENCE).build();
    let config =
        aws_config::from_env().timeout_config(timeouts).retry_config(retries).stalled_stream_protection(stalls);
    tls_roots::apply(as_the_role(config), variable).load().await
}

/// Lambda hands its role's credentials over in the environment. The SDK would find them
/// there first, too, but make everything that it needs to look elsewhere before it does.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
fn as_the_role(config: ConfigLoader) -> ConfigLoader {
    let given = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].iter().all(|name| variable(name).is_some());
    if given { config.credentials_provider(EnvironmentVariableCredentialsProvider::new()) } else { config }
}
