//! A video of any size that is stored nowhere: a real header, then a box that
//! players skip, filled with a pattern.
//!
//! Each byte follows from the film's size and the byte's offset, so the store
//! can serve any range from memory, and the drain can hold every byte that
//! arrives against what it must be.

use std::sync::LazyLock;

use anyhow::{Context, Result};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// A playable film with its header first.
static HEADER: &[u8] = include_bytes!("../../fixtures/header-first.mp4");
/// The length of the pattern in bytes: a prime, so that no chunk size is a
/// multiple of it and misplaced bytes are noticed.
const PERIOD: usize = 1_048_573;
/// The most that is handed out in one piece, in bytes.
const PIECE: usize = 256 * 1024;

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

/// The film of one size.
#[derive(Debug, Clone)]
pub(crate) struct Film {
    bytes: u64,
    head: Bytes,
}

impl Film {
    /// The film of exactly so many bytes.
    ///
    /// # Errors
    /// Refuses fewer than its header has, and more than a 32-bit box can hold.
    pub(crate) fn new(bytes: u64) -> Result<Self> {
        let rest = bytes.checked_sub(HEADER.len() as u64).filter(|&rest| rest >= 8);
        let rest = rest.context("a film has at least its header and the head of a box")?;
        let size = u32::try_from(rest).context("a film has at most 4 GiB")?;
        Ok(Self { bytes, head: Bytes::from([HEADER, &size.to_be_bytes(), b"free"].concat()) })
    }

    /// The film that a key names, where it names one: `…/film-<bytes>.mp4`.
    pub(crate) fn of_key(key: &str) -> Option<Self> {
        let name = key.rsplit('/').next()?.strip_prefix("film-")?.strip_suffix(".mp4")?;
        Self::new(name.parse().ok()?).ok()
    }

    /// The file name by which the store knows it.
    pub(crate) fn name(&self) -> String {
        format!("film-{}.mp4", self.bytes)
    }

    /// Its size in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A range of it, in pieces that share their memory.
    pub(crate) fn range(&self, first: u64, end: u64) -> impl Iterator<Item = Bytes> + Send + use<> {
        let film = self.clone();
        let mut at = first;
        std::iter::from_fn(move || {
            let left = usize::try_from(end.checked_sub(at)?).unwrap_or(usize::MAX).min(PIECE);
            let piece = film.from(at, left);
            at += piece.len() as u64;
            (!piece.is_empty()).then_some(piece)
        })
    }

    /// Tells whether these bytes are what the film has from this offset on.
    pub(crate) fn has(&self, first: u64, bytes: &[u8]) -> bool {
        let (mut at, mut rest) = (first, bytes);
        while !rest.is_empty() {
            let wanted = self.from(at, rest.len());
            if !rest.starts_with(&wanted) {
                return false;
            }
            at += wanted.len() as u64;
            rest = &rest[wanted.len()..];
        }
        first + bytes.len() as u64 <= self.bytes
    }

    /// Its SHA-256 in hex.
    pub(crate) fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        self.range(0, self.bytes).for_each(|piece| hash.update(&piece));
        HEXLOWER.encode(&hash.finalize())
    }

    /// At most so many bytes from an offset on; fewer where the pattern begins anew.
    fn from(&self, at: u64, most: usize) -> Bytes {
        let head = self.head.len();
        match usize::try_from(at) {
            Ok(at) if at < head => self.head.slice(at..(at + most).min(head)),
            _ => {
                let start = usize::try_from(at % PERIOD as u64).unwrap_or(0);
                PATTERN.slice(start..(start + most).min(PERIOD))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(film: &Film, first: u64, end: u64) -> Vec<u8> {
        film.range(first, end).flatten().collect()
    }

    #[test]
    fn any_range_is_a_part_of_the_whole() {
        let film = Film::new(3_000_000).unwrap();
        let all = whole(&film, 0, film.bytes());
        assert_eq!(all.len(), 3_000_000);
        for (first, end) in [(0, 1), (4000, 5000), (1_048_000, 2_100_000), (2_999_999, 3_000_000)] {
            let bounds = usize::try_from(first).unwrap()..usize::try_from(end).unwrap();
            assert_eq!(whole(&film, first, end), all[bounds], "{first}..{end}");
        }
        assert_eq!(HEXLOWER.encode(&Sha256::digest(&all)), film.sha256());
    }

    #[test]
    fn bytes_are_recognised_at_their_place_alone() {
        let film = Film::new(3_000_000).unwrap();
        let part = whole(&film, 4000, 1_500_000);
        assert!(film.has(4000, &part));
        assert!(!film.has(4001, &part));
        assert!(!film.has(2_000_000, &part), "past the end");
        let mut wrong = part;
        wrong[1_200_000] ^= 1;
        assert!(!film.has(4000, &wrong));
    }

    #[test]
    fn a_film_is_found_by_its_name() {
        let film = Film::new(10_000_000).unwrap();
        assert_eq!(Film::of_key(&format!("drop/a/{}", film.name())).unwrap().bytes(), 10_000_000);
        assert!(Film::of_key("drop/a/film-10000000.mp4.json").is_none());
        assert!(Film::new(100).is_err());
    }
}
