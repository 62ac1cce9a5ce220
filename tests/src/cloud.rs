//! A client of the local cloud (the stack on MiniStack): the content of `cloud.json`, and AWS and TikTok clients for
//! it.
//!
//! `infra/local` writes `cloud.json` and passes its path in `DROPCAST_CLOUD`. This module must read no other
//! environment variable: with AWS's own variables, a scenario could reach a real AWS account.
//!
//! In reading order: [`Cloud`]; [`Creator`], an account to post with; [`Dropped`], an object and its post; `watch`,
//! which waits for a post's state; [`LedgerView`], which shows what TikTok published. For tests that need another
//! clock, `in_process` runs the functions' use cases in this process, and [`IsolatedEnv`] runs them with tables and a
//! simulated TikTok of its own. [`WriteFault`] makes writes to a table fail.

mod creator;
mod dropped;
mod in_process;
mod isolated_env;
mod ledger_view;
mod poller;
mod watch;
mod write_fault;

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::Credentials;
use serde::Deserialize;
use simulator::Control;
use storage::{Accounts, AuthorizationRequests, KmsCipher, Posts};

pub use creator::{Creator, CreatorSetup};
pub use dropped::{Dropped, Put};
pub use in_process::{WORK_TIME, worker};
pub use isolated_env::{App, IsolatedEnv};
pub use ledger_view::LedgerView;
use poller::Poller;
pub use watch::{deferral_code, is_linked, is_published};
pub use write_fault::{WriteFault, Writes};

/// The content of `cloud.json`, which `infra/local` and `aws/config.rs` write. It has no `Debug`, because it contains
/// an access key.
#[derive(Clone, Deserialize)]
pub struct Contract {
    /// The endpoint of all AWS services.
    pub endpoint: String,
    /// The region of all resources.
    pub region: String,
    access_key_id: String,
    secret_access_key: String,
    /// The URL of the simulator of TikTok; none if the stack uses another TikTok.
    pub simulator: Option<String>,
    /// The stack's outputs.
    pub outputs: Outputs,
    /// The folder with the logs of the cloud's processes.
    pub logs: PathBuf,
    /// The AWS CLI that belongs to this cloud.
    pub aws_cli: PathBuf,
    /// The file of certificates to trust, for programs that a test starts, such as curl.
    pub trust: PathBuf,
}

/// The outputs of the stack, as in `template.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "template.yaml describes each output")]
pub struct Outputs {
    pub intake_bucket: String,
    pub intake_queue_url: String,
    pub dead_letter_queue_url: String,
    pub posts_table: String,
    pub accounts_table: String,
    pub limits_table: String,
    pub repost_guard_table: String,
    pub tokens_key_id: String,
    pub app_secret_arn: String,
    pub publish_function: String,
    pub status_function: String,
    pub api_function: String,
    pub api_url: String,
    pub connect_url: String,
    pub redirect_url: String,
    pub authorization_requests_table: String,
    pub webhook_url: String,
    pub webhooks_table: String,
    pub failure_topic: String,
    pub notices_function: String,
    pub status_dlq_url: String,
    pub notices_dlq_url: String,
}

/// The local cloud and its clients.
pub struct Cloud {
    /// The content of `cloud.json`.
    pub contract: Contract,
    /// The file that a test run locks to use the cloud alone.
    pub lock_file: PathBuf,
    /// S3.
    pub s3: aws_sdk_s3::Client,
    /// SQS.
    pub sqs: aws_sdk_sqs::Client,
    /// Lambda.
    pub lambda: aws_sdk_lambda::Client,
    /// DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// The posts table.
    pub posts: Posts,
    /// The accounts table.
    pub accounts: Accounts,
    /// The table of OAuth authorization requests.
    pub authorization_requests: AuthorizationRequests,
    /// The key that seals tokens.
    pub cipher: KmsCipher,
    /// The control interface of the simulated TikTok.
    pub tiktok: Control,
    poller: Poller,
    aws: SdkConfig,
}

impl Cloud {
    /// Opens the cloud that `DROPCAST_CLOUD` names.
    ///
    /// # Errors
    /// There is no local cloud, or TikTok is not our simulator in it.
    pub async fn open() -> Result<Self> {
        let path = runtime::environment::variable("DROPCAST_CLOUD")
            .ok_or_else(|| anyhow!("no local cloud: run `make test`"))?;
        let text = std::fs::read(&path).with_context(|| format!("no local cloud: {path} cannot be read"))?;
        let contract: Contract = serde_json::from_slice(&text).with_context(|| format!("{path} is invalid"))?;
        Self::new(contract, PathBuf::from(path).with_extension("scenarios.lock")).await
    }

    /// Creates the clients for a cloud.
    ///
    /// # Errors
    /// TikTok is not our simulator in this cloud, or the simulator does not answer.
    pub async fn new(contract: Contract, lock_file: PathBuf) -> Result<Self> {
        let simulator = contract.simulator.as_deref();
        let tiktok = Control::new(simulator.context("this cloud has no simulator, so it has no ledger")?);
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
            authorization_requests: AuthorizationRequests::new(dynamodb.clone(), &outputs.authorization_requests_table),
            cipher: KmsCipher::new(aws_sdk_kms::Client::new(&aws), &outputs.tokens_key_id),
            dynamodb,
            tiktok,
            poller: Poller::default(),
            aws,
            lock_file,
            contract,
        })
    }

    /// The stack's outputs.
    #[must_use]
    pub fn outputs(&self) -> &Outputs {
        &self.contract.outputs
    }
}

impl Contract {
    /// The credentials of the IAM user that people, tests and tools sign as.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        Credentials::new(&self.access_key_id, &self.secret_access_key, None, None, "cloud.json")
    }

    async fn sdk_config(&self) -> SdkConfig {
        aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .endpoint_url(&self.endpoint)
            .credentials_provider(self.credentials())
            .load()
            .await
    }

    /// The access key as curl's `--user` takes it.
    #[must_use]
    pub fn curl_user(&self) -> String {
        format!("{}:{}", self.access_key_id, self.secret_access_key)
    }

    /// The environment variables that direct the AWS CLI to this cloud.
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
