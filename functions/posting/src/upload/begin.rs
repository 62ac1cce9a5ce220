//! Begins an upload: checks the post, the repost guard and the limits, asks TikTok for a ticket (publish id and upload URL), and stores
//! it before the first byte is sent.
//!
//! If the worker dies between TikTok's answer and the write, TikTok knows an upload without bytes, which publishes
//! nothing. The next worker begins another one. That costs one of the account's uploads, and never makes a second post.

use std::sync::Arc;
use std::time::Duration;

use domain::account::{Account, TokenUse};
use domain::chunk::ChunkPlan;
use domain::failure::Failure;
use domain::options::Mode;
use domain::reason::Reason;
use domain::settings::Settings;
use domain::upload::{LastChunk, Upload};
use domain::video::{Limits, VideoFacts};
use storage::{Accounts, EncryptionContext, KmsCipher, Objects, Posts, Purpose, Versioned};
use tiktok::UploadUrl;

use super::inputs::{UploadInputs, check_limits, check_may_begin};
use super::leased_post::LeasedPost;
use super::options::ResolvedOptions;
use super::session::UploadSession;
use super::throughput_estimate::ThroughputEstimate;
use crate::account_names::AccountNames;
use crate::account_queue::AccountQueue;
use crate::config::Config;
use crate::exit::Exit;
use crate::invocation::Instruments;
use crate::limited_calls::LimitedCalls;
use crate::rate_limit::AccountLimits;
use crate::repost_check::RepostCheck;
use crate::tokens::Bearer;

from_dependencies! {
    pub(crate) struct UploadStarter {
        posts: Posts, accounts: Accounts, objects: Objects, queue: AccountQueue, reposts: RepostCheck,
        calls: LimitedCalls, names: AccountNames, cipher: KmsCipher, config: Arc<Config>, instruments: Instruments,
    }
}

impl UploadStarter {
    /// Begins the upload of a post if it is the first of its queue and the limits have room.
    pub(super) async fn begin(&self, leased: &mut LeasedPost<'_>, session: &mut UploadSession) -> Result<(), Exit> {
        let UploadInputs { account, options, facts, size, content, queue } = Box::pin(self.load_inputs(leased)).await?;
        let post = leased.post().clone();
        let ResolvedOptions { settings, repost, wait } = options;
        // First of all, so that a person who reviews posts, and the account queue, see each video once.
        Box::pin(self.reposts.enter(&post, &content, repost)).await?;
        if let Some(wait) = wait {
            return Err(wait);
        }
        check_may_begin(&post, &account, settings.mode)?;
        let described = |exit: Exit| exit.described(settings.clone(), facts.clone(), size.bytes());
        let limits = self.queue.check(&post, settings.mode, &queue).await.map_err(described)?;
        let plan = ChunkPlan::new(size, self.config.chunk_ceiling);
        let now = self.instruments.now();
        ThroughputEstimate::default().check_room(plan.chunk_size(), leased.worker(), now)?;
        let read_ahead = || self.objects.read_ahead(&post.source, size.bytes(), self.config.window);
        // The first bytes are read from S3 while TikTok is asked.
        session.video.get_or_insert_with(read_ahead).begin(0);
        let begun = match self.call_tiktok(leased, (&account, limits), settings.clone(), &facts, plan).await {
            Ok(begun) => begun,
            Err(exit) => {
                return Err(described(self.calls.limiter.apply_limit(&account.alias, settings.mode, exit).await));
            }
        };
        let (settings, upload, url) = begun;
        tracing::info!(post.id = %post.id, publish.id = %upload.publish_id, "upload begun");
        session.keep_url(&upload, url);
        let post = leased.post().clone().described(settings, facts, size.bytes());
        leased.save(post.begin(upload, self.instruments.now())?).await
    }

    /// Checks the post against the creator's limits, and asks TikTok for an upload.
    async fn call_tiktok(
        &self,
        leased: &LeasedPost<'_>,
        (account, limits): (&Versioned<Account>, AccountLimits),
        settings: Settings,
        facts: &VideoFacts,
        plan: ChunkPlan,
    ) -> Result<(Settings, Upload, UploadUrl), Exit> {
        let tokens = &self.calls.tokens;
        let mut bearer = tokens.bearer((&account.alias, Some(account)), TokenUse::Call, leased.worker()).await?;
        let settings = self.check_creator(account, &mut bearer, settings, facts).await?;
        if !account.tokens.lasts(TokenUse::Upload, self.instruments.now()) {
            bearer = tokens.bearer((&account.alias, None), TokenUse::Upload, leased.worker()).await?;
        }
        tracing::info!(
            post.id = %leased.post().id, video.bytes = plan.size().bytes(), video.container = ?facts.container,
            title = settings.title.as_str(), privacy_level = settings.privacy_level.as_str(), mode = ?settings.mode,
            chunks = plan.count(), "video checked: asking TikTok for an upload"
        );
        // The URL is valid for an hour, which begins during the call. It is counted from before the call, to be safe.
        let issued_at = self.instruments.now();
        let ticket = self.calls.begin_upload((leased.post(), &settings, &plan), limits, &mut bearer).await?;
        let context = EncryptionContext::new(Purpose::UploadUrl, &account.alias);
        let url = self.cipher.seal(&context, ticket.upload_url.secret()).await?;
        let (publish_id, last_chunk) = (ticket.publish_id, LastChunk::NotSent);
        let upload = Upload { publish_id, url, issued_at, plan, offset: 0, last_chunk, rate: None };
        Ok((settings, upload, ticket.upload_url))
    }

    /// Checks the video and the settings against TikTok's limits. For a direct post, TikTok is asked for the
    /// creator's own limits.
    async fn check_creator(
        &self,
        account: &Versioned<Account>,
        bearer: &mut Bearer<'_>,
        settings: Settings,
        facts: &VideoFacts,
    ) -> Result<Settings, Exit> {
        if settings.mode == Mode::Draft {
            check_limits(facts, &Limits::draft())?;
            return Ok(settings);
        }
        let creator = self.calls.creator(bearer).await?;
        self.names.remember(account, &creator).await;
        check_limits(facts, &Limits::direct(creator.max_duration_s.map(Duration::from_secs)))?;
        creator.fit(settings).map_err(|refusal| {
            let reason = Reason::parse("privacy_level_option_mismatch");
            Exit::Fail(Failure::new(reason, refusal.to_string(), Reason::OptionsInvalid.advice()))
        })
    }
}
