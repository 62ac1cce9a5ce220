//! Tells formats apart by their first bytes, whatever the file is called.

use super::Container;
use super::inspect::InspectError;
use super::window::{Halt, Window};

/// Names the parser that a file's first bytes call for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Boxes; the brand tells which container.
    Iso(Container),
    /// Elements; the EBML header will tell which container.
    Ebml,
}

/// How many bytes tell a format.
const LEN: u64 = 12;

/// Videos that are recognised only to be refused by name: offset, bytes, name.
const OTHER_VIDEOS: [(usize, &[u8], &str); 9] = [
    (8, b"AVI ", "it is an AVI file"),
    (0, b"FLV\x01", "it is a Flash video"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "it is a Windows Media file"),
    (0, b"\x00\x00\x01\xba", "it is an MPEG program stream"),
    (0, b"\x00\x00\x01\xb3", "it is a bare MPEG video stream"),
    (0, b"\x00\x00\x00\x01", "it is a bare H.264 or H.265 stream"),
    (0, b"G@\x00\x10", "it is an MPEG transport stream"),
    (0, b"G@\x11\x10", "it is an MPEG transport stream"),
    (0, b"OggS", "it is an Ogg file"),
];

/// Other things that people drop by mistake: offset, bytes, name.
const NO_VIDEOS: [(usize, &[u8], &str); 10] = [
    (8, b"WEBP", "it is a WebP picture"),
    (8, b"WAVE", "it is a WAVE sound file"),
    (4, b"ftyphei", "it is a HEIC picture"),
    (4, b"ftypmif1", "it is a HEIF picture"),
    (4, b"ftypavi", "it is an AVIF picture"),
    (0, b"\xff\xd8\xff", "it is a JPEG picture"),
    (0, b"\x89PNG", "it is a PNG picture"),
    (0, b"GIF8", "it is a GIF picture"),
    (0, b"PK\x03\x04", "it is a ZIP archive"),
    (0, b"ID3", "it is an MP3 sound file"),
];

/// Tells which format the object at the window's start is in.
///
/// # Errors
///
/// [`Halt::Wants`] while its first bytes are not in the window;
/// [`InspectError::NotAVideo`] and [`InspectError::Unsupported`] by their names.
pub(super) fn format(window: &Window) -> Result<Format, Halt> {
    let bytes = window.peek(LEN.min(window.size()))?;
    if bytes.is_empty() {
        return Err(InspectError::not_a_video("it is empty").into());
    }
    let starts =
        |(offset, magic, _): &&(usize, &[u8], &str)| bytes.get(*offset..).is_some_and(|bytes| bytes.starts_with(magic));
    if let Some((_, _, name)) = NO_VIDEOS.iter().find(starts) {
        return Err(InspectError::not_a_video(*name).into());
    }
    if bytes.starts_with(b"\x1a\x45\xdf\xa3") {
        return Ok(Format::Ebml);
    }
    match bytes.get(4..8) {
        Some(b"ftyp") if bytes.get(8..12) == Some(b"qt  ") => Ok(Format::Iso(Container::Mov)),
        Some(b"ftyp" | b"styp") => Ok(Format::Iso(Container::Mp4)),
        // QuickTime files older than the `ftyp` box.
        Some(b"moov" | b"mdat" | b"wide" | b"free" | b"skip" | b"pnot") => Ok(Format::Iso(Container::Mov)),
        _ => Err(match OTHER_VIDEOS.iter().find(starts) {
            Some((_, _, name)) => InspectError::unsupported(*name).into(),
            None => InspectError::not_a_video("its first bytes are no video format's").into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format_of(bytes: &[u8]) -> Result<Format, String> {
        let mut window = Window::new(bytes.len() as u64);
        window.extend(0, bytes);
        format(&window).map_err(|halt| match halt {
            Halt::Wants => "wants more".to_owned(),
            Halt::Failed(error) => error.to_string(),
        })
    }

    #[test]
    fn the_brand_tells_mov_from_mp4() {
        let mov = format_of(b"\0\0\0\x14ftypqt  \0\0\x02\0qt  ");
        assert_eq!(mov, Ok(Format::Iso(Container::Mov)));
        let mp4 = format_of(b"\0\0\0\x14ftypisom\0\0\x02\0qt  ");
        assert_eq!(mp4, Ok(Format::Iso(Container::Mp4)));
    }

    #[test]
    fn a_quicktime_file_without_a_brand_is_known_by_its_first_box() {
        for kind in ["moov", "mdat", "wide", "free"] {
            let file = format!("\0\0\0\x08{kind}....");
            assert_eq!(format_of(file.as_bytes()), Ok(Format::Iso(Container::Mov)));
        }
    }

    #[test]
    fn what_is_not_taken_is_refused_by_its_name() {
        for (file, name) in [
            (b"RIFF\0\0\0\0AVI LIST".as_slice(), "AVI"),
            (b"\x89PNG\r\n\x1a\n\0\0\0\x0d", "PNG"),
            (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
            (b"hello", "not a video"),
            (b"", "empty"),
        ] {
            let refusal = format_of(file).unwrap_err();
            assert!(refusal.contains(name), "{refusal}");
        }
    }
}
