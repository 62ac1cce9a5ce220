//! Shows the progress of a post, from the table and from TikTok's ledger.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use domain::identity::PublishId;
use domain::post::{Post, PostState};
use domain::video::VideoFacts;
use harness::{Cloud, Dropped};

use crate::screen::{Progress, Screen, megabytes};

/// How long the whole post may take.
const TIMEOUT: Duration = Duration::from_mins(3);
/// The pause between two reads of the post.
const READ_INTERVAL: Duration = Duration::from_millis(80);

/// The post's steps that are already shown.
struct Follower<'a> {
    screen: &'a mut Screen,
    cloud: &'a Cloud,
    total_bytes: u64,
    event_shown: bool,
    /// The publish whose init is shown.
    publish: Option<PublishId>,
    sending_since: Instant,
    upload_shown: bool,
}

/// Shows the steps of a drop's post until its link is known.
pub(crate) async fn follow(screen: &mut Screen, cloud: &Cloud, dropped: &Dropped) -> Result<()> {
    let begun = Instant::now();
    let total_bytes = dropped.video.bytes;
    let mut follower = Follower {
        screen,
        cloud,
        total_bytes,
        event_shown: false,
        publish: None,
        sending_since: begun,
        upload_shown: false,
    };
    while begun.elapsed() < TIMEOUT {
        if let Some(post) = cloud.posts.get(&dropped.post).await?
            && follower.show(&post).await?
        {
            return Ok(());
        }
        tokio::time::sleep(READ_INTERVAL).await;
    }
    bail!("no link within {} s:\n{}", TIMEOUT.as_secs(), cloud.describe_post(&dropped.post).await?)
}

impl Follower<'_> {
    /// Shows the steps that are new. Returns whether the post is published and its link is known.
    async fn show(&mut self, post: &Post) -> Result<bool> {
        if !self.event_shown {
            self.screen.step("event received", &format!("post {}", post.id))?;
            self.event_shown = true;
        }
        if self.publish.is_none() {
            self.show_init(post)?;
        }
        if !self.upload_shown {
            self.show_bytes(post).await?;
        }
        match &post.state {
            PostState::Published { links, .. } => match &links.share_url {
                Some(link) => {
                    self.screen.step("published", link)?;
                    Ok(true)
                }
                None => Ok(false),
            },
            PostState::Failed { failure, .. } => bail!("the post failed: {failure}"),
            PostState::Cancelled { .. } | PostState::Delivered { .. } | PostState::Held { .. } => {
                bail!("the post is {}:\n{}", post.state_name(), self.cloud.describe_post(&post.id).await?)
            }
            PostState::Scheduled { .. }
            | PostState::Queued { .. }
            | PostState::Uploading { .. }
            | PostState::Processing { .. } => Ok(false),
        }
    }

    fn show_init(&mut self, post: &Post) -> Result<()> {
        let (Some(video), Some(publish)) = (&post.video, post.publish_id()) else {
            return Ok(());
        };
        self.screen.step("checked", &describe(video, self.total_bytes))?;
        let chunks = post.upload().map(|upload| format!(", {} chunks", upload.plan.count())).unwrap_or_default();
        self.screen.step("init", &format!("{publish}{chunks}"))?;
        self.publish = Some(publish.clone());
        self.sending_since = Instant::now();
        Ok(())
    }

    async fn show_bytes(&mut self, post: &Post) -> Result<()> {
        let Some(publish) = &self.publish else {
            return Ok(());
        };
        let done = match &post.state {
            PostState::Uploading { .. } | PostState::Queued { .. } => {
                let entry = self.cloud.tiktok.entry(&simulator::PublishId::new(publish.as_str())).await?;
                (entry.bytes_received + entry.bytes_in_flight).min(self.total_bytes)
            }
            _ => self.total_bytes,
        };
        let progress = Progress { done, total: self.total_bytes, took: self.sending_since.elapsed() };
        self.screen.bar("sending", progress)?;
        if matches!(post.state, PostState::Processing { .. } | PostState::Published { .. }) {
            self.screen.step("processing", "TikTok has every byte; the scheduled function polls for the result")?;
            self.upload_shown = true;
        }
        Ok(())
    }
}

/// Describes a video in one line.
fn describe(video: &VideoFacts, bytes: u64) -> String {
    let codec = video.codec.as_ref().map(ToString::to_string);
    let picture = video.width.zip(video.height).map(|(width, height)| format!("{width}x{height}"));
    let rate = video.frame_rate.map(|rate| format!("{rate} frames/s"));
    let duration = video.duration_ms.map(|ms| format!("{}.{} s", ms / 1000, ms % 1000 / 100));
    let size = format!("{} MB", megabytes(bytes));
    let facts = [Some(video.container.to_string()), codec, picture, rate, duration, Some(size)];
    facts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
