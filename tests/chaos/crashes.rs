//! Crash at every step: for each call of a story, the process that makes it is
//! killed before the call takes effect, and after it did and before the answer.
//! Where the bucket is read for a chunk, that is in the middle of an upload's body. Then nobody helps: the queue delivers again, the lease runs out, the
//! schedule finds what is due.

use std::sync::LazyLock;
use std::time::Duration;

use anyhow::Result;

use crate::campaign::{Job, cores, rehearse, run};
use crate::gate::{At, Call, Deed, Moment, Order, Service, Trouble};
use crate::report::Row;
use crate::stage::Places;
use crate::story::Story;
use crate::unknowns::TikTok;

/// How many runs there are at a time: they wait for processes to start and end.
static AT_ONCE: LazyLock<usize> = LazyLock::new(|| 2 * cores());

/// Longer than an upload's URL lives.
const OVER_AN_HOUR: Duration = Duration::from_mins(62);
/// The calls after the last chunk in which its upload still matters.
const AFTER_THE_LAST: usize = 20;

/// Kills at each call, or at each `step`-th moment of all.
pub(crate) fn enumerate(places: &Places, story: Story, tiktok: TikTok, step: usize) -> Result<Row> {
    each(places, "killed", story, tiktok, Duration::ZERO, step)
}

/// The same, as long as bytes are on their way and a little longer, and then
/// nothing happens before the upload's URL is dead.
pub(crate) fn with_outage(places: &Places, story: Story, tiktok: TikTok) -> Result<Row> {
    each(places, "outage", story, tiktok, OVER_AN_HOUR, 1)
}

/// Has a person cancel the post while each of its calls waits, before the call
/// takes effect and after, or at each `step`-th moment of all.
pub(crate) fn cancel_amid(places: &Places, story: Story, tiktok: TikTok, step: usize) -> Result<Row> {
    let rehearsed = rehearse(places, story, tiktok)?;
    let deeds = amid(&rehearsed.calls, 0, Deed::Cancel, story, tiktok);
    let row = Row::new("interrupted", story.name(), tiktok, rehearsed.calls.len());
    Ok(run(places, row, deeds.into_iter().step_by(step).collect(), *AT_ONCE))
}

/// Has TikTok tell the end of a publish while each of the calls waits from that of
/// the last chunk on: before its answer, and between a poll and what is stored of it.
pub(crate) fn tell_amid(places: &Places, story: Story, tiktok: TikTok) -> Result<Row> {
    let rehearsed = rehearse(places, story, tiktok)?;
    let deeds = amid(&rehearsed.calls, last_chunk(&rehearsed.calls), Deed::Tell, story, tiktok);
    let row = Row::new("interrupted", story.name(), tiktok, rehearsed.calls.len());
    Ok(run(places, row, deeds, *AT_ONCE))
}

fn amid(calls: &[Call], from: usize, deed: Deed, story: Story, tiktok: TikTok) -> Vec<Job> {
    let calls = calls.iter().enumerate().skip(from);
    calls
        .flat_map(|(at, call)| {
            moments(call).map(move |moment| job(story, tiktok, at, call, Trouble::Meanwhile(deed, moment)))
        })
        .collect()
}

fn job(story: Story, tiktok: TikTok, at: usize, call: &Call, trouble: Trouble) -> Job {
    let what = format!("{} {} (call {at})", trouble.name(), call.name);
    let orders = vec![Order { at: At::Named(at, call.name.clone()), trouble }];
    Job { story, tiktok, outage: Duration::ZERO, orders, what }
}

fn last_chunk(calls: &[Call]) -> usize {
    calls.iter().rposition(|call| call.to == Service::Upload).unwrap_or(0)
}

fn each(places: &Places, campaign: &str, story: Story, tiktok: TikTok, outage: Duration, step: usize) -> Result<Row> {
    let rehearsed = rehearse(places, story, tiktok)?;
    let most = if outage.is_zero() { usize::MAX } else { last_chunk(&rehearsed.calls) + AFTER_THE_LAST };
    let kills = rehearsed.calls.iter().enumerate().take(most).flat_map(|(at, call)| {
        moments(call).map(move |moment| Job { outage, ..job(story, tiktok, at, call, Trouble::Kill(moment)) })
    });
    let row = Row::new(campaign, story.name(), tiktok, rehearsed.calls.len());
    Ok(run(places, row, kills.step_by(step).collect(), *AT_ONCE))
}

/// The moments of a call that differ.
fn moments(call: &Call) -> impl Iterator<Item = Moment> + use<> {
    let after = call.acts().then_some(Moment::After);
    std::iter::once(Moment::Before).chain(after)
}
