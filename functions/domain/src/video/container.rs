//! The file formats that TikTok takes. Says nothing about what is inside them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Names a file format that
/// [TikTok takes](https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Container {
    /// ISO base media file format under any brand but `QuickTime`'s.
    Mp4,
    /// QuickTime.
    Mov,
    /// The subset of Matroska that calls itself `webm`.
    WebM,
}

impl Container {
    /// Returns the media type that an upload of this container is sent with.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Mp4 => "video/mp4",
            Self::Mov => "video/quicktime",
            Self::WebM => "video/webm",
        }
    }

    /// Returns the container that a file name's extension promises, without its
    /// dot and in any case; `None` for an extension that is not a video's.
    #[must_use]
    pub fn from_extension(extension: &str) -> Option<Self> {
        [Self::Mp4, Self::Mov, Self::WebM]
            .into_iter()
            .find(|container| extension.eq_ignore_ascii_case(container.extension()))
    }

    /// Returns the usual extension of such a file, without its dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Mov => "mov",
            Self::WebM => "webm",
        }
    }
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mp4 => "MP4",
            Self::Mov => "MOV",
            Self::WebM => "WebM",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_names_its_container_in_any_case() {
        assert_eq!(Container::from_extension("mp4"), Some(Container::Mp4));
        assert_eq!(Container::from_extension("MOV"), Some(Container::Mov));
        assert_eq!(Container::from_extension("WebM"), Some(Container::WebM));
        assert_eq!(Container::from_extension("mkv"), None);
        assert_eq!(Container::from_extension(""), None);
    }

    #[test]
    fn each_container_is_sent_with_its_media_type() {
        let types = [Container::Mp4, Container::Mov, Container::WebM].map(Container::content_type);
        assert_eq!(types, ["video/mp4", "video/quicktime", "video/webm"]);
    }
}
