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
    ///
    /// `m4v` is MP4: Apple's programs write it for a file that contains video.
    pub fn from_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "mp4" | "m4v" => Some(Self::Mp4),
            "mov" => Some(Self::Mov),
            "webm" => Some(Self::WebM),
            _ => None,
        }
    }

    /// Returns the container for a media type (`Content-Type`), of which only the essence counts: `VIDEO/MP4` and
    /// `video/webm;codecs=vp9` are valid. `video/x-m4v` is what browsers report for `.m4v`.
    pub fn from_media_type(media_type: &str) -> Option<Self> {
        let parsed: mime::Mime = media_type.parse().ok()?;
        match parsed.essence_str() {
            "video/mp4" | "video/x-m4v" => Some(Self::Mp4),
            "video/quicktime" => Some(Self::Mov),
            "video/webm" => Some(Self::WebM),
            _ => None,
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
        assert_eq!(Container::from_extension("M4V"), Some(Container::Mp4));
        assert_eq!(Container::from_extension("MOV"), Some(Container::Mov));
        assert_eq!(Container::from_extension("WebM"), Some(Container::WebM));
        assert_eq!(Container::from_extension("mkv"), None);
        assert_eq!(Container::from_extension(""), None);
    }

    #[test]
    fn essence_of_media_type_selects_container() {
        let table = [
            ("video/mp4", Some(Container::Mp4)),
            ("VIDEO/MP4", Some(Container::Mp4)),
            ("video/x-m4v", Some(Container::Mp4)),
            ("video/quicktime", Some(Container::Mov)),
            ("video/webm;codecs=vp9", Some(Container::WebM)),
            ("Video/WebM; codecs=\"vp8, opus\"", Some(Container::WebM)),
            ("video/mp4x", None),
            ("video", None),
            ("video/", None),
            ("", None),
            (" video/mp4", None),
            ("video/mp4\r\nx: y", None),
            ("video/mp4;\u{1}=x", None),
            ("video/mp4, video/webm", None),
            ("application/mp4", None),
        ];
        for (media_type, expected) in table {
            assert_eq!(Container::from_media_type(media_type), expected, "{media_type:?}");
        }
    }

    #[test]
    fn content_type_matches_container() {
        let types = [Container::Mp4, Container::Mov, Container::WebM].map(Container::content_type);
        assert_eq!(types, ["video/mp4", "video/quicktime", "video/webm"]);
    }
}
