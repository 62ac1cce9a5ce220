//! Files that would take more reads or bytes than the budget. [`Object::inspect`] checks the budget.

use super::builder::*;
use super::object::Object;
use crate::video::{Container, FrameRate, MAX_READS, VideoFacts};

fn video() -> TrackBuilder {
    TrackBuilder::video(15_360, &[(300, 512)])
}

#[test]
fn movie_header_out_of_reach_is_accepted_as_unknown() {
    let mut object = Object::from_bytes(file_type());
    for _ in 0..100 {
        object.push(media_data_header(70_000), 70_000);
    }
    object.push(movie(&[video()]), 0);
    for _ in 0..100 {
        object.push(media_data_header(70_000), 70_000);
    }
    let (facts, _) = object.inspect();
    assert_eq!(facts, Ok(VideoFacts::unknown(Container::Mp4)));
}

#[test]
fn many_tracks_before_video_leave_it_unknown() {
    let sound = TrackBuilder { skipped_bytes_per_sample: 16, ..TrackBuilder::audio(48_000, &[(10_000, 1024)]) };
    let mut tracks = vec![sound; 30];
    tracks.push(video());
    let file = [file_type(), movie(&tracks), media_data()].concat();
    assert!(file.len() > 4_000_000, "{} bytes", file.len());
    let (facts, reads) = Object::from_bytes(file).inspect();
    assert_eq!(facts, Ok(VideoFacts::unknown(Container::Mp4)));
    assert_eq!(reads, MAX_READS);
}

#[test]
fn tracks_after_the_video_out_of_reach_are_ignored() {
    let sound = TrackBuilder { skipped_bytes_per_sample: 16, ..TrackBuilder::audio(48_000, &[(10_000, 1024)]) };
    let mut tracks = vec![video()];
    tracks.extend(vec![sound; 30]);
    let facts = Object::from_bytes([file_type(), movie(&tracks), media_data()].concat()).facts();
    assert_eq!((facts.width, facts.frame_rate.map(FrameRate::thousandths)), (Some(1080), Some(30_000)));
}

#[test]
fn tiny_fragments_far_apart_stay_within_budget() {
    let movie = fragmented_movie(&[TrackBuilder::video(15_360, &[])], 0);
    let mut object = Object::from_bytes([file_type(), movie].concat());
    for second in 0..1000 {
        let samples = Samples::Count(1);
        let run = Run { track_id: 7, start: Some(second * 15_360), default_ticks: Some(15_360), samples };
        object.push([fragment(&[run]), media_data_header(70_000)].concat(), 70_000);
    }
    let facts = object.facts();
    assert_eq!(facts.duration_ms, Some(1_000_000));
}

#[test]
fn table_entry_to_first_fragment_ends_within_budget() {
    let movie = fragmented_movie(&[TrackBuilder::video(15_360, &[])], 0);
    let mut object = Object::from_bytes([file_type(), movie].concat());
    let first = object.size;
    for second in 0..1000 {
        let samples = Samples::Count(60);
        let run = Run { track_id: 7, start: Some(second * 15_360), default_ticks: Some(256), samples };
        object.push([fragment(&[run]), media_data_header(700_000)].concat(), 700_000);
    }
    object.push(random_access_table(7, &[(0, first + 1), (0, u64::MAX)]), 0);
    assert_eq!(object.facts().width, Some(1080));
}

#[test]
fn tables_with_impossible_counts_end() {
    let huge_rows = boxed("stts", &words(&[0, u32::MAX, u32::MAX, u32::MAX, u32::MAX, 1]));
    let mut track = video().bytes();
    let start = track.windows(4).position(|kind| kind == b"stts").unwrap() - 4;
    let end = start + 8 + 16;
    track.splice(start..end, huge_rows);
    let file = [file_type(), boxed("moov", &[movie_header(0), track].concat()), media_data()].concat();
    assert!(Object::from_bytes(file).inspect().0.is_ok());

    let movie = fragmented_movie(&[TrackBuilder::video(15_360, &[])], u32::MAX);
    let runs =
        vec![Run { track_id: 7, start: Some(u64::MAX), default_ticks: None, samples: Samples::Count(u32::MAX) }; 9];
    let file = [file_type(), movie, fragment(&runs), media_data()].concat();
    assert_eq!(Object::from_bytes(file).facts().duration_ms, None);
}
