//! All there is to `make chaos`, what shows most first: everything under TikTok as
//! documented, random histories, and then under each setting of what is unknown.
//!
//! Kills and outages, which decide what is sent twice, and 4 GB in slow motion, are
//! played under one unknown setting at a time. So is every fault of the stories that
//! a setting is about; of the others, under settings that are mixed so that each
//! value is in one of them.

use anyhow::Result;

use crate::campaign::{self, cores};
use crate::crashes;
use crate::crowd;
use crate::faults;
use crate::histories::History;
use crate::report::Row;
use crate::slow;
use crate::stage::Places;
use crate::story::Story;
use crate::unknowns::{DOCUMENTED, EACH, MIXED, OPEN, SILENT, TikTok};

/// How many random histories are played, and how many of them are a row.
const MANY: u64 = 2000;
const A_ROW: u64 = 250;
/// How many at a time for each core.
const HISTORIES_AT_ONCE: usize = 2;

/// Does what there is to do, and says what came of it.
type Proof = Box<dyn FnOnce(&Places) -> Result<Row>>;

/// What a campaign is called, and what it does.
pub(crate) struct Campaign {
    pub(crate) name: String,
    pub(crate) prove: Proof,
}

/// All of them.
pub(crate) fn all() -> Vec<Campaign> {
    let mut all = Campaigns::default();
    all.of_each(Campaigns::killed, DOCUMENTED);
    all.interrupted(DOCUMENTED);
    all.of_each(Campaigns::faults, DOCUMENTED);
    all.add("histories", "kept", EACH, |places| Ok(random(places, History::kept(), 0..0)));
    for first in (0..MANY).step_by(usize::try_from(A_ROW).unwrap_or(1)) {
        let seeds = first..first + A_ROW;
        let name = format!("{first} to {}", seeds.end - 1);
        all.add("histories", &name, EACH, move |places| Ok(random(places, Vec::new(), seeds)));
    }
    all.outage(Story::ManyChunks, SILENT);
    all.outage(Story::ManyChunks, DOCUMENTED);
    all.slow(DOCUMENTED);
    all.add("crowd", "", DOCUMENTED, |places| Ok(crowd::gather(places, crowd::WHOLE)));
    all.stalls(Story::OneChunk, DOCUMENTED);
    for tiktok in OPEN {
        all.of_each(Campaigns::killed, tiktok);
        all.outage(Story::ManyChunks, tiktok);
        all.faults(if tiktok.is_of_tokens() { Story::Renewed } else { Story::ManyChunks }, tiktok);
        all.slow(tiktok);
    }
    for tiktok in MIXED {
        all.interrupted(tiktok);
        all.of_each(Campaigns::outage, tiktok);
        all.of_each(Campaigns::faults, tiktok);
        all.stalls(Story::OneChunk, tiktok);
    }
    for story in [Story::Told, Story::Asked, Story::Cancelled] {
        all.stalls(story, DOCUMENTED);
    }
    all.0
}

#[derive(Default)]
struct Campaigns(Vec<Campaign>);

impl Campaigns {
    fn add(&mut self, name: &str, story: &str, tiktok: TikTok, prove: impl FnOnce(&Places) -> Result<Row> + 'static) {
        let name = format!("{name} {story} {}", tiktok.name);
        self.0.push(Campaign { name, prove: Box::new(prove) });
    }

    fn of_each(&mut self, campaign: fn(&mut Self, Story, TikTok), tiktok: TikTok) {
        for story in Story::ALL {
            campaign(self, story, tiktok);
        }
    }

    fn killed(&mut self, story: Story, tiktok: TikTok) {
        self.add("killed", story.name(), tiktok, move |places| crashes::enumerate(places, story, tiktok, 1));
    }

    fn interrupted(&mut self, tiktok: TikTok) {
        for story in [Story::OneChunk, Story::ManyChunks, Story::Draft] {
            let prove = move |places: &Places| crashes::cancel_amid(places, story, tiktok, 1);
            self.add("interrupted", story.name(), tiktok, prove);
        }
        let prove = move |places: &Places| crashes::tell_amid(places, Story::Told, tiktok);
        self.add("interrupted", Story::Told.name(), tiktok, prove);
    }

    fn outage(&mut self, story: Story, tiktok: TikTok) {
        self.add("outage", story.name(), tiktok, move |places| crashes::with_outage(places, story, tiktok));
    }

    fn faults(&mut self, story: Story, tiktok: TikTok) {
        self.add("faults", story.name(), tiktok, move |places| faults::enumerate(places, story, tiktok, 1));
    }

    fn stalls(&mut self, story: Story, tiktok: TikTok) {
        self.add("stalls", story.name(), tiktok, move |places| faults::stall(places, story, tiktok));
    }

    fn slow(&mut self, tiktok: TikTok) {
        self.add("slow", "", tiktok, move |places| Ok(slow::largest(places, tiktok)));
    }
}

/// Some that are kept, and those of some seeds.
pub(crate) fn random(places: &Places, kept: Vec<History>, seeds: std::ops::Range<u64>) -> Row {
    let all: Vec<_> = kept.into_iter().chain(seeds.map(History::of)).collect();
    let row = Row::new("histories", &format!("{} of them", all.len()), EACH, 0);
    campaign::histories(places, row, all, HISTORIES_AT_ONCE * cores())
}
