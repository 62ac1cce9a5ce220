//! Trouble on demand: which call it befalls, and what kind it is.
//!
//! Decides when a fault fires; [`crate::trouble`] carries it out. Faults are
//! counted by the calls that match them, from the moment they are injected.

use serde::{Deserialize, Serialize};

use crate::endpoint::Endpoint;
use crate::ids::{OpenId, PublishId};
use crate::post::FailReason;

/// An order for trouble.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which calls are meant.
    pub endpoint: Endpoint,
    /// The first matching call that is hit, counted from 1.
    #[serde(default = "one")]
    pub call: u32,
    /// How many calls are hit in a row; none = all until the fault is cleared.
    #[serde(default = "once")]
    pub times: Option<u32>,
    /// Only calls for this user.
    #[serde(default)]
    pub user: Option<OpenId>,
    /// Only calls for this publish.
    #[serde(default)]
    pub publish_id: Option<PublishId>,
    /// What goes wrong.
    pub trouble: Trouble,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Trouble {
    /// Another HTTP status and error code are answered than the true ones.
    Status {
        /// The HTTP status.
        http_status: u16,
        /// The error code, in the shape that the endpoint uses; empty as TikTok's gateway has it.
        #[serde(default)]
        code: String,
        /// The error message.
        #[serde(default)]
        message: String,
        /// Whether the call does its work all the same.
        #[serde(default)]
        effect: Effect,
    },
    /// The connection is reset before the body is read.
    ResetBeforeBody,
    /// The connection of an upload is reset in the middle of its body.
    ResetInBody {
        /// After how many bytes.
        after_bytes: u64,
    },
    /// The connection is reset when the whole body was read, before it has any effect.
    ResetAfterBody,
    /// The call does its work, and the connection ends without an answer.
    LoseAnswer {
        /// How the connection ends.
        #[serde(default)]
        ending: Ending,
    },
    /// Nothing moves for a while.
    Stall {
        /// For how many milliseconds; none = until the fault is cleared.
        #[serde(default)]
        ms: Option<u64>,
        /// Before or after the call does its work.
        #[serde(default)]
        moment: Moment,
    },
    /// The connection is read slowly, from here to its end.
    SlowRead {
        /// At most so many bytes a second.
        bytes_per_second: u64,
    },
    /// The call does its work; its answer is half the JSON, in a well-formed HTTP message.
    TruncatedJson,
    /// The call does its work; its answer ends before its `Content-Length`.
    ShortBody,
    /// The call does its work; its answer has the wrong shape.
    WrongEnvelope {
        /// Which.
        shape: WrongShape,
    },
    /// The access token that the call carries expires before the call is looked at.
    ExpireAccessToken,
    /// The upload URL of the publish expires before the call is looked at.
    ExpireUploadUrl,
    /// The publish that the call concerns will fail when it has been processed.
    FailPost {
        /// With which reason.
        reason: FailReason,
    },
}

/// Whether a call whose answer is replaced does its work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It does not.
    #[default]
    Skipped,
    /// It does.
    Happens,
}

/// How a connection ends without an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// In order, as a proxy does.
    #[default]
    Close,
    /// With a reset.
    Reset,
}

/// A point in a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Before the call does its work.
    #[default]
    Before,
    /// After the call did its work.
    After,
}

/// An answer that is not as documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WrongShape {
    /// A page of HTML.
    Html,
    /// No body at all.
    Empty,
    /// The word `null`.
    Null,
    /// A list.
    List,
    /// The envelope without its `error`.
    NoError,
    /// The envelope without its `data`.
    NoData,
    /// `error` is a string.
    ErrorString,
    /// `code`, `message` and `log_id` beside `data` instead of within `error`.
    TopLevel,
}

impl Trouble {
    /// The name of its kind, as the control interface writes it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::ResetBeforeBody => "reset_before_body",
            Self::ResetInBody { .. } => "reset_in_body",
            Self::ResetAfterBody => "reset_after_body",
            Self::LoseAnswer { .. } => "lose_answer",
            Self::Stall { .. } => "stall",
            Self::SlowRead { .. } => "slow_read",
            Self::TruncatedJson => "truncated_json",
            Self::ShortBody => "short_body",
            Self::WrongEnvelope { .. } => "wrong_envelope",
            Self::ExpireAccessToken => "expire_access_token",
            Self::ExpireUploadUrl => "expire_upload_url",
            Self::FailPost { .. } => "fail_post",
        }
    }
}

impl Fault {
    /// Orders trouble for the next call of an endpoint.
    #[must_use]
    pub fn new(endpoint: Endpoint, trouble: Trouble) -> Self {
        Self { endpoint, call: one(), times: once(), user: None, publish_id: None, trouble }
    }

    /// Lets it befall the n-th matching call, counted from 1.
    #[must_use]
    pub fn at_call(mut self, call: u32) -> Self {
        self.call = call;
        self
    }

    /// Lets it befall so many calls in a row.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Lets it befall every call until it is cleared.
    #[must_use]
    pub fn until_cleared(mut self) -> Self {
        self.times = None;
        self
    }

    /// Restricts it to one user's calls.
    #[must_use]
    pub fn for_user(mut self, user: OpenId) -> Self {
        self.user = Some(user);
        self
    }

