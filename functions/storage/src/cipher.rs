//! The cipher that seals TikTok tokens and upload URLs with the stack's KMS key.
//!
//! The encryption context binds a sealed secret to its purpose and its account. If a ciphertext is moved to another
//! attribute or account, KMS does not open it there. The ciphertexts are stored elsewhere, in the posts and accounts
//! tables. <https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html>

use std::collections::HashMap;

use aws_sdk_kms::Client;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use domain::failure::Disposition;
use domain::identity::Alias;
use domain::secret::{ExposeSecret, Sealed, SecretString};

use crate::aws::{AwsError, Kind};
use crate::clients::Lazy;

/// The largest plaintext that KMS encrypts, in bytes.
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html>
const MAX_PLAINTEXT: usize = 4096;

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// An access token, which authorizes calls to TikTok.
    AccessToken,
    /// A refresh token, which is exchanged for the next pair of tokens.
    RefreshToken,
    /// An upload URL, to which a video's bytes are sent.
    UploadUrl,
}

impl Purpose {
    /// The purpose's name in the encryption context. If it is changed, KMS opens no secret that was sealed before.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "access-token",
            Self::RefreshToken => "refresh-token",
            Self::UploadUrl => "upload-url",
        }
    }

    /// What to do if the secret cannot be opened. An upload URL expires after an hour (`domain::upload`).
    fn advice_if_lost(self) -> &'static str {
        match self {
            Self::AccessToken | Self::RefreshToken => "connect the account again",
            Self::UploadUrl => "do nothing: when the URL has expired, Dropcast asks TikTok how to go on",
        }
    }
}

impl std::fmt::Display for Purpose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The purpose and the account to which a sealed secret is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptionContext {
    /// What the secret is for.
    pub purpose: Purpose,
    /// The account to which the secret belongs.
    pub account: Alias,
}

impl EncryptionContext {
    /// Makes the context of a purpose and an account.
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

/// Seals and opens secrets with one KMS key.
#[derive(Debug, Clone)]
pub struct KmsCipher {
    client: Lazy<Client>,
    key_id: String,
}

impl KmsCipher {
    /// Uses the key with this id or ARN.
    pub fn new(client: impl Into<Lazy<Client>>, key_id: impl Into<String>) -> Self {
        Self { client: client.into(), key_id: key_id.into() }
    }

    /// Encrypts a secret for one purpose and one account.
    pub async fn seal(&self, context: &EncryptionContext, secret: &SecretString) -> Result<Sealed, CipherError> {
        let text = secret.expose_secret();
        if text.len() > MAX_PLAINTEXT {
            return Err(CipherError::TooLong { purpose: context.purpose, bytes: text.len() });
        }
        let encrypt = self.client.encrypt().key_id(&self.key_id).plaintext(Blob::new(text.as_bytes()));
        let response = encrypt.set_encryption_context(Some(context.pairs())).send().await;
        let response = response.map_err(|error| self.error("KMS Encrypt", "kms:Encrypt on the key", &error))?;
        let ciphertext = response
            .ciphertext_blob
            .ok_or_else(|| AwsError::unavailable("KMS Encrypt", &self.resource(), "the response has no ciphertext"))?;
        Ok(Sealed::new(ciphertext.into_inner()))
    }

    /// Decrypts a secret that was sealed for this purpose and this account.
    pub async fn open(&self, context: &EncryptionContext, sealed: &Sealed) -> Result<SecretString, CipherError> {
        const OPERATION: &str = "KMS Decrypt";
        let wrong_context = |source| CipherError::WrongContext { context: context.clone(), source };
        let decrypt = self.client.decrypt().key_id(&self.key_id).ciphertext_blob(Blob::new(sealed.ciphertext()));
        let response = decrypt.set_encryption_context(Some(context.pairs())).send().await;
        let response = response.map_err(|error| {
            let error = self.error(OPERATION, "kms:Decrypt on the key", &error);
            match error.code() {
                Some("InvalidCiphertextException" | "IncorrectKeyException") => wrong_context(error),
                _ => CipherError::Aws(error),
            }
        })?;
        let secret = response.plaintext.and_then(|secret| String::from_utf8(secret.into_inner()).ok());
        secret.map(SecretString::from).ok_or_else(|| {
            wrong_context(AwsError::new(Kind::Rejected, OPERATION, &self.resource(), "the plaintext is not UTF-8"))
        })
    }

    fn resource(&self) -> String {
        format!("KMS key {}", self.key_id)
    }

    fn error<E>(&self, operation: &'static str, permission: &str, error: &SdkError<E>) -> AwsError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        AwsError::of(operation, &self.resource(), permission, error)
    }
}

/// A secret that could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum CipherError {
    /// The call to KMS failed. While the key is unusable, no account can be posted to.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The ciphertext was not sealed with this key for this purpose and account.
    #[error(
        "the stored secret was not sealed as the {} of account {} with the stack's key: {}",
        context.purpose, context.account, context.purpose.advice_if_lost()
    )]
    WrongContext {
        /// The context with which the ciphertext was opened.
        context: EncryptionContext,
        /// Why it could not be opened.
        #[source]
        source: AwsError,
    },
    /// The secret is longer than KMS encrypts.
    #[error("TikTok's {purpose} has {bytes} bytes, and KMS encrypts at most {MAX_PLAINTEXT}")]
    TooLong {
        /// What the secret is for.
        purpose: Purpose,
        /// The secret's length in bytes.
        bytes: usize,
    },
}

impl CipherError {
    /// What the caller may do after the failure.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Aws(error) => error.disposition(),
            Self::WrongContext { context, .. } => match context.purpose {
                Purpose::AccessToken | Purpose::RefreshToken => Disposition::NeedsReconnect,
                Purpose::UploadUrl => Disposition::GiveUp,
            },
            Self::TooLong { .. } => Disposition::GiveUp,
        }
    }
}

#[cfg(test)]
mod tests;
