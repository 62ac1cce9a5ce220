//! Campaigns that interrupt a story at each of its calls. Either the calling process is killed, or another actor acts
//! before the call takes effect or before its response. `publish` reads the bucket while it uploads, so a kill at such
//! a read ends the upload in the middle of a chunk. After the interruption, only the functions themselves recover the
//! post.

use std::ops::Range;
use std::time::Duration;

use crate::enumeration::Enumeration;
use crate::fault_proxy::{AuthorizationEnd, Call, Fault, Moment, Op, Service};
use crate::runner::cores;
use crate::story::{Story, first_init};
use crate::test_env::Command;

/// The number of concurrent runs for each core: several, because a run mostly waits for processes to start and end.
const RUNS_PER_CORE: usize = 2;
/// The pause after a kill in the campaign `outage`: longer than an upload URL is valid (one hour).
const OUTAGE: Duration = Duration::from_mins(62);
/// An outage is tested up to this number of calls after the last chunk. Later, it no longer affects the publish.
const CALLS_AFTER_LAST_CHUNK: usize = 20;

/// A kill at each call.
pub(crate) fn killed(story: Story) -> Enumeration {
    let faults = |calls: &[Call]| at_each(calls, 0..calls.len(), Fault::Kill);
    Enumeration { campaign: "killed", story, faults, outage: Duration::ZERO, parallelism: RUNS_PER_CORE * cores() }
}

/// A kill at each call until shortly after the last chunk, and then an outage in which the upload URL expires.
pub(crate) fn outage(story: Story) -> Enumeration {
    let faults = |calls: &[Call]| at_each(calls, 0..last_chunk(calls) + CALLS_AFTER_LAST_CHUNK, Fault::Kill);
    Enumeration { campaign: "outage", faults, outage: OUTAGE, ..killed(story) }
}

/// A person cancels the post during each call.
pub(crate) fn cancelled(story: Story) -> Enumeration {
    let faults = |calls: &[Call]| op_at_each(calls, 0..calls.len(), Op::Command(Command::Cancel));
    Enumeration { campaign: "interrupted", faults, ..killed(story) }
}

/// TikTok sends the result by a webhook during each call from the last chunk on. For example, the webhook arrives
/// before the response to the last chunk, or between a poll and the write of the poll's result.
pub(crate) fn webhook_sent(story: Story) -> Enumeration {
    let faults = |calls: &[Call]| op_at_each(calls, last_chunk(calls)..calls.len(), Op::DeliverWebhooks);
    Enumeration { campaign: "interrupted", faults, ..killed(story) }
}

/// A person changes the title during each call.
pub(crate) fn options_updated(story: Story) -> Enumeration {
    let faults = |calls: &[Call]| op_at_each(calls, 0..calls.len(), Op::Command(Command::UpdateOptions));
    Enumeration { campaign: "options_updated", faults, ..killed(story) }
}

/// The creator's authorization ends during each call, in each way in which it can end.
pub(crate) fn authorization_lost(story: Story) -> Enumeration {
    let faults = |calls: &[Call]| {
        let ends = [AuthorizationEnd::AppRemoved, AuthorizationEnd::Disconnected, AuthorizationEnd::TokensRejected];
        ends.map(|end| op_at_each(calls, 0..calls.len(), Op::EndAuthorization(end))).concat()
    };
    Enumeration { campaign: "authorization_lost", faults, ..killed(story) }
}

/// TikTok fails the publish during each call from the init on: during the upload, during TikTok's processing, and
/// while `status` polls or stores the result.
pub(crate) fn publish_failed(story: Story) -> Enumeration {
    let faults = |calls: &[Call]| op_at_each(calls, first_init(calls)..calls.len(), Op::FailPublish);
    Enumeration { campaign: "publish_failed", faults, ..killed(story) }
}

/// `publish` and `status` do all work on the post during each call of a command's request, for example between the
/// API's read and its write of the post.
pub(crate) fn concurrent_command(command: Command) -> Enumeration {
    let faults = |calls: &[Call]| op_at_each(calls, 0..calls.len(), Op::RunWorkers);
    Enumeration { campaign: "concurrent_command", faults, ..killed(Story::CommandBeforeWork(command)) }
}

fn op_at_each(calls: &[Call], numbers: Range<usize>, op: Op) -> Vec<(usize, Fault)> {
    at_each(calls, numbers, |moment| Fault::Op(op, moment))
}

/// A fault before each of the calls with these numbers, and one after it if the call can change a state.
fn at_each(calls: &[Call], numbers: Range<usize>, fault: impl Fn(Moment) -> Fault) -> Vec<(usize, Fault)> {
    let mut faults = Vec::new();
    for (number, call) in calls.iter().enumerate().filter(|(number, _)| numbers.contains(number)) {
        faults.extend(call.moments().map(|moment| (number, fault(moment))));
    }
    faults
}

fn last_chunk(calls: &[Call]) -> usize {
    calls.iter().rposition(|call| call.service == Service::Upload).unwrap_or(0)
}
