//! Errors of the inspection: [`InspectError`] for callers, and [`ParseError`] between the parsers and the
//! [`Inspector`](super::Inspector).

use std::ops::Range;

/// The reason why an object cannot be posted, as its bytes show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InspectError {
    /// The file is not a video: the detected file type, or what is missing.
    #[error("the file is not a video: {0}")]
    NotAVideo(String),
    /// The file is a video in a container that TikTok does not accept.
    #[error("the video is in a format that cannot be posted: {description}")]
    WrongContainer {
        /// The container, and the codec if it is known.
        description: String,
        /// The usual file name extension of the container, without its dot.
        extension: &'static str,
        /// The extension of the accepted container that can hold the same streams.
        rewrap_to: &'static str,
    },
    /// The video's streams are encrypted.
    #[error("the video is encrypted: {0}")]
    Encrypted(String),
    /// The video is truncated or contradicts itself: the damaged part of the file.
    #[error("the video file is damaged: {0}")]
    Damaged(String),
}

impl InspectError {
    /// Returns the `fail_reason` with which TikTok would fail such a file.
    ///
    /// <https://developers.tiktok.com/doc/content-posting-api-reference-get-video-status>
    pub fn code(&self) -> &'static str {
        "file_format_check_failed"
    }

    /// Returns the shortest way to a file that can be posted.
    pub fn advice(&self) -> String {
        match self {
            Self::NotAVideo(_) => "Drop an MP4, MOV or WebM file; nothing was sent to TikTok.".to_owned(),
            Self::WrongContainer { extension, rewrap_to, .. } => format!(
                "Rewrap it without re-encoding, `ffmpeg -i in.{extension} -c copy out.{rewrap_to}`, and drop the new \
                 file. If that fails, convert it, `ffmpeg -i in.{extension} -c:v libx264 out.mp4`. Nothing was sent to \
                 TikTok."
            ),
            Self::Encrypted(_) => {
                "Export the video without copy protection and drop the new file; nothing was sent to TikTok.".to_owned()
            }
            Self::Damaged(_) => "Drop the whole file again, or export it again; nothing was sent to TikTok.".to_owned(),
        }
    }

    pub(super) fn not_a_video(reason: impl Into<String>) -> Self {
        Self::NotAVideo(reason.into())
    }

    pub(super) fn encrypted(reason: impl Into<String>) -> Self {
        Self::Encrypted(reason.into())
    }

    pub(super) fn damaged(reason: impl Into<String>) -> Self {
        Self::Damaged(reason.into())
    }
}

/// The reason why a parser cannot continue.
#[derive(Debug)]
pub(super) enum ParseError {
    /// These bytes must be read. Then the parser starts again from the beginning.
    Needs(Range<u64>),
    /// The bytes are beyond the budget of reads or beyond the end of the file. What they state is unknown.
    Unreadable,
    /// The inspection fails with this error.
    Failed(InspectError),
}

impl From<InspectError> for ParseError {
    fn from(error: InspectError) -> Self {
        Self::Failed(error)
    }
}

/// Returns what a parser found, or `None` if it is unknown because its bytes are [unreadable](ParseError::Unreadable).
pub(super) fn known<T>(result: Result<T, ParseError>) -> Result<Option<T>, ParseError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(ParseError::Unreadable) => Ok(None),
        Err(error) => Err(error),
    }
}
