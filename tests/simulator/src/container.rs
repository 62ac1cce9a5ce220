//! What a stream of bytes is, told while it passes: MP4, MOV or WebM, and how
//! long the video plays, where an MP4 or MOV says so.
//!
//! Looks at the head of the file and at the first bytes of its `moov` box,
//! wherever that is; keeps a few kilobytes at most, whatever the file's size.
//! It judges the container alone: no codec, no dimensions.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// How much of the head is kept.
const HEAD: usize = 64;
/// How much of `moov` is kept; `mvhd` is its first box in practice.
const MOOV: usize = 4096;

/// A container that TikTok takes.
///
/// <https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Container {
    /// MPEG-4 part 14.
    Mp4,
    /// Apple's `QuickTime`.
    Mov,
    /// Matroska's subset for the web.
    WebM,
}

/// Watches bytes pass, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sniffer {
    head: Vec<u8>,
    offset: u64,
    next_box: u64,
    header: Vec<u8>,
    moov: Vec<u8>,
    moov_end: u64,
}

impl Sniffer {
    /// Looks at the next bytes.
    pub(crate) fn update(&mut self, bytes: &Bytes) {
        let keep = (HEAD - self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..keep]);
        if matches!(self.container(), Some(Container::WebM)) {
            return;
        }
        self.walk(bytes);
    }

    /// Names the container, once enough of the head was seen.
    pub(crate) fn container(&self) -> Option<Container> {
        if self.head.starts_with(&[0x1A, 0x45, 0xDF, 0xA3]) {
            return Some(Container::WebM);
        }
        match (self.head.get(4..8)?, self.head.get(8..12)) {
            // Old QuickTime files have no `ftyp`.
            (b"ftyp", Some(b"qt  ")) | (b"moov" | b"wide" | b"mdat", _) => Some(Container::Mov),
            (b"ftyp", Some(_)) => Some(Container::Mp4),
            _ => None,
        }
    }

    /// Tells how long the video plays in milliseconds, where `mvhd` says so.
    pub(crate) fn duration_ms(&self) -> Option<u64> {
        let start = self.moov.windows(4).position(|name| name == b"mvhd")?;
        let body = self.moov.get(start + 4..)?;
        let (timescale, duration) = if *body.first()? == 0 {
            (number(body, 12, 4)?, number(body, 16, 4)?)
        } else {
            (number(body, 20, 4)?, number(body, 24, 8)?)
        };
        let known = timescale > 0 && duration > 0;
        known.then(|| duration.saturating_mul(1000) / timescale)
    }

    /// Steps from box to box, of which most lie outside these bytes.
    fn walk(&mut self, bytes: &Bytes) {
        let end = self.offset + bytes.len() as u64;
        let mut at = self.offset;
        while at < end {
            let rest = &bytes[usize::try_from(at - self.offset).unwrap_or(usize::MAX)..];
            if at < self.moov_end {
                let inside = usize::try_from(self.moov_end.min(end) - at).unwrap_or(rest.len());
                let keep = (MOOV - self.moov.len()).min(inside);
                self.moov.extend_from_slice(&rest[..keep]);
            }
            if at < self.next_box {
                at = self.next_box.min(end);
                continue;
            }
            self.header.push(rest[0]);
            at += 1;
            self.open_box(at);
        }
        self.offset = end;
    }

    /// Takes in a box's header once it is whole; `at` is the offset behind it.
    fn open_box(&mut self, at: u64) {
        let wide = number(&self.header, 0, 4) == Some(1);
        let length = if wide { 16 } else { 8 };
        if self.header.len() < length {
            return;
        }
        let declared = number(&self.header, 0, 4).unwrap_or(0);
        let size = match declared {
            0 => u64::MAX,
            1 => number(&self.header, 8, 8).unwrap_or(u64::MAX),
            size => size,
        };
        let start = at - length as u64;
        // A box smaller than its own header would walk on the spot.
        self.next_box = start.saturating_add(size.max(length as u64));
        if self.header.get(4..8) == Some(b"moov") && self.moov.is_empty() {
            self.moov_end = self.next_box;
        }
        self.header.clear();
    }
}

/// Reads a big-endian number of `length` bytes.
fn number(bytes: &[u8], start: usize, length: usize) -> Option<u64> {
    let field = bytes.get(start..start + length)?;
    Some(field.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mp4_box(name: [u8; 4], body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(body.len() + 8).unwrap();
        [&size.to_be_bytes()[..], &name, body].concat()
    }

    fn mvhd(timescale: u32, duration: u32) -> Vec<u8> {
        let body = [&[0; 12][..], &timescale.to_be_bytes(), &duration.to_be_bytes(), &[0; 80]];
        mp4_box(*b"mvhd", &body.concat())
    }

    fn header_last(duration: u32) -> Vec<u8> {
        let moov = mp4_box(*b"moov", &mvhd(1000, duration));
        let ftyp = mp4_box(*b"ftyp", b"isom\0\0\0\0");
        [ftyp, mp4_box(*b"mdat", &[7; 3000]), moov].concat()
    }

    fn sniff(file: &[u8], step: usize) -> Sniffer {
        let mut sniffer = Sniffer::default();
        for part in file.chunks(step) {
            sniffer.update(&Bytes::copy_from_slice(part));
        }
        sniffer
    }

    #[test]
    fn containers_are_told_by_their_first_bytes() {
        let container = |bytes: &[u8]| sniff(bytes, 3).container();
        assert_eq!(container(&header_last(1)), Some(Container::Mp4));
        let mov = mp4_box(*b"ftyp", b"qt  \0\0\0\0");
        assert_eq!(container(&mov), Some(Container::Mov));
        assert_eq!(container(b"\x1A\x45\xDF\xA3\x01\x02"), Some(Container::WebM));
        assert_eq!(container(b"GIF89a, no video at all"), None);
        assert_eq!(container(b""), None);
    }

    #[test]
    fn a_duration_of_zero_is_no_duration() {
        assert_eq!(sniff(&header_last(0), 100).duration_ms(), None);
    }

    proptest! {
        #[test]
        fn the_duration_is_found_however_the_bytes_are_cut(
            step in 1_usize..4000,
            duration in 1_u32..1_000_000,
        ) {
            let sniffer = sniff(&header_last(duration), step);
            prop_assert_eq!(sniffer.duration_ms(), Some(u64::from(duration)));
        }

        #[test]
        fn no_bytes_make_it_stumble(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let whole = sniff(&bytes, 300);
            let cut = sniff(&bytes, 7);
            prop_assert_eq!(whole.container(), cut.container());
            prop_assert_eq!(whole.duration_ms(), cut.duration_ms());
        }
    }
}
