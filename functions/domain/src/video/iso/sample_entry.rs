//! The description of a video track's samples, in `stsd` (ISO/IEC 14496-12, sections 8.5.2 and 12.1.3).

use super::boxes::{BoxHeader, Boxes};
use crate::video::codec::Codec;
use crate::video::error::ParseError;
use crate::video::fields::FieldReader;
use crate::video::file::PartialFile;

/// The length of a video sample entry before the boxes inside it, in bytes, without the header of the box.
const VIDEO_FIELDS_LEN: u64 = 78;

/// The first sample entry of a video track.
#[derive(Clone, Debug)]
pub(super) struct SampleEntry {
    pub(super) codec: Codec,
    /// Whether the samples are encrypted: an entry `encv` or with a `sinf` box (section 8.12), or Apple's `drmi`.
    pub(super) is_encrypted: bool,
    /// Whether the samples are pictures of a still format, for example covers: JPEG or PNG.
    pub(super) is_still: bool,
    /// In pixels; 0 if unknown.
    pub(super) width: u32,
    pub(super) height: u32,
}

impl SampleEntry {
    /// Reads the first entry in `stsd`. Returns `None` if there is none.
    pub(super) fn read(file: &PartialFile, stsd: &BoxHeader) -> Result<Option<Self>, ParseError> {
        // Version and flags, and the number of entries.
        let entries = Boxes::between(file, stsd.body.saturating_add(8)..stsd.end);
        let Some(entry) = { entries }.next().transpose()? else {
            return Ok(None);
        };
        let (width, height) = picture_size(entry.fields(file)?).unwrap_or_default();
        let mut is_encrypted = matches!(&entry.kind, b"encv" | b"drmi");
        let mut is_still = matches!(&entry.kind, b"jpeg" | b"mjpa" | b"mjpb" | b"png ");
        for child in Boxes::between(file, entry.body.saturating_add(VIDEO_FIELDS_LEN)..entry.end) {
            let child = child?;
            match &child.kind {
                b"sinf" => is_encrypted = true,
                b"esds" => is_still |= is_still_object(child.fields(file)?).unwrap_or(false),
                _ => {}
            }
        }
        Ok(Some(Self { codec: Codec::from_sample_entry(entry.kind), is_encrypted, is_still, width, height }))
    }
}

fn picture_size(mut fields: FieldReader<'_>) -> Option<(u32, u32)> {
    fields.skip(8 + 16)?; // reserved and data reference, the fields from version to quality
    Some((fields.u16()?.into(), fields.u16()?.into()))
}

/// Returns whether `esds` states JPEG or PNG as the format of the samples (ISO/IEC 14496-1, sections 7.2.6.5 and
/// 7.2.6.6): an `ES_Descriptor` that contains a `DecoderConfigDescriptor`, whose first byte is the format.
fn is_still_object(mut fields: FieldReader<'_>) -> Option<bool> {
    const ES_DESCRIPTOR: u8 = 3;
    const DECODER_CONFIG: u8 = 4;
    const JPEG: u8 = 0x6c;
    const PNG: u8 = 0x6d;
    fields.skip(4)?; // version and flags
    descriptor(&mut fields, ES_DESCRIPTOR)?;
    fields.skip(2)?; // id
    let [flags] = fields.array()?;
    fields.skip(if flags & 0x80 == 0 { 0 } else { 2 })?; // the id of another stream
    if flags & 0x40 != 0 {
        let [url_len] = fields.array()?;
        fields.skip(url_len.into())?;
    }
    fields.skip(if flags & 0x20 == 0 { 0 } else { 2 })?; // the id of a clock
    descriptor(&mut fields, DECODER_CONFIG)?;
    let [format] = fields.array()?;
    Some(matches!(format, JPEG | PNG))
}

/// Reads the header of a descriptor: a tag, and a length of 1 to 4 bytes with 7 bits each.
fn descriptor(fields: &mut FieldReader<'_>, tag: u8) -> Option<()> {
    let [found] = fields.array()?;
    while fields.array::<1>()?[0] & 0x80 != 0 {}
    (found == tag).then_some(())
}
