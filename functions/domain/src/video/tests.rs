//! Inspections of real files, compared with the output of ffprobe.

mod builder;
mod corruption;
mod durations;
mod layouts;
mod limits;
mod matroska;
mod object;
mod rates;

use std::time::Duration;

use serde_json::json;

use self::object::Object;
use super::*;

/// File name, container, codec, duration in milliseconds, picture size in pixels, and frame rate in thousandths of a
/// frame per second.
type Probed = (&'static str, Container, &'static str, Option<u64>, (u32, u32), u64);

/// The properties of each complete fixture, as reported by ffprobe 5.1.
#[rustfmt::skip]
const PROBED: [Probed; 20] = [
    ("header-first.mp4", Container::Mp4, "h264", Some(1000), (360, 640), 24_000),
    ("header-last.mp4", Container::Mp4, "h264", Some(1000), (360, 640), 24_000),
    ("header-last.mov", Container::Mov, "h264", Some(1000), (360, 640), 24_000),
    ("fragmented.mp4", Container::Mp4, "h264", Some(3000), (360, 640), 24_000),
    ("fragmented-after-samples.mp4", Container::Mp4, "h264", Some(3000), (360, 640), 24_000),
    ("fragmented-index.mp4", Container::Mp4, "h264", Some(3000), (360, 640), 24_000),
    ("fragmented-index-each.mp4", Container::Mp4, "h264", Some(3000), (360, 640), 24_000),
    ("fragmented-with-audio.mp4", Container::Mp4, "h264", Some(3083), (360, 640), 24_000),
    ("fragmented-index-with-audio.mp4", Container::Mp4, "h264", Some(3101), (360, 640), 24_000),
    ("ntsc.mp4", Container::Mp4, "h264", Some(1001), (640, 360), 29_970),
    ("rotated.mp4", Container::Mp4, "h264", Some(1001), (360, 640), 29_970),
    ("hevc.mp4", Container::Mp4, "h265", Some(1000), (360, 640), 24_000),
    ("vp8.webm", Container::WebM, "vp8", Some(1000), (360, 640), 24_000),
    ("vp9.webm", Container::WebM, "vp9", Some(1000), (360, 640), 24_000),
    ("live.webm", Container::WebM, "vp9", None, (360, 640), 24_000),
    ("audio-first.webm", Container::WebM, "vp8", Some(1008), (360, 640), 24_000),
    ("with-audio.mp4", Container::Mp4, "h264", Some(2000), (360, 640), 24_000),
    ("slow.mp4", Container::Mp4, "h264", Some(1000), (360, 640), 15_000),
    ("small-picture.mp4", Container::Mp4, "h264", Some(1000), (320, 240), 24_000),
    ("mpeg4-part2.mp4", Container::Mp4, "mp4v", Some(1000), (360, 640), 24_000),
];

#[test]
fn facts_of_real_files_match_ffprobe() {
    for (name, container, codec, duration_ms, (width, height), thousandths) in PROBED {
        let expected = VideoFacts {
            container,
            codec: Some(Codec::from(codec.to_owned())),
            duration_ms,
            width: Some(width),
            height: Some(height),
            frame_rate: Some(FrameRate::from_thousandths(thousandths)),
            average_frame_rate: Some(FrameRate::from_thousandths(thousandths)),
        };
        assert_eq!(Object::fixture(name).facts(), expected, "{name}");
    }
}

#[test]
fn irregular_real_files_are_accepted() {
    for (name, duration_ms, rate, average) in [
        ("cut-by-edit-list.mp4", 1242, 24_000, 24_000),
        ("short-first-frame.mp4", 3951, 60_000, 60_741),
        ("variable-rate.mp4", 3966, 30_000, 20_168),
        ("fragmented-long-audio.mp4", 6066, 30_000, 30_000),
        ("picture-track-first.mp4", 1000, 24_000, 24_000),
    ] {
        let facts = Object::fixture(name).facts();
        assert_eq!((facts.codec.clone(), facts.duration_ms), (Some(Codec::H264), Some(duration_ms)), "{name}");
        assert_eq!(facts.frame_rate, Some(FrameRate::from_thousandths(rate)), "{name}");
        assert_eq!(facts.average_frame_rate, Some(FrameRate::from_thousandths(average)), "{name}");
        assert_eq!(check(&facts, &Limits::draft()), Ok(()), "{name}");
    }
}

