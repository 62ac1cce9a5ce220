//! What is dropped: the small real videos of `fixtures`, as they are, or made
//! unlike any other by a box that players skip.

use std::path::Path;

use anyhow::{Context, Result};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The length of a box's head: its own size, and its name.
const BOX_HEAD: usize = 8;

/// The bytes of a file, and their SHA-256, by which TikTok's ledger knows them.
#[derive(Debug, Clone)]
pub struct Footage {
    /// The file's bytes.
    pub bytes: Bytes,
    /// Their SHA-256, in hex.
    pub sha256: String,
}

impl Footage {
    /// Takes bytes as they are.
    #[must_use]
    pub fn of(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let sha256 = HEXLOWER.encode(&Sha256::digest(&bytes));
        Self { bytes, sha256 }
    }

    /// Reads a file from anywhere.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(Self::of(bytes))
    }

    /// Reads a file of `fixtures`.
    pub fn fixture(name: &str) -> Result<Self> {
        Self::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name))
    }

    /// A small MP4 whose bytes no other has.
    pub fn fresh() -> Result<Self> {
        Self::fixture("header-first.mp4")?.followed_by(64)
    }

    /// An MP4 of exactly this length in bytes, whose bytes no other has.
    pub fn long(bytes: usize) -> Result<Self> {
        let film = Self::fixture("header-first.mp4")?;
        let rest = bytes.checked_sub(film.bytes.len()).context("the film itself is longer than that")?;
        film.followed_by(rest)
    }

    /// The same video, with a `free` box of this length in bytes behind it. Its
    /// content differs from place to place, so that misplaced bytes are noticed.
    fn followed_by(&self, length: usize) -> Result<Self> {
        let size = u32::try_from(length).context("a box of this length needs a larger head")?;
        let mut bytes = Vec::with_capacity(self.bytes.len() + length);
        bytes.extend_from_slice(&self.bytes);
        bytes.extend_from_slice(&size.to_be_bytes());
        bytes.extend_from_slice(b"free");
        let filler = length.checked_sub(BOX_HEAD).context("a box has at least a head")?;
        let seed = Uuid::new_v4();
        let mut block = Sha256::digest(seed);
        while bytes.len() < self.bytes.len() + BOX_HEAD + filler {
            let wanted = (self.bytes.len() + length - bytes.len()).min(block.len());
            bytes.extend_from_slice(&block[..wanted]);
            block = Sha256::digest(block);
        }
        Ok(Self::of(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_film_has_exactly_the_length_and_begins_as_the_short_one() {
        let film = Footage::long(10_000).unwrap();
        let short = Footage::fixture("header-first.mp4").unwrap();
        assert_eq!(film.bytes.len(), 10_000);
        assert!(film.bytes.starts_with(&short.bytes));
        let size = u32::try_from(10_000 - short.bytes.len()).unwrap();
        assert_eq!(film.bytes[short.bytes.len()..][..4], size.to_be_bytes());
    }

    #[test]
    fn no_two_fresh_films_are_alike() {
        assert_ne!(Footage::fresh().unwrap().sha256, Footage::fresh().unwrap().sha256);
    }
}
