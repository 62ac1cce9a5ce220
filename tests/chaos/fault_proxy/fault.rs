//! The faults that the proxy can inject, and the calls that they apply to.

use super::call::{Call, Service};
use crate::test_env::Command;

/// A moment of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The request has arrived and has no effect yet.
    Before,
    /// The request has taken effect, and the response is not sent yet.
    After,
}

/// What another actor does while a call waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    /// A person sends a command about the post.
    Command(Command),
    /// The creator's authorization ends.
    EndAuthorization(AuthorizationEnd),
    /// TikTok fails the newest publish, whether it has all bytes or not.
    FailPublish,
    /// The clocks advance by 10 seconds, and TikTok sends all webhooks that are then due.
    DeliverWebhooks,
    /// `publish` handles all visible messages, and then `status` runs.
    RunWorkers,
}

/// How a creator's authorization ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AuthorizationEnd {
    /// The creator removes the app, and TikTok sends a webhook.
    AppRemoved,
    /// The operator disconnects the account.
    Disconnected,
    /// TikTok rejects the tokens and sends no webhook.
    TokensRejected,
}

/// A fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The calling process is killed.
    Kill(Moment),
    /// Another actor's operation happens during the call.
    Op(Op, Moment),
    /// The service answers with this HTTP status and error code. The call has no effect.
    ErrorResponse(u16, &'static str),
    /// The connection ends without a response.
    DropConnection(Moment),
    /// The connection stays open, and no response is sent.
    Stall(Moment),
    /// The call takes effect, and the connection ends in the middle of the response's body.
    TruncateResponse,
    /// The call takes effect, and the response is an HTML page.
    InvalidResponse,
    /// A fault that the simulator injects. It applies only to calls to TikTok.
    Simulator(simulator::FaultKind),
    /// This number of seconds passes by the shifted clock, and then the call takes effect.
    Delay(u64),
}

/// Selects the call that a fault applies to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CallSelector {
    /// The call with this number.
    Number(usize),
    /// The first call with this name and at least this number. Concurrent calls arrive in another order in each run, so
    /// a number alone does not identify a call.
    Named(usize, String),
    /// The chunk with this number among all chunks, from 0.
    Chunk(usize),
}

/// A fault and the call that it applies to. It is injected into one call at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlannedFault {
    pub(crate) call: CallSelector,
    pub(crate) fault: Fault,
}

impl PlannedFault {
    /// Whether the fault applies to this call. `chunk` is the chunk's number if the call is a chunk.
    pub(crate) fn applies_to(&self, number: usize, call: &Call, chunk: Option<usize>) -> bool {
        let is_tiktok = matches!(call.service, Service::TikTok | Service::Upload);
        if matches!(self.fault, Fault::Simulator(_)) && !is_tiktok {
            return false;
        }
        match &self.call {
            CallSelector::Number(wanted) => *wanted == number,
            CallSelector::Named(from, wanted) => number >= *from && *wanted == call.name,
            CallSelector::Chunk(wanted) => chunk == Some(*wanted),
        }
    }
}

impl Fault {
    /// The name in the report.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Kill(moment) => format!("kill {} the call", moment.name()),
            Self::Op(op, moment) => format!("{} {} the call", op.name(), moment.name()),
            Self::ErrorResponse(status, code) => format!("{status} {code}"),
            Self::DropConnection(moment) => format!("connection lost {} the call", moment.name()),
            Self::Stall(moment) => format!("stall {} the call", moment.name()),
            Self::TruncateResponse => "truncated response".to_owned(),
            Self::InvalidResponse => "invalid response".to_owned(),
            Self::Simulator(fault) => format!("TikTok: {}", fault.name()),
            Self::Delay(seconds) => format!("delay of {seconds} s"),
        }
    }
}

impl Op {
    fn name(self) -> &'static str {
        match self {
            Self::Command(command) => command.name(),
            Self::EndAuthorization(end) => end.name(),
            Self::FailPublish => "publish failed",
            Self::DeliverWebhooks => "webhooks",
            Self::RunWorkers => "workers run",
        }
    }
}

impl AuthorizationEnd {
    /// The name in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AppRemoved => "app removed",
            Self::Disconnected => "disconnected",
            Self::TokensRejected => "tokens rejected",
        }
    }
}

impl Moment {
    fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}
