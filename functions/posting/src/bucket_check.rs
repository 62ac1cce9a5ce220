//! The bucket check: submits object versions whose S3 events are late or lost. `domain::bucket_check` has the rules,
//! and says which versions are checked.
//!
//! **What is missed.** A dropped video that has no post, an uploaded video whose post waits for it, or a sidecar whose
//! video's post is held for it. Such an object is submitted as its event would have been ([`Submit`]). If the event
//! arrives meanwhile or later, it finds the same post.
//!
//! **After a crash.** A page is handled before its end is stored. If the invocation is killed in between, the page is
//! read again, and the versions that were submitted have posts. If a version cannot be checked or submitted, the others
//! of its page are, and the page is read again after the lease.
//!
//! **Cost.** An invocation lists at most [`MAX_PAGES`] pages and reads one post for each video in them that is young
//! enough. So a check of any bucket costs at most that many requests in a minute (docs/cost.md).

use std::pin::pin;
use std::time::Duration;

use domain::bucket_check::{BucketCheck as Check, MAX_INTERVAL, is_checked};
use domain::drop_key::DropKey;
use domain::failure::error_chain;
use domain::identity::PostId;
use domain::post::{HoldReason, Post, PostState};
use domain::source::{Arrival, ObjectVersion, Source};
use domain::trace::TraceId;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use storage::{BucketChecks, ListedVersion, ObjectError, Objects, Posts, Recency, StoreError, Versioned, WakeQueue};

use crate::best_effort::wake_worker;
use crate::compare_and_swap::unless_conflict;
use crate::config::{ConfigError, optional, required};
use crate::invocation::{Instruments, Worker};
use crate::measure::Measurement;
use crate::state_recorder::POST_TAG;
use crate::submit::{Submit, SubmitError, Submitted};

/// How many pages an invocation lists at most. A page has up to 1,000 versions, so with one invocation a minute a check
/// of a million versions takes less than two hours.
const MAX_PAGES: u32 = 10;
/// How many versions are checked at once.
const CONCURRENCY: usize = 16;
/// Default of `BUCKET_CHECK_HOURS`.
const HOURS: &str = "24";

/// The settings of the bucket check.
#[derive(Debug, Clone)]
pub struct BucketCheckConfig {
    /// `INTAKE_BUCKET`: the bucket.
    bucket: String,
    /// `BUCKET_CHECK_HOURS`: the time from the start of a check to the start of the next one. `None`, written as 0,
    /// means that there is no check.
    interval: Option<Duration>,
}

impl BucketCheckConfig {
    /// Parses the settings; `variable` returns the value of an environment variable, if it is set.
    ///
    /// # Errors
    /// Names the first variable that is missing or malformed.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        Ok(Self {
            bucket: required(&variable, "INTAKE_BUCKET")?,
            interval: optional(&variable, "BUCKET_CHECK_HOURS", HOURS, interval)?,
        })
    }
}

fn interval(hours: &str) -> Result<Option<Duration>, String> {
    let hours = hours.parse().ok().map(Duration::from_hours).filter(|interval| *interval <= MAX_INTERVAL);
    let hours = hours.ok_or_else(|| format!("it must be 0 to {}", MAX_INTERVAL.as_secs() / 3600))?;
    Ok(Some(hours).filter(|interval| !interval.is_zero()))
}

/// What a run of the bucket check did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BucketCheckSummary {
    /// Pages that were listed.
    pub pages: u32,
    /// Objects that were submitted, because no event of them had arrived.
    pub missed: u32,
}

