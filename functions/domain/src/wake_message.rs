//! The wake queue's message: the id of a post to work on.
//!
//! It contains nothing else, because the posts table has the current state. `storage` sends the message and
//! `triggers` reads it; both use this module, so the formats cannot differ.

use serde::{Deserialize, Serialize};

use crate::identity::PostId;

/// The message.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WakeMessage {
    /// The post to work on.
    pub post_id: PostId,
}

/// Writes the message for a post. A post id has only ASCII letters and digits, so JSON needs no escapes.
pub fn message_of(id: &PostId) -> String {
    format!(r#"{{"post_id":"{id}"}}"#)
}

/// Reads the post id from a message; `None` if it is not a wake message.
pub fn post_of(message: &str) -> Option<PostId> {
    serde_json::from_str::<WakeMessage>(message).ok().map(|message| message.post_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::ObjectVersion;

    #[test]
    fn written_message_is_read_back() {
        let id = PostId::of_object("b", "drop/a.mp4", &ObjectVersion::Id("1".into()));
        assert_eq!(post_of(&message_of(&id)), Some(id));
    }

    #[test]
    fn other_messages_are_not_wake_messages() {
        for message in [
            "",
            "{}",
            r#"{"post_id":"x"}"#,
            r#"{"Records":[]}"#,
            r#"{"post_id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","Records":[]}"#,
        ] {
            assert_eq!(post_of(message), None, "{message}");
        }
    }
}
