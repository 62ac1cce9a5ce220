//! Big and slow: what takes an hour, and a dozen invocations.

use std::time::Duration;

use anyhow::ensure;
use aws::TestVideo;
use tests::Creator;

use crate::campaign::alone;
use crate::enumeration::Memory;
use crate::gate::{At, Moment, Order, Trouble};
use crate::report::Row;
use crate::stage::{Lambda, Places, Stage};
use crate::story::{Played, conclude};
use crate::unknowns::TikTok;

/// What the campaign is called, and its only story.
const NAME: &str = "slow";
const STORY: &str = "4 GB, slowly";
/// The most that a video may have, in bytes.
const LARGEST: u64 = 4_000_000_000;
/// The chunks that it goes in, in bytes.
const LARGE_CHUNK: u64 = 64_000_000;
/// The time that a chunk takes, in seconds: 63 of them, and what four kills
/// cost, fit into the hour that an upload's URL lives.
const CHUNK_TAKES_S: u64 = 40;
/// The time that an invocation has: a few chunks' worth.
const SHORT: Duration = Duration::from_mins(5);

/// 4 GB in slow motion, through a dozen invocations and more, with kills
/// between: one publish, and each byte once but for a chunk a kill.
pub(crate) fn largest(places: &Places, tiktok: TikTok, memory: &mut Memory) -> Row {
    if memory.is_alike(NAME, tiktok) {
        return Row { alike: 1, ..Row::new(NAME, STORY, tiktok, 0) };
    }
    let played = alone(async {
        let stage = Stage::set_up(places).await?;
        stage.clear(tiktok.set)?;
        let maker = Creator::connect(&stage.cloud).await?;
        let begun = stage.now();
        let dropped = stage.drop_film(&maker.key("long.mp4"), &TestVideo::new(LARGEST)?, &[])?;
        let kills = [(7, Moment::Before), (23, Moment::After), (41, Moment::Before), (60, Moment::After)];
        let kills = kills.map(|(chunk, moment)| Order { at: At::Chunk(chunk), trouble: Trouble::Kill(moment) });
        stage.gate.order(kills.into());
        stage.gate.slow_down(CHUNK_TAKES_S);
        let mut lambda = Lambda::new(&stage, LARGE_CHUNK);
        lambda.publish = SHORT;
        let played = conclude(&stage, &mut lambda, &[maker], &mut [dropped], begun).await?;
        ensure!(stage.tiktok.ledger().publishes.len() == 1, "more than one upload was begun");
        ensure!(lambda.invocations > 12, "it took {} invocations: that was not slow", lambda.invocations);
        Ok(played)
    });
    if let Some(played) = played.as_ref().ok().filter(|_| tiktok.is_documented()) {
        memory.keep(NAME.to_owned(), played);
    }
    let calls = played.as_ref().map_or(0, |played: &Played| played.calls.len());
    let mut row = Row::new(NAME, STORY, tiktok, calls);
    row.add("the only run", played);
    row
}