    /// Restricts it to one publish.
    #[must_use]
    pub fn for_publish(mut self, publish_id: PublishId) -> Self {
        self.publish_id = Some(publish_id);
        self
    }

    fn matches(&self, endpoint: Endpoint, user: Option<&OpenId>, publish: Option<&PublishId>) -> bool {
        self.endpoint == endpoint
            && (self.user.is_none() || self.user.as_ref() == user)
            && (self.publish_id.is_none() || self.publish_id.as_ref() == publish)
    }
}

/// A fault that was injected, and what it did so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InjectedFault {
    /// The name by which it is cleared.
    pub id: u64,
    /// What was ordered.
    pub fault: Fault,
    /// How many calls matched.
    pub seen: u32,
    /// How many of them were hit.
    pub fired: u32,
}

/// Every fault that was injected and not cleared.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    injected: Vec<InjectedFault>,
    last_id: u64,
}

/// A fault that befalls a call.
#[derive(Debug, Clone)]
pub(crate) struct Fired {
    pub(crate) id: u64,
    pub(crate) trouble: Trouble,
}

impl Faults {
    pub(crate) fn inject(&mut self, fault: Fault) -> u64 {
        self.last_id += 1;
        self.injected.push(InjectedFault { id: self.last_id, fault, seen: 0, fired: 0 });
        self.last_id
    }

    pub(crate) fn list(&self) -> &[InjectedFault] {
        &self.injected
    }

    pub(crate) fn clear(&mut self) {
        self.injected.clear();
    }

    /// Clears one fault; false if there is none of that name.
    pub(crate) fn remove(&mut self, id: u64) -> bool {
        let before = self.injected.len();
        self.injected.retain(|fault| fault.id != id);
        self.injected.len() < before
    }

    pub(crate) fn holds(&self, id: u64) -> bool {
        self.injected.iter().any(|fault| fault.id == id)
    }

    /// Counts a call, and says which fault befalls it: the oldest that is due.
    pub(crate) fn meet(
        &mut self,
        endpoint: Endpoint,
        user: Option<&OpenId>,
        publish: Option<&PublishId>,
    ) -> Option<Fired> {
        let mut hit = None;
        for injected in &mut self.injected {
            let fault = &injected.fault;
            if !fault.matches(endpoint, user, publish) {
                continue;
            }
            injected.seen += 1;
            let due = injected.seen >= fault.call && fault.times.is_none_or(|times| injected.fired < times);
            if due && hit.is_none() {
                injected.fired += 1;
                hit = Some(Fired { id: injected.id, trouble: fault.trouble.clone() });
            }
        }
        hit
    }
}

fn one() -> u32 {
    1
}

#[expect(clippy::unnecessary_wraps, reason = "the default of a field that may be none")]
fn once() -> Option<u32> {
    Some(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(faults: &mut Faults, calls: usize) -> Vec<bool> {
        let mut meet = || faults.meet(Endpoint::Upload, None, None).is_some();
        (0..calls).map(|_| meet()).collect()
    }

    #[test]
    fn a_fault_hits_the_calls_that_it_was_ordered_for() {
        let mut faults = Faults::default();
        let fault = Fault::new(Endpoint::Upload, Trouble::ResetBeforeBody);
        faults.inject(fault.at_call(2).times(2));
        assert_eq!(hits(&mut faults, 4), [false, true, true, false]);
        assert_eq!(faults.list()[0].seen, 4);
        assert_eq!(faults.list()[0].fired, 2);
    }

    #[test]
    fn a_fault_without_an_end_hits_until_it_is_cleared() {
        let mut faults = Faults::default();
        let fault = Fault::new(Endpoint::Upload, Trouble::ShortBody).until_cleared();
        let id = faults.inject(fault);
        assert_eq!(hits(&mut faults, 3), [true, true, true]);
        assert!(faults.remove(id));
        assert_eq!(hits(&mut faults, 1), [false]);
        assert!(!faults.remove(id));
    }

    #[test]
    fn a_fault_leaves_other_users_and_endpoints_alone() {
        let mut faults = Faults::default();
        let someone = OpenId::new("o1");
        let fault = Fault::new(Endpoint::DirectInit, Trouble::ShortBody);
        faults.inject(fault.for_user(someone.clone()));
        let other = OpenId::new("o2");
        assert!(faults.meet(Endpoint::DirectInit, Some(&other), None).is_none());
        assert!(faults.meet(Endpoint::InboxInit, Some(&someone), None).is_none());
        assert!(faults.meet(Endpoint::DirectInit, Some(&someone), None).is_some());
    }

    #[test]
    fn an_order_in_json_needs_an_endpoint_and_a_kind() {
        let order = r#"{"endpoint":"upload","trouble":{"kind":"lose_answer"}}"#;
        let fault: Fault = serde_json::from_str(order).unwrap();
        assert_eq!((fault.call, fault.times), (1, Some(1)));
        assert_eq!(fault.trouble.name(), "lose_answer");
        let misspelled = r#"{"endpoint":"upload","trouble":{"kind":"lost_answer"}}"#;
        assert!(serde_json::from_str::<Fault>(misspelled).is_err());
    }
}
