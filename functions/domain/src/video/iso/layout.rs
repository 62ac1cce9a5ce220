//! The top-level boxes of an ISO file: finds the movie header (`moov`) and the media data (`mdat`).
//!
//! The boxes are visited from the front. If that takes many reads, or a box states a wrong size, the movie header is
//! searched at the end of the file: recorders write it there.

use super::boxes::{BoxHeader, MAX_HEADER_LEN, box_at};
use crate::video::container::Container;
use crate::video::error::{InspectError, ParseError, known};
use crate::video::file::{MAX_READ_LEN, PartialFile};

/// How many bytes a box may state beyond the end of the file. Some muxers count a header twice. A frame is longer, so
/// no meaningful part is missing.
const MAX_EXCESS: u64 = 64;

/// The reads after which the movie header is searched at the end of the file.
const READS_BEFORE_SEARCH: u32 = 4;

/// The reads after which no further read is made to find the media data.
const READS_FOR_MEDIA_DATA: u32 = 8;

/// The lengths of the searched ends of the file, in bytes.
const SEARCHED_LENS: [u64; 3] = [64 * 1024, 256 * 1024, MAX_READ_LEN];

/// Whether the file has the media data that belongs to its movie header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaData {
    Present,
    Absent,
    /// The file ends inside this box.
    Truncated(BoxHeader),
    /// Not all boxes were visited.
    Unknown,
}

/// What the top-level boxes up to the movie header state.
#[derive(Debug)]
pub(super) struct Layout {
    /// `None` before the first `ftyp` or `styp` box.
    container: Option<Container>,
    /// The movie header. `None` if it is beyond the budget.
    pub(super) movie: Option<BoxHeader>,
    /// Whether media data is before the movie header.
    media_data_before: MediaData,
}

impl Layout {
    /// Finds the movie header in the boxes from the position `start`.
    ///
    /// # Errors
    /// [`InspectError::Damaged`] if there is no movie header.
    pub(super) fn find(file: &PartialFile, start: u64) -> Result<Self, ParseError> {
        let mut layout = Self { container: None, movie: None, media_data_before: MediaData::Absent };
        let mut position = start;
        loop {
            let header = match top_level_box(file, position) {
                Ok(header) => header,
                Err(ParseError::Needs(missing)) if file.reads() >= READS_BEFORE_SEARCH => {
                    layout.search(file, start)?;
                    if layout.movie.is_some() {
                        return Ok(layout);
                    }
                    return Err(ParseError::Needs(missing));
                }
                // The movie header is beyond the budget.
                Err(ParseError::Unreadable) => return Ok(layout),
                Err(error) => return Err(error),
            };
            let Some(header) = header else {
                // The end of the file, or bytes that are no box. A box before may have stated a wrong size.
                layout.search(file, start)?;
                return layout.with_movie();
            };
            match &header.kind {
                b"moov" if header.excess() <= MAX_EXCESS => {
                    layout.movie = Some(header);
                    return Ok(layout);
                }
                b"moof" => {
                    let reason = "it is a fragment of a video, without the header that belongs before it";
                    return Err(InspectError::damaged(reason).into());
                }
                b"ftyp" | b"styp" if layout.container.is_none() => {
                    let brand = header.fields(file)?.array();
                    layout.container = Some(if brand == Some(*b"qt  ") { Container::Mov } else { Container::Mp4 });
                }
                b"mdat" => layout.media_data_before = MediaData::Present,
                _ => {}
            }
            if header.excess() > 0 || !header.has_size {
                // The size may be wrong, or may never have been written. Then the movie header is inside the box.
                layout.search(file, start)?;
                if layout.movie.is_none() && header.excess() > MAX_EXCESS {
                    return Err(truncated(&header, file.size()).into());
                }
                return layout.with_movie();
            }
            position = header.end;
        }
    }

    /// Returns the container. QuickTime files from before `ftyp` was defined do not state it.
    pub(super) fn container(&self) -> Container {
        self.container.unwrap_or(Container::Mov)
    }

    /// Returns whether the file has media data before or after the movie header.
    pub(super) fn media_data(&self, file: &PartialFile) -> Result<MediaData, ParseError> {
        match (self.media_data_before, &self.movie) {
            (MediaData::Absent, Some(movie)) => media_data_after(file, movie),
            (before, _) => Ok(before),
        }
    }

