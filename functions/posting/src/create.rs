//! Creates posts for API requests: of an object in the intake bucket ([`CreatePost`]), or of a video that the caller
//! uploads to a presigned URL ([`CreateUpload`]).
//!
//! A request with an idempotency key creates one post, however often it is sent: the post's id is derived from the key.
//! A repeated request needs no lock, since the post is created by one conditional write. The second request finds the
//! post of the first one and gets the same answer.

mod post;
mod upload;

use domain::drop_key::InvalidFileName;
use domain::identity::{Alias, PostId};
use domain::options::OptionsError;
use domain::post::{Post, StateName};
use domain::request::RequestDigest;
use domain::size::SizeError;
use storage::{Accounts, ObjectError, StoreError, Versioned};

use crate::config::{ConfigError, required};

pub use post::CreatePost;
pub use upload::{CreateUpload, CreatedUpload, PartTarget, UploadTarget};

/// The intake bucket: it has the objects that requests name, and receives uploads.
#[derive(Debug, Clone)]
pub struct Intake {
    bucket: String,
}

impl Intake {
    /// Reads `INTAKE_BUCKET`.
    ///
    /// # Errors
    /// The variable is not set.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        Ok(Self { bucket: required(variable, "INTAKE_BUCKET")? })
    }
}

/// Why a request for a post or an upload was rejected.
#[expect(missing_docs, reason = "the message of each undocumented variant says what it means")]
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The request cannot be read.
    #[error(transparent)]
    Malformed(#[from] OptionsError),
    #[error("no TikTok account is connected as \"{0}\"")]
    AccountNotFound(Alias),
    #[error("there is no object {0:?} in the intake bucket, or not in this version")]
    ObjectNotFound(String),
    #[error(transparent)]
    Size(#[from] SizeError),
    /// The file name cannot be part of an object's key.
    #[error(transparent)]
    FileName(#[from] InvalidFileName),
    /// TikTok accepts no video of this media type.
    #[error("content_type must be video/mp4, video/quicktime or video/webm, perhaps with parameters, not {0:?}")]
    ContentType(String),
    #[error("another request used this Idempotency-Key")]
    KeyReused,
    /// The object has a post already. Either the request has no idempotency key that would make another post of it; or
    /// the object was dropped or uploaded, and is one post with any key.
    #[error("this version of the object is already the post {0}")]
    Exists(PostId),
    #[error("post {0} not found")]
    PostNotFound(PostId),
    #[error("the post is {0} and does not wait for a multipart upload")]
    NotMultipart(StateName),
    #[error("S3 lacks these parts, or has them with another length: {}", numbers(.0))]
    PartsMissing(Vec<i32>),
    #[error("the bucket could not be read or written")]
    Object(#[from] ObjectError),
    #[error("the post could not be stored")]
    Store(#[from] StoreError),
}

fn numbers(parts: &[i32]) -> String {
    let numbers: Vec<_> = parts.iter().map(ToString::to_string).collect();
    numbers.join(", ")
}

/// Returns the alias of a request, or else the default one. Fails if no account has this alias.
async fn existing_account(accounts: &Accounts, alias: Option<Alias>, default: &Alias) -> Result<Alias, CreateError> {
    let alias = alias.unwrap_or_else(|| default.clone());
    match accounts.get(&alias).await? {
        Some(_) => Ok(alias),
        None => Err(CreateError::AccountNotFound(alias)),
    }
}

/// Returns a post if a request with the same content created it.
fn if_same_request(post: Versioned<Post>, digest: &RequestDigest) -> Option<Versioned<Post>> {
    Some(post).filter(|post| post.request_digest.as_ref() == Some(digest))
}
