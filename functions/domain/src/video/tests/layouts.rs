//! Which boxes stand where: inspections of generated ISO files.

use super::builder::*;
use super::object::Object;
use crate::video::{Codec, Container, FrameRate, InspectError, VideoFacts};

/// Returns ten seconds of video at 30 frames per second.
fn video() -> TrackBuilder {
    TrackBuilder::video(15_360, &[(300, 512)])
}

/// Returns video at 30 frames per second, with the real size of its tables of 16 bytes per frame.
fn long_video(frames: u32) -> TrackBuilder {
    TrackBuilder { skipped_bytes_per_sample: 16, ..TrackBuilder::video(15_360, &[(frames, 512)]) }
}

const FOUR_GB: u64 = 4_000_000_000;

/// The facts of `long_video(108_000)`: one hour at 30 frames per second.
fn one_hour_facts() -> VideoFacts {
    VideoFacts {
        container: Container::Mp4,
        codec: Some(Codec::H264),
        duration_ms: Some(3_600_000),
        width: Some(1080),
        height: Some(1920),
        frame_rate: Some(FrameRate::from_thousandths(30_000)),
        average_frame_rate: Some(FrameRate::from_thousandths(30_000)),
    }
}

/// Returns a file with this movie header after `media_bytes` of media data.
fn header_last(movie: Vec<u8>, media_bytes: u64) -> Object {
    let mut object = Object::from_bytes(file_type());
    object.push(media_data_header(media_bytes), media_bytes);
    object.push(movie, 0);
    object
}

#[test]
fn header_last_in_4_gb_needs_two_reads() {
    let movie = movie(&[long_video(54_000)]);
    assert!(movie.len() > 800_000, "{} bytes", movie.len());
    let (facts, reads) = header_last(movie, FOUR_GB).inspect();
    assert_eq!(facts, Ok(VideoFacts { duration_ms: Some(1_800_000), ..one_hour_facts() }));
    assert_eq!(reads, 2);
}

#[test]
fn header_first_in_4_gb_needs_two_reads() {
    let mut object = Object::from_bytes([file_type(), movie(&[long_video(54_000)])].concat());
    object.push(media_data_header(FOUR_GB), FOUR_GB);
    let (facts, reads) = object.inspect();
    assert_eq!(facts.unwrap().duration_ms, Some(1_800_000));
    assert_eq!(reads, 2);
}

#[test]
fn header_beyond_budget_is_read_box_by_box() {
    let sound = TrackBuilder { skipped_bytes_per_sample: 16, ..TrackBuilder::audio(48_000, &[(168_750, 1024)]) };
    let movie = movie(&[sound, long_video(108_000)]);
    assert!(movie.len() > 4_000_000, "{} bytes", movie.len());
    let first = {
        let mut object = Object::from_bytes([file_type(), movie.clone()].concat());
        object.push(media_data_header(FOUR_GB), FOUR_GB);
        object
    };
    for object in [first, header_last(movie, FOUR_GB)] {
        let (facts, reads) = object.inspect();
        assert_eq!(facts, Ok(one_hour_facts()));
        assert!(reads <= 5, "{reads} reads");
    }
}

#[test]
fn large_table_of_frame_durations_is_read() {
    let rows: Vec<_> = (0..100_000).map(|row| (1, 500 + row % 25)).collect();
    let (facts, reads) = header_last(movie(&[TrackBuilder::video(15_360, &rows)]), FOUR_GB).inspect();
    let facts = facts.unwrap();
    assert_eq!(facts.average_frame_rate, Some(FrameRate::from_thousandths(30_000)));
    assert_eq!(facts.duration_ms, Some(3_333_333));
    assert!(reads <= 3, "{reads} reads");
}

#[test]
fn table_beyond_budget_leaves_rate_and_duration_unknown() {
    let rows: Vec<_> = (0..300_000).map(|row| (1, 500 + row % 25)).collect();
    let facts = header_last(movie(&[TrackBuilder::video(15_360, &rows)]), FOUR_GB).facts();
    let unknown = VideoFacts { duration_ms: None, frame_rate: None, average_frame_rate: None, ..one_hour_facts() };
    assert_eq!(facts, unknown);
}

#[test]
fn scattered_media_data_is_skipped_from_the_end() {
    for boxes in [128, 129, 1000] {
        let mut object = Object::from_bytes(file_type());
        for _ in 0..boxes {
            object.push(media_data_header(70_000), 70_000);
        }
        object.push([movie(&[video()]), boxed("udta", &[0; 100])].concat(), 0);
        let (facts, reads) = object.inspect();
        assert_eq!(facts.unwrap().duration_ms, Some(10_000), "{boxes} boxes");
        assert!(reads <= 6, "{reads} reads");
    }
}

#[test]
fn movie_header_between_media_data_is_found() {
    let mut object = Object::from_bytes(file_type());
    object.push(media_data_header(1_000_000), 1_000_000);
    object.push(movie(&[video()]), 0);
    object.push(media_data_header(1_000_000), 1_000_000);
    assert_eq!(object.facts().duration_ms, Some(10_000));
}

