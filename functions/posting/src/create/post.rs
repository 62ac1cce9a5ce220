//! Creates a post of an object that is in the intake bucket already, for an API request.

use std::sync::Arc;

use domain::drop_key::{DropKey, MAX_KEY_BYTES};
use domain::identity::PostId;
use domain::post::{Post, Repost, Request};
use domain::request::{IdempotencyKey, PostForm};
use domain::size::VideoSize;
use domain::source::Source;
use domain::trace::TraceId;
use storage::{Accounts, Created, Objects, Posts, Versioned, WakeQueue};

use super::{CreateError, Intake, existing_account, if_same_request};
use crate::best_effort::wake_worker;
use crate::compare_and_swap::{Change, update};
use crate::config::Config;
use crate::invocation::Instruments;
use crate::state_recorder::record_received;

from_dependencies! {
    /// Creates posts of objects.
    pub struct CreatePost {
        posts: Posts, accounts: Accounts, objects: Objects, wake_queue: WakeQueue, config: Arc<Config>,
        instruments: Instruments,
    }
}

impl CreatePost {
    /// Creates a post from a JSON request: one for each version of an object, or one for each idempotency key. A
    /// version that was dropped, or uploaded for a post, is a post already, and no idempotency key makes another post
    /// of it. If that post is held for the same video, a request with an idempotency key releases it.
    ///
    /// # Errors
    /// No post was created.
    pub async fn create(
        &self,
        intake: &Intake,
        key: Option<&IdempotencyKey>,
        trace: Option<TraceId>,
        body: &[u8],
    ) -> Result<Versioned<Post>, CreateError> {
        let form = PostForm::read(body)?;
        let digest = form.digest();
        let requested_id = key.map(PostId::of_request);
        if let Some(id) = &requested_id
            && let Some(existing) = self.posts.get(id).await?
        {
            return if_same_request(existing, &digest).ok_or(CreateError::KeyReused);
        }
        let account = existing_account(&self.accounts, form.account, &self.config.default_account).await?;
        let (source, size) = self.find_object(intake, form.key, form.version_id).await?;
        let id = match DropKey::parse(&source.key) {
            // S3's event creates a post of this object too, with this id. Another id would post the video twice.
            DropKey::Video { .. } => source.post_id(),
            DropKey::Upload { post } => return Err(CreateError::Exists(post)),
            DropKey::Sidecar | DropKey::Ignored(_) => requested_id.clone().unwrap_or_else(|| source.post_id()),
        };
        let repost = if key.is_some() { Repost::Requested } else { Repost::Guarded };
        let request = Request { id, account, options: form.options, digest: digest.clone(), trace, repost };
        let post = Post::create(request.clone(), source, size.bytes(), self.instruments.now());
        match self.posts.create(&post).await? {
            Created::New(post) => {
                record_received(&post, &self.instruments, "post created for a request");
                wake_worker(&self.wake_queue, &post.id).await;
                Ok(post)
            }
            Created::Already(existing) => {
                let id = existing.id.clone();
                let is_key_reused = requested_id.as_ref() == Some(&id);
                let error = if is_key_reused { CreateError::KeyReused } else { CreateError::Exists(id) };
                match if_same_request(existing.clone(), &digest) {
                    Some(post) => Ok(post),
                    None => Box::pin(self.release(existing, request)).await?.ok_or(error),
                }
            }
        }
    }

    /// Releases the post of a dropped object that is held for the same video, if the request is explicit. Returns none
    /// if the post is not held for it.
    async fn release(
        &self,
        existing: Versioned<Post>,
        request: Request,
    ) -> Result<Option<Versioned<Post>>, CreateError> {
        let id = existing.id.clone();
        let released = update(
            Some(Some(existing)),
            || async { Ok(self.posts.get(&id).await?) },
            |post: Option<Versioned<Post>>| {
                let Some(post) = post else { return Ok(Change::Stop(None)) };
                Ok::<_, CreateError>(
                    match post.value.clone().release_for_request(request.clone(), self.instruments.now()) {
                        Ok(released) => Change::Save((post, released)),
                        Err(_) => Change::Stop(None),
                    },
                )
            },
            |(post, released): (Versioned<Post>, Post)| async move {
                self.posts.save(post, released, self.instruments.now()).await.map(Some)
            },
        );
        let released = released.await?.flatten();
        if let Some(post) = &released {
            tracing::info!(post.id = %post.id, "post released for a request: the video is posted again");
            wake_worker(&self.wake_queue, &post.id).await;
        }
        Ok(released)
    }

    /// Finds the object that a request names, and pins its version.
    async fn find_object(
        &self,
        intake: &Intake,
        key: String,
        version_id: Option<String>,
    ) -> Result<(Source, VideoSize), CreateError> {
        let no_version = version_id.as_ref().is_some_and(String::is_empty);
        if no_version || key.is_empty() || key.len() > MAX_KEY_BYTES || key.ends_with('/') {
            return Err(CreateError::ObjectNotFound(key));
        }
        let found = self.objects.named(&intake.bucket, &key, version_id.as_deref()).await?;
        let found = found.ok_or(CreateError::ObjectNotFound(key))?;
        Ok((found.source, VideoSize::new(found.bytes)?))
    }
}
