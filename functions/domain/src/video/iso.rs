//! MP4 and MOV: a walk over the boxes of an ISO base media file.
//!
//! The walk goes forward only, opens the boxes that lead to a track's
//! description, reads the front of a dozen small ones and steps over everything
//! else by its stated size, sample tables and media data included. It knows
//! where boxes stand; what they say is for [`track`] and [`fragments`].
//!
//! Each turn of the loop either changes nothing because bytes are missing, or
//! handles one box and moves at least eight bytes on.

mod boxes;
mod fragments;
mod track;

use self::boxes::{BoxAt, cut_off, next_box, too_short};
use self::fragments::Fragments;
use self::track::{MovieHeader, Track};
use super::inspect::{InspectError, not_found};
use super::window::{Halt, Window};
use super::{Container, VideoFacts};

/// The longest front of a small box that anything is read from, in bytes.
const FRONT: u64 = 128;

/// The longest front of a box with a table that is added up, in bytes: an index
/// of 65 535 fragments is shorter.
const TABLE: u64 = 1024 * 1024;

/// A kind of box that other boxes stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    File,
    Movie,
    Track,
    Media,
    MediaInformation,
    SampleTable,
    MovieExtends,
    Fragment,
    TrackFragment,
}

impl Level {
    /// Returns the level that a box of `kind` opens here, if the way to a
    /// track's description or a fragment's samples leads through it.
    fn opened_by(self, kind: [u8; 4]) -> Option<Self> {
        match (self, &kind) {
            (Self::File, b"moov") => Some(Self::Movie),
            (Self::Movie, b"trak") => Some(Self::Track),
            (Self::Track, b"mdia") => Some(Self::Media),
            (Self::Media, b"minf") => Some(Self::MediaInformation),
            (Self::MediaInformation, b"stbl") => Some(Self::SampleTable),
            (Self::Movie, b"mvex") => Some(Self::MovieExtends),
            (Self::File, b"moof") => Some(Self::Fragment),
            (Self::Fragment, b"traf") => Some(Self::TrackFragment),
            _ => None,
        }
    }
}

/// Walks one file from its first box to the facts.
#[derive(Debug)]
pub(super) struct Walk {
    container: Container,
    size: u64,
    open: Vec<(Level, u64)>,
    movie: MovieHeader,
    track: Track,
    video: Option<Track>,
    has_movie: bool,
    fragments: Option<Fragments>,
}

impl Walk {
    /// Starts at the front of a file of `size` bytes.
    pub(super) fn new(container: Container, size: u64) -> Self {
        Self {
            container,
            size,
            open: Vec::new(),
            movie: MovieHeader::default(),
            track: Track::default(),
            video: None,
            has_movie: false,
            fragments: None,
        }
    }

    /// Goes on until the facts are found or bytes are missing.
    pub(super) fn advance(&mut self, window: &mut Window) -> Result<VideoFacts, Halt> {
        loop {
            self.close_what_ended(window)?;
            if self.has_enough() {
                self.refuse_cut_media(window)?;
                return Ok(self.facts()?);
            }
            let (level, limit) = self.open.last().copied().unwrap_or((Level::File, self.size));
            let Some(found) = next_box(window, limit)? else {
                if level == Level::File {
                    return Ok(self.facts()?);
                }
                window.skip_to(limit);
                continue;
            };
            if found.end > limit {
                return Ok(self.overrun(level, &found)?);
            }
            if let Some(inner) = level.opened_by(found.kind) {
                self.enter(inner, &found)?;
                window.skip_to(found.body);
            } else {
                self.read(level, &found, window)?;
                window.skip_to(self.resume_after(&found));
            }
        }
    }

    /// States what is known when no more reads are to be spent.
    pub(super) fn give_up(&self) -> Result<VideoFacts, InspectError> {
        let (true, Some(video), Some(fragments)) = (self.has_movie, &self.video, &self.fragments) else {
            return Err(not_found());
        };
        let (duration, rate) = (fragments.declared_millis(), fragments.frame_rate());
        video.facts(self.container, self.movie, duration, rate)
    }

    fn enter(&mut self, inner: Level, found: &BoxAt) -> Result<(), InspectError> {
        match inner {
            Level::Movie if self.has_movie => {
                return Err(InspectError::damaged("it has two movie headers"));
            }
            Level::Fragment if !self.has_movie => {
                let why = "it is a fragment of a video, without the header that belongs before it";
                return Err(InspectError::damaged(why));
            }
            Level::Track => self.track = Track::default(),
            Level::MovieExtends => {
                self.fragments.get_or_insert_default();
            }
            _ => {}
        }
        self.open.push((inner, found.end));
        Ok(())
    }

