//! The metrics: which moments of a post are measured, and with which dimensions.
//!
//! A [`Meter`] receives the measurements; `runtime::metrics` writes them for CloudWatch. CloudWatch bills each value of
//! a dimension as a metric. Therefore a dimension has few values: states, and reasons from tables. A post and its
//! account are properties, never dimensions.

use std::sync::Arc;
use std::time::Duration;

use domain::identity::Alias;
use domain::post::{Post, PostState, StateName};
use domain::rate::Rate;
use domain::reason::Reason;
use jiff::Timestamp;
use tiktok::error_codes;

/// Receives measurements.
pub type Meter = Arc<dyn Fn(&Measurement) + Send + Sync>;

/// Defines [`Metric`] from the table below: the description, the name, and CloudWatch's name of the unit.
macro_rules! metrics {
    ($(#[doc = $description:literal] $name:ident $unit:literal,)*) => {
        /// A metric.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Metric { $(#[doc = $description] $name,)* }

        impl Metric {
            /// All metrics.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name that the template's dashboard and alarms use, and CloudWatch's name of the unit.
            #[must_use]
            pub fn name_and_unit(self) -> (&'static str, &'static str) {
                match self { $(Self::$name => (stringify!($name), $unit),)* }
            }
        }
    };
}

metrics! {
    /// Posts that were stored for the first time.
    PostsReceived "Count",
    /// Posts that reached a final state, by `State`; failed ones also by `Reason`.
    PostsEnded "Count",
    /// 100 for a failed post, 0 for a published or delivered post: the average is the rate in percent.
    FailureRate "Percent",
    /// From the drop, or the end of a wait for a person or the publish time, until the post is published or delivered.
    TimeToPublish "Seconds",
    /// The bytes of videos that TikTok received completely.
    VideoBytes "Bytes",
    /// The rate at which a video's chunks were sent.
    Throughput "Bytes/Second",
    /// Deferrals of posts, by `Reason`.
    Deferrals "Count",
    /// Posts that a run of the poller found due.
    DuePosts "Count",
    /// The longest time that one of the posts in `DuePosts` had been due.
    OldestDuePostAge "Seconds",
    /// Idle accounts whose tokens could not be refreshed.
    TokenRefreshFailures "Count",
    /// Accounts that must be connected again.
    AuthorizationsLost "Count",
    /// Objects that the poller or one page of the bucket check found, of which no event had arrived.
    MissedDrops "Count",
    /// How long the bucket check that is under way has taken so far.
    BucketCheckAge "Seconds",
}

/// The metrics of one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// The metrics and their values.
    pub metrics: Vec<(Metric, f64)>,
    /// The dimensions, the coarser first. Each has few values.
    pub dimensions: Vec<(&'static str, String)>,
    /// The post or account that the measurement is about; only for the log.
    pub properties: Vec<(&'static str, String)>,
}

impl Measurement {
    /// The values, each with its metric's name and unit.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &'static str, f64)> {
        self.metrics.iter().map(|(metric, value)| {
            let (name, unit) = metric.name_and_unit();
            (name, unit, *value)
        })
    }

    fn of<const N: usize>(metrics: [(Metric, f64); N]) -> Self {
        Self { metrics: metrics.to_vec(), dimensions: Vec::new(), properties: Vec::new() }
    }

    fn by(mut self, dimension: &'static str, value: &str) -> Self {
        self.dimensions.push((dimension, value.to_owned()));
        self
    }

    fn about(mut self, post: &Post) -> Self {
        self.properties.extend([("post.id", post.id.to_string()), ("account", post.account.to_string())]);
        self.properties.extend(post.publish_id().map(|id| ("publish.id", id.to_string())));
        self
    }

    pub(crate) fn received(post: &Post) -> Self {
        Self::of([(Metric::PostsReceived, 1.0)]).about(post)
    }

    /// Measures a post that has just entered its state; `None` if nothing is measured for the state.
    pub(crate) fn of_state(post: &Post, now: Timestamp) -> Option<Self> {
        let ended = |metrics: &[(Metric, f64)]| {
            let mut measurement = Self::of([(Metric::PostsEnded, 1.0)]).by("State", post.state_name().as_str());
            measurement.metrics.extend(metrics);
            measurement
        };
        let measurement = match &post.state {
            PostState::Processing { .. } => Self::of([(Metric::VideoBytes, count(post.bytes.unwrap_or_default()))]),
            // The time of a draft was measured when it was delivered. The creator's own delay does not count.
            PostState::Published { .. } if was_delivered(post) => ended(&[]),
            PostState::Published { .. } | PostState::Delivered { .. } => {
                let time = Duration::try_from(now.duration_since(wanted_at(post))).unwrap_or_default();
                ended(&[(Metric::FailureRate, 0.0), (Metric::TimeToPublish, time.as_secs_f64())])
            }
            PostState::Failed { failure, .. } => {
                ended(&[(Metric::FailureRate, 100.0)]).by("Reason", label(&failure.reason))
            }
            PostState::Cancelled { .. } => ended(&[]),
            PostState::Queued { deferral: Some(deferral), .. } => {
                Self::of([(Metric::Deferrals, 1.0)]).by("Reason", label(&deferral.reason))
            }
            PostState::Held { .. }
            | PostState::Scheduled { .. }
            | PostState::Queued { deferral: None, .. }
            | PostState::Uploading { .. } => return None,
        };
        Some(measurement.about(post))
    }

    pub(crate) fn throughput(post: &Post, rate: Rate) -> Self {
        Self::of([(Metric::Throughput, count(rate.bytes_per_second()))]).about(post)
    }

    pub(crate) fn due_posts(due: u32, oldest: Duration) -> Self {
        Self::of([(Metric::DuePosts, f64::from(due)), (Metric::OldestDuePostAge, oldest.as_secs_f64())])
    }

    pub(crate) fn refresh_failures(accounts: u32) -> Self {
        Self::of([(Metric::TokenRefreshFailures, f64::from(accounts))])
    }

    pub(crate) fn missed_drops(objects: u32) -> Self {
        Self::of([(Metric::MissedDrops, f64::from(objects))])
    }

    pub(crate) fn bucket_check_age(age: Duration) -> Self {
        Self::of([(Metric::BucketCheckAge, age.as_secs_f64())])
    }

    pub(crate) fn authorization_lost(account: &Alias) -> Self {
        let mut measurement = Self::of([(Metric::AuthorizationsLost, 1.0)]);
        measurement.properties.push(("account", account.to_string()));
        measurement
    }
}

/// The value of the `Reason` dimension: one of a bounded number of codes.
fn label(reason: &Reason) -> &str {
    reason.metric_label(|code| error_codes::find(code).is_some())
}

fn was_delivered(post: &Post) -> bool {
    post.history.iter().any(|entry| entry.state == StateName::Delivered)
}

/// When a post should have been published: when it was dropped, or when its wait for a person or its publish time
/// ended.
fn wanted_at(post: &Post) -> Timestamp {
    let waits = |state| matches!(state, StateName::Held | StateName::Scheduled);
    let left = post.history.windows(2).rfind(|entries| waits(entries[0].state) && !waits(entries[1].state));
    left.map_or(post.dropped_at, |entries| entries[1].at)
}

#[expect(clippy::cast_precision_loss, reason = "CloudWatch's values are floats, which are exact far beyond 4 GB")]
fn count(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests;
