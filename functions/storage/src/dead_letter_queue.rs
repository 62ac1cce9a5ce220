//! A dead-letter queue: keeps what a function could not process, for a person.

use aws_sdk_sqs::Client;
use aws_types::SdkConfig;

use crate::aws::AwsError;

/// A dead-letter queue to which the function `notices` sends stream records that it cannot publish.
#[derive(Debug, Clone)]
pub struct DeadLetterQueue {
    client: Client,
    queue_url: String,
}

impl DeadLetterQueue {
    /// The largest message in bytes. SQS accepts 1 MiB, but a queue that was created before August 2025 accepts only
    /// this. <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
    pub const MAX_MESSAGE: usize = 256 * 1024;

    /// Uses the queue with this URL. The client is not part of [`Clients`](crate::Clients), because only the function
    /// `notices` needs it.
    pub fn new(config: &SdkConfig, queue_url: impl Into<String>) -> Self {
        Self { client: Client::new(config), queue_url: queue_url.into() }
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The call failed. If its disposition is to retry, the message may have been sent.
    pub async fn send(&self, message: &str) -> Result<(), AwsError> {
        let send = self.client.send_message().queue_url(&self.queue_url).message_body(message);
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

    #[tokio::test]
    async fn message_is_sent_and_failed_call_names_queue() {
        let denied = Reply::new(403, r#"{"__type":"AccessDeniedException"}"#);
        let script = [reply(Reply::new(200, r#"{"MessageId":"m-1"}"#)), reply(denied)];
        let server = ScriptedServer::start(script).await;
        let queue = DeadLetterQueue::new(&server.config().build(), "http://queue/notices-dlq");
        queue.send("{}").await.unwrap();
        let request = server.requests()[0].json();
        assert_eq!((&request["QueueUrl"], &request["MessageBody"]), (&"http://queue/notices-dlq".into(), &"{}".into()));
        let error = queue.send("{}").await.unwrap_err().to_string();
        assert!(error.contains("queue http://queue/notices-dlq") && error.contains("sqs:SendMessage"), "{error}");
    }
}
