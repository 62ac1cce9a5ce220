//! Whole inspections of real files, held against what ffprobe says of them.

mod harm;
mod layouts;
mod object;

use std::time::Duration;

use self::object::Object;
use super::*;

/// A file, its container and codec, milliseconds, picture, thousandths of a
/// frame a second.
type Probed = (&'static str, Container, &'static str, Option<u64>, (u32, u32), u64);

/// Every whole fixture, as ffprobe 5.1 states it.
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
fn the_facts_of_real_files_are_those_that_ffprobe_finds() {
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
fn what_is_not_a_whole_video_is_refused_with_the_reason() {
    for (name, said) in [
        ("text.mp4", "not a video: its first bytes are no video format's"),
        ("empty.mp4", "not a video: it is empty"),
        ("sound-only.mp4", "not a video: it has no video track"),
        ("matroska.mkv", "cannot be posted: it is a Matroska file"),
        ("cut-header-first.mp4", "damaged: it is cut off: its `mdat` box"),
        ("cut-header-last.mp4", "damaged: it is cut off: its `mdat` box"),
    ] {
        let refusal = Object::fixture(name).refusal();
        assert!(refusal.to_string().contains(said), "{name}: {refusal}");
        assert_eq!(refusal.code(), "file_format_check_failed");
    }
}

#[test]
fn only_the_faulty_fixtures_fail_the_check() {
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
        assert_eq!(result.err().map(|faults| faults.code()), code, "{name}");
    }
}

#[test]
fn facts_read_back_as_they_were_stored() {
    let facts = Object::fixture("ntsc.mp4").facts();
    let stored = serde_json::to_string(&facts).unwrap();
    assert_eq!(
        stored,
        r#"{"container":"mp4","codec":"h264","duration_ms":1001,"width":640,"height":360,"frame_rate":29970}"#,
    );
    assert_eq!(serde_json::from_str::<VideoFacts>(&stored).unwrap(), facts);
}

#[test]
fn a_small_file_takes_one_read_wherever_its_header_is() {
    for name in ["header-first.mp4", "header-last.mp4", "header-last.mov", "vp9.webm"] {
        assert_eq!(Object::fixture(name).inspect().1, 1, "{name}");
    }
}

#[test]
fn an_object_that_is_shorter_than_stated_is_damaged() {
    let mut inspector = Inspector::new(1000);
    assert_eq!(inspector.step(), Ok(Step::Read { offset: 0, len: 1000 }));
    inspector.feed(&[]);
    let refusal = inspector.step().unwrap_err();
    assert!(matches!(refusal, InspectError::Damaged { .. }), "{refusal}");
}

#[test]
fn bytes_that_come_in_drops_lead_to_the_same_facts() {
    for name in ["header-last.mp4", "fragmented-index.mp4", "vp9.webm"] {
        let object = Object::fixture(name);
        let mut inspector = Inspector::new(object.size);
        let facts = loop {
            match inspector.step().unwrap() {
                Step::Read { offset, len } => inspector.feed(&object.read(offset, len.min(300))),
                Step::Done(facts) => break facts,
            }
        };
        assert_eq!(facts, object.facts(), "{name}");
    }
}
