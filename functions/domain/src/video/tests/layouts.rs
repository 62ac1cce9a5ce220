//! Files as large, and laid out as oddly, as no fixture can be.

use super::object::Object;
use crate::video::{Codec, Container, FrameRate, MAX_READS, VideoFacts};

fn boxed(kind: &str, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 8).unwrap();
    [&size.to_be_bytes(), kind.as_bytes(), body].concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A matrix that leaves the picture as it is.
const UPRIGHT: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

/// An H.264 track at 30 frames a second, with the sample tables that a track of
/// that length has: 24 bytes a frame.
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

/// A movie header of `ticks` milliseconds, with the boxes that are in it.
fn movie_of(ticks: u32, inside: &[Vec<u8>]) -> Vec<u8> {
    let header = [words(&[0, 0, 0, 1000, ticks, 0x1_0000, 0, 0, 0]), words(&UPRIGHT), vec![0; 28]];
    boxed("moov", &[boxed("mvhd", &header.concat()), inside.concat()].concat())
}

/// A movie header of one track, with something behind it.
fn movie(frames: u32) -> Vec<u8> {
    let inside = [track(ENABLED, frames, (1920, 1080)), boxed("udta", b"made for a test")];
    movie_of(frames / 30 * 1000, &inside)
}

const ENABLED: u32 = 1;
const DISABLED: u32 = 0;

/// A `ftyp` box, and the header of an `mdat` box with `len` bytes of media.
fn brand() -> Vec<u8> {
    boxed("ftyp", b"isom\0\0\x02\0isom")
}

fn media_header(len: u64) -> Vec<u8> {
    [words(&[1]), b"mdat".to_vec(), (len + 16).to_be_bytes().to_vec()].concat()
}

const FOUR_GB: u64 = 4_000_000_000;

