//! The handler of `publish`: parses an event, stores and uploads its posts, and reports failed messages to SQS.

use std::time::Duration;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use domain::failure::error_chain;
use domain::source::Arrival;
use domain::trace::TraceId;
use lambda_runtime::{Context, Error, LambdaEvent};
use posting::{IgnoredObjects, Submit, Submitted, UploadWorker, Worker};
use runtime::deadline::Deadline;
use serde_json::Value;
use triggers::{Trigger, WakeUp, WakeUps, read_body};

/// How long before the invocation's end work must stop. The time suffices for one more call to TikTok, with a token
/// refresh before it, and for storing the answer. If it were too short, Lambda would stop the function between the two.
const MARGIN: Duration = Duration::from_mins(1);

/// The use cases of the function.
pub(crate) struct Publish {
    pub(crate) submit: Submit,
    pub(crate) ignored: IgnoredObjects,
    pub(crate) uploads: UploadWorker,
}

impl Publish {
    /// Handles one invocation.
    ///
    /// # Errors
    /// A bare event is invalid, or its work failed. The invocation fails, so that the sender of the event knows. A
    /// message of the queue is reported as a failed item of the batch instead.
    pub(crate) async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, Error> {
        let worker = worker_of(&event.context);
        let trace = event.context.xray_trace_id.as_deref().and_then(TraceId::from_header);
        let result = match Trigger::read(event.payload) {
            Ok(Trigger::Queue(event)) => {
                let mut response = SqsBatchResponse::default();
                response.batch_item_failures = self.work_batch(&worker, event, trace.as_ref()).await;
                return Ok(serde_json::to_value(response)?);
            }
            Ok(Trigger::Event(wake_ups)) => self.work(&worker, wake_ups, trace.as_ref()).await,
            Err(invalid) => Err(invalid.into()),
        };
        result.inspect_err(|error| tracing::error!(error = error_chain(&**error), "event not processed"))?;
        Ok(Value::Null)
    }

    /// Works on a batch of messages and returns those that failed. SQS delivers these again.
    async fn work_batch(
        &self,
        worker: &Worker,
        event: SqsEvent,
        invocation_trace: Option<&TraceId>,
    ) -> Vec<BatchItemFailure> {
        let mut failures = Vec::new();
        for message in event.records {
            let id = message.message_id.clone().unwrap_or_default();
            let result = match read_body(message.body.as_deref().unwrap_or_default()) {
                Ok(wake_ups) => {
                    // If the message's sender is traced, the post belongs to the sender's trace.
                    let header = message.attributes.get("AWSTraceHeader");
                    let sender_trace = header.and_then(|header| TraceId::from_header(header));
                    self.work(worker, wake_ups, sender_trace.as_ref().or(invocation_trace)).await
                }
                Err(invalid) => Err(invalid.into()),
            };
            if let Err(error) = result {
                let error = error_chain(&*error);
                tracing::error!(message.id = id, error, "message not processed: SQS will deliver it again");
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = id;
                failures.push(failure);
            }
        }
        failures
    }

    /// Stores the posts of all wake-ups, then uploads one post after the other. If no time is left for a post, `status`
    /// wakes it later, because it is stored and due. An invalid record, or an ignored object that cannot be reported, is
    /// an error only at the end, so that it does not stop the other records. The usual event has one new object, and takes the path with fewer calls.
    async fn work(&self, worker: &Worker, wake_ups: WakeUps, trace: Option<&TraceId>) -> Result<(), Error> {
        let traced = |arrival| Arrival { trace: trace.cloned(), ..arrival };
        if let [Ok(WakeUp::Arrival(arrival))] = &wake_ups[..] {
            let arrival = traced(arrival.clone());
            let ignored = self.submit.submit_and_upload(&arrival, &self.uploads, worker).await?;
            return match ignored {
                Some(ignored) => Ok(self.ignored.report(&ignored).await?),
                None => Ok(()),
            };
        }
        let (mut posts, mut ignored) = (Vec::new(), Vec::new());
        let mut failed: Option<Error> = None;
        for wake_up in wake_ups {
            match wake_up {
                Ok(WakeUp::Post(id)) => posts.push(id),
                Ok(WakeUp::Arrival(arrival)) => match self.submit.submit(&traced(arrival)).await? {
                    Submitted::Post(id) => posts.push(id),
                    Submitted::Options(ids) => posts.extend(ids),
                    Submitted::Ignored(object) => ignored.push(object),
                    Submitted::Nothing => {}
                },
                Err(invalid) => failed = Some(invalid.into()),
            }
        }
        for object in ignored {
            if let Err(error) = self.ignored.report(&object).await {
                failed = Some(error.into());
            }
        }
        for id in posts {
            self.uploads.upload(&id, worker).await?;
        }
        failed.map_or(Ok(()), Err)
    }
}

fn worker_of(context: &Context) -> Worker {
    let deadline = Deadline::from_epoch_ms(context.deadline).less(MARGIN);
    Worker { name: format!("publish/{}", context.request_id), since: runtime::clock::now(), deadline }
}
