//! The errors of reading, tagging and uploading objects.

use std::time::Duration;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use domain::failure::Disposition;
use domain::source::Source;

use crate::aws::{AwsError, Kind, RETRY_DELAY};

/// An object that could not be read, described, tagged or uploaded.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The object or this version of it does not exist, for example because it was deleted.
    #[error("{object} does not exist: drop the file again if it should be posted")]
    Gone {
        /// The object.
        object: String,
    },
    /// The object was overwritten. The new object has an event and a post of its own.
    #[error("{object} was overwritten after it was dropped")]
    Changed {
        /// The object.
        object: String,
    },
    /// The object, or the requested part of it, is too large to be read into memory.
    #[error("{object}: {bytes} bytes are more than the {max} that are read at once")]
    TooLarge {
        /// The object.
        object: String,
        /// How many bytes were to be read.
        bytes: u64,
        /// How many bytes are read at most.
        max: u64,
    },
    /// S3's response is not the requested range. None of its bytes were used.
    #[error("{object}: bytes {requested} were requested, and S3 returned {returned}")]
    WrongRange {
        /// The object.
        object: String,
        /// The first and the last requested byte.
        requested: String,
        /// What S3 returned.
        returned: String,
    },
    /// The object is in an archive, so S3 returns its bytes only after a person has restored it.
    #[error("{path} is archived{}", storage.as_ref().map(|storage| format!(" ({storage})")).unwrap_or_default())]
    Archived {
        /// The object.
        path: String,
        /// Its storage class, or its archive tier in Intelligent-Tiering, if S3 states it.
        storage: Option<String>,
    },
    /// The object is being restored from an archive. That takes minutes to days.
    #[error("{path} is being restored from its archive")]
    Restoring {
        /// The object.
        path: String,
    },
    /// The function's role may read the object, but may not decrypt it with its KMS key.
    #[error("{path} cannot be decrypted: the function's role lacks kms:Decrypt for {} ({answer})", key_name(key.as_deref()))]
    KeyDenied {
        /// The object.
        path: String,
        /// The key's ARN, if S3 states it.
        key: Option<String>,
        /// What S3 answered.
        answer: String,
    },
    /// The KMS key of the object is disabled, is being deleted, or does not exist.
    #[error("{path} cannot be decrypted with {} ({answer})", key_name(key.as_deref()))]
    KeyUnusable {
        /// The object.
        path: String,
        /// The key's ARN, if S3 states it.
        key: Option<String>,
        /// What S3 answered.
        answer: String,
    },
    /// The call to S3 failed for another reason, or broke off too often.
    #[error(transparent)]
    Aws(AwsError),
}

fn key_name(key: Option<&str>) -> String {
    key.map_or("its KMS key".to_owned(), |key| format!("the KMS key {key}"))
}

/// How often a post is tried again while its object is being restored. A restore takes one minute to 48 hours.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/restoring-objects-retrieval-options.html>
const AFTER_RESTORE: Duration = Duration::from_mins(15);

impl ObjectError {
    /// What the caller may do after the failure.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Aws(error) => error.disposition(),
            Self::WrongRange { .. } => Disposition::Retry { after: RETRY_DELAY },
            Self::Restoring { .. } => Disposition::Defer { after: AFTER_RESTORE },
            Self::KeyDenied { .. } | Self::KeyUnusable { .. } => Disposition::NeedsUser,
            Self::Gone { .. } | Self::Changed { .. } | Self::TooLarge { .. } | Self::Archived { .. } => {
                Disposition::GiveUp
            }
        }
    }

    /// Whether the function's role may not read the object, or a policy forbids it.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Aws(error) if error.kind() == Kind::Denied)
    }

    /// Whether S3 was unavailable, so that this crate repeats the call itself, after a short back-off.
    pub(super) fn is_outage(&self) -> bool {
        matches!(self, Self::Aws(error) if error.kind() == Kind::Unavailable)
    }
}

/// The ARN of a KMS key in a text of AWS.
fn key_in(text: &str) -> Option<String> {
    let is_key = |word: &&str| word.starts_with("arn:") && word.contains(":kms:") && word.contains(":key/");
    let mut words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "-:/_".contains(c)));
    words.find(is_key).map(str::to_owned)
}

/// The path of an object, for error texts. Makes the errors of calls for this object.
#[derive(Debug, Clone)]
pub(super) struct ObjectPath(String);

impl ObjectPath {
    pub(super) fn of(source: &Source) -> Self {
        Self::at(&source.bucket, &source.key)
    }

    pub(super) fn at(bucket: &str, key: &str) -> Self {
        Self(format!("s3://{bucket}/{key}"))
    }

    /// Interprets a failed call. `permission` is what the call needs, for the error.
    ///
    /// S3 sends status 405 if the requested version is a delete marker. It passes on an error of KMS with the prefix
    /// `KMS.` in the code, or as `AccessDenied`.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
    pub(super) fn error<E>(&self, operation: &'static str, permission: &str, error: &SdkError<E>) -> ObjectError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let error = AwsError::of(operation, &self.0, permission, error);
        let (object, path) = (self.0.clone(), self.0.clone());
        let is_kms = error.code().is_some_and(|code| code.starts_with("KMS."));
        match error.kind() {
            Kind::Unavailable => ObjectError::Aws(error),
            Kind::Denied if is_kms || error.message().contains("kms:") => {
                ObjectError::KeyDenied { path, key: key_in(error.message()), answer: error.answer() }
            }
            _ if is_kms => ObjectError::KeyUnusable { path, key: key_in(error.message()), answer: error.answer() },
            Kind::Rejected if error.code() == Some("InvalidObjectState") => {
                ObjectError::Archived { path, storage: None }
            }
            Kind::NotFound if error.code() != Some("NoSuchBucket") => ObjectError::Gone { object },
            Kind::Rejected if error.status() == Some(405) => ObjectError::Gone { object },
            Kind::ConditionFailed => ObjectError::Changed { object },
            _ => ObjectError::Aws(error),
        }
    }

    /// Makes the error for a response that is incomplete or cannot be used.
    pub(super) fn unavailable(&self, operation: &'static str, why: impl Into<String>) -> ObjectError {
        ObjectError::Aws(AwsError::unavailable(operation, &self.0, why))
    }

    pub(super) fn too_large(&self, bytes: u64, max: u64) -> ObjectError {
        ObjectError::TooLarge { object: self.0.clone(), bytes, max }
    }

    pub(super) fn wrong_range(&self, requested: String, returned: String) -> ObjectError {
        ObjectError::WrongRange { object: self.0.clone(), requested, returned }
    }
}

impl std::fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
