//! A stage apart: tables, a bucket, a queue and a TikTok of its own, in the same
//! local cloud, with the use cases played in this process by TikTok's own clock.
//!
//! Days pass here in a moment. The deployed functions know nothing of it: what
//! they do, the stage does when it is told to ([`Apart::pass`]).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::types::{BillingMode, GlobalSecondaryIndex};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use aws_sdk_sqs::types::DeleteMessageBatchRequestEntry;
use domain::identity::PostId;
use domain::post::StateName;
use domain::source::{Arrival, ObjectVersion};
use domain::wake_message;
use jiff::Timestamp;
use posting::{Intake, Posting, Submitted, Worked, Worker};
use simulator::{Settings, Simulator};
use storage::Clients;
use tokio::runtime::Handle;
use tokio::task::block_in_place;
use uuid::Uuid;

use crate::cloud::{Cloud, Contract};
use crate::dropped::Dropped;

/// The time between two looks at what is due: the deployed schedule's own.
const SCHEDULE: Duration = Duration::from_mins(1);
/// How long a worker may work.
const INVOCATION: Duration = Duration::from_mins(14);
/// How many times what is due is looked at, before the stage is thought to go in circles.
const MOST_LOOKS: u32 = 2000;

/// The app that TikTok and the stack both know.
pub struct App {
    /// Its public name.
    pub client_key: String,
    /// Its secret.
    pub client_secret: String,
}

/// The stage.
pub struct Apart {
    /// The cloud as it is seen from here: creators are cast in it, and drop into it.
    pub cloud: Arc<Cloud>,
    /// TikTok.
    pub tiktok: Arc<Simulator>,
    /// The use cases.
    pub posting: Posting,
    looks: AtomicU32,
}

impl Apart {
    /// Sets a stage up: `settings` change TikTok, `variables` the functions' environment.
    pub async fn set_up(
        cloud: &Cloud,
        app: App,
        settings: impl FnOnce(&mut Settings),
        variables: &[(&str, &str)],
    ) -> Result<Self> {
        let mut config = simulator::Config::new(app.client_key, app.client_secret);
        settings(&mut config.settings);
        let tiktok = Arc::new(Simulator::start(config).await?);
        let mut contract = cloud.contract.clone();
        contract.simulator = Some(tiktok.url().to_owned());
        let name = format!("apart-{}", &Uuid::new_v4().simple().to_string()[..12]);
        for table in [
            &mut contract.outputs.posts_table,
            &mut contract.outputs.accounts_table,
            &mut contract.outputs.limits_table,
        ] {
            *table = table_like(cloud, table, &name).await?;
        }
        contract.outputs.intake_bucket = bucket(cloud, &name).await?;
        let queue = cloud.sqs.create_queue().queue_name(&name).send().await?;
        contract.outputs.intake_queue_url = queue.queue_url.context("a queue has a URL")?;
        let posting = posting(&contract, &tiktok, variables).await?;
        let cloud = Cloud::of(contract, cloud.lock_file.clone()).await?;
        Ok(Self { cloud: Arc::new(cloud), tiktok, posting, looks: AtomicU32::new(0) })
    }

