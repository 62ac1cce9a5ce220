//! The way into the local cloud: what `cloud.json` says, and clients made of it.
//!
//! `infra/local` writes that file and names it in `DROPCAST_CLOUD`. Nothing else of
//! the environment is read, so that a scenario can never reach a real account.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::Credentials;
use serde::Deserialize;
use simulator::Control;
use storage::{Accounts, AuthorizationRequests, KmsCipher, Posts};

use crate::pulse::Pulse;

/// What `cloud.json` says. It holds a key, so it has no `Debug`.
#[derive(Clone, Deserialize)]
pub struct Contract {
    /// Where every AWS service is.
    pub endpoint: String,
    /// The region that everything is in.
    pub region: String,
    access_key_id: String,
    secret_access_key: String,
    /// The control interface of the simulator; none where something else plays TikTok.
    pub simulator: Option<String>,
    /// What the stack says of itself.
    pub outputs: Outputs,
    /// The folder with what this cloud's processes said.
    pub logs: PathBuf,
    /// The AWS CLI that belongs to this cloud.
    pub aws_cli: PathBuf,
    /// The certificates to trust, for other programs.
    pub trust: PathBuf,
}

/// The outputs of the stack.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Outputs {
    /// The bucket that videos are dropped into.
    pub intake_bucket: String,
    /// The queue that wakes `publish`.
    pub intake_queue_url: String,
    /// What could not be handled.
    pub dead_letter_queue_url: String,
    /// The table of posts.
    pub posts_table: String,
    /// The table of accounts.
    pub accounts_table: String,
    /// The table of budgets.
    pub limits_table: String,
    /// The key that seals tokens.
    pub tokens_key_id: String,
    /// The app's credentials at TikTok.
    pub app_secret_arn: String,
    /// The function that uploads.
    pub publish_function: String,
    /// The function that looks at what is due.
    pub status_function: String,
    /// The function that answers HTTP.
    pub api_function: String,
    /// Where the HTTP API is.
    pub api_url: String,
    /// Where an account's connecting begins.
    pub connect_url: String,
    /// Where TikTok's answer to it goes.
    pub redirect_url: String,
    /// The table of requests for consent.
    pub authorization_requests_table: String,
    /// Where TikTok's webhooks go.
    pub webhook_url: String,
    /// The table of what they said.
    pub webhooks_table: String,
    /// The topic that an operator hears of failures by.
    pub failure_topic: String,
    /// The function that tells others.
    pub notices_function: String,
    /// What is left of looks that failed.
    pub status_dlq_url: String,
    /// What of the stream could not be told.
    pub notices_dlq_url: String,
}

/// The local cloud, as a user of it sees it.
pub struct Cloud {
    /// What `cloud.json` says.
    pub contract: Contract,
    /// A file to lock by whoever wants the cloud for themselves.
    pub lock_file: PathBuf,
    /// The bucket.
    pub s3: aws_sdk_s3::Client,
    /// The queues.
    pub sqs: aws_sdk_sqs::Client,
    /// The functions.
    pub lambda: aws_sdk_lambda::Client,
    /// The tables, raw.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// The posts.
    pub posts: Posts,
    /// The accounts.
    pub accounts: Accounts,
    /// The requests for consent.
    pub consents: AuthorizationRequests,
    /// The key that seals tokens.
    pub vault: KmsCipher,
    /// The simulator that plays TikTok.
    pub tiktok: Control,
    pub(crate) pulse: Pulse,
    pub(crate) aws: SdkConfig,
}

impl Cloud {
    /// Opens the cloud that `DROPCAST_CLOUD` names.
    ///
    /// # Errors
    /// There is none, or TikTok is not played by our simulator in it.
    pub async fn open() -> Result<Self> {
        let path = runtime::environment::variable("DROPCAST_CLOUD")
            .ok_or_else(|| anyhow!("no local cloud: run `make test`"))?;
        let text = std::fs::read(&path).with_context(|| format!("no local cloud: {path} cannot be read"))?;
        let contract: Contract = serde_json::from_slice(&text).with_context(|| format!("{path} is not understood"))?;
        Self::of(contract, PathBuf::from(path).with_extension("scenarios.lock")).await
    }

    /// Makes the clients of a contract.
    ///
    /// # Errors
    /// TikTok is not played by our simulator in it.
    pub async fn of(contract: Contract, lock_file: PathBuf) -> Result<Self> {
        let simulator = contract
            .simulator
            .as_deref()
            .context("TikTok is not played by our simulator in this cloud, so nobody can judge")?;
        let tiktok = Control::new(simulator);
        tiktok.health().await.context("no local cloud: its simulator does not answer")?;
        let aws = contract.sdk_config().await;
        let dynamodb = aws_sdk_dynamodb::Client::new(&aws);
        let path_style = aws_sdk_s3::config::Builder::from(&aws).force_path_style(true).build();
        let outputs = &contract.outputs;
        Ok(Self {
            s3: aws_sdk_s3::Client::from_conf(path_style),
            sqs: aws_sdk_sqs::Client::new(&aws),
            lambda: aws_sdk_lambda::Client::new(&aws),
            posts: Posts::new(dynamodb.clone(), &outputs.posts_table),
            accounts: Accounts::new(dynamodb.clone(), &outputs.accounts_table),
            consents: AuthorizationRequests::new(dynamodb.clone(), &outputs.authorization_requests_table),
            vault: KmsCipher::new(aws_sdk_kms::Client::new(&aws), &outputs.tokens_key_id),
            dynamodb,
            tiktok,
            pulse: Pulse::default(),
            aws,
            lock_file,
            contract,
        })
    }

    /// What the stack says of itself.
    #[must_use]
    pub fn outputs(&self) -> &Outputs {
        &self.contract.outputs
    }
}

impl Contract {
    /// The credentials of the user that people, tests and tools sign as.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        Credentials::new(&self.access_key_id, &self.secret_access_key, None, None, "cloud.json")
    }

    pub(crate) async fn sdk_config(&self) -> SdkConfig {
        aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .endpoint_url(&self.endpoint)
            .credentials_provider(self.credentials())
            .load()
            .await
    }

    /// The key that requests are signed with, as curl takes it.
    #[must_use]
    pub fn curl_user(&self) -> String {
        format!("{}:{}", self.access_key_id, self.secret_access_key)
    }

    /// The variables with which the AWS CLI uses this cloud and no other.
    #[must_use]
    pub fn cli_environment(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_DEFAULT_REGION", self.region.clone()),
            ("AWS_ACCESS_KEY_ID", self.access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.secret_access_key.clone()),
        ]
    }
}
