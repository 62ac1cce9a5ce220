//! The state of the simulated platform, and its changes as time passes.
//!
//! It does not know HTTP. Only `World::publish_video` publishes a video, and it writes each one into the ledger. Tests
//! count publications in the ledger to detect a video that was posted twice, so add no second way to publish.

mod ledger;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
use crate::endpoint::Endpoint;
use crate::envelope::{ApiError, Rule};
use crate::faults::Faults;
use crate::ids::{IdGenerator, OpenId, PublishId};
use crate::ledger::{CallRecord, Publication, Violation};
use crate::publish::{FailReason, Flow, Publish, PublishState, Transition, Video};
use crate::rate_limiter::RateLimiter;
use crate::settings::{BodyCheck, Settings};
use crate::token_store::TokenStore;
use crate::users::{AccountStanding, PrivacyLevel, User, WebhookDelivery};
use crate::webhooks::{EventSubject, WebhookEvent, WebhookQueue};

/// The longest video in milliseconds that TikTok accepts as a draft.
const MAX_DRAFT_MS: u64 = 600_000;
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The app's credentials and the base URL of uploads. A reset does not change them.
pub(crate) struct App {
    pub(crate) client_key: String,
    pub(crate) client_secret: String,
    pub(crate) public_url: String,
}

/// The state of the simulated platform.
pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) settings: Settings,
    initial_settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) ids: IdGenerator,
    pub(crate) users: BTreeMap<OpenId, User>,
    pub(crate) tokens: TokenStore,
    pub(crate) rate_limiter: RateLimiter,
    pub(crate) faults: Faults,
    pub(crate) webhook_queue: WebhookQueue,
    /// Every publish, oldest first. Nothing is removed except by a reset, so an index stays valid until then.
    pub(crate) publishes: Vec<Publish>,
    /// Indexes in `publishes` of the publishes that the passing of time can still change.
    unsettled: BTreeSet<usize>,
    /// The times of the `creator_info/query` calls that no direct init has used yet, oldest first.
    creator_info_queries: BTreeMap<OpenId, VecDeque<Timestamp>>,
    pub(crate) publications: Vec<Publication>,
    pub(crate) violations: Vec<Violation>,
    pub(crate) calls: Vec<CallRecord>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

impl World {
    pub(crate) fn new(app: App, settings: Settings, ids: IdGenerator) -> Self {
        Self {
            app,
            initial_settings: settings.clone(),
            settings,
            clock: Clock::default(),
            ids,
            users: BTreeMap::new(),
            tokens: TokenStore::default(),
            rate_limiter: RateLimiter::default(),
            faults: Faults::default(),
            webhook_queue: WebhookQueue::default(),
            publishes: Vec::new(),
            unsettled: BTreeSet::new(),
            creator_info_queries: BTreeMap::new(),
            publications: Vec::new(),
            violations: Vec::new(),
            calls: Vec::new(),
        }
    }

    /// Restores the initial state, except that `ids` keeps its record of issued secrets.
    ///
    /// Faults and webhooks continue their numbering, because calls and deliveries may be in progress.
    pub(crate) fn reset(&mut self) {
        self.settings = self.initial_settings.clone();
        self.settings.clear_read_records();
        self.clock = Clock::default();
        self.users.clear();
        self.tokens = TokenStore::default();
        self.rate_limiter = RateLimiter::default();
        self.faults.clear();
        self.webhook_queue.clear();
        self.publishes.clear();
        self.unsettled.clear();
        self.creator_info_queries.clear();
        self.publications.clear();
        self.violations.clear();
        self.calls.clear();
    }

    /// Applies every state change of a publish that is due by now.
    pub(crate) fn apply_due_transitions(&mut self) {
        let now = self.clock.now();
        for index in self.unsettled.clone() {
            while let Some(transition) = self.publishes[index].take_due_transition(&self.settings, now) {
                self.apply(index, &transition, now);
            }
            if !self.publishes[index].has_pending_transitions() {
                self.unsettled.remove(&index);
            }
        }
    }

