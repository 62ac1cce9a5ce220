//! The handler of one PUT to an upload URL, from its headers to its answer. The body passes through and is not stored.
//!
//! At most one network read of the body is in memory. If the client disconnects before the last byte, the upload is
//! unchanged.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::request::Parts;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt;

use crate::api::CallOutcome;
use crate::call::ApiCall;
use crate::clock::after_ms;
use crate::connection::{ConnectionHandle, Termination};
use crate::endpoint::Endpoint;
use crate::envelope::{ApiError, Reply, Rule};
use crate::fault_actions::{FaultOutcome, FaultTarget, unsent_response};
use crate::faults::{FaultKind, FiredFault};
use crate::ids::{OpenId, PublishId};
use crate::ledger::ChunkOutcome;
use crate::publish::PublishState;
use crate::server::{finish_call, log_call};
use crate::shared::SharedWorld;

use super::UploadError;
use super::headers::UploadHeaders;
use super::transfer::{ActiveTransfer, ChunkReceiver};

/// How long a PUT waits for an earlier PUT to the same URL, whose client may just have disconnected.
const EARLIER_PUT_TIMEOUT: Duration = Duration::from_millis(500);
const EARLIER_PUT_CHECK_INTERVAL: Duration = Duration::from_millis(5);
/// How many bytes of a refused body are read before the answer is sent, at most.
const MAX_DRAINED_BYTES: u64 = 256_000_000;

/// Answers a PUT.
pub(crate) async fn serve(
    shared: Arc<SharedWorld>,
    connection: ConnectionHandle,
    parts: Parts,
    body: Body,
) -> Response {
    let call = ApiCall::new(Endpoint::Upload, &parts, Bytes::new());
    let headers = UploadHeaders::read(&parts.headers);
    let (user, publish_id, fault) = match_call(&shared, &call);
    let outcome = |reply, code: &str| CallOutcome {
        reply,
        code: code.to_owned(),
        user: user.clone(),
        publish_id: publish_id.clone(),
    };
    if let Some(fired) = &fault {
        let target = FaultTarget { endpoint: Endpoint::Upload, bearer: None, publish_id: publish_id.as_ref() };
        match fired.apply_before(&shared, &connection, target).await {
            // Before the body is read: the last chunk starts the processing, which may end at once with this failure.
            FaultOutcome::Continue => fired.force_failure(&shared, publish_id.as_ref()),
            FaultOutcome::Reply(reply) => {
                drain(body.into_data_stream()).await;
                return finish_call(&shared, &connection, &call, Some(fired), outcome(reply, "fault")).await;
            }
            FaultOutcome::Disconnected => {
                log_call(&shared, &call, Some(fired), &outcome(Reply::default(), "disconnected"), None);
                return unsent_response();
            }
        }
    }
    let Some((reply, code)) = receive(&shared, &connection, &call, &headers, body, fault.as_ref()).await else {
        log_call(&shared, &call, fault.as_ref(), &outcome(Reply::default(), "disconnected"), None);
        return unsent_response();
    };
    finish_call(&shared, &connection, &call, fault.as_ref(), outcome(reply, code)).await
}

/// Finds the user and publish of the upload, and the fault that hits this call.
fn match_call(shared: &SharedWorld, call: &ApiCall) -> (Option<OpenId>, Option<PublishId>, Option<FiredFault>) {
    let mut world = shared.lock();
    let index = url_parameters(call).and_then(|(id, token)| world.find_upload(id, token));
    let publish = index.map(|index| &world.publishes[index]);
    let user = publish.map(|publish| publish.user.clone());
    let publish_id = publish.map(|publish| publish.id.clone());
    let fault = world.faults.fire_for_call(Endpoint::Upload, user.as_ref(), publish_id.as_ref());
    (user, publish_id, fault)
}

fn url_parameters(call: &ApiCall) -> Option<(&str, &str)> {
    Some((call.query.one("upload_id")?, call.query.one("upload_token")?))
}

/// Receives a chunk. Returns the answer and the code for the log, or `None` if the connection ended first.
async fn receive(
    shared: &Arc<SharedWorld>,
    connection: &ConnectionHandle,
    call: &ApiCall,
    headers: &UploadHeaders,
    body: Body,
    fault: Option<&FiredFault>,
) -> Option<(Reply, &'static str)> {
    let mut body = body.into_data_stream();
    let mut transfer = match begin(shared, connection, call, headers).await {
        Ok(transfer) => transfer,
        Err(error) => {
            record_violation(shared, call, &error);
            drain(body).await;
            return Some((error.reply, error.code));
        }
    };
    let fault = fault.map(|fired| &fired.kind);
    while let Some(frame) = body.next().await {
        // A body that fails has lost its connection, so there is no client to answer.
        let frame = frame.ok()?;
        let receiver = transfer.receiver.as_mut()?;
        receiver.update(&frame);
        if let Some(FaultKind::ResetInBody { after_bytes }) = fault
            && receiver.bytes() >= *after_bytes
        {
            connection.terminate(Termination::Reset);
            return None;
        }
    }
    if matches!(fault, Some(FaultKind::ResetAfterBody)) {
        transfer.outcome_if_dropped = ChunkOutcome::Discarded;
        connection.terminate(Termination::Reset);
        return None;
    }
    transfer.finish()
}

