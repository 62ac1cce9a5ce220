//! The injected faults: which call a fault hits, and what it does to that call.
//!
//! This module decides when a fault fires; [`crate::fault_actions`] carries it out.
//! A fault counts the calls that match it from the moment it is injected. If several faults are due for one call, only
//! the one injected first fires. The other faults fire on later calls.

use serde::{Deserialize, Serialize};

use crate::endpoint::Endpoint;
use crate::ids::{OpenId, PublishId};
use crate::publish::FailReason;

/// A fault to inject: which calls it hits, and what happens to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The endpoint whose calls match.
    pub endpoint: Endpoint,
    /// The first matching call to hit, counted from 1.
    #[serde(default = "first_call")]
    pub call: u32,
    /// How many matching calls in a row to hit; `None` = all until the fault is cleared.
    #[serde(default = "once")]
    pub times: Option<u32>,
    /// Match only calls for this user; `None` = any user.
    #[serde(default)]
    pub user: Option<OpenId>,
    /// Match only calls for this publish; `None` = any publish.
    #[serde(default)]
    pub publish_id: Option<PublishId>,
    /// What happens to a call that is hit.
    pub kind: FaultKind,
}

/// What a fault does to the call that it hits.
///
/// A call "takes effect" when its endpoint changes the simulated platform and builds
/// its response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// The response is replaced by another HTTP status and error code.
    Status {
        /// The HTTP status.
        http_status: u16,
        /// The error code, in the response format of the endpoint. Empty imitates TikTok's gateway.
        #[serde(default)]
        code: String,
        /// The error message.
        #[serde(default)]
        message: String,
        /// Whether the call takes effect before its response is replaced.
        #[serde(default)]
        effect: Effect,
    },
    /// The connection is reset before the request body is read.
    ResetBeforeBody,
    /// The connection of an upload is reset in the middle of the request body.
    ResetInBody {
        /// The reset happens after this many bytes of the body.
        after_bytes: u64,
    },
    /// The connection is reset after the whole request body was read, before the call takes effect.
    ResetAfterBody,
    /// The call takes effect, and the connection closes without a response.
    LoseAnswer {
        /// How the connection closes.
        #[serde(default)]
        ending: Ending,
    },
    /// The call is held up while its connection stays open.
    Stall {
        /// How long, in milliseconds; `None` = until the fault is cleared.
        #[serde(default)]
        ms: Option<u64>,
        /// Whether the call stalls before or after it takes effect.
        #[serde(default)]
        moment: Moment,
    },
    /// The connection is read slowly from this call until it closes.
    SlowRead {
        /// The highest rate, in bytes per second.
        bytes_per_second: u64,
    },
    /// The call takes effect. The response is well-formed HTTP whose body is the first half of the JSON.
    TruncatedJson,
    /// The call takes effect. The connection closes before `Content-Length` bytes of the response are sent.
    ShortBody,
    /// The call takes effect. Its response does not have the documented JSON structure.
    WrongEnvelope {
        /// What the response looks like instead.
        shape: WrongShape,
    },
    /// The access token of the call expires before the call is checked.
    ExpireAccessToken,
    /// The upload URL of the publish expires before the call is checked.
    ExpireUploadUrl,
    /// The publish that the call concerns will fail at the end of its processing.
    FailPost {
        /// The `fail_reason` that `status/fetch` will report.
        reason: FailReason,
    },
}

/// Whether a call whose response is replaced takes effect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The call has no effect.
    #[default]
    Skipped,
    /// The call takes effect.
    Happens,
}

/// How a connection closes without a response.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// With an orderly close (TCP FIN), as a proxy does.
    #[default]
    Close,
    /// With a TCP reset.
    Reset,
}

/// A point in the handling of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Before the call takes effect.
    #[default]
    Before,
    /// After the call took effect, before its response is sent.
    After,
}

/// A response body that does not have the documented structure.
///
/// The documented one is `{ "data": …, "error": { "code", "message", "log_id" } }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WrongShape {
    /// An HTML page.
    Html,
    /// An empty body.
    Empty,
    /// The JSON value `null`.
    Null,
    /// A JSON array that contains the envelope.
    List,
    /// The envelope without `error`.
    NoError,
    /// The envelope without `data`.
    NoData,
    /// The envelope with a string as `error`.
    ErrorString,
    /// The envelope with `code`, `message` and `log_id` beside `data` instead of inside `error`.
    TopLevel,
}

impl FaultKind {
    /// The kind's name: the `type` of its JSON form, and the `fault` of a logged call.
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
    /// Builds a fault that hits the next call of an endpoint, once.
    #[must_use]
    pub fn new(endpoint: Endpoint, kind: FaultKind) -> Self {
        Self { endpoint, call: first_call(), times: once(), user: None, publish_id: None, kind }
    }

    /// Sets the first matching call to hit, counted from 1.
    #[must_use]
    pub fn at_call(mut self, call: u32) -> Self {
        self.call = call;
        self
    }

    /// Sets how many matching calls in a row to hit.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Hits every matching call until the fault is cleared.
    #[must_use]
    pub fn until_cleared(mut self) -> Self {
        self.times = None;
        self
    }

