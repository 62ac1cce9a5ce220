//! The bell: a queue that is told which post somebody should work on, in the
//! words of [`domain::wake_message`].
//!
//! A bell that rings twice, late or not at all does no harm: the table is the
//! truth.

use aws_sdk_sqs::Client;
use domain::failure::Disposition;
use domain::identity::PostId;
use domain::wake_message::message_of;

use crate::aws::{AFTER_OUTAGE, AwsError, Kind};
use crate::clients::Lazy;

/// The queue that rings.
#[derive(Debug, Clone)]
pub struct WakeQueue {
    client: Lazy<Client>,
    queue_url: String,
}

impl WakeQueue {
    /// Takes the queue by its URL.
    #[must_use]
    pub fn new(client: impl Into<Lazy<Client>>, queue_url: impl Into<String>) -> Self {
        Self { client: client.into(), queue_url: queue_url.into() }
    }

    /// Has somebody look at a post, soon.
    pub async fn wake(&self, id: &PostId) -> Result<(), WakeError> {
        let body = message_of(id);
        let sent = self.client.send_message().queue_url(&self.queue_url).message_body(body).send().await;
        sent.map(|_| ()).map_err(|error| self.error(AwsError::of("SQS SendMessage", &error)))
    }

    fn error(&self, source: AwsError) -> WakeError {
        let queue = self.queue_url.clone();
        match source.kind() {
            Kind::Unavailable => WakeError::Unavailable { queue, source },
            Kind::Denied => WakeError::Denied { queue, source },
            Kind::Missing => WakeError::NoQueue { queue, source },
            Kind::Condition | Kind::Refused => WakeError::Refused { queue, source },
        }
    }
}

/// The bell could not be rung.
#[derive(Debug, thiserror::Error)]
pub enum WakeError {
    /// SQS is throttling, down, or did not answer. The bell may have rung.
    #[error("queue {queue} cannot be reached now")]
    Unavailable {
        /// The queue.
        queue: String,
        /// What AWS said.
        #[source]
        source: AwsError,
    },
    /// The function's role is not enough.
    #[error("queue {queue} is closed to this function: grant its role sqs:SendMessage on the queue")]
    Denied {
        /// The queue.
        queue: String,
        /// What AWS said.
        #[source]
        source: AwsError,
    },
    /// There is no such queue.
    #[error("there is no queue {queue}: deploy the stack, or correct the queue's URL")]
    NoQueue {
        /// The queue.
        queue: String,
        /// What AWS said.
        #[source]
        source: AwsError,
    },
    /// SQS does not take the message as it is.
    #[error("queue {queue} refused the message")]
    Refused {
        /// The queue.
        queue: String,
        /// What AWS said.
        #[source]
        source: AwsError,
    },
}

impl WakeError {
    /// What to do about it.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Unavailable { .. } => Disposition::Retry { after: AFTER_OUTAGE },
            Self::Denied { .. } | Self::NoQueue { .. } => Disposition::NeedsUser,
            Self::Refused { .. } => Disposition::GiveUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_server::{Answer, ScriptedServer, say};
    use domain::source::ObjectVersion;
    use domain::wake_message::post_of;

    fn id() -> PostId {
        PostId::of_object("b", "drop/a.mp4", &ObjectVersion::Id("1".into()))
    }

    #[tokio::test]
    async fn what_rings_is_heard() {
        let server = ScriptedServer::start([say(Answer::new(200, r#"{"MessageId":"m-1"}"#))]).await;
        WakeQueue::new(server.sqs(), "http://queue/intake").wake(&id()).await.unwrap();
        let asked = server.requests()[0].json();
        assert_eq!(asked["QueueUrl"], "http://queue/intake");
        assert_eq!(post_of(asked["MessageBody"].as_str().unwrap()), Some(id()));
    }

    #[tokio::test]
    async fn a_bell_that_cannot_be_rung_says_why() {
        let table = [
            (Answer::new(400, r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist"}"#), "there is no queue"),
            (Answer::new(403, r#"{"__type":"AccessDeniedException"}"#), "sqs:SendMessage"),
            (Answer::new(500, "{}"), "cannot be reached"),
        ];
        for (answer, named) in table {
            let server = ScriptedServer::start([say(answer)]).await;
            let error = WakeQueue::new(server.sqs(), "http://queue/intake").wake(&id()).await.unwrap_err();
            assert!(error.to_string().contains(named), "{error}");
        }
    }
}
