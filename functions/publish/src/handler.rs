//! From a trigger to the use cases, and from their results to the answer.

use std::time::Duration;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use domain::failure::error_chain;
use domain::source::Arrival;
use domain::trace::TraceId;
use jiff::Timestamp;
use lambda_runtime::{Context, Error, LambdaEvent};
use posting::{Posting, Submitted, Worker};
use runtime::deadline::Deadline;
use serde_json::Value;
use triggers::{Trigger, WakeUp, WakeUps, read_body};

/// The time before the deadline at which work must be at rest: enough to ask
/// TikTok once more, refreshing a token on the way, and to store the answer.
const MARGIN: Duration = Duration::from_mins(1);

/// Handles one invocation.
///
/// # Errors
/// A bare event whose post could not be stored fails the invocation, so that
/// whoever sent it hears of it.
pub(crate) async fn handle(posting: &Posting, event: LambdaEvent<Value>) -> Result<Value, Error> {
    let worker = worker(&event.context, (posting.clock)());
    let trace = event.context.xray_trace_id.as_deref().and_then(TraceId::from_header);
    let bare = match Trigger::read(event.payload) {
        Ok(Trigger::Queue(event)) => {
            let mut response = SqsBatchResponse::default();
            response.batch_item_failures = queue(posting, &worker, event, trace.as_ref()).await;
            return Ok(serde_json::to_value(response)?);
        }
        Ok(Trigger::Event(calls)) => work(posting, &worker, calls, trace.as_ref()).await,
        Err(unknown) => Err(unknown.into()),
    };
    bare.inspect_err(|error| tracing::error!(error = error_chain(&**error), "event not taken"))?;
    Ok(Value::Null)
}

fn worker(context: &Context, since: Timestamp) -> Worker {
    let deadline: Timestamp = Deadline::from_epoch_ms(context.deadline).less(MARGIN);
    Worker { name: format!("publish/{}", context.request_id), since, deadline }
}

/// Works a batch; a message that failed is named, and will come again.
async fn queue(
    posting: &Posting,
    worker: &Worker,
    event: SqsEvent,
    invocation: Option<&TraceId>,
) -> Vec<BatchItemFailure> {
    let mut failures = Vec::new();
    for message in event.records {
        let id = message.message_id.clone().unwrap_or_default();
        let outcome = match read_body(message.body.as_deref().unwrap_or_default()) {
            Ok(calls) => {
                // Whoever put the message there may have been traced: a drop belongs to its trace.
                let sender = message.attributes.get("AWSTraceHeader").and_then(|header| TraceId::from_header(header));
                work(posting, worker, calls, sender.as_ref().or(invocation)).await
            }
            Err(unknown) => Err(unknown.into()),
        };
        if let Err(error) = outcome {
            tracing::error!(message.id = id, error = %error_chain(&*error), "message not taken: it will come again");
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = id;
            failures.push(failure);
        }
    }
    failures
}

/// Stores the posts of all calls, then works on them one after the other. A
/// post for which no time is left is stored and due, and so not lost; a call
/// that cannot be read keeps no other from being stored. The usual event has one
/// call, and nothing that would have to be stored before that is worked on.
async fn work(posting: &Posting, worker: &Worker, calls: WakeUps, trace: Option<&TraceId>) -> Result<(), Error> {
    let traced = |arrival| Arrival { trace: trace.cloned(), ..arrival };
    if let [Ok(WakeUp::Arrival(arrival))] = &calls[..] {
        return Ok(Box::pin(posting.take_up(&traced(arrival.clone()), worker)).await?);
    }
    let mut posts = Vec::new();
    let mut unread = None;
    for call in calls {
        match call {
            Ok(WakeUp::Post(id)) => posts.push(id),
            Ok(WakeUp::Arrival(arrival)) => match posting.submit(&traced(arrival)).await? {
                Submitted::Post(id) => posts.push(id),
                Submitted::Options(ids) => posts.extend(ids),
                Submitted::Nothing => {}
            },
            Err(unknown) => unread = Some(unknown),
        }
    }
    for id in posts {
        Box::pin(posting.upload(&id, worker)).await?;
    }
    unread.map_or(Ok(()), |unknown| Err(unknown.into()))
}
