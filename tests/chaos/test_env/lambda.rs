//! The Lambda service of the test environment. It starts the functions' processes and invokes `publish` for messages,
//! `status` for the schedule, and `api` for requests. It kills a process when the fault proxy requests it.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use domain::identity::PostId;
use harness::Creator;
use harness::aws::Item;
use harness::lambda::{ANY_TRACE, Environment, Function};
use jiff::Timestamp;
use serde_json::{Value, json};
use simulator::{PublishId, TokenKind};
use tokio::sync::{MutexGuard, oneshot};

use super::api::Response;
use super::lineage::Lineage;
use super::{CommandRecord, Request, TestEnv};
use crate::fault_proxy::{AuthorizationEnd, Interruption, Interruptions, Listener, Op};

/// The timeouts of `publish` and `status`. They must equal `Timeout` in template.yaml.
const PUBLISH_TIMEOUT: Duration = Duration::from_mins(15);
const STATUS_TIMEOUT: Duration = Duration::from_secs(150);
/// How long an invocation may take in real time. A run with a longer one has no result.
const REAL_TIMEOUT: Duration = Duration::from_mins(10);
/// The reason in TikTok's webhook if the user removed the app.
const REMOVED_BY_USER: u8 = 1;
/// Enough seconds for the simulator to process a publish and send the webhook: more than its `processing_ms`, 2 s.
const PROCESSING_S: u64 = 10;

/// The functions' processes in one run, and the records of that run. A process starts when its function is first
/// invoked, and again after it was killed.
pub(crate) struct Lambda<'a> {
    pub(crate) env: &'a TestEnv,
    /// The functions' `CHUNK_BYTES`.
    pub(crate) chunk_bytes: u64,
    running: BTreeMap<&'static str, Function>,
    environment: Environment,
    /// The timeout of `publish`: the template's, unless a campaign shortens it.
    pub(crate) publish_timeout: Duration,
    /// How long no function is invoked after the first kill.
    pub(crate) outage: Duration,
    /// When the outage after the first kill ended. Without an outage, the time of that kill.
    pub(crate) killed_at: Option<Timestamp>,
    /// The sum of the history's pauses (`Step::Wait`) since the first kill, or since the start without a kill. The
    /// recovery time excludes it.
    pub(crate) paused: Duration,
    /// The number of invocations of `publish`.
    pub(crate) invocations: u32,
    /// The most invocations of `publish` of which each caused the next one.
    pub(crate) longest_lineage: u32,
    /// The number of times that a creator had to connect an account again.
    pub(crate) reconnects: usize,
    /// The post for the injected command ([`Op::Command`]). The first such fault takes it, so later ones do nothing.
    pub(crate) target: Option<PostId>,
    /// The creator for [`Op::EndAuthorization`]. The first such fault takes it, so later ones do nothing.
    pub(crate) creator: Option<Creator>,
    /// The commands that `story::apply_records` has not passed to the model yet.
    pub(crate) commands: Vec<CommandRecord>,
    /// The publishes that TikTok was told to fail, and that the model does not know yet.
    pub(crate) failed_publishes: Vec<PublishId>,
    /// Descriptions of responses that are not permitted. The checker counts them as violations.
    pub(crate) forbidden: Vec<String>,
    /// All posts as they were after the last injected operation. `forge_webhook` in `histories/ops.rs` takes them.
    pub(crate) posts_after_op: Option<Vec<Item>>,
    /// The proxy's requests. None if another `Lambda` holds them.
    interruptions: Option<MutexGuard<'a, Interruptions>>,
}

/// How an invocation ended.
#[derive(Debug)]
enum Ended {
    Answered(Value),
    Failed,
    /// The proxy requested a kill. The sender tells it that the process is dead.
    Killed(oneshot::Sender<()>),
}

impl<'a> Lambda<'a> {
    /// Prepares the functions, with chunks of at most this size, and starts no process yet.
    pub(crate) fn new(env: &'a TestEnv, chunk_bytes: u64) -> Self {
        Self::with_listener(env, &env.listener, chunk_bytes)
    }

    /// The same for processes whose calls pass through this listener.
    pub(crate) fn with_listener(env: &'a TestEnv, listener: &'a Listener, chunk_bytes: u64) -> Self {
        let mut environment = env.environment(listener);
        environment.push(("CHUNK_BYTES".to_owned(), chunk_bytes.to_string()));
        Self {
            env,
            chunk_bytes,
            running: BTreeMap::new(),
            environment,
            publish_timeout: PUBLISH_TIMEOUT,
            outage: Duration::ZERO,
            killed_at: None,
            paused: Duration::ZERO,
            invocations: 0,
            longest_lineage: 0,
            reconnects: 0,
            target: None,
            creator: None,
            commands: Vec::new(),
            failed_publishes: Vec::new(),
            forbidden: Vec::new(),
            posts_after_op: None,
            interruptions: listener.interruptions.try_lock().ok(),
        }
    }

    /// Invokes a function, and starts its process if none runs. Meanwhile, performs the interruptions that the fault
    /// proxy requests. Returns no response if the function fails or is killed.
    pub(super) async fn invoke(&mut self, name: &'static str, event: Value, limit: Duration) -> Result<Option<Value>> {
        self.invoke_traced(name, event, limit, ANY_TRACE).await
    }

