//! Anything that wakes `publish`, and what follows from the keys in it.

use domain::drop_key::{DropKey, is_sidecar_of, sidecars_of, videos_prefix_of};
use domain::identity::{Alias, PostId};
use domain::source::{Arrival, ObjectVersion, Source};
use domain::wake_message;
use triggers::{Trigger, UnknownEvent, WakeUp, WakeUps, read_body};

use crate::words::hold_error;

/// Reads an input as the body of a message, and as the payload of an invocation.
pub fn event(input: &[u8]) {
    if let Ok(body) = str::from_utf8(input) {
        hold_all(read_body(body));
    }
    if let Ok(payload) = serde_json::from_slice(input) {
        match Trigger::read(payload) {
            Ok(Trigger::Event(calls)) => hold_all(Ok(calls)),
            Ok(Trigger::Queue(batch)) => {
                let bodies = batch.records.iter().map(|message| message.body.as_deref().unwrap_or_default());
                bodies.for_each(|body| hold_all(read_body(body)));
            }
            Err(unknown) => hold_error(&unknown),
        }
    }
}

fn hold_all(calls: Result<WakeUps, UnknownEvent>) {
    match calls {
        Ok(calls) => calls.iter().for_each(hold),
        Err(unknown) => hold_error(&unknown),
    }
}

fn hold(call: &Result<WakeUp, UnknownEvent>) {
    match call {
        Ok(WakeUp::WakeQueue(id)) => {
            assert_eq!(wake_message::post_of(&wake_message::message_of(id)).as_ref(), Some(id))
        }
        Ok(WakeUp::Arrival(arrival)) => hold_arrival(arrival),
        Err(unknown) => hold_error(unknown),
    }
}

/// A video's options are found from either side, its account is one that can be
/// kept, and its post has an id.
fn hold_arrival(arrival: &Arrival) {
    let key = arrival.key.as_str();
    let DropKey::Video { account } = DropKey::parse(key) else {
        return;
    };
    for sidecar in sidecars_of(key) {
        assert!(is_sidecar_of(&sidecar, key), "{sidecar:?} is beside {key:?}");
        assert!(key.starts_with(videos_prefix_of(&sidecar)), "{key:?} is listed for {sidecar:?}");
        assert_eq!(DropKey::parse(&sidecar), DropKey::Sidecar);
    }
    if let Some(alias) = account {
        assert_eq!(Alias::new(alias.as_str()).as_ref(), Ok(&alias), "as it was kept");
    }
    if let Some(version) = ObjectVersion::from_parts(arrival.version_id.as_deref(), arrival.etag.as_deref()) {
        let source = Source { bucket: arrival.bucket.clone(), key: arrival.key.clone(), version };
        let id = source.post_id();
        assert_eq!(PostId::new(id.as_str()), Ok(id));
    }
}
