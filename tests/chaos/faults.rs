//! The campaigns `faults` and `stalls`, in which AWS or TikTok fails. Each call of a story gets each fault that its
//! service can have, one fault per run.

use std::time::Duration;

use simulator::{Effect, Ending, FaultKind, WrongShape};

use crate::enumeration::Enumeration;
use crate::fault_proxy::{Call, Fault, Service};
use crate::runner::cores;
use crate::story::Story;

/// The number of concurrent runs per core: several, because a run mostly waits for the functions' back-offs.
const RUNS_PER_CORE: usize = 4;

/// Every invalid form of a JSON response of TikTok that the simulator can produce.
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
/// The rate of a slow upload, in bytes per second. A chunk of 5 MB takes a quarter of a second of real time.
const SLOW_READ: u64 = 20_000_000;

/// The campaign `faults`: each call gets each error.
pub(crate) fn faults(story: Story) -> Enumeration {
    let faults = |calls: &[Call]| at_each(calls, faults_of);
    Enumeration { campaign: "faults", story, faults, outage: Duration::ZERO, parallelism: RUNS_PER_CORE * cores() }
}

/// The campaign `stalls`: at each call, the connection stays open without a response.
pub(crate) fn stalls(story: Story) -> Enumeration {
    let faults = |calls: &[Call]| at_each(calls, |call| call.moments().map(Fault::Stall).collect());
    Enumeration { campaign: "stalls", faults, ..self::faults(story) }
}

fn at_each(calls: &[Call], faults_of: impl Fn(&Call) -> Vec<Fault>) -> Vec<(usize, Fault)> {
    let mut faults = Vec::new();
    for (number, call) in calls.iter().enumerate() {
        faults.extend(faults_of(call).into_iter().map(|fault| (number, fault)));
    }
    faults
}

/// The errors that a call can get.
fn faults_of(call: &Call) -> Vec<Fault> {
    let mut faults = match call.service {
        Service::DynamoDb if call.has_effect() => vec![
            Fault::ErrorResponse(400, "ThrottlingException"),
            Fault::ErrorResponse(500, "InternalServerError"),
            Fault::ErrorResponse(400, "ConditionalCheckFailedException"),
            Fault::ErrorResponse(400, "AccessDeniedException"),
            Fault::InvalidResponse,
        ],
        Service::DynamoDb => vec![
            Fault::ErrorResponse(400, "ProvisionedThroughputExceededException"),
            Fault::ErrorResponse(500, "InternalServerError"),
            Fault::ErrorResponse(400, "AccessDeniedException"),
            Fault::TruncateResponse,
            Fault::InvalidResponse,
        ],
        Service::S3 => vec![
            Fault::ErrorResponse(503, "SlowDown"),
            Fault::ErrorResponse(500, "InternalError"),
            Fault::ErrorResponse(403, "AccessDenied"),
            Fault::TruncateResponse,
        ],
        Service::Sqs | Service::Kms | Service::Secrets | Service::EventBridge => vec![
            Fault::ErrorResponse(400, "ThrottlingException"),
            Fault::ErrorResponse(500, "InternalServiceError"),
            Fault::ErrorResponse(400, "AccessDeniedException"),
            Fault::InvalidResponse,
        ],
        Service::TikTok => api_faults(),
        Service::Upload => upload_faults(),
    };
    faults.extend(call.moments().map(Fault::DropConnection));
    faults
}

/// The faults of TikTok's API.
fn api_faults() -> Vec<Fault> {
    let faults = [
        http_error(500, "internal_error", Effect::Skipped),
        http_error(500, "internal_error", Effect::Happens),
        http_error(429, "rate_limit_exceeded", Effect::Skipped),
        http_error(502, "", Effect::Skipped),
        FaultKind::ResetBeforeBody,
        FaultKind::LoseAnswer { ending: Ending::Reset },
        FaultKind::TruncatedJson,
        FaultKind::ShortBody,
        FaultKind::ExpireAccessToken,
    ];
    let wrong_shapes = SHAPES.map(|shape| FaultKind::WrongEnvelope { shape });
    faults.into_iter().chain(wrong_shapes).map(Fault::Simulator).collect()
}

/// The faults of TikTok's upload server.
fn upload_faults() -> Vec<Fault> {
    let faults = [
        http_error(500, "", Effect::Skipped),
        http_error(500, "", Effect::Happens),
        http_error(503, "", Effect::Skipped),
        http_error(416, "", Effect::Happens),
        FaultKind::ResetBeforeBody,
        FaultKind::ResetInBody { after_bytes: 50_000 },
        FaultKind::ResetAfterBody,
        FaultKind::LoseAnswer { ending: Ending::Close },
        FaultKind::LoseAnswer { ending: Ending::Reset },
        FaultKind::ExpireUploadUrl,
        FaultKind::SlowRead { bytes_per_second: SLOW_READ },
    ];
    faults.into_iter().map(Fault::Simulator).collect()
}

/// An HTTP error, before or after the call took effect.
pub(crate) fn http_error(http_status: u16, code: &str, effect: Effect) -> FaultKind {
    FaultKind::Status { http_status, code: code.to_owned(), message: String::new(), effect }
}
