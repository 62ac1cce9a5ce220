//! The show: what the post and TikTok's ledger say, told when it changes.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use domain::identity::PublishId;
use domain::post::{Post, PostState};
use domain::video::VideoFacts;
use tests::{Cloud, Dropped};

use crate::screen::{Progress, Screen, megabytes};

/// How long the whole may take.
const PATIENCE: Duration = Duration::from_mins(3);
/// The pause between two looks.
const LOOK: Duration = Duration::from_millis(80);

/// What has been told already.
struct Show<'a> {
    screen: &'a mut Screen,
    cloud: &'a Cloud,
    total: u64,
    received: bool,
    publish: Option<PublishId>,
    sending_since: Instant,
    sent: bool,
}

/// Shows what becomes of a drop until its link is known.
pub(crate) async fn follow(screen: &mut Screen, cloud: &Cloud, dropped: &Dropped) -> Result<()> {
    let begun = Instant::now();
    let total = dropped.footage.bytes.len() as u64;
    let mut show = Show { screen, cloud, total, received: false, publish: None, sending_since: begun, sent: false };
    while begun.elapsed() < PATIENCE {
        if let Some(post) = cloud.posts.get(&dropped.post).await?
            && show.tell(&post).await?
        {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
    bail!("no link within {} s:\n{}", PATIENCE.as_secs(), cloud.story(&dropped.post).await?)
}

impl Show<'_> {
    /// Tells what is new; true when there is nothing more to come.
    async fn tell(&mut self, post: &Post) -> Result<bool> {
        if !self.received {
            self.screen.step("event received", &format!("post {}", post.id))?;
            self.received = true;
        }
        if self.publish.is_none() {
            self.tell_begin(post)?;
        }
        if !self.sent {
            self.tell_bytes(post).await?;
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
                bail!("the post is {} instead:\n{}", post.state_name(), self.cloud.story(&post.id).await?)
            }
            PostState::Scheduled { .. }
            | PostState::Queued { .. }
            | PostState::Uploading { .. }
            | PostState::Processing { .. } => Ok(false),
        }
    }

    fn tell_begin(&mut self, post: &Post) -> Result<()> {
        let (Some(video), Some(publish)) = (&post.video, post.publish_id()) else {
            return Ok(());
        };
        self.screen.step("checked", &in_words(video, self.total))?;
        let chunks = post.upload().map(|upload| upload.plan.count());
        let awaits = chunks.map(|chunks| format!(", awaits {chunks} chunks")).unwrap_or_default();
        self.screen.step("init", &format!("{publish}{awaits}"))?;
        self.publish = Some(publish.clone());
        self.sending_since = Instant::now();
        Ok(())
    }

    async fn tell_bytes(&mut self, post: &Post) -> Result<()> {
        let Some(publish) = &self.publish else {
            return Ok(());
        };
        let done = match &post.state {
            PostState::Uploading { .. } | PostState::Queued { .. } => {
                let entry = self.cloud.tiktok.entry(&simulator::PublishId::new(publish.as_str())).await?;
                (entry.bytes_received + entry.bytes_in_flight).min(self.total)
            }
            _ => self.total,
        };
        let progress = Progress { done, total: self.total, took: self.sending_since.elapsed() };
        self.screen.bar("sending", progress)?;
        if matches!(post.state, PostState::Processing { .. } | PostState::Published { .. }) {
            self.screen.step("processing", "TikTok has every byte; the scheduled function asks what becomes of it")?;
            self.sent = true;
        }
        Ok(())
    }
}

fn in_words(video: &VideoFacts, bytes: u64) -> String {
    let picture = format!("{}x{}", video.width, video.height);
    let rate = video.frame_rate.map(|rate| format!("{rate} frames/s"));
    let duration = video.duration_ms.map(|ms| format!("{}.{} s", ms / 1000, ms % 1000 / 100));
    let size = format!("{} MB", megabytes(bytes));
    let said =
        [Some(video.container.to_string()), Some(video.codec.to_string()), Some(picture), rate, duration, Some(size)];
    said.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
