//! What is played over and over: one post, from what asks for it to its end.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use aws::Film;
use jiff::Timestamp;
use simulator::{Entry, FailReason, Scope, Standing, User, Webhooks};
use tests::Creator;

use crate::dropped::{Drop, named};
use crate::gate::{Call, Deed, Order, Parting, Trouble};
use crate::judge::{Judged, Verdict};
use crate::stage::{Lambda, Rest, Stage, Wish};
use crate::unknowns::TikTok;

/// The smallest chunk that TikTok takes where there are several, in bytes.
pub(crate) const CHUNK: u64 = 5_242_880;
/// After this, an account's tokens are too old for an upload.
const TOKENS_AGE: Duration = Duration::from_mins(90);
/// After this, a message that was handed out can be seen again, and a lease has run out.
const A_WHILE: Duration = Duration::from_mins(17);
/// How often somebody wishes something of a post, at the most.
const MOST_WISHES: usize = 12;

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
}

impl Story {
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
        }
    }

    /// How many of its calls are its own: those after them, other stories have, too.
    pub(crate) fn own(self, calls: &[Call]) -> usize {
        let init = || calls.iter().position(|call| call.name.ends_with("Init"));
        if self == Self::InParts { init().unwrap_or(calls.len()) } else { calls.len() }
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
                vec![("publish-at", (stage.now() + Duration::from_hours(2)).to_string())]
            }
            _ => Vec::new(),
        }
    }

    async fn cast(self, stage: &Stage) -> Result<Creator> {
        let maker = Creator::cast(&stage.cloud, |casting| match self {
            Self::Told => {
                casting.user.webhooks = Webhooks::Told;
                // A cover's link is not told: it would be asked for.
                casting.scopes.retain(|scope| *scope != Scope::VideoList);
            }
            Self::Retried => casting.user.standing = Standing::Risky,
            Self::Parted(Parting::Removed) => casting.user.webhooks = Webhooks::Told,
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
            Self::Asked => lambda.ask_post(maker, &film).await?,
            Self::Uploaded | Self::InParts => lambda.ask_upload(maker, &film).await?,
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
            Self::Retried => {
                lambda.settle(std::slice::from_ref(maker), 1).await?;
                // What never reached TikTok whole was not refused.
                if stage.tiktok.ledger().publishes.iter().any(|upload| upload.fail_reason.is_some()) {
                    dropped.model.refused();
                }
                stage.tiktok.put_user(User { standing: Standing::Good, ..maker.user.clone() });
                wish(stage, lambda, &dropped, Wish::Retry).await?;
            }
            _ => {}
        }
        Ok(dropped)
    }
}

/// Has the consent end as soon as a post is stored.
async fn part(stage: &Stage, lambda: &mut Lambda<'_>, dropped: &Drop, maker: &Creator, parting: Parting) -> Result<()> {
    for _ in 0..MOST_WISHES {
        while lambda.deliver().await? {}
        if stage.state_of(&dropped.post).is_none() {
            stage.advance(A_WHILE.as_secs())?;
            continue;
        }
        let answer = lambda.part(maker, parting).await?;
        if parting != Parting::Disconnected || answer.is_some_and(|answer| answer.status == 200) {
            return Ok(());
        }
        stage.advance(5)?;
    }
    bail!("the consent does not end")
}

/// Has what TikTok refused be tried again, where the consent was gone when it came to a verdict.
async fn mend(stage: &Stage, lambda: &mut Lambda<'_>, maker: &Creator, dropped: &mut Drop) -> Result<()> {
    lambda.settle(std::slice::from_ref(maker), 1).await?;
    let refused = |upload: &Entry| upload.fail_reason == Some(FailReason::AuthRemoved);
    if stage.tiktok.ledger().publishes.iter().any(refused) {
        dropped.model.refused();
        wish(stage, lambda, dropped, Wish::Retry).await?;
    }
    Ok(())
}

/// Wishes something of a post as soon as it is stored, and again until there is an answer.
pub(crate) async fn wish(stage: &Stage, lambda: &mut Lambda<'_>, dropped: &Drop, wish: Wish) -> Result<()> {
    for _ in 0..MOST_WISHES {
        while lambda.deliver().await? {}
        match lambda.wish(wish, &dropped.post).await? {
            Some(404) => stage.advance(A_WHILE.as_secs())?,
            None | Some(500..) => stage.advance(5)?,
            Some(_) => return Ok(()),
        }
    }
    bail!("{wish:?} is never answered")
}

