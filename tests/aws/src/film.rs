//! A film of any length that is nowhere in memory as a whole: a small real
//! video, and behind it a box that players skip, filled with a block over and
//! over. The block's length fits no chunk, so that misplaced bytes are noticed.

use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A playable film with its header first.
static HEADER: &[u8] = include_bytes!("../../fixtures/header-first.mp4");

/// The length of the block, a prime number.
const BLOCK: usize = 1_000_003;
/// The length of a box's head: its own size, and its name.
const BOX_HEAD: u64 = 8;

/// A film.
#[derive(Debug, Clone)]
pub struct Film {
    head: Bytes,
    block: Bytes,
    /// Its length.
    pub bytes: u64,
    /// The SHA-256 of all of it, in hex.
    pub sha256: String,
}

impl Film {
    /// Makes a film of exactly this length in bytes, unlike any other.
    pub fn new(bytes: u64) -> Result<Self> {
        let rest = bytes.checked_sub(HEADER.len() as u64).filter(|rest| *rest >= BOX_HEAD);
        let rest = rest.context("the film itself is longer than that")?;
        let size = u32::try_from(rest).context("a box of this length needs a larger head")?;
        let head = [HEADER, &size.to_be_bytes(), b"free"].concat();
        let block_bytes = usize::try_from(rest).unwrap_or(BLOCK).min(BLOCK);
        let mut block = BytesMut::with_capacity(block_bytes + 32);
        let mut next = Sha256::digest(Uuid::new_v4());
        while block.len() < block_bytes {
            block.extend_from_slice(&next);
            next = Sha256::digest(next);
        }
        block.truncate(block_bytes);
        let mut film = Self { head: head.into(), block: block.freeze(), bytes, sha256: String::new() };
        let mut digest = Sha256::new();
        film.range(0, bytes).for_each(|piece| digest.update(piece));
        film.sha256 = HEXLOWER.encode(&digest.finalize());
        Ok(film)
    }

    /// The bytes from one offset to before another, in pieces that share memory.
    pub fn range(&self, first: u64, end: u64) -> impl Iterator<Item = Bytes> + Send + 'static {
        let (film, mut at) = (self.clone(), first);
        std::iter::from_fn(move || {
            (at < end).then(|| {
                let piece = film.piece(at);
                let most = usize::try_from(end - at).unwrap_or(usize::MAX);
                let piece = piece.slice(..piece.len().min(most));
                at += piece.len() as u64;
                piece
            })
        })
    }

    fn piece(&self, at: u64) -> Bytes {
        let head = self.head.len() as u64;
        let place = |at: u64| usize::try_from(at).unwrap_or(0);
        match at.checked_sub(head) {
            None => self.head.slice(place(at)..),
            Some(at) => self.block.slice(place(at % self.block.len() as u64)..),
        }
    }
}
