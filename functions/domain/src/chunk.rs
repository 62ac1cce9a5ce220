//! The chunk plan: how a video is divided into chunks for TikTok's upload URL.
//!
//! [TikTok's chunk restrictions](https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide):
//!
//! - The chunk count is `floor(size / chunk_size)`, from 1 to 1000.
//! - Every chunk except the last has exactly `chunk_size` bytes, from 5 MB to 64 MB.
//! - The last chunk takes the remainder and may have up to 128 MB.
//! - A file under 5 MB is one chunk. One chunk means `chunk_size == size`.
//!
//! An older page of TikTok states the inverse formula, `chunk_size = floor(size / count)`. Equal chunks satisfy both
//! formulas: with `chunk_size = floor(size / count)`, the remainder is less than `count`, and therefore less than
//! `chunk_size`, so `floor(size / chunk_size) == count`.
//!
//! TikTok does not say whether a megabyte is 1,000,000 or 1,048,576 bytes. The limits here satisfy both meanings.

use serde::{Deserialize, Serialize};

use crate::size::VideoSize;

/// The smallest `chunk_size` of a plan with several chunks, in bytes: 5 MiB, which is more than 5 MB. TikTok's lower
/// limit, see the [module](self).
pub const MIN_CHUNK: u64 = 5_242_880;
/// The largest `chunk_size`, in bytes: 64 MB, less than 64 MiB. TikTok's upper limit, see the [module](self).
pub const MAX_CHUNK: u64 = 64_000_000;

/// The configured upper limit of `chunk_size`, in bytes.
///
/// A lower ceiling causes more requests, but less data to send again after a failure. If the ceiling would require
/// chunks smaller than [`MIN_CHUNK`], the plan has fewer chunks, above the ceiling but smaller than 10 MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkCeiling(u64);

/// A ceiling outside the range that TikTok accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the chunk ceiling must be {MIN_CHUNK} to {MAX_CHUNK} bytes, but it is {0}")]
pub struct CeilingError(u64);

impl ChunkCeiling {
    /// Creates a ceiling from bytes: [`MIN_CHUNK`] to [`MAX_CHUNK`].
    pub fn new(bytes: u64) -> Result<Self, CeilingError> {
        if (MIN_CHUNK..=MAX_CHUNK).contains(&bytes) { Ok(Self(bytes)) } else { Err(CeilingError(bytes)) }
    }
}

/// One chunk of a video, sent by one PUT request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// The index in the plan, from 0.
    pub index: u64,
    /// The offset of the first byte.
    pub first: u64,
    /// The length in bytes, at least 1.
    pub len: u64,
}

impl Chunk {
    /// Returns the offset after the last byte.
    pub fn end(&self) -> u64 {
        self.first + self.len
    }
}

/// The division of a video of one size into consecutive chunks, without gap or overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkPlan {
    size: VideoSize,
    count: u64,
}

impl ChunkPlan {
    /// Creates the plan with the fewest equal chunks that the ceiling allows.
    pub fn new(size: VideoSize, ceiling: ChunkCeiling) -> Self {
        let by_ceiling = size.bytes().div_ceil(ceiling.0);
        let by_min_chunk = (size.bytes() / MIN_CHUNK).max(1);
        Self { size, count: by_ceiling.min(by_min_chunk) }
    }

    /// Restores a stored plan.
    ///
    /// # Errors
    /// [`InvalidPlan`] if TikTok would not accept this count for this size.
    pub fn restore(size: VideoSize, count: u64) -> Result<Self, InvalidPlan> {
        let plan = Self { size, count };
        let fits = (1..=1000).contains(&count) && plan.chunk_size() >= MIN_CHUNK.min(size.bytes());
        if fits && plan.chunk_size() <= MAX_CHUNK { Ok(plan) } else { Err(InvalidPlan { size: size.bytes(), count }) }
    }

    /// Returns the video's size.
    pub fn size(&self) -> VideoSize {
        self.size
    }

    /// Returns the size of every chunk except the last, in bytes.
    pub fn chunk_size(&self) -> u64 {
        self.size.bytes().checked_div(self.count).unwrap_or(0)
    }

    /// Returns the number of chunks: 1 to 1000.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns the chunk that starts at `offset`, if a chunk starts there.
    pub fn chunk_at(&self, offset: u64) -> Option<Chunk> {
        let index = offset / self.chunk_size();
        (index < self.count && index * self.chunk_size() == offset).then(|| self.chunk(index))
    }

    /// Returns the last chunk. Once its last byte was sent, TikTok may have the whole video, and a new upload could
    /// publish it a second time.
    pub fn last(&self) -> Chunk {
        self.chunk(self.count - 1)
    }

