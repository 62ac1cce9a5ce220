//! Detects the file format by the first bytes, independent of the file name.

use super::error::{InspectError, ParseError};
use super::file::PartialFile;

/// The parser for a file, selected by its first bytes, and the position of the first box or element in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// ISO boxes. The brand in the box `ftyp` will decide the container.
    Iso(u64),
    /// EBML elements. The EBML header will decide whether the file is WebM.
    Ebml(u64),
}

/// Bytes that [`detect`] needs, fewer only if the file is shorter: three packets of a transport stream with time codes.
const SIGNATURE_LEN: u64 = 400;

/// The length of the header of an ID3 tag in bytes.
const ID3_HEADER_LEN: u64 = 10;

/// The kinds of boxes with which an ISO file can begin. QuickTime files from before `ftyp` was defined begin with the
/// movie header, media data or padding. A fragment begins with `moof` or an index.
const FIRST_BOXES: [&[u8; 4]; 17] = [
    b"ftyp", b"styp", b"moov", b"mdat", b"moof", b"sidx", b"ssix", b"emsg", b"prft", b"wide", b"free", b"skip",
    b"uuid", b"udta", b"meta", b"pnot", b"junk",
];

/// The bytes at an offset by which a format is recognized, and its name.
struct Signature(usize, &'static [u8], &'static str);

impl Signature {
    fn matches(&self, file: &[u8]) -> bool {
        file.get(self.0..).is_some_and(|rest| rest.starts_with(self.1))
    }
}

