//! The video file formats that TikTok accepts.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A file format that TikTok accepts, from [TikTok's media
/// restrictions](https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Container {
    /// ISO base media file format with any brand except QuickTime (`qt `).
    Mp4,
    /// QuickTime file format.
    Mov,
    /// Matroska file with the document type `webm`.
    WebM,
}

impl Container {
    /// Returns the `Content-Type` of an upload, from [TikTok's media transfer
    /// guide](https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide).
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Mp4 => "video/mp4",
            Self::Mov => "video/quicktime",
            Self::WebM => "video/webm",
        }
    }

    /// Returns the container for a file name extension without its dot, in any case; `None` for any other extension.
    pub fn from_extension(extension: &str) -> Option<Self> {
        [Self::Mp4, Self::Mov, Self::WebM]
            .into_iter()
            .find(|container| extension.eq_ignore_ascii_case(container.extension()))
    }

    /// Returns the usual file name extension, without its dot.
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
    fn extension_selects_container_in_any_case() {
        assert_eq!(Container::from_extension("mp4"), Some(Container::Mp4));
        assert_eq!(Container::from_extension("MOV"), Some(Container::Mov));
        assert_eq!(Container::from_extension("WebM"), Some(Container::WebM));
        assert_eq!(Container::from_extension("mkv"), None);
        assert_eq!(Container::from_extension(""), None);
    }

    #[test]
    fn content_type_matches_container() {
        let types = [Container::Mp4, Container::Mov, Container::WebM].map(Container::content_type);
        assert_eq!(types, ["video/mp4", "video/quicktime", "video/webm"]);
    }
}
