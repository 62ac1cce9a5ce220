//! Why an object is ignored, and which ignored objects a person is told about.

/// Why an object is ignored: no post is made of it. The text follows the key in a message.
///
/// A person or a tool that put the object may expect a post. So the object is tagged with the reason, and an event
/// reports it, unless [`Ignored::is_silent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// The key is neither under `drop/` nor under `uploads/`.
    #[error("the key is neither under drop/ nor under uploads/")]
    Elsewhere,
    /// The key is the marker of a folder.
    #[error("the key is a folder")]
    Folder,
    /// The file name starts with a dot.
    #[error("the file name starts with a dot")]
    Hidden,
    /// The file is neither a video nor a sidecar.
    #[error("the extension is not .mp4 .m4v .mov .webm or .json")]
    Extension,
    /// The key is under `uploads/`, and no post waits for an object with this key.
    #[error("no post waits for an upload at this key")]
    NoPost,
    /// The post of the upload has its video already, or was cancelled.
    #[error("the post of this upload has its video already or was cancelled")]
    PostClosed,
}

impl Ignored {
    /// The stable code, which the event contains.
    pub fn code(self) -> &'static str {
        match self {
            Self::Elsewhere => "elsewhere",
            Self::Folder => "folder",
            Self::Hidden => "hidden",
            Self::Extension => "not_a_video",
            Self::NoPost => "no_post",
            Self::PostClosed => "post_closed",
        }
    }

    /// What a person can do; empty for a silent reason.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Elsewhere | Self::Folder | Self::Hidden => "",
            Self::Extension => {
                "If it is a video, drop it again with the extension of its format: .mp4, .m4v, .mov or .webm."
            }
            Self::NoPost => "Drop the video under drop/, or upload it to the URL that POST /uploads returns.",
            Self::PostClosed => "If it is another video, create another upload with POST /uploads.",
        }
    }

    /// Tells whether only a log line reports the object. No user expects a post of a folder's marker or a hidden file,
    /// and other objects of the bucket may belong to other programs.
    pub fn is_silent(self) -> bool {
        matches!(self, Self::Elsewhere | Self::Folder | Self::Hidden)
    }
}
