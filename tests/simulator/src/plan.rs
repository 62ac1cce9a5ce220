//! The chunk plan of an upload, checked as TikTok checks it.
//!
//! "MB" in TikTok's documentation may mean 10^6 or 2^20 bytes, so a plan must satisfy every limit under
//! both meanings. Only [`ChunkPlan::check`] makes a [`ChunkPlan`]; its ranges cover the file exactly and in order.
//!
//! <https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide>

/// 5 MB in the larger meaning. A smaller chunk is allowed only if it is the whole file.
const MIN_CHUNK_BYTES: u64 = 5 * 1024 * 1024;
/// 64 MB in the smaller meaning.
const MAX_CHUNK_BYTES: u64 = 64_000_000;
/// 128 MB in the smaller meaning, for the last of several chunks.
const MAX_LAST_CHUNK_BYTES: u64 = 128_000_000;
/// 4 GB in the smaller meaning.
const MAX_VIDEO_BYTES: u64 = 4_000_000_000;
const MAX_CHUNKS: u64 = 1000;

/// Why a plan is refused, with the messages that TikTok was observed to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlanError {
    #[error("The video size is invalid")]
    VideoSize,
    #[error("The chunk size is invalid")]
    ChunkSize,
    #[error("The total chunk count is invalid")]
    TotalChunkCount,
}

/// A valid split of a file into chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChunkPlan {
    video_size: u64,
    chunk_size: u64,
    count: u64,
}

/// The byte range of one chunk; `first` and `last` are inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Range {
    /// The length in bytes.
    pub(crate) fn len(self) -> u64 {
        self.last - self.first + 1
    }
}

impl ChunkPlan {
    /// Checks the `source_info` of an init.
    pub(crate) fn check(video_size: u64, chunk_size: u64, count: u64) -> Result<Self, PlanError> {
        if !(1..=MAX_VIDEO_BYTES).contains(&video_size) {
            return Err(PlanError::VideoSize);
        }
        if chunk_size == 0 {
            return Err(PlanError::ChunkSize);
        }
        if !(1..=MAX_CHUNKS).contains(&count) {
            return Err(PlanError::TotalChunkCount);
        }
        if count == 1 && chunk_size != video_size {
            // Also refuses a file of 64 to 128 MB in 64 MB chunks, although its count is the documented floor(size / chunk).
            return Err(PlanError::ChunkSize);
        }
        if video_size / chunk_size != count {
            return Err(PlanError::TotalChunkCount);
        }
        let min_chunk = if count == 1 { 1 } else { MIN_CHUNK_BYTES };
        if !(min_chunk..=MAX_CHUNK_BYTES).contains(&chunk_size) {
            return Err(PlanError::ChunkSize);
        }
        let plan = Self { video_size, chunk_size, count };
        match plan.range(count - 1) {
            Some(last) if last.len() <= MAX_LAST_CHUNK_BYTES => Ok(plan),
            _ => Err(PlanError::ChunkSize),
        }
    }

    /// The size of the file in bytes.
    pub(crate) fn video_size(self) -> u64 {
        self.video_size
    }

    /// The size in bytes of every chunk except the last.
    pub(crate) fn chunk_size(self) -> u64 {
        self.chunk_size
    }

    /// The number of chunks.
    pub(crate) fn count(self) -> u64 {
        self.count
    }

    /// The offset of the last chunk in bytes.
    pub(crate) fn last_chunk_offset(self) -> u64 {
        self.chunk_size * (self.count - 1)
    }

