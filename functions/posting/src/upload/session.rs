//! What a worker keeps in memory while it uploads a post: the reader of the video, the opened URL, the measured rate.

use std::time::Duration;

use domain::post::TrustOffset;
use domain::secret::Sealed;
use domain::upload::Upload;
use storage::ReadAhead;
use tiktok::UploadUrl;

use super::throughput_estimate::ThroughputEstimate;

/// The remaining lifetime that an upload URL must have for more bytes to be sent to it.
pub(super) const MIN_URL_LIFETIME: Duration = Duration::from_secs(15);

/// Whether the post's offset is the offset up to which TikTok has the video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// It is: the worker sends the next chunk.
    Known,
    /// TikTok stated an earlier offset than before. The worker sends from there, and counts this toward `MAX_RESYNCS`.
    Rewound,
    /// It is not known: TikTok must be asked. The value says which offset is used if the report and the post differ.
    Unverified(TrustOffset),
}

/// How to continue after TikTok's answer to a chunk.
pub(super) enum Next {
    /// Send the same chunk again after a wait.
    SameChunk(Duration),
    /// Continue as the post now says.
    Continue(Progress),
}

/// The state of one invocation's work on a video.
#[derive(Debug, Default)]
pub(crate) struct UploadSession {
    /// The reader of the video, once it is needed.
    pub(super) video: Option<ReadAhead>,
    /// The upload URL, sealed and opened, so that KMS opens it at most once.
    url: Option<(Sealed, UploadUrl)>,
    pub(super) throughput: ThroughputEstimate,
}

impl UploadSession {
    pub(super) fn keep_url(&mut self, upload: &Upload, url: UploadUrl) {
        self.url = Some((upload.url.clone(), url));
    }

    pub(super) fn url_of(&self, upload: &Upload) -> Option<UploadUrl> {
        self.url.as_ref().filter(|(sealed, _)| *sealed == upload.url).map(|(_, url)| url.clone())
    }
}
