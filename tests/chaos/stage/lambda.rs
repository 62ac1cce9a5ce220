//! Lambda on a stage: the queue wakes `publish`, the schedule wakes `status`,
//! and both go on until nothing is left to do, however often they die.

use std::collections::BTreeMap;
use std::time::Duration;

use ::lambda::{Environment, Function};
use anyhow::{Context, Result, bail, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};
use tests::Creator;

use super::Stage;
use crate::aws::{ACCOUNTS, Item, POSTS};

/// The time between two looks at what is due: the deployed schedule's own.
const SCHEDULE: Duration = Duration::from_mins(1);
/// How long `status` may take, as the template has it.
const STATUS: Duration = Duration::from_secs(150);
/// How long an invocation may really take here.
const PATIENCE: Duration = Duration::from_mins(10);
/// How often what is due is looked at, before the stage is thought to go in circles.
const MOST_LOOKS: u32 = 400;
/// The states in which a post is at its end.
const ENDS: [&str; 4] = ["published", "delivered", "failed", "cancelled"];

/// The functions' processes, each started when it is first needed, and anew
/// after it was killed.
pub(crate) struct Lambda<'a> {
    stage: &'a Stage,
    pub(crate) chunk: u64,
    running: BTreeMap<&'static str, Function>,
    environment: Environment,
    /// How long `publish` may take: the template's own, unless a story has less.
    pub(crate) publish: Duration,
    /// How long nothing happens after the first kill.
    pub(crate) outage: Duration,
    /// When a process was first killed, or that outage ended.
    pub(crate) killed_at: Option<Timestamp>,
    /// How often `publish` was invoked.
    pub(crate) invocations: u32,
    /// How often somebody had to connect an account again.
    pub(crate) reconnects: usize,
}

/// How an invocation ended.
#[derive(Debug)]
enum Ended {
    Answered(Value),
    Failed,
    Killed,
}

