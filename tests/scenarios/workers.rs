//! A worker dies in the middle of its work, and another one goes on.
//!
//! The one that dies is played here: it claims a post as `publish` does, begins a
//! real upload at TikTok, sends some of it, stores some of what it did, and is
//! never heard of again. Its lease has run out, so that nobody has to wait.

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
use serde_json::json;
use simulator::{Endpoint, WebhookDelivery};
use storage::{EncryptionContext, Purpose, SaveError, Versioned};
use tests::{Cloud, Creator, Dropped, Footage};
use tiktok::{AccessToken, ChunkOutcome, TikTok, UploadHosts, UploadUrl};

use crate::harness::stories;
use crate::post_office::{PostOffice, told};
use crate::transfers::TWO_CHUNKS;

stories![among:
    a_worker_that_dies_before_the_first_byte_is_taken_over_in_the_same_publish,
    a_worker_that_dies_behind_a_stored_chunk_is_taken_over_there,
    a_worker_that_dies_before_a_chunk_is_stored_costs_no_second_sending,
    a_worker_that_dies_with_the_last_chunk_announced_but_not_sent_leaves_it_to_the_next,
    a_worker_that_dies_behind_the_last_byte_never_makes_a_second_post,
    a_worker_that_comes_back_after_the_takeover_can_write_no_more,
    an_upload_that_cannot_end_before_its_url_does_is_given_up_for_a_new_one,
    what_tiktok_tells_before_anybody_stored_the_publish_is_left_to_the_poll,
];

/// How long ago the worker took the post: longer than a lease lasts.
const LONG_AGO: Duration = Duration::from_mins(3);
const CEILING: u64 = 10_000_000;
/// Of an upload that comes too late: half of 11 MB is left, and takes eight minutes.
const LAGGING_SINCE: Duration = Duration::from_mins(55);
const LAGGING_AT: Rate = Rate::new(12_000);

/// When a worker died, which has two chunks to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Died {
    /// TikTok's ticket was stored, and nothing sent.
    BeforeTheFirstByte,
    /// TikTok has the first chunk, and the database does not know.
    WithTheFirstChunkSent,
    /// The database knows that TikTok has the first chunk.
    WithTheFirstChunkStored,
    /// The database knows that the last chunk is about to leave, and it did not.
    WithTheLastChunkAnnounced,
    /// TikTok has every byte, and the database does not know.
    WithTheLastChunkSent,
}

async fn a_worker_that_dies_before_the_first_byte_is_taken_over_in_the_same_publish(cloud: Arc<Cloud>) -> Result<()> {
    assert_eq!(puts_until_published(&cloud, Died::BeforeTheFirstByte).await?, 2, "both chunks");
    Ok(())
}

async fn a_worker_that_dies_before_a_chunk_is_stored_costs_no_second_sending(cloud: Arc<Cloud>) -> Result<()> {
    assert_eq!(puts_until_published(&cloud, Died::WithTheFirstChunkSent).await?, 2, "TikTok was asked what it has");
    Ok(())
}

async fn a_worker_that_dies_behind_a_stored_chunk_is_taken_over_there(cloud: Arc<Cloud>) -> Result<()> {
    assert_eq!(puts_until_published(&cloud, Died::WithTheFirstChunkStored).await?, 2, "one by each worker");
    Ok(())
}

async fn a_worker_that_dies_with_the_last_chunk_announced_but_not_sent_leaves_it_to_the_next(
    cloud: Arc<Cloud>,
) -> Result<()> {
    assert_eq!(puts_until_published(&cloud, Died::WithTheLastChunkAnnounced).await?, 2, "one by each worker");
    Ok(())
}

async fn a_worker_that_dies_behind_the_last_byte_never_makes_a_second_post(cloud: Arc<Cloud>) -> Result<()> {
    assert_eq!(puts_until_published(&cloud, Died::WithTheLastChunkSent).await?, 2, "nothing was left to be sent");
    Ok(())
}

