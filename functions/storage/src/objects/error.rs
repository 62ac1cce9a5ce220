//! The errors of reading, tagging and uploading objects.

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
    /// The call to S3 failed for another reason, or broke off too often.
    #[error(transparent)]
    Aws(AwsError),
}

impl ObjectError {
    /// What the caller may do after the failure.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Aws(error) => error.disposition(),
            Self::WrongRange { .. } => Disposition::Retry { after: RETRY_DELAY },
            Self::Gone { .. } | Self::Changed { .. } | Self::TooLarge { .. } => Disposition::GiveUp,
        }
    }

    /// Whether S3 was unavailable, so that this crate repeats the call itself, after a short back-off.
    pub(super) fn is_outage(&self) -> bool {
        matches!(self, Self::Aws(error) if error.kind() == Kind::Unavailable)
    }
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
    /// S3 sends status 405 if the requested version is a delete marker.
    pub(super) fn error<E>(&self, operation: &'static str, permission: &str, error: &SdkError<E>) -> ObjectError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let error = AwsError::of(operation, &self.0, permission, error);
        let object = self.0.clone();
        match error.kind() {
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
