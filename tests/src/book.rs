//! What TikTok says: its ledger, as far as it is about one creator.
//!
//! The simulator writes down what it received and published, and every rule that
//! was broken. A scenario's word on "exactly once" rests on this and on nothing
//! that the functions say of themselves.

use anyhow::{Context, Result, ensure};
use domain::identity::PublishId;
use simulator::{CallRecord, Endpoint, LedgerEntry, Publication, Violation};

use crate::creator::Creator;
use crate::dropped::Dropped;
use crate::footage::Footage;

/// The pages of the ledger about one creator, as they were when it was opened.
#[derive(Debug)]
pub struct Counter {
    /// Every init that TikTok took, oldest first.
    pub publishes: Vec<LedgerEntry>,
    /// Every video that somebody can see.
    pub publications: Vec<Publication>,
    /// Every rule that was broken.
    pub violations: Vec<Violation>,
    /// Every call, oldest first.
    pub calls: Vec<CallRecord>,
}

impl Creator {
    /// Opens TikTok's book on this creator.
    pub async fn book(&self) -> Result<Counter> {
        let me = &self.user.open_id;
        let ledger = self.cloud.tiktok.ledger().await?;
        let calls = self.cloud.tiktok.calls(0).await?;
        Ok(Counter {
            publishes: ledger.publishes.into_iter().filter(|entry| entry.user == *me).collect(),
            publications: ledger.publications.into_iter().filter(|publication| publication.user == *me).collect(),
            violations: ledger.violations.into_iter().filter(|breach| breach.user.as_ref() == Some(me)).collect(),
            calls: calls.into_iter().filter(|call| call.user.as_ref() == Some(me)).collect(),
        })
    }
}

impl Counter {
    /// Counts how often TikTok was called in some way.
    #[must_use]
    pub fn calls_of(&self, endpoint: Endpoint) -> usize {
        self.calls.iter().filter(|call| call.endpoint == endpoint).count()
    }

    /// The account of a publish.
    pub fn entry(&self, id: &PublishId) -> Result<&LedgerEntry> {
        let found = self.publishes.iter().find(|entry| entry.publish_id.as_str() == id.as_str());
        found.with_context(|| format!("TikTok does not know {id}"))
    }

    /// Counts how often these very bytes were published.
    #[must_use]
    pub fn times_published(&self, footage: &Footage) -> usize {
        self.publications.iter().filter(|publication| publication.sha256 == footage.sha256).count()
    }

    /// Makes sure that this drop, byte for byte, was published once, that nothing
    /// else of this creator was, and that no rule was broken on the way.
    pub fn ensure_published_once(&self, dropped: &Dropped) -> Result<&Publication> {
        self.ensure_published_each_once(&[dropped])?;
        self.publications.first().context("nothing was published")
    }

    /// Makes sure that each of these drops was published once, and nothing else.
    pub fn ensure_published_each_once(&self, drops: &[&Dropped]) -> Result<()> {
        for dropped in drops {
            let times = self.times_published(&dropped.footage);
            ensure!(times == 1, "{} was published {times} times: {:#?}", dropped.source.key, self.publications);
        }
        let all = self.publications.len();
        ensure!(all == drops.len(), "{all} videos were published for {} drops: {:#?}", drops.len(), self.publications);
        self.ensure_no_rule_broken()
    }

    /// Makes sure that TikTok was never asked to take a video.
    pub fn ensure_never_begun(&self) -> Result<()> {
        let inits = self.calls_of(Endpoint::DirectInit) + self.calls_of(Endpoint::InboxInit);
        ensure!(inits == 0, "TikTok was asked for an upload {inits} times: {:#?}", self.calls);
        self.ensure_no_rule_broken()
    }

    /// Makes sure that every documented rule was kept.
    pub fn ensure_no_rule_broken(&self) -> Result<()> {
        ensure!(self.violations.is_empty(), "rules were broken: {:#?}", self.violations);
        Ok(())
    }
}
