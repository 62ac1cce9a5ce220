//! The tracks of a Matroska file ([RFC 9559, section
//! 5.1.4](https://www.rfc-editor.org/rfc/rfc9559#section-5.1.4)).

use std::cmp::Reverse;

use super::element::ElementHeader;
use crate::video::codec::Codec;
use crate::video::error::ParseError;
use crate::video::file::PartialFile;

/// IDs of the elements that are read.
mod id {
    pub(super) const TRACK_ENTRY: u32 = 0xae;
    pub(super) const TRACK_NUMBER: u32 = 0xd7;
    pub(super) const TRACK_TYPE: u32 = 0x83;
    pub(super) const FLAG_ENABLED: u32 = 0xb9;
    pub(super) const CODEC_ID: u32 = 0x86;
    pub(super) const DEFAULT_DURATION: u32 = 0x23_e383;
    pub(super) const VIDEO: u32 = 0xe0;
    pub(super) const PIXEL_WIDTH: u32 = 0xb0;
    pub(super) const PIXEL_HEIGHT: u32 = 0xba;
    pub(super) const CONTENT_ENCODINGS: u32 = 0x6d80;
    pub(super) const CONTENT_ENCODING: u32 = 0x6240;
    pub(super) const CONTENT_ENCRYPTION: u32 = 0x5035;
}

/// The `TrackType` of a video track.
const VIDEO_TRACK: u64 = 1;

/// The most tracks that are read. No video has more; further tracks are ignored.
const MAX_TRACKS: usize = 64;

/// Values of one `TrackEntry`. `None` means unknown.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) number: u64,
    is_video: bool,
    is_enabled: bool,
    pub(super) is_encrypted: bool,
    pub(super) codec: Option<Codec>,
    pub(super) width: Option<u32>,
    pub(super) height: Option<u32>,
    /// Nanoseconds per frame.
    pub(super) frame_ns: Option<u64>,
}

impl Track {
    /// Reads the tracks in the element `Tracks`.
    pub(super) fn read_all(file: &PartialFile, tracks: &ElementHeader) -> Result<Vec<Self>, ParseError> {
        let mut read = Vec::new();
        for entry in tracks.children(file) {
            let entry = entry?;
            if entry.id == id::TRACK_ENTRY && read.len() < MAX_TRACKS {
                let mut track = Self {
                    number: 0,
                    is_video: false,
                    is_enabled: true,
                    is_encrypted: false,
                    codec: None,
                    width: None,
                    height: None,
                    frame_ns: None,
                };
                track.read_elements(file, &entry)?;
                read.push(track);
            }
        }
        Ok(read)
    }

    /// Returns the first video track, preferably an enabled one, and then one whose codec TikTok accepts.
    pub(super) fn select_video(tracks: &[Self]) -> Option<&Self> {
        let videos = tracks.iter().enumerate().filter(|(_, track)| track.is_video);
        let best = videos.max_by_key(|(index, track)| {
            (track.is_enabled, track.codec.as_ref().is_some_and(Codec::is_accepted), Reverse(*index))
        });
        best.map(|(_, track)| track)
    }

    fn read_elements(&mut self, file: &PartialFile, parent: &ElementHeader) -> Result<(), ParseError> {
        for element in parent.children(file) {
            let element = element?;
            match (parent.id, element.id) {
                (id::TRACK_ENTRY, id::VIDEO | id::CONTENT_ENCODINGS)
                | (id::CONTENT_ENCODINGS, id::CONTENT_ENCODING) => {
                    self.read_elements(file, &element)?;
                }
                (id::TRACK_ENTRY, id::TRACK_NUMBER) => self.number = element.unsigned(file)?.unwrap_or_default(),
                (id::TRACK_ENTRY, id::TRACK_TYPE) => self.is_video = element.unsigned(file)? == Some(VIDEO_TRACK),
                (id::TRACK_ENTRY, id::FLAG_ENABLED) => self.is_enabled = element.unsigned(file)? != Some(0),
                (id::TRACK_ENTRY, id::CODEC_ID) => self.codec = Some(Codec::from_codec_id(element.text(file)?)),
                (id::TRACK_ENTRY, id::DEFAULT_DURATION) => self.frame_ns = element.unsigned(file)?,
                (id::VIDEO, id::PIXEL_WIDTH) => self.width = pixels(element.unsigned(file)?),
                (id::VIDEO, id::PIXEL_HEIGHT) => self.height = pixels(element.unsigned(file)?),
                (id::CONTENT_ENCODING, id::CONTENT_ENCRYPTION) => self.is_encrypted = true,
                _ => {}
            }
        }
        Ok(())
    }
}

fn pixels(value: Option<u64>) -> Option<u32> {
    value?.try_into().ok().filter(|pixels| *pixels > 0)
}