/// Begins the transfer of the declared chunk, as soon as no other transfer of this upload is active.
///
/// If an earlier transfer is active, its client may have disconnected without the server having noticed yet. So this
/// waits up to [`EARLIER_PUT_TIMEOUT`] for it. An earlier transfer that then ends with all its bytes, or does not end in
/// time, means that the client sent two chunks at once, which is a violation.
async fn begin(
    shared: &Arc<SharedWorld>,
    connection: &ConnectionHandle,
    call: &ApiCall,
    headers: &UploadHeaders,
) -> Result<TransferGuard, UploadError> {
    if !Endpoint::Upload.methods().contains(&call.method.as_str()) {
        return Err(UploadError::new(405, "method").violating(Rule::Method, ApiError::method_not_allowed().message));
    }
    headers.check_credentials()?;
    let parallel = || {
        let message = "Two chunks of one upload were sent at the same time.";
        UploadError::new(416, "parallel").violating(Rule::Parallel, message)
    };
    let deadline = tokio::time::Instant::now() + EARLIER_PUT_TIMEOUT;
    let mut earlier: Option<ActiveTransfer> = None;
    loop {
        {
            let mut world = shared.lock();
            let settings = world.settings.clone();
            let now = world.clock.now();
            let unknown_upload = || UploadError::new(settings.unknown_upload_http_status, "unknown_upload");
            let found = url_parameters(call).and_then(|(id, token)| world.find_upload(id, token));
            let index = found.ok_or_else(unknown_upload)?;
            let publish = &mut world.publishes[index];
            // TikTok does not know the URL of a failed publish. If it has expired too, `Upload::begin` answers 403.
            if matches!(publish.state, PublishState::Failed { .. }) && publish.upload.expires_at > now {
                return Err(unknown_upload());
            }
            let active = publish.upload.active.as_ref().filter(|active| !active.is_abandoned());
            if active.is_some() {
                earlier = active.cloned();
            } else if earlier.is_some_and(|earlier| earlier.is_whole()) {
                return Err(parallel());
            } else {
                let transfer = ActiveTransfer::new(connection.clone());
                let receiver = publish.upload.begin(headers, transfer, &settings, now)?;
                return Ok(TransferGuard {
                    shared: Arc::clone(shared),
                    index,
                    publish_id: publish.id.clone(),
                    receiver: Some(receiver),
                    outcome_if_dropped: ChunkOutcome::Aborted,
                });
            }
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(parallel());
        }
        tokio::time::sleep(EARLIER_PUT_CHECK_INTERVAL).await;
    }
}

/// Writes a refused PUT into the ledger, if the client broke a rule.
fn record_violation(shared: &SharedWorld, call: &ApiCall, error: &UploadError) {
    let Some((rule, message)) = error.violation.clone() else {
        return;
    };
    let mut world = shared.lock();
    let index = url_parameters(call).and_then(|(id, token)| world.find_upload(id, token));
    let publish = index.map(|index| &world.publishes[index]);
    let user = publish.map(|publish| publish.user.clone());
    let publish_id = publish.map(|publish| publish.id.clone());
    world.record_violation(Endpoint::Upload, rule, user, publish_id, message);
}

/// Reads and discards a refused body: a client may read the answer only after it has sent its whole body.
async fn drain(mut body: BodyDataStream) {
    let mut drained = 0;
    while let Some(Ok(frame)) = body.next().await {
        drained += frame.len() as u64;
        if drained > MAX_DRAINED_BYTES {
            return;
        }
    }
}

/// The guard of a transfer in progress. If it is dropped before [`TransferGuard::finish`], the ledger records
/// `outcome_if_dropped`. Hyper drops the handler's future, and with it the guard, when the client disconnects.
struct TransferGuard {
    shared: Arc<SharedWorld>,
    /// The publish's index in `World::publishes`.
    index: usize,
    publish_id: PublishId,
    /// None after [`TransferGuard::finish`].
    receiver: Option<ChunkReceiver>,
    outcome_if_dropped: ChunkOutcome,
}

impl TransferGuard {
    /// Ends the transfer after the end of the body. Returns the answer and its code for the log; `None` if a reset of
    /// the world has removed the publish.
    fn finish(mut self) -> Option<(Reply, &'static str)> {
        let receiver = self.receiver.take()?;
        let mut world = self.shared.lock();
        let settings = world.settings.clone();
        let now = world.clock.now();
        let publish = world.publishes.get_mut(self.index).filter(|publish| publish.id == self.publish_id)?;
        if !receiver.is_whole() {
            publish.upload.end(receiver, ChunkOutcome::Aborted, now);
            return Some((Reply::empty(400), "short"));
        }
        if receiver.is_repeated() {
            let same_bytes = publish.upload.repeats_same_bytes(&receiver);
            publish.upload.end(receiver, ChunkOutcome::Repeated, now);
            let reply = publish.upload.repeated_reply(&settings);
            let (user, publish_id) = (Some(publish.user.clone()), Some(publish.id.clone()));
            if !same_bytes {
                // `Rule::Range` includes other bytes for an accepted range.
                let message = "A chunk was sent again with other bytes.".to_owned();
                world.record_violation(Endpoint::Upload, Rule::Range, user, publish_id, message);
            }
            return Some((reply, "repeated"));
        }
        if publish.upload.end(receiver, ChunkOutcome::Accepted, now) != ChunkOutcome::Accepted {
            return Some((Reply::empty(403), "url_expired"));
        }
        let reply = publish.upload.accepted_reply(&settings);
        let is_complete = publish.upload.is_complete();
        if is_complete && publish.state == PublishState::Uploading {
            publish.state = PublishState::Processing { until: after_ms(now, settings.processing_ms) };
        }
        Some((reply, if is_complete { "complete" } else { "accepted" }))
    }
}

impl Drop for TransferGuard {
    fn drop(&mut self) {
        let Some(receiver) = self.receiver.take() else {
            return;
        };
        let mut world = self.shared.lock();
        let now = world.clock.now();
        let publish = world.publishes.get_mut(self.index);
        if let Some(publish) = publish.filter(|publish| publish.id == self.publish_id) {
            publish.upload.end(receiver, self.outcome_if_dropped, now);
        }
    }
}