    fn apply(&mut self, index: usize, transition: &Transition, now: Timestamp) {
        match transition {
            Transition::UploadExpired => self.fail(index, FailReason::Internal, now),
            Transition::VideoMadePublic { at, video } => {
                self.enqueue_webhook(index, &WebhookEvent::PubliclyAvailable(*video), *at);
            }
            Transition::ProcessingEnded { at } => match self.processing_failure(index) {
                Some(reason) => self.fail(index, reason, *at),
                None if self.publishes[index].flow == Flow::Draft => {
                    self.publishes[index].state = PublishState::InInbox;
                    self.enqueue_webhook(index, &WebhookEvent::InboxDelivered, *at);
                }
                None => {
                    // A direct post always has `info`.
                    let info = self.publishes[index].info.clone();
                    let privacy = info.as_ref().map(|info| info.privacy_level);
                    let title = info.and_then(|info| info.title).unwrap_or_default();
                    let privacy = privacy.unwrap_or(PrivacyLevel::SelfOnly);
                    self.publish_video(index, title, privacy, *at);
                }
            },
        }
    }

    /// Returns the reason why a complete upload fails at the end of its processing, if it does.
    fn processing_failure(&self, index: usize) -> Option<FailReason> {
        let publish = &self.publishes[index];
        let user = self.users.get(&publish.user);
        let standing = user.map(|user| user.standing);
        let max_duration_ms = match (publish.flow, user) {
            (Flow::Direct, Some(user)) => u64::from(user.max_video_post_duration_sec) * 1000,
            _ => MAX_DRAFT_MS,
        };
        let sniffer = publish.upload.sniffer();
        let check_body = self.settings.body_check == BodyCheck::Container;
        if publish.forced_failure.is_some() {
            publish.forced_failure
        } else if !self.tokens.is_authorized(&publish.user) {
            Some(FailReason::AuthRemoved)
        } else if check_body && sniffer.container().is_none() {
            Some(FailReason::FileFormatCheckFailed)
        } else if check_body && sniffer.duration_ms().is_some_and(|ms| ms > max_duration_ms) {
            Some(FailReason::DurationCheckFailed)
        } else if standing == Some(AccountStanding::Banned) {
            Some(FailReason::SpamRiskUserBannedFromPosting)
        } else if standing == Some(AccountStanding::Risky) {
            Some(FailReason::SpamRisk)
        } else {
            None
        }
    }

    /// Lets a publish fail, and queues its webhook.
    pub(crate) fn fail(&mut self, index: usize, reason: FailReason, at: Timestamp) {
        self.publishes[index].state = PublishState::Failed { reason };
        self.enqueue_webhook(index, &WebhookEvent::Failed(reason), at);
    }

    /// Publishes a video, writes it into the ledger, and queues its webhook.
    pub(crate) fn publish_video(&mut self, index: usize, title: String, privacy: PrivacyLevel, at: Timestamp) {
        let id = self.ids.nineteen_digits();
        let publish = &mut self.publishes[index];
        self.publications.push(Publication {
            time: at,
            user: publish.user.clone(),
            publish_id: publish.id.clone(),
            post_id: id.to_string(),
            sha256: publish.upload.sha256().unwrap_or_default(),
            bytes: publish.upload.received(),
            title: title.clone(),
            privacy_level: privacy,
            flow: publish.flow,
        });
        publish.add_video(Video::new(id, title, privacy, at, &self.settings));
        self.unsettled.insert(index);
        self.enqueue_webhook(index, &WebhookEvent::Complete, at);
    }

    /// Adds a publish that an init has started.
    pub(crate) fn add(&mut self, publish: Publish) {
        self.unsettled.insert(self.publishes.len());
        self.publishes.push(publish);
    }

    /// Finds the index of a publish.
    pub(crate) fn find_publish(&self, id: &PublishId) -> Option<usize> {
        self.publishes.iter().position(|publish| publish.id == *id)
    }

    /// Finds the index of the publish whose upload URL has this `upload_id` and `upload_token`.
    pub(crate) fn find_upload(&self, id: &str, token: &str) -> Option<usize> {
        self.publishes.iter().position(|publish| publish.upload.matches(id, token))
    }

    /// Finds the owner of an access token. If there is no such user, the call fails as if its token were invalid.
    pub(crate) fn user(&self, id: &OpenId) -> Result<&User, ApiError> {
        self.users.get(id).ok_or_else(ApiError::access_token_invalid)
    }

