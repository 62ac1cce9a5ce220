//! Inspections of real files, compared with the output of ffprobe.

mod corruption;
mod layouts;
mod object;

use std::time::Duration;

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
    ("fragmented-with-audio.mp4", Container::Mp4, "h264", Some(3000), (360, 640), 24_000),
    ("fragmented-index-with-audio.mp4", Container::Mp4, "h264", Some(3000), (360, 640), 24_000),
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
            codec: Codec::from(codec.to_owned()),
            duration_ms,
            width,
            height,
            frame_rate: Some(FrameRate::from_thousandths(thousandths)),
        };
        assert_eq!(Object::fixture(name).facts(), expected, "{name}");
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
    let stored = serde_json::to_string(&facts).unwrap();
    assert_eq!(
        stored,
        r#"{"container":"mp4","codec":"h264","duration_ms":1001,"width":640,"height":360,"frame_rate":29970}"#,
    );
    assert_eq!(serde_json::from_str::<VideoFacts>(&stored).unwrap(), facts);
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
                Inspection::Read { offset, len } => inspector.feed(&object.read(offset, len.min(300))),
                Inspection::Done(facts) => break facts,
            }
        };
        assert_eq!(facts, object.facts(), "{name}");
    }
}
