//! The chunk plan of an upload, as TikTok checks it.
//!
//! Pure arithmetic, held to the strict reading of every rule: where "MB" may
//! mean 10^6 or 2^20 bytes, both have to be satisfied. A [`ChunkPlan`] that
//! exists is allowed, and its ranges cover the file exactly and in order.
//!
//! <https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide>

/// 5 MB in the larger reading, below which only a single chunk may be.
const SMALLEST_CHUNK: u64 = 5 * 1024 * 1024;
/// 64 MB in the smaller reading.
const LARGEST_CHUNK: u64 = 64_000_000;
/// 128 MB in the smaller reading, open to the last chunk alone.
const LARGEST_LAST_CHUNK: u64 = 128_000_000;
/// 4 GB in the smaller reading.
const LARGEST_VIDEO: u64 = 4_000_000_000;
const MOST_CHUNKS: u64 = 1000;

/// Why a plan is refused, in the words that were observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlanError {
    #[error("The video size is invalid")]
    VideoSize,
    #[error("The chunk size is invalid")]
    ChunkSize,
    #[error("The total chunk count is invalid")]
    TotalChunkCount,
}

/// The ranges in which a file of a known size will arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChunkPlan {
    video_size: u64,
    chunk_size: u64,
    count: u64,
}

/// One chunk's place in the file; both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Range {
    /// The number of bytes in the range.
    pub(crate) fn len(self) -> u64 {
        self.last - self.first + 1
    }
}

impl ChunkPlan {
    /// Checks what an init declares.
    pub(crate) fn check(video_size: u64, chunk_size: u64, count: u64) -> Result<Self, PlanError> {
        if !(1..=LARGEST_VIDEO).contains(&video_size) {
            return Err(PlanError::VideoSize);
        }
        if chunk_size == 0 {
            return Err(PlanError::ChunkSize);
        }
        if !(1..=MOST_CHUNKS).contains(&count) {
            return Err(PlanError::TotalChunkCount);
        }
        if count == 1 && chunk_size != video_size {
            // The failure of 64-to-128-MB files: the count is the right floor.
            return Err(PlanError::ChunkSize);
        }
        if video_size / chunk_size != count {
            return Err(PlanError::TotalChunkCount);
        }
        let smallest = if count == 1 { 1 } else { SMALLEST_CHUNK };
        if !(smallest..=LARGEST_CHUNK).contains(&chunk_size) {
            return Err(PlanError::ChunkSize);
        }
        let plan = Self { video_size, chunk_size, count };
        match plan.range(count - 1) {
            Some(last) if last.len() <= LARGEST_LAST_CHUNK => Ok(plan),
            _ => Err(PlanError::ChunkSize),
        }
    }

    /// The size of the whole file in bytes.
    pub(crate) fn video_size(self) -> u64 {
        self.video_size
    }

    /// The size of every chunk but the last, in bytes.
    pub(crate) fn chunk_size(self) -> u64 {
        self.chunk_size
    }

    /// The number of chunks.
    pub(crate) fn count(self) -> u64 {
        self.count
    }

    /// The place of a chunk, counted from zero; none past the last.
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
    fn every_plan_of_the_reference_table_is_accepted() {
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
    fn the_observed_refusals_have_the_observed_words() {
        let refused = |size, chunk, count| ChunkPlan::check(size, chunk, count).unwrap_err();
        // Ceiling instead of floor.
        assert_eq!(refused(602_285_541, 67_108_864, 9), PlanError::TotalChunkCount);
        assert_eq!(refused(50_000_123, 10_000_000, 6), PlanError::TotalChunkCount);
        // One chunk that is not the whole file, and a whole file over 64 MB.
        assert_eq!(refused(121_000_000, 64_000_000, 1), PlanError::ChunkSize);
        assert_eq!(refused(64_000_001, 64_000_001, 1), PlanError::ChunkSize);
        assert_eq!(refused(3_000_000, 10_000_000, 1), PlanError::ChunkSize);
    }

    #[test]
    fn both_readings_of_a_megabyte_have_to_be_satisfied() {
        let refused = |size, chunk, count| ChunkPlan::check(size, chunk, count).unwrap_err();
        assert_eq!(refused(10_000_000, 5_000_000, 2), PlanError::ChunkSize);
        assert_eq!(refused(134_217_728, 67_108_864, 2), PlanError::ChunkSize);
        assert!(ChunkPlan::check(10_485_760, 5_242_880, 2).is_ok());
        assert!(ChunkPlan::check(127_999_999, 64_000_000, 1).is_err());
        assert!(ChunkPlan::check(128_000_000, 64_000_000, 2).is_ok());
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        let refused = |size, chunk, count| ChunkPlan::check(size, chunk, count).unwrap_err();
        assert_eq!(refused(0, 0, 0), PlanError::VideoSize);
        assert_eq!(refused(4_000_000_001, 10_000_000, 400), PlanError::VideoSize);
        assert_eq!(refused(10, 0, 1), PlanError::ChunkSize);
        assert_eq!(refused(10, 10, 0), PlanError::TotalChunkCount);
        assert_eq!(refused(u64::MAX, 1, u64::MAX), PlanError::VideoSize);
    }

    proptest! {
        #[test]
        fn an_accepted_plan_covers_the_file_exactly_and_in_order(
            size in 1_u64..=4_000_000_000,
            chunk in 1_u64..=64_000_000,
        ) {
            let Ok(plan) = ChunkPlan::check(size, chunk, size / chunk) else {
                return Ok(());
            };
            let mut next = 0;
            for index in 0..plan.count() {
                let range = plan.range(index).unwrap();
                prop_assert_eq!(range.first, next);
                prop_assert!(range.len() <= LARGEST_LAST_CHUNK);
                next = range.last + 1;
            }
            prop_assert_eq!(next, size);
            prop_assert_eq!(plan.range(plan.count()), None);
        }

        #[test]
        fn the_equal_split_is_always_accepted(size in 1_u64..=4_000_000_000) {
            let count = size.div_ceil(LARGEST_CHUNK);
            prop_assert!(ChunkPlan::check(size, size / count, count).is_ok());
        }
    }
}
