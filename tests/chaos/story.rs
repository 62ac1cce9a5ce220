//! What is played over and over: one post, from what asks for it to its end.

mod people;
mod run;

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::Result;
use aws::TestVideo;
use simulator::{AccountStanding, Scope, User, WebhookDelivery};
use tests::Creator;

pub(crate) use people::wish;
pub(crate) use run::{Played, ask_again, conclude, learn, play};

use crate::dropped::Drop;
use crate::gate::{Call, Parting};
use crate::stage::{Lambda, Stage, Wish};
use people::{part, wish_at_once};

/// The smallest chunk that TikTok takes where there are several, in bytes.
pub(crate) const CHUNK: u64 = 5_242_880;
/// How long a post waits for its time: not so long that its account's tokens would get old.
const AHEAD: Duration = Duration::from_mins(30);
/// After this, an account's tokens are too old for an upload.
const TOKENS_AGE: Duration = Duration::from_mins(90);

/// A story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Story {
    /// A small video, posted directly.
    OneChunk,
    /// One that goes in three chunks.
    ManyChunks,
    /// A small one, to the creator's inbox.
    Draft,
    /// A small one that waits for its time.
    Scheduled,
    /// A small one whose account's tokens must be exchanged first.
    Renewed,
    /// A small one whose end TikTok tells by itself, before it answers those who ask.
    Told,
    /// A small one that lies in the bucket, and is asked for by a request.
    Asked,
    /// A small one that is uploaded to an address that is asked for.
    Uploaded,
    /// A small one that waits for its time, and is cancelled meanwhile.
    Cancelled,
    /// A small one that TikTok refuses, and that is tried again on request.
    Retried,
    /// A large one that is uploaded in parts, which are completed too early at first.
    InParts,
    /// A small one that waits for its time, and is given another title meanwhile.
    Reworded,
    /// A small one that waits for its time, and whose creator's consent ends meanwhile:
    /// who is asked to connects again.
    Parted(Parting),
    /// A small one that is asked for by a request, and of which somebody wishes something
    /// before anybody has worked on it.
    AtOnce(Wish),
}

impl Story {
    /// Those that anything may befall.
    pub(crate) const ALL: [Self; 15] = [
        Self::OneChunk,
        Self::ManyChunks,
        Self::Draft,
        Self::Scheduled,
        Self::Renewed,
        Self::Told,
        Self::Asked,
        Self::Uploaded,
        Self::Cancelled,
        Self::Retried,
        Self::InParts,
        Self::Reworded,
        Self::Parted(Parting::Removed),
        Self::Parted(Parting::Disconnected),
        Self::Parted(Parting::Refused),
    ];

    /// What it is called in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OneChunk => "one chunk",
            Self::ManyChunks => "three chunks",
            Self::Draft => "draft",
            Self::Scheduled => "scheduled",
            Self::Renewed => "old tokens",
            Self::Told => "webhook",
            Self::Asked => "asked for",
            Self::Uploaded => "uploaded",
            Self::Cancelled => "cancelled",
            Self::Retried => "retried",
            Self::InParts => "in parts",
            Self::Reworded => "reworded",
            Self::Parted(parting) => parting.name(),
            Self::AtOnce(Wish::Approve) => "approved at once",
            Self::AtOnce(Wish::Cancel) => "cancelled at once",
            Self::AtOnce(Wish::Retry) => "retried at once",
            Self::AtOnce(Wish::Reword) => "reworded at once",
        }
    }

    /// How many of its calls are its own: those after them, other stories have, too.
    pub(crate) fn own(self, calls: &[Call]) -> usize {
        if self == Self::InParts { init(calls) } else { calls.len() }
    }

    fn bytes(self) -> u64 {
        match self {
            Self::ManyChunks => 3 * CHUNK + 17,
            // No shorter one is uploaded in parts.
            Self::InParts => 100_000_001,
            _ => 100_000,
        }
    }

    fn chunk(self) -> u64 {
        if self == Self::InParts { 10 * CHUNK } else { CHUNK }
    }

    fn metadata(self, stage: &Stage) -> Vec<(&'static str, String)> {
        match self {
            Self::Draft => vec![("mode", "draft".to_owned())],
            Self::Scheduled | Self::Cancelled | Self::Reworded | Self::Parted(_) => {
                vec![("publish-at", (stage.now() + AHEAD).to_string())]
            }
            _ => Vec::new(),
        }
    }

    async fn cast(self, stage: &Stage) -> Result<Creator> {
        let maker = Creator::cast(&stage.cloud, |casting| match self {
            Self::Told => {
                casting.user.webhooks = WebhookDelivery::Enabled;
                // A cover's link is not told: it would be asked for.
                casting.scopes.retain(|scope| *scope != Scope::VideoList);
            }
            Self::Retried => casting.user.standing = AccountStanding::Risky,
            Self::Parted(Parting::Removed) => casting.user.webhooks = WebhookDelivery::Enabled,
            _ => {}
        });
        let maker = maker.await?;
        if self == Self::Renewed {
            stage.advance(TOKENS_AGE.as_secs())?;
        }
        Ok(maker)
    }

    /// Makes the post, and what people do about it.
    async fn begin(self, stage: &Stage, lambda: &mut Lambda<'_>, maker: &Creator) -> Result<Drop> {
        let film = film(self.bytes())?;
        let mut dropped = match self {
            Self::Asked | Self::AtOnce(_) => lambda.create_post(maker, &film).await?,
            Self::Uploaded | Self::InParts => lambda.create_upload(maker, &film).await?,
            _ => {
                let metadata = self.metadata(stage);
                let metadata: Vec<_> = metadata.iter().map(|(name, value)| (*name, value.as_str())).collect();
                stage.drop_film(&maker.key("clip.mp4"), &film, &metadata)?
            }
        };
        lambda.target = Some(dropped.post.clone());
        match self {
            Self::Cancelled => wish(stage, lambda, &dropped, Wish::Cancel).await?,
            Self::Reworded => wish(stage, lambda, &dropped, Wish::Reword).await?,
            Self::Parted(parting) => part(stage, lambda, &dropped, maker, parting).await?,
            Self::AtOnce(wish) => wish_at_once(stage, lambda, &dropped, wish).await?,
            Self::Retried => {
                lambda.settle(std::slice::from_ref(maker), 1).await?;
                // What never reached TikTok whole was not refused.
                if stage.tiktok.ledger().publishes.iter().any(|upload| upload.fail_reason.is_some()) {
                    dropped.model.refused();
                }
                stage.tiktok.put_user(User { standing: AccountStanding::Good, ..maker.user.clone() });
                wish(stage, lambda, &dropped, Wish::Retry).await?;
            }
            _ => {}
        }
        Ok(dropped)
    }
}

/// The call that begins the first upload.
pub(crate) fn init(calls: &[Call]) -> usize {
    calls.iter().position(|call| call.name.ends_with("Init")).unwrap_or(calls.len())
}

/// A film of this length; the same one for everybody who asks.
pub(crate) fn film(bytes: u64) -> Result<TestVideo> {
    static FILMS: OnceLock<Mutex<BTreeMap<u64, TestVideo>>> = OnceLock::new();
    let mut films = FILMS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(film) = films.get(&bytes) {
        return Ok(film.clone());
    }
    let film = TestVideo::new(bytes)?;
    films.insert(bytes, film.clone());
    Ok(film)
}