#[test]
fn non_videos_and_truncated_videos_are_rejected_with_reason() {
    for (name, message) in [
        ("text.mp4", "not a video: its first bytes match no known video format"),
        ("empty.mp4", "not a video: it is empty"),
        ("sound-only.mp4", "not a video: it has no video track"),
        ("matroska.mkv", "cannot be posted: it is a Matroska file"),
        ("cut-header-first.mp4", "damaged: it is truncated: its `mdat` box"),
        ("cut-header-last.mp4", "damaged: it is truncated: its `mdat` box"),
    ] {
        let error = Object::fixture(name).error();
        assert!(error.to_string().contains(message), "{name}: {error}");
        assert_eq!(error.code(), "file_format_check_failed");
    }
}

#[test]
fn check_rejects_only_fixtures_beyond_limits() {
    let limits = Limits::direct(Some(Duration::from_mins(1)));
    for (name, code) in [
        ("header-first.mp4", None),
        ("ntsc.mp4", None),
        ("rotated.mp4", None),
        ("live.webm", None),
        ("slow.mp4", Some("frame_rate_check_failed")),
        ("small-picture.mp4", Some("picture_size_check_failed")),
        ("mpeg4-part2.mp4", Some("file_format_check_failed")),
    ] {
        let result = check(&Object::fixture(name).facts(), &limits);
        assert_eq!(result.err().map(|violations| violations.code()), code, "{name}");
    }
}

#[test]
fn facts_round_trip_through_json() {
    let facts = Object::fixture("ntsc.mp4").facts();
    let stored = serde_json::to_value(&facts).unwrap();
    assert_eq!(
        stored,
        json!({
            "container": "mp4", "codec": "h264", "duration_ms": 1001, "width": 640, "height": 360, "frame_rate": 29970,
            "average_frame_rate": 29970,
        }),
    );
    assert_eq!(serde_json::from_value::<VideoFacts>(stored).unwrap(), facts);
    let unknown = VideoFacts::unknown(Container::WebM);
    let stored = serde_json::to_value(&unknown).unwrap();
    assert_eq!(serde_json::from_value::<VideoFacts>(stored).unwrap(), unknown);
}

#[test]
fn facts_of_earlier_version_can_be_read() {
    let stored = json!({
        "container": "mp4", "codec": "h264", "duration_ms": null, "width": 640, "height": 360, "frame_rate": 29970,
    });
    let facts: VideoFacts = serde_json::from_value(stored).unwrap();
    assert_eq!((facts.codec, facts.width, facts.average_frame_rate), (Some(Codec::H264), Some(640), None));
}

#[test]
fn small_file_with_any_layout_takes_one_read() {
    for name in ["header-first.mp4", "header-last.mp4", "header-last.mov", "vp9.webm"] {
        assert_eq!(Object::fixture(name).inspect().1, 1, "{name}");
    }
}

#[test]
fn object_shorter_than_stated_size_is_damaged() {
    let mut inspector = Inspector::new(1000);
    assert_eq!(inspector.advance(), Ok(Inspection::Read { offset: 0, len: 1000 }));
    inspector.feed(&[]);
    let error = inspector.advance().unwrap_err();
    assert!(matches!(error, InspectError::Damaged(_)), "{error}");
}

#[test]
fn short_reads_give_same_facts() {
    for name in ["header-last.mp4", "fragmented-index.mp4", "vp9.webm"] {
        let object = Object::fixture(name);
        let mut inspector = Inspector::new(object.size);
        let facts = loop {
            match inspector.advance().unwrap() {
                Inspection::Read { offset, len } => inspector.feed(&object.read(offset, len.min(1000))),
                Inspection::Done(facts) => break facts,
            }
        };
        assert_eq!(facts, object.facts(), "{name}");
    }
}
