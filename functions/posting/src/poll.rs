//! Settling: TikTok is asked about a publish, and its word is applied.
//!
//! The poller comes through here; what TikTok says by itself ([`crate::hear`])
//! feeds the same `Post::settle`.

use std::time::Duration;

use domain::account::Account;
use domain::failure::{Deferral, Failure};
use domain::identity::Alias;
use domain::options::Mode;
use domain::post::{Outcome, Post, PostState};
use domain::rate_limit::{CallKind, Cooldown, Wait};
use domain::report::{Links, PublishStatus, StatusReport};
use jiff::Timestamp;
use storage::{SaveError, StoreError, Versioned};

use crate::exit::Exit;
use crate::posting::{Posting, Worker};

/// TikTok's word for a creator who took the app's access away.
const CONSENT_GONE: &str = "auth_removed";
/// TikTok's codes for a publish that it will not speak of any more.
const NO_MORE_KNOWN: [&str; 2] = ["invalid_publish_id", "token_not_authorized_for_specified_publish_id"];
/// The scope without which no cover's link is to be had.
const COVERS: &str = "video.list";
/// The wait after TikTok, or something before it, refused to tell.
const REFUSED_LOOK: Duration = Duration::from_mins(15);
/// The least wait after a question that failed.
const LEAST_LOOK: Duration = Duration::from_secs(15);

impl Posting {
    /// Asks TikTok about a post's publish and stores what follows.
    ///
    /// # Errors
    /// The database could not be written; the post stays due.
    pub(crate) async fn poll(&self, kept: Versioned<Post>, worker: &Worker) -> Result<(), StoreError> {
        let Some(publish_id) = kept.publish_id().cloned() else {
            return Ok(());
        };
        let alias = kept.account.clone();
        let ask = async |token| self.tiktok.fetch_status(&token, &publish_id).await;
        let asked = self.rate_limited(CallKind::StatusFetch, &alias, worker, ask);
        let now = self.now();
        let post = kept.value.clone();
        let next = match asked.await {
            Ok(report) => {
                tracing::info!(
                    post.id = %kept.id, publish.id = %publish_id, tiktok.status = ?report.status,
                    tiktok.log_id = report.log_id, "status fetched"
                );
                self.note_authorization(&report, &alias, worker).await;
                match post.apply_report(&report, now) {
                    Ok(settled) => self.link(settled, worker).await,
                    Err(_) => return Ok(()),
                }
            }
            Err(Exit::Fail(failure)) if NO_MORE_KNOWN.contains(&failure.reason.code()) => {
                unknown_to_tiktok(post, failure, now)
            }
            Err(Exit::Fail(failure)) => {
                tracing::warn!(post.id = %kept.id, why = %failure, "status not fetched: asked again later");
                post.postpone_poll(REFUSED_LOOK, now)
            }
            Err(Exit::Defer { reason, message, after }) => {
                tracing::warn!(post.id = %kept.id, code = reason.code(), message, "status not fetched: asked again later");
                post.postpone_poll(after.max(LEAST_LOOK), now)
            }
            Err(Exit::RateLimited(limited)) => {
                let Wait { message, until, .. } = limited.wait;
                tracing::info!(post.id = %kept.id, until = %until, "status not fetched yet: {message}");
                post.postpone_poll(Duration::try_from(until.duration_since(now)).unwrap_or_default(), now)
            }
            Err(Exit::Store(error)) => return Err(error),
            Err(_) => return Ok(()),
        };
        let changed = next.state_name() != kept.state_name();
        match self.posts.save(kept, next, now).await {
            Ok(kept) => {
                if changed {
                    self.record_state(&kept).await;
                    self.settle_turn(&kept).await;
                }
                Ok(())
            }
            // Somebody else brought the news; theirs is stored.
            Err(SaveError::Conflict) => Ok(()),
            Err(SaveError::Store(error)) => Err(error),
        }
    }

    /// Gives the turn of a post back that failed, or of a draft that left the
    /// inbox, and calls up the next; closes the account where it failed for a cap.
    pub(crate) async fn settle_turn(&self, post: &Post) {
        let (alias, Some(mode)) = (&post.account, post.mode()) else { return };
        match &post.state {
            PostState::Queued { deferral: Some(Deferral { reason, message, .. }), not_before, .. } => {
                if reason.is_platform_limit() {
                    let closed = Cooldown { until: *not_before, reason: reason.clone(), message: message.clone() };
                    self.close(alias, mode, closed).await;
                }
            }
            // It may have been posted: then its turn was used.
            PostState::Failed { outcome: Outcome::Unknown, .. } => return,
            PostState::Failed { .. } | PostState::Cancelled { .. } => {}
            PostState::Published { .. } if mode == Mode::Draft => {}
            _ => return,
        }
        self.release_reservation(alias, mode, &post.id).await;
        self.wake_next(alias, Some(mode)).await;
    }

    /// Where TikTok says that the creator took the app's access away, finds out
    /// whether that still holds; the account is marked if it does.
    pub(crate) async fn note_authorization(&self, report: &StatusReport, alias: &Alias, worker: &Worker) {
        if !matches!(&report.status, PublishStatus::Failed { reason } if reason == CONSENT_GONE) {
            return;
        }
        if let Err(stop) = self.check_consent(alias, worker).await {
            tracing::error!(account = %alias, why = ?stop, "the creator took the app's access away");
        }
    }

    /// Adds the links of a published post, as far as TikTok lets them be known.
    async fn link(&self, post: Post, worker: &Worker) -> Post {
        let PostState::Published { video_ids, links, .. } = &post.state else {
            return post;
        };
        let Some(id) = video_ids.first().cloned() else {
            return post;
        };
        if links.share_url.is_some() && links.cover_url.is_some() {
            return post;
        }
        let account = self.accounts.get(&post.account).await.ok().flatten();
        let mut found = Links::default();
        if account.as_ref().is_some_and(|account| account.scopes.allow(COVERS)) {
            let asked = self.with_token(&post.account, worker, async |token| self.tiktok.links(&token, &id).await);
            match asked.await {
                Ok(links) => found = links,
                Err(stop) => tracing::warn!(post.id = %post.id, why = ?stop, "links not found yet"),
            }
        }
        linked(post, account.as_deref(), found, self.now())
    }
}

/// Adds to a published post the links that were found, and the one that its first
/// video's id makes. Where there is nothing left that its account lets us learn,
/// nobody looks again.
pub(crate) fn linked(post: Post, account: Option<&Account>, found: Links, now: Timestamp) -> Post {
    let PostState::Published { video_ids, .. } = &post.state else {
        return post;
    };
    let username = account.and_then(|account| account.username.as_ref());
    let made = username.zip(video_ids.first()).map(|(name, id)| Links::of_video(name, id));
    let linked = post.clone().linked(found.or(made.unwrap_or_default()), now).unwrap_or(post);
    match account {
        Some(account) if !account.scopes.allow(COVERS) => linked.finalize(),
        _ => linked,
    }
}

/// TikTok refuses to speak of the publish. What it knows already stays true;
/// what was open stays unknown, and only a person can look.
fn unknown_to_tiktok(post: Post, failure: Failure, now: Timestamp) -> Post {
    let advice = "It may have been posted: look at the account's profile before you drop the video again.";
    post.publish_lost(Failure { advice: advice.to_owned(), ..failure }, now)
}