    /// Searches the movie header at the end of the file, after the position `start`.
    fn search(&mut self, file: &PartialFile, start: u64) -> Result<(), ParseError> {
        self.movie = movie_at_end(file, start)?;
        if self.media_data_before == MediaData::Absent {
            self.media_data_before = MediaData::Unknown;
        }
        Ok(())
    }

    fn with_movie(self) -> Result<Self, ParseError> {
        if self.movie.is_some() {
            return Ok(self);
        }
        Err(InspectError::damaged("it has no movie header (`moov` box)").into())
    }
}

/// Reads the header of a top-level box. If the rest of the file is short, the rest is read at once, because the movie
/// header is often the last box.
pub(super) fn top_level_box(file: &PartialFile, position: u64) -> Result<Option<BoxHeader>, ParseError> {
    let end = position.saturating_add(MAX_HEADER_LEN).min(file.size());
    let rest = position..file.size();
    if position < end
        && !file.has(position..end)
        && file.size() - position <= MAX_READ_LEN
        && file.can_have(rest.clone())
    {
        file.bytes(rest)?;
    }
    box_at(file, position, file.size())
}

/// Searches the last 1 MiB of the file, after the position `start`, for a movie header.
fn movie_at_end(file: &PartialFile, start: u64) -> Result<Option<BoxHeader>, ParseError> {
    search(file, start, *b"moov", |header, first| {
        header.excess() <= MAX_EXCESS && matches!(&first.kind, b"mvhd" | b"cmov") && first.excess() == 0
    })
}

/// Searches the last 1 MiB of the file, after the position `start`, for a fragment.
///
/// `mfhd`, the first box of a fragment, has 16 bytes (ISO/IEC 14496-12, section 8.8.5).
pub(super) fn fragment_at_end(file: &PartialFile, start: u64) -> Result<Option<BoxHeader>, ParseError> {
    search(file, start, *b"moof", |_, first| &first.kind == b"mfhd" && first.end - first.start == 16)
}

/// Searches the end of the file for the first box of this kind that matches with its first child. The longer end is
/// searched only if the shorter one has no such box.
fn search(
    file: &PartialFile,
    start: u64,
    kind: [u8; 4],
    matches: impl Fn(&BoxHeader, &BoxHeader) -> bool,
) -> Result<Option<BoxHeader>, ParseError> {
    for len in SEARCHED_LENS {
        let from = file.size().saturating_sub(len).max(start);
        let Some(bytes) = known(file.bytes(from..file.size()))? else {
            return Ok(None);
        };
        let candidates = (from..).zip(bytes.windows(8)).filter(|(_, window)| window[4..] == kind);
        for (position, _) in candidates {
            let header = box_at(file, position, file.size())?;
            let child = header.and_then(|header| header.children(file).next()).transpose()?;
            if let Some((header, child)) = header.zip(child)
                && matches(&header, &child)
            {
                return Ok(Some(header));
            }
        }
        if from == start {
            break;
        }
    }
    Ok(None)
}

/// Visits the boxes after the movie header until one has media data, and the boxes after it that were already read.
fn media_data_after(file: &PartialFile, movie: &BoxHeader) -> Result<MediaData, ParseError> {
    let mut found = MediaData::Absent;
    let mut position = movie.end;
    loop {
        let header = match box_at(file, position, file.size()) {
            Err(ParseError::Needs(_)) if found == MediaData::Present => return Ok(found),
            Err(ParseError::Needs(_)) if file.reads() >= READS_FOR_MEDIA_DATA => return Ok(MediaData::Unknown),
            Err(ParseError::Unreadable) => return Ok(MediaData::Unknown),
            header => header?,
        };
        match header {
            None => return Ok(found),
            Some(header) if matches!(&header.kind, b"mdat" | b"moof") => {
                if header.excess() > MAX_EXCESS {
                    return Ok(MediaData::Truncated(header));
                }
                found = MediaData::Present;
                position = header.end;
            }
            Some(header) => position = header.end,
        }
    }
}

/// Returns the error for a file of `file_size` bytes that ends inside a box.
pub(super) fn truncated(header: &BoxHeader, file_size: u64) -> InspectError {
    InspectError::damaged(format!(
        "it is truncated: its `{}` box should end at byte {}, but the file has {file_size} bytes",
        header.kind.escape_ascii(),
        header.stated_end,
    ))
}
