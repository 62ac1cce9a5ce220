//! Indexes of fragments: the segment index (`sidx`) and the random access table (`mfra`) (ISO/IEC 14496-12, sections
//! 8.16.3 and 8.8.9).

use super::boxes::BoxHeader;
use super::clock::Clock;
use crate::video::error::{ParseError, known};
use crate::video::fields::FieldReader;
use crate::video::file::PartialFile;

/// How much may follow the range that a segment index covers, in bytes: other indexes and metadata.
const MAX_LEN_AFTER_INDEX: u64 = 64 * 1024;

/// The last bytes of a file that are read to find `mfro`. The last fragment is often among them.
const END_LEN: u64 = 64 * 1024;

/// The length of `mfro`, the last box in `mfra`.
const MFRO_LEN: u64 = 16;

/// The segment index of one track: the duration of the fragments after it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentIndex {
    pub(super) track_id: u32,
    clock: Clock,
    ticks: u64,
    /// The end of the fragments that it covers.
    end: u64,
}

impl SegmentIndex {
    /// Reads the box `sidx`. Returns `None` if it is too short.
    pub(super) fn read(file: &PartialFile, sidx: &BoxHeader) -> Result<Option<Self>, ParseError> {
        Ok(known(sidx.table(file))?.and_then(|fields| Self::parse(fields, sidx.end)))
    }

    /// Parses the fields of a `sidx` box that ends at the position `box_end`.
    fn parse(mut fields: FieldReader<'_>, box_end: u64) -> Option<Self> {
        let (version, _) = fields.version_and_flags()?;
        let track_id = fields.u32()?;
        let clock = Clock { ticks_per_second: fields.u32()? };
        fields.versioned(version)?; // earliest presentation time
        let mut end = box_end.saturating_add(fields.versioned(version)?); // first offset
        fields.skip(2)?; // reserved
        let mut ticks = 0_u64;
        for _ in 0..fields.u16()? {
            // The low 31 bits are the size of the indexed range in bytes.
            end = end.saturating_add(u64::from(fields.u32()? & 0x7fff_ffff));
            ticks = ticks.saturating_add(fields.u32()?.into());
            fields.skip(4)?; // stream access point
        }
        Some(Self { track_id, clock, ticks, end })
    }

    /// Returns the duration of the fragments in milliseconds if the index covers the file to its end.
    pub(super) fn duration_ms(&self, file_size: u64) -> Option<u64> {
        if self.end.saturating_add(MAX_LEN_AFTER_INDEX) < file_size {
            return None;
        }
        self.clock.millis(self.ticks)
    }
}

/// An entry of the random access table: a sample at which a player can start.
#[derive(Clone, Copy, Debug)]
pub(super) struct RandomAccess {
    pub(super) track_id: u32,
    /// The time of the sample in ticks of the track.
    pub(super) ticks: u64,
    /// The position of the fragment (`moof`) with the sample.
    pub(super) fragment: u64,
}

/// Reads the random access table at the end of the file. Returns the last entry of each track; none if there is no
/// table.
pub(super) fn last_random_accesses(file: &PartialFile) -> Result<Vec<RandomAccess>, ParseError> {
    let end = file.size();
    let Some(_) = known(file.bytes(end.saturating_sub(END_LEN)..end))? else {
        return Ok(Vec::new());
    };
    let mut fields = FieldReader::new(file.bytes(end.saturating_sub(MFRO_LEN)..end)?);
    let mfro = (fields.u32(), fields.array(), fields.u32(), fields.u32());
    let (Some(16), Some(b"mfro"), Some(_), Some(table_len)) = (mfro.0, mfro.1.as_ref(), mfro.2, mfro.3) else {
        return Ok(Vec::new());
    };
    let Some(start) = end.checked_sub(table_len.into()) else {
        return Ok(Vec::new());
    };
    let mut entries = Vec::new();
    known(read_table(file, start, &mut entries))?;
    Ok(entries)
}

fn read_table(file: &PartialFile, start: u64, entries: &mut Vec<RandomAccess>) -> Result<(), ParseError> {
    file.bytes(start..file.size())?;
    let mfra = super::boxes::box_at(file, start, file.size())?;
    let Some(mfra) = mfra.filter(|header| &header.kind == b"mfra") else {
        return Ok(());
    };
    for tfra in mfra.children(file) {
        let tfra = tfra?;
        if &tfra.kind == b"tfra" {
            entries.extend(last_entry(tfra.table(file)?));
        }
    }
    Ok(())
}

/// Returns the last row of a `tfra` box (section 8.8.10).
fn last_entry(mut fields: FieldReader<'_>) -> Option<RandomAccess> {
    let (version, _) = fields.version_and_flags()?;
    let track_id = fields.u32()?;
    let number_sizes = fields.u32()?;
    let rows = usize::try_from(fields.u32()?).ok()?;
    // After time and position, a row has three numbers of 1 to 4 bytes: track fragment, run and sample.
    let numbers_len: u32 = [4, 2, 0].iter().map(|shift| (number_sizes >> shift & 3) + 1).sum();
    let row_len = usize::try_from(numbers_len).ok()? + if version == 1 { 16 } else { 8 };
    fields.skip(rows.checked_sub(1)?.checked_mul(row_len)?)?;
    Some(RandomAccess { track_id, ticks: fields.versioned(version)?, fragment: fields.versioned(version)? })
}