fn hour() -> VideoFacts {
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
fn an_hour_in_4_gb_with_its_header_last_takes_a_handful_of_reads() {
    let movie = movie(108_000);
    assert!(movie.len() > 2_000_000, "the tables are left unread for a reason");
    let front = [brand(), media_header(FOUR_GB)].concat();
    let at = front.len() as u64 + FOUR_GB;
    let object = Object { size: at + movie.len() as u64, parts: vec![(0, front), (at, movie)] };
    let (facts, reads) = object.inspect();
    assert_eq!(facts, Ok(hour()));
    assert!(reads <= 5, "{reads} reads");
}

#[test]
fn an_hour_in_4_gb_with_its_header_first_takes_a_handful_of_reads() {
    let front = [brand(), movie(108_000), media_header(FOUR_GB)].concat();
    let object = Object { size: front.len() as u64 + FOUR_GB, parts: vec![(0, front)] };
    let (facts, reads) = object.inspect();
    assert_eq!(facts, Ok(hour()));
    assert!(reads <= 4, "{reads} reads");
}

#[test]
fn a_minute_with_its_header_last_takes_two_reads() {
    let front = [brand(), media_header(20_000_000)].concat();
    let movie = movie(1_800);
    let at = front.len() as u64 + 20_000_000;
    let object = Object { size: at + movie.len() as u64, parts: vec![(0, front), (at, movie)] };
    assert_eq!(object.facts().duration_ms, Some(60_000));
    assert_eq!(object.inspect().1, 2);
}

#[test]
fn quicktime_without_a_brand_and_with_padding_is_read() {
    let padding = [boxed("wide", b""), boxed("free", &[0; 40]), boxed("uuid", &[7; 24])];
    let open_ended = [words(&[0]), b"mdat".to_vec(), vec![0; 100]].concat();
    let facts = Object::of([padding.concat(), movie(300), open_ended].concat()).facts();
    assert_eq!(facts.container, Container::Mov);
    assert_eq!(facts.duration_ms, Some(10_000));
}

/// The fixture's header, and its first fragment's `moof` box.
fn header_and_fragment() -> (Vec<u8>, Vec<u8>) {
    let fixture = Object::fixture("fragmented.mp4");
    let bytes = &fixture.parts[0].1;
    let start = bytes.windows(4).position(|kind| kind == b"moof").unwrap() - 4;
    let size = u32::from_be_bytes(bytes[start..start + 4].try_into().unwrap());
    let end = start + usize::try_from(size).unwrap();
    (bytes[..start].to_vec(), bytes[start..end].to_vec())
}

#[test]
fn fragments_without_an_index_are_added_up_as_far_as_reads_go() {
    let (header, moof) = header_and_fragment();
    let fragment = [moof, media_header(1_000_000)].concat();
    let far_apart = |fragments: u64| {
        let mut parts = vec![(0, header.clone())];
        let mut end = header.len() as u64;
        for _ in 0..fragments {
            parts.push((end, fragment.clone()));
            end += fragment.len() as u64 + 1_000_000;
        }
        Object { size: end, parts }
    };
    let (facts, reads) = far_apart(100).inspect();
    assert_eq!(facts.unwrap().duration_ms, Some(100_000));
    assert_eq!(reads, 100);

    let (facts, reads) = far_apart(1000).inspect();
    let facts = facts.unwrap();
    assert_eq!(facts.duration_ms, None);
    assert_eq!(facts.frame_rate, Some(FrameRate::from_thousandths(24_000)));
    assert_eq!(reads, MAX_READS);
}

/// An index of fragments of 2 MB and 2 s each, on a clock of one tick a second.
fn index(track: u32, fragments: u16) -> Vec<u8> {
    let rows = words(&[2_000_000, 2, 0]).repeat(fragments.into());
    let front = words(&[0, track, 1, 0, 0, fragments.into()]);
    boxed("sidx", &[front, rows].concat())
}

#[test]
fn an_index_spares_the_reads_of_the_fragments_behind_it() {
    let (header, moof) = header_and_fragment();
    let whole = index(1, 1000);
    let of_another_track = index(2, 1500);
    let of_a_part = index(1, 100);
    for indexes in [whole.clone(), [of_another_track, whole.clone()].concat(), [whole, of_a_part].concat()] {
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
fn parts_of_a_video_in_the_wrong_place_are_damage() {
    let (header, moof) = header_and_fragment();
    let cluster = b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm\x18\x53\x80\x67\xff\x1f\x43\xb6\x75\xff";
    for (file, said) in [
        ([brand(), moof].concat(), "a fragment of a video"),
        ([header.clone(), header].concat(), "two movie headers"),
        (brand(), "no movie header"),
        (cluster.to_vec(), "does not list its tracks"),
    ] {
        let refusal = Object::of(file).refusal().to_string();
        assert!(refusal.contains("damaged"), "{refusal}");
        assert!(refusal.contains(said), "{refusal}");
    }
}

#[test]
fn a_recording_that_broke_off_counts_up_to_where_it_did() {
    let mut object = Object::fixture("fragmented.mp4");
    let bytes = &mut object.parts[0].1;
    let last = bytes.windows(4).rposition(|kind| kind == b"moof").unwrap();
    bytes.truncate(last + 20);
    object.size = bytes.len() as u64;
    assert_eq!(object.facts().duration_ms, Some(2000));
}

#[test]
fn the_first_enabled_video_track_is_the_video() {
    let thumbnails = track(DISABLED, 30, (160, 90));
    let video = track(ENABLED, 300, (1920, 1080));
    let second = track(ENABLED, 300, (640, 360));
    for tracks in [[thumbnails.clone(), video.clone(), second.clone()], [video.clone(), second, thumbnails.clone()]] {
        let facts = Object::of([brand(), movie_of(10_000, &tracks)].concat()).facts();
        assert_eq!((facts.width, facts.height), (1920, 1080));
    }
    let facts = Object::of([brand(), movie_of(1000, &[thumbnails])].concat()).facts();
    assert_eq!((facts.width, facts.height), (160, 90));
}

#[test]
fn a_movie_without_a_known_length_lasts_as_long_as_its_track() {
    for unknown in [0, u32::MAX] {
        let movie = movie_of(unknown, &[track(ENABLED, 300, (1920, 1080))]);
        let facts = Object::of([brand(), movie].concat()).facts();
        assert_eq!(facts.duration_ms, Some(10_000));
    }
}

#[test]
fn a_header_that_declares_the_length_of_its_fragments_is_believed() {
    let extends = [boxed("mehd", &words(&[0, 60_000])), boxed("trex", &words(&[0, 7, 1, 512, 0, 0]))];
    let inside = [track(ENABLED, 0, (1920, 1080)), boxed("mvex", &extends.concat())];
    let facts = Object::of([brand(), movie_of(0, &inside)].concat()).facts();
    assert_eq!(facts.duration_ms, Some(60_000));
    assert_eq!(facts.frame_rate, Some(FrameRate::from_thousandths(30_000)));
}

#[test]
fn a_header_across_the_edge_of_a_read_is_read_once() {
    let movie = movie(300);
    for padding in (65_000..65_540).chain(50_000..50_040) {
        let free = boxed("free", &vec![0; padding]);
        let (facts, reads) = Object::of([brand(), free, movie.clone()].concat()).inspect();
        assert_eq!(facts.unwrap().duration_ms, Some(10_000), "{padding}");
        assert!(reads <= 2, "{reads} reads with {padding} bytes of padding");
    }
}
