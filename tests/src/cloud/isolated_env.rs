//! An isolated environment: tables, a bucket, a queue and a simulated TikTok of its own in the local cloud. The
//! functions' use cases run in this process and read the simulated TikTok's clock.
//!
//! The test advances that clock, so days pass in seconds. No deployed function is involved: [`IsolatedEnv::submit`]
//! stands for the bucket's event, [`IsolatedEnv::advance`] for the schedule and the queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::types::{BillingMode, GlobalSecondaryIndex};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use aws_sdk_sqs::types::DeleteMessageBatchRequestEntry;
use domain::identity::PostId;
use domain::post::{Post, StateName};
use domain::source::Arrival;
use domain::wake_message;
use jiff::Timestamp;
use posting::{
    BucketCheck, BucketCheckConfig, CreateUpload, Dependencies, Intake, Poller, Submit, Submitted, UploadWorker,
    WorkOutcome, Worker,
};
use simulator::{Settings, Simulator};
use uuid::Uuid;

use super::dropped::Dropped;
use super::in_process::worker;
use super::{Cloud, Contract};

/// The interval of the schedule that invokes `status` in `template.yaml`.
const SCHEDULE: Duration = Duration::from_mins(1);
/// The time of a worker until its deadline: the timeout of `publish` in `template.yaml` (15 minutes) less its margin of
/// one minute (`MARGIN` in publish/src/handler.rs).
const INVOCATION: Duration = Duration::from_mins(14);
/// The maximum number of polls of a test. A test that needs more makes no progress.
const MAX_POLLS: u32 = 2000;

/// The credentials of the TikTok app.
pub struct App {
    /// The client key.
    pub client_key: String,
    /// The client secret.
    pub client_secret: String,
}

/// An isolated environment.
pub struct IsolatedEnv {
    /// The cloud with the environment's own resources and TikTok.
    pub cloud: Arc<Cloud>,
    /// TikTok.
    pub tiktok: Arc<Simulator>,
    /// The dependencies of the use cases.
    pub dependencies: Dependencies,
    polls: AtomicU32,
}

impl IsolatedEnv {
    /// Creates the resources and starts TikTok. `settings` changes TikTok's settings, and `variables` are added to the
    /// functions' environment variables.
    pub async fn start(
        cloud: &Cloud,
        app: App,
        settings: impl FnOnce(&mut Settings),
        variables: &[(&str, &str)],
    ) -> Result<Self> {
        let mut config = simulator::Config::new(app.client_key, app.client_secret);
        settings(&mut config.settings);
        let tiktok = Arc::new(Simulator::start(config).await?);
        let contract = create_resources(cloud, tiktok.url()).await?;
        let cloud = Arc::new(Cloud::new(contract, cloud.lock_file.clone()).await?);
        let clock = Arc::clone(&tiktok);
        let dependencies = cloud.in_process_with(variables, Arc::new(move || clock.clock().now))?;
        Ok(Self { cloud, tiktok, dependencies, polls: AtomicU32::new(0) })
    }

