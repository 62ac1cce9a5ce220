//! The event that Dropcast publishes to EventBridge when it ignores a dropped object, and the tags of such an object.
//!
//! `events/notices` has the schema and an example. No post exists, so the event is not derived from the posts table:
//! `publish` sends it (`posting/src/ignored_objects.rs`). If S3 repeats its own event, this one is repeated too. Both
//! have the same `source`.

use jiff::Timestamp;
use serde::Serialize;

use crate::drop_key::Ignored;
use crate::post_event::EventSource;
use crate::source::Source;

/// EventBridge's `detail-type`.
pub const DETAIL_TYPE: &str = "Drop Ignored";
/// The version of the schema. It is raised when a field is removed or changes its meaning, not when one is added.
pub const VERSION: u32 = 1;

/// An object that was ignored, and which a person is told about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnoredObject {
    /// The object.
    pub source: Source,
    /// Why it is ignored.
    pub why: Ignored,
    /// When it was dropped.
    pub dropped_at: Timestamp,
}

/// The event, which is EventBridge's `detail`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DropIgnored {
    version: u32,
    stack: String,
    at: Timestamp,
    source: EventSource,
    dropped_at: Timestamp,
    code: &'static str,
    message: String,
    advice: &'static str,
}

impl IgnoredObject {
    /// The event about the object. `stack` is the name of the stack, and `at` is now.
    pub fn event(&self, stack: &str, at: Timestamp) -> DropIgnored {
        DropIgnored {
            version: VERSION,
            stack: stack.to_owned(),
            at,
            source: EventSource::of(&self.source),
            dropped_at: self.dropped_at,
            code: self.why.code(),
            message: self.why.to_string(),
            advice: self.why.advice(),
        }
    }

    /// The tags of the object: names and values.
    pub fn tags(&self) -> [(&'static str, String); 2] {
        [("dropcast:state", "ignored".to_owned()), ("dropcast:reason", self.why.to_string())]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::source::ObjectVersion;

    const REPORTED: [Ignored; 3] = [Ignored::Extension, Ignored::NoPost, Ignored::PostClosed];

    fn ignored(why: Ignored) -> IgnoredObject {
        let version = ObjectVersion::Id("v1".into());
        let source = Source { bucket: "dropcast-intake-1a2b3c".into(), key: "drop/anna/clip.avi".into(), version };
        IgnoredObject { source, why, dropped_at: "2026-06-01T12:00:00Z".parse().unwrap() }
    }

    #[test]
    fn event_of_ignored_drop_equals_its_example() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/notices/drop-ignored.json");
        let example: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let event = ignored(Ignored::Extension).event("dropcast", "2026-06-01T12:00:01Z".parse().unwrap());
        assert_eq!(serde_json::to_value(event).unwrap(), example["detail"]);
        assert_eq!(example["detail-type"], DETAIL_TYPE);
    }

    #[test]
    fn reported_reason_has_advice_and_valid_tag() {
        for why in REPORTED {
            assert!(!why.is_silent() && why.advice().ends_with('.'), "{why}");
            for (name, value) in ignored(why).tags() {
                let is_allowed = |c: char| c.is_ascii_alphanumeric() || " +-=._:/@".contains(c);
                assert!(name.chars().all(is_allowed) && value.chars().all(is_allowed), "{value}");
            }
        }
        for why in [Ignored::Elsewhere, Ignored::Folder, Ignored::Hidden] {
            assert!(why.is_silent() && why.advice().is_empty(), "{why}");
        }
    }
}
