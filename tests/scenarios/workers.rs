//! A worker is killed during an upload, and another one resumes the upload.
//!
//! The test plays the killed worker: it claims a post as `publish` does, begins an upload at the simulated TikTok,
//! sends some chunks, stores how far it came or less, and stops. It claims the post in the past, so that its lease has
//! expired and the next worker need not wait.

mod outages;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use domain::chunk::{Chunk, ChunkCeiling, ChunkPlan};
use domain::options::{Mode, PostOptions, PrivacyLevel};
use domain::post::{Post, StateName};
use domain::rate::Rate;
use domain::settings::{Settings, StackDefaults};
use domain::size::VideoSize;
use domain::title::TitleLimit;
use domain::upload::{LastChunk, Upload};
use domain::video::{Inspection, Inspector, VideoFacts};
use futures::stream;
use harness::{Cloud, Creator, Dropped, TestVideo};
use serde_json::json;
use simulator::{Endpoint, WebhookDelivery};
use storage::{EncryptionContext, Purpose, SaveError, Versioned};
use tiktok::{AccessToken, ChunkOutcome, TikTok, UploadHosts, UploadUrl};

use crate::runner::{WithCreator, for_each, scenarios};
use crate::transfers::TWO_CHUNKS;
use crate::webhooks::fixture::{WebhookFixture, await_delivery};

scenarios![concurrent:
    killed_worker_is_resumed_in_the_same_publish,
    worker_that_lost_its_lease_cannot_write,
    upload_slower_than_its_url_is_replaced,
    webhook_before_publish_is_stored_is_left_to_poll;
    outages
];

/// How long ago the killed worker claimed the post: longer than a lease (`LEASE_TERM`: two minutes).
const CLAIM_AGE: Duration = Duration::from_mins(3);
/// The killed worker's maximum chunk size in bytes.
const MAX_CHUNK_BYTES: u64 = 10_000_000;
/// The age of an upload that cannot end in time. Its URL is valid for an hour, so for five more minutes.
const LAGGING_SINCE: Duration = Duration::from_mins(55);
/// The rate of that upload in bytes per second: the second half of 11 MB takes almost eight minutes.
const LAGGING_RATE: Rate = Rate::new(12_000);

/// The point at which a worker that sends two chunks is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Killed {
    /// The upload is stored, and no byte is sent.
    BeforeFirstByte,
    /// TikTok has the first chunk, but the table does not say so.
    FirstChunkSent,
    /// The table says that TikTok has the first chunk.
    FirstChunkStored,
    /// The table says that the last chunk may be sent, but it is not.
    LastChunkCommitted,
    /// TikTok has every byte, but the table does not say so.
    LastChunkSent,
}

/// Whatever the killed worker sent and stored, both workers together send each chunk once.
async fn killed_worker_is_resumed_in_the_same_publish(cloud: Arc<Cloud>) -> Result<()> {
    let cases = [
        Killed::BeforeFirstByte,
        Killed::FirstChunkSent,
        Killed::FirstChunkStored,
        Killed::LastChunkCommitted,
        Killed::LastChunkSent,
    ];
    for_each(cases, async |killed| {
        let creator = Creator::create(&cloud).await?;
        let dropped = drop_scheduled(&creator).await?;
        DeadWorker::new(&creator).await?.work(&dropped, killed).await.context("the worker that is killed")?;
        let ledger = creator.await_published_once(&dropped).await?;
        assert_eq!(ledger.publishes.len(), 1, "{killed:?}: the same publish is resumed");
        assert_eq!(ledger.calls_of(Endpoint::Upload), 2, "{killed:?}: each chunk is sent once");
        Ok(())
    })
    .await
}

