//! A test file: one of the recorded `fixtures`, given bytes, or a playable video of any size that is never in memory as
//! a whole.
//!
//! A video of a given size is a small real video, then a `free` box (players skip it) that is filled with a repeating
//! random block. No chunk size is a multiple of the block's length, so bytes at a wrong offset change the hash. `bench`
//! has a `TestVideo` of its own, whose bytes follow from its size alone.

use std::path::Path;

use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A playable video whose header comes first.
static HEADER: &[u8] = include_bytes!("../fixtures/header-first.mp4");

/// The length of the random block in bytes. It is a prime, so that no chunk size is a multiple of it.
const BLOCK_BYTES: usize = 1_000_003;
/// The length of a box's head in bytes: its 32-bit size and its name.
const BOX_HEAD_BYTES: u32 = 8;
/// The size in bytes of the `free` box of a small video: enough random bytes to make each video unique.
const SMALL_BOX_BYTES: u32 = 64;

/// A test file, which need not be a video.
#[derive(Debug, Clone)]
pub struct TestVideo {
    /// The real video and the head of the `free` box; the whole file if its bytes were given.
    head: Bytes,
    /// The random block that fills the box; empty if the bytes were given.
    block: Bytes,
    /// The size in bytes.
    pub bytes: u64,
    /// The SHA-256 of the whole file in hex.
    pub sha256: String,
}

impl TestVideo {
    /// Creates a small video with random content.
    #[must_use]
    pub fn small() -> Self {
        Self::with_box(SMALL_BOX_BYTES)
    }

    /// Creates a video of exactly `bytes` bytes with random content.
    ///
    /// # Errors
    /// The size is smaller than the real video plus the head of a box, or the box exceeds its 32-bit size.
    pub fn new(bytes: u64) -> Result<Self> {
        let rest = bytes.checked_sub(HEADER.len() as u64).filter(|rest| *rest >= u64::from(BOX_HEAD_BYTES));
        let rest = rest.context("a test video is larger than the real video that it starts with")?;
        Ok(Self::with_box(u32::try_from(rest).context("the size exceeds a box's 32-bit length")?))
    }

    /// The real video, then a `free` box of this size in bytes, at least its head.
    fn with_box(box_bytes: u32) -> Self {
        let head = [HEADER, &box_bytes.to_be_bytes(), b"free"].concat();
        let block_bytes = usize::try_from(box_bytes - BOX_HEAD_BYTES).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
        let mut block = BytesMut::with_capacity(block_bytes + 32);
        let mut next = Sha256::digest(Uuid::new_v4());
        while block.len() < block_bytes {
            block.extend_from_slice(&next);
            next = Sha256::digest(next);
        }
        block.truncate(block_bytes);
        Self::hashed(head.into(), block.freeze(), HEADER.len() as u64 + u64::from(box_bytes))
    }

    /// Takes the file's bytes as they are.
    #[must_use]
    pub fn of(content: impl Into<Bytes>) -> Self {
        let content = content.into();
        let bytes = content.len() as u64;
        Self::hashed(content, Bytes::new(), bytes)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let content = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(Self::of(content))
    }

    /// Reads a file of `tests/fixtures`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn fixture(name: &str) -> Result<Self> {
        Self::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name))
    }

    /// The whole content.
    #[must_use]
    pub fn content(&self) -> Bytes {
        self.slice(0, self.bytes)
    }

    /// The bytes from `first` up to but excluding `end`, in one piece.
    #[must_use]
    pub fn slice(&self, first: u64, end: u64) -> Bytes {
        let mut content = BytesMut::new();
        self.range(first, end).for_each(|piece| content.extend_from_slice(&piece));
        content.freeze()
    }

    /// The bytes from `first` up to but excluding `end`, in pieces that share memory.
    pub fn range(&self, first: u64, end: u64) -> impl Iterator<Item = Bytes> + Send + 'static {
        let (video, mut offset) = (self.clone(), first);
        std::iter::from_fn(move || {
            (offset < end).then(|| {
                let piece = video.piece(offset);
                let max = usize::try_from(end - offset).unwrap_or(usize::MAX);
                let piece = piece.slice(..piece.len().min(max));
                offset += piece.len() as u64;
                piece
            })
        })
    }

    /// The bytes from an offset to the end of the head or of the block.
    fn piece(&self, offset: u64) -> Bytes {
        let head = self.head.len() as u64;
        let index = |offset: u64| usize::try_from(offset).unwrap_or(0);
        match offset.checked_sub(head) {
            None => self.head.slice(index(offset)..),
            Some(offset) => self.block.slice(index(offset % self.block.len() as u64)..),
        }
    }

    fn hashed(head: Bytes, block: Bytes, bytes: u64) -> Self {
        let mut video = Self { head, block, bytes, sha256: String::new() };
        let mut digest = Sha256::new();
        video.range(0, bytes).for_each(|piece| digest.update(piece));
        video.sha256 = HEXLOWER.encode(&digest.finalize());
        video
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn video_has_the_given_size_and_a_box_of_the_rest() {
        let video = TestVideo::new(10_000).unwrap();
        let content = video.content();
        assert_eq!((video.bytes, content.len()), (10_000, 10_000));
        assert!(content.starts_with(HEADER));
        let size = u32::try_from(10_000 - HEADER.len()).unwrap();
        assert_eq!(content[HEADER.len()..][..4], size.to_be_bytes());
        assert_eq!(TestVideo::of(content).sha256, video.sha256);
        assert!(TestVideo::new(100).is_err(), "100 bytes are fewer than the real video has");
    }

    #[test]
    fn two_videos_of_one_size_differ() {
        assert_ne!(TestVideo::small().sha256, TestVideo::small().sha256);
    }
}
