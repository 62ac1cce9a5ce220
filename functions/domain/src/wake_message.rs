//! The bell's message: which post somebody should work on.
//!
//! It carries no more than the post's id, since the table is the truth. Written
//! and read here, so that the two cannot come apart; what rings is `storage`'s.

use serde::{Deserialize, Serialize};

use crate::identity::PostId;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ring {
    post_id: PostId,
}

/// The message about a post. An id is plain ASCII letters and digits, so that it
/// stands in JSON as it is.
#[must_use]
pub fn message_of(id: &PostId) -> String {
    format!(r#"{{"post_id":"{id}"}}"#)
}

/// Reads which post a message is about; none, where it is not a bell's.
#[must_use]
pub fn post_of(message: &str) -> Option<PostId> {
    serde_json::from_str::<Ring>(message).ok().map(|ring| ring.post_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::ObjectVersion;

    #[test]
    fn what_rings_is_heard() {
        let id = PostId::of_object("b", "drop/a.mp4", &ObjectVersion::Id("1".into()));
        assert_eq!(post_of(&message_of(&id)), Some(id));
    }

    #[test]
    fn a_message_of_another_kind_is_no_bell() {
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
