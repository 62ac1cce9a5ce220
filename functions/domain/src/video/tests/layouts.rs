//! Inspections of generated files whose size or layout no fixture has.

use super::object::Object;
use crate::video::{Codec, Container, FrameRate, MAX_READS, VideoFacts};

/// Returns an ISO box.
fn boxed(kind: &str, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 8).unwrap();
    [&size.to_be_bytes(), kind.as_bytes(), body].concat()
}

/// Returns 32-bit big-endian words as bytes.
fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// The identity transformation matrix: no rotation.
const UPRIGHT: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

/// Returns an H.264 track (`trak`) with 30 frames per second. Its sample tables have their real size of 24 bytes per
/// frame.
fn track(flags: u32, frames: u32, (width, height): (u16, u16)) -> Vec<u8> {
    let seconds = frames / 30;
    let header = [
        words(&[flags, 0, 0, 7, 0, seconds * 1000, 0, 0, 0, 0]),
        words(&UPRIGHT),
        words(&[u32::from(width) << 16, u32::from(height) << 16]),
    ];
    let mut entry = [0; 78];
    entry[24..26].copy_from_slice(&width.to_be_bytes());
    entry[26..28].copy_from_slice(&height.to_be_bytes());
    let rows = |columns: u32| vec![0; usize::try_from(frames * columns * 4).unwrap()];
    let tables = [
        boxed("stsd", &[words(&[0, 1]), boxed("avc1", &entry)].concat()),
        boxed("stts", &[words(&[0, frames]), rows(2)].concat()),
        boxed("ctts", &[words(&[0, frames]), rows(2)].concat()),
        boxed("stsz", &[words(&[0, 0, frames]), rows(1)].concat()),
        boxed("stco", &[words(&[0, frames]), rows(1)].concat()),
    ];
    let handler = [words(&[0, 0]), b"vide".to_vec(), vec![0; 13]];
    let media = [
        boxed("mdhd", &words(&[0, 0, 0, 15_360, seconds * 15_360, 0])),
        boxed("hdlr", &handler.concat()),
        boxed("minf", &boxed("stbl", &tables.concat())),
    ];
    let track = [boxed("tkhd", &header.concat()), boxed("mdia", &media.concat())];
    boxed("trak", &track.concat())
}

/// Returns a movie header (`moov`) with a duration in milliseconds and the boxes `children`.
fn movie_of(duration_ms: u32, children: &[Vec<u8>]) -> Vec<u8> {
    let header = [words(&[0, 0, 0, 1000, duration_ms, 0x1_0000, 0, 0, 0]), words(&UPRIGHT), vec![0; 28]];
    boxed("moov", &[boxed("mvhd", &header.concat()), children.concat()].concat())
}

/// Returns a movie header with one enabled track and a user data box after it.
fn movie(frames: u32) -> Vec<u8> {
    let children = [track(ENABLED, frames, (1920, 1080)), boxed("udta", b"made for a test")];
    movie_of(frames / 30 * 1000, &children)
}

/// Values of the flags of `tkhd`.
const ENABLED: u32 = 1;
const DISABLED: u32 = 0;

/// Returns a `ftyp` box for MP4.
fn file_type() -> Vec<u8> {
    boxed("ftyp", b"isom\0\0\x02\0isom")
}

/// Returns the header of an `mdat` box with `len` bytes of media data.
fn media_data_header(len: u64) -> Vec<u8> {
    [words(&[1]), b"mdat".to_vec(), (len + 16).to_be_bytes().to_vec()].concat()
}

const FOUR_GB: u64 = 4_000_000_000;

/// The facts of `movie(108_000)`: one hour at 30 frames per second.
fn one_hour_facts() -> VideoFacts {
    VideoFacts {
        container: Container::Mp4,
        codec: Codec::H264,
        duration_ms: Some(3_600_000),
        width: 1920,
        height: 1080,
        frame_rate: Some(FrameRate::from_thousandths(30_000)),
    }
}