async fn worker_that_lost_its_lease_cannot_write((cloud, creator): WithCreator) -> Result<()> {
    let dropped = drop_scheduled(&creator).await?;
    let late = DeadWorker::new(&creator).await?.work(&dropped, Killed::FirstChunkStored).await?;
    let published = cloud.await_state(&dropped.post, StateName::Published).await?;
    let now = runtime::clock::now();
    // The killed worker continues after all, with the revision that it stored.
    for step in [late.value.clone().renew(now)?, late.value.clone().commit(now)?, late.value.clone().hand_over(now)?] {
        let saved = cloud.posts.save(&late, step, now).await;
        assert!(matches!(saved, Err(SaveError::Conflict)), "{saved:?}");
    }
    let after = cloud.post(&dropped.post).await?;
    assert_eq!(after.publish_id(), published.publish_id());
    assert_eq!(after.state_name(), StateName::Published);
    creator.ledger().await?.ensure_published_once(&dropped)?;
    Ok(())
}

async fn webhook_before_publish_is_stored_is_left_to_poll(cloud: Arc<Cloud>) -> Result<()> {
    let creator = Creator::create_with(&cloud, |setup| setup.user.webhooks = WebhookDelivery::Enabled).await?;
    let dropped = drop_scheduled(&creator).await?;
    let worker = DeadWorker::new(&creator).await?;
    let (stored, post) = worker.work_unstored(&dropped, Killed::LastChunkSent).await?;
    let publish = post.publish_id().context("the worker has a publish id")?.as_str();
    let webhooks = WebhookFixture::open(&cloud).await?;
    let is_complete =
        |delivery: &simulator::Delivery| delivery.publish_id.as_ref().is_some_and(|id| id.as_str() == publish);
    let complete = await_delivery(&cloud, is_complete).await?;
    assert_eq!(webhooks.outcome(&complete.body).await?, "no post has this publish");
    cloud.posts.save(stored, post, runtime::clock::now()).await?;
    let ledger = creator.await_published_once(&dropped).await?;
    assert_eq!(ledger.publishes.len(), 1, "the publish of the webhook");
    Ok(())
}

async fn upload_slower_than_its_url_is_replaced((cloud, creator): WithCreator) -> Result<()> {
    let dropped = drop_scheduled(&creator).await?;
    let mut slow = DeadWorker::new(&creator).await?;
    slow.lagging = true;
    slow.work(&dropped, Killed::FirstChunkStored).await?;
    // The next worker abandons the upload. The post is scheduled again until the sidecar changes.
    cloud.await_state(&dropped.post, StateName::Scheduled).await?;
    creator.put_options("clip.json", &json!({})).await?;
    let ledger = creator.await_published_once(&dropped).await?;
    let inits = cloud.post(&dropped.post).await?.inits;
    assert_eq!((ledger.publishes.len(), inits), (2, 2), "the first upload was abandoned before its URL expired");
    assert_eq!(ledger.calls_of(Endpoint::Upload), 3, "one chunk of the first upload, two of the second");
    Ok(())
}

/// Drops a video that is scheduled a day ahead, so that no deployed worker claims it first.
async fn drop_scheduled(creator: &Creator) -> Result<Dropped> {
    let tomorrow = runtime::clock::now() + Duration::from_hours(24);
    creator.put_options("clip.json", &json!({ "publish_at": tomorrow.to_string() })).await?;
    let dropped = creator.drop_video("clip.mp4", &TestVideo::new(TWO_CHUNKS)?).await?;
    creator.cloud.await_state(&dropped.post, StateName::Scheduled).await?;
    Ok(dropped)
}

/// A worker that is killed.
struct DeadWorker<'a> {
    creator: &'a Creator,
    tiktok: TikTok,
    token: AccessToken,
    /// Whether the upload began long ago, and is so slow that its URL expires before its end.
    lagging: bool,
}

impl<'a> DeadWorker<'a> {
    async fn new(creator: &'a Creator) -> Result<Self> {
        let api: reqwest::Url = creator.cloud.contract.simulator.as_deref().context("no simulator")?.parse()?;
        let upload_hosts =
            UploadHosts::parse(&format!("{}:{}", api.host_str().unwrap_or_default(), api.port().unwrap_or(80)))?;
        let account = creator.account().await?;
        let context = EncryptionContext::new(Purpose::AccessToken, &creator.alias);
        let token = AccessToken::new(creator.cloud.cipher.open(&context, &account.tokens.access).await?);
        Ok(Self { creator, tiktok: TikTok::new(tiktok::Config { api, upload_hosts })?, token, lagging: false })
    }