#[test]
fn movie_header_is_found_despite_wrong_size_of_media_data() {
    for excess in [1, 8, 500, 1_000_000] {
        let media = overlong("mdat", &vec![7; 100_000], excess);
        let file = [file_type(), media, movie(&[video()])].concat();
        assert_eq!(Object::from_bytes(file).facts().duration_ms, Some(10_000), "{excess} bytes");
    }
    // A recorder that did not write the size: the box extends to the end.
    let file = [file_type(), words(&[0]), b"mdat".to_vec(), vec![7; 100_000], movie(&[video()])].concat();
    assert_eq!(Object::from_bytes(file).facts().duration_ms, Some(10_000));
}

#[test]
fn media_data_or_movie_slightly_longer_than_file_is_accepted() {
    for excess in [1, 8] {
        let file = [file_type(), movie(&[video()]), overlong("mdat", &[7; 1000], excess)].concat();
        assert_eq!(Object::from_bytes(file).facts().duration_ms, Some(10_000), "{excess} bytes");
        let movie = overlong("moov", &[movie_header(0), video().bytes()].concat(), excess);
        let file = [file_type(), media_data(), movie].concat();
        assert_eq!(Object::from_bytes(file).facts().duration_ms, Some(10_000), "{excess} bytes");
    }
    for missing in [100, 900] {
        let file = [file_type(), movie(&[video()]), overlong("mdat", &[7; 1000], missing)].concat();
        let error = Object::from_bytes(file).error().to_string();
        assert!(error.contains("truncated: its `mdat` box"), "{error}");
    }
}

