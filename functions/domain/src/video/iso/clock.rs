//! Clocks and transformation matrices, which `mvhd`, `mdhd` and `tkhd` have in common (ISO/IEC 14496-12, sections
//! 8.2.2, 8.4.2 and 8.3.2).

use crate::video::fields::FieldReader;

/// The clock of the movie or of one track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Clock {
    /// The field `timescale`; 0 if unknown.
    pub(super) ticks_per_second: u32,
}

impl Clock {
    /// Reads the first fields of `mvhd` or `mdhd`.
    pub(super) fn read(mut fields: FieldReader<'_>) -> Option<Self> {
        Self::read_from(&mut fields)
    }

    /// Reads the first fields of `mvhd` or `mdhd`, and leaves the reader after the duration.
    pub(super) fn read_from(fields: &mut FieldReader<'_>) -> Option<Self> {
        let (version, _) = fields.version_and_flags()?;
        fields.versioned(version)?; // creation time
        fields.versioned(version)?; // modification time
        let ticks_per_second = fields.u32()?;
        fields.versioned(version)?; // duration
        Some(Self { ticks_per_second })
    }

    /// Returns ticks of this clock in milliseconds; `None` if the clock is unknown.
    pub(super) fn millis(self, ticks: u64) -> Option<u64> {
        let millis = (u128::from(ticks) * 1000).checked_div(u128::from(self.ticks_per_second))?;
        u64::try_from(millis).ok()
    }
}

/// Reads a transformation matrix. Returns whether it swaps width and height: a turn by about 90 or 270 degrees.
pub(super) fn is_quarter_turn(fields: &mut FieldReader<'_>) -> Option<bool> {
    let cosine = fields.i32()?;
    let sine = fields.i32()?;
    fields.skip(7 * 4)?; // the other elements of the matrix
    Some(sine.unsigned_abs() > cosine.unsigned_abs())
}
