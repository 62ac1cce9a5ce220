//! Lambda on a stage: the queue wakes `publish`, the schedule wakes `status`, and
//! whoever calls wakes `api`, however often they die.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use ::lambda::{Environment, Function};
use anyhow::{Context, Result, bail, ensure};
use aws::Item;
use domain::identity::PostId;
use jiff::Timestamp;
use serde_json::{Value, json};
use simulator::{PublishId, TokenKind};
use tests::Creator;
use tokio::sync::{Mutex, MutexGuard, mpsc, oneshot};

use super::api::Answer;
use super::{Entrance, Request, Said, Stage, Wish};
use crate::gate::{Deed, Interruption, Parting};

/// How long `status` may take, as the template has it.
const STATUS: Duration = Duration::from_secs(150);
/// How long an invocation may really take here.
const PATIENCE: Duration = Duration::from_mins(10);
/// TikTok's word for why a consent has ended: the user removed the app.
const REMOVED_BY_USER: u8 = 1;
/// How long TikTok takes to come to a verdict and to tell it, in seconds.
const SOON_S: u64 = 10;

/// The functions' processes, each started when it is first needed, and anew
/// after it was killed.
pub(crate) struct Lambda<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) chunk: u64,
    running: BTreeMap<&'static str, Function>,
    environment: Environment,
    /// How long `publish` may take: the template's own, unless a story has less.
    pub(crate) publish: Duration,
    /// How long nothing happens after the first kill.
    pub(crate) outage: Duration,
    /// When a process was first killed, or that outage ended.
    pub(crate) killed_at: Option<Timestamp>,
    /// How long nobody was to do anything, since then or since the beginning.
    pub(crate) idle: Duration,
    /// How often `publish` was invoked.
    pub(crate) invocations: u32,
    /// How often somebody had to connect an account again.
    pub(crate) reconnects: usize,
    /// The post that somebody cancels or rewords where that is ordered.
    pub(crate) target: Option<PostId>,
    /// The creator whose consent ends where that is ordered.
    pub(crate) maker: Option<Creator>,
    /// What people wished, and what they were told, since somebody last took it.
    pub(crate) said: Vec<Said>,
    /// The uploads that TikTok refused, since somebody last took them.
    pub(crate) refused: Vec<PublishId>,
    /// Answers that were none to be given.
    pub(crate) untrue: Vec<String>,
    /// The posts as somebody left them who did something while a call waited, since
    /// somebody last took them.
    pub(crate) left: Option<Vec<Item>>,
    interruptions: Option<MutexGuard<'a, Interruptions>>,
}

type Interruptions = mpsc::UnboundedReceiver<Interruption>;

/// How an invocation ended.
#[derive(Debug)]
enum Ended {
    Answered(Value),
    Failed,
    Killed(oneshot::Sender<()>),
}

impl<'a> Lambda<'a> {
    /// Nothing runs yet; a chunk has so many bytes at the most.
    pub(crate) fn new(stage: &'a Stage, chunk: u64) -> Self {
        Self::at(stage, &stage.address, &stage.interruptions, chunk)
    }

    /// The same behind an entrance of its own.
    pub(crate) fn through(stage: &'a Stage, entrance: &'a Entrance, chunk: u64) -> Self {
        Self::at(stage, &entrance.address, &entrance.interruptions, chunk)
    }

    fn at(stage: &'a Stage, address: &str, interruptions: &'a Mutex<Interruptions>, chunk: u64) -> Self {
        let mut environment = stage.variables(address);
        environment.extend(stage.clock.environment(&stage.places.shim));
        environment.push(("CHUNK_BYTES".to_owned(), chunk.to_string()));
        let (running, publish) = (BTreeMap::new(), Duration::from_mins(15));
        Self {
            stage,
            chunk,
            running,
            environment,
            publish,
            outage: Duration::ZERO,
            killed_at: None,
            idle: Duration::ZERO,
            invocations: 0,
            reconnects: 0,
            target: None,
            maker: None,
            said: Vec::new(),
            refused: Vec::new(),
            untrue: Vec::new(),
            left: None,
            interruptions: interruptions.try_lock().ok(),
        }
    }