#[test]
fn header_without_media_data_is_damaged() {
    let init_segment = fragmented_movie(&[TrackBuilder::video(15_360, &[])], 512);
    let fragment = fragment(&[Run { track_id: 7, start: None, default_ticks: None, samples: Samples::Count(30) }]);
    for (rest, message) in [
        (init_segment.clone(), "no pictures"),
        ([init_segment.clone(), segment_index(7, 10)].concat(), "no pictures"),
        ([init_segment.clone(), fragment[..20].to_vec()].concat(), "no pictures"),
        ([init_segment.clone(), fragment.clone()].concat(), "no pictures"),
        ([init_segment, fragment.clone(), media_data()[..8].to_vec()].concat(), "no pictures"),
        (movie(&[video()]), "ends after its header"),
        ([movie(&[video()]), boxed("free", &[0; 100])].concat(), "ends after its header"),
        (movie(&[TrackBuilder::video(15_360, &[])]), "no pictures"),
        (fragment.clone(), "a fragment of a video"),
        (Vec::new(), "no movie header"),
        (media_data(), "no movie header"),
    ] {
        let error = Object::from_bytes([file_type(), rest].concat()).error();
        assert!(matches!(error, InspectError::Damaged(_)), "{error}");
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn boxes_before_file_type_are_skipped() {
    let movie = [movie(&[video()]), media_data()].concat();
    for kind in ["uuid", "udta", "free", "skip", "wide", "junk", "pnot"] {
        for (file_type, container) in
            [(file_type(), Container::Mp4), (boxed("ftyp", b"qt  \0\0\x02\0"), Container::Mov)]
        {
            let first = boxed(kind, &[7; 24]);
            let facts = Object::from_bytes([first, file_type, movie.clone()].concat()).facts();
            assert_eq!((facts.container, facts.duration_ms), (container, Some(10_000)), "{kind}");
        }
    }
}

#[test]
fn quicktime_without_file_type_is_mov() {
    let padding = [boxed("wide", b""), boxed("free", &[0; 40]), boxed("uuid", &[7; 24])];
    let open_ended = [words(&[0]), b"mdat".to_vec(), vec![0; 100]].concat();
    let facts = Object::from_bytes([padding.concat(), movie(&[video()]), open_ended].concat()).facts();
    assert_eq!((facts.container, facts.duration_ms), (Container::Mov, Some(10_000)));
}

#[test]
fn video_after_id3_tag_is_inspected() {
    let tag = [b"ID3\x04\0\0\0\0\x01\x02".as_slice(), &[0; 130]].concat();
    let facts = Object::from_bytes([tag, file_of(&[video()])].concat()).facts();
    assert_eq!((facts.container, facts.duration_ms), (Container::Mp4, Some(10_000)));
}

#[test]
fn compressed_movie_header_is_accepted_as_unknown() {
    let compressed = boxed("moov", &boxed("cmov", &[7; 100]));
    let facts = Object::from_bytes([file_type(), compressed, media_data()].concat()).facts();
    assert_eq!(facts, VideoFacts::unknown(Container::Mp4));
}

#[test]
fn overlong_or_invalid_box_in_movie_header_is_tolerated() {
    let track = video().bytes();
    for last in [
        overlong("udta", &[0; 20], 4),
        overlong("udta", &[0; 20], 4_000_000),
        words(&[0]),
        words(&[3, 0, 0]),
        boxed("trak", b""),
    ] {
        let movie = boxed("moov", &[movie_header(0), track.clone(), last].concat());
        let facts = Object::from_bytes([file_type(), movie, media_data()].concat()).facts();
        assert_eq!((facts.duration_ms, facts.width), (Some(10_000), Some(1080)));
    }
    // The track itself is too long.
    let movie = boxed("moov", &[movie_header(0), overlong("trak", &track[8..], 4)].concat());
    assert_eq!(Object::from_bytes([file_type(), movie, media_data()].concat()).facts().duration_ms, Some(10_000));
}

#[test]
fn second_movie_header_is_ignored() {
    let other = TrackBuilder { size: (320, 240), ..video() };
    let file = [file_of(&[video()]), movie(&[other])].concat();
    assert_eq!(Object::from_bytes(file).facts().width, Some(1080));
}

#[test]
fn video_track_with_pictures_players_show_is_selected() {
    let thumbnails = TrackBuilder { is_enabled: false, size: (160, 90), ..video() };
    let other = TrackBuilder { size: (640, 360), ..video() };
    let cover = TrackBuilder { entry: "mp4v", size: (500, 500), ..TrackBuilder::video(1, &[(1, 10)]) };
    let moving_cover = TrackBuilder { entry: "jpeg", size: (500, 500), ..video() };
    // ffmpeg writes Motion JPEG as MPEG-4, and enables only the first video track.
    let motion_jpeg = boxed("esds", b"\0\0\0\0\x03\x80\x80\x80\x1b\0\x01\0\x04\x80\x80\x80\x0d\x6c\x11");
    let motion_jpeg = TrackBuilder { entry: "mp4v", entry_boxes: motion_jpeg, size: (500, 500), ..video() };
    let disabled = TrackBuilder { is_enabled: false, ..video() };
    let empty = TrackBuilder { size: (200, 200), ..TrackBuilder::video(600, &[]) };
    for tracks in [
        vec![thumbnails.clone(), video(), other.clone()],
        vec![video(), other, thumbnails.clone()],
        vec![cover.clone(), video()],
        vec![moving_cover.clone(), video()],
        vec![moving_cover, disabled.clone()],
        vec![motion_jpeg, disabled],
        vec![empty.clone(), video()],
        vec![cover, empty, thumbnails.clone(), video()],
    ] {
        let facts = Object::from_bytes(file_of(&tracks)).facts();
        assert_eq!((facts.width, facts.codec), (Some(1080), Some(Codec::H264)));
    }
    let facts = Object::from_bytes(file_of(&[thumbnails])).facts();
    assert_eq!((facts.width, facts.height), (Some(160), Some(90)));
}

#[test]
fn unsupported_codec_is_kept_beside_disabled_track() {
    let proxy = TrackBuilder { is_enabled: false, ..video() };
    for entry in ["apcn", "av01"] {
        let facts = Object::from_bytes(file_of(&[proxy.clone(), TrackBuilder { entry, ..video() }])).facts();
        assert_eq!(facts.codec, Some(Codec::Other(entry.to_owned())));
    }
}

#[test]
fn encrypted_video_is_named_so() {
    let protection = boxed("sinf", &boxed("frma", b"avc1"));
    for track in [
        TrackBuilder { entry: "encv", ..video() },
        TrackBuilder { entry: "drmi", ..video() },
        TrackBuilder { entry_boxes: [boxed("avcC", &[1; 30]), protection].concat(), ..video() },
    ] {
        let error = Object::from_bytes(file_of(&[track])).error();
        assert!(error.to_string().contains("encrypted"), "{error}");
        assert!(error.advice().contains("copy protection"), "{}", error.advice());
    }
}

#[test]
fn unstated_picture_size_is_unknown() {
    let facts = Object::from_bytes(file_of(&[TrackBuilder { size: (0, 0), ..video() }])).facts();
    assert_eq!((facts.width, facts.height, facts.duration_ms), (None, None, Some(10_000)));
}

#[test]
fn file_without_video_track_is_no_video() {
    let sound = TrackBuilder::audio(48_000, &[(100, 1024)]);
    let subtitles = TrackBuilder { handler: "text", ..sound.clone() };
    let error = Object::from_bytes(file_of(&[sound, subtitles])).error();
    assert_eq!(error.to_string(), "the file is not a video: it has no video track");
}

#[test]
fn header_across_read_boundary_is_found() {
    let movie = movie(&[video()]);
    for padding in (65_000..65_540).chain(50_000..50_040) {
        let free = boxed("free", &vec![0; padding]);
        let (facts, reads) = Object::from_bytes([file_type(), free, movie.clone(), media_data()].concat()).inspect();
        assert_eq!(facts.unwrap().duration_ms, Some(10_000), "{padding}");
        assert!(reads <= 2, "{reads} reads with {padding} bytes of padding");
    }
}
