//! A PUT from its first header to its answer, with the body passing through.
//!
//! Holds one network read of the body at a time. A client that hangs up, at any
//! point, leaves the upload as it was before the PUT.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::request::Parts;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt;

use crate::api::Answer;
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::envelope::{Refusal, Reply, Rule};
use crate::faults::{Fired, Trouble};
use crate::ids::{OpenId, PublishId};
use crate::ledger::ChunkOutcome;
use crate::post::Life;
use crate::server::{conclude, record};
use crate::stage::Stage;
use crate::trouble::{Target, Then, no_answer};
use crate::wire::{Cut, Wire};

use super::UploadRefusal;
use super::headers::UploadHeaders;
use super::receiving::{InFlight, Receiving};

/// How long an earlier PUT to the same URL may take to notice that its client is gone.
const GRACE: Duration = Duration::from_millis(500);
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// The longest body that is read to its end although it was refused, in bytes.
const POLITENESS: u64 = 256_000_000;

/// Answers a PUT.
pub(crate) async fn serve(stage: Arc<Stage>, wire: Wire, parts: Parts, body: Body) -> Response {
    let call = Call::new(Endpoint::Upload, &parts, Bytes::new());
    let headers = UploadHeaders::read(&parts.headers);
    let (user, publish_id, fault) = meet(&stage, &call);
    if let Some(fired) = &fault {
        let target = Target { endpoint: Endpoint::Upload, bearer: None, publish_id: publish_id.as_ref() };
        let fell = |reply, code: &str| Answer {
            reply,
            code: code.to_owned(),
            user: user.clone(),
            publish_id: publish_id.clone(),
        };
        match fired.before(&stage, &wire, target).await {
            Then::GoOn => fired.doom(&stage, publish_id.as_ref()),
            Then::Answer(reply) => {
                drain(body.into_data_stream()).await;
                let answer = fell(reply, "fault");
                return conclude(&stage, &wire, &call, Some(fired), answer).await;
            }
            Then::Gone => {
                let answer = fell(Reply::default(), "cut");
                record(&stage, &call, Some(fired), &answer, None);
                return no_answer();
            }
        }
    }
    let answer = receive(&stage, &wire, &call, &headers, body, fault.as_ref()).await;
    let Some((reply, code)) = answer else {
        let answer = Answer { reply: Reply::default(), code: "cut".to_owned(), user, publish_id };
        record(&stage, &call, fault.as_ref(), &answer, None);
        return no_answer();
    };
    let answer = Answer { reply, code: code.to_owned(), user, publish_id };
    conclude(&stage, &wire, &call, fault.as_ref(), answer).await
}

/// Finds whose upload it is, and the fault that befalls it.
fn meet(stage: &Stage, call: &Call) -> (Option<OpenId>, Option<PublishId>, Option<Fired>) {
    let mut world = stage.world();
    let index = named(call).and_then(|(id, token)| world.find_upload(id, token));
    let post = index.map(|index| &world.posts[index]);
    let user = post.map(|post| post.user.clone());
    let publish_id = post.map(|post| post.id.clone());
    let fault = world.faults.meet(Endpoint::Upload, user.as_ref(), publish_id.as_ref());
    (user, publish_id, fault)
}

fn named(call: &Call) -> Option<(&str, &str)> {
    Some((call.query.one("upload_id")?, call.query.one("upload_token")?))
}

/// Takes in a chunk; none if the connection ended first.
async fn receive(
    stage: &Arc<Stage>,
    wire: &Wire,
    call: &Call,
    headers: &UploadHeaders,
    body: Body,
    fault: Option<&Fired>,
) -> Option<(Reply, &'static str)> {
    let mut body = body.into_data_stream();
    let opened = match open(stage, wire, call, headers).await {
        Ok(opened) => opened,
        Err(refusal) => {
            note(stage, call, &refusal);
            drain(body).await;
            return Some((refusal.reply, refusal.word));
        }
    };
    let mut transfer = Transfer {
        stage: Arc::clone(stage),
        index: opened.0,
        publish_id: opened.1,
        receiving: Some(opened.2),
        outcome: ChunkOutcome::Aborted,
    };
    let trouble = fault.map(|fired| &fired.trouble);
    while let Some(frame) = body.next().await {
        // A body that ends early ends its connection too: nobody is there to be told.
        let frame = frame.ok()?;
        let receiving = transfer.receiving.as_mut()?;
        receiving.update(&frame);
        if let Some(Trouble::ResetInBody { after_bytes }) = trouble
            && receiving.bytes() >= *after_bytes
        {
            wire.cut(Cut::Reset);
            return None;
        }
    }
    if matches!(trouble, Some(Trouble::ResetAfterBody)) {
        transfer.outcome = ChunkOutcome::Dropped;
        wire.cut(Cut::Reset);
        return None;
    }
    transfer.finish()
}