/// What a run showed.
#[derive(Debug)]
pub(crate) struct Played {
    /// The calls up to the end, in the order in which they came.
    pub(crate) calls: Vec<Call>,
    /// What was carried out, by name.
    pub(crate) fired: Vec<String>,
    /// How often somebody had to connect an account again.
    pub(crate) reconnects: usize,
    pub(crate) verdict: Verdict,
    /// From the first kill to the end, in the system's time.
    pub(crate) recovery: Option<Duration>,
}

/// Plays a story to its end, with what was ordered; then tells the system of the
/// same post once more, hours later; then judges.
pub(crate) async fn play(
    stage: &Stage,
    story: Story,
    tiktok: TikTok,
    orders: Vec<Order>,
    outage: Duration,
) -> Result<Played> {
    stage.clear(tiktok.set)?;
    let maker = story.cast(stage).await?;
    let begun = stage.now();
    let is_parting = |order: &Order| matches!(order.trouble, Trouble::Meanwhile(Deed::Part(_), _));
    let parts = matches!(story, Story::Parted(_)) || orders.iter().any(is_parting);
    stage.gate.order(orders);
    if story == Story::Told {
        stage.gate.tell_first();
    }
    let mut lambda = Lambda::new(stage, story.chunk());
    lambda.outage = outage;
    lambda.maker = Some(maker.clone());
    let mut dropped = story.begin(stage, &mut lambda, &maker).await?;
    if parts {
        mend(stage, &mut lambda, &maker, &mut dropped).await?;
    }
    conclude(stage, &mut lambda, &[maker], &mut [dropped], begun).await
}

/// Lets everything come to its end, tells the system of the same posts once
/// more, hours later, and judges.
pub(crate) async fn conclude(
    stage: &Stage,
    lambda: &mut Lambda<'_>,
    makers: &[Creator],
    drops: &mut [Drop],
    begun: Timestamp,
) -> Result<Played> {
    let rest = lambda.settle(makers, drops.len()).await?;
    let (calls, fired) = (stage.gate.calls(), stage.gate.fired());
    stage.gate.be_calm();
    let since = lambda.killed_at.unwrap_or(begun);
    let recovery = match rest {
        Rest::AtEnd { since: end } => Duration::try_from(end.duration_since(since)).ok(),
        Rest::Forgotten | Rest::Never => None,
    };
    for dropped in &*drops {
        stage.tell_of(dropped)?;
    }
    stage.advance(Duration::from_hours(2).as_secs())?;
    for dropped in &*drops {
        ask_again(lambda, dropped).await?;
    }
    lambda.settle(makers, drops.len()).await?;
    lambda.end().await?;
    learn(lambda, drops);
    let judged = Judged { drops, rest, fired: fired.len(), chunk: lambda.chunk, untrue: &lambda.untrue };
    let verdict = judged.judge(stage).await?;
    Ok(Played { calls, fired, reconnects: lambda.reconnects, verdict, recovery })
}

/// Asks once more for a post that was asked for: it is the same.
pub(crate) async fn ask_again(lambda: &mut Lambda<'_>, dropped: &Drop) -> Result<()> {
    let Some(request) = &dropped.request else { return Ok(()) };
    let answer = lambda.insist(request).await?;
    let post = if answer.body["post"].is_null() { &answer.body } else { &answer.body["post"] };
    if answer.status != 201 || named(post).ok().as_ref() != Some(&dropped.post) {
        lambda.untrue.push(format!("{} was asked for again, and the answer is {answer:?}", dropped.post));
    }
    Ok(())
}

/// Holds what was answered to wishes against what is known of the posts.
pub(crate) fn learn(lambda: &mut Lambda<'_>, drops: &mut [Drop]) {
    for said in std::mem::take(&mut lambda.said) {
        let Some(dropped) = drops.iter_mut().find(|dropped| dropped.post == said.post) else { continue };
        let Drop { film, model, .. } = dropped;
        let film = crate::model::Film { bytes: film.bytes, sha256: &film.sha256 };
        lambda.untrue.extend(model.hear(&said, film).err().map(|why| why.to_string()));
    }
}

/// A film of this length; the same one for everybody who asks.
pub(crate) fn film(bytes: u64) -> Result<Film> {
    static FILMS: OnceLock<Mutex<BTreeMap<u64, Film>>> = OnceLock::new();
    let mut films = FILMS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(film) = films.get(&bytes) {
        return Ok(film.clone());
    }
    let film = Film::new(bytes)?;
    films.insert(bytes, film.clone());
    Ok(film)
}
