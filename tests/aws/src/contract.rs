//! What others must be told to find AWS here: the functions by their variables, as
//! the template gives them, and the programs of the local cloud by `cloud.json`.

use std::path::Path;

use serde_json::{Value, json};

use crate::{ACCOUNTS, BUCKET, BUDGETS, CONSENTS, INBOX, POSTS};

const REGION: &str = "us-east-1";
/// The id and the secret of the key that requests are signed with.
const KEY: &str = "played";
const TOKENS_KEY: &str = "tokens";
const APP: &str = "app";
const REDIRECT: &str = "https://dropcast.example/oauth/callback";

/// A few certificates.
const CERTIFICATES: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../functions/runtime/src/aws/amazon_trust_services.pem");

/// The variables of a function that finds AWS at this URL.
#[must_use]
pub fn variables(endpoint: &str) -> Vec<(String, String)> {
    let variables = [
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", KEY),
        ("AWS_ENDPOINT_URL", endpoint),
        // Nobody here speaks TLS, and reading all that the host believes takes longer than starting.
        ("SSL_CERT_FILE", CERTIFICATES),
        ("POSTS_TABLE", POSTS),
        ("ACCOUNTS_TABLE", ACCOUNTS),
        ("LIMITS_TABLE", BUDGETS),
        ("AUTHORIZATION_REQUESTS_TABLE", CONSENTS),
        ("WEBHOOKS_TABLE", INBOX),
        ("INTAKE_BUCKET", BUCKET),
        ("INTAKE_QUEUE_URL", &queue(endpoint)),
        ("TOKENS_KEY_ID", TOKENS_KEY),
        ("APP_SECRET_ARN", APP),
        ("REDIRECT_URL", REDIRECT),
    ];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// What `cloud.json` would say, with TikTok's simulator at the second URL, and
/// logs in a folder.
#[must_use]
pub fn contract(endpoint: &str, simulator: &str, logs: &Path) -> Value {
    json!({
        "endpoint": endpoint, "region": REGION, "access_key_id": KEY, "secret_access_key": KEY,
        "simulator": simulator, "logs": logs, "aws_cli": "", "trust": "",
        "outputs": {
            "IntakeBucket": BUCKET, "IntakeQueueUrl": queue(endpoint), "DeadLetterQueueUrl": "",
            "PostsTable": POSTS, "AccountsTable": ACCOUNTS, "LimitsTable": BUDGETS, "AuthorizationRequestsTable": CONSENTS,
            "TokensKeyId": TOKENS_KEY, "AppSecretArn": APP, "PublishFunction": "publish", "StatusFunction": "status",
            "ApiFunction": "api", "ApiUrl": "", "ConnectUrl": "", "RedirectUrl": "",
            "WebhookUrl": "", "WebhooksTable": INBOX, "FailureTopic": "", "NoticesFunction": "", "StatusDlqUrl": "", "NoticesDlqUrl": "",
        },
    })
}

fn queue(endpoint: &str) -> String {
    format!("{endpoint}/intake")
}
