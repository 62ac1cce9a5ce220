//! Durations of generated ISO files, with and without fragments.

use super::builder::*;
use super::object::Object;
use crate::video::{FrameRate, VideoFacts};

fn video() -> TrackBuilder {
    TrackBuilder::video(15_360, &[(300, 512)])
}

fn audio(seconds: u32) -> TrackBuilder {
    TrackBuilder::audio(1000, &[(seconds * 50, 20)])
}

fn duration_of(file: Vec<u8>) -> Option<u64> {
    Object::from_bytes(file).facts().duration_ms
}

#[test]
fn duration_is_from_samples_not_from_headers() {
    for stated_ms in [0, 1, 19_063_000, u32::MAX] {
        for stated_ticks in [0, 8282, u32::MAX] {
            let track = TrackBuilder { stated_ticks: Some(stated_ticks), ..video() };
            let movie = movie_stating(stated_ms, &[track.bytes()]);
            assert_eq!(duration_of([file_type(), movie, media_data()].concat()), Some(10_000));
        }
    }
}

#[test]
fn duration_is_that_of_longest_enabled_track() {
    let disabled = TrackBuilder { is_enabled: false, ..audio(60) };
    let subtitles = TrackBuilder { handler: "text", ..audio(60) };
    for (tracks, duration_ms) in [
        (vec![video(), audio(3)], 10_000),
        (vec![video(), audio(12)], 12_000),
        (vec![audio(12), video()], 12_000),
        (vec![video(), disabled], 10_000),
        (vec![video(), subtitles], 10_000),
    ] {
        assert_eq!(duration_of(file_of(&tracks)), Some(duration_ms), "{tracks:?}");
    }
}

#[test]
fn edit_list_shortens_duration() {
    for (edits, duration_ms) in [
        // The part from 1.3 s.
        (&[(1000, 19_968)][..], 1000),
        (&[(1000, 0), (2000, 90_000)], 3000),
        // An edit without an end, and one that is longer than the samples.
        (&[(0, 1024)], 10_000),
        (&[(19_063_000, 0)], 10_000),
        // A delay of half a second.
        (&[(500, -1), (10_000, 1024)], 10_500),
    ] {
        let track = TrackBuilder { edits: edits.to_vec(), ..video() };
        assert_eq!(duration_of(file_of(&[track])), Some(duration_ms), "{edits:?}");
    }
}

#[test]
fn track_without_clock_has_unknown_duration() {
    let facts = Object::from_bytes(file_of(&[TrackBuilder::video(0, &[(300, 512)])])).facts();
    assert_eq!((facts.duration_ms, facts.frame_rate, facts.width), (None, None, Some(1080)));
}

/// The fragments of one second of video at 30 frames per second, and of sound.
struct Fragments {
    video_seconds: u64,
    audio_seconds: u64,
    /// The length of the media data after each fragment.
    media_bytes: u64,
    /// The time of the first sample in seconds; `None` if the fragments do not state their time.
    first_second: Option<u64>,
    has_table: bool,
}

impl Fragments {
    fn object(&self) -> Object {
        let movie = fragmented_movie(&[TrackBuilder::video(15_360, &[]), TrackBuilder::audio(1000, &[])], 0);
        let mut object = Object::from_bytes([file_type(), movie].concat());
        let mut rows = Vec::new();
        for second in 0..self.video_seconds.max(self.audio_seconds) {
            let run = |track_id, timescale: u64, samples, ticks| Run {
                track_id,
                start: self.first_second.map(|first| (first + second) * timescale),
                default_ticks: Some(ticks),
                samples: Samples::Count(samples),
            };
            let mut runs = Vec::new();
            if second < self.video_seconds {
                rows.push(((self.first_second.unwrap_or(0) + second) * 15_360, object.size));
                runs.push(run(7, 15_360, 30, 512));
            }
            if second < self.audio_seconds {
                runs.push(run(8, 1000, 50, 20));
            }
            object.push([fragment(&runs), media_data_header(self.media_bytes)].concat(), self.media_bytes);
        }
        if self.has_table {
            object.push(random_access_table(7, &rows), 0);
        }
        object
    }

    fn inspect(&self) -> (VideoFacts, u32) {
        let (facts, reads) = self.object().inspect();
        (facts.unwrap(), reads)
    }
}

