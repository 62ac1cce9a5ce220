//! Detects the file format by the first bytes, independent of the file name.

use super::container::Container;
use super::error::{InspectError, ParseError};
use super::window::Window;

/// The parser for a file, selected by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// ISO boxes. The brand in the first box has decided the container.
    Iso(Container),
    /// EBML elements. The EBML header will decide whether the file is WebM.
    Ebml,
}

/// Bytes that [`detect`] needs, fewer only if the file is shorter.
const SIGNATURE_LEN: u64 = 12;

/// The bytes at an offset by which a format is recognized, and the reason to reject the file.
struct Signature(usize, &'static [u8], &'static str);

impl Signature {
    fn matches(&self, file: &[u8]) -> bool {
        file.get(self.0..).is_some_and(|rest| rest.starts_with(self.1))
    }
}

/// Video formats that TikTok does not accept. They are listed only so that the error can name the format.
const UNSUPPORTED_VIDEOS: [Signature; 9] = [
    Signature(8, b"AVI ", "it is an AVI file"),
    Signature(0, b"FLV\x01", "it is a Flash video"),
    Signature(0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "it is a Windows Media file"),
    Signature(0, b"\x00\x00\x01\xba", "it is an MPEG program stream"),
    Signature(0, b"\x00\x00\x01\xb3", "it is a bare MPEG video stream"),
    Signature(0, b"\x00\x00\x00\x01", "it is a bare H.264 or H.265 stream"),
    Signature(0, b"G@\x00\x10", "it is an MPEG transport stream"),
    Signature(0, b"G@\x11\x10", "it is an MPEG transport stream"),
    Signature(0, b"OggS", "it is an Ogg file"),
];

/// Other file types that are often dropped by mistake.
const OTHER_FILES: [Signature; 10] = [
    Signature(8, b"WEBP", "it is a WebP picture"),
    Signature(8, b"WAVE", "it is a WAVE sound file"),
    Signature(4, b"ftyphei", "it is a HEIC picture"),
    Signature(4, b"ftypmif1", "it is a HEIF picture"),
    Signature(4, b"ftypavi", "it is an AVIF picture"),
    Signature(0, b"\xff\xd8\xff", "it is a JPEG picture"),
    Signature(0, b"\x89PNG", "it is a PNG picture"),
    Signature(0, b"GIF8", "it is a GIF picture"),
    Signature(0, b"PK\x03\x04", "it is a ZIP archive"),
    Signature(0, b"ID3", "it is an MP3 sound file"),
];

/// Detects the format of the object at the start of the window.
///
/// # Errors
/// [`ParseError::Incomplete`] if the window lacks the first bytes; [`InspectError::NotAVideo`] or
/// [`InspectError::Unsupported`] for other formats.
pub(super) fn detect(window: &Window) -> Result<Format, ParseError> {
    let bytes = window.peek(SIGNATURE_LEN.min(window.size()))?;
    if bytes.is_empty() {
        return Err(InspectError::not_a_video("it is empty").into());
    }
    if let Some(found) = OTHER_FILES.iter().find(|signature| signature.matches(bytes)) {
        return Err(InspectError::not_a_video(found.2).into());
    }
    if bytes.starts_with(b"\x1a\x45\xdf\xa3") {
        return Ok(Format::Ebml);
    }
    match bytes.get(4..8) {
        Some(b"ftyp") if bytes.get(8..12) == Some(b"qt  ") => Ok(Format::Iso(Container::Mov)),
        Some(b"ftyp" | b"styp") => Ok(Format::Iso(Container::Mp4)),
        // QuickTime files from before the `ftyp` box was defined.
        Some(b"moov" | b"mdat" | b"wide" | b"free" | b"skip" | b"pnot") => Ok(Format::Iso(Container::Mov)),
        _ => Err(match UNSUPPORTED_VIDEOS.iter().find(|signature| signature.matches(bytes)) {
            Some(found) => InspectError::unsupported(found.2).into(),
            None => InspectError::not_a_video("its first bytes match no known video format").into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect_in(bytes: &[u8]) -> Result<Format, String> {
        let mut window = Window::new(bytes.len() as u64);
        window.extend(0, bytes);
        detect(&window).map_err(|error| match error {
            ParseError::Incomplete => "incomplete".to_owned(),
            ParseError::Failed(error) => error.to_string(),
        })
    }

    #[test]
    fn brand_distinguishes_mov_from_mp4() {
        let mov = detect_in(b"\0\0\0\x14ftypqt  \0\0\x02\0qt  ");
        assert_eq!(mov, Ok(Format::Iso(Container::Mov)));
        let mp4 = detect_in(b"\0\0\0\x14ftypisom\0\0\x02\0qt  ");
        assert_eq!(mp4, Ok(Format::Iso(Container::Mp4)));
    }

    #[test]
    fn quicktime_without_brand_is_detected_by_first_box() {
        for kind in ["moov", "mdat", "wide", "free"] {
            let file = format!("\0\0\0\x08{kind}....");
            assert_eq!(detect_in(file.as_bytes()), Ok(Format::Iso(Container::Mov)));
        }
    }

    #[test]
    fn rejected_format_is_named_in_error() {
        for (file, name) in [
            (b"RIFF\0\0\0\0AVI LIST".as_slice(), "AVI"),
            (b"\x89PNG\r\n\x1a\n\0\0\0\x0d", "PNG"),
            (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
            (b"hello", "not a video"),
            (b"", "empty"),
        ] {
            let error = detect_in(file).unwrap_err();
            assert!(error.contains(name), "{error}");
        }
    }
}
