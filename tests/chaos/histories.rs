//! Random histories: whatever happens around a post, in whatever order.
//!
//! A history is a cast and a list of steps, made from a seed. It is played against
//! the real functions, then left alone, and judged as everything else, by what its
//! [`Model`](crate::model::Model) permits. One that breaks the claim is cut down,
//! step by step, to one from which nothing can be left out; it is printed as it can
//! be kept, in [`kept`].

mod deeds;
mod kept;
mod step;

use std::fmt;

use anyhow::Result;
use domain::account::Requirement;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use simulator::{Settings, WebhookDelivery, WebhookOrder};
use tests::Creator;

use crate::dropped::Drop;
use crate::stage::{Lambda, Stage, Wish};
use crate::story::{CHUNK, Played, conclude, film, learn, wish};
use crate::unknowns::{MIXED, OPEN, TikTok};

pub(crate) use step::Step;

/// The most steps of a history.
const LONGEST: usize = 14;
/// The length of a film of three chunks and more, in bytes, and of one that goes in one.
const LONG: u64 = 3 * CHUNK + 17;
const SHORT: u64 = 100_000;

/// How a film comes to be a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It is dropped.
    Dropped,
    /// It lies in the bucket, and is asked for.
    Asked,
    /// It is uploaded to an address that is asked for.
    Uploaded,
}

/// How TikTok tells by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EventEntry {
    Never,
    Once,
    Twice,
    /// What happened last comes first.
    Backwards,
}

/// Who and what a history is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cast {
    way: Way,
    bytes: u64,
    telling: EventEntry,
    /// Whether somebody has to approve.
    review: bool,
}

/// A history, with TikTok as it is in it.
#[derive(Debug, Clone)]
pub(crate) struct History {
    cast: Cast,
    steps: Vec<Step>,
    tiktok: TikTok,
}

impl History {
    /// The history of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let first = random.random_bool(0.6).then(|| Step::trouble(&mut random));
        let others = (0..random.random_range(2..LONGEST)).map(|_| Step::random(&mut random));
        let steps = first.into_iter().chain(others).collect();
        let all = [&OPEN[..], &MIXED].concat();
        let tiktok = all[random.random_range(0..all.len())];
        let cast = Cast {
            way: [Way::Dropped, Way::Dropped, Way::Dropped, Way::Asked, Way::Uploaded][random.random_range(0..5)],
            bytes: if random.random_bool(0.6) { LONG } else { SHORT },
            telling: [EventEntry::Never, EventEntry::Once, EventEntry::Twice, EventEntry::Backwards]
                [random.random_range(0..4)],
            review: random.random_bool(0.15),
        };
        Self { cast, steps, tiktok }
    }

    /// Those that are kept, under each setting of what nobody knows.
    pub(crate) fn kept() -> Vec<Self> {
        let under = |tiktok| kept::ALL.map(|(cast, steps)| Self { cast, steps: steps.to_vec(), tiktok });
        OPEN.into_iter().flat_map(under).collect()
    }

    /// Those that are kept, each under one of these settings.
    pub(crate) fn kept_once() -> Vec<Self> {
        let under = |((cast, steps), tiktok): ((Cast, &[Step]), TikTok)| Self { cast, steps: steps.to_vec(), tiktok };
        kept::ALL.into_iter().zip(OPEN.into_iter().cycle()).map(under).collect()
    }

    /// Plays it, leaves everything alone, and judges.
    pub(crate) async fn play(&self, stage: &Stage) -> Result<Played> {
        stage.clear(|settings| {
            (self.tiktok.set)(settings);
            self.cast.telling.set(settings);
        })?;
        let maker = Creator::cast(&stage.cloud, |casting| {
            casting.review = if self.cast.review { Requirement::Required } else { Requirement::Optional };
            casting.user.webhooks = if self.cast.telling == EventEntry::Never {
                WebhookDelivery::Disabled
            } else {
                WebhookDelivery::Enabled
            };
        });
        let maker = maker.await?;
        let begun = stage.now();
        let mut lambda = Lambda::new(stage, CHUNK);
        let mut drops = vec![self.cast.first(stage, &mut lambda, &maker).await?];
        for step in &self.steps {
            step.take(stage, &mut lambda, &maker, &mut drops, self.cast.review).await?;
            learn(&mut lambda, &mut drops);
        }
        stage.gate.be_calm();
        if self.cast.review {
            // Nobody is left waiting for ever.
            lambda.settle(std::slice::from_ref(&maker), drops.len()).await?;
            for dropped in drops.iter().filter(|dropped| stage.state_of(&dropped.post).is_some()) {
                wish(stage, &mut lambda, dropped, Wish::Approve).await?;
            }
        }
        conclude(stage, &mut lambda, &[maker], &mut drops, begun).await
    }

    /// Leaves steps out, one after the other, as long as it stays broken.
    pub(crate) async fn shrink(mut self, stage: &Stage) -> Self {
        let mut at = 0;
        while at < self.steps.len() {
            let mut shorter = self.clone();
            shorter.steps.remove(at);
            match shorter.play(stage).await {
                Ok(played) if !played.verdict.is_clean() => self = shorter,
                _ => at += 1,
            }
        }
        self
    }
}

impl Cast {
    async fn first(self, stage: &Stage, lambda: &mut Lambda<'_>, maker: &Creator) -> Result<Drop> {
        let film = film(self.bytes)?;
        let mut first = match self.way {
            Way::Dropped => stage.drop_film(&maker.key("clip.mp4"), &film, &[])?,
            Way::Asked => lambda.create_post(maker, &film).await?,
            Way::Uploaded => lambda.create_upload(maker, &film).await?,
        };
        if self.review {
            first.model.under_review();
        }
        Ok(first)
    }
}

impl EventEntry {
    fn set(self, settings: &mut Settings) {
        match self {
            Self::Never | Self::Once => {}
            Self::Twice => settings.webhook_copies = 2,
            Self::Backwards => settings.webhook_order = WebhookOrder::Reversed,
        }
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<_> = self.steps.iter().map(|step| format!("Step::{step:?}")).collect();
        let Cast { way, bytes, telling, review } = self.cast;
        write!(
            f,
            "TikTok {}: (Cast {{ way: Way::{way:?}, bytes: {bytes}, telling: EventEntry::{telling:?}, review: {review} }}, \
             &[{}])",
            self.tiktok.name,
            steps.join(", ")
        )
    }
}