/// Why the bucket check did not go on. It continues at the stored position after its lease.
#[derive(Debug, thiserror::Error)]
pub enum BucketCheckError {
    /// The progress of the check or a post could not be read or stored.
    #[error("the bucket check could not read or store a post or its own progress")]
    Store(#[from] StoreError),
    /// The versions, or the tag of one, could not be read.
    #[error("the bucket check could not read the bucket")]
    Object(#[from] ObjectError),
    /// An object that was missed could not be submitted.
    #[error("the bucket check could not submit an object")]
    Submit(#[from] SubmitError),
}

/// The result for one version.
enum Checked {
    /// The version has its post, or is to have none.
    Known,
    /// The version was submitted. A worker may take these posts.
    Submitted(Vec<PostId>),
    /// The deadline was reached before.
    NotReached,
}

from_dependencies! {
    /// Submits object versions whose S3 events are late or lost.
    pub struct BucketCheck {
        checks: BucketChecks, posts: Posts, objects: Objects, submit: Submit, wake_queue: WakeQueue,
        instruments: Instruments,
    }
}

impl BucketCheck {
    /// Continues the check that is under way, or begins the next one when it is due. `trace_header` is the invocation's
    /// trace, which the posts get that it stores.
    ///
    /// # Errors
    /// The check stopped. It continues at the stored position.
    pub async fn run(
        &self,
        config: &BucketCheckConfig,
        worker: &Worker,
        trace_header: Option<&str>,
    ) -> Result<BucketCheckSummary, BucketCheckError> {
        let mut summary = BucketCheckSummary::default();
        let Some(interval) = config.interval else { return Ok(summary) };
        let trace = trace_header.and_then(TraceId::from_header);
        let newest = self.checks.newest().await?;
        let read = newest.as_ref().map(Into::into);
        let claimed = Check::claim(newest.map(|newest| newest.value), interval, self.instruments.now());
        let Some(claimed) = claimed else { return Ok(summary) };
        let Some(mut check) = unless_conflict(self.checks.save(read, claimed).await)? else { return Ok(summary) };
        self.instruments.measure(&Measurement::bucket_check_age(self.instruments.time_since(check.begun_at)));
        while let Some(position) = check.position().cloned() {
            let is_last = summary.pages + 1 == MAX_PAGES;
            let page = self.objects.versions(&config.bucket, position.area.prefix(), position.after).await?;
            summary.pages += 1;
            let (missed, is_done) = self.check_page(page.versions, worker, trace.as_ref()).await?;
            summary.missed += missed;
            self.instruments.measure(&Measurement::missed_drops(missed));
            let now = self.instruments.now();
            let next = if is_done { check.value.clone().advance(page.next, now) } else { check.value.clone() };
            let ends = !is_done || is_last || now >= worker.deadline;
            let next = if ends { next.release(now) } else { next };
            match unless_conflict(self.checks.save(Some((&check).into()), next).await)? {
                Some(saved) if !ends => check = saved,
                // The next invocation continues, or another one has claimed the check after this one's lease.
                Some(_) | None => break,
            }
        }
        tracing::info!(pages = summary.pages, objects.missed = summary.missed, "bucket checked for lost events");
        Ok(summary)
    }

    /// Submits the versions of a page that were missed. Returns their number, and whether the whole page was checked
    /// before the deadline. No worker is woken before all posts are stored. Otherwise they would not be uploaded in the
    /// order of their drops.
    async fn check_page(
        &self,
        versions: Vec<ListedVersion>,
        worker: &Worker,
        trace: Option<&TraceId>,
    ) -> Result<(u32, bool), BucketCheckError> {
        let now = self.instruments.now();
        let mut versions: Vec<_> = versions.into_iter().filter(|version| is_candidate(version, now)).collect();
        versions.sort_by_key(|version| version.created_at);
        let checked = stream::iter(versions).map(|version| Box::pin(self.check(version, worker, trace)));
        let mut checked = pin!(checked.buffered(CONCURRENCY));
        let (mut submitted, mut missed, mut is_done, mut first_error) = (Vec::new(), 0, true, None);
        while let Some(result) = checked.next().await {
            match result {
                Ok(Checked::Known) => {}
                Ok(Checked::Submitted(posts)) => {
                    missed += 1;
                    submitted.extend(posts);
                }
                Ok(Checked::NotReached) => is_done = false,
                Err(error) => drop(first_error.get_or_insert(error)),
            }
        }
        let wake = |post| async move { wake_worker(&self.wake_queue, &post).await };
        stream::iter(submitted).for_each_concurrent(CONCURRENCY, wake).await;
        first_error.map_or(Ok((missed, is_done)), Err)
    }

    /// Submits a version if it was missed.
    async fn check(
        &self,
        version: ListedVersion,
        worker: &Worker,
        trace: Option<&TraceId>,
    ) -> Result<Checked, BucketCheckError> {
        if self.instruments.now() >= worker.deadline {
            return Ok(Checked::NotReached);
        }
        let result = self.try_check(&version, trace).await;
        result.inspect_err(|error| {
            let error = error_chain(error);
            tracing::error!(object.key = version.source.key, error, "object not checked for a lost event");
        })
    }

    async fn try_check(&self, version: &ListedVersion, trace: Option<&TraceId>) -> Result<Checked, BucketCheckError> {
        if !self.is_missed(version).await? {
            return Ok(Checked::Known);
        }
        let key = &version.source.key;
        tracing::warn!(object.key = key, object.created_at = %version.created_at, "no event of the object has arrived");
        let arrival = arrival_of(version, trace);
        Ok(match self.submit.submit_missed(&arrival).await? {
            Submitted::Post(post) => Checked::Submitted(vec![post]),
            Submitted::Options(posts) => Checked::Submitted(posts),
            // Since the check, the event has arrived, the object was deleted, or the post of the upload was closed.
            Submitted::Nothing | Submitted::Ignored(_) => Checked::Known,
        })
    }

    async fn is_missed(&self, version: &ListedVersion) -> Result<bool, BucketCheckError> {
        let source = &version.source;
        Ok(match DropKey::parse(&source.key) {
            DropKey::Video { .. } => {
                let post = source.post_id();
                self.posts.get(&post).await?.is_none() && !self.had_post(version, &post).await?
            }
            DropKey::Upload { post } => {
                let post = self.posts.get(&post).await?.filter(|post| post.source.key == source.key);
                post.is_some_and(|post| self.can_attach(post, version))
            }
            DropKey::Sidecar => self.is_awaited(source).await?,
            DropKey::Ignored(_) => false,
        })
    }

    fn can_attach(&self, post: Versioned<Post>, version: &ListedVersion) -> bool {
        let (object, now) = (version.source.version.clone(), self.instruments.now());
        post.value.attach_object(object, Some(version.bytes), now).is_ok()
    }

    /// Tells whether a version is tagged with its own post, which is not in the table. Then a person has deleted the
    /// item, and the video may be on TikTok: a second post of it could be a duplicate.
    async fn had_post(&self, version: &ListedVersion, post: &PostId) -> Result<bool, BucketCheckError> {
        if !matches!(version.source.version, ObjectVersion::Id(_)) {
            // Without versioning, the tag may be that of an overwritten object.
            return Ok(false);
        }
        let had_post = match self.objects.tag_value(&version.source, POST_TAG).await {
            Ok(tag) => tag.as_deref() == Some(post.as_str()),
            Err(ObjectError::Gone { .. }) => return Ok(true),
            Err(error) => return Err(error.into()),
        };
        if had_post {
            tracing::error!(
                post.id = %post, object.key = version.source.key,
                "post deleted from the posts table: it is not made again, because its video may be on TikTok. Restore it \
                 (docs/operate.md#restore-deleted-items)"
            );
        }
        Ok(had_post)
    }

    /// Tells whether a post is held for this sidecar.
    async fn is_awaited(&self, sidecar: &Source) -> Result<bool, BucketCheckError> {
        for post in self.submit.posts_of_sidecar(&sidecar.bucket, &sidecar.key).await? {
            let post = self.posts.get(&post).await?;
            if post.is_some_and(|post| matches!(post.state, PostState::Held { reason: HoldReason::Sidecar })) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Tells whether a version is young enough, but not too young, and a video or a sidecar.
///
/// Of a sidecar, and of an object without a version id, only the latest version can be read.
fn is_candidate(version: &ListedVersion, now: Timestamp) -> bool {
    let needs_latest = match DropKey::parse(&version.source.key) {
        DropKey::Video { .. } | DropKey::Upload { .. } => !matches!(version.source.version, ObjectVersion::Id(_)),
        DropKey::Sidecar => true,
        DropKey::Ignored(_) => return false,
    };
    is_checked(version.created_at, now) && (!needs_latest || version.recency == Recency::Latest)
}

/// What the event of a version would have said.
fn arrival_of(version: &ListedVersion, trace: Option<&TraceId>) -> Arrival {
    let (version_id, etag) = version.source.version.clone().into_parts();
    Arrival {
        bucket: version.source.bucket.clone(),
        key: version.source.key.clone(),
        version_id,
        etag,
        bytes: Some(version.bytes),
        at: Some(version.created_at),
        trace: trace.cloned(),
    }
}

#[cfg(test)]
mod tests;
