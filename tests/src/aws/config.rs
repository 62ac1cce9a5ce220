//! The configuration that directs programs to the fake AWS: environment variables for the functions, `cloud.json` for
//! programs of the local cloud such as `connect`.

use std::path::Path;

use serde_json::{Value, json};

use super::{ACCOUNTS, AUTHORIZATION_REQUESTS, BUCKET, LIMITS, POSTS, REPOST_GUARD, WEBHOOKS};

const REGION: &str = "us-east-1";
/// Both the id and the secret of the access key that signs requests. The fake does not check signatures.
const ACCESS_KEY: &str = "test";
/// The id of the KMS key. The fake accepts any.
const TOKENS_KEY: &str = "tokens";
/// The ARN of the TikTok app's secret. The fake returns the same secret for any.
const APP_SECRET: &str = "app";
const REDIRECT_URL: &str = "https://dropcast.example/oauth/callback";

/// A CA bundle with few certificates.
const CA_BUNDLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../functions/runtime/src/aws/amazon_trust_services.pem");

/// The environment variables of a function whose AWS endpoint is this URL. The names must stay those of
/// `template.yaml`.
#[must_use]
pub fn variables(endpoint: &str) -> Vec<(String, String)> {
    let variables = [
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", ACCESS_KEY),
        ("AWS_ENDPOINT_URL", endpoint),
        // No server here uses TLS. Without this variable, a function would load the host's CA bundle, which takes
        // longer than the rest of its start.
        ("SSL_CERT_FILE", CA_BUNDLE),
        ("POSTS_TABLE", POSTS),
        ("ACCOUNTS_TABLE", ACCOUNTS),
        ("LIMITS_TABLE", LIMITS),
        ("REPOST_GUARD_TABLE", REPOST_GUARD),
        ("AUTHORIZATION_REQUESTS_TABLE", AUTHORIZATION_REQUESTS),
        ("WEBHOOKS_TABLE", WEBHOOKS),
        ("INTAKE_BUCKET", BUCKET),
        ("INTAKE_QUEUE_URL", &queue_url(endpoint)),
        ("TOKENS_KEY_ID", TOKENS_KEY),
        ("APP_SECRET_ARN", APP_SECRET),
        ("REDIRECT_URL", REDIRECT_URL),
        ("EVENT_BUS", "default"),
        ("STACK_NAME", "tests"),
    ];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// The content of `cloud.json` for a cloud whose AWS is at `endpoint` and whose TikTok is at `simulator`. It must have
/// the fields of `Contract` in `cloud.rs`. For a deployed cloud, `infra/local` writes this file.
#[must_use]
pub fn cloud_json(endpoint: &str, simulator: &str, logs: &Path) -> Value {
    json!({
        "endpoint": endpoint, "region": REGION, "access_key_id": ACCESS_KEY, "secret_access_key": ACCESS_KEY,
        "simulator": simulator, "logs": logs, "aws_cli": "", "trust": "",
        "outputs": {
            "IntakeBucket": BUCKET, "IntakeQueueUrl": queue_url(endpoint), "DeadLetterQueueUrl": "",
            "PostsTable": POSTS, "AccountsTable": ACCOUNTS, "LimitsTable": LIMITS,
            "RepostGuardTable": REPOST_GUARD,
            "AuthorizationRequestsTable": AUTHORIZATION_REQUESTS, "WebhooksTable": WEBHOOKS,
            "TokensKeyId": TOKENS_KEY, "AppSecretArn": APP_SECRET, "PublishFunction": "publish",
            "StatusFunction": "status", "ApiFunction": "api", "ApiUrl": "", "ConnectUrl": "", "RedirectUrl": "",
            "WebhookUrl": "", "FailureTopic": "", "NoticesFunction": "", "StatusDlqUrl": "", "NoticesDlqUrl": "",
        },
    })
}

fn queue_url(endpoint: &str) -> String {
    format!("{endpoint}/intake")
}