/// Video formats that TikTok does not accept, each with its usual file name extension. They are listed only so that
/// the error can name the format.
#[rustfmt::skip]
const WRONG_CONTAINERS: [(Signature, &str); 12] = [
    (Signature(8, b"AVI ", "it is an AVI file"), "avi"),
    (Signature(8, b"AVIX", "it is an AVI file"), "avi"),
    (Signature(0, b"FLV", "it is a Flash video (FLV)"), "flv"),
    (Signature(0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "it is a Windows Media file (ASF)"), "wmv"),
    (Signature(0, b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02", "it is an MXF file"), "mxf"),
    (Signature(0, b"\x00\x00\x01\xba", "it is an MPEG program stream"), "mpg"),
    (Signature(0, b"\x00\x00\x01\xb3", "it is a bare MPEG video stream"), "mpg"),
    (Signature(0, b"\x00\x00\x00\x01", "it is a bare H.264 or H.265 stream"), "h264"),
    (Signature(0, b"OggS", "it is an Ogg file"), "ogv"),
    (Signature(0, b".RMF", "it is a RealMedia file"), "rm"),
    (Signature(0, b"DKIF", "it is an IVF file"), "ivf"),
    (Signature(0, b"YUV4MPEG2 ", "it is uncompressed video (Y4M)"), "y4m"),
];

/// Other file types that are often dropped by mistake.
const OTHER_FILES: [Signature; 11] = [
    Signature(8, b"WEBP", "it is a WebP picture"),
    Signature(8, b"WAVE", "it is a WAVE sound file"),
    Signature(4, b"ftyphei", "it is a HEIC picture"),
    Signature(4, b"ftypmif1", "it is a HEIF picture"),
    Signature(4, b"ftypavi", "it is an AVIF picture"),
    Signature(0, b"\xff\xd8\xff", "it is a JPEG picture"),
    Signature(0, b"\x89PNG", "it is a PNG picture"),
    Signature(0, b"GIF8", "it is a GIF picture"),
    Signature(0, b"PK\x03\x04", "it is a ZIP archive"),
    Signature(0, b"fLaC", "it is a FLAC sound file"),
    Signature(0, b"%PDF", "it is a PDF document"),
];

/// Detects the format of the file.
///
/// # Errors
/// [`InspectError::NotAVideo`] or [`InspectError::WrongContainer`] for other formats.
pub(super) fn detect(file: &PartialFile) -> Result<Format, ParseError> {
    let bytes = signature_at(file, 0)?;
    if bytes.is_empty() {
        return Err(InspectError::not_a_video("it is empty").into());
    }
    if !bytes.starts_with(b"ID3") {
        return detect_at(file, 0);
    }
    // The tag belongs to a sound file, unless a video follows it.
    let after_tag = id3_len(bytes).filter(|len| *len < file.size());
    match after_tag.map(|len| detect_at(file, len)) {
        Some(result @ (Ok(_) | Err(ParseError::Needs(_)))) => result,
        _ => Err(InspectError::not_a_video("it is an MP3 sound file").into()),
    }
}

fn detect_at(file: &PartialFile, start: u64) -> Result<Format, ParseError> {
    let bytes = signature_at(file, start)?;
    if let Some(found) = OTHER_FILES.iter().find(|signature| signature.matches(bytes)) {
        return Err(InspectError::not_a_video(found.2).into());
    }
    if bytes.starts_with(b"\x1a\x45\xdf\xa3") {
        return Ok(Format::Ebml(start));
    }
    if FIRST_BOXES.iter().any(|kind| bytes.get(4..8) == Some(kind.as_slice())) {
        return Ok(Format::Iso(start));
    }
    let wrong = WRONG_CONTAINERS.iter().find(|(signature, _)| signature.matches(bytes));
    let wrong = wrong.map(|(signature, extension)| (signature.2, *extension));
    match wrong.or(is_transport_stream(bytes).then_some(("it is an MPEG transport stream (TS)", "ts"))) {
        Some((description, extension)) => {
            Err(InspectError::WrongContainer { description: description.to_owned(), extension, rewrap_to: "mp4" }
                .into())
        }
        None => Err(InspectError::not_a_video("its first bytes match no known video format").into()),
    }
}

fn signature_at(file: &PartialFile, start: u64) -> Result<&[u8], ParseError> {
    file.bytes(start..start.saturating_add(SIGNATURE_LEN).min(file.size()))
}

/// Returns whether packets of 188 bytes, or of 192 bytes with a time code first, begin with the byte 0x47
/// (ISO/IEC 13818-1, section 2.4.3.2).
fn is_transport_stream(bytes: &[u8]) -> bool {
    [(0, 188), (4, 192)].iter().any(|(first, packet_len)| {
        let mut packets = bytes.iter().skip(*first).step_by(*packet_len).peekable();
        packets.peek().is_some() && packets.all(|byte| *byte == 0x47)
    })
}

/// Returns the length of the [ID3 tag](https://id3.org/id3v2.4.0-structure) at the start of a file.
fn id3_len(bytes: &[u8]) -> Option<u64> {
    let [.., flags, a, b, c, d] = *bytes.first_chunk::<10>()?;
    // Each byte of the size carries 7 bits.
    let size = [a, b, c, d].iter().fold(0, |size, byte| size << 7 | u64::from(byte & 0x7f));
    let footer_len = if flags & 0x10 == 0 { 0 } else { ID3_HEADER_LEN };
    Some(ID3_HEADER_LEN + size + footer_len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect_in(bytes: &[u8]) -> Result<Format, InspectError> {
        let mut file = PartialFile::new(bytes.len() as u64);
        file.add(0, bytes);
        detect(&file).map_err(|error| match error {
            ParseError::Failed(error) => error,
            error => panic!("{error:?}"),
        })
    }

    #[test]
    fn iso_file_is_detected_by_first_box() {
        for kind in ["ftyp", "moov", "mdat", "wide", "free", "skip", "uuid", "udta", "moof"] {
            let file = format!("\0\0\0\x08{kind}....");
            assert_eq!(detect_in(file.as_bytes()), Ok(Format::Iso(0)), "{kind}");
        }
    }

    #[test]
    fn video_after_id3_tag_is_detected() {
        let tag = [b"ID3\x04\0\0\0\0\x01\x02".as_slice(), &[0; 130]].concat();
        let video = [tag.clone(), b"\0\0\0\x14ftypisom\0\0\x02\0isom".to_vec()].concat();
        assert_eq!(detect_in(&video), Ok(Format::Iso(140)));
        let matroska = [tag.clone(), b"\x1a\x45\xdf\xa3....".to_vec()].concat();
        assert_eq!(detect_in(&matroska), Ok(Format::Ebml(140)));
        for sound in [[tag.clone(), b"\xff\xfb\x90\x64".to_vec()].concat(), tag, b"ID3".to_vec()] {
            let error = detect_in(&sound).unwrap_err().to_string();
            assert!(error.contains("MP3"), "{error}");
        }
    }

    #[test]
    fn other_files_are_named_in_error() {
        for (file, name) in [
            (b"\x89PNG\r\n\x1a\n\0\0\0\x0d".as_slice(), "PNG"),
            (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
            (b"hello", "match no known video format"),
            (b"", "empty"),
        ] {
            let error = detect_in(file).unwrap_err().to_string();
            assert!(error.contains("not a video") && error.contains(name), "{error}");
        }
    }

    #[test]
    fn wrong_container_is_named_with_command_to_rewrap() {
        let transport_stream = [[0x47].as_slice(), &[1; 187]].concat().repeat(3);
        let with_time_codes = [[0, 0, 1, 2, 0x47].as_slice(), &[1; 187]].concat().repeat(3);
        for (file, name, extension) in [
            (b"RIFF\0\0\0\0AVI LIST".as_slice(), "AVI", "avi"),
            (b"FLV\x01\x05", "FLV", "flv"),
            (b"OggS\0\x02", "Ogg", "ogv"),
            (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9", "ASF", "wmv"),
            (b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01", "MXF", "mxf"),
            (&transport_stream, "MPEG transport stream", "ts"),
            (&with_time_codes, "MPEG transport stream", "ts"),
        ] {
            let error = detect_in(file).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
            let command = format!("ffmpeg -i in.{extension} -c copy out.mp4");
            assert!(error.advice().contains(&command), "{}", error.advice());
        }
    }
}