    /// The range of a chunk, given its index from 0, or `None` if there is no such chunk.
    pub(crate) fn range(self, index: u64) -> Option<Range> {
        let first = index.checked_mul(self.chunk_size)?;
        match (index + 1).cmp(&self.count) {
            std::cmp::Ordering::Less => Some(Range { first, last: first + self.chunk_size - 1 }),
            std::cmp::Ordering::Equal => Some(Range { first, last: self.video_size - 1 }),
            std::cmp::Ordering::Greater => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_valid_plans_are_accepted() {
        // All four in bytes, except `count`; `last` is the size of the last chunk.
        for (size, chunk, count, last) in [
            (1, 1, 1, 1),
            (4_194_304, 4_194_304, 1, 4_194_304),
            (50_000_123, 50_000_123, 1, 50_000_123),
            (50_000_123, 10_000_000, 5, 10_000_123),
            (64_000_000, 64_000_000, 1, 64_000_000),
            (64_000_001, 10_000_000, 6, 14_000_001),
            (66_259_900, 10_000_000, 6, 16_259_900),
            (67_108_864, 10_000_000, 6, 17_108_864),
            (121_000_000, 10_000_000, 12, 11_000_000),
            (158_008_374, 10_000_000, 15, 18_008_374),
            (602_285_541, 10_000_000, 60, 12_285_541),
            (4_000_000_000, 10_000_000, 400, 10_000_000),
        ] {
            let plan = ChunkPlan::check(size, chunk, count).unwrap();
            assert_eq!(plan.range(count - 1).unwrap().len(), last, "{size}");
        }
    }

    #[test]
    fn invalid_plan_returns_the_observed_message() {
        let refused = |size, chunk, count| ChunkPlan::check(size, chunk, count).unwrap_err();
        // The count is the ceiling of size / chunk instead of the floor.
        assert_eq!(refused(602_285_541, 67_108_864, 9), PlanError::TotalChunkCount);
        assert_eq!(refused(50_000_123, 10_000_000, 6), PlanError::TotalChunkCount);
        // One chunk that is smaller than the file; one chunk over 64 MB; one chunk that is larger than the file.
        assert_eq!(refused(121_000_000, 64_000_000, 1), PlanError::ChunkSize);
        assert_eq!(refused(64_000_001, 64_000_001, 1), PlanError::ChunkSize);
        assert_eq!(refused(3_000_000, 10_000_000, 1), PlanError::ChunkSize);
    }

    #[test]
    fn limits_apply_in_decimal_and_binary_megabytes() {
        let refused = |size, chunk, count| ChunkPlan::check(size, chunk, count).unwrap_err();
        assert_eq!(refused(10_000_000, 5_000_000, 2), PlanError::ChunkSize);
        assert_eq!(refused(134_217_728, 67_108_864, 2), PlanError::ChunkSize);
        assert!(ChunkPlan::check(10_485_760, 5_242_880, 2).is_ok());
        assert!(ChunkPlan::check(127_999_999, 64_000_000, 1).is_err());
        assert!(ChunkPlan::check(128_000_000, 64_000_000, 2).is_ok());
    }

    #[test]
    fn zero_and_oversized_values_are_refused() {
        let refused = |size, chunk, count| ChunkPlan::check(size, chunk, count).unwrap_err();
        assert_eq!(refused(0, 0, 0), PlanError::VideoSize);
        assert_eq!(refused(4_000_000_001, 10_000_000, 400), PlanError::VideoSize);
        assert_eq!(refused(10, 0, 1), PlanError::ChunkSize);
        assert_eq!(refused(10, 10, 0), PlanError::TotalChunkCount);
        assert_eq!(refused(u64::MAX, 1, u64::MAX), PlanError::VideoSize);
    }

    proptest! {
        #[test]
        fn accepted_plan_covers_the_file_in_order(
            size in 1_u64..=4_000_000_000,
            chunk in 1_u64..=64_000_000,
        ) {
            let Ok(plan) = ChunkPlan::check(size, chunk, size / chunk) else {
                return Ok(());
            };
            let mut next_offset = 0;
            for index in 0..plan.count() {
                let range = plan.range(index).unwrap();
                prop_assert_eq!(range.first, next_offset);
                prop_assert!(range.len() <= MAX_LAST_CHUNK_BYTES);
                next_offset = range.last + 1;
            }
            prop_assert_eq!(next_offset, size);
            prop_assert_eq!(plan.range(plan.count()), None);
        }

        #[test]
        fn equal_split_is_always_accepted(size in 1_u64..=4_000_000_000) {
            let count = size.div_ceil(MAX_CHUNK_BYTES);
            prop_assert!(ChunkPlan::check(size, size / count, count).is_ok());
        }
    }
}