    /// Works until this point, and stores the post.
    async fn work(&self, dropped: &Dropped, killed: Killed) -> Result<Versioned<Post>> {
        let (stored, post) = self.work_unstored(dropped, killed).await?;
        Ok(self.creator.cloud.posts.save(stored, post, runtime::clock::now()).await?)
    }

    /// Works until this point. Returns the post as the table has it, and as this worker would store it.
    async fn work_unstored(&self, dropped: &Dropped, killed: Killed) -> Result<(Versioned<Post>, Post)> {
        let video = &dropped.video;
        let plan = ChunkPlan::new(VideoSize::new(video.bytes)?, ChunkCeiling::new(MAX_CHUNK_BYTES)?);
        let (upload, url) = self.begin(plan).await?;
        let stored = self.creator.cloud.posts.get(&dropped.post).await?.context("the post exists")?;
        let claimed_at = runtime::clock::now() - CLAIM_AGE;
        let claimed = stored.value.clone().options_arrived(claimed_at)?.claim("publish/dead", claimed_at)?;
        let mut post = claimed.described(settings()?, facts(video)?, video.bytes).begin(upload, claimed_at)?;
        let [first, last] = plan.chunks().collect::<Vec<_>>()[..] else {
            bail!("the video should have two chunks");
        };
        if killed >= Killed::FirstChunkSent {
            self.send(&url, &plan, first, video).await?;
        }
        if killed >= Killed::FirstChunkStored {
            post = post.progress(first.end(), None, claimed_at)?;
        }
        if killed >= Killed::LastChunkCommitted {
            post = post.commit(claimed_at)?;
        }
        if killed >= Killed::LastChunkSent {
            self.send(&url, &plan, last, video).await?;
        }
        Ok((stored, post))
    }

    /// Begins an upload at TikTok.
    async fn begin(&self, plan: ChunkPlan) -> Result<(Upload, UploadUrl)> {
        let settings = self.tiktok.creator(&self.token).await?.fit(settings()?)?;
        let ticket = self.tiktok.init_publish(&self.token, &settings, &plan).await?;
        let context = EncryptionContext::new(Purpose::UploadUrl, &self.creator.alias);
        let url = self.creator.cloud.cipher.seal(&context, ticket.upload_url.secret()).await?;
        let now = runtime::clock::now();
        let (issued_at, rate) = if self.lagging { (now - LAGGING_SINCE, Some(LAGGING_RATE)) } else { (now, None) };
        let (publish_id, last_chunk) = (ticket.publish_id, LastChunk::NotSent);
        Ok((Upload { publish_id, url, issued_at, plan, offset: 0, last_chunk, rate }, ticket.upload_url))
    }

    async fn send(&self, url: &UploadUrl, plan: &ChunkPlan, chunk: Chunk, video: &TestVideo) -> Result<()> {
        let body = stream::iter([Ok::<_, std::io::Error>(video.slice(chunk.first, chunk.end()))]);
        match self.tiktok.put_chunk(url, "video/mp4", plan, chunk, body).await {
            ChunkOutcome::Accepted { .. } | ChunkOutcome::Complete => Ok(()),
            other => bail!("chunk {} was not accepted: {other:?}", chunk.index),
        }
    }
}

fn settings() -> Result<Settings> {
    let stack = StackDefaults {
        mode: Mode::Direct,
        privacy_level: PrivacyLevel::PublicToEveryone,
        title_limit: TitleLimit::default(),
    };
    Ok(Settings::resolve(&PostOptions::default(), "clip.mp4", &stack)?)
}

fn facts(video: &TestVideo) -> Result<VideoFacts> {
    let mut inspector = Inspector::new(video.bytes);
    loop {
        match inspector.advance()? {
            Inspection::Done(facts) => return Ok(facts),
            Inspection::Read { offset, len } => {
                inspector.feed(&video.slice(offset, (offset + len).min(video.bytes)));
            }
        }
    }
}
