//! The state of the simulated platform, and how time moves it.
//!
//! Knows no HTTP. Everything that is published passes through one function
//! here, which is what the count of publications rests on.

pub(crate) mod account;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
use crate::endpoint::Endpoint;
use crate::envelope::{Refusal, Rule};
use crate::faults::Faults;
use crate::ids::{Mint, OpenId, PublishId};
use crate::ledger::{Event, Publication, Violation};
use crate::limits::Limits;
use crate::post::{FailReason, Flow, Life, Post, Step, Video};
use crate::settings::{BodyCheck, Settings};
use crate::tokens::Grants;
use crate::users::{PrivacyLevel, Standing, User, Webhooks};
use crate::webhooks::{About, News, Outbox};

/// The longest video that an inbox takes, in milliseconds.
const LONGEST_DRAFT_MS: u64 = 600_000;
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The app's registration, which does not change.
pub(crate) struct App {
    pub(crate) client_key: String,
    pub(crate) client_secret: String,
    pub(crate) public_url: String,
}

/// Everything there is.
pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) settings: Settings,
    first_settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) mint: Mint,
    pub(crate) users: BTreeMap<OpenId, User>,
    pub(crate) grants: Grants,
    pub(crate) limits: Limits,
    pub(crate) faults: Faults,
    pub(crate) outbox: Outbox,
    pub(crate) posts: Vec<Post>,
    /// Places in `posts` of those that time can still change.
    moving: BTreeSet<usize>,
    /// Looks at a creator that no direct post was started on yet, oldest first.
    looks: BTreeMap<OpenId, VecDeque<Timestamp>>,
    pub(crate) publications: Vec<Publication>,
    pub(crate) violations: Vec<Violation>,
    pub(crate) events: Vec<Event>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

