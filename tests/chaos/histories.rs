//! Random histories: whatever happens around a post, in whatever order.
//!
//! A history is a list of steps, made from a seed. It is played against the real
//! functions, then left alone, and judged as everything else. One that breaks the
//! claim is cut down, step by step, to one from which nothing can be left out;
//! it is printed as it can be kept, among [`KEPT`].

use std::fmt;

use anyhow::Result;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use simulator::{Effect, Ending, TokenKind, Trouble as TikToks};
use tests::Creator;

use crate::dropped::Drop;
use crate::gate::{Moment, Trouble};
use crate::stage::{Lambda, Stage};
use crate::story::{CHUNK, OPEN, Played, TikTok, conclude, film};

/// The most steps of a history.
const LONGEST: usize = 12;
/// The calls within which a trouble falls: those of a worker or two.
const CALLS: usize = 90;

/// A step of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The event of the newest drop comes once more.
    TellAgain,
    /// The queue hands out what can be seen.
    Deliver,
    /// The schedule comes round.
    Look,
    /// So many minutes pass, and nobody does anything.
    Pass(u16),
    /// The call after so many others has its process killed, before it or after.
    Kill(u16, bool),
    /// The call after so many others meets a trouble, by its place in a list.
    Suffer(u16, u16),
    /// Another film is dropped at the same key.
    Overwrite,
    /// The newest drop is deleted, as a person does: its version stays.
    Delete,
    /// The creator's access token expires.
    ExpireToken,
    /// The newest upload's URL expires.
    ExpireUrl,
}

/// Histories that broke the claim once, or that stand for something that must
/// never break it.
const KEPT: [&[Step]; 5] = [
    // The URL's hour ends while nobody sends.
    &[Step::Kill(38, true), Step::Deliver, Step::Pass(130), Step::Look, Step::Deliver],
    // Killed within the last chunk, and TikTok is asked past the URL's hour.
    &[Step::Kill(52, true), Step::Deliver, Step::Pass(70), Step::Look, Step::Deliver],
    // Overwritten and deleted while a worker is dead.
    &[Step::Kill(30, false), Step::Deliver, Step::Overwrite, Step::Delete, Step::Deliver],
    // The worker dies with the mark stored and no byte of the last chunk sent, and the URL with it.
    &[Step::Kill(45, true), Step::Deliver, Step::ExpireUrl],
    // The token and the URL expire together, and the event comes again.
    &[Step::Kill(45, true), Step::Deliver, Step::ExpireToken, Step::ExpireUrl, Step::TellAgain, Step::Deliver],
];

/// A history, with TikTok as it is in it.
#[derive(Debug, Clone)]
pub(crate) struct History {
    pub(crate) steps: Vec<Step>,
    pub(crate) tiktok: TikTok,
    bytes: u64,
}

impl History {
    /// The history of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut chance = StdRng::seed_from_u64(seed);
        let steps = (0..chance.random_range(2..=LONGEST)).map(|_| step(&mut chance)).collect();
        let tiktok = OPEN[chance.random_range(0..OPEN.len())];
        let bytes = if chance.random_bool(0.7) { 3 * CHUNK + 17 } else { 100_000 };
        Self { steps, tiktok, bytes }
    }

    /// Those that are kept.
    pub(crate) fn kept() -> Vec<Self> {
        let under = |tiktok| KEPT.map(|steps| Self { steps: steps.to_vec(), tiktok, bytes: 3 * CHUNK + 17 });
        OPEN.into_iter().flat_map(under).collect()
    }

    /// Plays it, leaves everything alone, and judges.
    pub(crate) async fn play(&self, stage: &Stage) -> Result<Played> {
        stage.clear(self.tiktok.set)?;
        let maker = Creator::connect(&stage.cloud).await?;
        let mut drops = vec![stage.drop_film(&maker.key("clip.mp4"), &film(self.bytes)?, &[])?];
        let begun = stage.now();
        let mut lambda = Lambda::new(stage, CHUNK);
        for step in &self.steps {
            take(*step, stage, &mut lambda, &maker, &mut drops).await?;
        }
        stage.gate.be_calm();
        conclude(stage, &mut lambda, &[maker], &drops, begun).await
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

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<_> = self.steps.iter().map(|step| format!("Step::{step:?}")).collect();
        write!(f, "{} bytes, TikTok {}: &[{}]", self.bytes, self.tiktok.name, steps.join(", "))
    }
}

fn step(chance: &mut StdRng) -> Step {
    let call = |chance: &mut StdRng| u16::try_from(chance.random_range(0..CALLS)).unwrap_or(0);
    match chance.random_range(0..20) {
        0 => Step::TellAgain,
        1..=5 => Step::Deliver,
        6..=8 => Step::Look,
        9..=11 => Step::Pass([1, 3, 17, 70, 130, 1500][chance.random_range(0..6)]),
        12..=14 => Step::Kill(call(chance), chance.random_bool(0.5)),
        15 | 16 => Step::Suffer(call(chance), chance.random_range(0..64)),
        17 => [Step::Overwrite, Step::Delete][chance.random_range(0..2)],
        18 => Step::ExpireToken,
        _ => Step::ExpireUrl,
    }
}

async fn take(
    step: Step,
    stage: &Stage,
    lambda: &mut Lambda<'_>,
    maker: &Creator,
    drops: &mut Vec<Drop>,
) -> Result<()> {
    match step {
        Step::TellAgain => {
            if let Some(newest) = drops.last() {
                stage.tell_of(newest)?;
            }
        }
        Step::Deliver => while lambda.deliver().await? {},
        Step::Look => lambda.look().await?,
        Step::Pass(minutes) => stage.advance(u64::from(minutes) * 60)?,
        Step::Kill(others, after) => {
            let moment = if after { Moment::After } else { Moment::Before };
            stage.gate.order_after(usize::from(others), Trouble::Kill(moment));
        }
        Step::Suffer(others, which) => stage.gate.order_after(usize::from(others), trouble(which)),
        Step::Overwrite => {
            let film = crate::aws::Film::new(50_000 + drops.len() as u64)?;
            drops.push(stage.drop_film(&maker.key("clip.mp4"), &film, &[])?);
        }
        Step::Delete => stage.aws.kept().bucket.delete(&maker.key("clip.mp4")),
        Step::ExpireToken => stage.tiktok.expire_tokens(&maker.user.open_id, TokenKind::Access)?,
        Step::ExpireUrl => {
            if let Some(newest) = stage.tiktok.ledger().publishes.last() {
                stage.tiktok.expire_upload(&newest.publish_id)?;
            }
        }
    }
    Ok(())
}

/// A trouble that any call may meet, whoever is called.
fn trouble(which: u16) -> Trouble {
    let all = [
        Trouble::Lose(Moment::Before),
        Trouble::Lose(Moment::After),
        Trouble::Cut,
        Trouble::Refuse(500, "InternalError"),
        Trouble::Refuse(503, "SlowDown"),
        Trouble::Pass(300),
        Trouble::TikTok(TikToks::ResetAfterBody),
        Trouble::TikTok(TikToks::LoseAnswer { ending: Ending::Reset }),
        Trouble::TikTok(TikToks::Status {
            http_status: 500,
            code: String::new(),
            message: String::new(),
            effect: Effect::Happens,
        }),
    ];
    all[usize::from(which) % all.len()].clone()
}