    /// The time of TikTok's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.tiktok.clock().now
    }

    /// Reads the post of a drop.
    pub async fn post(&self, dropped: &Dropped) -> Result<Post> {
        self.cloud.post(&dropped.post).await
    }

    /// Handles the S3 event of a drop as `publish` does. `at` is the time of the event.
    pub async fn submit(&self, dropped: &Dropped, at: Timestamp) -> Result<()> {
        let arrival = Arrival {
            bucket: dropped.source.bucket.clone(),
            key: dropped.source.key.clone(),
            version_id: Some(dropped.version()?.to_owned()),
            etag: None,
            bytes: Some(dropped.video.bytes),
            at: Some(at),
            trace: None,
        };
        let submitted = Submit::from(&self.dependencies).submit(&arrival).await?;
        ensure!(submitted == Submitted::Post(dropped.post.clone()), "{submitted:?}");
        Ok(())
    }

    /// Creates the post of a requested upload as the API does. The random bytes are fixed, so a second call in the same
    /// environment gets the same post.
    pub async fn create_upload(&self, request: &serde_json::Value) -> Result<PostId> {
        let bucket = self.cloud.outputs().intake_bucket.clone();
        let intake = Intake::read(|_| Some(bucket.clone()))?;
        let request = request.to_string();
        let created =
            CreateUpload::from(&self.dependencies).create(&intake, None, &[7; 32], None, request.as_bytes()).await?;
        Ok(created.post.id.clone())
    }

    /// Runs the bucket check as `status` does, if it is due. Returns the number of objects that had no event.
    pub async fn check_bucket(&self) -> Result<u32> {
        let bucket = self.cloud.outputs().intake_bucket.clone();
        let config = BucketCheckConfig::read(|name| (name == "INTAKE_BUCKET").then(|| bucket.clone()))?;
        Ok(BucketCheck::from(&self.dependencies).run(&config, &self.worker(), None).await?.missed)
    }

    /// Runs a worker on a post.
    pub async fn work(&self, id: &PostId) -> Result<WorkOutcome> {
        Ok(UploadWorker::from(&self.dependencies).upload(id, &self.worker()).await?)
    }

    /// Runs a worker on a post, and kills the worker (drops its future) when the future `end` completes.
    pub async fn work_until(&self, id: &PostId, end: impl Future<Output = ()>) -> Result<()> {
        tokio::select! {
            ended = self.work(id) => anyhow::bail!("the worker has ended: {ended:?}"),
            () = end => Ok(()),
        }
    }

    /// Advances the clock by at least a minute to just after the next due time, polls, and runs the workers that the
    /// poll wakes.
    pub async fn advance(&self) -> Result<()> {
        let polls = self.polls.fetch_add(1, Ordering::Relaxed);
        ensure!(polls < MAX_POLLS, "{polls} polls were not enough");
        let due = self.next_due().await?.context("nothing is due")?;
        let wait = Duration::try_from(due.duration_since(self.now())).unwrap_or_default();
        self.tiktok.advance(wait.max(SCHEDULE).as_secs() + 1);
        Poller::from(&self.dependencies).work_due(&self.worker()).await?;
        self.run_woken().await
    }

    /// The number of polls so far.
    #[must_use]
    pub fn polls(&self) -> u32 {
        self.polls.load(Ordering::Relaxed)
    }

    /// Advances until the posts of these drops have these states.
    pub async fn advance_until(&self, drops: &[Dropped], states: &[StateName]) -> Result<()> {
        while self.states(drops).await? != states {
            self.advance().await?;
        }
        Ok(())
    }

    /// Advances until TikTok has published this many videos.
    pub async fn advance_until_published(&self, count: usize) -> Result<()> {
        while self.tiktok.ledger().publications.len() < count {
            self.advance().await?;
        }
        Ok(())
    }

    /// The states of the posts of these drops.
    pub async fn states(&self, drops: &[Dropped]) -> Result<Vec<StateName>> {
        let mut states = Vec::new();
        for dropped in drops {
            states.push(self.post(dropped).await?.state_name());
        }
        Ok(states)
    }

    /// Runs a worker for each wake message in the queue.
    pub async fn run_woken(&self) -> Result<()> {
        let queue = &self.cloud.outputs().intake_queue_url;
        loop {
            let batch = self.cloud.sqs.receive_message().queue_url(queue).max_number_of_messages(10).send().await?;
            if batch.messages().is_empty() {
                return Ok(());
            }
            let mut done = self.cloud.sqs.delete_message_batch().queue_url(queue);
            for (n, message) in batch.messages().iter().enumerate() {
                let id = message.body().and_then(wake_message::post_of).context("a message wakes no worker")?;
                self.work(&id).await?;
                let handle = message.receipt_handle().unwrap_or_default();
                done = done.entries(
                    DeleteMessageBatchRequestEntry::builder().id(n.to_string()).receipt_handle(handle).build()?,
                );
            }
            ensure!(done.send().await?.failed().is_empty(), "a message could not be deleted");
        }
    }

    /// The earliest due time of all posts.
    async fn next_due(&self) -> Result<Option<Timestamp>> {
        // A scan is faster here: for a query of one shard of the index, MiniStack reads every item too.
        let scan = self.cloud.dynamodb.scan().table_name(&self.cloud.outputs().posts_table).consistent_read(true);
        let mut pages = scan.projection_expression("due_at").into_paginator().items().send();
        let mut earliest: Option<i64> = None;
        while let Some(item) = pages.next().await {
            let due = item?.get("due_at").and_then(|due| due.as_n().ok()).map(|due| due.parse()).transpose()?;
            earliest = earliest.into_iter().chain(due).min();
        }
        Ok(earliest.map(Timestamp::from_millisecond).transpose()?)
    }

    fn worker(&self) -> Worker {
        worker(&self.dependencies, INVOCATION)
    }
}

/// Creates tables like the deployed ones, a bucket without events and a queue. Returns the cloud's contract with their
/// names and this simulator.
async fn create_resources(cloud: &Cloud, simulator: &str) -> Result<Contract> {
    let mut contract = cloud.contract.clone();
    contract.simulator = Some(simulator.to_owned());
    let name = format!("isolated-{}", &Uuid::new_v4().simple().to_string()[..12]);
    let outputs = &mut contract.outputs;
    let tables = [&mut outputs.posts_table, &mut outputs.accounts_table, &mut outputs.limits_table];
    for table in tables.into_iter().chain([&mut outputs.repost_guard_table]) {
        *table = create_table_like(cloud, table, &name).await?;
    }
    cloud.s3.create_bucket().bucket(&name).send().await?;
    let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    cloud.s3.put_bucket_versioning().bucket(&name).versioning_configuration(versioning).send().await?;
    let queue = cloud.sqs.create_queue().queue_name(&name).send().await?;
    outputs.intake_queue_url = queue.queue_url.context("a queue has a URL")?;
    outputs.intake_bucket = name;
    Ok(contract)
}

/// Creates an empty table with the keys and indexes of another.
async fn create_table_like(cloud: &Cloud, table: &str, name: &str) -> Result<String> {
    let described = cloud.dynamodb.describe_table().table_name(table).send().await?;
    let schema = described.table.context("the stack's table exists")?;
    let indexes = schema.global_secondary_indexes().iter().map(|index| {
        GlobalSecondaryIndex::builder()
            .set_index_name(index.index_name.clone())
            .set_key_schema(index.key_schema.clone())
            .set_projection(index.projection.clone())
            .build()
    });
    let indexes = indexes.collect::<Result<Vec<_>, _>>()?;
    let name = format!("{name}-{table}");
    let create = cloud.dynamodb.create_table().table_name(&name).billing_mode(BillingMode::PayPerRequest);
    let create = create.set_key_schema(schema.key_schema).set_attribute_definitions(schema.attribute_definitions);
    create.set_global_secondary_indexes(Some(indexes).filter(|indexes| !indexes.is_empty())).send().await?;
    Ok(name)
}
