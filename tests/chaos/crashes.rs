//! Crash at every step: for each call of a story, the process that makes it is
//! killed before the call takes effect, and after it did and before the answer.
//! Where the bucket is read for a chunk, that is in the middle of
//! an upload's body. Then nobody helps: the queue delivers again, the lease runs out,
//! the schedule finds what is due.

use std::ops::Range;
use std::sync::LazyLock;
use std::time::Duration;

use crate::campaign::cores;
use crate::enumeration::Enumeration;
use crate::gate::{Call, Deed, Moment, Parting, Service, Trouble};
use crate::stage::Wish;
use crate::story::{Story, init};

/// How many runs there are at a time: they wait for processes to start and end.
static AT_ONCE: LazyLock<usize> = LazyLock::new(|| 2 * cores());

/// Longer than an upload's URL lives.
const OVER_AN_HOUR: Duration = Duration::from_mins(62);
/// The calls after the last chunk in which its upload still matters.
const AFTER_THE_LAST: usize = 20;

/// A kill at each call.
pub(crate) fn killed(story: Story) -> Enumeration {
    let kills = |calls: &[Call]| each(calls, 0..calls.len(), Trouble::Kill);
    Enumeration { campaign: "killed", story, troubles: kills, outage: Duration::ZERO, at_once: *AT_ONCE }
}

/// The same, as long as bytes are on their way and a little longer, and then
/// nothing happens before the upload's URL is dead.
pub(crate) fn with_outage(story: Story) -> Enumeration {
    let kills = |calls: &[Call]| each(calls, 0..last_chunk(calls) + AFTER_THE_LAST, Trouble::Kill);
    Enumeration { campaign: "outage", troubles: kills, outage: OVER_AN_HOUR, ..killed(story) }
}

/// A person cancels the post while each of its calls waits, before the call
/// takes effect and after.
pub(crate) fn cancelled(story: Story) -> Enumeration {
    let deeds = |calls: &[Call]| each(calls, 0..calls.len(), |it| Trouble::Meanwhile(Deed::Cancel, it));
    Enumeration { campaign: "interrupted", troubles: deeds, ..killed(story) }
}

/// The same with another title that a person gives the post.
pub(crate) fn reworded(story: Story) -> Enumeration {
    let deeds = |calls: &[Call]| each(calls, 0..calls.len(), |it| Trouble::Meanwhile(Deed::Reword, it));
    Enumeration { campaign: "reworded", troubles: deeds, ..killed(story) }
}

/// The same with the end of the creator's consent, in each way in which it can end.
pub(crate) fn authorization_lost(story: Story) -> Enumeration {
    let deeds = |calls: &[Call]| {
        let part = |calls, deed: fn(Moment) -> Trouble| each(calls, 0..calls.len(), deed);
        [
            part(calls, |it| Trouble::Meanwhile(Deed::Part(Parting::Removed), it)),
            part(calls, |it| Trouble::Meanwhile(Deed::Part(Parting::Disconnected), it)),
            part(calls, |it| Trouble::Meanwhile(Deed::Part(Parting::Refused), it)),
        ]
        .concat()
    };
    Enumeration { campaign: "authorization_lost", troubles: deeds, ..killed(story) }
}

/// The same with TikTok, which refuses the upload from when it was begun: in its middle,
/// while it works on it, and while somebody hears or stores how it stands.
pub(crate) fn refused(story: Story) -> Enumeration {
    let deeds = |calls: &[Call]| each(calls, init(calls)..calls.len(), |it| Trouble::Meanwhile(Deed::Refuse, it));
    Enumeration { campaign: "refused", troubles: deeds, ..killed(story) }
}

/// Whoever works does all that there is to do while each of the calls waits: somebody
/// wishes something of a post, and it is taken up, and published, before that is stored.
pub(crate) fn overtaken(wish: Wish) -> Enumeration {
    let deeds = |calls: &[Call]| each(calls, 0..calls.len(), |it| Trouble::Meanwhile(Deed::Work, it));
    Enumeration { campaign: "overtaken", troubles: deeds, ..killed(Story::AtOnce(wish)) }
}

/// TikTok tells the end of a publish while each of the calls waits from that of
/// the last chunk on: before its answer, and between a poll and what is stored of it.
pub(crate) fn told(story: Story) -> Enumeration {
    let deeds = |calls: &[Call]| each(calls, last_chunk(calls)..calls.len(), |it| Trouble::Meanwhile(Deed::Tell, it));
    Enumeration { campaign: "interrupted", troubles: deeds, ..killed(story) }
}

/// A trouble for each moment of some of the calls.
fn each(calls: &[Call], which: Range<usize>, trouble: fn(Moment) -> Trouble) -> Vec<(usize, Trouble)> {
    let calls = calls.iter().enumerate().filter(|(at, _)| which.contains(at));
    calls.flat_map(|(at, call)| moments(call).map(move |moment| (at, trouble(moment)))).collect()
}

fn last_chunk(calls: &[Call]) -> usize {
    calls.iter().rposition(|call| call.to == Service::Upload).unwrap_or(0)
}

/// The moments of a call that differ.
fn moments(call: &Call) -> impl Iterator<Item = Moment> + use<> {
    let after = call.acts().then_some(Moment::After);
    std::iter::once(Moment::Before).chain(after)
}
