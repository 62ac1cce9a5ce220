//! A run: a story from its beginning to its end, and the verdict.

use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use tests::Creator;

use super::Story;
use super::people::mend;
use crate::dropped::{Drop, named};
use crate::gate::{Call, Deed, Order, Trouble};
use crate::judge::{Judged, Verdict};
use crate::stage::{Lambda, Rest, Stage};
use crate::unknowns::TikTok;

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
    /// From the first kill to the end, in the system's time, but for that in which nobody
    /// was to do anything.
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
        Rest::AtEnd { since: end } => {
            Duration::try_from(end.duration_since(since)).ok().map(|all| all.saturating_sub(lambda.idle))
        }
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

/// Holds what was answered to wishes against what is known of the posts; and notes which
/// of them TikTok refused.
pub(crate) fn learn(lambda: &mut Lambda<'_>, drops: &mut [Drop]) {
    for said in std::mem::take(&mut lambda.said) {
        let Some(dropped) = drops.iter_mut().find(|dropped| dropped.post == said.post) else { continue };
        let Drop { film, model, .. } = dropped;
        let film = crate::model::Film { bytes: film.bytes, sha256: &film.sha256 };
        lambda.untrue.extend(model.hear(&said, film).err().map(|why| why.to_string()));
    }
    for refused in std::mem::take(&mut lambda.refused) {
        // A post that has come to know another upload is not refused with this one.
        let post = lambda.stage.post_of(&refused);
        for dropped in drops.iter_mut().filter(|dropped| post.as_ref() == Some(&dropped.post)) {
            dropped.model.refused();
        }
    }
}
