//! Loads what decides how a post is uploaded: its account, its options, its video's header, and its account's queue.
//! A header is read in a few small ranged reads.

use std::time::Duration;

use domain::account::{Account, Scopes};
use domain::content::{Content, HeaderDigest};
use domain::failure::{Failure, error_chain};
use domain::identity::Alias;
use domain::options::Mode;
use domain::post::Post;
use domain::reason::Reason;
use domain::size::{SizeError, VideoSize};
use domain::source::Source;
use domain::video::{Inspection, Inspector, Limits, VideoFacts, check};
use futures::join;
use storage::{ObjectError, ObjectMeta, Objects, QueueEntry, Versioned};

use super::begin::UploadStarter;
use super::leased_post::LeasedPost;
use super::options::{ResolvedOptions, load_sidecar, resolve_settings};
use crate::exit::Exit;

/// How many uploads one post may begin before it fails, so that a person looks at it.
const MAX_INITS: u32 = 12;

/// How long after its drop an empty object may get its content, before its post fails. s3fs, for example, writes an
/// empty object when a file is created, and the whole one when the file is closed.
const EMPTY_WAIT: Duration = Duration::from_mins(10);

/// What decides how a post is uploaded.
pub(super) struct UploadInputs {
    pub(super) account: Versioned<Account>,
    pub(super) options: ResolvedOptions,
    pub(super) facts: VideoFacts,
    pub(super) size: VideoSize,
    /// The identity of the video's bytes.
    pub(super) content: Content,
    /// The account's queue: the posts that were dropped before this one, or at the same time.
    pub(super) queue: Vec<QueueEntry>,
}

impl UploadStarter {
    /// Loads a post's inputs, with concurrent reads. Adds notes to the post.
    ///
    /// # Errors
    /// The post fails, must wait, or something could not be read.
    pub(super) async fn load_inputs(&self, leased: &mut LeasedPost<'_>) -> Result<UploadInputs, Exit> {
        let post = &leased.post().clone();
        let (account, object, sidecar, header, queue) = join!(
            Box::pin(self.accounts.get(&post.account)),
            Box::pin(self.objects.describe(&post.source)),
            Box::pin(load_sidecar(&self.objects, &post.source)),
            Box::pin(self.inspect_early(post)),
            Box::pin(self.posts.account_queue(&post.account, post.dropped_at)),
        );
        if let Some(exit) = Box::pin(self.check_empty(post, &object)).await {
            return Err(exit);
        }
        let Some(account) = account? else { return Err(self.account_not_found(&post.account).await) };
        let object = object?;
        let size = VideoSize::new(object.bytes).map_err(|error| match error {
            SizeError::Empty => Exit::fail(Reason::FileEmpty, error.to_string()),
            SizeError::TooLarge { .. } => Exit::fail(Reason::FileTooLarge, error.to_string()),
        })?;
        let (now, mut notes) = (self.instruments.now(), Vec::new());
        let options = resolve_settings(post, &object, sidecar?, &account, self.config.defaults, now, &mut notes);
        // The notes are stored by the next write, which stores the post's next state.
        leased.checkpoint(notes.iter().fold(post.clone(), |post, note| post.with_note(note, now)));
        let options = options?;
        // The header that was read early counts only if the size from the event is the object's.
        let facts = match header.filter(|_| post.bytes == Some(size.bytes())) {
            Some(header) => header?,
            None => inspect(&self.objects, &post.source, size.bytes()).await?,
        };
        let header = HeaderDigest::from(&facts);
        let content = Content { bytes: size.bytes(), checksums: object.checksums, header };
        Ok(UploadInputs { account, options, facts, size, content, queue: queue? })
    }

    /// Returns the exit of a post whose object is empty. Some programs write an empty object first and the whole one
    /// afterwards, as another version: then the empty version is no failure.
    async fn check_empty(&self, post: &Post, object: &Result<ObjectMeta, ObjectError>) -> Option<Exit> {
        let is_empty = match object {
            Ok(object) => object.bytes == 0,
            Err(ObjectError::Gone { .. } | ObjectError::Changed { .. }) => post.bytes == Some(0),
            Err(_) => false,
        };
        if !is_empty {
            return None;
        }
        let age = self.instruments.now().duration_since(post.dropped_at);
        let wait = EMPTY_WAIT.saturating_sub(Duration::try_from(age).unwrap_or_default());
        Some(match self.objects.current(&post.source.bucket, &post.source.key).await {
            Err(error) => error.into(),
            Ok(None) => Exit::Withdraw("the file was empty, and it was deleted".to_owned()),
            Ok(Some(current)) if current.source.version != post.source.version => {
                Exit::Withdraw("the file was empty, and a newer version of it replaced it".to_owned())
            }
            Ok(Some(_)) if wait.is_zero() => Exit::fail(Reason::FileEmpty, SizeError::Empty.to_string()),
            Ok(Some(_)) => Exit::defer(Reason::EmptyVersion, "the file is empty: its content may follow", wait),
        })
    }

    /// The exit for a post whose account does not exist. It names similar aliases, if the accounts can be listed.
    async fn account_not_found(&self, alias: &Alias) -> Exit {
        let accounts = self.accounts.list().await.unwrap_or_else(|error| {
            tracing::warn!(error = error_chain(&error), "accounts not listed: no similar alias is named");
            Vec::new()
        });
        Exit::account_not_found(alias).with_similar(&alias.similar(accounts.iter().map(|account| &account.alias)))
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

/// Checks that the post may begin another upload, in this mode.
pub(super) fn check_may_begin(post: &Post, account: &Account, mode: Mode) -> Result<(), Exit> {
    if post.inits >= MAX_INITS {
        let message = format!("{MAX_INITS} uploads were begun and none could be completed");
        return Err(Exit::fail(Reason::UploadAttemptsExhausted, message));
    }
    check_scope(account, mode)
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
