//! The chunk plan: how a video is cut for TikTok's upload URL.
//!
//! TikTok's rules (<https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide>):
//! the count is `floor(size / chunk_size)`, every chunk but the last is exactly
//! `chunk_size`, between 5 MB and 64 MB, the last takes the remainder, a file
//! under 5 MB is one chunk, and one chunk means `chunk_size == size`. An older
//! page gives the inverse, `chunk_size = floor(size / count)`.
//!
//! The equal split satisfies both at once: with `chunk = floor(size / count)`
//! the remainder is below `count`, hence below `chunk`, so
//! `floor(size / chunk) == count` again. "MB" is read so that both the decimal
//! and the binary meaning hold.

use serde::{Deserialize, Serialize};

use crate::size::VideoSize;

/// The least that a chunk may have where there are several, in bytes: 5 MiB.
pub const MIN_CHUNK: u64 = 5_242_880;
/// The most that a chunk other than the last may have, in bytes: 64 MB.
pub const MAX_CHUNK: u64 = 64_000_000;

/// The size that a chunk should not exceed, in bytes.
///
/// A smaller one costs more round trips, and less to send again. A file that
/// cannot be halved into chunks of [`MIN_CHUNK`] is sent whole, up to 10 MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkCeiling(u64);

/// A ceiling outside what TikTok takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a chunk's ceiling must be {MIN_CHUNK} to {MAX_CHUNK} bytes, and this is {0}")]
pub struct CeilingError(u64);

impl ChunkCeiling {
    /// Takes a ceiling in bytes.
    pub fn new(bytes: u64) -> Result<Self, CeilingError> {
        if (MIN_CHUNK..=MAX_CHUNK).contains(&bytes) { Ok(Self(bytes)) } else { Err(CeilingError(bytes)) }
    }
}

/// A part of the video, sent by one PUT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// Its place in the plan, from 0.
    pub index: u64,
    /// The offset of its first byte.
    pub first: u64,
    /// Its length in bytes, at least 1.
    pub len: u64,
}

impl Chunk {
    /// The offset behind its last byte.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.first + self.len
    }
}

/// How a video of one size is cut: in order, without gap or overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkPlan {
    size: VideoSize,
    count: u64,
}

impl ChunkPlan {
    /// Cuts a video into the fewest equal chunks that the ceiling allows.
    #[must_use]
    pub fn new(size: VideoSize, ceiling: ChunkCeiling) -> Self {
        let wanted = size.bytes().div_ceil(ceiling.0);
        let possible = (size.bytes() / MIN_CHUNK).max(1);
        Self { size, count: wanted.min(possible) }
    }

    /// Takes a plan up again as it was stored.
    ///
    /// # Errors
    /// Refuses a count that TikTok would not have accepted for this size.
    pub fn restore(size: VideoSize, count: u64) -> Result<Self, InvalidPlan> {
        let plan = Self { size, count };
        let fits = (1..=1000).contains(&count) && plan.chunk_size() >= MIN_CHUNK.min(size.bytes());
        if fits && plan.chunk_size() <= MAX_CHUNK { Ok(plan) } else { Err(InvalidPlan { size: size.bytes(), count }) }
    }

    /// The video's size.
    #[must_use]
    pub fn size(&self) -> VideoSize {
        self.size
    }

    /// The size of every chunk but the last, in bytes.
    #[must_use]
    pub fn chunk_size(&self) -> u64 {
        self.size.bytes().checked_div(self.count).unwrap_or(0)
    }

    /// How many chunks there are: 1 to 1000.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The chunk that begins at this offset; none where no chunk begins.
    #[must_use]
    pub fn chunk_at(&self, offset: u64) -> Option<Chunk> {
        let index = offset / self.chunk_size();
        (index < self.count && index * self.chunk_size() == offset).then(|| self.chunk(index))
    }

    /// The last chunk, whose last byte is the point of no return.
    #[must_use]
    pub fn last(&self) -> Chunk {
        self.chunk(self.count - 1)
    }

    /// All chunks, in the order in which TikTok takes them.
    pub fn chunks(&self) -> impl Iterator<Item = Chunk> + '_ {
        (0..self.count).map(|index| self.chunk(index))
    }

    /// Reads a position that TikTok named, whichever way it counts.
    ///
    /// TikTok's `UPLOADED_BYTES` may be a count or the index of the last byte.
    /// Only a value that is a boundary of this plan under one of the readings
    /// is believed; where both readings are, the chunks differ by one byte and
    /// no plan of ours has such chunks.
    #[must_use]
    pub fn boundary_of(&self, uploaded: u64) -> Option<u64> {
        let is_boundary = |at: u64| at == self.size.bytes() || self.chunk_at(at).is_some();
        [uploaded, uploaded.saturating_add(1)].into_iter().find(|&at| is_boundary(at))
    }

    fn chunk(&self, index: u64) -> Chunk {
        let first = index * self.chunk_size();
        let end = if index + 1 == self.count { self.size.bytes() } else { first + self.chunk_size() };
        Chunk { index, first, len: end - first }
    }
}

