//! Measuring: which moments of a post's life are counted, and by what.
//!
//! What is measured is handed to a [`Meter`]; where it goes from there is not known
//! here. What numbers are counted *by* is bounded: states, and codes out of tables.
//! A post and its account are named beside the numbers, and never counted by.

use std::sync::Arc;
use std::time::Duration;

use domain::post::{Post, PostState, StateName};
use domain::rate::Rate;
use domain::reason::Reason;
use jiff::Timestamp;
use tiktok::error_codes;

use crate::posting::Posting;

/// Takes what was measured.
pub type Meter = Arc<dyn Fn(&Measurement) + Send + Sync>;

/// Something that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Posts that were stored for the first time.
    PostsReceived,
    /// Posts that came to an end, by `State`, and failed ones by `Reason`.
    PostsEnded,
    /// 100 for each post that failed and 0 for each that did not: the average is the share.
    FailureRate,
    /// From the drop, or the time that the post waited for, until TikTok has it out.
    TimeToPublish,
    /// The videos that TikTok has whole.
    VideoBytes,
    /// The rate at which a video's chunks went.
    Throughput,
    /// Times that a post was put off, by `Reason`.
    Deferrals,
    /// Posts that a look found due.
    DuePosts,
    /// How long the one of them that waited longest had been waiting.
    OldestDuePostAge,
    /// Accounts whose tokens ought to have been exchanged, and were not.
    TokenRefreshFailures,
    /// Accounts whose tokens TikTok takes no longer.
    AuthorizationsLost,
}

impl Metric {
    /// All there are.
    pub const ALL: [Self; 11] = [
        Self::PostsReceived,
        Self::PostsEnded,
        Self::FailureRate,
        Self::TimeToPublish,
        Self::VideoBytes,
        Self::Throughput,
        Self::Deferrals,
        Self::DuePosts,
        Self::OldestDuePostAge,
        Self::TokenRefreshFailures,
        Self::AuthorizationsLost,
    ];

    /// The name that dashboards and alarms know it by, and its unit in CloudWatch's words.
    #[must_use]
    pub fn name_and_unit(self) -> (&'static str, &'static str) {
        match self {
            Self::PostsReceived => ("PostsReceived", "Count"),
            Self::PostsEnded => ("PostsEnded", "Count"),
            Self::FailureRate => ("FailureRate", "Percent"),
            Self::TimeToPublish => ("TimeToPublish", "Seconds"),
            Self::VideoBytes => ("VideoBytes", "Bytes"),
            Self::Throughput => ("Throughput", "Bytes/Second"),
            Self::Deferrals => ("Deferrals", "Count"),
            Self::DuePosts => ("DuePosts", "Count"),
            Self::OldestDuePostAge => ("OldestDuePostAge", "Seconds"),
            Self::TokenRefreshFailures => ("TokenRefreshFailures", "Count"),
            Self::AuthorizationsLost => ("AuthorizationsLost", "Count"),
        }
    }
}

/// Numbers of one moment, and what they are told apart by.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// The numbers.
    pub figures: Vec<(Metric, f64)>,
    /// What they are counted by, the coarser first; few values each.
    pub by: Vec<(&'static str, String)>,
    /// What they are about; for the log alone.
    pub about: Vec<(&'static str, String)>,
}

impl Measurement {
    /// The numbers, each with its name and unit.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &'static str, f64)> {
        self.figures.iter().map(|(metric, value)| {
            let (name, unit) = metric.name_and_unit();
            (name, unit, *value)
        })
    }

    fn of<const N: usize>(figures: [(Metric, f64); N]) -> Self {
        Self { figures: figures.to_vec(), by: Vec::new(), about: Vec::new() }
    }

    fn by(mut self, name: &'static str, word: &str) -> Self {
        self.by.push((name, word.to_owned()));
        self
    }

    fn about(mut self, post: &Post) -> Self {
        let facts = [("post.id", post.id.to_string()), ("account", post.account.to_string())];
        self.about.extend(facts);
        self.about.extend(post.publish_id().map(|id| ("publish.id", id.to_string())));
        self
    }

    /// A post that was stored for the first time.
    pub(crate) fn received(post: &Post) -> Self {
        Self::of([(Metric::PostsReceived, 1.0)]).about(post)
    }

    /// A post that has just come to where it stands; none, where nothing is counted there.
    pub(crate) fn of_state(post: &Post, now: Timestamp) -> Option<Self> {
        let ended = |figures: &[(Metric, f64)]| {
            let mut reading = Self::of([(Metric::PostsEnded, 1.0)]).by("State", post.state_name().as_str());
            reading.figures.extend(figures);
            reading
        };
        let reading = match &post.state {
            PostState::Processing { .. } => Self::of([(Metric::VideoBytes, count(post.bytes.unwrap_or_default()))]),
            // Of a draft that its creator posted it was said already how fast it came.
            PostState::Published { .. } if was_delivered(post) => ended(&[]),
            PostState::Published { .. } | PostState::Delivered { .. } => {
                let took = Duration::try_from(now.duration_since(wanted_at(post))).unwrap_or_default();
                ended(&[(Metric::FailureRate, 0.0), (Metric::TimeToPublish, took.as_secs_f64())])
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
        Some(reading.about(post))
    }

    /// The rate at which a video's chunks went.
    pub(crate) fn sent(post: &Post, rate: Rate) -> Self {
        Self::of([(Metric::Throughput, count(rate.bytes_per_second()))]).about(post)
    }

    /// What a look found.
    pub(crate) fn looked(due: u32, oldest: Duration) -> Self {
        Self::of([(Metric::DuePosts, f64::from(due)), (Metric::OldestDuePostAge, oldest.as_secs_f64())])
    }

    /// How many accounts' tokens could not be exchanged, though it was time.
    pub(crate) fn near_end(accounts: u32) -> Self {
        Self::of([(Metric::TokenRefreshFailures, f64::from(accounts))])
    }

    /// An account whose tokens TikTok takes no longer.
    pub(crate) fn consent_lost(account: &str) -> Self {
        let mut reading = Self::of([(Metric::AuthorizationsLost, 1.0)]);
        reading.about.push(("account", account.to_owned()));
        reading
    }
}

impl Posting {
    /// Tells a meter what is measured from now on; without one, nobody is told.
    #[must_use]
    pub fn metered(self, meter: Meter) -> Self {
        Self { meter: Some(meter), ..self }
    }

    pub(crate) fn measure(&self, reading: &Measurement) {
        if let Some(meter) = &self.meter {
            meter(reading);
        }
    }
}

fn was_delivered(post: &Post) -> bool {
    post.history.iter().any(|entry| entry.state == StateName::Delivered)
}

/// When a post was to go out: when it was dropped, or its time had come, or a
/// person had done what it was held for.
fn wanted_at(post: &Post) -> Timestamp {
    let waits = |state| matches!(state, StateName::Held | StateName::Scheduled);
    let left = post.history.windows(2).rfind(|steps| waits(steps[0].state) && !waits(steps[1].state));
    left.map_or(post.dropped_at, |steps| steps[1].at)
}

#[expect(clippy::cast_precision_loss, reason = "a metric is a float: 4 GB are far from where one is not exact")]
fn count(bytes: u64) -> f64 {
    bytes as f64
}

/// The value of the `Reason` dimension: one of a bounded number of codes.
fn label(reason: &Reason) -> &str {
    reason.metric_label(|code| error_codes::find(code).is_some())
}

#[cfg(test)]
mod tests;
