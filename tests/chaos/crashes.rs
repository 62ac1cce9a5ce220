//! Crash at every step: for each call of a story, the process that makes it is
//! killed before the call takes effect, and after it did and before the answer.
//! Where the bucket is read for a chunk, that is in the middle of an upload's body. Then nobody helps: the queue delivers again, the lease runs out, the
//! schedule finds what is due.

use std::time::Duration;

use anyhow::Result;

use crate::campaign::{Job, rehearse, run};
use crate::gate::{At, Call, Moment, Order, Service, Trouble};
use crate::report::Row;
use crate::stage::Places;
use crate::story::{Story, TikTok};

/// How many runs there are at a time: they wait for processes to start and end.
const AT_ONCE: usize = 3;

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

fn each(places: &Places, campaign: &str, story: Story, tiktok: TikTok, outage: Duration, step: usize) -> Result<Row> {
    let rehearsed = rehearse(places, story, tiktok)?;
    let last = rehearsed.calls.iter().rposition(|call| call.to == Service::Upload).unwrap_or(0);
    let most = if outage.is_zero() { usize::MAX } else { last + AFTER_THE_LAST };
    let kills = rehearsed.calls.iter().enumerate().take(most).flat_map(|(at, call)| {
        moments(call).map(move |moment| {
            let trouble = Trouble::Kill(moment);
            let what = format!("{} {} (call {at})", trouble.name(), call.name);
            Job { story, tiktok, outage, orders: vec![Order { at: At::Named(at, call.name.clone()), trouble }], what }
        })
    });
    let row = Row::new(campaign, story.name(), tiktok, rehearsed.calls.len());
    Ok(run(places, row, kills.step_by(step).collect(), AT_ONCE))
}

/// The moments of a call that differ.
fn moments(call: &Call) -> impl Iterator<Item = Moment> + use<> {
    let after = call.acts().then_some(Moment::After);
    std::iter::once(Moment::Before).chain(after)
}
