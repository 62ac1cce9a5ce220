//! The TikTok app's credentials, which the operator stores in Secrets Manager.
//!
//! The secret is `{"client_key": "…", "client_secret": "…"}`. While the operator replaces the client secret, the
//! field `previous_client_secret` holds the old one, because TikTok may still sign webhooks with it. It is a field
//! of the secret, not an old version in Secrets Manager, so that the operator decides until when it is accepted. `api`
//! verifies the signatures of TikTok's webhooks with both secrets.
//!
//! The credentials are read on first use and cached for [`MAX_AGE`]: a new secret is used soon, and a warm function
//! does not read it for each call. If Secrets Manager is unavailable, the cached credentials stay in use.

use std::fmt;
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use domain::failure::Disposition;
use domain::secret::{ExposeSecret, SecretString};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::aws::{AwsError, Kind};
use crate::clients::Lazy;

/// How long credentials are used before they are read again.
const MAX_AGE: Duration = Duration::from_mins(5);

/// The app's credentials as they are stored. Calls use `tiktok::AppCredentials`, which has no previous secret.
#[derive(Debug, Clone)]
pub struct AppCredentials {
    /// The app's public identifier.
    pub client_key: String,
    /// The app's secret.
    pub client_secret: SecretString,
    /// The old secret, while TikTok may still sign webhooks with it. It is not used for calls.
    pub previous_client_secret: Option<SecretString>,
}

/// The secret's JSON.
#[derive(Deserialize)]
struct SecretForm {
    #[serde(default)]
    client_key: String,
    #[serde(default)]
    client_secret: String,
    #[serde(default)]
    previous_client_secret: Option<String>,
}

/// The secret that contains the credentials, with a cache of them.
pub struct AppSecret {
    client: Lazy<Client>,
    arn: String,
    /// The credentials, and when they were read.
    cache: Mutex<Option<(AppCredentials, Timestamp)>>,
}

impl fmt::Debug for AppSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppSecret").field("arn", &self.arn).finish_non_exhaustive()
    }
}

impl AppSecret {
    /// Uses the secret with this ARN or name.
    pub fn new(client: impl Into<Lazy<Client>>, arn: impl Into<String>) -> Self {
        Self { client: client.into(), arn: arn.into(), cache: Mutex::new(None) }
    }

    /// The credentials, at most five minutes old, or older while Secrets Manager is unavailable. Concurrent callers
    /// wait for one read.
    pub async fn get(&self, now: Timestamp) -> Result<AppCredentials, AppSecretError> {
        let mut cache = self.cache.lock().await;
        match &*cache {
            Some((credentials, read_at)) if now < *read_at + MAX_AGE => return Ok(credentials.clone()),
            _ => {}
        }
        match (self.fetch().await, &*cache) {
            (Ok(credentials), _) => {
                *cache = Some((credentials.clone(), now));
                Ok(credentials)
            }
            (Err(AppSecretError::Aws(error)), Some((credentials, _))) if error.kind() == Kind::Unavailable => {
                tracing::warn!(error = %error, "cached app credentials used: Secrets Manager is unavailable");
                Ok(credentials.clone())
            }
            (Err(error), _) => Err(error),
        }
    }

    async fn fetch(&self) -> Result<AppCredentials, AppSecretError> {
        let response = self.client.get_secret_value().secret_id(&self.arn).send().await;
        let response = response.map_err(|error| {
            let permission = "secretsmanager:GetSecretValue on the secret";
            AwsError::of("Secrets Manager GetSecretValue", &format!("secret {}", self.arn), permission, &error)
        })?;
        self.parse(response.secret_string.map(SecretString::from).as_ref())
    }

    fn parse(&self, text: Option<&SecretString>) -> Result<AppCredentials, AppSecretError> {
        let arn = || self.arn.clone();
        // The parser's error is dropped, because it may quote the secret.
        let form: SecretForm = text
            .and_then(|text| serde_json::from_str(text.expose_secret()).ok())
            .ok_or_else(|| AppSecretError::Form { arn: arn() })?;
        if form.client_key.trim().is_empty() {
            return Err(AppSecretError::Empty { arn: arn(), field: "client_key" });
        }
        if form.client_secret.trim().is_empty() {
            return Err(AppSecretError::Empty { arn: arn(), field: "client_secret" });
        }
        let previous = form.previous_client_secret.filter(|secret| !secret.trim().is_empty());
        Ok(AppCredentials {
            client_key: form.client_key,
            client_secret: form.client_secret.into(),
            previous_client_secret: previous.map(SecretString::from),
        })
    }
}

/// The app's credentials could not be read.
#[derive(Debug, thiserror::Error)]
pub enum AppSecretError {
    /// The call to Secrets Manager failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The secret is not the expected JSON object.
    #[error(r#"secret {arn} must be a JSON object: {{"client_key": "…", "client_secret": "…"}}"#)]
    Form {
        /// The secret.
        arn: String,
    },
    /// The operator has not set a field of the secret.
    #[error("secret {arn} has no {field}: copy it from your app in TikTok's developer portal")]
    Empty {
        /// The secret.
        arn: String,
        /// The empty field.
        field: &'static str,
    },
}

impl AppSecretError {
    /// What the caller may do after the failure. The operator can correct every cause other than an outage: even a
    /// rejected call, because Secrets Manager rejects calls for a secret that is scheduled for deletion.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Aws(error) if error.kind() == Kind::Unavailable => error.disposition(),
            Self::Aws(_) | Self::Form { .. } | Self::Empty { .. } => Disposition::NeedsUser,
        }
    }
}

#[cfg(test)]
mod tests;
