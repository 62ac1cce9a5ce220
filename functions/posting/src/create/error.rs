//! Why no post was made of a request, or no address handed out.

use domain::drop_key::InvalidFileName;
use domain::identity::{Alias, PostId};
use domain::options::OptionsError;
use domain::post::StateName;
use domain::size::SizeError;
use storage::{ObjectError, StoreError};

/// Why a request for a post was not granted.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// It cannot be read.
    #[error(transparent)]
    Malformed(#[from] OptionsError),
    /// Nobody connected an account under this alias.
    #[error("no TikTok account is connected as \"{0}\"")]
    UnknownAccount(Alias),
    /// There is no such object in the bucket, or no such version of it.
    #[error("there is no object {key:?} in the intake bucket, or not in this version")]
    NoObject {
        /// Its key.
        key: String,
    },
    /// It has a size that no post can have.
    #[error(transparent)]
    Size(#[from] SizeError),
    /// The name of its file cannot be part of a key.
    #[error(transparent)]
    FileName(#[from] InvalidFileName),
    /// TikTok takes no video of this media type.
    #[error("content_type must be one of video/mp4, video/quicktime, video/webm, and this is {0:?}")]
    ContentType(String),
    /// Another request had this Idempotency-Key.
    #[error("another request came under this Idempotency-Key")]
    KeyReused,
    /// The object is a post already, and the request has no name that would make
    /// it another, or lies where it is posted by itself.
    #[error("this version of the object is the post {0} already")]
    Exists(PostId),
    /// There is no such post.
    #[error("there is no post {0}")]
    UnknownPost(PostId),
    /// The post does not wait for parts.
    #[error("the post is {0} and does not wait for the parts of its video")]
    NotInParts(StateName),
    /// Parts are missing, or are of another length than they should be.
    #[error("S3 does not have these parts as they should be: {}", numbers(.0))]
    PartsMissing(Vec<i32>),
    /// The bucket could not be asked.
    #[error("the bucket could not be asked")]
    Object(#[from] ObjectError),
    /// The post could not be read or written.
    #[error("the post could not be stored")]
    Store(#[from] StoreError),
}

fn numbers(parts: &[i32]) -> String {
    let numbers: Vec<_> = parts.iter().map(ToString::to_string).collect();
    numbers.join(", ")
}