type Opened = (usize, PublishId, Receiving);

/// Opens the announced chunk, once no other PUT to this URL is under way. One whose
/// client hung up is waited for; one that went on to its end was sent at the same time.
async fn open(stage: &Stage, wire: &Wire, call: &Call, headers: &UploadHeaders) -> Result<Opened, UploadRefusal> {
    if !Endpoint::Upload.methods().contains(&call.method.as_str()) {
        return Err(UploadRefusal::new(405, "method").breaking(Rule::Method, Refusal::method_not_allowed().message));
    }
    headers.check_credentials()?;
    let parallel = || {
        let sentence = "Two chunks of one upload were sent at the same time.";
        UploadRefusal::new(416, "parallel").breaking(Rule::Parallel, sentence)
    };
    let patience = tokio::time::Instant::now() + GRACE;
    let mut met: Option<InFlight> = None;
    loop {
        {
            let mut world = stage.world();
            let settings = world.settings.clone();
            let now = world.clock.now();
            let gone = || UploadRefusal::new(settings.unknown_upload_http_status, "unknown_upload");
            let found = named(call).and_then(|(id, token)| world.find_upload(id, token));
            let index = found.ok_or_else(gone)?;
            let post = &mut world.posts[index];
            if matches!(post.life, Life::Failed { .. }) && post.upload.expires_at > now {
                return Err(gone());
            }
            let busy = post.upload.in_flight.as_ref().filter(|it| !it.is_abandoned());
            if busy.is_some() {
                met = busy.cloned();
            } else if met.is_some_and(|earlier| earlier.is_whole()) {
                return Err(parallel());
            } else {
                let in_flight = InFlight::over(wire.clone());
                let receiving = post.upload.begin(headers, in_flight, &settings, now)?;
                return Ok((index, post.id.clone(), receiving));
            }
        }
        if tokio::time::Instant::now() >= patience {
            return Err(parallel());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn note(stage: &Stage, call: &Call, refusal: &UploadRefusal) {
    let Some((rule, sentence)) = refusal.breach.clone() else {
        return;
    };
    let mut world = stage.world();
    let index = named(call).and_then(|(id, token)| world.find_upload(id, token));
    let post = index.map(|index| &world.posts[index]);
    let user = post.map(|post| post.user.clone());
    let publish_id = post.map(|post| post.id.clone());
    world.breach(Endpoint::Upload, rule, user, publish_id, sentence);
}

/// Reads a refused body away, so that the client gets to read the refusal.
async fn drain(mut body: BodyDataStream) {
    let mut drained = 0;
    while let Some(Ok(frame)) = body.next().await {
        drained += frame.len() as u64;
        if drained > POLITENESS {
            return;
        }
    }
}

/// A chunk on its way. Dropped unfinished, it is written down as what it was.
struct Transfer {
    stage: Arc<Stage>,
    index: usize,
    publish_id: PublishId,
    receiving: Option<Receiving>,
    outcome: ChunkOutcome,
}

impl Transfer {
    /// Makes a whole chunk part of the file, and answers it.
    fn finish(mut self) -> Option<(Reply, &'static str)> {
        let receiving = self.receiving.take()?;
        let mut world = self.stage.world();
        let settings = world.settings.clone();
        let now = world.clock.now();
        let post = world.posts.get_mut(self.index);
        let post = post.filter(|post| post.id == self.publish_id)?;
        if !receiving.is_whole() {
            post.upload.end(receiving, ChunkOutcome::Aborted, now);
            return Some((Reply::empty(400), "short"));
        }
        if receiving.is_repeated() {
            let faithful = post.upload.repeats_faithfully(&receiving);
            post.upload.end(receiving, ChunkOutcome::Repeated, now);
            let reply = post.upload.repeated(&settings);
            let (user, publish_id) = (Some(post.user.clone()), Some(post.id.clone()));
            if !faithful {
                let sentence = "A chunk was sent again with other bytes.".to_owned();
                world.breach(Endpoint::Upload, Rule::Range, user, publish_id, sentence);
            }
            return Some((reply, "repeated"));
        }
        if !post.upload.end(receiving, ChunkOutcome::Accepted, now) {
            return Some((Reply::empty(403), "url_expired"));
        }
        let reply = post.upload.accepted(&settings);
        let complete = post.upload.is_complete();
        if complete && post.life == Life::Uploading {
            let until = crate::clock::after_ms(now, settings.processing_ms);
            post.life = Life::Processing { until };
        }
        Some((reply, if complete { "complete" } else { "accepted" }))
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        let Some(receiving) = self.receiving.take() else {
            return;
        };
        let mut world = self.stage.world();
        let now = world.clock.now();
        let post = world.posts.get_mut(self.index);
        if let Some(post) = post.filter(|post| post.id == self.publish_id) {
            post.upload.end(receiving, self.outcome, now);
        }
    }
}
