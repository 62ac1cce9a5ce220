//! Loads what decides how a post is uploaded: its account, its options, its video's header, and its account's queue.
//! A header is read in a few small ranged reads.

use domain::account::{Account, Scopes};
use domain::failure::Failure;
use domain::options::Mode;
use domain::post::Post;
use domain::reason::Reason;
use domain::settings::Settings;
use domain::size::{SizeError, VideoSize};
use domain::source::Source;
use domain::video::{Inspection, Inspector, Limits, VideoFacts, check};
use futures::join;
use storage::{Objects, QueueEntry, Versioned};

use super::begin::UploadStarter;
use super::options::{load_sidecar, resolve_settings};
use crate::exit::Exit;

/// How many uploads one post may begin before it fails, so that a person looks at it.
const MAX_INITS: u32 = 12;

/// What decides how a post is uploaded.
pub(super) struct UploadInputs {
    pub(super) account: Versioned<Account>,
    pub(super) settings: Settings,
    pub(super) facts: VideoFacts,
    pub(super) size: VideoSize,
    /// The account's queue: the posts that were dropped before this one, or at the same time.
    pub(super) queue: Vec<QueueEntry>,
}

impl UploadStarter {
    /// Loads a post's inputs, with concurrent reads.
    ///
    /// # Errors
    /// The post fails, must wait, or something could not be read.
    pub(super) async fn load_inputs(&self, post: &Post) -> Result<UploadInputs, Exit> {
        let (account, object, sidecar, header, queue) = join!(
            Box::pin(self.accounts.get(&post.account)),
            Box::pin(self.objects.describe(&post.source)),
            Box::pin(load_sidecar(&self.objects, &post.source)),
            Box::pin(self.inspect_early(post)),
            Box::pin(self.posts.account_queue(&post.account, post.dropped_at)),
        );
        let account = account?.ok_or_else(|| Exit::account_not_found(&post.account))?;
        let object = object?;
        let size = VideoSize::new(object.bytes).map_err(|error| match error {
            SizeError::Empty => Exit::fail(Reason::FileEmpty, error.to_string()),
            SizeError::TooLarge { .. } => Exit::fail(Reason::FileTooLarge, error.to_string()),
        })?;
        let settings =
            resolve_settings(post, &object, sidecar?, &account, self.config.defaults, self.instruments.now())?;
        if post.inits >= MAX_INITS {
            let message = format!("{MAX_INITS} uploads were begun and none could be completed");
            return Err(Exit::fail(Reason::UploadAttemptsExhausted, message));
        }
        check_scope(&account, settings.mode)?;
        // The header that was read early counts only if the size from the event is the object's.
        let facts = match header.filter(|_| post.bytes == Some(size.bytes())) {
            Some(header) => header?,
            None => inspect(&self.objects, &post.source, size.bytes()).await?,
        };
        Ok(UploadInputs { account, settings, facts, size, queue: queue? })
    }

    /// Returns the facts of the video's header while its size is not confirmed yet. An earlier worker's facts are still
    /// valid, since the source is pinned to a version. Otherwise the header is read if the S3 event stated the size.
    async fn inspect_early(&self, post: &Post) -> Option<Result<VideoFacts, Exit>> {
        match (&post.video, post.bytes) {
            (Some(facts), _) => Some(Ok(facts.clone())),
            (None, Some(bytes)) => Some(inspect(&self.objects, &post.source, bytes).await),
            (None, None) => None,
        }
    }
}

fn check_scope(account: &Account, mode: Mode) -> Result<(), Exit> {
    let scope = Scopes::needed_for(mode);
    if account.scopes.allow(scope) {
        return Ok(());
    }
    let message = format!("the account \"{}\" has not granted {scope}", account.alias);
    // An authorization requests the scope of the account's own mode and the stack's `ConnectScopes`. If this post
    // has another mode, connecting again helps only after one of these changes.
    let advice = "Make this mode the account's own, or name the scope in the stack's ConnectScopes; then connect the \
                  account again, allow it on TikTok's page, and drop the video again.";
    Err(Exit::Fail(Failure::new(Reason::parse("scope_not_authorized"), message, advice)))
}

/// Reads a video's header. A file that is no video fails here, before TikTok is called.
async fn inspect(objects: &Objects, source: &Source, bytes: u64) -> Result<VideoFacts, Exit> {
    let mut inspector = Inspector::new(bytes);
    loop {
        let next = inspector.advance().map_err(|error| {
            Exit::Fail(Failure::new(Reason::parse(error.code()), error.to_string(), error.advice()))
        })?;
        match next {
            Inspection::Done(facts) => return Ok(facts),
            Inspection::Read { offset, len } => inspector.feed(&objects.read_small(source, offset, len).await?),
        }
    }
}

/// Checks a video against limits; the failure names every limit that it violates.
pub(super) fn check_limits(facts: &VideoFacts, limits: &Limits) -> Result<(), Exit> {
    check(facts, limits).map_err(|violations| {
        let advice = "Export the video within these limits and drop it again; nothing was sent to TikTok.";
        Exit::Fail(Failure::new(Reason::parse(violations.code()), violations.to_string(), advice))
    })
}
