//! Inspections of generated WebM and Matroska files.

use super::builder::{MatroskaBuilder, element};
use super::object::Object;
use crate::video::{Codec, FrameRate, InspectError, VideoFacts};

fn facts(file: &MatroskaBuilder) -> VideoFacts {
    Object::from_bytes(file.bytes()).facts()
}

/// Returns the times of frames with these durations in milliseconds.
fn times(durations: impl IntoIterator<Item = i16>) -> Vec<i16> {
    let mut time = 0;
    let next = |duration| {
        time += duration;
        time
    };
    [0].into_iter().chain(durations.into_iter().map(next)).collect()
}

#[test]
fn webm_properties_are_read() {
    let facts = facts(&MatroskaBuilder::webm());
    assert_eq!((facts.codec, facts.duration_ms), (Some(Codec::Vp9), Some(2000)));
    assert_eq!((facts.width, facts.height), (Some(360), Some(640)));
    assert_eq!(facts.frame_rate, Some(FrameRate::from_thousandths(30_000)));
}

#[test]
fn implausible_default_duration_is_unknown_rate() {
    for nanoseconds in [1_000_000, 1, 0] {
        let facts = facts(&MatroskaBuilder { default_duration: Some(nanoseconds), ..MatroskaBuilder::webm() });
        assert_eq!((facts.frame_rate, facts.average_frame_rate), (None, None), "{nanoseconds} ns");
    }
}

#[test]
fn frame_times_decide_if_stated_rate_is_outside() {
    let thirty = times([33, 34].repeat(20));
    for (default_duration, times, rate) in [
        // 30 frames per second, stated as 15.
        (Some(66_666_667), thirty.clone(), 29_850),
        (None, thirty.clone(), 29_850),
        (Some(1_000_000), thirty, 29_850),
        (Some(66_666_667), times([67; 30]), 14_925),
        // Too few frames.
        (Some(66_666_667), times([33; 10]), 14_999),
        (Some(41_666_667), times([67; 30]), 23_999),
    ] {
        let facts = facts(&MatroskaBuilder { default_duration, times: Some(times), ..MatroskaBuilder::webm() });
        assert_eq!(facts.frame_rate, Some(FrameRate::from_thousandths(rate)), "{default_duration:?}");
    }
}

#[test]
fn segment_slightly_longer_than_file_is_accepted() {
    for excess in [1, 8] {
        let facts = facts(&MatroskaBuilder { excess, ..MatroskaBuilder::webm() });
        assert_eq!(facts.duration_ms, Some(2000), "{excess} bytes");
    }
    let error = Object::from_bytes(MatroskaBuilder { excess: 1000, ..MatroskaBuilder::webm() }.bytes()).error();
    assert!(error.to_string().contains("damaged: it is truncated"), "{error}");
}

#[test]
fn webm_header_without_cluster_is_damaged() {
    let error = Object::from_bytes(MatroskaBuilder { times: None, ..MatroskaBuilder::webm() }.bytes()).error();
    assert!(error.to_string().contains("ends after its header"), "{error}");
}

#[test]
fn cluster_without_tracks_is_damaged() {
    let cluster = b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm\x18\x53\x80\x67\xff\x1f\x43\xb6\x75\xff";
    let error = Object::from_bytes(cluster.to_vec()).error().to_string();
    assert!(error.contains("does not list its tracks"), "{error}");
}

#[test]
fn tracks_after_cluster_are_found_by_seek_head() {
    let facts = facts(&MatroskaBuilder { tracks_after_cluster: true, ..MatroskaBuilder::webm() });
    assert_eq!((facts.codec, facts.width), (Some(Codec::Vp9), Some(360)));
}

#[test]
fn encrypted_webm_is_named_so() {
    let encryption = element(0x6d80, &element(0x6240, &element(0x5035, &[])));
    let error =
        Object::from_bytes(MatroskaBuilder { track_elements: encryption, ..MatroskaBuilder::webm() }.bytes()).error();
    assert!(matches!(error, InspectError::Encrypted(_)), "{error}");
    let compression = element(0x6d80, &element(0x6240, &element(0x5034, &[])));
    let compressed = MatroskaBuilder { track_elements: compression, ..MatroskaBuilder::webm() };
    assert_eq!(facts(&compressed).duration_ms, Some(2000));
}

#[test]
fn matroska_is_named_with_command_to_rewrap() {
    for (codec, name, output) in
        [("V_MPEG4/ISO/AVC", "h264", "out.mp4"), ("V_MPEGH/ISO/HEVC", "h265", "out.mp4"), ("V_VP9", "vp9", "out.webm")]
    {
        let file = MatroskaBuilder { doc_type: "matroska", codec, ..MatroskaBuilder::webm() };
        let error = Object::from_bytes(file.bytes()).error();
        assert!(error.to_string().contains(&format!("a Matroska file (MKV) with {name}")), "{error}");
        assert!(error.advice().contains(&format!("ffmpeg -i in.mkv -c copy {output}")), "{}", error.advice());
    }
}

#[test]
fn nested_elements_of_any_depth_end() {
    let mut bytes = b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm\x18\x53\x80\x67\xff\x16\x54\xae\x6b\xff\xae\xff".to_vec();
    bytes.extend(b"\xe0\xff".repeat(500_000));
    assert!(Object::from_bytes(bytes).inspect().0.is_err());
}