    async fn invoke_traced(
        &mut self,
        name: &'static str,
        event: Value,
        limit: Duration,
        trace: &str,
    ) -> Result<Option<Value>> {
        let mut function = match self.running.remove(name) {
            Some(function) => function,
            None => self.start(name).await?,
        };
        let deadline = self.env.now() + limit;
        let mut timeout = pin!(tokio::time::sleep(REAL_TIMEOUT));
        let ended = {
            let mut invocation = pin!(function.invoke_traced(event, deadline, trace));
            loop {
                // Taken and put back below: `perform` invokes another function, which needs the receiver.
                let mut interruptions = self.interruptions.take().context("another `Lambda` uses this proxy")?;
                let interruption = tokio::select! {
                    response = &mut invocation => Err(response),
                    interruption = interruptions.recv() => Ok(interruption.context("the proxy has ended")?),
                    () = &mut timeout => bail!("{name} did not end within {REAL_TIMEOUT:?}"),
                };
                self.interruptions = Some(interruptions);
                match interruption {
                    Err(Ok((response, _))) => break Ended::Answered(response),
                    Err(Err(_)) => break Ended::Failed,
                    Ok(Interruption::Kill(done)) => break Ended::Killed(done),
                    Ok(Interruption::Op(op, name, done)) => {
                        if Box::pin(self.perform(op)).await? {
                            self.posts_after_op = Some(self.env.posts());
                            self.env.proxy.record_op(name);
                        }
                        // The caller may have ended the connection.
                        let _ = done.send(());
                    }
                }
            }
        };
        match ended {
            Ended::Answered(response) => {
                self.running.insert(name, function);
                Ok(Some(response))
            }
            Ended::Failed => Ok(None),
            Ended::Killed(done) => {
                function.stop().await?;
                if self.killed_at.is_none() {
                    self.env.advance(self.outage.as_secs())?;
                    self.killed_at = Some(self.env.now());
                    self.paused = Duration::ZERO;
                }
                // The connection may have ended with the process.
                let _ = done.send(());
                Ok(None)
            }
        }
    }

    /// Performs another actor's operation while a call waits. Returns whether it took effect.
    async fn perform(&mut self, op: Op) -> Result<bool> {
        match op {
            Op::Command(command) => {
                let Some(post) = self.target.take() else { return Ok(false) };
                self.command(command, &post).await?;
                Ok(true)
            }
            Op::EndAuthorization(end) => {
                let Some(creator) = self.creator.take() else { return Ok(false) };
                self.end_authorization(&creator, end).await?;
                Ok(true)
            }
            Op::FailPublish => {
                let publish = self.env.fail_publish();
                self.failed_publishes.extend(publish.clone());
                Ok(publish.is_some())
            }
            Op::DeliverWebhooks => {
                self.env.advance(PROCESSING_S)?;
                Ok(self.deliver_webhooks().await? > 0)
            }
            Op::RunWorkers => {
                let invocations = self.invocations;
                self.deliver_messages().await?;
                self.run_status().await?;
                Ok(self.invocations > invocations)
            }
        }
    }

    /// Ends a creator's authorization. Returns the response of `api`, if this end is a request and gets one.
    pub(crate) async fn end_authorization(
        &mut self,
        creator: &Creator,
        end: AuthorizationEnd,
    ) -> Result<Option<Response>> {
        let tiktok = &self.env.tiktok;
        match end {
            AuthorizationEnd::AppRemoved => tiktok.disconnect(&creator.user.open_id, REMOVED_BY_USER)?,
            AuthorizationEnd::Disconnected => return self.request(&Request::disconnect(&creator.alias)).await,
            AuthorizationEnd::TokensRejected => tiktok.expire_tokens(&creator.user.open_id, TokenKind::Both)?,
        }
        Ok(None)
    }

    async fn start(&self, name: &str) -> Result<Function> {
        let paths = &self.env.paths;
        let program = paths.functions.join(name).join("bootstrap");
        let function = Function::start(&program, &self.environment, &paths.output.join(format!("{name}.log"))).await;
        function.with_context(|| format!("could not start {name}"))
    }

    /// Invokes `publish` for the next visible message, and removes the message if `publish` reports success. Otherwise
    /// it is visible again after the visibility timeout. Returns false if no message is visible.
    pub(crate) async fn deliver_message(&mut self) -> Result<bool> {
        let Some(message) = self.env.aws.state().queue.receive(self.env.now()) else {
            return Ok(false);
        };
        let lineage = Lineage::of_message(message.trace_header.as_deref())?;
        self.longest_lineage = self.longest_lineage.max(lineage.invocations);
        let attributes = message.trace_header.map_or(json!({}), |header| json!({ "AWSTraceHeader": header }));
        let event = json!({ "Records": [{
            "messageId": message.id, "receiptHandle": message.id, "body": message.body, "attributes": attributes,
            "messageAttributes": {}, "eventSource": "aws:sqs", "awsRegion": "us-east-1",
            "eventSourceARN": "arn:aws:sqs:us-east-1:111122223333:intake",
        }] });
        self.invocations += 1;
        let (timeout, trace) = (self.publish_timeout, lineage.to_header());
        if let Some(response) = self.invoke_traced("publish", event, timeout, &trace).await?
            && response["batchItemFailures"] == json!([])
        {
            self.env.aws.state().queue.remove(&message.id);
        }
        Ok(true)
    }

    /// Invokes `publish` until no message is visible.
    pub(crate) async fn deliver_messages(&mut self) -> Result<()> {
        while self.deliver_message().await? {}
        Ok(())
    }

    /// Invokes `status`.
    pub(crate) async fn run_status(&mut self) -> Result<()> {
        let event: Value = serde_json::from_str(include_str!("../../../events/eventbridge-schedule.json"))?;
        self.invoke("status", event, STATUS_TIMEOUT).await?;
        Ok(())
    }

    /// Stops the processes, and checks that they made no call that the in-memory AWS does not know.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        for (_, function) in std::mem::take(&mut self.running) {
            function.stop().await?;
        }
        let unsupported = self.env.aws.unsupported_calls();
        ensure!(unsupported.is_empty(), "the in-memory AWS does not implement these calls: {unsupported:#?}");
        Ok(())
    }
}