impl<'a> Lambda<'a> {
    /// Nothing runs yet; a chunk has so many bytes at the most.
    pub(crate) fn new(stage: &'a Stage, chunk: u64) -> Self {
        let mut environment = stage.variables();
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
            invocations: 0,
            reconnects: 0,
        }
    }

    /// Invokes a function, on the process that is there or on a fresh one.
    async fn invoke(&mut self, name: &'static str, event: Value, time: Duration) -> Result<Ended> {
        let mut function = match self.running.remove(name) {
            Some(function) => function,
            None => self.start(name).await?,
        };
        let mut killings = self.stage.killings.lock().await;
        let deadline = self.stage.now() + time;
        let ended = tokio::select! {
            answer = function.invoke(event, deadline) => match answer {
                Ok((answer, _)) => Ended::Answered(answer),
                Err(_) => Ended::Failed,
            },
            killing = killings.recv() => {
                function.stop().await?;
                if self.killed_at.is_none() {
                    self.stage.advance(self.outage.as_secs())?;
                    self.killed_at = Some(self.stage.now());
                }
                if let Some(dead) = killing {
                    // Whoever ordered it may have gone with the process.
                    let _ = dead.send(());
                }
                return Ok(Ended::Killed);
            }
            () = tokio::time::sleep(PATIENCE) => bail!("{name} did not come to an end"),
        };
        if matches!(ended, Ended::Answered(_)) {
            self.running.insert(name, function);
        }
        Ok(ended)
    }

    async fn start(&self, name: &str) -> Result<Function> {
        let places = &self.stage.places;
        let (program, log) =
            (places.functions.join(name).join("bootstrap"), places.scratch.join(format!("{name}.log")));
        Function::start(&program, &self.environment, &log).await.with_context(|| format!("{name} cannot be started"))
    }

    /// Hands the next message to `publish`; false where none is there.
    pub(crate) async fn deliver(&mut self) -> Result<bool> {
        let Some(message) = self.stage.aws.kept().queue.next(self.stage.now()) else {
            return Ok(false);
        };
        let event = json!({ "Records": [{
            "messageId": message.id, "receiptHandle": message.id, "body": message.body, "attributes": {},
            "messageAttributes": {}, "eventSource": "aws:sqs", "awsRegion": "us-east-1",
            "eventSourceARN": "arn:aws:sqs:us-east-1:111122223333:intake",
        }] });
        self.invocations += 1;
        if let Ended::Answered(answer) = self.invoke("publish", event, self.publish).await?
            && answer["batchItemFailures"] == json!([])
        {
            self.stage.aws.kept().queue.remove(&message.id);
        }
        Ok(true)
    }

    /// Lets the schedule come round.
    pub(crate) async fn look(&mut self) -> Result<()> {
        let event: Value = serde_json::from_str(include_str!("../../../events/eventbridge-schedule.json"))?;
        self.invoke("status", event, STATUS).await?;
        Ok(())
    }

    /// Lets everything happen that is to happen by itself, and time pass, until
    /// so many posts are at their end and the queue is empty; or until nothing
    /// more would ever happen.
    ///
    /// Where TikTok gave a token away with an answer that nobody got, the consent
    /// is gone and the system asks for a new one: the creators give it.
    pub(crate) async fn settle(&mut self, makers: &[Creator], posts: usize) -> Result<Rest> {
        let mut since = None;
        for _ in 0..MOST_LOOKS {
            while self.deliver().await? {}
            self.look().await?;
            while self.deliver().await? {}
            for maker in makers {
                if self.stage.asks_for(maker) {
                    maker.reconnect().await?;
                    self.reconnects += 1;
                }
            }
            if self.stage.is_at_end(posts) {
                let since = *since.get_or_insert(self.stage.now());
                if self.stage.aws.kept().queue.next_visible().is_none() {
                    return Ok(Rest::AtEnd { since });
                }
            }
            let Some(next) = self.stage.next_move() else {
                return Ok(Rest::Forgotten);
            };
            let wait = Duration::try_from(next.duration_since(self.stage.now())).unwrap_or_default();
            self.stage.advance(wait.max(SCHEDULE).as_secs() + 1)?;
        }
        Ok(Rest::Never)
    }

    /// Ends the processes, and makes sure that none went its own way.
    pub(crate) async fn end(&mut self) -> Result<()> {
        for (_, function) in std::mem::take(&mut self.running) {
            function.stop().await?;
        }
        let unknown = self.stage.aws.unknown();
        ensure!(unknown.is_empty(), "AWS is asked for what is not played here: {unknown:#?}");
        Ok(())
    }
}

/// How everything came to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Every post is at its end, and since when.
    AtEnd { since: Timestamp },
    /// A post is not there or not at its end, and nobody would look again.
    Forgotten,
    /// It goes on and on.
    Never,
}

impl Stage {
    /// Whether so many posts are stored, and all are at their end.
    fn is_at_end(&self, posts: usize) -> bool {
        let kept = self.aws.kept();
        kept.tables.items(POSTS).count() >= posts && kept.tables.items(POSTS).all(is_at_end)
    }

    /// Whether the creator is asked to connect again.
    fn asks_for(&self, maker: &Creator) -> bool {
        let kept = self.aws.kept();
        let own = kept.tables.items(ACCOUNTS).find(|item| item["alias"]["S"] == maker.alias.as_str());
        own.is_some_and(|item| item["connection"]["S"] == "needs_reconnect")
    }

    /// When the next post falls due that is not at its end, or the next message
    /// can be seen.
    fn next_move(&self) -> Option<Timestamp> {
        let kept = self.aws.kept();
        let open = kept.tables.items(POSTS).filter(|item| !is_at_end(item));
        let due = open.filter_map(|item| item.get("due_at")?["N"].as_str()?.parse().ok());
        let due = due.filter_map(|due| Timestamp::from_millisecond(due).ok());
        due.chain(kept.queue.next_visible()).min()
    }
}

fn is_at_end(post: &Item) -> bool {
    post["state"]["S"].as_str().is_some_and(|state| ENDS.contains(&state))
}