#[test]
fn fragments_last_as_long_as_longest_track() {
    for media_bytes in [1000, 100_000] {
        for (video_seconds, audio_seconds, duration_ms) in [(2, 6, 6000), (6, 2, 6000), (3, 3, 3000)] {
            let fragments =
                Fragments { video_seconds, audio_seconds, media_bytes, first_second: Some(0), has_table: false };
            assert_eq!(fragments.inspect().0.duration_ms, Some(duration_ms), "{media_bytes} bytes");
        }
    }
}

#[test]
fn ten_minutes_of_fragments_need_few_reads() {
    // In the second file, the last fragment is not in the last 1 MiB: only the table names it. In the third, the last
    // 1 MiB has it. A recording of a live stream does not start at 0.
    for (media_bytes, has_table, first_second) in
        [(100_000, true, 0), (3_000_000, true, 0), (900_000, false, 0), (100_000, false, 86_400), (3_000_000, true, 50)]
    {
        let fragments = Fragments {
            video_seconds: 600,
            audio_seconds: 600,
            media_bytes,
            first_second: Some(first_second),
            has_table,
        };
        let (facts, reads) = fragments.inspect();
        assert_eq!(facts.duration_ms, Some(600_000), "{media_bytes} bytes, table: {has_table}");
        assert_eq!(facts.frame_rate, Some(FrameRate::from_thousandths(30_000)));
        assert!(reads <= 6, "{reads} reads");
    }
}

#[test]
fn track_in_its_own_last_fragment_has_whole_duration() {
    let movie = fragmented_movie(&[TrackBuilder::video(15_360, &[]), TrackBuilder::audio(1000, &[])], 0);
    let mut object = Object::from_bytes([file_type(), movie].concat());
    for part in 0..10 {
        let samples = Samples::Count(60);
        let pictures = Run { track_id: 7, start: Some(part * 30_720), default_ticks: Some(512), samples };
        object.push([fragment(&[pictures]), media_data_header(600_000)].concat(), 600_000);
        let sound =
            Run { track_id: 8, start: Some(part * 2000), default_ticks: Some(20), samples: Samples::Count(100) };
        object.push([fragment(&[sound]), media_data_header(20_000)].concat(), 20_000);
    }
    assert_eq!(object.facts().duration_ms, Some(20_000));
}

#[test]
fn table_gives_time_of_fragments_without_one() {
    let fragments =
        Fragments { video_seconds: 600, audio_seconds: 600, media_bytes: 100_000, first_second: None, has_table: true };
    assert_eq!(fragments.inspect().0.duration_ms, Some(600_000));
}

#[test]
fn fragments_out_of_reach_have_unknown_duration() {
    for (media_bytes, first_second) in [(3_000_000, Some(0)), (100_000, None)] {
        let fragments =
            Fragments { video_seconds: 600, audio_seconds: 600, media_bytes, first_second, has_table: false };
        let (facts, _) = fragments.inspect();
        assert_eq!((facts.duration_ms, facts.width), (None, Some(1080)));
        assert_eq!(facts.frame_rate, Some(FrameRate::from_thousandths(30_000)));
    }
}

#[test]
fn segment_index_replaces_reads_of_its_fragments() {
    let movie = fragmented_movie(&[TrackBuilder::video(15_360, &[]), TrackBuilder::audio(1000, &[])], 512);
    let run = Run { track_id: 7, start: Some(0), default_ticks: None, samples: Samples::Count(60) };
    let complete = segment_index(7, 1000);
    let partial = segment_index(7, 100);
    for (indexes, duration_ms) in [
        (complete.clone(), 2_000_000),
        ([complete.clone(), segment_index(8, 1005)].concat(), 2_010_000),
        ([complete.clone(), segment_index(9, 2000)].concat(), 2_000_000),
        ([complete, partial].concat(), 2_000_000),
    ] {
        let mut object = Object::from_bytes([file_type(), movie.clone(), indexes].concat());
        object.push([fragment(std::slice::from_ref(&run)), media_data_header(2_000_000)].concat(), 2_000_000_000);
        let (facts, reads) = object.inspect();
        let facts = facts.unwrap();
        assert_eq!(facts.duration_ms, Some(duration_ms));
        assert_eq!(facts.frame_rate, Some(FrameRate::from_thousandths(30_000)));
        assert!(reads <= 2, "{reads} reads");
    }
}

#[test]
fn aborted_recording_keeps_fragments_before_abort() {
    let mut object = Object::fixture("fragmented.mp4");
    let bytes = &mut object.parts[0].1;
    let last = bytes.windows(4).rposition(|kind| kind == b"moof").unwrap();
    bytes.truncate(last + 20);
    object.size = bytes.len() as u64;
    assert_eq!(object.facts().duration_ms, Some(2000));
}
