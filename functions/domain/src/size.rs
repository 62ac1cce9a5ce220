//! How large a video may be.

use serde::{Deserialize, Serialize};

/// A video's size in bytes: 1 to [`VideoSize::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct VideoSize(u64);

/// A size that TikTok would not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// There is nothing in the file.
    #[error("the file is empty: drop it again once it has been written whole")]
    Empty,
    /// More than TikTok takes.
    #[error("the file has {bytes} bytes and TikTok takes at most {max} (4 GB): export it smaller", max = VideoSize::MAX)]
    TooLarge {
        /// The file's size.
        bytes: u64,
    },
}

impl VideoSize {
    /// The most that TikTok takes, in bytes: "4 GB" in its stricter reading.
    /// <https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide>
    pub const MAX: u64 = 4_000_000_000;

    /// Takes a size in bytes.
    pub fn new(bytes: u64) -> Result<Self, SizeError> {
        match bytes {
            0 => Err(SizeError::Empty),
            1..=Self::MAX => Ok(Self(bytes)),
            _ => Err(SizeError::TooLarge { bytes }),
        }
    }

    /// The size in bytes.
    #[must_use]
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
