//! Errors of the inspection: [`InspectError`] for callers, and [`ParseError`] between the parsers and the
//! [`Inspector`](super::Inspector).

/// The reason why an object has no [`VideoFacts`](super::VideoFacts).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InspectError {
    /// The file is not a video: the detected file type, or what is missing.
    #[error("the file is not a video: {0}; drop an MP4, MOV or WebM file")]
    NotAVideo(String),
    /// The file is a video, but TikTok does not accept its format or this crate cannot inspect it: the format, or the
    /// unsupported property of the file.
    #[error("the video is in a format that cannot be posted: {0}; convert it to MP4 with H.264 and drop the new file")]
    Unsupported(String),
    /// The video is truncated or contradicts itself: the damaged part of the file.
    #[error("the video file is damaged: {0}; drop the whole file again, or export it again")]
    Damaged(String),
}

impl InspectError {
    /// Returns the `fail_reason` with which TikTok would fail such a file.
    ///
    /// <https://developers.tiktok.com/doc/content-posting-api-reference-get-video-status>
    pub fn code(&self) -> &'static str {
        "file_format_check_failed"
    }

    pub(super) fn not_a_video(reason: impl Into<String>) -> Self {
        Self::NotAVideo(reason.into())
    }

    pub(super) fn unsupported(reason: impl Into<String>) -> Self {
        Self::Unsupported(reason.into())
    }

    pub(super) fn damaged(reason: impl Into<String>) -> Self {
        Self::Damaged(reason.into())
    }
}

/// The reason why a parser cannot continue at the window's cursor.
#[derive(Debug)]
pub(super) enum ParseError {
    /// The window lacks bytes. The parser has changed nothing for the current box or element; call it again after the
    /// next read.
    Incomplete,
    /// The inspection fails with this error.
    Failed(InspectError),
}

impl From<InspectError> for ParseError {
    fn from(error: InspectError) -> Self {
        Self::Failed(error)
    }
}
