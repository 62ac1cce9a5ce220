//! The movie header (`moov`): the movie's clock and its tracks (ISO/IEC 14496-12, section 8.2).

use std::cmp::Reverse;

use super::boxes::BoxHeader;
use super::clock::{Clock, is_quarter_turn};
use super::track::{Track, TrackKind};
use crate::video::error::{ParseError, known};
use crate::video::fields::FieldReader;
use crate::video::file::PartialFile;

/// The most tracks that are read. No video has more; further tracks are ignored.
const MAX_TRACKS: usize = 64;

/// The movie header of one file.
#[derive(Debug, Default)]
pub(super) struct Movie {
    /// From `mvhd`. Its duration is not used: some muxers write it wrong.
    pub(super) clock: Clock,
    /// Whether the whole movie is displayed with a quarter turn.
    pub(super) is_rotated: bool,
    pub(super) tracks: Vec<Track>,
    /// Whether samples can follow in fragments: there is an `mvex` box.
    pub(super) is_fragmented: bool,
    /// Whether a part of the header was not read, because it is compressed (`cmov`) or beyond the budget.
    pub(super) is_partial: bool,
}

impl Movie {
    /// Reads the movie header in the box `moov`.
    pub(super) fn read(file: &PartialFile, moov: &BoxHeader) -> Result<Self, ParseError> {
        let mut movie = Self::default();
        let mut defaults = Vec::new();
        movie.is_partial |= known(movie.read_boxes(file, moov, &mut defaults))?.is_none();
        for track in &mut movie.tracks {
            let default = defaults.iter().find(|(id, _)| *id == track.header.id);
            track.default_ticks = default.map(|(_, ticks)| *ticks);
            movie.is_partial |= track.kind.is_none();
        }
        Ok(movie)
    }

    fn read_boxes(
        &mut self,
        file: &PartialFile,
        moov: &BoxHeader,
        defaults: &mut Vec<(u32, u32)>,
    ) -> Result<(), ParseError> {
        for header in moov.children(file) {
            let header = header?;
            match &header.kind {
                b"mvhd" => {
                    (self.clock, self.is_rotated) = movie_header(header.fields(file)?).unwrap_or_default();
                }
                b"trak" if self.tracks.len() < MAX_TRACKS => self.tracks.push(Track::read(file, &header)?),
                b"cmov" => self.is_partial = true,
                b"mvex" => {
                    self.is_fragmented = true;
                    for child in header.children(file) {
                        let child = child?;
                        if &child.kind == b"trex" && defaults.len() < MAX_TRACKS {
                            defaults.extend(track_extends(child.fields(file)?));
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns the index of the video track that players show.
    ///
    /// A track with samples goes before one without, a video before covers and thumbnails, an enabled track before a
    /// disabled one, and a codec that TikTok accepts before another one. Of equal tracks, it is the first.
    pub(super) fn video_track(&self) -> Option<usize> {
        let videos = self.tracks.iter().enumerate().filter(|(_, track)| track.kind == Some(TrackKind::Video));
        let best = videos.max_by_key(|(index, track)| {
            let is_accepted = track.entry.as_ref().is_some_and(|entry| entry.codec.is_accepted());
            let is_empty = track.times.as_ref().is_some_and(|times| times.samples == 0) && !self.is_fragmented;
            (!is_empty, !track.has_only_stills(), track.header.is_enabled, is_accepted, Reverse(*index))
        });
        best.map(|(index, _)| index)
    }

    /// Returns the presented duration in milliseconds of a track with `ticks` ticks of samples; `None` if unknown.
    pub(super) fn presented_ms(&self, track: &Track, ticks: u64) -> Option<u64> {
        let priming = if track.kind == Some(TrackKind::Audio) { track.edits.priming() } else { 0 };
        // The edits of a fragmented file can cover the samples in the movie header only.
        let edits = if self.is_fragmented { track.edits.without_end() } else { track.edits };
        edits.presented_ms(self.clock, track.clock, ticks.saturating_sub(priming))
    }

    /// Returns the tracks whose duration counts: the video track `video` and the enabled audio tracks, with indexes.
    pub(super) fn presented_tracks(&self, video: usize) -> impl Iterator<Item = (usize, &Track)> {
        self.tracks.iter().enumerate().filter(move |(index, track)| {
            *index == video || (track.kind == Some(TrackKind::Audio) && track.header.is_enabled)
        })
    }
}

/// Reads `mvhd` (section 8.2.2).
fn movie_header(mut fields: FieldReader<'_>) -> Option<(Clock, bool)> {
    let clock = Clock::read_from(&mut fields)?;
    fields.skip(4 + 2 + 10)?; // rate, volume, reserved
    Some((clock, is_quarter_turn(&mut fields)?))
}

/// Reads `trex` (section 8.8.3): the id of a track and the default ticks of its samples in fragments.
fn track_extends(mut fields: FieldReader<'_>) -> Option<(u32, u32)> {
    fields.skip(4)?; // version and flags
    let track_id = fields.u32()?;
    fields.skip(4)?; // default sample entry
    Some((track_id, fields.u32()?))
}
