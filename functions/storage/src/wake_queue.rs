//! The wake queue: the sender of messages that make Lambda invoke `publish` for a post.
//!
//! The wake queue is the intake queue (`IntakeQueue` in `template.yaml`), which also receives S3's notifications.
//! `domain::wake_message` defines the message.
//!
//! A message that is delivered twice, late or never does no harm. The posts table decides what is due, and the
//! function `status` finds due posts without a message.

use aws_sdk_sqs::Client;
use domain::identity::PostId;
use domain::wake_message::message_of;

use crate::aws::AwsError;
use crate::clients::Lazy;

/// The wake queue.
#[derive(Debug, Clone)]
pub struct WakeQueue {
    client: Lazy<Client>,
    queue_url: String,
}

impl WakeQueue {
    /// Uses the queue with this URL.
    pub fn new(client: impl Into<Lazy<Client>>, queue_url: impl Into<String>) -> Self {
        Self { client: client.into(), queue_url: queue_url.into() }
    }

    /// Sends a message that makes a worker work on a post soon.
    ///
    /// # Errors
    /// The call failed. If its disposition is to retry, the message may have been sent.
    pub async fn wake(&self, id: &PostId) -> Result<(), AwsError> {
        let send = self.client.send_message().queue_url(&self.queue_url).message_body(message_of(id));
        send.send().await.map(|_| ()).map_err(|error| {
            let resource = format!("queue {}", self.queue_url);
            AwsError::of("SQS SendMessage", &resource, "sqs:SendMessage on the queue", &error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_aws::{Reply, ScriptedAws, ScriptedServer, reply};
    use domain::source::ObjectVersion;
    use domain::wake_message::post_of;

    fn id() -> PostId {
        PostId::of_object("b", "drop/a.mp4", &ObjectVersion::Id("1".into()))
    }

    fn queue(server: &ScriptedServer) -> WakeQueue {
        WakeQueue::new(server.clients().sqs, "http://queue/intake")
    }

    #[tokio::test]
    async fn message_names_the_post() {
        let server = ScriptedServer::start([reply(Reply::new(200, r#"{"MessageId":"m-1"}"#))]).await;
        queue(&server).wake(&id()).await.unwrap();
        let request = server.requests()[0].json();
        assert_eq!(request["QueueUrl"], "http://queue/intake");
        assert_eq!(post_of(request["MessageBody"].as_str().unwrap()), Some(id()));
    }

    #[tokio::test]
    async fn failed_call_names_queue_and_cause() {
        let table = [
            (Reply::new(400, r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist"}"#), "does not exist"),
            (Reply::new(403, r#"{"__type":"AccessDeniedException"}"#), "sqs:SendMessage on the queue"),
            (Reply::new(500, "{}"), "is unavailable"),
        ];
        for (response, expected) in table {
            let server = ScriptedServer::start([reply(response)]).await;
            let error = queue(&server).wake(&id()).await.unwrap_err().to_string();
            assert!(error.contains("queue http://queue/intake") && error.contains(expected), "{error}");
        }
    }
}
