//! What happens by itself, until nothing is left to happen.

use std::time::Duration;

use anyhow::Result;
use aws::{ACCOUNTS, Item, POSTS};
use jiff::Timestamp;
use tests::Creator;

use super::{Lambda, Stage};

/// The time between two looks at what is due: the deployed schedule's own.
const SCHEDULE: Duration = Duration::from_mins(1);
/// How often what is due is looked at, before the stage is thought to go in circles.
const MOST_LOOKS: u32 = 400;
/// The states in which a post is at its end.
pub(crate) const ENDS: [&str; 4] = ["published", "delivered", "failed", "cancelled"];

impl Lambda<'_> {
    /// Lets everything happen that is to happen by itself, until so many posts are
    /// at their end, or nothing more would ever happen.
    ///
    /// Where TikTok gave a token away with an answer that nobody got, the consent
    /// is gone and the system asks for a new one: the creators give it.
    pub(crate) async fn settle(&mut self, makers: &[Creator], posts: usize) -> Result<Rest> {
        let stage = self.stage;
        let round = async || {
            while self.deliver().await? {}
            self.hear().await?;
            self.look().await?;
            while self.deliver().await? {}
            self.reconnects += stage.reconnect(makers).await?;
            Ok(())
        };
        stage.come_to_rest(posts, round).await
    }
}

/// How everything came to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Every post is at its end, and since when.
    AtEnd { since: Timestamp },
    /// A post is not there or not at its end, and nobody would look again.
    Forgotten,
    /// It goes on and on.
    Never,
}

impl Stage {
    /// Has rounds of work done, and time pass between them, until so many posts are at
    /// their end and the queue is empty; or until nothing more would ever happen.
    pub(crate) async fn come_to_rest(&self, posts: usize, mut round: impl AsyncFnMut() -> Result<()>) -> Result<Rest> {
        let mut since = None;
        for _ in 0..MOST_LOOKS {
            round().await?;
            if self.is_at_end(posts) {
                let since = *since.get_or_insert(self.now());
                if self.aws.state().queue.next_visible().is_none() && self.next_webhook().is_none() {
                    return Ok(Rest::AtEnd { since });
                }
            }
            let Some(next) = self.next_move() else {
                return Ok(Rest::Forgotten);
            };
            let wait = Duration::try_from(next.duration_since(self.now())).unwrap_or_default();
            self.advance(wait.max(SCHEDULE).as_secs() + 1)?;
        }
        Ok(Rest::Never)
    }

    /// Has the creators connect again who are asked to; tells how many were.
    pub(crate) async fn reconnect(&self, makers: &[Creator]) -> Result<usize> {
        let mut asked = 0;
        for maker in makers {
            if self.asks_for(maker) {
                maker.reconnect().await?;
                asked += 1;
            }
        }
        Ok(asked)
    }

    /// Whether so many posts are stored, and all are at their end.
    fn is_at_end(&self, posts: usize) -> bool {
        let kept = self.aws.state();
        kept.tables.items(POSTS).count() >= posts && kept.tables.items(POSTS).all(is_at_end)
    }

    /// Whether the creator is asked to connect again.
    fn asks_for(&self, maker: &Creator) -> bool {
        let kept = self.aws.state();
        let own = kept.tables.items(ACCOUNTS).find(|item| item["alias"]["S"] == maker.alias.as_str());
        own.is_some_and(|item| item["connection"]["S"] == "needs_reconnect")
    }

    /// When the next post falls due that is not at its end, the next message can be
    /// seen, or TikTok tells something.
    fn next_move(&self) -> Option<Timestamp> {
        let kept = self.aws.state();
        let open = kept.tables.items(POSTS).filter(|item| !is_at_end(item));
        let due = open.filter_map(|item| item.get("due_at")?["N"].as_str()?.parse().ok());
        let due = due.filter_map(|due| Timestamp::from_millisecond(due).ok());
        due.chain(kept.queue.next_visible()).chain(self.next_webhook()).min()
    }
}

fn is_at_end(post: &Item) -> bool {
    post["state"]["S"].as_str().is_some_and(|state| ENDS.contains(&state))
}