    /// Queues the webhook of an event of a publish, unless webhooks are disabled for its user.
    pub(crate) fn enqueue_webhook(&mut self, index: usize, event: &WebhookEvent, at: Timestamp) {
        let publish = &self.publishes[index];
        if !self.webhooks_enabled(&publish.user) {
            return;
        }
        let subject = EventSubject {
            client_key: &self.app.client_key,
            user: &publish.user,
            publish: Some((&publish.id, publish.flow)),
        };
        self.webhook_queue.enqueue(event, subject, &self.settings, at);
    }

    fn webhooks_enabled(&self, user: &OpenId) -> bool {
        self.users.get(user).is_none_or(|user| user.webhooks == WebhookDelivery::Enabled)
    }

    /// Deletes a user's codes and tokens, and queues the webhook `authorization.removed` with TikTok's number for the
    /// reason.
    pub(crate) fn remove_authorization(&mut self, user: &OpenId, reason: u8, now: Timestamp) {
        self.tokens.revoke(user);
        if !self.webhooks_enabled(user) {
            return;
        }
        let subject = EventSubject { client_key: &self.app.client_key, user, publish: None };
        let event = WebhookEvent::AuthorizationRemoved(reason);
        self.webhook_queue.enqueue(&event, subject, &self.settings, now);
    }

    /// Writes a violation into the ledger and the log.
    pub(crate) fn record_violation(
        &mut self,
        endpoint: Endpoint,
        rule: Rule,
        user: Option<OpenId>,
        publish_id: Option<PublishId>,
        message: String,
    ) {
        tracing::warn!(?endpoint, ?rule, violation = %message, "the client broke a rule");
        self.violations.push(Violation { time: self.clock.now(), endpoint, rule, user, publish_id, message });
    }

    /// Counts a user's direct posts that were started in the last 24 hours and have not failed.
    pub(crate) fn direct_posts_in_last_day(&self, user: &OpenId, now: Timestamp) -> usize {
        let counts = |publish: &&Publish| {
            publish.user == *user
                && publish.flow == Flow::Direct
                && now.duration_since(publish.created_at) < DAY
                && !matches!(publish.state, PublishState::Failed { .. })
        };
        self.publishes.iter().filter(counts).count()
    }

    /// Counts a user's drafts that are not yet posted. A draft whose upload is incomplete counts for 24 hours.
    pub(crate) fn pending_drafts(&self, user: &OpenId, now: Timestamp) -> usize {
        let counts = |publish: &&Publish| {
            let is_pending = match publish.state {
                PublishState::Uploading => now.duration_since(publish.created_at) < DAY,
                PublishState::Processing { .. } | PublishState::InInbox => true,
                PublishState::Published { .. } | PublishState::Failed { .. } => false,
            };
            publish.user == *user && publish.flow == Flow::Draft && is_pending
        };
        self.publishes.iter().filter(counts).count()
    }

    /// Lists the users who started a direct post in the last 24 hours.
    pub(crate) fn active_users(&self, now: Timestamp) -> BTreeSet<OpenId> {
        let is_recent =
            |publish: &&Publish| publish.flow == Flow::Direct && now.duration_since(publish.created_at) < DAY;
        self.publishes.iter().filter(is_recent).map(|publish| publish.user.clone()).collect()
    }

    /// Records a `creator_info/query` call for the next direct init.
    pub(crate) fn record_creator_info_query(&mut self, user: &OpenId, now: Timestamp) {
        self.creator_info_queries.entry(user.clone()).or_default().push_back(now);
    }

    /// Consumes the oldest recorded `creator_info/query` call that is recent enough, or returns false if there is none.
    ///
    /// TikTok requires a fresh query for every direct post, so one query cannot serve two inits.
    pub(crate) fn consume_recent_creator_info(&mut self, user: &OpenId, now: Timestamp) -> bool {
        let max_age = self.settings.creator_info_max_age_s;
        let max_age = SignedDuration::from_secs(i64::try_from(max_age).unwrap_or(i64::MAX));
        let Some(queries) = self.creator_info_queries.get_mut(user) else {
            return false;
        };
        queries.retain(|at| now.duration_since(*at) <= max_age);
        queries.pop_front().is_some()
    }
}
