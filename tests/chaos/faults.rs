//! Faults at every call: each call of a story meets each thing that can go wrong
//! with it on the side of AWS and of TikTok, once, and the rest of the story
//! goes on as it will.

use std::time::Duration;

use anyhow::Result;
use simulator::{Effect, Ending, Trouble as TikToks, WrongShape};

use crate::campaign::{Job, cores, rehearse, run};
use crate::gate::{At, Call, Moment, Order, Service, Trouble};
use crate::report::Row;
use crate::stage::Places;
use crate::story::Story;
use crate::unknowns::TikTok;

/// How many runs there are at a time for each core: they wait for the functions' own pauses.
const AT_ONCE: usize = 4;
/// The same for stalls, in which nothing happens for long.
const STALLS_AT_ONCE: usize = 12;

/// Has each call meet each trouble, or every `step`-th pair of all.
pub(crate) fn enumerate(places: &Places, story: Story, tiktok: TikTok, step: usize) -> Result<Row> {
    each(places, story, tiktok, step, AT_ONCE, "faults", troubles)
}

/// Has each call meet silence: a connection that stays, and says nothing.
pub(crate) fn stall(places: &Places, story: Story, tiktok: TikTok) -> Result<Row> {
    each(places, story, tiktok, 1, STALLS_AT_ONCE, "stalls", stalls)
}

fn each(
    places: &Places,
    story: Story,
    tiktok: TikTok,
    step: usize,
    at_once: usize,
    campaign: &str,
    troubles: fn(&Call) -> Vec<Trouble>,
) -> Result<Row> {
    let rehearsed = rehearse(places, story, tiktok)?;
    let jobs = rehearsed.calls.iter().enumerate().flat_map(|(at, call)| {
        troubles(call).into_iter().map(move |trouble| {
            let what = format!("{} at {} (call {at})", trouble.name(), call.name);
            let outage = Duration::ZERO;
            Job { story, tiktok, outage, orders: vec![Order { at: At::Named(at, call.name.clone()), trouble }], what }
        })
    });
    let row = Row::new(campaign, story.name(), tiktok, rehearsed.calls.len());
    Ok(run(places, row, jobs.step_by(step).collect(), at_once * cores()))
}

/// What can go wrong with a call.
fn troubles(call: &Call) -> Vec<Trouble> {
    let mut troubles = match call.to {
        Service::DynamoDb if call.acts() => vec![
            Trouble::Refuse(400, "ThrottlingException"),
            Trouble::Refuse(500, "InternalServerError"),
            Trouble::Refuse(400, "ConditionalCheckFailedException"),
            Trouble::Refuse(400, "AccessDeniedException"),
            Trouble::Garble,
        ],
        Service::DynamoDb => vec![
            Trouble::Refuse(400, "ProvisionedThroughputExceededException"),
            Trouble::Refuse(500, "InternalServerError"),
            Trouble::Refuse(400, "AccessDeniedException"),
            Trouble::Cut,
            Trouble::Garble,
        ],
        Service::S3 => vec![
            Trouble::Refuse(503, "SlowDown"),
            Trouble::Refuse(500, "InternalError"),
            Trouble::Refuse(403, "AccessDenied"),
            Trouble::Cut,
        ],
        Service::Sqs | Service::Kms | Service::Secrets => vec![
            Trouble::Refuse(400, "ThrottlingException"),
            Trouble::Refuse(500, "InternalServiceError"),
            Trouble::Refuse(400, "AccessDeniedException"),
            Trouble::Garble,
        ],
        Service::TikTok => tiktoks(),
        Service::Upload => uploads(),
    };
    troubles.push(Trouble::Lose(Moment::Before));
    if call.acts() {
        troubles.push(Trouble::Lose(Moment::After));
    }
    troubles
}

fn tiktoks() -> Vec<Trouble> {
    let wrong = |shape| TikToks::WrongEnvelope { shape };
    let troubles = vec![
        status(500, "internal_error", Effect::Skipped),
        status(500, "internal_error", Effect::Happens),
        status(429, "rate_limit_exceeded", Effect::Skipped),
        status(502, "", Effect::Skipped),
        TikToks::ResetBeforeBody,
        TikToks::LoseAnswer { ending: Ending::Reset },
        TikToks::TruncatedJson,
        TikToks::ShortBody,
        wrong(WrongShape::Html),
        wrong(WrongShape::Empty),
        wrong(WrongShape::NoData),
        TikToks::ExpireAccessToken,
    ];
    troubles.into_iter().map(Trouble::TikTok).collect()
}

fn uploads() -> Vec<Trouble> {
    let troubles = vec![
        status(500, "", Effect::Skipped),
        status(500, "", Effect::Happens),
        status(503, "", Effect::Skipped),
        status(416, "", Effect::Happens),
        TikToks::ResetBeforeBody,
        TikToks::ResetInBody { after_bytes: 50_000 },
        TikToks::ResetAfterBody,
        TikToks::LoseAnswer { ending: Ending::Close },
        TikToks::LoseAnswer { ending: Ending::Reset },
        TikToks::ExpireUploadUrl,
    ];
    troubles.into_iter().map(Trouble::TikTok).collect()
}

fn status(http_status: u16, code: &str, effect: Effect) -> TikToks {
    TikToks::Status { http_status, code: code.to_owned(), message: String::new(), effect }
}

/// Silence, before the call has its effect and after.
fn stalls(call: &Call) -> Vec<Trouble> {
    let after = call.acts().then_some(Trouble::Stall(Moment::After));
    [Trouble::Stall(Moment::Before)].into_iter().chain(after).collect()
}
