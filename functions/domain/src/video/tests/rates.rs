//! Frame rates of generated files.

use proptest::prelude::*;

use super::builder::*;
use super::object::Object;
use crate::video::{FrameRate, Limits, VideoFacts, check};

fn facts(tracks: &[TrackBuilder]) -> VideoFacts {
    Object::from_bytes(file_of(tracks)).facts()
}

fn is_refused(facts: &VideoFacts) -> bool {
    check(facts, &Limits::draft()).is_err()
}

/// Returns the facts of a fragmented file with one video track of 60,000 ticks per second.
fn fragmented(fragments: &[Vec<u32>]) -> VideoFacts {
    let movie = fragmented_movie(&[TrackBuilder::video(60_000, &[])], 0);
    let mut start = 0;
    let mut file = [file_type(), movie].concat();
    for ticks in fragments {
        let samples = Samples::Ticks(ticks.clone());
        file.extend(fragment(&[Run { track_id: 7, start: Some(start), default_ticks: None, samples }]));
        file.extend(media_data());
        start += ticks.iter().map(|ticks| u64::from(*ticks)).sum::<u64>();
    }
    Object::from_bytes(file).facts()
}

#[test]
fn frame_rate_is_from_samples_not_from_stated_duration() {
    for (timescale, rows, stated_ticks, rate) in [
        // Stated longer, and shorter than the samples.
        (12_288, &[(24, 512)][..], 12_934, 24_000),
        (30_000, &[(90, 1000)], 315_000, 30_000),
        // In ticks of the movie.
        (30_000, &[(248, 1001)], 8282, 29_970),
        // A short first frame, and a last frame without a duration.
        (6000, &[(1, 7), (239, 100)], 23_907, 60_000),
        (6000, &[(239, 100), (1, 0)], 23_900, 60_000),
        // Adobe: a negative last duration.
        (60_000, &[(239, 1000), (1, 0xffff_6a00)], 143_400, 60_000),
    ] {
        let track = TrackBuilder { stated_ticks: Some(stated_ticks), ..TrackBuilder::video(timescale, rows) };
        let facts = facts(&[track]);
        assert_eq!(facts.frame_rate, Some(FrameRate::from_thousandths(rate)), "{rows:?}");
        assert!(!is_refused(&facts), "{facts:?}");
    }
}

#[test]
fn variable_rate_is_refused_only_by_both_measures() {
    for (rows, refused) in [
        (&[(1, 1000), (1, 2000)].repeat(40)[..], false),
        (&[(1, 2000), (1, 1000)].repeat(40)[..79], false),
        (&[(60, 15_000)], true),
        (&[(240, 250)], true),
        (&[(4, 30_000)], true),
        (&[(120, 500), (60, 3000)], false),
    ] {
        let facts = facts(&[TrackBuilder::video(30_000, rows)]);
        assert_eq!(is_refused(&facts), refused, "{facts:?}");
    }
}

#[test]
fn frame_rate_of_fragments_is_from_all_samples() {
    for fragments in [
        // The last sample has no duration.
        vec![[vec![1000; 59], vec![0]].concat()],
        // The first runs have one and two samples.
        vec![vec![1], vec![500, 1000], vec![1000; 57]],
        vec![vec![0], vec![1000; 30], vec![1000; 29]],
    ] {
        let facts = fragmented(&fragments);
        assert_eq!(facts.frame_rate, Some(FrameRate::from_thousandths(60_000)), "{fragments:?}");
        assert!(!is_refused(&facts), "{facts:?}");
    }
    assert!(is_refused(&fragmented(&[vec![4000; 60]])));
    assert!(is_refused(&fragmented(&[vec![500; 120]])));
}

#[test]
fn fragment_defaults_give_frame_rate() {
    // 15,360 ticks per second: 512 are 30 frames per second, and 256 are 60.
    for (default_ticks, header_ticks, rate) in [(512, None, 30_000), (512, Some(256), 60_000), (0, Some(512), 30_000)] {
        let movie = fragmented_movie(&[TrackBuilder::video(15_360, &[])], default_ticks);
        let runs = [Run { track_id: 7, start: None, default_ticks: header_ticks, samples: Samples::Count(90) }];
        let file = [file_type(), movie, fragment(&runs), media_data()].concat();
        let facts = Object::from_bytes(file).facts();
        assert_eq!(facts.frame_rate, Some(FrameRate::from_thousandths(rate)));
        assert_eq!(facts.duration_ms, Some(90_000_000 / rate));
    }
    // No default at all.
    let movie = fragmented_movie(&[TrackBuilder::video(15_360, &[])], 0);
    let runs = [Run { track_id: 7, start: None, default_ticks: None, samples: Samples::Count(90) }];
    let facts = Object::from_bytes([file_type(), movie, fragment(&runs), media_data()].concat()).facts();
    assert_eq!((facts.frame_rate, facts.width), (None, Some(1080)));
}

#[test]
fn fragments_of_unequal_rates_are_judged_by_all_read() {
    let slow_then_fast = fragmented(&[vec![6000; 5], vec![2000; 60]]);
    assert!(!is_refused(&slow_then_fast), "{slow_then_fast:?}");
}

/// Returns the ticks of each frame of a video with a constant rate, rounded to the clock.
fn frame_ticks(thousandths: u64, timescale: u32, seconds: u64) -> Vec<u32> {
    let frames = seconds * thousandths / 1000;
    let time = |frame: u64| (frame * 1000 * u64::from(timescale) + thousandths / 2) / thousandths;
    (0..frames).map(|frame| u32::try_from(time(frame + 1) - time(frame)).unwrap()).collect()
}

proptest! {
    #[test]
    fn accepted_rate_is_never_refused(
        thousandths in 23_976_u64..=60_000,
        timescale in prop::sample::select(vec![600_u32, 1000, 30_000, 57_600]),
        seconds in 1_u64..=20,
        last_is_zero in any::<bool>(),
        fragment_frames in prop::option::of(1_usize..100),
    ) {
        let mut ticks = frame_ticks(thousandths, timescale, seconds);
        if last_is_zero && let Some(last) = ticks.last_mut() {
            *last = 0;
        }
        let file = match fragment_frames {
            None => {
                let rows: Vec<_> = ticks.iter().map(|ticks| (1, *ticks)).collect();
                file_of(&[TrackBuilder::video(timescale, &rows)])
            }
            Some(frames) => {
                let runs = ticks.chunks(frames).map(|ticks| {
                    let samples = Samples::Ticks(ticks.to_vec());
                    let run = Run { track_id: 7, start: None, default_ticks: None, samples };
                    [fragment(&[run]), media_data()].concat()
                });
                let movie = fragmented_movie(&[TrackBuilder::video(timescale, &[])], 0);
                [file_type(), movie, runs.collect::<Vec<_>>().concat()].concat()
            }
        };
        let facts = Object::from_bytes(file).facts();
        prop_assert!(!is_refused(&facts), "{facts:?}");
        prop_assert!(facts.frame_rate.is_some(), "{facts:?}");
    }
}