async fn a_worker_that_comes_back_after_the_takeover_can_write_no_more(cloud: Arc<Cloud>) -> Result<()> {
    let (maker, dropped) = scheduled_drop(&cloud).await?;
    let late = DeadWorker::new(&maker).await?.work(&dropped, Died::WithTheFirstChunkStored).await?;
    let published = cloud.await_state(&dropped.post, StateName::Published).await?;
    let now = runtime::clock::now();
    for step in [late.value.clone().renew(now)?, late.value.clone().commit(now)?, late.value.clone().hand_over(now)?] {
        let saved = cloud.posts.save(&late, step, now).await;
        assert!(matches!(saved, Err(SaveError::Conflict)), "{saved:?}");
    }
    let after = cloud.posts.get(&dropped.post).await?.context("the post is there")?;
    assert_eq!(after.publish_id(), published.publish_id());
    assert_eq!(after.state_name(), StateName::Published);
    maker.book().await?.ensure_published_once(&dropped)?;
    Ok(())
}

async fn what_tiktok_tells_before_anybody_stored_the_publish_is_left_to_the_poll(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::cast(&cloud, |casting| casting.user.webhooks = WebhookDelivery::Enabled).await?;
    let dropped = scheduled_drop_of(&maker).await?;
    let late = DeadWorker::new(&maker).await?;
    let (kept, post) = late.work_unstored(&dropped, Died::WithTheLastChunkSent).await?;
    let publish = post.publish_id().context("the worker has a publish id")?.as_str();
    let office = PostOffice::open(&cloud).await?;
    let complete = told(&cloud, |told| told.publish_id.as_ref().is_some_and(|id| id.as_str() == publish)).await?;
    assert_eq!(office.outcome(&complete.body).await?, "no post has this publish");
    cloud.posts.save(kept, post, runtime::clock::now()).await?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    let book = maker.book().await?;
    book.ensure_published_once(&dropped)?;
    assert_eq!(book.publishes.len(), 1, "it is the publish that TikTok told of");
    Ok(())
}

async fn an_upload_that_cannot_end_before_its_url_does_is_given_up_for_a_new_one(cloud: Arc<Cloud>) -> Result<()> {
    let (maker, dropped) = scheduled_drop(&cloud).await?;
    let mut slow = DeadWorker::new(&maker).await?;
    slow.lagging = true;
    slow.work(&dropped, Died::WithTheFirstChunkStored).await?;
    // Whoever takes it up gives the upload up; it is then as any scheduled post, and is set free.
    cloud.await_state(&dropped.post, StateName::Scheduled).await?;
    maker.options("clip.json", &json!({})).await?;
    let published = cloud.await_state(&dropped.post, StateName::Published).await?;
    let book = maker.book().await?;
    book.ensure_published_once(&dropped)?;
    assert_eq!((book.publishes.len(), published.inits), (2, 2), "the first was given up, long before its URL was dead");
    assert_eq!(book.calls_of(Endpoint::Upload), 3, "one chunk at the first, two at the second");
    Ok(())
}

/// A creator and a drop that no worker touches before the one of this story
/// does: it is scheduled far ahead.
async fn scheduled_drop(cloud: &Arc<Cloud>) -> Result<(Creator, Dropped)> {
    let maker = Creator::connect(cloud).await?;
    let dropped = scheduled_drop_of(&maker).await?;
    Ok((maker, dropped))
}

async fn scheduled_drop_of(maker: &Creator) -> Result<Dropped> {
    let far = runtime::clock::now() + Duration::from_hours(24);
    maker.options("clip.json", &json!({ "publish_at": far.to_string() })).await?;
    let dropped = maker.drops("clip.mp4", &Footage::long(TWO_CHUNKS)?).await?;
    maker.cloud.await_state(&dropped.post, StateName::Scheduled).await?;
    Ok(dropped)
}

/// Lets a worker die, waits for the post to be published, and counts the PUTs of both.
async fn puts_until_published(cloud: &Arc<Cloud>, died: Died) -> Result<usize> {
    let (maker, dropped) = scheduled_drop(cloud).await?;
    DeadWorker::new(&maker).await?.work(&dropped, died).await.context("the worker that is to die")?;
    cloud.await_state(&dropped.post, StateName::Published).await?;
    let book = maker.book().await?;
    book.ensure_published_once(&dropped)?;
    assert_eq!(book.publishes.len(), 1, "{died:?}: the same publish is gone on with");
    Ok(book.calls_of(Endpoint::Upload))
}

struct DeadWorker<'a> {
    maker: &'a Creator,
    tiktok: TikTok,
    token: AccessToken,
    /// Whether the upload began long ago, and so slowly that its rest takes
    /// longer than its URL lives.
    lagging: bool,
}