    fn close_what_ended(&mut self, window: &mut Window) -> Result<(), InspectError> {
        while let Some((level, _)) = self.open.pop_if(|(_, end)| *end <= window.cursor()) {
            match level {
                Level::Track => self.keep_track(),
                Level::Movie => self.close_movie()?,
                Level::Fragment => {
                    let indexed = self.fragments.as_ref().map_or(0, Fragments::indexed_until);
                    window.skip_to(indexed);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Keeps the first video track, or the first that is enabled.
    fn keep_track(&mut self) {
        let track = std::mem::take(&mut self.track);
        let is_better = match &self.video {
            None => true,
            Some(kept) => !kept.is_enabled() && track.is_enabled(),
        };
        if track.is_video == Some(true) && is_better {
            self.video = Some(track);
        }
    }

    fn close_movie(&mut self) -> Result<(), InspectError> {
        self.has_movie = true;
        let Some(video) = &self.video else {
            return Err(InspectError::not_a_video("it has no video track"));
        };
        if let Some(fragments) = &mut self.fragments {
            fragments.begin(video, self.movie.span);
        }
        Ok(())
    }

    fn has_enough(&self) -> bool {
        self.has_movie && self.fragments.as_ref().is_none_or(Fragments::is_settled)
    }

    fn facts(&self) -> Result<VideoFacts, InspectError> {
        let Some(video) = self.video.as_ref().filter(|_| self.has_movie) else {
            return Err(InspectError::damaged("it has no movie header (`moov` box)"));
        };
        let (duration, rate) = match &self.fragments {
            Some(fragments) => (fragments.millis(), fragments.frame_rate()),
            None => (self.movie.span.millis().or(video.media.unwrap_or_default().millis()), video.frame_rate()),
        };
        video.facts(self.container, self.movie, duration, rate)
    }

    /// Reads what is of use in a box that is not opened.
    fn read(&mut self, level: Level, found: &BoxAt, window: &Window) -> Result<(), Halt> {
        let short = || too_short(found.kind);
        match (level, &found.kind) {
            (Level::Movie, b"cmov") => {
                return Err(InspectError::unsupported("its movie header is compressed").into());
            }
            (Level::Movie, b"mvhd") => {
                self.movie = track::movie_header(found.front(window, FRONT)?).ok_or_else(short)?;
            }
            (Level::Track, b"tkhd") => {
                let header = track::track_header(found.front(window, FRONT)?).ok_or_else(short)?;
                self.track.header = Some(header);
            }
            (Level::Media, b"mdhd") => {
                let media = track::media_header(found.front(window, FRONT)?).ok_or_else(short)?;
                self.track.media = Some(media);
            }
            (Level::Media, b"hdlr") => {
                let is_video = track::is_video(found.front(window, FRONT)?).ok_or_else(short)?;
                self.track.is_video = Some(is_video);
            }
            (Level::SampleTable, b"stsd") => {
                self.track.entry = track::sample_entry(found.front(window, FRONT)?);
            }
            (Level::SampleTable, b"stsz" | b"stz2") => {
                let samples = track::sample_count(found.front(window, FRONT)?).ok_or_else(short)?;
                self.track.samples = Some(samples);
            }
            _ => self.read_fragment(level, found, window)?,
        }
        Ok(())
    }

    fn read_fragment(&mut self, level: Level, found: &BoxAt, window: &Window) -> Result<(), Halt> {
        let Some(fragments) = &mut self.fragments else {
            return Ok(());
        };
        let read = match (level, &found.kind) {
            (Level::MovieExtends, b"mehd") => fragments.extends_header(found.front(window, FRONT)?),
            (Level::MovieExtends, b"trex") => fragments.track_defaults(found.front(window, FRONT)?),
            (Level::File, b"sidx") => fragments.index(found.front(window, TABLE)?, found.end),
            (Level::TrackFragment, b"tfhd") => fragments.track_header(found.front(window, FRONT)?),
            (Level::TrackFragment, b"trun") => fragments.run(found.front(window, TABLE)?, found.start),
            _ => Some(()),
        };
        Ok(read.ok_or_else(|| too_short(found.kind))?)
    }

    /// Returns where the walk goes on after a box: behind it, or behind the
    /// whole track when the rest of that is of no use.
    fn resume_after(&self, found: &BoxAt) -> u64 {
        let done = self.track.is_video == Some(false) || self.track.is_complete();
        let track = self.open.iter().find(|(level, _)| *level == Level::Track);
        track.filter(|_| done).map_or(found.end, |(_, end)| *end)
    }

    /// Judges a box that says it is longer than what it stands in.
    fn overrun(&self, level: Level, found: &BoxAt) -> Result<VideoFacts, InspectError> {
        let kind = found.kind.escape_ascii();
        if level != Level::File {
            let why = format!("its `{kind}` box is longer than the box around it");
            return Err(InspectError::damaged(why));
        }
        if self.has_movie {
            // A recording that was broken off: its fragments so far do play.
            return self.facts();
        }
        Err(cut_off(found, self.size))
    }

    /// Looks whether media data behind the header is all there, as far as that
    /// takes no further read.
    fn refuse_cut_media(&self, window: &mut Window) -> Result<(), InspectError> {
        while let (None, Ok(Some(found))) = (&self.fragments, next_box(window, self.size)) {
            if found.end > self.size && &found.kind == b"mdat" {
                return Err(cut_off(&found, self.size));
            }
            window.skip_to(found.end);
        }
        Ok(())
    }
}