    /// Returns all chunks in the order in which TikTok requires them.
    pub fn chunks(&self) -> impl Iterator<Item = Chunk> + '_ {
        (0..self.count).map(|index| self.chunk(index))
    }

    /// Returns the chunk boundary that TikTok means by `uploaded`, an upload position in a publish status or in the
    /// `Content-Range` of an upload response.
    ///
    /// TikTok does not say whether the position is the number of uploaded bytes or the index of the last one. Returns
    /// `None` if neither reading is a boundary of this plan. The two readings are both boundaries only if a chunk has
    /// one byte, and no plan with several chunks has such a chunk.
    pub fn boundary_of(&self, uploaded: u64) -> Option<u64> {
        let is_boundary = |offset: u64| offset == self.size.bytes() || self.chunk_at(offset).is_some();
        [uploaded, uploaded.saturating_add(1)].into_iter().find(|&offset| is_boundary(offset))
    }

    fn chunk(&self, index: u64) -> Chunk {
        let first = index * self.chunk_size();
        let end = if index + 1 == self.count { self.size.bytes() } else { first + self.chunk_size() };
        Chunk { index, first, len: end - first }
    }
}

/// A stored plan that TikTok would not accept, so that [`ChunkPlan::new`] cannot have created it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a plan of {count} chunks is invalid for {size} bytes")]
pub struct InvalidPlan {
    size: u64,
    count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Checks TikTok's rules and the consistency of the plan.
    fn check_rules(plan: &ChunkPlan) -> Result<(), TestCaseError> {
        let (size, chunk, count) = (plan.size().bytes(), plan.chunk_size(), plan.count());
        prop_assert_eq!(size / chunk, count, "the count is the floor");
        prop_assert_eq!(size / count, chunk, "the older formula holds too");
        prop_assert!((1..=1000).contains(&count));
        prop_assert!(chunk <= MAX_CHUNK);
        prop_assert!(count == 1 || chunk >= MIN_CHUNK);
        prop_assert!(count > 1 || chunk == size);
        let mut end = 0;
        for (index, piece) in plan.chunks().enumerate() {
            prop_assert_eq!(piece.first, end, "no gap and no overlap");
            prop_assert_eq!(piece.index, index as u64);
            prop_assert_eq!(plan.chunk_at(end), Some(piece));
            prop_assert!(piece.len == chunk || piece == plan.last());
            end = piece.end();
        }
        prop_assert_eq!(end, size, "the chunks cover the whole video");
        prop_assert!(plan.last().len <= 128_000_000);
        prop_assert_eq!(ChunkPlan::restore(plan.size(), count), Ok(*plan));
        Ok(())
    }

    fn plan(size: u64, ceiling: u64) -> ChunkPlan {
        ChunkPlan::new(VideoSize::new(size).unwrap(), ChunkCeiling::new(ceiling).unwrap())
    }

    /// Sizes near each limit in TikTok's rules, and random sizes.
    fn sizes() -> impl Strategy<Value = u64> {
        let limits = vec![1, MIN_CHUNK, 2 * MIN_CHUNK, 10_000_000, MAX_CHUNK, 67_108_864, 128_000_000, VideoSize::MAX];
        prop_oneof![
            (prop::sample::select(limits), -3i64..=3)
                .prop_map(|(limit, by)| limit.saturating_add_signed(by).clamp(1, VideoSize::MAX)),
            1..=VideoSize::MAX,
            1..=200_000_000u64,
        ]
    }

    proptest! {
        #[test]
        fn every_plan_satisfies_tiktok_rules(size in sizes(), ceiling in MIN_CHUNK..=MAX_CHUNK) {
            check_rules(&plan(size, ceiling))?;
        }

        #[test]
        fn uploaded_bytes_may_be_count_or_last_index(size in sizes(), ceiling in MIN_CHUNK..=MAX_CHUNK) {
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
    fn reference_sizes_get_valid_plans() {
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
                check_rules(&plan(size, ceiling)).unwrap();
            }
        }
    }

    #[test]
    fn file_within_ceiling_is_one_chunk() {
        let one = plan(64_000_000, MAX_CHUNK);
        assert_eq!((one.count(), one.chunk_size()), (1, 64_000_000));
        let two = plan(64_000_001, MAX_CHUNK);
        assert_eq!((two.count(), two.chunk_size(), two.last().len), (2, 32_000_000, 32_000_001));
    }

    #[test]
    fn empty_and_4_gib_sizes_are_rejected() {
        assert!(VideoSize::new(4_294_967_296).is_err());
        assert!(VideoSize::new(0).is_err());
    }

    #[test]
    fn position_inside_chunk_is_rejected() {
        let plan = plan(50_000_123, 10_000_000);
        assert_eq!(plan.boundary_of(plan.chunk_size() + 5), None);
        assert_eq!(plan.boundary_of(0), Some(0));
    }

    #[test]
    fn invalid_stored_count_is_rejected() {
        let size = VideoSize::new(50_000_000).unwrap();
        assert!(ChunkPlan::restore(size, 0).is_err());
        assert!(ChunkPlan::restore(size, 20).is_err(), "chunks of 2.5 MB are too small");
    }
}