#[test]
fn header_last_in_4_gb_needs_few_reads() {
    let movie = movie(108_000);
    assert!(movie.len() > 2_000_000, "the tables are too large to read them");
    let front = [file_type(), media_data_header(FOUR_GB)].concat();
    let at = front.len() as u64 + FOUR_GB;
    let object = Object { size: at + movie.len() as u64, parts: vec![(0, front), (at, movie)] };
    let (facts, reads) = object.inspect();
    assert_eq!(facts, Ok(one_hour_facts()));
    assert!(reads <= 5, "{reads} reads");
}

#[test]
fn header_first_in_4_gb_needs_few_reads() {
    let front = [file_type(), movie(108_000), media_data_header(FOUR_GB)].concat();
    let object = Object { size: front.len() as u64 + FOUR_GB, parts: vec![(0, front)] };
    let (facts, reads) = object.inspect();
    assert_eq!(facts, Ok(one_hour_facts()));
    assert!(reads <= 4, "{reads} reads");
}

#[test]
fn one_minute_with_header_last_takes_two_reads() {
    let front = [file_type(), media_data_header(20_000_000)].concat();
    let movie = movie(1_800);
    let at = front.len() as u64 + 20_000_000;
    let object = Object { size: at + movie.len() as u64, parts: vec![(0, front), (at, movie)] };
    assert_eq!(object.facts().duration_ms, Some(60_000));
    assert_eq!(object.inspect().1, 2);
}

#[test]
fn quicktime_without_brand_and_with_padding_is_parsed() {
    let padding = [boxed("wide", b""), boxed("free", &[0; 40]), boxed("uuid", &[7; 24])];
    let open_ended = [words(&[0]), b"mdat".to_vec(), vec![0; 100]].concat();
    let facts = Object::from_bytes([padding.concat(), movie(300), open_ended].concat()).facts();
    assert_eq!(facts.container, Container::Mov);
    assert_eq!(facts.duration_ms, Some(10_000));
}

/// Returns the bytes of `fragmented.mp4` before its first `moof` box, and that box.
fn header_and_fragment() -> (Vec<u8>, Vec<u8>) {
    let fixture = Object::fixture("fragmented.mp4");
    let bytes = &fixture.parts[0].1;
    let start = bytes.windows(4).position(|kind| kind == b"moof").unwrap() - 4;
    let size = u32::from_be_bytes(bytes[start..start + 4].try_into().unwrap());
    let end = start + usize::try_from(size).unwrap();
    (bytes[..start].to_vec(), bytes[start..end].to_vec())
}

#[test]
fn unindexed_fragments_are_summed_until_read_limit() {
    let (header, moof) = header_and_fragment();
    let fragment = [moof, media_data_header(1_000_000)].concat();
    // Each fragment lasts 1 s. It needs its own read, because 1 MB of media data follows it.
    let object_with = |fragments: u64| {
        let mut parts = vec![(0, header.clone())];
        let mut end = header.len() as u64;
        for _ in 0..fragments {
            parts.push((end, fragment.clone()));
            end += fragment.len() as u64 + 1_000_000;
        }
        Object { size: end, parts }
    };
    let (facts, reads) = object_with(100).inspect();
    assert_eq!(facts.unwrap().duration_ms, Some(100_000));
    assert_eq!(reads, 100);

    let (facts, reads) = object_with(1000).inspect();
    let facts = facts.unwrap();
    assert_eq!(facts.duration_ms, None);
    assert_eq!(facts.frame_rate, Some(FrameRate::from_thousandths(24_000)));
    assert_eq!(reads, MAX_READS);
}

/// Returns a `sidx` box with fragments of 2 MB and 2 s each, and one tick per second.
fn index(track_id: u32, fragments: u16) -> Vec<u8> {
    let rows = words(&[2_000_000, 2, 0]).repeat(fragments.into());
    let front = words(&[0, track_id, 1, 0, 0, fragments.into()]);
    boxed("sidx", &[front, rows].concat())
}

