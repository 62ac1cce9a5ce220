//! The vault: seals tokens and upload URLs with the stack's KMS key.
//!
//! Whatever is sealed is bound to its purpose and its account by the encryption
//! context, so that a ciphertext that was moved to another place cannot be
//! opened there. StoredCounter secrets are not kept here.
//! <https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html>

use std::collections::HashMap;

use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use domain::failure::Disposition;
use domain::identity::Alias;
use domain::secret::{ExposeSecret, Sealed, SecretString};

use crate::aws::{AFTER_OUTAGE, AwsError, Kind};
use crate::clients::Lazy;

/// The most that KMS encrypts by itself, in bytes.
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html>
const MOST_BYTES: usize = 4096;

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// What calls are made with.
    AccessToken,
    /// What the next pair of tokens is had for.
    RefreshToken,
    /// Where a video's bytes go.
    UploadUrl,
}

impl Purpose {
    /// The purpose as it stands in the encryption context.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "access-token",
            Self::RefreshToken => "refresh-token",
            Self::UploadUrl => "upload-url",
        }
    }
}

impl std::fmt::Display for Purpose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a sealed secret is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptionContext {
    /// What it is for.
    pub purpose: Purpose,
    /// Whose it is.
    pub account: Alias,
}

impl EncryptionContext {
    /// Binds to a purpose and an account.
    #[must_use]
    pub fn new(purpose: Purpose, account: &Alias) -> Self {
        Self { purpose, account: account.clone() }
    }

    fn pairs(&self) -> HashMap<String, String> {
        HashMap::from([
            ("dropcast:purpose".to_owned(), self.purpose.as_str().to_owned()),
            ("dropcast:account".to_owned(), self.account.as_str().to_owned()),
        ])
    }
}

/// The key that secrets are sealed with.
#[derive(Debug, Clone)]
pub struct KmsCipher {
    client: Lazy<Client>,
    key_id: String,
}

impl KmsCipher {
    /// Takes the key by its id or ARN.
    #[must_use]
    pub fn new(client: impl Into<Lazy<Client>>, key_id: impl Into<String>) -> Self {
        Self { client: client.into(), key_id: key_id.into() }
    }

    /// Seals a secret for one purpose and one account.
    pub async fn seal(&self, context: &EncryptionContext, secret: &SecretString) -> Result<Sealed, CipherError> {
        let text = secret.expose_secret();
        if text.len() > MOST_BYTES {
            return Err(CipherError::TooLong { purpose: context.purpose, bytes: text.len() });
        }
        let seal = self.client.encrypt().key_id(&self.key_id).plaintext(Blob::new(text.as_bytes()));
        let answer = seal.set_encryption_context(Some(context.pairs())).send().await;
        let answer = answer.map_err(|error| self.error("kms:Encrypt", context, AwsError::of("KMS Encrypt", &error)))?;
        let sealed = answer.ciphertext_blob.ok_or_else(|| CipherError::Unavailable {
            source: AwsError::broken("KMS Encrypt", "the answer has no ciphertext"),
        })?;
        Ok(Sealed::new(sealed.into_inner()))
    }

    /// Opens what was sealed for this purpose and this account.
    pub async fn open(&self, context: &EncryptionContext, sealed: &Sealed) -> Result<SecretString, CipherError> {
        let open = self.client.decrypt().key_id(&self.key_id).ciphertext_blob(Blob::new(sealed.ciphertext()));
        let answer = open.set_encryption_context(Some(context.pairs())).send().await;
        let answer = answer.map_err(|error| self.error("kms:Decrypt", context, AwsError::of("KMS Decrypt", &error)))?;
        let secret = answer.plaintext.and_then(|secret| String::from_utf8(secret.into_inner()).ok());
        secret.map(SecretString::from).ok_or_else(|| CipherError::Foreign {
            context: context.clone(),
            source: AwsError::broken("KMS Decrypt", "what was sealed is no text"),
        })
    }

    fn error(&self, permission: &'static str, context: &EncryptionContext, source: AwsError) -> CipherError {
        let key = self.key_id.clone();
        match source.kind() {
            Kind::Unavailable => CipherError::Unavailable { source },
            Kind::Denied => CipherError::Denied { key, permission, source },
            Kind::Missing => CipherError::NoKey { key, source },
            Kind::Condition | Kind::Refused => match source.code() {
                Some("InvalidCiphertextException" | "IncorrectKeyException") => {
                    CipherError::Foreign { context: context.clone(), source }
                }
                Some("DisabledException" | "KMSInvalidStateException" | "InvalidKeyUsageException") => {
                    CipherError::NoKey { key, source }
                }
                _ => CipherError::Refused { key, source },
            },
        }
    }
}

/// A secret that could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum CipherError {
    /// KMS is throttling, down, or did not answer.
    #[error("KMS cannot be reached now")]
    Unavailable {
        /// What AWS said.
        #[source]
        source: AwsError,
    },
    /// The function's role is not enough.
    #[error("key {key} is closed to this function: grant its role {permission} on the key")]
    Denied {
        /// The key.
        key: String,
        /// What is missing.
        permission: &'static str,
        /// What AWS said.
        #[source]
        source: AwsError,
    },
    /// There is no such key, or it is disabled or about to be deleted.
    #[error(
        "key {key} cannot be used: enable it, or cancel its deletion, in KMS; without it no account can be posted to"
    )]
    NoKey {
        /// The key.
        key: String,
        /// What AWS said.
        #[source]
        source: AwsError,
    },
    /// KMS does not take the call as it is.
    #[error("key {key} refused the call")]
    Refused {
        /// The key.
        key: String,
        /// What AWS said.
        #[source]
        source: AwsError,
    },
    /// It was not sealed by this key for this purpose and account.
    #[error(
        "what is stored was not sealed as the {} of account {} with the stack's key: connect the account again",
        context.purpose, context.account
    )]
    Foreign {
        /// What it was taken for.
        context: EncryptionContext,
        /// What AWS said.
        #[source]
        source: AwsError,
    },
    /// It is longer than KMS takes.
    #[error("TikTok's {purpose} has {bytes} bytes, and at most {MOST_BYTES} can be sealed")]
    TooLong {
        /// What it is for.
        purpose: Purpose,
        /// Its length in bytes.
        bytes: usize,
    },
}

impl CipherError {
    /// What to do about it.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Unavailable { .. } => Disposition::Retry { after: AFTER_OUTAGE },
            Self::Denied { .. } | Self::NoKey { .. } => Disposition::NeedsUser,
            Self::Foreign { context, .. } => match context.purpose {
                Purpose::AccessToken | Purpose::RefreshToken => Disposition::NeedsReconnect,
                Purpose::UploadUrl => Disposition::GiveUp,
            },
            Self::Refused { .. } | Self::TooLong { .. } => Disposition::GiveUp,
        }
    }
}

#[cfg(test)]
mod tests;
