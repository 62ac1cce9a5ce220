//! Beginning an upload: everything is checked, then TikTok is asked for a
//! ticket, and the ticket is stored before the first byte leaves.
//!
//! If the worker vanishes between TikTok's answer and the store, TikTok holds
//! an init without bytes, which publishes nothing: the next worker begins
//! again. That costs one of the account's inits, never a second post.

use std::time::Duration;

use domain::account::{Account, Scopes};
use domain::budget::CallKind;
use domain::chunk::ChunkPlan;
use domain::failure::Failure;
use domain::options::Mode;
use domain::post::Post;
use domain::settings::Settings;
use domain::size::{SizeError, VideoSize};
use domain::upload::{LastChunk, Upload};
use domain::video::{Limits, VideoFacts};
use storage::{Purpose, SealContext};

use super::{Hold, Pace};
use crate::header::hold_against;
use crate::posting::Posting;
use crate::stop::Stop;
use crate::tokens::unknown_account;

/// How many uploads one post may begin, before a person must look.
const MOST_INITS: u32 = 12;

impl Posting {
    pub(super) async fn begin(&self, hold: &mut Hold<'_>) -> Result<(), Stop> {
        let post = hold.post().clone();
        let alias = &post.account;
        let account = self.accounts.get(alias).await?.ok_or_else(|| unknown_account(alias))?;
        let object = self.objects.describe(&post.source).await?;
        let size = VideoSize::new(object.bytes).map_err(wrong_size)?;
        let settings = self.settings(&post, &object, &account).await?;
        not_too_often(&post)?;
        allowed(&account, settings.mode)?;
        let facts = match &post.video {
            // The source is pinned: what was read of it once stays true.
            Some(facts) => facts.clone(),
            None => self.inspect(&post.source, size.bytes()).await?,
        };
        if let Err(stop) = self.await_turn(&post, settings.mode).await {
            return Err(stop.described(settings, facts, size.bytes()));
        }
        let plan = ChunkPlan::new(size, self.chunk_ceiling);
        Pace::default().room_for(plan.chunk_size(), hold.worker(), self.now())?;
        let (settings, upload) = match self.take_turn(hold, settings.clone(), &facts, plan).await {
            Ok(begun) => begun,
            Err(stop) => {
                let stop = self.heed_limit(alias, settings.mode, stop).await;
                return Err(stop.described(settings, facts, size.bytes()));
            }
        };
        tracing::info!(post.id = %post.id, publish.id = %upload.publish_id, "upload begun");
        let begun = hold.post().clone().described(settings, facts, size.bytes()).begin(upload, self.now())?;
        hold.save(begun).await?;
        self.call_up(alias, post.mode()).await;
        Ok(())
    }

    /// Begins the upload of a post whose turn it is, if nothing is against it.
    async fn take_turn(
        &self,
        hold: &Hold<'_>,
        settings: Settings,
        facts: &VideoFacts,
        plan: ChunkPlan,
    ) -> Result<(Settings, Upload), Stop> {
        let settings = self.fit(hold, settings, facts).await?;
        tracing::info!(
            post.id = %hold.post().id, video.bytes = plan.size().bytes(), video.container = ?facts.container, title = settings.title.as_str(),
            privacy_level = settings.privacy_level.as_str(), mode = ?settings.mode, chunks = plan.count(),
            "video checked: asking TikTok for an upload"
        );
        let upload = self.ticket(hold, &settings, plan).await?;
        Ok((settings, upload))
    }

    /// Holds the video and its settings against what TikTok allows: the
    /// creator's own limits, asked for afresh, where it is posted directly.
    async fn fit(&self, hold: &Hold<'_>, settings: Settings, facts: &VideoFacts) -> Result<Settings, Stop> {
        if settings.mode == Mode::Draft {
            hold_against(facts, &Limits::draft())?;
            return Ok(settings);
        }
        let alias = &hold.post().account;
        let ask = async |token| self.tiktok.creator(&token).await;
        let creator = self.within_minute(CallKind::CreatorInfo, alias, hold.worker(), ask).await?;
        hold_against(facts, &Limits::direct(creator.max_duration_s.map(Duration::from_secs)))?;
        creator.fit(settings).map_err(|refusal| {
            let advice = "Mend the options and drop the video again; nothing was sent to TikTok.";
            Stop::Fail(Failure::new("privacy_level_option_mismatch", refusal.to_string(), advice))
        })
    }

    async fn ticket(&self, hold: &Hold<'_>, settings: &Settings, plan: ChunkPlan) -> Result<Upload, Stop> {
        // The URL's hour is counted from before TikTok was asked, the earliest that it can have begun.
        let issued_at = self.now();
        let begin = async |token| self.tiktok.begin(&token, settings, &plan).await;
        let ticket = self.in_turn(hold.post(), settings.mode, hold.worker(), begin).await?;
        let context = SealContext::new(Purpose::UploadUrl, &hold.post().account);
        let url = self.vault.seal(&context, ticket.upload_url.secret()).await?;
        Ok(Upload {
            publish_id: ticket.publish_id,
            url,
            issued_at,
            plan,
            offset: 0,
            last_chunk: LastChunk::NotSent,
            rate: None,
        })
    }
}

fn wrong_size(error: SizeError) -> Stop {
    let code = match error {
        SizeError::Empty => "file_empty",
        SizeError::TooLarge { .. } => "file_too_large",
    };
    Stop::Fail(Failure::new(code, error.to_string(), "Nothing was sent to TikTok."))
}

fn not_too_often(post: &Post) -> Result<(), Stop> {
    if post.inits < MOST_INITS {
        return Ok(());
    }
    let message = format!("{MOST_INITS} uploads were begun and none could be ended");
    let advice = "Look at the post's history for what broke them off, then drop the video again.";
    Err(Stop::Fail(Failure::new("upload_never_ends", message, advice)))
}

fn allowed(account: &Account, mode: Mode) -> Result<(), Stop> {
    let scope = Scopes::needed_for(mode);
    if account.scopes.allow(scope) {
        return Ok(());
    }
    let message = format!("the account \"{}\" has not granted {scope}", account.alias);
    // A consent asks for what the account's own mode needs, and for what the stack says.
    let advice = "Make this mode the account's own, or name the scope in the stack's ConnectScopes; then connect the \
                  account again, allow it on TikTok's page, and drop the video again.";
    Err(Stop::Fail(Failure::new("scope_not_authorized", message, advice)))
}