#[test]
fn fragment_index_replaces_reads_of_its_fragments() {
    let (header, moof) = header_and_fragment();
    let complete = index(1, 1000);
    let other_track = index(2, 1500);
    let partial = index(1, 100);
    for indexes in [complete.clone(), [other_track, complete.clone()].concat(), [complete, partial].concat()] {
        let front = [header.clone(), indexes, moof.clone()].concat();
        let object = Object { size: front.len() as u64 + 2_000_000_000, parts: vec![(0, front)] };
        let (facts, reads) = object.inspect();
        let facts = facts.unwrap();
        assert_eq!(facts.duration_ms, Some(2_000_000));
        assert_eq!(facts.frame_rate, Some(FrameRate::from_thousandths(24_000)));
        assert!(reads <= 2, "{reads} reads");
    }
}

#[test]
fn misplaced_boxes_and_elements_are_damaged() {
    let (header, moof) = header_and_fragment();
    let cluster = b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm\x18\x53\x80\x67\xff\x1f\x43\xb6\x75\xff";
    for (file, message) in [
        ([file_type(), moof].concat(), "a fragment of a video"),
        ([header.clone(), header].concat(), "two movie headers"),
        (file_type(), "no movie header"),
        (cluster.to_vec(), "does not list its tracks"),
    ] {
        let error = Object::from_bytes(file).error().to_string();
        assert!(error.contains("damaged"), "{error}");
        assert!(error.contains(message), "{error}");
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

#[test]
fn first_enabled_video_track_is_selected() {
    let thumbnails = track(DISABLED, 30, (160, 90));
    let video = track(ENABLED, 300, (1920, 1080));
    let second = track(ENABLED, 300, (640, 360));
    for tracks in [[thumbnails.clone(), video.clone(), second.clone()], [video.clone(), second, thumbnails.clone()]] {
        let facts = Object::from_bytes([file_type(), movie_of(10_000, &tracks)].concat()).facts();
        assert_eq!((facts.width, facts.height), (1920, 1080));
    }
    let facts = Object::from_bytes([file_type(), movie_of(1000, &[thumbnails])].concat()).facts();
    assert_eq!((facts.width, facts.height), (160, 90));
}

#[test]
fn unknown_movie_duration_falls_back_to_track_duration() {
    for unknown in [0, u32::MAX] {
        let movie = movie_of(unknown, &[track(ENABLED, 300, (1920, 1080))]);
        let facts = Object::from_bytes([file_type(), movie].concat()).facts();
        assert_eq!(facts.duration_ms, Some(10_000));
    }
}

#[test]
fn declared_duration_of_fragments_is_used() {
    // The default of 512 ticks per frame is 30 frames per second, because the track has 15,360 ticks per second.
    let extends = [boxed("mehd", &words(&[0, 60_000])), boxed("trex", &words(&[0, 7, 1, 512, 0, 0]))];
    let children = [track(ENABLED, 0, (1920, 1080)), boxed("mvex", &extends.concat())];
    let facts = Object::from_bytes([file_type(), movie_of(0, &children)].concat()).facts();
    assert_eq!(facts.duration_ms, Some(60_000));
    assert_eq!(facts.frame_rate, Some(FrameRate::from_thousandths(30_000)));
}

#[test]
fn header_across_read_boundary_is_read_once() {
    let movie = movie(300);
    for padding in (65_000..65_540).chain(50_000..50_040) {
        let free = boxed("free", &vec![0; padding]);
        let (facts, reads) = Object::from_bytes([file_type(), free, movie.clone()].concat()).inspect();
        assert_eq!(facts.unwrap().duration_ms, Some(10_000), "{padding}");
        assert!(reads <= 2, "{reads} reads with {padding} bytes of padding");
    }
}
