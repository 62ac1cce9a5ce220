//! The ledger of the simulated TikTok, limited to one creator.
//!
//! The simulator records what it received and published, and every violated rule. A test's claim "published exactly
//! once" relies on this ledger only, never on what the functions report about themselves.

use anyhow::{Context, Result, ensure};
use domain::post::StateName;
use simulator::{CallRecord, Endpoint, LedgerEntry, PostInfo, Publication, Violation};

use super::creator::Creator;
use super::dropped::Dropped;
use crate::TestVideo;

/// The ledger of one creator at the time when it was read.
#[derive(Debug)]
pub struct LedgerView {
    /// Every upload that TikTok initialized, whether or not it published the video later. Oldest first.
    pub publishes: Vec<LedgerEntry>,
    /// Every published video. A direct post that is published twice appears twice.
    pub publications: Vec<Publication>,
    /// Every violation of a documented rule by a call for this creator. A postcondition checks those without a user.
    pub violations: Vec<Violation>,
    /// Every call, oldest first.
    pub calls: Vec<CallRecord>,
}

impl Creator {
    /// Reads TikTok's ledger of this creator.
    pub async fn ledger(&self) -> Result<LedgerView> {
        let me = &self.user.open_id;
        let ledger = self.cloud.tiktok.ledger().await?;
        // 0: all calls since the simulator's start.
        let calls = self.cloud.tiktok.calls(0).await?;
        Ok(LedgerView {
            publishes: ledger.publishes.into_iter().filter(|entry| entry.user == *me).collect(),
            publications: ledger.publications.into_iter().filter(|publication| publication.user == *me).collect(),
            violations: ledger.violations.into_iter().filter(|violation| violation.user.as_ref() == Some(me)).collect(),
            calls: calls.into_iter().filter(|call| call.user.as_ref() == Some(me)).collect(),
        })
    }

    /// Waits until a drop's post is published, then checks that TikTok published exactly this drop of the creator,
    /// once. Returns the ledger.
    pub async fn await_published_once(&self, dropped: &Dropped) -> Result<LedgerView> {
        self.await_each_published_once([dropped]).await
    }

    /// Waits until the post of each of these drops is published, then checks that TikTok published each once and
    /// nothing else of the creator. Returns the ledger.
    pub async fn await_each_published_once<'a>(
        &self,
        drops: impl IntoIterator<Item = &'a Dropped>,
    ) -> Result<LedgerView> {
        let drops: Vec<_> = drops.into_iter().collect();
        for dropped in &drops {
            let key = || dropped.source.key.clone();
            self.cloud.await_state(&dropped.post, StateName::Published).await.with_context(key)?;
        }
        let ledger = self.ledger().await?;
        ledger.ensure_published_each_once(drops)?;
        Ok(ledger)
    }
}

impl LedgerView {
    /// The number of calls of an endpoint.
    #[must_use]
    pub fn calls_of(&self, endpoint: Endpoint) -> usize {
        self.calls.iter().filter(|call| call.endpoint == endpoint).count()
    }

    /// The options of the first upload, which must be of a direct post, as TikTok received them.
    pub fn post_info(&self) -> Result<&PostInfo> {
        self.publishes.first().and_then(|entry| entry.post_info.as_ref()).context("there is no direct post")
    }

    /// How often exactly these bytes were published.
    #[must_use]
    pub fn times_published(&self, video: &TestVideo) -> usize {
        self.publications.iter().filter(|publication| publication.sha256 == video.sha256).count()
    }

    /// Checks that exactly this drop was published, once, and that no rule was violated.
    pub fn ensure_published_once(&self, dropped: &Dropped) -> Result<&Publication> {
        self.ensure_published_each_once([dropped])?;
        self.publications.first().context("nothing was published")
    }

    /// Checks that each of these drops was published once, byte for byte, that nothing else of the creator was
    /// published, and that no rule was violated. The drops must have different bytes.
    pub fn ensure_published_each_once<'a>(&self, drops: impl IntoIterator<Item = &'a Dropped>) -> Result<()> {
        let mut expected = 0;
        for dropped in drops {
            let times = self.times_published(&dropped.video);
            ensure!(times == 1, "{} was published {times} times: {:#?}", dropped.source.key, self.publications);
            expected += 1;
        }
        let all = self.publications.len();
        ensure!(all == expected, "{all} videos were published for {expected} drops: {:#?}", self.publications);
        self.ensure_no_violation()
    }

    /// Checks that no upload was ever initialized, and that no rule was violated.
    pub fn ensure_no_init(&self) -> Result<()> {
        let inits = self.calls_of(Endpoint::DirectInit) + self.calls_of(Endpoint::InboxInit);
        ensure!(inits == 0, "TikTok received {inits} inits: {:#?}", self.calls);
        self.ensure_no_violation()
    }

    /// Checks that no documented rule was violated.
    pub fn ensure_no_violation(&self) -> Result<()> {
        ensure!(self.violations.is_empty(), "rules were violated: {:#?}", self.violations);
        Ok(())
    }
}
