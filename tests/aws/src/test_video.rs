//! A test video of any size that is never in memory as a whole: a small real video,
//! then a `free` box (players skip it) that is filled with a repeating block.
//!
//! No chunk size is a multiple of the block's length, so bytes at a wrong offset
//! change the hash.

use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A playable video whose header comes first.
static HEADER: &[u8] = include_bytes!("../../fixtures/header-first.mp4");

/// The length of the block in bytes, a prime.
const BLOCK_BYTES: usize = 1_000_003;
/// The length of a box's head in bytes: its 32-bit size and its name.
const BOX_HEAD_BYTES: u64 = 8;

/// A test video.
#[derive(Debug, Clone)]
pub struct TestVideo {
    /// The real video and the head of the `free` box.
    head: Bytes,
    block: Bytes,
    /// The size in bytes.
    pub bytes: u64,
    /// The SHA-256 of the whole video in hex.
    pub sha256: String,
}

impl TestVideo {
    /// Creates a video of exactly `bytes` bytes with random content.
    ///
    /// # Errors
    /// The size is smaller than the real video plus the head of a box, or the box
    /// exceeds its 32-bit size.
    pub fn new(bytes: u64) -> Result<Self> {
        let rest = bytes.checked_sub(HEADER.len() as u64).filter(|rest| *rest >= BOX_HEAD_BYTES);
        let rest = rest.context("a test video is larger than the real video that it starts with")?;
        let size = u32::try_from(rest).context("the size exceeds a box's 32-bit length")?;
        let head = [HEADER, &size.to_be_bytes(), b"free"].concat();
        let block_bytes = usize::try_from(rest).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
        let mut block = BytesMut::with_capacity(block_bytes + 32);
        let mut next = Sha256::digest(Uuid::new_v4());
        while block.len() < block_bytes {
            block.extend_from_slice(&next);
            next = Sha256::digest(next);
        }
        block.truncate(block_bytes);
        let mut video = Self { head: head.into(), block: block.freeze(), bytes, sha256: String::new() };
        let mut digest = Sha256::new();
        video.range(0, bytes).for_each(|piece| digest.update(piece));
        video.sha256 = HEXLOWER.encode(&digest.finalize());
        Ok(video)
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
}
