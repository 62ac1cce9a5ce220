//! The detection of a byte stream's container format (MP4, MOV or WebM) and of the video's duration.
//!
//! The duration comes from the `mvhd` box of an MP4 or MOV file; for WebM none is read. Only
//! the first [`HEAD_BYTES`] of the file and the first [`MOOV_BYTES`] of its `moov` box are
//! kept, wherever `moov` is and however large the file is. Codecs and dimensions are not read.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// How many bytes of the beginning of the file are kept.
const HEAD_BYTES: usize = 64;
/// How many bytes of the `moov` box are kept. In practice `mvhd` is its first box, so this is enough.
const MOOV_BYTES: usize = 4096;

/// A container format that TikTok accepts.
///
/// <https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Container {
    /// MPEG-4 part 14.
    Mp4,
    /// Apple's `QuickTime`.
    Mov,
    /// The web subset of Matroska.
    WebM,
}

/// Detects container and duration from the bytes of a file, which it receives in order and in pieces of any size.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sniffer {
    /// The first bytes of the file.
    head: Vec<u8>,
    /// How many bytes were received; the offset of the next one.
    offset: u64,
    /// Offset at which the next top-level box begins.
    next_box: u64,
    /// The bytes of a box header that is not complete yet.
    header: Vec<u8>,
    /// The first bytes of the `moov` box.
    moov: Vec<u8>,
    /// Offset of the end of the `moov` box; 0 until its header was read.
    moov_end: u64,
}

impl Sniffer {
    /// Receives the next bytes.
    pub(crate) fn update(&mut self, bytes: &Bytes) {
        let keep = (HEAD_BYTES - self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..keep]);
        if matches!(self.container(), Some(Container::WebM)) {
            return;
        }
        self.walk(bytes);
    }

    /// Returns the container, if the first bytes identify one.
    pub(crate) fn container(&self) -> Option<Container> {
        if self.head.starts_with(&[0x1A, 0x45, 0xDF, 0xA3]) {
            return Some(Container::WebM);
        }
        // The name of the first box, and the major brand if that box is `ftyp`.
        match (self.head.get(4..8)?, self.head.get(8..12)) {
            // Old QuickTime files have no `ftyp`.
            (b"ftyp", Some(b"qt  ")) | (b"moov" | b"wide" | b"mdat", _) => Some(Container::Mov),
            (b"ftyp", Some(_)) => Some(Container::Mp4),
            _ => None,
        }
    }

    /// Returns the duration in milliseconds, if `mvhd` was received and declares one other than zero.
    pub(crate) fn duration_ms(&self) -> Option<u64> {
        let start = self.moov.windows(4).position(|name| name == b"mvhd")?;
        let body = self.moov.get(start + 4..)?;
        // The version comes first. Version 0 has times of 32 bits, version 1 of 64 bits.
        let (timescale, duration) = if *body.first()? == 0 {
            (number(body, 12, 4)?, number(body, 16, 4)?)
        } else {
            (number(body, 20, 4)?, number(body, 24, 8)?)
        };
        let known = timescale > 0 && duration > 0;
        known.then(|| duration.saturating_mul(1000) / timescale)
    }

    /// Walks over the top-level boxes. A box may continue over any number of calls.
    fn walk(&mut self, bytes: &Bytes) {
        let end = self.offset + bytes.len() as u64;
        let mut at = self.offset;
        while at < end {
            let rest = &bytes[usize::try_from(at - self.offset).unwrap_or(usize::MAX)..];
            if at < self.moov_end {
                let inside = usize::try_from(self.moov_end.min(end) - at).unwrap_or(rest.len());
                let keep = (MOOV_BYTES - self.moov.len()).min(inside);
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

    /// Reads a box header once all its bytes are in `header`; `at` is the offset after the last of them.
    fn open_box(&mut self, at: u64) {
        // A 32-bit size of 1 announces a 64-bit size after the name; 0 means "to the end of the file".
        let has_64_bit_size = number(&self.header, 0, 4) == Some(1);
        let length = if has_64_bit_size { 16 } else { 8 };
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
        // A declared size smaller than the header would make no progress.
        self.next_box = start.saturating_add(size.max(length as u64));
        if self.header.get(4..8) == Some(b"moov") && self.moov.is_empty() {
            self.moov_end = self.next_box;
        }
        self.header.clear();
    }
}

/// Reads a big-endian number of `length` bytes; `None` if the bytes end before it does.
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

    /// An MP4 file of `duration` milliseconds whose `moov` box is after its media data.
    fn mp4_with_moov_last(duration: u32) -> Vec<u8> {
        let moov = mp4_box(*b"moov", &mvhd(1000, duration));
        let ftyp = mp4_box(*b"ftyp", b"isom\0\0\0\0");
        [ftyp, mp4_box(*b"mdat", &[7; 3000]), moov].concat()
    }

    /// Passes a file to a sniffer in pieces of `piece_bytes`.
    fn sniff(file: &[u8], piece_bytes: usize) -> Sniffer {
        let mut sniffer = Sniffer::default();
        for piece in file.chunks(piece_bytes) {
            sniffer.update(&Bytes::copy_from_slice(piece));
        }
        sniffer
    }

    #[test]
    fn first_bytes_identify_the_container() {
        let container = |bytes: &[u8]| sniff(bytes, 3).container();
        assert_eq!(container(&mp4_with_moov_last(1)), Some(Container::Mp4));
        let mov = mp4_box(*b"ftyp", b"qt  \0\0\0\0");
        assert_eq!(container(&mov), Some(Container::Mov));
        assert_eq!(container(b"\x1A\x45\xDF\xA3\x01\x02"), Some(Container::WebM));
        assert_eq!(container(b"GIF89a, no video at all"), None);
        assert_eq!(container(b""), None);
    }

    #[test]
    fn zero_duration_is_unknown() {
        assert_eq!(sniff(&mp4_with_moov_last(0), 100).duration_ms(), None);
    }

    proptest! {
        #[test]
        fn duration_is_independent_of_piece_size(
            piece_bytes in 1_usize..4000,
            duration in 1_u32..1_000_000,
        ) {
            let sniffer = sniff(&mp4_with_moov_last(duration), piece_bytes);
            prop_assert_eq!(sniffer.duration_ms(), Some(u64::from(duration)));
        }

        // Also shows that arbitrary bytes never panic.
        #[test]
        fn piece_size_never_changes_the_result(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let whole = sniff(&bytes, 300);
            let pieces = sniff(&bytes, 7);
            prop_assert_eq!(whole.container(), pieces.container());
            prop_assert_eq!(whole.duration_ms(), pieces.duration_ms());
        }
    }
}