    /// What the time is here.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.tiktok.clock().now
    }

    /// Takes the events of drops, in the order given; each says when it was dropped.
    pub fn hear(&self, drops: &[(&Dropped, Timestamp)]) -> Result<()> {
        for (dropped, at) in drops {
            let ObjectVersion::Id(version) = &dropped.source.version else {
                anyhow::bail!("the bucket keeps versions");
            };
            let arrival = Arrival {
                bucket: dropped.source.bucket.clone(),
                key: dropped.source.key.clone(),
                version_id: Some(version.clone()),
                etag: None,
                bytes: Some(dropped.footage.bytes.len() as u64),
                at: Some(*at),
                trace: None,
            };
            let submitted = played(self.posting.submit(&arrival))?;
            ensure!(submitted == Submitted::Post(dropped.post.clone()), "{submitted:?}");
        }
        Ok(())
    }

    /// Asks for an address to upload a video to, as a request does.
    pub fn create_upload(&self, request: &serde_json::Value) -> Result<PostId> {
        let bucket = self.cloud.outputs().intake_bucket.clone();
        let intake = Intake::read(|_| Some(bucket.clone()))?;
        let request = request.to_string();
        let asked = self.posting.create_upload(&intake, None, &[7; 32], None, request.as_bytes());
        Ok(played(asked)?.post.id.clone())
    }

    /// Plays a worker that takes a post up.
    pub fn work(&self, id: &PostId) -> Result<Worked> {
        Ok(played(self.posting.upload(id, &self.worker()))?)
    }

    /// Plays a worker that takes a post up, and vanishes when something is true.
    pub fn work_until(&self, id: &PostId, it_vanishes: impl Future<Output = ()>) -> Result<()> {
        let worker = self.worker();
        let work = self.posting.upload(id, &worker);
        played(async {
            tokio::select! {
                ended = work => anyhow::bail!("it has come to its end: {ended:?}"),
                () = it_vanishes => Ok(()),
            }
        })
    }

    /// Lets time pass until the next thing falls due, a minute at least, and that
    /// happen, as the schedule and the queue would have it.
    pub async fn pass(&self) -> Result<()> {
        let looks = self.looks.fetch_add(1, Ordering::Relaxed);
        ensure!(looks < MOST_LOOKS, "after {looks} looks it is still not done");
        let due = self.next_due().await?.context("nothing is due any more")?;
        let wait = Duration::try_from(due.duration_since(self.now())).unwrap_or_default();
        self.tiktok.advance(wait.max(SCHEDULE).as_secs() + 1);
        played(self.posting.work_due(&self.worker()))?;
        self.answer_bells().await
    }

    /// How often what is due was looked at.
    #[must_use]
    pub fn looks(&self) -> u32 {
        self.looks.load(Ordering::Relaxed)
    }

    /// The states of posts.
    pub async fn states(&self, drops: &[Dropped]) -> Result<Vec<StateName>> {
        let mut states = Vec::new();
        for dropped in drops {
            states.push(self.cloud.post(&dropped.post).await?.state_name());
        }
        Ok(states)
    }

    /// Plays the workers that the bells wake.
    pub async fn answer_bells(&self) -> Result<()> {
        let queue = &self.cloud.outputs().intake_queue_url;
        loop {
            let batch = self.cloud.sqs.receive_message().queue_url(queue).max_number_of_messages(10).send().await?;
            if batch.messages().is_empty() {
                return Ok(());
            }
            let mut done = self.cloud.sqs.delete_message_batch().queue_url(queue);
            for (n, message) in batch.messages().iter().enumerate() {
                let id = message.body().and_then(wake_message::post_of).context("only bells ring here")?;
                self.work(&id)?;
                let handle = message.receipt_handle().unwrap_or_default();
                done = done.entries(
                    DeleteMessageBatchRequestEntry::builder().id(n.to_string()).receipt_handle(handle).build()?,
                );
            }
            ensure!(done.send().await?.failed().is_empty(), "a bell could not be taken down");
        }
    }

    async fn next_due(&self) -> Result<Option<Timestamp>> {
        // One scan: MiniStack looks at every item for a query of an index too, and there is one for each shard.
        let scan = self.cloud.dynamodb.scan().table_name(&self.cloud.outputs().posts_table).consistent_read(true);
        let mut pages = scan.projection_expression("due_at").into_paginator().items().send();
        let mut soonest: Option<i64> = None;
        while let Some(item) = pages.next().await {
            let due = item?.get("due_at").and_then(|due| due.as_n().ok()).map(|due| due.parse()).transpose()?;
            soonest = soonest.into_iter().chain(due).min();
        }
        Ok(soonest.map(Timestamp::from_millisecond).transpose()?)
    }

    fn worker(&self) -> Worker {
        let since = self.now();
        Worker { name: format!("apart/{}", Uuid::new_v4()), since, deadline: since + INVOCATION }
    }
}

/// Plays a function to its end. What the functions do need not move between
/// threads, as a story has to.
fn played<T>(function: impl Future<Output = T>) -> T {
    block_in_place(|| Handle::current().block_on(function))
}

async fn posting(contract: &Contract, tiktok: &Arc<Simulator>, variables: &[(&str, &str)]) -> Result<Posting> {
    let outputs = &contract.outputs;
    let host = tiktok.url().trim_start_matches("http://");
    let mut environment = HashMap::from([
        ("POSTS_TABLE", outputs.posts_table.as_str()),
        ("ACCOUNTS_TABLE", &outputs.accounts_table),
        ("LIMITS_TABLE", &outputs.limits_table),
        ("INTAKE_QUEUE_URL", &outputs.intake_queue_url),
        ("TOKENS_KEY_ID", &outputs.tokens_key_id),
        ("APP_SECRET_ARN", &outputs.app_secret_arn),
        ("TIKTOK_API_URL", tiktok.url()),
        ("TIKTOK_UPLOAD_HOSTS", host),
    ]);
    environment.extend(variables.iter().copied());
    let config = posting::Config::read(|name| environment.get(name).map(|&value| value.to_owned()))?;
    let clients = Clients::of(&contract.sdk_config().await);
    let clock = Arc::clone(tiktok);
    Ok(Posting::new(&config, clients, Arc::new(move || clock.clock().now))?)
}

/// Makes an empty table of the same form as a deployed one.
async fn table_like(cloud: &Cloud, table: &str, name: &str) -> Result<String> {
    let described = cloud.dynamodb.describe_table().table_name(table).send().await?;
    let form = described.table.context("the stack's table is there")?;
    let indexes = form.global_secondary_indexes().iter().map(|index| {
        GlobalSecondaryIndex::builder()
            .set_index_name(index.index_name.clone())
            .set_key_schema(index.key_schema.clone())
            .set_projection(index.projection.clone())
            .build()
    });
    let indexes = indexes.collect::<Result<Vec<_>, _>>()?;
    let name = format!("{name}-{table}");
    let create = cloud.dynamodb.create_table().table_name(&name).billing_mode(BillingMode::PayPerRequest);
    let create = create.set_key_schema(form.key_schema).set_attribute_definitions(form.attribute_definitions);
    create.set_global_secondary_indexes(Some(indexes).filter(|indexes| !indexes.is_empty())).send().await?;
    Ok(name)
}

async fn bucket(cloud: &Cloud, name: &str) -> Result<String> {
    cloud.s3.create_bucket().bucket(name).send().await?;
    let versions = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    cloud.s3.put_bucket_versioning().bucket(name).versioning_configuration(versions).send().await?;
    Ok(name.to_owned())
}
