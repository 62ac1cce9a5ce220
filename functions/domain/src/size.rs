//! The size of a video file, and TikTok's limit for it.

use serde::{Deserialize, Serialize};

/// A video's size in bytes: 1 to [`VideoSize::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct VideoSize(u64);

/// A size that TikTok does not accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// The file has no bytes.
    #[error("the file is empty: drop it again after it has been completely written")]
    Empty,
    /// The file is larger than [`VideoSize::MAX`].
    #[error(
        "the file has {bytes} bytes, but TikTok accepts at most {max} (4 GB): export a smaller file",
        max = VideoSize::MAX
    )]
    TooLarge {
        /// The file's size in bytes.
        bytes: u64,
    },
}

impl VideoSize {
    /// TikTok's limit in bytes: 4 GB, in the stricter decimal meaning, from [TikTok's media
    /// restrictions](https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide).
    pub const MAX: u64 = 4_000_000_000;

    /// Creates a size from bytes.
    pub fn new(bytes: u64) -> Result<Self, SizeError> {
        match bytes {
            0 => Err(SizeError::Empty),
            1..=Self::MAX => Ok(Self(bytes)),
            _ => Err(SizeError::TooLarge { bytes }),
        }
    }

    /// Returns the size in bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for VideoSize {
    type Error = SizeError;
    fn try_from(bytes: u64) -> Result<Self, SizeError> {
        Self::new(bytes)
    }
}

impl From<VideoSize> for u64 {
    fn from(size: VideoSize) -> u64 {
        size.0
    }
}
