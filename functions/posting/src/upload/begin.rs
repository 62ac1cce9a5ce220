//! Beginning an upload: everything is checked, then TikTok is asked for a
//! ticket, and the ticket is stored before the first byte leaves.
//!
//! If the worker vanishes between TikTok's answer and the store, TikTok holds
//! an init without bytes, which publishes nothing: the next worker begins
//! again. That costs one of the account's inits, never a second post.

use std::time::Duration;

use domain::account::{Account, Scopes, TokenUse};
use domain::chunk::ChunkPlan;
use domain::failure::Failure;
use domain::options::Mode;
use domain::post::Post;
use domain::rate_limit::CallKind;
use domain::settings::Settings;
use domain::size::{SizeError, VideoSize};
use domain::upload::{LastChunk, Upload};
use domain::video::{Limits, VideoFacts};
use futures::join;
use storage::{EncryptionContext, Purpose, QueueEntry, Versioned};
use tiktok::UploadUrl;

use super::{LeasedPost, Sending, ThroughputEstimate};
use crate::exit::Exit;
use crate::header::hold_against;
use crate::posting::Posting;
use crate::rate_limit::AccountLimits;
use crate::tokens::{Bearer, unknown_account};

/// How many uploads one post may begin, before a person must look.
const MOST_INITS: u32 = 12;

impl Posting {
    pub(super) async fn begin(&self, leased: &mut LeasedPost<'_>, sending: &mut Sending) -> Result<(), Exit> {
        let post = leased.post().clone();
        let UploadInputs { account, settings, facts, size, line } = Box::pin(self.load_inputs(&post)).await?;
        let described = |stop: Exit| stop.described(settings.clone(), facts.clone(), size.bytes());
        let books = self.await_turn(&post, settings.mode, &line).await.map_err(described)?;
        let plan = ChunkPlan::new(size, self.chunk_ceiling);
        ThroughputEstimate::default().room_for(plan.chunk_size(), leased.worker(), self.now())?;
        sending.read_from(0, || self.objects.read_ahead(&post.source, size.bytes(), self.window));
        let begun = match self.take_turn(leased, (&account, books), settings.clone(), &facts, plan).await {
            Ok(begun) => begun,
            Err(stop) => return Err(described(self.apply_limit(&account.alias, settings.mode, stop).await)),
        };
        let (settings, upload, url) = begun;
        tracing::info!(post.id = %post.id, publish.id = %upload.publish_id, "upload begun");
        sending.opened(&upload, url);
        let begun = leased.post().clone().described(settings, facts, size.bytes()).begin(upload, self.now())?;
        leased.save(begun).await
    }

    /// Reads all that decides how a post goes out: at once, since no read waits
    /// for what another finds.
    async fn load_inputs(&self, post: &Post) -> Result<UploadInputs, Exit> {
        let (account, object, sidecar, header, line) = join!(
            Box::pin(self.accounts.get(&post.account)),
            Box::pin(self.objects.describe(&post.source)),
            Box::pin(self.sidecar(&post.source)),
            Box::pin(self.header_as_told(post)),
            Box::pin(self.posts.account_queue(&post.account, post.dropped_at)),
        );
        let account = account?.ok_or_else(|| unknown_account(&post.account))?;
        let object = object?;
        let size = VideoSize::new(object.bytes).map_err(wrong_size)?;
        let settings = self.settings(post, &object, sidecar?, &account)?;
        not_too_often(post)?;
        allowed(&account, settings.mode)?;
        let facts = match header.filter(|_| post.bytes == Some(size.bytes())) {
            Some(header) => header?,
            None => self.inspect(&post.source, size.bytes()).await?,
        };
        Ok(UploadInputs { account, settings, facts, size, line: line? })
    }

    /// The header of a video whose size was told with its event. The source is
    /// pinned: what was read of it once stays true.
    async fn header_as_told(&self, post: &Post) -> Option<Result<VideoFacts, Exit>> {
        match (&post.video, post.bytes) {
            (Some(facts), _) => Some(Ok(facts.clone())),
            (None, Some(bytes)) => Some(self.inspect(&post.source, bytes).await),
            (None, None) => None,
        }
    }

