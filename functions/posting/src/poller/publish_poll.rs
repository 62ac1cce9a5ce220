//! Polls TikTok about a publish and applies its report, as [`crate::webhooks`] applies TikTok's webhooks.

use std::time::Duration;

use domain::failure::Failure;
use domain::post::{Post, PostState, REFUSED_WAIT};
use domain::rate_limit::Wait;
use domain::reason::Reason;
use domain::report::Links;
use storage::{StoreError, Versioned};

use super::due_posts::DuePosts;
use crate::compare_and_swap::unless_conflict;
use crate::exit::Exit;
use crate::invocation::Worker;
use crate::links::{COVER_SCOPE, with_links};

/// TikTok's error codes for a publish that it does not know, or not for this account.
const DENIALS: [&str; 2] = ["invalid_publish_id", "token_not_authorized_for_specified_publish_id"];
/// The minimum wait after a poll that failed temporarily.
const MIN_WAIT: Duration = Duration::from_secs(15);

impl DuePosts {
    /// Asks TikTok for the status of a post's publish, and stores the post's next state.
    ///
    /// # Errors
    /// The database could not be written; the post stays due.
    pub(super) async fn poll(&self, post: Versioned<Post>, worker: &Worker) -> Result<(), StoreError> {
        let Some(next) = Box::pin(self.next_state(&post, worker)).await? else { return Ok(()) };
        let changed = next.state_name() != post.state_name();
        // After a conflict, another writer has stored TikTok's newer report.
        let saved = unless_conflict(self.posts.save(post, next, self.instruments.now()).await)?;
        if let Some(post) = saved.filter(|_| changed) {
            self.recorder.record_state(&post).await;
            self.queue.after_transition(&post).await;
            self.reposts.after_transition(&post).await;
        }
        Ok(())
    }

    /// The post after TikTok's answer; `None` if nothing is to be stored.
    async fn next_state(&self, read: &Versioned<Post>, worker: &Worker) -> Result<Option<Post>, StoreError> {
        let Some(publish_id) = read.publish_id() else { return Ok(None) };
        let (id, alias) = (&read.id, &read.account);
        let now = self.instruments.now();
        let post = read.value.clone();
        Ok(Some(match self.calls.report(publish_id, alias, worker).await {
            Ok(report) => {
                tracing::info!(
                    post.id = %id, publish.id = %publish_id, tiktok.status = ?report.status,
                    tiktok.log_id = report.log_id, "status fetched"
                );
                self.calls.tokens.check_authorization(&report, alias, worker).await;
                match post.apply_report(&report, now) {
                    Ok(updated) => self.find_links(updated, worker).await,
                    Err(_) => return Ok(None),
                }
            }
            // After an hour of denials, a post without a result fails with an unknown outcome: the video may be posted,
            // and only a person can find out.
            Err(Exit::Fail(failure)) if DENIALS.contains(&failure.reason.code()) => {
                let advice = Reason::UploadUnconfirmed.advice().to_owned();
                tracing::warn!(post.id = %id, publish.id = %publish_id, why = %failure, "TikTok denies the publish");
                post.publish_denied(Failure { advice, ..failure }, now)
            }
            Err(Exit::Fail(failure)) => {
                tracing::warn!(post.id = %id, why = %failure, "status not fetched: polled again later");
                post.postpone_poll(REFUSED_WAIT, now)
            }
            Err(Exit::Defer { reason, message, after }) => {
                tracing::warn!(post.id = %id, code = %reason, message, "status not fetched: polled again later");
                post.postpone_poll(after.max(MIN_WAIT), now)
            }
            Err(Exit::RateLimited(limited)) => {
                let Wait { message, until, .. } = limited.wait;
                tracing::info!(post.id = %id, until = %until, "status not fetched yet: {message}");
                post.postpone_poll(self.instruments.time_until(until), now)
            }
            Err(Exit::Store(error)) => return Err(error),
            Err(_) => return Ok(None),
        }))
    }

    /// Adds the links of a published post, as far as its account's scopes allow.
    async fn find_links(&self, post: Post, worker: &Worker) -> Post {
        let PostState::Published { video_ids, links, .. } = &post.state else { return post };
        let Some(video) = video_ids.first() else { return post };
        if links.share_url.is_some() && links.cover_url.is_some() {
            return post;
        }
        let account = self.accounts.get(&post.account).await.ok().flatten();
        let mut found = Links::default();
        if account.as_ref().is_some_and(|account| account.scopes.allow(COVER_SCOPE)) {
            match self.calls.links(video, &post.account, worker).await {
                Ok(links) => found = links,
                Err(exit) => tracing::warn!(post.id = %post.id, why = ?exit, "links not found yet"),
            }
        }
        with_links(post, account.as_deref(), found, self.instruments.now())
    }
}
