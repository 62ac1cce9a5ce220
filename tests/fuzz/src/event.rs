//! Fuzz target `event`: events that invoke `publish`, and the object keys in them.
//!
//! Properties: a wake message names its post; a video and its sidecars find each
//! other; an account's alias and a post's id are equal after they are read back; an
//! error is one short line.

use domain::drop_key::{DropKey, MAX_KEY_BYTES, sidecar};
use domain::identity::{Alias, PostId};
use domain::source::{Arrival, ObjectVersion, Source};
use domain::wake_message;
use triggers::{EventError, Trigger, WakeUp, WakeUps, read_body};

use crate::checks::check_error;

/// Reads an input as the body of a queue message, and as the payload of an invocation.
pub fn event(input: &[u8]) {
    if let Ok(body) = str::from_utf8(input) {
        check_wake_ups(read_body(body));
    }
    if let Ok(payload) = serde_json::from_slice(input) {
        match Trigger::read(payload) {
            Ok(Trigger::Event(wake_ups)) => check_wake_ups(Ok(wake_ups)),
            Ok(Trigger::Queue(batch)) => {
                let bodies = batch.records.iter().map(|message| message.body.as_deref().unwrap_or_default());
                bodies.for_each(|body| check_wake_ups(read_body(body)));
            }
            Err(unknown) => check_error(&unknown),
        }
    }
}

fn check_wake_ups(wake_ups: Result<WakeUps, EventError>) {
    match wake_ups {
        Ok(wake_ups) => wake_ups.iter().for_each(check_wake_up),
        Err(unknown) => check_error(&unknown),
    }
}

fn check_wake_up(wake_up: &Result<WakeUp, EventError>) {
    match wake_up {
        Ok(WakeUp::Post(id)) => {
            assert_eq!(wake_message::post_of(&wake_message::message_of(id)).as_ref(), Some(id));
        }
        Ok(WakeUp::Arrival(arrival)) => check_arrival(arrival),
        Err(unknown) => check_error(unknown),
    }
}

/// Checks a new object: a video and its sidecars find each other, the account's
/// alias can be read back from storage, and the post's id is valid.
fn check_arrival(arrival: &Arrival) {
    let key = arrival.key.as_str();
    let DropKey::Video { account } = DropKey::parse(key) else {
        return;
    };
    for sidecar_key in sidecar::keys_of(key) {
        assert!(sidecar::belongs_to(&sidecar_key, key), "{sidecar_key:?} is not found as a sidecar of {key:?}");
        let prefixes = sidecar::video_prefixes_of(&sidecar_key);
        // A key that mixes both Unicode forms is found only by its own sidecar's event.
        let is_listed = prefixes.iter().any(|prefix| key.starts_with(prefix));
        assert!(is_listed || !key.is_ascii(), "no prefix of {sidecar_key:?} lists {key:?}");
        assert_eq!(DropKey::parse(&sidecar_key), DropKey::Sidecar);
        assert!(sidecar_key.len() <= MAX_KEY_BYTES);
    }
    if let Some(alias) = account {
        assert_eq!(Alias::of_folder(alias.as_str()), alias, "the alias changes when it is read back");
        assert_eq!(Alias::new(alias.as_str()).is_ok(), alias.is_valid(), "{alias:?}");
    }
    if let Some(version) = ObjectVersion::from_parts(arrival.version_id.as_deref(), arrival.etag.as_deref()) {
        let source = Source { bucket: arrival.bucket.clone(), key: arrival.key.clone(), version };
        let id = source.post_id();
        assert_eq!(PostId::new(id.as_str()), Ok(id));
    }
}
