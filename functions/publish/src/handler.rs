//! Translates a trigger into calls of the use cases, and their results into the answer.

use std::time::Duration;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use domain::failure::error_chain;
use domain::source::Arrival;
use domain::trace::TraceId;
use lambda_runtime::{Context, Error, LambdaEvent};
use posting::{Submit, Submitted, UploadWorker, Worker};
use runtime::deadline::Deadline;
use serde_json::Value;
use triggers::{Trigger, WakeUp, WakeUps, read_body};

/// The time before the invocation's end at which work must stop. It is enough to ask TikTok once more, with a token
/// refresh on the way, and to store the answer.
const MARGIN: Duration = Duration::from_mins(1);

/// The use cases of the function.
pub(crate) struct Publish {
    pub(crate) submit: Submit,
    pub(crate) uploads: UploadWorker,
}

impl Publish {
    /// Handles one invocation.
    ///
    /// # Errors
    /// The post of a bare event could not be stored. The invocation fails, so that its sender knows. A message of the
    /// queue is reported as a failed item of the batch instead.
    pub(crate) async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, Error> {
        let worker = worker(&event.context);
        let trace = event.context.xray_trace_id.as_deref().and_then(TraceId::from_header);
        let done = match Trigger::read(event.payload) {
            Ok(Trigger::Queue(event)) => {
                let mut response = SqsBatchResponse::default();
                response.batch_item_failures = self.work_batch(&worker, event, trace.as_ref()).await;
                return Ok(serde_json::to_value(response)?);
            }
            Ok(Trigger::Event(wake_ups)) => self.work(&worker, wake_ups, trace.as_ref()).await,
            Err(unknown) => Err(unknown.into()),
        };
        done.inspect_err(|error| tracing::error!(error = error_chain(&**error), "event not processed"))?;
        Ok(Value::Null)
    }

    /// Works on a batch of messages. SQS delivers the returned ones again.
    async fn work_batch(
        &self,
        worker: &Worker,
        event: SqsEvent,
        invocation: Option<&TraceId>,
    ) -> Vec<BatchItemFailure> {
        let mut failures = Vec::new();
        for message in event.records {
            let id = message.message_id.clone().unwrap_or_default();
            let done = match read_body(message.body.as_deref().unwrap_or_default()) {
                Ok(wake_ups) => {
                    // If the message's sender is traced, the post belongs to the sender's trace.
                    let header = message.attributes.get("AWSTraceHeader");
                    let sender = header.and_then(|header| TraceId::from_header(header));
                    self.work(worker, wake_ups, sender.as_ref().or(invocation)).await
                }
                Err(unknown) => Err(unknown.into()),
            };
            if let Err(error) = done {
                let error = error_chain(&*error);
                tracing::error!(message.id = id, error, "message not processed: SQS will deliver it again");
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = id;
                failures.push(failure);
            }
        }
        failures
    }

    /// Stores the posts of all wake-ups, then works on one after the other. If no time is left for a post, it is stored
    /// and due, so it is not lost. A wake-up that cannot be read does not stop the others. The usual event has one
    /// wake-up.
    async fn work(&self, worker: &Worker, wake_ups: WakeUps, trace: Option<&TraceId>) -> Result<(), Error> {
        let traced = |arrival| Arrival { trace: trace.cloned(), ..arrival };
        if let [Ok(WakeUp::Arrival(arrival))] = &wake_ups[..] {
            return Ok(self.submit.submit_and_upload(&traced(arrival.clone()), &self.uploads, worker).await?);
        }
        let mut posts = Vec::new();
        let mut unread = None;
        for wake_up in wake_ups {
            match wake_up {
                Ok(WakeUp::Post(id)) => posts.push(id),
                Ok(WakeUp::Arrival(arrival)) => match self.submit.submit(&traced(arrival)).await? {
                    Submitted::Post(id) => posts.push(id),
                    Submitted::Options(ids) => posts.extend(ids),
                    Submitted::Nothing => {}
                },
                Err(unknown) => unread = Some(unknown),
            }
        }
        for id in posts {
            self.uploads.upload(&id, worker).await?;
        }
        unread.map_or(Ok(()), |unknown| Err(unknown.into()))
    }
}

fn worker(context: &Context) -> Worker {
    let deadline = Deadline::from_epoch_ms(context.deadline).less(MARGIN);
    Worker { name: format!("publish/{}", context.request_id), since: runtime::clock::now(), deadline }
}
