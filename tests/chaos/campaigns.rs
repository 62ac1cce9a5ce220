//! All there is to `make chaos`, what shows most first: everything under TikTok as
//! documented, random histories, and then under each setting of what is unknown
//! whatever may go another way there.

use anyhow::Result;

use crate::campaign::{self, cores};
use crate::crashes;
use crate::crowd;
use crate::enumeration::{Enumeration, Memory};
use crate::faults;
use crate::histories::History;
use crate::report::Row;
use crate::slow;
use crate::stage::{Places, Wish};
use crate::story::Story;
use crate::unknowns::{DOCUMENTED, EACH, MIXED, OPEN, SILENT, TikTok};

/// How many random histories are played, and how many of them are a row.
const MANY: u64 = 2000;
const A_ROW: u64 = 250;
/// How many at a time for each core.
const HISTORIES_AT_ONCE: usize = 2;

/// Does what there is to do, and says what came of it.
type Proof = Box<dyn FnOnce(&Places, &mut Memory) -> Result<Row>>;

/// What a campaign is called, and what it does.
pub(crate) struct Campaign {
    pub(crate) name: String,
    pub(crate) prove: Proof,
}

/// All of them.
pub(crate) fn all() -> Vec<Campaign> {
    let mut all = Campaigns::default();
    all.everything(DOCUMENTED);
    all.add("histories", "kept", EACH, |places, _| Ok(random(places, History::kept(), 0..0)));
    for first in (0..MANY).step_by(usize::try_from(A_ROW).unwrap_or(1)) {
        let seeds = first..first + A_ROW;
        let name = format!("{first} to {}", seeds.end - 1);
        all.add("histories", &name, EACH, move |places, _| Ok(random(places, Vec::new(), seeds)));
    }
    all.enumerate(crashes::with_outage(Story::ManyChunks), SILENT);
    for tiktok in OPEN {
        all.everything(tiktok);
    }
    for tiktok in MIXED {
        all.enumerate(crashes::killed(Story::ManyChunks), tiktok);
        all.enumerate(crashes::with_outage(Story::ManyChunks), tiktok);
    }
    all.0
}

#[derive(Default)]
struct Campaigns(Vec<Campaign>);

impl Campaigns {
    fn add(
        &mut self,
        name: &str,
        story: &str,
        tiktok: TikTok,
        prove: impl FnOnce(&Places, &mut Memory) -> Result<Row> + 'static,
    ) {
        let name = format!("{name} {story} {}", tiktok.name);
        self.0.push(Campaign { name, prove: Box::new(prove) });
    }

    fn enumerate(&mut self, enumeration: Enumeration, tiktok: TikTok) {
        let (campaign, story) = (enumeration.campaign, enumeration.story.name());
        self.add(campaign, story, tiktok, move |places, memory| enumeration.play(places, tiktok, 1, memory));
    }

    /// Everything that is enumerated, of every story, what is large and slow, and the crowd.
    fn everything(&mut self, tiktok: TikTok) {
        let campaigns = [crashes::killed, crashes::cancelled, crashes::with_outage, faults::faults, faults::stalled];
        for campaign in campaigns {
            for story in Story::ALL {
                self.enumerate(campaign(story), tiktok);
            }
        }
        self.enumerate(crashes::told(Story::Told), tiktok);
        for wish in [Wish::Cancel, Wish::Reword] {
            self.enumerate(crashes::overtaken(wish), tiktok);
        }
        for story in [Story::OneChunk, Story::Scheduled] {
            self.enumerate(crashes::reworded(story), tiktok);
        }
        for story in [Story::OneChunk, Story::ManyChunks, Story::Draft, Story::Told] {
            self.enumerate(crashes::authorization_lost(story), tiktok);
            self.enumerate(crashes::refused(story), tiktok);
        }
        self.add("slow", "", tiktok, move |places, memory| Ok(slow::largest(places, tiktok, memory)));
        self.add("crowd", "", tiktok, move |places, _| Ok(crowd::gather(places, tiktok, crowd::WHOLE)));
    }
}

/// Some that are kept, and those of some seeds.
pub(crate) fn random(places: &Places, kept: Vec<History>, seeds: std::ops::Range<u64>) -> Row {
    let all: Vec<_> = kept.into_iter().chain(seeds.map(History::of)).collect();
    let row = Row::new("histories", &format!("{} of them", all.len()), EACH, 0);
    campaign::histories(places, row, all, HISTORIES_AT_ONCE * cores())
}
