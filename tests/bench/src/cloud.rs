//! The local cloud, as far as a function's process needs to know it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use lambda::Environment;
use serde::Deserialize;
use serde_json::Value;
use simulator::OpenId;
use tokio::process::Command;
use uuid::Uuid;

/// What `cloud.json` says. It holds a key, so it has no `Debug`.
#[derive(Deserialize)]
pub(crate) struct Cloud {
    pub(crate) endpoint: String,
    region: String,
    access_key_id: String,
    secret_access_key: String,
    pub(crate) trust: PathBuf,
    outputs: Outputs,
    #[serde(skip)]
    contract: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Outputs {
    intake_bucket: String,
    intake_queue_url: String,
    posts_table: String,
    accounts_table: String,
    budgets_table: String,
    consents_table: String,
    inbox_table: String,
    redirect_url: String,
    tokens_key_id: String,
    app_secret_arn: String,
}

/// What the template says to `publish`, and to `notices`, besides where things are.
const AS_IN_THE_TEMPLATE: [(&str, &str); 4] = [
    ("MALLOC_ARENA_MAX", "1"),
    ("MALLOC_MMAP_THRESHOLD_", "8388608"),
    ("MALLOC_TRIM_THRESHOLD_", "67108864"),
    ("EVENT_BUS", "default"),
];

/// An account of the stack, and the user of TikTok that it stands for.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) alias: String,
    pub(crate) user: OpenId,
}

impl Cloud {
    /// Reads the contract.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).with_context(|| format!("no local cloud: {} cannot be read", path.display()))?;
        let contract: Value = serde_json::from_slice(&text)?;
        Ok(Self { contract: contract.clone(), ..serde_json::from_value(contract)? })
    }

    /// The variables of a function that finds AWS here.
    pub(crate) fn environment(&self) -> Environment {
        let (outputs, trust, stack) = (&self.outputs, self.trust.display().to_string(), "bench".to_owned());
        let pairs = [
            ("AWS_REGION", &self.region),
            ("AWS_ACCESS_KEY_ID", &self.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", &self.secret_access_key),
            ("AWS_ENDPOINT_URL", &self.endpoint),
            ("AWS_CA_BUNDLE", &trust),
            ("SSL_CERT_FILE", &trust),
            ("POSTS_TABLE", &outputs.posts_table),
            ("ACCOUNTS_TABLE", &outputs.accounts_table),
            ("BUDGETS_TABLE", &outputs.budgets_table),
            ("CONSENTS_TABLE", &outputs.consents_table),
            ("INBOX_TABLE", &outputs.inbox_table),
            ("INTAKE_BUCKET", &outputs.intake_bucket),
            ("STACK_NAME", &stack),
            ("REDIRECT_URL", &outputs.redirect_url),
            ("INTAKE_QUEUE_URL", &outputs.intake_queue_url),
            ("TOKENS_KEY_ID", &outputs.tokens_key_id),
            ("APP_SECRET_ARN", &outputs.app_secret_arn),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.clone()));
        let fixed = AS_IN_THE_TEMPLATE.map(|(name, value)| (name.to_owned(), value.to_owned()));
        [&pairs[..], &fixed[..]].concat()
    }

    /// Connects a new account, whose user a simulator knows, with the program
    /// that the local cloud has for it. One post each: so no budget is used up.
    pub(crate) async fn connect(&self, program: &Path, simulator: &str, scratch: &Path) -> Result<Account> {
        let alias = format!("bench-{}", &Uuid::new_v4().simple().to_string()[..12]);
        let mut contract = self.contract.clone();
        contract["simulator"] = simulator.into();
        let file = scratch.join("cloud.json");
        std::fs::write(&file, contract.to_string())?;
        let mut connect = Command::new(program);
        connect.arg(&alias).env_clear().env("DROPCAST_CLOUD", &file).env("SSL_CERT_FILE", &self.trust);
        let ended = connect.status().await.with_context(|| format!("{} cannot be started", program.display()))?;
        std::fs::remove_file(&file)?;
        ensure!(ended.success(), "no account could be connected");
        Ok(Account { user: OpenId::new(format!("open-{alias}")), alias })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_here_is_what_the_template_says() {
        let template = include_str!("../../../template.yaml");
        for (name, value) in AS_IN_THE_TEMPLATE {
            assert!(template.contains(&format!("          {name}: \"{value}\"\n")), "{name}");
        }
    }
}