/// A stored plan that no planner of ours could have made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{count} chunks are no valid plan for {size} bytes")]
pub struct InvalidPlan {
    size: u64,
    count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn obeys_tiktok(plan: &ChunkPlan) -> Result<(), TestCaseError> {
        let (size, chunk, count) = (plan.size().bytes(), plan.chunk_size(), plan.count());
        prop_assert_eq!(size / chunk, count, "count is the floor");
        prop_assert_eq!(size / count, chunk, "and the older formula holds too");
        prop_assert!((1..=1000).contains(&count));
        prop_assert!(chunk <= MAX_CHUNK);
        prop_assert!(count == 1 || chunk >= MIN_CHUNK);
        prop_assert!(count > 1 || chunk == size);
        let mut at = 0;
        for (index, piece) in plan.chunks().enumerate() {
            prop_assert_eq!(piece.first, at, "in order, no gap, no overlap");
            prop_assert_eq!(piece.index, index as u64);
            prop_assert_eq!(plan.chunk_at(at), Some(piece));
            prop_assert!(piece.len == chunk || piece == plan.last());
            at = piece.end();
        }
        prop_assert_eq!(at, size, "covers the video exactly");
        prop_assert!(plan.last().len <= 128_000_000);
        prop_assert_eq!(ChunkPlan::restore(plan.size(), count), Ok(*plan));
        Ok(())
    }

    fn plan(size: u64, ceiling: u64) -> ChunkPlan {
        ChunkPlan::new(VideoSize::new(size).unwrap(), ChunkCeiling::new(ceiling).unwrap())
    }

    /// Sizes near every edge that TikTok's rules have, and anywhere else.
    fn sizes() -> impl Strategy<Value = u64> {
        let edges = vec![1, MIN_CHUNK, 2 * MIN_CHUNK, 10_000_000, MAX_CHUNK, 67_108_864, 128_000_000, VideoSize::MAX];
        prop_oneof![
            (prop::sample::select(edges), -3i64..=3)
                .prop_map(|(edge, by)| edge.saturating_add_signed(by).clamp(1, VideoSize::MAX)),
            1..=VideoSize::MAX,
            1..=200_000_000u64,
        ]
    }

    proptest! {
        #[test]
        fn every_plan_obeys_tiktok(size in sizes(), ceiling in MIN_CHUNK..=MAX_CHUNK) {
            obeys_tiktok(&plan(size, ceiling))?;
        }

        #[test]
        fn a_named_position_is_read_under_either_count(size in sizes(), ceiling in MIN_CHUNK..=MAX_CHUNK) {
            let plan = plan(size, ceiling);
            for chunk in plan.chunks() {
                prop_assert_eq!(plan.boundary_of(chunk.end()), Some(chunk.end()));
                if chunk.end() > 1 {
                    prop_assert_eq!(plan.boundary_of(chunk.end() - 1), Some(chunk.end()));
                }
            }
        }
    }

    #[test]
    fn every_size_of_the_reference_table_is_planned_right() {
        let table = [
            1,
            4_194_304,
            50_000_123,
            64_000_000,
            64_000_001,
            66_259_900,
            67_108_864,
            121_000_000,
            158_008_374,
            602_285_541,
            3_999_999_999,
            4_000_000_000,
        ];
        for size in table {
            for ceiling in [MIN_CHUNK, 10_000_000, MAX_CHUNK] {
                obeys_tiktok(&plan(size, ceiling)).unwrap();
            }
        }
    }

    #[test]
    fn a_file_that_fits_is_one_chunk_of_its_size() {
        let one = plan(64_000_000, MAX_CHUNK);
        assert_eq!((one.count(), one.chunk_size()), (1, 64_000_000));
        let two = plan(64_000_001, MAX_CHUNK);
        assert_eq!((two.count(), two.chunk_size(), two.last().len), (2, 32_000_000, 32_000_001));
    }

    #[test]
    fn four_gibibytes_are_more_than_tiktok_takes() {
        assert!(VideoSize::new(4_294_967_296).is_err());
        assert!(VideoSize::new(0).is_err());
    }

    #[test]
    fn a_position_inside_a_chunk_is_not_believed() {
        let plan = plan(50_000_123, 10_000_000);
        assert_eq!(plan.boundary_of(plan.chunk_size() + 5), None);
        assert_eq!(plan.boundary_of(0), Some(0));
    }

    #[test]
    fn a_stored_count_that_cannot_be_is_refused() {
        let size = VideoSize::new(50_000_000).unwrap();
        assert!(ChunkPlan::restore(size, 0).is_err());
        assert!(ChunkPlan::restore(size, 20).is_err());
    }
}
