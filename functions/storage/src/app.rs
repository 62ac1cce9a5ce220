//! The TikTok app's own credentials, which its operator keeps in Secrets
//! Manager as `{"client_key": "…", "client_secret": "…"}`. While the secret is
//! exchanged, `"previous_client_secret"` beside them is the one before: TikTok may
//! sign with it yet. It stands there, rather than among Secrets Manager's versions,
//! so that its operator decides when it ends.
//!
//! They are read when they are needed, and kept for [`FRESH_FOR`], so that a new
//! secret is used soon and a warm function does not ask each time. Where Secrets
//! Manager cannot be reached, those that were read last go on being used.

use std::fmt;
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use domain::failure::Disposition;
use domain::secret::{ExposeSecret, SecretString};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::aws::{AFTER_OUTAGE, AwsError, Kind, chain};
use crate::clients::Lazy;

/// How long credentials are used before they are read again.
const FRESH_FOR: Duration = Duration::from_mins(5);

/// What the app shows TikTok to be itself.
#[derive(Debug, Clone)]
pub struct AppCredentials {
    /// The app's public name for itself.
    pub client_key: String,
    /// The app's secret.
    pub client_secret: SecretString,
    /// The one before, while TikTok may sign with it yet. Nothing is asked with it.
    pub previous_client_secret: Option<SecretString>,
}

#[derive(Deserialize)]
struct Form {
    #[serde(default)]
    client_key: String,
    #[serde(default)]
    client_secret: String,
    #[serde(default)]
    previous_client_secret: Option<String>,
}

/// The secret that holds the credentials.
pub struct AppSecret {
    client: Lazy<Client>,
    arn: String,
    read: Mutex<Option<(AppCredentials, Timestamp)>>,
}

impl fmt::Debug for AppSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppSecret").field("arn", &self.arn).finish_non_exhaustive()
    }
}

impl AppSecret {
    /// Takes the secret by its ARN or name.
    #[must_use]
    pub fn new(client: impl Into<Lazy<Client>>, arn: impl Into<String>) -> Self {
        Self { client: client.into(), arn: arn.into(), read: Mutex::new(None) }
    }

    /// The credentials, as they were at most five minutes ago.
    pub async fn get(&self, now: Timestamp) -> Result<AppCredentials, AppSecretError> {
        let mut read = self.read.lock().await;
        match &*read {
            Some((credentials, at)) if now < *at + FRESH_FOR => return Ok(credentials.clone()),
            _ => {}
        }
        match (self.fetch().await, &*read) {
            (Ok(credentials), _) => {
                *read = Some((credentials.clone(), now));
                Ok(credentials)
            }
            (Err(error @ AppSecretError::Unavailable { .. }), Some((credentials, _))) => {
                tracing::warn!(error = %chain(&error), "the app's credentials are those read before");
                Ok(credentials.clone())
            }
            (Err(error), _) => Err(error),
        }
    }

    async fn fetch(&self) -> Result<AppCredentials, AppSecretError> {
        let answer = self.client.get_secret_value().secret_id(&self.arn).send().await;
        let answer = answer.map_err(|error| self.error(AwsError::of("Secrets Manager GetSecretValue", &error)))?;
        let text = answer.secret_string.map(SecretString::from);
        self.parse(text.as_ref())
    }

    fn parse(&self, text: Option<&SecretString>) -> Result<AppCredentials, AppSecretError> {
        let arn = || self.arn.clone();
        // The parser's own words are dropped: they may quote what they read.
        let form: Form = text
            .and_then(|text| serde_json::from_str(text.expose_secret()).ok())
            .ok_or_else(|| AppSecretError::Form { arn: arn() })?;
        if form.client_key.trim().is_empty() {
            return Err(AppSecretError::Empty { arn: arn(), field: "client_key" });
        }
        if form.client_secret.trim().is_empty() {
            return Err(AppSecretError::Empty { arn: arn(), field: "client_secret" });
        }
        Ok(AppCredentials {
            client_key: form.client_key,
            client_secret: form.client_secret.into(),
            previous_client_secret: form
                .previous_client_secret
                .filter(|secret| !secret.trim().is_empty())
                .map(SecretString::from),
        })
    }

    fn error(&self, source: AwsError) -> AppSecretError {
        let arn = self.arn.clone();
        match source.kind() {
            Kind::Unavailable => AppSecretError::Unavailable { source },
            Kind::Denied => AppSecretError::Denied { arn, source },
            Kind::Missing | Kind::Condition | Kind::Refused => AppSecretError::NoSecret { arn, source },
        }
    }
}

/// The app's credentials could not be had.
#[derive(Debug, thiserror::Error)]
pub enum AppSecretError {
    /// Secrets Manager is throttling, down, or did not answer.
    #[error("Secrets Manager cannot be reached now")]
    Unavailable {
        /// What AWS said.
        #[source]
        source: AwsError,
    },
    /// The function's role is not enough.
    #[error("secret {arn} is closed to this function: grant its role secretsmanager:GetSecretValue on the secret")]
    Denied {
        /// The secret.
        arn: String,
        /// What AWS said.
        #[source]
        source: AwsError,
    },
    /// There is no such secret, or it is about to be deleted.
    #[error("secret {arn} cannot be read: deploy the stack, or restore the secret")]
    NoSecret {
        /// The secret.
        arn: String,
        /// What AWS said.
        #[source]
        source: AwsError,
    },
    /// It does not have the form that it should.
    #[error(r#"secret {arn} must be a JSON object: {{"client_key": "…", "client_secret": "…"}}"#)]
    Form {
        /// The secret.
        arn: String,
    },
    /// Its operator has not filled it in.
    #[error("secret {arn} has no {field} yet: fill it in with the one of your app in TikTok's developer portal")]
    Empty {
        /// The secret.
        arn: String,
        /// What is not there.
        field: &'static str,
    },
}

impl AppSecretError {
    /// What to do about it.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Unavailable { .. } => Disposition::Retry { after: AFTER_OUTAGE },
            Self::Denied { .. } | Self::NoSecret { .. } | Self::Form { .. } | Self::Empty { .. } => {
                Disposition::NeedsUser
            }
        }
    }
}

#[cfg(test)]
mod tests;