    /// Begins the upload of a post whose turn it is, if nothing is against it.
    async fn take_turn(
        &self,
        leased: &LeasedPost<'_>,
        (account, books): (&Versioned<Account>, AccountLimits),
        settings: Settings,
        facts: &VideoFacts,
        plan: ChunkPlan,
    ) -> Result<(Settings, Upload, UploadUrl), Exit> {
        let mut bearer = self.bearer_of(account, TokenUse::Call, leased.worker()).await?;
        let settings = self.fit(&mut bearer, settings, facts).await?;
        if !account.tokens.lasts(TokenUse::Upload, self.now()) {
            bearer = self.bearer(&account.alias, TokenUse::Upload, leased.worker()).await?;
        }
        tracing::info!(
            post.id = %leased.post().id, video.bytes = plan.size().bytes(), video.container = ?facts.container, title = settings.title.as_str(),
            privacy_level = settings.privacy_level.as_str(), mode = ?settings.mode, chunks = plan.count(),
            "video checked: asking TikTok for an upload"
        );
        let (upload, url) = self.ticket(leased.post(), &mut bearer, books, &settings, plan).await?;
        Ok((settings, upload, url))
    }

    /// Holds the video and its settings against what TikTok allows: the
    /// creator's own limits, asked for afresh, where it is posted directly.
    async fn fit(&self, bearer: &mut Bearer<'_>, settings: Settings, facts: &VideoFacts) -> Result<Settings, Exit> {
        if settings.mode == Mode::Draft {
            hold_against(facts, &Limits::draft())?;
            return Ok(settings);
        }
        let ask = async |token| self.tiktok.creator(&token).await;
        let creator = self.within_minute_of(CallKind::CreatorInfo, bearer, ask).await?;
        hold_against(facts, &Limits::direct(creator.max_duration_s.map(Duration::from_secs)))?;
        creator.fit(settings).map_err(|refusal| {
            let advice = "Mend the options and drop the video again; nothing was sent to TikTok.";
            Exit::Fail(Failure::new("privacy_level_option_mismatch", refusal.to_string(), advice))
        })
    }

    async fn ticket(
        &self,
        post: &Post,
        bearer: &mut Bearer<'_>,
        books: AccountLimits,
        settings: &Settings,
        plan: ChunkPlan,
    ) -> Result<(Upload, UploadUrl), Exit> {
        // The URL's hour is counted from before TikTok was asked, the earliest that it can have begun.
        let issued_at = self.now();
        let begin = async |token| self.tiktok.init_publish(&token, settings, &plan).await;
        let ticket = self.in_turn(post, books, bearer, begin).await?;
        let context = EncryptionContext::new(Purpose::UploadUrl, &post.account);
        let url = self.cipher.seal(&context, ticket.upload_url.secret()).await?;
        let upload = Upload {
            publish_id: ticket.publish_id,
            url,
            issued_at,
            plan,
            offset: 0,
            last_chunk: LastChunk::NotSent,
            rate: None,
        };
        Ok((upload, ticket.upload_url))
    }
}

/// What is known of a post when it is plain how it goes out.
struct UploadInputs {
    account: Versioned<Account>,
    settings: Settings,
    facts: VideoFacts,
    size: VideoSize,
    /// Its account's line, up to it.
    line: Vec<QueueEntry>,
}

fn wrong_size(error: SizeError) -> Exit {
    let code = match error {
        SizeError::Empty => "file_empty",
        SizeError::TooLarge { .. } => "file_too_large",
    };
    Exit::Fail(Failure::new(code, error.to_string(), "Nothing was sent to TikTok."))
}

fn not_too_often(post: &Post) -> Result<(), Exit> {
    if post.inits < MOST_INITS {
        return Ok(());
    }
    let message = format!("{MOST_INITS} uploads were begun and none could be ended");
    let advice = "Look at the post's history for what broke them off, then drop the video again.";
    Err(Exit::Fail(Failure::new("upload_attempts_exhausted", message, advice)))
}

fn allowed(account: &Account, mode: Mode) -> Result<(), Exit> {
    let scope = Scopes::needed_for(mode);
    if account.scopes.allow(scope) {
        return Ok(());
    }
    let message = format!("the account \"{}\" has not granted {scope}", account.alias);
    // A consent asks for what the account's own mode needs, and for what the stack says.
    let advice = "Make this mode the account's own, or name the scope in the stack's ConnectScopes; then connect the \
                  account again, allow it on TikTok's page, and drop the video again.";
    Err(Exit::Fail(Failure::new("scope_not_authorized", message, advice)))
}