impl World {
    pub(crate) fn new(app: App, settings: Settings, mint: Mint) -> Self {
        Self {
            app,
            first_settings: settings.clone(),
            settings,
            clock: Clock::default(),
            mint,
            users: BTreeMap::new(),
            grants: Grants::default(),
            limits: Limits::default(),
            faults: Faults::default(),
            outbox: Outbox::default(),
            posts: Vec::new(),
            moving: BTreeSet::new(),
            looks: BTreeMap::new(),
            publications: Vec::new(),
            violations: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Starts over, but for the record of secrets and the numbers already given.
    pub(crate) fn reset(&mut self) {
        self.settings = self.first_settings.clone();
        self.settings.forget();
        self.clock = Clock::default();
        self.users.clear();
        self.grants = Grants::default();
        self.limits = Limits::default();
        self.faults.clear();
        self.outbox.clear();
        self.posts.clear();
        self.moving.clear();
        self.looks.clear();
        self.publications.clear();
        self.violations.clear();
        self.events.clear();
    }

    /// Lets happen whatever is due.
    pub(crate) fn settle(&mut self) {
        let now = self.clock.now();
        for index in self.moving.clone() {
            while let Some(step) = self.posts[index].step(&self.settings, now) {
                self.take(index, &step, now);
            }
            if !self.posts[index].is_moving() {
                self.moving.remove(&index);
            }
        }
    }

    fn take(&mut self, index: usize, step: &Step, now: Timestamp) {
        match step {
            Step::UploadLapsed => self.fail(index, FailReason::Internal, now),
            Step::MadePublic { at, video } => {
                self.tell(index, &News::PubliclyAvailable(*video), *at);
            }
            Step::ProcessingDone { at } => match self.verdict(index) {
                Some(reason) => self.fail(index, reason, *at),
                None if self.posts[index].flow == Flow::Draft => {
                    self.posts[index].life = Life::InInbox;
                    self.tell(index, &News::InboxDelivered, *at);
                }
                None => {
                    let info = self.posts[index].info.clone();
                    let privacy = info.as_ref().map(|info| info.privacy_level);
                    let title = info.and_then(|info| info.title).unwrap_or_default();
                    let privacy = privacy.unwrap_or(PrivacyLevel::SelfOnly);
                    self.publish(index, title, privacy, *at);
                }
            },
        }
    }

    /// Judges a file whose bytes are all here: the reason to fail it, if there is one.
    fn verdict(&self, index: usize) -> Option<FailReason> {
        let post = &self.posts[index];
        let standing = self.users.get(&post.user).map(|user| user.standing);
        let longest = match (post.flow, self.users.get(&post.user)) {
            (Flow::Direct, Some(user)) => u64::from(user.max_video_post_duration_sec) * 1000,
            _ => LONGEST_DRAFT_MS,
        };
        let sniffer = post.upload.sniffer();
        let looked_at = self.settings.body_check == BodyCheck::Container;
        if post.doom.is_some() {
            post.doom
        } else if !self.grants.has_consent(&post.user) {
            Some(FailReason::AuthRemoved)
        } else if looked_at && sniffer.container().is_none() {
            Some(FailReason::FileFormatCheckFailed)
        } else if looked_at && sniffer.duration_ms().is_some_and(|ms| ms > longest) {
            Some(FailReason::DurationCheckFailed)
        } else if standing == Some(Standing::Banned) {
            Some(FailReason::SpamRiskUserBannedFromPosting)
        } else if standing == Some(Standing::Risky) {
            Some(FailReason::SpamRisk)
        } else {
            None
        }
    }

    /// Ends a publish without a video.
    pub(crate) fn fail(&mut self, index: usize, reason: FailReason, at: Timestamp) {
        self.posts[index].life = Life::Failed { reason };
        self.tell(index, &News::Failed(reason), at);
    }

    /// Makes a video of a publish, and writes it down.
    pub(crate) fn publish(&mut self, index: usize, title: String, privacy: PrivacyLevel, at: Timestamp) {
        let id = self.mint.nineteen_digits();
        let post = &mut self.posts[index];
        self.publications.push(Publication {
            time: at,
            user: post.user.clone(),
            publish_id: post.id.clone(),
            post_id: id.to_string(),
            sha256: post.upload.sha256().unwrap_or_default(),
            bytes: post.upload.received(),
            title: title.clone(),
            privacy_level: privacy,
            flow: post.flow,
        });
        post.publish(Video::new(id, title, privacy, at, &self.settings));
        self.moving.insert(index);
        self.tell(index, &News::Complete, at);
    }

    /// Adds a publish that was just started.
    pub(crate) fn add(&mut self, post: Post) {
        self.moving.insert(self.posts.len());
        self.posts.push(post);
    }

    /// Finds a publish's place.
    pub(crate) fn find(&self, id: &PublishId) -> Option<usize> {
        self.posts.iter().position(|post| post.id == *id)
    }

    /// Finds an upload's place by the parameters of its URL.
    pub(crate) fn find_upload(&self, id: &str, token: &str) -> Option<usize> {
        self.posts.iter().position(|post| post.upload.is(id, token))
    }

    /// Finds a user; one who is gone invalidates the token that named them.
    pub(crate) fn user(&self, id: &OpenId) -> Result<&User, Refusal> {
        self.users.get(id).ok_or_else(Refusal::access_token_invalid)
    }

    /// Tells the app's webhook about a publish.
    pub(crate) fn tell(&mut self, index: usize, news: &News, at: Timestamp) {
        let post = &self.posts[index];
        if !self.is_told_of(&post.user) {
            return;
        }
        let about = About { client_key: &self.app.client_key, user: &post.user, publish: Some((&post.id, post.flow)) };
        self.outbox.tell(news, about, &self.settings, at);
    }

    fn is_told_of(&self, user: &OpenId) -> bool {
        self.users.get(user).is_none_or(|user| user.webhooks == Webhooks::Told)
    }

    /// Removes what a user agreed to, and tells the app's webhook why.
    pub(crate) fn remove_consent(&mut self, user: &OpenId, reason: u8, now: Timestamp) {
        self.grants.revoke(user);
        if !self.is_told_of(user) {
            return;
        }
        let about = About { client_key: &self.app.client_key, user, publish: None };
        let news = News::AuthorizationRemoved(reason);
        self.outbox.tell(&news, about, &self.settings, now);
    }

    /// Writes down that a rule was broken.
    pub(crate) fn breach(
        &mut self,
        endpoint: Endpoint,
        rule: Rule,
        user: Option<OpenId>,
        publish_id: Option<PublishId>,
        sentence: String,
    ) {
        tracing::warn!(?endpoint, ?rule, %sentence, "the client broke a rule");
        self.violations.push(Violation { time: self.clock.now(), endpoint, rule, user, publish_id, sentence });
    }

    /// Counts the direct posts that a user started in the last 24 hours and that did not fail.
    pub(crate) fn direct_posts_of_the_day(&self, user: &OpenId, now: Timestamp) -> usize {
        let counts = |post: &&Post| {
            post.user == *user
                && post.flow == Flow::Direct
                && now.duration_since(post.created_at) < DAY
                && !matches!(post.life, Life::Failed { .. })
        };
        self.posts.iter().filter(counts).count()
    }

    /// Counts the drafts of a user that are not yet posted; an abandoned one lapses after 24 hours.
    pub(crate) fn pending_drafts(&self, user: &OpenId, now: Timestamp) -> usize {
        let counts = |post: &&Post| {
            let pending = match post.life {
                Life::Uploading => now.duration_since(post.created_at) < DAY,
                Life::Processing { .. } | Life::InInbox => true,
                Life::Published { .. } | Life::Failed { .. } => false,
            };
            post.user == *user && post.flow == Flow::Draft && pending
        };
        self.posts.iter().filter(counts).count()
    }

    /// Names the users who started direct posts in the last 24 hours.
    pub(crate) fn active_users(&self, now: Timestamp) -> BTreeSet<OpenId> {
        let active = |post: &&Post| post.flow == Flow::Direct && now.duration_since(post.created_at) < DAY;
        let posts = self.posts.iter().filter(active);
        posts.map(|post| post.user.clone()).collect()
    }

    /// Notes that the client looked at what a creator may post.
    pub(crate) fn saw_creator_info(&mut self, user: &OpenId, now: Timestamp) {
        self.looks.entry(user.clone()).or_default().push_back(now);
    }

    /// Uses up a recent look at what a creator may post: every direct post needs one
    /// of its own. False if there is none.
    pub(crate) fn use_fresh_look(&mut self, user: &OpenId, now: Timestamp) -> bool {
        let limit = self.settings.creator_info_fresh_s;
        let limit = SignedDuration::from_secs(i64::try_from(limit).unwrap_or(i64::MAX));
        let Some(looks) = self.looks.get_mut(user) else {
            return false;
        };
        looks.retain(|at| now.duration_since(*at) <= limit);
        looks.pop_front().is_some()
    }
}
