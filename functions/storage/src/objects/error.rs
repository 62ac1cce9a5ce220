//! Why an object could not be read, and what S3's refusals mean.

use domain::failure::Disposition;
use domain::source::Source;

use crate::aws::{AFTER_OUTAGE, AwsError, Kind};

/// An object that could not be read, described or tagged.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// It is not there, or no more: this version was deleted.
    #[error("{object} is gone: drop the file again if it should be posted")]
    Gone {
        /// The object.
        object: String,
    },
    /// Another object was written over it; that one is another post.
    #[error("{object} was written over after it was dropped")]
    Changed {
        /// The object.
        object: String,
    },
    /// It has more bytes than are read at once.
    #[error("{object} has {bytes} bytes, and at most {max} are read at once")]
    TooLarge {
        /// The object.
        object: String,
        /// How many bytes it has.
        bytes: u64,
        /// How many are read at most.
        max: u64,
    },
    /// S3's answer is another part of the object than was asked for; nothing
    /// of it was used.
    #[error("{object}: bytes {asked} were asked for, and the answer is {given}")]
    WrongRange {
        /// The object.
        object: String,
        /// The range that was asked for, first and last byte.
        asked: String,
        /// What came.
        given: String,
    },
    /// The function's role is not enough.
    #[error("{object} is closed to this function: grant its role {permission}")]
    Denied {
        /// The object.
        object: String,
        /// What is missing, or may be.
        permission: &'static str,
        /// What AWS said.
        #[source]
        source: AwsError,
    },
    /// There is no such bucket.
    #[error("there is no bucket for {object}: deploy the stack, or correct the bucket's name")]
    NoBucket {
        /// The object.
        object: String,
        /// What AWS said.
        #[source]
        source: AwsError,
    },
    /// S3 is throttling, down, did not answer, or broke off too often.
    #[error("{object} cannot be reached now")]
    Unavailable {
        /// The object.
        object: String,
        /// What AWS said.
        #[source]
        source: AwsError,
    },
    /// S3 does not serve the call as it is: an archived object, say.
    #[error("{object} cannot be served")]
    Refused {
        /// The object.
        object: String,
        /// What AWS said.
        #[source]
        source: AwsError,
    },
}

impl ObjectError {
    /// What to do about it.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Unavailable { .. } | Self::WrongRange { .. } => Disposition::Retry { after: AFTER_OUTAGE },
            Self::Denied { .. } | Self::NoBucket { .. } => Disposition::NeedsUser,
            Self::Gone { .. } | Self::Changed { .. } | Self::TooLarge { .. } | Self::Refused { .. } => {
                Disposition::GiveUp
            }
        }
    }
}

/// What a call is about, for its errors.
#[derive(Debug, Clone)]
pub(super) struct ObjectPath(String);

impl ObjectPath {
    pub(super) fn of(source: &Source) -> Self {
        Self::at(&source.bucket, &source.key)
    }

    pub(super) fn at(bucket: &str, key: &str) -> Self {
        Self(format!("s3://{bucket}/{key}"))
    }

    /// Reads what S3's refusal means for an object.
    ///
    /// 405 is what S3 says of a version that is a delete marker.
    pub(super) fn error(&self, permission: &'static str, source: AwsError) -> ObjectError {
        let object = self.0.clone();
        match source.kind() {
            Kind::Unavailable => ObjectError::Unavailable { object, source },
            Kind::Denied => ObjectError::Denied { object, permission, source },
            Kind::Missing if source.code() == Some("NoSuchBucket") => ObjectError::NoBucket { object, source },
            Kind::Missing => ObjectError::Gone { object },
            Kind::Condition => ObjectError::Changed { object },
            Kind::Refused if source.status() == Some(405) => ObjectError::Gone { object },
            Kind::Refused => ObjectError::Refused { object, source },
        }
    }

    /// States that an answer cannot be used.
    pub(super) fn broken(&self, call: &'static str, why: impl Into<String>) -> ObjectError {
        ObjectError::Unavailable { object: self.0.clone(), source: AwsError::broken(call, why) }
    }

    pub(super) fn too_large(&self, bytes: u64, max: u64) -> ObjectError {
        ObjectError::TooLarge { object: self.0.clone(), bytes, max }
    }

    pub(super) fn wrong_range(&self, asked: String, given: String) -> ObjectError {
        ObjectError::WrongRange { object: self.0.clone(), asked, given }
    }
}

impl std::fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