impl<'a> DeadWorker<'a> {
    async fn new(maker: &'a Creator) -> Result<Self> {
        let api: reqwest::Url = maker.cloud.contract.simulator.as_deref().context("no simulator")?.parse()?;
        let upload_hosts =
            UploadHosts::parse(&format!("{}:{}", api.host_str().unwrap_or_default(), api.port().unwrap_or(80)))?;
        let account = maker.account().await?;
        let context = EncryptionContext::new(Purpose::AccessToken, &maker.alias);
        let token = AccessToken::new(maker.cloud.vault.open(&context, &account.tokens.access).await?);
        Ok(Self { maker, tiktok: TikTok::new(tiktok::Config { api, upload_hosts })?, token, lagging: false })
    }

    async fn work(&self, dropped: &Dropped, died: Died) -> Result<Versioned<Post>> {
        let (kept, post) = self.work_unstored(dropped, died).await?;
        Ok(self.maker.cloud.posts.save(kept, post, runtime::clock::now()).await?)
    }

    /// Does the same, and stores nothing yet.
    async fn work_unstored(&self, dropped: &Dropped, died: Died) -> Result<(Versioned<Post>, Post)> {
        let size = VideoSize::new(dropped.footage.bytes.len() as u64)?;
        let plan = ChunkPlan::new(size, ChunkCeiling::new(CEILING)?);
        let (upload, url) = self.begin(plan).await?;
        let kept = self.maker.cloud.posts.get(&dropped.post).await?.context("the post is there")?;
        let then = runtime::clock::now() - LONG_AGO;
        let claimed = kept.value.clone().options_arrived(then)?.claim("publish/dead", then)?;
        let mut post = claimed.described(settings()?, facts(&dropped.footage)?, size.bytes()).begin(upload, then)?;
        let [first, last] = plan.chunks().collect::<Vec<_>>()[..] else {
            bail!("the film is to be two chunks");
        };
        if died >= Died::WithTheFirstChunkSent {
            self.send(&url, &plan, first, &dropped.footage).await?;
        }
        if died >= Died::WithTheFirstChunkStored {
            post = post.progress(first.end(), None, then)?;
        }
        if died >= Died::WithTheLastChunkAnnounced {
            post = post.commit(then)?;
        }
        if died >= Died::WithTheLastChunkSent {
            self.send(&url, &plan, last, &dropped.footage).await?;
        }
        Ok((kept, post))
    }

    /// Asks TikTok for an upload, as every worker does.
    async fn begin(&self, plan: ChunkPlan) -> Result<(Upload, UploadUrl)> {
        let settings = self.tiktok.creator(&self.token).await?.fit(settings()?)?;
        let ticket = self.tiktok.init_publish(&self.token, &settings, &plan).await?;
        let context = EncryptionContext::new(Purpose::UploadUrl, &self.maker.alias);
        let url = self.maker.cloud.vault.seal(&context, ticket.upload_url.secret()).await?;
        let now = runtime::clock::now();
        let (issued_at, rate) = if self.lagging { (now - LAGGING_SINCE, Some(LAGGING_AT)) } else { (now, None) };
        Ok((
            Upload {
                publish_id: ticket.publish_id,
                url,
                issued_at,
                plan,
                offset: 0,
                last_chunk: LastChunk::NotSent,
                rate,
            },
            ticket.upload_url,
        ))
    }

    async fn send(&self, url: &UploadUrl, plan: &ChunkPlan, chunk: Chunk, footage: &Footage) -> Result<()> {
        let range = usize::try_from(chunk.first)?..usize::try_from(chunk.end())?;
        let bytes = footage.bytes.slice(range);
        let body = stream::iter([Ok::<_, std::io::Error>(bytes)]);
        match self.tiktok.put_chunk(url, "video/mp4", plan, chunk, body).await {
            ChunkOutcome::Accepted { .. } | ChunkOutcome::Complete => Ok(()),
            other => bail!("chunk {} was not taken: {other:?}", chunk.index),
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

fn facts(footage: &Footage) -> Result<VideoFacts> {
    let mut inspector = Inspector::new(footage.bytes.len() as u64);
    loop {
        match inspector.advance()? {
            Inspection::Done(facts) => return Ok(facts),
            Inspection::Read { offset, len } => {
                let start = usize::try_from(offset)?;
                let end = (start + usize::try_from(len)?).min(footage.bytes.len());
                inspector.feed(&footage.bytes[start..end]);
            }
        }
    }
}
