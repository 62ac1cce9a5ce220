//! A test video of any size that is never stored: a real header, then a `free` box
//! (players skip it) that is filled with a repeating pattern.
//!
//! The video's size and a byte's offset determine the byte. The S3 fake can
//! therefore serve any range from memory, and the upload host fake can verify
//! every byte that it receives. The videos of `harness::TestVideo` are random instead.

use std::sync::LazyLock;

use anyhow::{Context, Result};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// A playable video whose header comes first.
static HEADER: &[u8] = include_bytes!("../../fixtures/header-first.mp4");
/// The length of the pattern in bytes. It is a prime: no chunk size is a multiple
/// of it, so bytes at a wrong offset are detected.
const PERIOD: usize = 1_048_573;
/// The maximum length of a piece in bytes.
const PIECE_BYTES: usize = 256 * 1024;

static PATTERN: LazyLock<Bytes> = LazyLock::new(|| {
    let mut bytes = Vec::with_capacity(PERIOD + 32);
    let mut block = Sha256::digest(b"dropcast");
    while bytes.len() < PERIOD {
        bytes.extend_from_slice(&block);
        block = Sha256::digest(block);
    }
    bytes.truncate(PERIOD);
    Bytes::from(bytes)
});

/// The test video of one size. Two videos of the same size are equal.
#[derive(Debug, Clone)]
pub(crate) struct TestVideo {
    bytes: u64,
    /// The real header and the head of the `free` box.
    head: Bytes,
}

impl TestVideo {
    /// Creates the video of exactly `bytes` bytes.
    ///
    /// # Errors
    /// The size is smaller than the header plus the head of a box, or the box
    /// exceeds its 32-bit length.
    pub(crate) fn new(bytes: u64) -> Result<Self> {
        let rest = bytes.checked_sub(HEADER.len() as u64).filter(|&rest| rest >= 8);
        let rest = rest.context("a test video is at least as large as its header and the head of a box")?;
        let size = u32::try_from(rest).context("a test video has at most 4 GiB")?;
        Ok(Self { bytes, head: Bytes::from([HEADER, &size.to_be_bytes(), b"free"].concat()) })
    }

    /// The video that a key of the form `…/video-<bytes>.mp4` names.
    pub(crate) fn from_key(key: &str) -> Option<Self> {
        let bytes = key.rsplit('/').next()?.strip_prefix("video-")?.strip_suffix(".mp4")?;
        Self::new(bytes.parse().ok()?).ok()
    }

    /// The file name that [`from_key`](Self::from_key) reads.
    pub(crate) fn file_name(&self) -> String {
        format!("video-{}.mp4", self.bytes)
    }

    /// The size in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The bytes from `first` up to but excluding `end`, in pieces that share their memory.
    pub(crate) fn range(&self, first: u64, end: u64) -> impl Iterator<Item = Bytes> + Send + use<> {
        let video = self.clone();
        let mut offset = first;
        std::iter::from_fn(move || {
            let left = usize::try_from(end.checked_sub(offset)?).unwrap_or(usize::MAX).min(PIECE_BYTES);
            let piece = video.piece(offset, left);
            offset += piece.len() as u64;
            (!piece.is_empty()).then_some(piece)
        })
    }

    /// Whether `bytes` are the video's bytes at the offset `first`.
    pub(crate) fn matches(&self, first: u64, bytes: &[u8]) -> bool {
        let (mut offset, mut rest) = (first, bytes);
        while !rest.is_empty() {
            let expected = self.piece(offset, rest.len());
            if !rest.starts_with(&expected) {
                return false;
            }
            offset += expected.len() as u64;
            rest = &rest[expected.len()..];
        }
        first + bytes.len() as u64 <= self.bytes
    }

    /// The SHA-256 in hex.
    pub(crate) fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        self.range(0, self.bytes).for_each(|piece| hash.update(&piece));
        HEXLOWER.encode(&hash.finalize())
    }

    /// At most `max` bytes from an offset on; fewer at the end of the head or of
    /// the pattern.
    fn piece(&self, offset: u64, max: usize) -> Bytes {
        let head = self.head.len();
        match usize::try_from(offset) {
            Ok(offset) if offset < head => self.head.slice(offset..(offset + max).min(head)),
            _ => {
                let start = usize::try_from(offset % PERIOD as u64).unwrap_or(0);
                PATTERN.slice(start..(start + max).min(PERIOD))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(video: &TestVideo, first: u64, end: u64) -> Vec<u8> {
        video.range(first, end).flatten().collect()
    }

    #[test]
    fn every_range_is_a_slice_of_the_video() {
        let video = TestVideo::new(3_000_000).unwrap();
        let all = collect(&video, 0, video.bytes());
        assert_eq!(all.len(), 3_000_000);
        for (first, end) in [(0, 1), (4000, 5000), (1_048_000, 2_100_000), (2_999_999, 3_000_000)] {
            let bounds = usize::try_from(first).unwrap()..usize::try_from(end).unwrap();
            assert_eq!(collect(&video, first, end), all[bounds], "{first}..{end}");
        }
        assert_eq!(HEXLOWER.encode(&Sha256::digest(&all)), video.sha256());
    }

    #[test]
    fn bytes_match_only_at_their_own_offset() {
        let video = TestVideo::new(3_000_000).unwrap();
        let slice = collect(&video, 4000, 1_500_000);
        assert!(video.matches(4000, &slice));
        assert!(!video.matches(4001, &slice));
        assert!(!video.matches(2_000_000, &slice), "past the end");
        let mut altered = slice;
        altered[1_200_000] ^= 1;
        assert!(!video.matches(4000, &altered));
    }

    #[test]
    fn key_determines_the_video() {
        let video = TestVideo::new(10_000_000).unwrap();
        assert_eq!(TestVideo::from_key(&format!("drop/a/{}", video.file_name())).unwrap().bytes(), 10_000_000);
        assert!(TestVideo::from_key("drop/a/video-10000000.mp4.json").is_none());
        assert!(TestVideo::new(100).is_err(), "100 bytes are fewer than the header has");
    }
}
