//! What can be ordered to befall a call.

use super::call::{Call, Service};

/// A point in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// It has arrived, and has no effect.
    Before,
    /// It has taken effect, and its answer has not left.
    After,
}

/// What somebody else does while a call is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// A person cancels the post.
    Cancel,
    /// A person gives the post another title.
    Reword,
    /// The creator's consent ends.
    Part(Parting),
    /// TikTok refuses to publish what is uploaded, whether it has all of it or not.
    Refuse,
    /// A few seconds pass, and TikTok tells what there is to tell.
    Tell,
    /// The queue wakes whoever works, as often as it has something, and the schedule comes round.
    Work,
}

/// How a creator's consent ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Parting {
    /// The creator removes the app, and TikTok tells of it.
    Removed,
    /// The operator disconnects the account.
    Disconnected,
    /// TikTok takes the tokens no more, and says nothing.
    Refused,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The process that calls is killed.
    Kill(Moment),
    /// Somebody else is quicker than the call, or than its answer.
    Meanwhile(Deed, Moment),
    /// The service refuses, with a status and a code of its own; nothing happens.
    Refuse(u16, &'static str),
    /// The connection ends without an answer.
    Lose(Moment),
    /// There is never an answer, and the connection stays.
    Stall(Moment),
    /// It happens; the answer's body ends in its middle.
    Cut,
    /// It happens; the answer is none that the service could give.
    InvalidResponse,
    /// TikTok itself is in trouble, as the simulator plays it.
    TikTok(simulator::FaultKind),
    /// So many seconds pass while it is under way.
    Pass(u64),
}

/// Which call is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum At {
    /// The call of this number, from 0.
    Call(usize),
    /// The first call of this name from that number on: what goes out at once
    /// comes in any order.
    Named(usize, String),
    /// The upload of this number, from 0.
    Chunk(usize),
}

/// Which call, and what befalls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) at: At,
    pub(crate) trouble: Trouble,
}

impl Order {
    /// Tells whether this call is meant; an upload has a number of its own.
    pub(crate) fn is_for(&self, number: usize, call: &Call, chunk: Option<usize>) -> bool {
        let of_tiktok = matches!(call.to, Service::TikTok | Service::Upload);
        if matches!(self.trouble, Trouble::TikTok(_)) && !of_tiktok {
            return false;
        }
        match &self.at {
            At::Call(wanted) => *wanted == number,
            At::Named(from, wanted) => number >= *from && *wanted == call.name,
            At::Chunk(wanted) => chunk == Some(*wanted),
        }
    }
}

impl Trouble {
    /// What it is called in the report.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Kill(moment) => format!("killed {}", moment.name()),
            Self::Meanwhile(deed, moment) => format!("{} {}", deed.name(), moment.name()),
            Self::Refuse(status, code) => format!("{status} {code}"),
            Self::Lose(moment) => format!("connection lost {}", moment.name()),
            Self::Stall(moment) => format!("stalled {}", moment.name()),
            Self::Cut => "answer cut short".to_owned(),
            Self::InvalidResponse => "answer invalid_response".to_owned(),
            Self::TikTok(trouble) => format!("TikTok: {}", trouble.name()),
            Self::Pass(seconds) => format!("{seconds} s pass"),
        }
    }
}

impl Deed {
    fn name(self) -> &'static str {
        match self {
            Self::Cancel => "cancelled",
            Self::Reword => "reworded",
            Self::Part(parting) => parting.name(),
            Self::Refuse => "refused",
            Self::Tell => "told",
            Self::Work => "worked on",
        }
    }
}

impl Parting {
    /// What it is called in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Removed => "app removed",
            Self::Disconnected => "disconnected",
            Self::Refused => "tokens refused",
        }
    }
}

impl Moment {
    fn name(self) -> &'static str {
        match self {
            Self::Before => "before it",
            Self::After => "after it",
        }
    }
}
