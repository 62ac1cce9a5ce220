//! Video codecs and their names in MP4 and Matroska files.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest stored name of an unknown codec, in bytes. Longer names are cut.
const MAX_NAME_LEN: usize = 32;

/// The codec of a video track.
///
/// It is stored and displayed as one word: `h264`, `h265`, `vp8`, `vp9`, or the file's own name for another codec.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Codec {
    /// H.264, also known as AVC.
    H264,
    /// H.265, also known as HEVC.
    H265,
    /// VP8.
    Vp8,
    /// VP9.
    Vp9,
    /// Any other codec: the file's own name for it, escaped to printable ASCII.
    Other(String),
}

impl Codec {
    /// Returns the codec of an MP4 sample entry with this four-character name.
    ///
    /// A Dolby Vision entry counts as the codec of its base layer.
    pub(super) fn from_sample_entry(name: [u8; 4]) -> Self {
        match &name {
            b"avc1" | b"avc2" | b"avc3" | b"avc4" | b"dva1" | b"dvav" => Self::H264,
            b"hvc1" | b"hev1" | b"hvc2" | b"hev2" | b"dvh1" | b"dvhe" => Self::H265,
            b"vp08" => Self::Vp8,
            b"vp09" => Self::Vp9,
            other => Self::from_unknown(other),
        }
    }

    /// Returns the codec of a Matroska track with this `CodecID`.
    pub(super) fn from_codec_id(id: &[u8]) -> Self {
        match id {
            b"V_MPEG4/ISO/AVC" => Self::H264,
            b"V_MPEGH/ISO/HEVC" => Self::H265,
            b"V_VP8" => Self::Vp8,
            b"V_VP9" => Self::Vp9,
            other => Self::from_unknown(other),
        }
    }

    /// Returns whether TikTok accepts the codec, from its [media
    /// restrictions](https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide).
    pub(super) fn is_accepted(&self) -> bool {
        match self {
            Self::H264 | Self::H265 | Self::Vp8 | Self::Vp9 => true,
            Self::Other(_) => false,
        }
    }

    fn from_unknown(name: &[u8]) -> Self {
        let name = name.get(..MAX_NAME_LEN).unwrap_or(name);
        Self::Other(name.escape_ascii().to_string())
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::H264 => "h264",
            Self::H265 => "h265",
            Self::Vp8 => "vp8",
            Self::Vp9 => "vp9",
            Self::Other(name) => name,
        })
    }
}

impl From<Codec> for String {
    fn from(codec: Codec) -> Self {
        codec.to_string()
    }
}

impl From<String> for Codec {
    fn from(name: String) -> Self {
        match name.as_str() {
            "h264" => Self::H264,
            "h265" => Self::H265,
            "vp8" => Self::Vp8,
            "vp9" => Self::Vp9,
            _ => Self::Other(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codec_round_trips_through_json() {
        for codec in [Codec::H264, Codec::H265, Codec::Vp8, Codec::Vp9, Codec::Other("av01".to_owned())] {
            let stored = serde_json::to_string(&codec).unwrap();
            assert_eq!(serde_json::from_str::<Codec>(&stored).unwrap(), codec);
        }
        assert_eq!(serde_json::to_string(&Codec::H264).unwrap(), "\"h264\"");
    }

    #[test]
    fn unknown_codec_name_is_escaped() {
        assert_eq!(Codec::from_sample_entry([0, b'\n', 0xff, b'a']), Codec::Other("\\x00\\n\\xffa".to_owned()));
    }
}
