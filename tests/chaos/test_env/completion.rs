//! The rounds in which the functions run until all posts are in a final state or nothing more would happen. A round
//! adds no faults and no commands.

use std::time::Duration;

use anyhow::Result;
use harness::Creator;
use harness::aws::{ACCOUNTS, Item, POSTS};
use jiff::Timestamp;

use super::{Lambda, TestEnv};

/// The time between two runs of `status`: the default of `StatusSchedule` in template.yaml.
const STATUS_INTERVAL: Duration = Duration::from_mins(1);
/// After this number of rounds, the system is considered to loop forever.
const MAX_ROUNDS: u32 = 400;
/// The states in which a post is finished, as the posts table has them.
pub(crate) const FINAL_STATES: [&str; 4] = ["published", "delivered", "failed", "cancelled"];

/// How the system came to a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Completion {
    /// Every post is in a final state. `at` is the time of the first round after which this held.
    Finished { at: Timestamp },
    /// A post is missing or unfinished, and no message, due time or webhook would continue it.
    Stuck,
    /// Work remained after the last permitted round.
    TooManyRounds,
}

impl Lambda<'_> {
    /// Runs the system until this number of posts is finished, or nothing more would happen.
    ///
    /// If the response to a token refresh is lost, TikTok may accept neither the old tokens nor the new ones. The
    /// functions then mark the account `needs_reconnect`, and the creator connects it again.
    pub(crate) async fn run_to_completion(&mut self, creators: &[Creator], posts: usize) -> Result<Completion> {
        let env = self.env;
        let round = async || {
            self.deliver_messages().await?;
            self.deliver_webhooks().await?;
            self.run_status().await?;
            self.deliver_messages().await?;
            self.reconnects += env.reconnect(creators).await?;
            Ok(())
        };
        env.run_rounds(posts, round).await
    }
}

impl TestEnv {
    /// Runs rounds of work until this number of posts is finished and no message or webhook remains, or until nothing
    /// more would happen. Between rounds, the clock advances to the next event, and by a minute at least.
    pub(crate) async fn run_rounds(
        &self,
        posts: usize,
        mut round: impl AsyncFnMut() -> Result<()>,
    ) -> Result<Completion> {
        let mut finished_at = None;
        for _ in 0..MAX_ROUNDS {
            round().await?;
            if self.are_finished(posts) {
                let at = *finished_at.get_or_insert(self.now());
                if self.aws.state().queue.next_visible().is_none() && self.next_webhook_at().is_none() {
                    return Ok(Completion::Finished { at });
                }
            }
            let Some(next) = self.next_event_at(posts) else {
                return Ok(Completion::Stuck);
            };
            let wait = Duration::try_from(next.duration_since(self.now())).unwrap_or_default();
            self.advance(wait.max(STATUS_INTERVAL).as_secs() + 1)?;
        }
        Ok(Completion::TooManyRounds)
    }

    /// Reconnects the accounts that need it, and returns their number.
    pub(crate) async fn reconnect(&self, creators: &[Creator]) -> Result<usize> {
        let mut reconnected = 0;
        for creator in creators {
            if self.needs_reconnect(creator) {
                creator.reconnect().await?;
                reconnected += 1;
            }
        }
        Ok(reconnected)
    }

    /// Whether at least this number of posts is stored, and all are finished.
    fn are_finished(&self, posts: usize) -> bool {
        let state = self.aws.state();
        state.tables.items(POSTS).count() >= posts && state.tables.items(POSTS).all(is_finished)
    }

    fn needs_reconnect(&self, creator: &Creator) -> bool {
        let state = self.aws.state();
        let account = state.tables.items(ACCOUNTS).find(|item| item["alias"]["S"] == creator.alias.as_str());
        account.is_some_and(|item| item["connection"]["S"] == "needs_reconnect")
    }

    /// When an unfinished post is due, a message becomes visible, TikTok sends a webhook, or, if there are fewer posts
    /// than this number, the bucket is checked, whichever is first.
    fn next_event_at(&self, posts: usize) -> Option<Timestamp> {
        let next_check = self.next_bucket_check_at();
        let state = self.aws.state();
        let unfinished = state.tables.items(POSTS).filter(|item| !is_finished(item) && !waits_for_person(item));
        let due = unfinished.filter_map(|item| item.get("due_at")?["N"].as_str()?.parse().ok());
        let due = due.filter_map(|due| Timestamp::from_millisecond(due).ok());
        let next_check = next_check.filter(|_| state.tables.items(POSTS).count() < posts);
        due.chain(next_check).chain(state.queue.next_visible()).chain(self.next_webhook_at()).min()
    }
}

/// Whether a post is held for a review or its sidecar. It is due once a day, which changes nothing by itself.
fn waits_for_person(post: &Item) -> bool {
    post.get("hold_reason").is_some_and(|reason| reason["S"] == "review" || reason["S"] == "sidecar")
}

/// Whether nothing more happens to a post without a command. A post that is held for the same video is due until the
/// earlier post has ended.
fn is_finished(post: &Item) -> bool {
    let is_final = post["state"]["S"].as_str().is_some_and(|state| FINAL_STATES.contains(&state));
    let is_repeat = post.get("hold_reason").is_some_and(|reason| reason["S"] == "same_video");
    is_final || is_repeat && !post.contains_key("due_at")
}
