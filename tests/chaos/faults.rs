//! Faults at every call: each call of a story meets each thing that can go wrong
//! with it on the side of AWS and of TikTok, once, and the rest of the story
//! goes on as it will.

use std::time::Duration;

use simulator::{Effect, Ending, FaultKind as TikToks, WrongShape};

use crate::campaign::cores;
use crate::enumeration::Enumeration;
use crate::gate::{Call, Moment, Service, Trouble};
use crate::story::Story;

/// How many runs there are at a time for each core: they wait for the functions' own pauses.
const AT_ONCE: usize = 4;

/// Each shape that TikTok's answer must not have.
const SHAPES: [WrongShape; 8] = [
    WrongShape::Html,
    WrongShape::Empty,
    WrongShape::Null,
    WrongShape::List,
    WrongShape::NoError,
    WrongShape::NoData,
    WrongShape::ErrorString,
    WrongShape::TopLevel,
];
/// How fast a slow upload is read, in bytes a second: a chunk takes a quarter of a second.
const SLOW: u64 = 20_000_000;

/// Each call meets each trouble.
pub(crate) fn faults(story: Story) -> Enumeration {
    let faults = |calls: &[Call]| each(calls, troubles);
    Enumeration { campaign: "faults", story, troubles: faults, outage: Duration::ZERO, at_once: AT_ONCE * cores() }
}

/// Each call meets silence: a connection that stays, and says nothing.
pub(crate) fn stalled(story: Story) -> Enumeration {
    let silence = |calls: &[Call]| each(calls, stalls);
    Enumeration { campaign: "stalls", troubles: silence, ..faults(story) }
}

fn each(calls: &[Call], troubles: fn(&Call) -> Vec<Trouble>) -> Vec<(usize, Trouble)> {
    let calls = calls.iter().enumerate();
    calls.flat_map(|(at, call)| troubles(call).into_iter().map(move |trouble| (at, trouble))).collect()
}

/// What can go wrong with a call.
fn troubles(call: &Call) -> Vec<Trouble> {
    let mut troubles = match call.to {
        Service::DynamoDb if call.acts() => vec![
            Trouble::Refuse(400, "ThrottlingException"),
            Trouble::Refuse(500, "InternalServerError"),
            Trouble::Refuse(400, "ConditionalCheckFailedException"),
            Trouble::Refuse(400, "AccessDeniedException"),
            Trouble::InvalidResponse,
        ],
        Service::DynamoDb => vec![
            Trouble::Refuse(400, "ProvisionedThroughputExceededException"),
            Trouble::Refuse(500, "InternalServerError"),
            Trouble::Refuse(400, "AccessDeniedException"),
            Trouble::Cut,
            Trouble::InvalidResponse,
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
            Trouble::InvalidResponse,
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
    let wrong = SHAPES.map(|shape| TikToks::WrongEnvelope { shape });
    let troubles = [
        status(500, "internal_error", Effect::Skipped),
        status(500, "internal_error", Effect::Happens),
        status(429, "rate_limit_exceeded", Effect::Skipped),
        status(502, "", Effect::Skipped),
        TikToks::ResetBeforeBody,
        TikToks::LoseAnswer { ending: Ending::Reset },
        TikToks::TruncatedJson,
        TikToks::ShortBody,
        TikToks::ExpireAccessToken,
    ];
    troubles.into_iter().chain(wrong).map(Trouble::TikTok).collect()
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
        TikToks::SlowRead { bytes_per_second: SLOW },
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
