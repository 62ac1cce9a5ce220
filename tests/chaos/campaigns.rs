//! The list of all campaigns of `make chaos`. The campaigns that find the most violations come first: everything under
//! TikTok as documented, then random histories, then everything under each [variant](crate::unknowns) of TikTok.

use anyhow::Result;

use crate::enumeration::{Enumeration, RunCache};
use crate::faults;
use crate::histories::{self, History};
use crate::interruptions;
use crate::load::{self, LARGE_LOAD};
use crate::report::Row;
use crate::slow;
use crate::story::Story;
use crate::test_env::{Command, Paths};
use crate::unknowns::{DOCUMENTED, EACH, ONE_SETTING, SEVERAL_SETTINGS, SLOW_AND_SILENT, TikTokVariant};

/// The number of random histories. Their seeds are the numbers below it.
const HISTORIES: u64 = 2000;
/// The number of random histories in one row of the report.
const HISTORIES_PER_ROW: usize = 250;

/// The function that plays a campaign.
type Play = Box<dyn FnOnce(&Paths, &mut RunCache) -> Result<Row>>;

/// A campaign on a story under a variant of TikTok.
pub(crate) struct Campaign {
    /// The names of campaign, story and variant, with spaces between.
    pub(crate) name: String,
    pub(crate) play: Play,
}

impl Campaign {
    /// Whether the name contains this phrase as whole words.
    pub(crate) fn matches(&self, words: &str) -> bool {
        format!(" {} ", self.name).contains(&format!(" {words} "))
    }
}

/// All campaigns, in the order in which they are played.
pub(crate) fn all() -> Vec<Campaign> {
    let mut all = Campaigns::default();
    all.add_everything(DOCUMENTED);
    all.add("histories", "regressions", EACH, |paths, _| Ok(histories::play(paths, History::regressions(), 0..0)));
    for first in (0..HISTORIES).step_by(HISTORIES_PER_ROW) {
        let seeds = first..first + HISTORIES_PER_ROW as u64;
        let name = format!("{first} to {}", seeds.end - 1);
        all.add("histories", &name, EACH, move |paths, _| Ok(histories::play(paths, Vec::new(), seeds)));
    }
    all.enumerate(interruptions::outage(Story::ThreeChunks), SLOW_AND_SILENT);
    for tiktok in ONE_SETTING {
        all.add_everything(tiktok);
    }
    for tiktok in SEVERAL_SETTINGS {
        all.enumerate(interruptions::killed(Story::ThreeChunks), tiktok);
        all.enumerate(interruptions::outage(Story::ThreeChunks), tiktok);
    }
    all.0
}

#[derive(Default)]
struct Campaigns(Vec<Campaign>);

impl Campaigns {
    fn add(
        &mut self,
        campaign: &str,
        story: &str,
        tiktok: TikTokVariant,
        play: impl FnOnce(&Paths, &mut RunCache) -> Result<Row> + 'static,
    ) {
        let name = format!("{campaign} {story} {}", tiktok.name);
        self.0.push(Campaign { name, play: Box::new(play) });
    }

    /// Adds an enumeration, with all its runs.
    fn enumerate(&mut self, enumeration: Enumeration, tiktok: TikTokVariant) {
        let (campaign, story) = (enumeration.campaign, enumeration.story.name());
        self.add(campaign, story, tiktok, move |paths, cache| enumeration.play(paths, tiktok, 1, cache));
    }

    /// Adds every enumeration, `slow` and `load`.
    fn add_everything(&mut self, tiktok: TikTokVariant) {
        let for_every_story =
            [interruptions::killed, interruptions::cancelled, interruptions::outage, faults::faults, faults::stalls];
        for campaign in for_every_story {
            for story in Story::ALL {
                self.enumerate(campaign(story), tiktok);
            }
        }
        self.enumerate(interruptions::webhook_sent(Story::Webhook), tiktok);
        for command in [Command::Cancel, Command::UpdateOptions] {
            self.enumerate(interruptions::concurrent_command(command), tiktok);
        }
        for story in [Story::OneChunk, Story::Scheduled] {
            self.enumerate(interruptions::options_updated(story), tiktok);
        }
        for story in [Story::OneChunk, Story::ThreeChunks, Story::Draft, Story::Webhook] {
            self.enumerate(interruptions::authorization_lost(story), tiktok);
            self.enumerate(interruptions::publish_failed(story), tiktok);
        }
        self.add("slow", slow::STORY, tiktok, move |paths, cache| Ok(slow::play(paths, tiktok, cache)));
        self.add("load", "1000 drops", tiktok, move |paths, _| Ok(load::play(paths, tiktok, LARGE_LOAD)));
    }
}
