//! Asking: a post of an object that is in the bucket, or of a video that is yet to
//! be uploaded there, to an address that is handed out for it.
//!
//! A request that has a name ([`IdempotencyKey`]) is one post, however often it
//! comes: the post's id follows from the name. Nobody has to wait where it comes
//! twice at once, since the post is made by one conditional write: the second
//! finds what the first made, and is answered the same.

mod error;
mod upload;

use domain::drop_key::DropKey;
use domain::identity::{Alias, PostId};
use domain::post::{Post, Request};
use domain::request::{IdempotencyKey, PostForm, RequestDigest};
use domain::size::VideoSize;
use domain::source::Source;
use domain::trace::TraceId;
use storage::{Created, Versioned};

pub use error::CreateError;
pub use upload::{CreatedUpload, PartTarget, UploadTarget};

use crate::config::ConfigError;
use crate::measure::Measurement;
use crate::posting::Posting;

/// The bucket that requests are about.
#[derive(Debug, Clone)]
pub struct Intake {
    bucket: String,
}

impl Intake {
    /// Reads `INTAKE_BUCKET` from wherever `variable` finds it.
    ///
    /// # Errors
    /// It is not set.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let name = "INTAKE_BUCKET";
        let unset = || ConfigError { name, problem: "is not set; the template sets it".into() };
        Ok(Self { bucket: variable(name).ok_or_else(unset)? })
    }
}

impl Posting {
    /// Makes a post of an object that is in the bucket: as a JSON object says it,
    /// once for each version of an object, or once for each name of a request. A
    /// version that was dropped is its drop's post, and an upload its own, whatever
    /// the request is called.
    ///
    /// # Errors
    /// No post was made.
    pub async fn create_post(
        &self,
        intake: &Intake,
        name: Option<&IdempotencyKey>,
        trace: Option<TraceId>,
        body: &[u8],
    ) -> Result<Versioned<Post>, CreateError> {
        let form = PostForm::read(body)?;
        let digest = form.digest();
        let named = name.map(PostId::of_request);
        if let Some(id) = &named
            && let Some(known) = self.posts.get(id).await?
        {
            return the_same(known, &digest).ok_or(CreateError::KeyReused);
        }
        let account = self.known(form.account).await?;
        let (source, size) = self.object(intake, form.key, form.version_id).await?;
        let id = match DropKey::parse(&source.key) {
            // What lies there is posted by itself, and so under no other id than its own.
            DropKey::Video { .. } => source.post_id(),
            DropKey::Upload { post } => return Err(CreateError::Exists(post)),
            DropKey::Sidecar | DropKey::Ignored(_) => named.clone().unwrap_or_else(|| source.post_id()),
        };
        let request = Request { id, account, options: form.options, digest: digest.clone(), trace };
        match self.posts.create(&Post::create(request, source, size.bytes(), self.now())).await? {
            Created::New(kept) => {
                let trace = kept.trace.as_ref().map(tracing::field::display);
                tracing::info!(
                    post.id = %kept.id, account = %kept.account, object.key = kept.source.key, trace.id = trace,
                    "post asked for"
                );
                self.measure(&Measurement::received(&kept));
                self.ring_for(&kept).await;
                Ok(kept)
            }
            Created::Already(known) => {
                let id = known.id.clone();
                let other = if named.as_ref() == Some(&id) { CreateError::KeyReused } else { CreateError::Exists(id) };
                the_same(known, &digest).ok_or(other)
            }
        }
    }

    /// The account of this alias, or the default one, if anybody connected it.
    async fn known(&self, alias: Option<Alias>) -> Result<Alias, CreateError> {
        let alias = alias.unwrap_or_else(|| self.default_account.clone());
        match self.accounts.get(&alias).await? {
            Some(_) => Ok(alias),
            None => Err(CreateError::UnknownAccount(alias)),
        }
    }

    /// The object that a request names, pinned to its version.
    async fn object(
        &self,
        intake: &Intake,
        key: String,
        version_id: Option<String>,
    ) -> Result<(Source, VideoSize), CreateError> {
        let bucket = &intake.bucket;
        let none = version_id.as_ref().is_some_and(String::is_empty);
        if none || key.is_empty() || key.len() > 1024 || key.ends_with('/') {
            return Err(CreateError::NoObject { key });
        }
        let found = self.objects.named(bucket, &key, version_id.as_deref()).await?;
        let found = found.ok_or(CreateError::NoObject { key })?;
        Ok((found.source, VideoSize::new(found.bytes)?))
    }
}

/// A post that was made for the very same request.
fn the_same(known: Versioned<Post>, digest: &RequestDigest) -> Option<Versioned<Post>> {
    Some(known).filter(|known| known.request_digest.as_ref() == Some(digest))
}
