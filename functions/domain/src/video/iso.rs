//! The parser for MP4 and MOV, which are ISO base media files.
//!
//! The parser only moves forward. It enters the boxes that contain a track's description, reads the first fields of
//! about a dozen small boxes, and skips all other boxes by their stated size, including sample tables and media data.
//! This file knows which box may stand where; [`track`] and [`fragments`] read the fields of the boxes.
//!
//! Each iteration handles one box and moves at least 8 bytes forward. If bytes are missing, it changes nothing.

mod boxes;
mod fragments;
mod track;

use self::boxes::{BoxHeader, MAX_FIELDS_LEN, next_box, too_short, truncated};
use self::fragments::Fragments;
use self::track::{MovieHeader, Track};
use super::container::Container;
use super::error::{InspectError, ParseError};
use super::facts::VideoFacts;
use super::window::Window;

/// The most bytes read from a box whose table is summed. An index of 65 535 fragments is shorter.
const MAX_TABLE_LEN: u64 = 1024 * 1024;

/// A box that the parser enters, or the file itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ParentBox {
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

impl ParentBox {
    /// Returns the parent box that a box of `kind` is inside this one. Returns `None` for a box that the parser does
    /// not enter.
    fn child(self, kind: [u8; 4]) -> Option<Self> {
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

/// Parses one file from its first box until the facts are complete.
#[derive(Debug)]
pub(super) struct Parser {
    container: Container,
    file_size: u64,
    /// The boxes around the cursor from outside to inside, each with the position of its end.
    open_boxes: Vec<(ParentBox, u64)>,
    movie: MovieHeader,
    /// The track that is being read.
    track: Track,
    /// The best video track so far; see [`Self::select_track`].
    video: Option<Track>,
    /// Whether the whole movie header (`moov`) has been read.
    has_movie: bool,
    /// `Some` if the movie header announces fragments by an `mvex` box.
    fragments: Option<Fragments>,
}

impl Parser {
    /// Creates a parser at the front of a file of `file_size` bytes.
    pub(super) fn new(container: Container, file_size: u64) -> Self {
        Self {
            container,
            file_size,
            open_boxes: Vec::new(),
            movie: MovieHeader::default(),
            track: Track::default(),
            video: None,
            has_movie: false,
            fragments: None,
        }
    }

    /// Parses boxes until the facts are complete or the window lacks bytes.
    pub(super) fn advance(&mut self, window: &mut Window) -> Result<VideoFacts, ParseError> {
        loop {
            self.close_ended_boxes(window)?;
            if self.is_complete() {
                self.check_media_data(window)?;
                return Ok(self.facts()?);
            }
            let (parent, parent_end) = self.open_boxes.last().copied().unwrap_or((ParentBox::File, self.file_size));
            let Some(header) = next_box(window, parent_end)? else {
                if parent == ParentBox::File {
                    return Ok(self.facts()?);
                }
                window.skip_to(parent_end);
                continue;
            };
            if header.end > parent_end {
                return Ok(self.facts_before_overlong_box(parent, &header)?);
            }
            if let Some(child) = parent.child(header.kind) {
                self.enter(child, &header)?;
                window.skip_to(header.body);
            } else {
                self.read(parent, &header, window)?;
                window.skip_to(self.next_position(&header));
            }
        }
    }

    /// Returns the facts of a fragmented file after the last allowed read. Returns `None` if the movie header is not
    /// complete or there are no fragments.
    ///
    /// The duration is the declared one only: some fragments were not read.
    pub(super) fn partial_facts(&self) -> Option<Result<VideoFacts, InspectError>> {
        let (true, Some(video), Some(fragments)) = (self.has_movie, &self.video, &self.fragments) else {
            return None;
        };
        let (duration, rate) = (fragments.declared_duration_ms(), fragments.frame_rate());
        Some(video.facts(self.container, self.movie, duration, rate))
    }

    fn enter(&mut self, child: ParentBox, header: &BoxHeader) -> Result<(), InspectError> {
        match child {
            ParentBox::Movie if self.has_movie => {
                return Err(InspectError::damaged("it has two movie headers"));
            }
            ParentBox::Fragment if !self.has_movie => {
                let reason = "it is a fragment of a video, without the header that belongs before it";
                return Err(InspectError::damaged(reason));
            }
            ParentBox::Track => self.track = Track::default(),
            ParentBox::MovieExtends => {
                self.fragments.get_or_insert_default();
            }
            _ => {}
        }
        self.open_boxes.push((child, header.end));
        Ok(())
    }

    fn close_ended_boxes(&mut self, window: &mut Window) -> Result<(), InspectError> {
        while let Some((parent, _)) = self.open_boxes.pop_if(|(_, end)| *end <= window.cursor()) {
            match parent {
                ParentBox::Track => self.select_track(),
                ParentBox::Movie => self.close_movie()?,
                ParentBox::Fragment => {
                    let position = self.fragments.as_ref().map_or(0, Fragments::skippable_until);
                    window.skip_to(position);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Selects the track that ends here if it is the first enabled video track, or the first video track as long as
    /// none is enabled.
    fn select_track(&mut self) {
        let track = std::mem::take(&mut self.track);
        let is_better = match &self.video {
            None => true,
            Some(selected) => !selected.is_enabled() && track.is_enabled(),
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
            fragments.start(video, self.movie.duration);
        }
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.has_movie && self.fragments.as_ref().is_none_or(Fragments::is_complete)
    }

    fn facts(&self) -> Result<VideoFacts, InspectError> {
        let Some(video) = self.video.as_ref().filter(|_| self.has_movie) else {
            return Err(InspectError::damaged("it has no movie header (`moov` box)"));
        };
        let (duration, rate) = match &self.fragments {
            Some(fragments) => (fragments.duration_ms(), fragments.frame_rate()),
            None => (self.movie.duration.millis().or(video.duration.unwrap_or_default().millis()), video.frame_rate()),
        };
        video.facts(self.container, self.movie, duration, rate)
    }

    /// Reads the needed fields of a box that the parser does not enter.
    fn read(&mut self, parent: ParentBox, header: &BoxHeader, window: &Window) -> Result<(), ParseError> {
        match (parent, &header.kind) {
            (ParentBox::Movie, b"cmov") => {
                return Err(InspectError::unsupported("its movie header is compressed").into());
            }
            (ParentBox::Movie, b"mvhd") => self.movie = header.read(window, track::movie_header)?,
            (ParentBox::Track, b"tkhd") => self.track.header = Some(header.read(window, track::track_header)?),
            (ParentBox::Media, b"mdhd") => self.track.duration = Some(header.read(window, track::media_duration)?),
            (ParentBox::Media, b"hdlr") => self.track.is_video = Some(header.read(window, track::is_video)?),
            (ParentBox::SampleTable, b"stsd") => {
                self.track.sample_entry = track::sample_entry(header.fields(window, MAX_FIELDS_LEN)?);
            }
            (ParentBox::SampleTable, b"stsz" | b"stz2") => {
                self.track.sample_count = Some(header.read(window, track::sample_count)?);
            }
            _ => self.read_fragment_box(parent, header, window)?,
        }
        Ok(())
    }

    fn read_fragment_box(&mut self, parent: ParentBox, header: &BoxHeader, window: &Window) -> Result<(), ParseError> {
        let Some(fragments) = &mut self.fragments else {
            return Ok(());
        };
        let fields = |max_len| header.fields(window, max_len);
        let read = match (parent, &header.kind) {
            (ParentBox::MovieExtends, b"mehd") => fragments.movie_extends_header(fields(MAX_FIELDS_LEN)?),
            (ParentBox::MovieExtends, b"trex") => fragments.track_extends(fields(MAX_FIELDS_LEN)?),
            (ParentBox::File, b"sidx") => fragments.segment_index(fields(MAX_TABLE_LEN)?, header.end),
            (ParentBox::TrackFragment, b"tfhd") => fragments.track_fragment_header(fields(MAX_FIELDS_LEN)?),
            (ParentBox::TrackFragment, b"trun") => fragments.track_run(fields(MAX_TABLE_LEN)?, header.start),
            _ => Some(()),
        };
        Ok(read.ok_or_else(|| too_short(header.kind))?)
    }

    /// Returns the position at which to continue after a box: the end of the box, or the end of the track if the rest
    /// of the track is not needed.
    fn next_position(&self, header: &BoxHeader) -> u64 {
        let skip_track = self.track.is_video == Some(false) || self.track.is_complete();
        let track = self.open_boxes.iter().find(|(parent, _)| *parent == ParentBox::Track);
        track.filter(|_| skip_track).map_or(header.end, |(_, end)| *end)
    }

    /// Returns the facts found before a box whose stated size exceeds its parent.
    ///
    /// # Errors
    /// [`InspectError::Damaged`] if the parent is not the file, or no complete movie header is before the box.
    fn facts_before_overlong_box(&self, parent: ParentBox, header: &BoxHeader) -> Result<VideoFacts, InspectError> {
        let kind = header.kind.escape_ascii();
        if parent != ParentBox::File {
            let reason = format!("its `{kind}` box is longer than the box around it");
            return Err(InspectError::damaged(reason));
        }
        if self.has_movie {
            // An aborted recording: the fragments before this box are playable.
            return self.facts();
        }
        Err(truncated(header, self.file_size))
    }

    /// Checks that the media data after the header is complete, as far as the box headers are already in the window.
    /// It causes no further read.
    fn check_media_data(&self, window: &mut Window) -> Result<(), InspectError> {
        while let (None, Ok(Some(header))) = (&self.fragments, next_box(window, self.file_size)) {
            if header.end > self.file_size && &header.kind == b"mdat" {
                return Err(truncated(&header, self.file_size));
            }
            window.skip_to(header.end);
        }
        Ok(())
    }
}
