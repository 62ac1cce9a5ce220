//! Creates posts for API requests: of an object in the intake bucket ([`CreatePost`]), or of a video that the caller
//! uploads to a presigned URL ([`CreateUpload`]).
//!
//! A request with an idempotency key creates one post, however often it is sent: the post's id is derived from the key.
//! A repeated request needs no lock, since the post is created by one conditional write. The second request finds the
//! post of the first one and gets the same answer.

mod post;
mod request;
mod upload;

pub use post::CreatePost;
pub use request::{CreateError, Intake};
pub use upload::{CreateUpload, CreatedUpload, PartTarget, UploadTarget};