    /// Matches only this user's calls.
    #[must_use]
    pub fn for_user(mut self, user: OpenId) -> Self {
        self.user = Some(user);
        self
    }

    /// Matches only calls for this publish.
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

/// A fault that was injected, with its counts so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InjectedFault {
    /// The id by which the fault is cleared.
    pub id: u64,
    /// The fault as it was injected.
    pub fault: Fault,
    /// How many calls matched.
    pub matched: u32,
    /// How many of the matching calls were hit.
    pub fired: u32,
}

/// Every fault that was injected and not cleared.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    injected: Vec<InjectedFault>,
    last_id: u64,
}

/// A fault that hits the current call.
#[derive(Debug, Clone)]
pub(crate) struct FiredFault {
    pub(crate) id: u64,
    pub(crate) kind: FaultKind,
}

impl Faults {
    /// Injects a fault and returns its id. Ids are never reused, even after [`Faults::clear`].
    pub(crate) fn inject(&mut self, fault: Fault) -> u64 {
        self.last_id += 1;
        self.injected.push(InjectedFault { id: self.last_id, fault, matched: 0, fired: 0 });
        self.last_id
    }

    pub(crate) fn list(&self) -> &[InjectedFault] {
        &self.injected
    }

    pub(crate) fn clear(&mut self) {
        self.injected.clear();
    }

    /// Clears one fault. Returns false if no fault has this id.
    pub(crate) fn remove(&mut self, id: u64) -> bool {
        let before = self.injected.len();
        self.injected.retain(|fault| fault.id != id);
        self.injected.len() < before
    }

    pub(crate) fn contains(&self, id: u64) -> bool {
        self.injected.iter().any(|fault| fault.id == id)
    }

    /// Counts a call on every fault that matches it, and returns the fault that hits it, if any.
    pub(crate) fn fire_for_call(
        &mut self,
        endpoint: Endpoint,
        user: Option<&OpenId>,
        publish: Option<&PublishId>,
    ) -> Option<FiredFault> {
        let mut hit = None;
        for injected in &mut self.injected {
            let fault = &injected.fault;
            if !fault.matches(endpoint, user, publish) {
                continue;
            }
            injected.matched += 1;
            let due = injected.matched >= fault.call && fault.times.is_none_or(|times| injected.fired < times);
            if due && hit.is_none() {
                injected.fired += 1;
                hit = Some(FiredFault { id: injected.id, kind: fault.kind.clone() });
            }
        }
        hit
    }
}

fn first_call() -> u32 {
    1
}

#[expect(clippy::unnecessary_wraps, reason = "serde needs the default in the field's own type")]
fn once() -> Option<u32> {
    Some(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes upload calls. Returns for each whether a fault hit it.
    fn hits(faults: &mut Faults, calls: usize) -> Vec<bool> {
        let mut call = || faults.fire_for_call(Endpoint::Upload, None, None).is_some();
        (0..calls).map(|_| call()).collect()
    }

    #[test]
    fn fault_hits_only_the_requested_calls() {
        let mut faults = Faults::default();
        let fault = Fault::new(Endpoint::Upload, FaultKind::ResetBeforeBody);
        faults.inject(fault.at_call(2).times(2));
        assert_eq!(hits(&mut faults, 4), [false, true, true, false]);
        assert_eq!(faults.list()[0].matched, 4);
        assert_eq!(faults.list()[0].fired, 2);
    }

    #[test]
    fn unlimited_fault_hits_every_call_until_cleared() {
        let mut faults = Faults::default();
        let fault = Fault::new(Endpoint::Upload, FaultKind::ShortBody).until_cleared();
        let id = faults.inject(fault);
        assert_eq!(hits(&mut faults, 3), [true, true, true]);
        assert!(faults.remove(id));
        assert_eq!(hits(&mut faults, 1), [false]);
        assert!(!faults.remove(id));
    }

    #[test]
    fn fault_skips_other_users_and_endpoints() {
        let mut faults = Faults::default();
        let user = OpenId::new("o1");
        let fault = Fault::new(Endpoint::DirectInit, FaultKind::ShortBody);
        faults.inject(fault.for_user(user.clone()));
        let other = OpenId::new("o2");
        assert!(faults.fire_for_call(Endpoint::DirectInit, Some(&other), None).is_none());
        assert!(faults.fire_for_call(Endpoint::InboxInit, Some(&user), None).is_none());
        assert!(faults.fire_for_call(Endpoint::DirectInit, Some(&user), None).is_some());
    }

    #[test]
    fn fault_json_needs_an_endpoint_and_a_known_type() {
        let json = r#"{"endpoint":"upload","kind":{"type":"lose_answer"}}"#;
        let fault: Fault = serde_json::from_str(json).unwrap();
        assert_eq!((fault.call, fault.times), (1, Some(1)));
        assert_eq!(fault.kind.name(), "lose_answer");
        let misspelled = r#"{"endpoint":"upload","kind":{"type":"lost_answer"}}"#;
        assert!(serde_json::from_str::<Fault>(misspelled).is_err());
    }
}