    /// Invokes a function, on the process that is there or on a fresh one; tells what
    /// it answered, if it came to that.
    pub(super) async fn invoke(&mut self, name: &'static str, event: Value, time: Duration) -> Result<Option<Value>> {
        let mut function = match self.running.remove(name) {
            Some(function) => function,
            None => self.start(name).await?,
        };
        let deadline = self.stage.now() + time;
        let mut patience = pin!(tokio::time::sleep(PATIENCE));
        let ended = {
            let mut answering = pin!(function.invoke(event, deadline));
            loop {
                let mut interruptions = self.interruptions.take().context("the stage is another's")?;
                let interruption = tokio::select! {
                    answer = &mut answering => Err(answer),
                    interruption = interruptions.recv() => Ok(interruption.context("the gate is gone")?),
                    () = &mut patience => bail!("{name} did not come to an end"),
                };
                self.interruptions = Some(interruptions);
                match interruption {
                    Err(Ok((answer, _))) => break Ended::Answered(answer),
                    Err(Err(_)) => break Ended::Failed,
                    Ok(Interruption::Kill(dead)) => break Ended::Killed(dead),
                    Ok(Interruption::Meanwhile(deed, name, done)) => {
                        if Box::pin(self.meanwhile(deed)).await? {
                            self.left = Some(self.stage.posts());
                            self.stage.gate.note(name);
                        }
                        // Whoever ordered it may have gone.
                        let _ = done.send(());
                    }
                }
            }
        };
        match ended {
            Ended::Answered(answer) => {
                self.running.insert(name, function);
                Ok(Some(answer))
            }
            Ended::Failed => Ok(None),
            Ended::Killed(dead) => {
                function.stop().await?;
                if self.killed_at.is_none() {
                    self.stage.advance(self.outage.as_secs())?;
                    self.killed_at = Some(self.stage.now());
                    self.idle = Duration::ZERO;
                }
                // Whoever ordered it may have gone with the process.
                let _ = dead.send(());
                Ok(None)
            }
        }
    }

    /// Does what somebody else does while a call waits; tells whether there was anything to do.
    async fn meanwhile(&mut self, deed: Deed) -> Result<bool> {
        match deed {
            Deed::Cancel | Deed::Reword => {
                let Some(post) = self.target.take() else { return Ok(false) };
                self.wish(if deed == Deed::Cancel { Wish::Cancel } else { Wish::Reword }, &post).await?;
                Ok(true)
            }
            Deed::Part(parting) => {
                let Some(maker) = self.maker.take() else { return Ok(false) };
                self.part(&maker, parting).await?;
                Ok(true)
            }
            Deed::Refuse => {
                let refused = self.stage.refuse();
                self.refused.extend(refused.clone());
                Ok(refused.is_some())
            }
            Deed::Tell => {
                self.stage.advance(SOON_S)?;
                Ok(self.hear().await? > 0)
            }
            Deed::Work => {
                let invocations = self.invocations;
                while self.deliver().await? {}
                self.look().await?;
                Ok(self.invocations > invocations)
            }
        }
    }

    /// Has a creator's consent end. Where somebody asks for that, they need not be answered.
    pub(crate) async fn part(&mut self, maker: &Creator, parting: Parting) -> Result<Option<Answer>> {
        match parting {
            Parting::Removed => self.stage.tiktok.disconnect(&maker.user.open_id, REMOVED_BY_USER)?,
            Parting::Disconnected => return self.ask(&Request::disconnect(&maker.alias)).await,
            Parting::Refused => self.stage.tiktok.expire_tokens(&maker.user.open_id, TokenKind::Both)?,
        }
        Ok(None)
    }

    async fn start(&self, name: &str) -> Result<Function> {
        let places = &self.stage.places;
        let (program, log) =
            (places.functions.join(name).join("bootstrap"), places.scratch.join(format!("{name}.log")));
        Function::start(&program, &self.environment, &log).await.with_context(|| format!("{name} cannot be started"))
    }

    /// Hands the next message to `publish`; false where none is there.
    pub(crate) async fn deliver(&mut self) -> Result<bool> {
        let Some(message) = self.stage.aws.state().queue.receive(self.stage.now()) else {
            return Ok(false);
        };
        let event = json!({ "Records": [{
            "messageId": message.id, "receiptHandle": message.id, "body": message.body, "attributes": {},
            "messageAttributes": {}, "eventSource": "aws:sqs", "awsRegion": "us-east-1",
            "eventSourceARN": "arn:aws:sqs:us-east-1:111122223333:intake",
        }] });
        self.invocations += 1;
        if let Some(answer) = self.invoke("publish", event, self.publish).await?
            && answer["batchItemFailures"] == json!([])
        {
            self.stage.aws.state().queue.remove(&message.id);
        }
        Ok(true)
    }

    /// Lets the schedule come round.
    pub(crate) async fn look(&mut self) -> Result<()> {
        let event: Value = serde_json::from_str(include_str!("../../../events/eventbridge-schedule.json"))?;
        self.invoke("status", event, STATUS).await?;
        Ok(())
    }

    /// Ends the processes, and makes sure that none went its own way.
    pub(crate) async fn end(&mut self) -> Result<()> {
        for (_, function) in std::mem::take(&mut self.running) {
            function.stop().await?;
        }
        let unknown = self.stage.aws.unsupported_calls();
        ensure!(unknown.is_empty(), "AWS is asked for what is not played here: {unknown:#?}");
        Ok(())
    }
}
