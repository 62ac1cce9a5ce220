//! The parser for WebM: reads the elements of an EBML file up to its first cluster.
//!
//! It reads the document type, `Info` and `Tracks`, and skips all other elements by their stated size, as specified
//! by [RFC 9559](https://www.rfc-editor.org/rfc/rfc9559). If `Tracks` is after the first cluster, `SeekHead` has its
//! position.

mod blocks;
mod element;
mod track;

use self::element::{ElementHeader, Elements};
use self::track::Track;
use super::codec::Codec;
use super::container::Container;
use super::error::{InspectError, ParseError, known};
use super::facts::VideoFacts;
use super::file::PartialFile;
use super::frame_rate::{FrameRate, is_outside_limits};

/// IDs of the elements that are read.
mod id {
    pub(super) const HEADER: u32 = 0x1a45_dfa3;
    pub(super) const DOC_TYPE: u32 = 0x4282;
    pub(super) const SEGMENT: u32 = 0x1853_8067;
    pub(super) const SEEK_HEAD: u32 = 0x114d_9b74;
    pub(super) const SEEK: u32 = 0x4dbb;
    pub(super) const SEEK_ID: u32 = 0x53ab;
    pub(super) const SEEK_POSITION: u32 = 0x53ac;
    pub(super) const INFO: u32 = 0x1549_a966;
    pub(super) const TIMESTAMP_SCALE: u32 = 0x2a_d7b1;
    pub(super) const DURATION: u32 = 0x4489;
    pub(super) const TRACKS: u32 = 0x1654_ae6b;
    pub(super) const CLUSTER: u32 = 0x1f43_b675;
}

/// How many bytes a `Segment` may state beyond the end of the file. A frame is longer, so no meaningful part is
/// missing.
const MAX_EXCESS: u64 = 64;

/// Nanoseconds per tick if `Info` has no `TimestampScale`.
const DEFAULT_TIMESTAMP_SCALE: u64 = 1_000_000;

/// What the elements of one file state. `None` means unknown.
#[derive(Debug)]
struct Document {
    is_webm: bool,
    /// Nanoseconds per tick of `duration`.
    timestamp_scale: u64,
    /// The duration in ticks.
    duration: Option<f64>,
    tracks: Option<Vec<Track>>,
    /// The position of `Tracks` that `SeekHead` states.
    tracks_position: Option<u64>,
    first_cluster: Option<ElementHeader>,
    /// Whether elements before the first cluster are beyond the budget.
    is_partial: bool,
}

/// Finds the facts of the file whose EBML header is at the position `start`.
pub(super) fn inspect(file: &PartialFile, start: u64) -> Result<VideoFacts, ParseError> {
    let mut document = Document {
        is_webm: false,
        timestamp_scale: DEFAULT_TIMESTAMP_SCALE,
        duration: None,
        tracks: None,
        tracks_position: None,
        first_cluster: None,
        is_partial: false,
    };
    document.is_partial = known(document.read(file, start))?.is_none();
    document.facts(file)
}

impl Document {
    /// Reads the elements up to the first cluster, and `Tracks` if it is after that.
    fn read(&mut self, file: &PartialFile, start: u64) -> Result<(), ParseError> {
        for element in Elements::from(file, start) {
            let element = element?;
            match element.id {
                id::HEADER => {
                    for child in element.children(file) {
                        let child = child?;
                        if child.id == id::DOC_TYPE {
                            self.is_webm = child.text(file)? == b"webm";
                        }
                    }
                }
                id::SEGMENT => {
                    if element.excess() > MAX_EXCESS {
                        return Err(InspectError::damaged(format!(
                            "it is truncated: it should end at byte {}, but the file has {} bytes",
                            element.stated_end.unwrap_or_default(),
                            file.size()
                        ))
                        .into());
                    }
                    return self.read_segment(file, &element);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn read_segment(&mut self, file: &PartialFile, segment: &ElementHeader) -> Result<(), ParseError> {
        let mut elements = segment.children(file);
        for element in elements.by_ref() {
            let element = element?;
            match element.id {
                id::SEEK_HEAD => self.read_seek_head(file, segment, &element)?,
                id::INFO => self.read_info(file, &element)?,
                id::TRACKS => self.tracks = Some(Track::read_all(file, &element)?),
                id::CLUSTER => {
                    self.first_cluster = Some(element);
                    break;
                }
                _ => {}
            }
        }
        if self.first_cluster.is_none() && elements.position < segment.end {
            let reason = format!("the element at byte {} is invalid", elements.position);
            return Err(InspectError::damaged(reason).into());
        }
        if let (None, Some(position)) = (&self.tracks, self.tracks_position)
            && let Some(element) = Elements::from(file, position).next().transpose()?
            && element.id == id::TRACKS
        {
            self.tracks = Some(Track::read_all(file, &element)?);
        }
        Ok(())
    }

    fn read_seek_head(
        &mut self,
        file: &PartialFile,
        segment: &ElementHeader,
        seek_head: &ElementHeader,
    ) -> Result<(), ParseError> {
        for seek in seek_head.children(file) {
            let seek = seek?;
            if seek.id != id::SEEK {
                continue;
            }
            let (mut target, mut position) = (None, None);
            for child in seek.children(file) {
                let child = child?;
                match child.id {
                    id::SEEK_ID => target = child.unsigned(file)?,
                    id::SEEK_POSITION => position = child.unsigned(file)?,
                    _ => {}
                }
            }
            if target == Some(id::TRACKS.into()) {
                self.tracks_position = position.map(|position| segment.body.saturating_add(position));
            }
        }
        Ok(())
    }

    fn read_info(&mut self, file: &PartialFile, info: &ElementHeader) -> Result<(), ParseError> {
        for element in info.children(file) {
            let element = element?;
            match element.id {
                id::TIMESTAMP_SCALE => {
                    self.timestamp_scale = element.unsigned(file)?.unwrap_or(DEFAULT_TIMESTAMP_SCALE);
                }
                id::DURATION => self.duration = element.float(file)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn facts(&self, file: &PartialFile) -> Result<VideoFacts, ParseError> {
        let video = self.tracks.as_deref().and_then(Track::select_video);
        if !self.is_webm {
            return Err(not_webm(video).into());
        }
        let unknown = VideoFacts::unknown(Container::WebM);
        let Some(video) = video else {
            return match (&self.tracks, self.is_partial) {
                (None, true) => Ok(unknown),
                (None, false) => Err(InspectError::damaged("it does not list its tracks").into()),
                (Some(_), _) => Err(InspectError::not_a_video("it has no video track").into()),
            };
        };
        if video.is_encrypted {
            return Err(InspectError::encrypted("its video track needs a key").into());
        }
        if self.first_cluster.is_none() && !self.is_partial {
            return Err(InspectError::damaged("it ends after its header, without pictures").into());
        }
        let (frame_rate, average_frame_rate) = self.frame_rates(file, video);
        Ok(VideoFacts {
            codec: video.codec.clone(),
            duration_ms: self.duration.and_then(|ticks| millis(ticks, self.timestamp_scale)),
            width: video.width,
            height: video.height,
            frame_rate,
            average_frame_rate,
            ..unknown
        })
    }

    /// Returns the most common and the average frame rate.
    ///
    /// They are the rate that the track states. If it states none, or one outside TikTok's limits, the times of the
    /// frames at the front decide if they were read: muxers guess the stated rate of a recording.
    fn frame_rates(&self, file: &PartialFile, video: &Track) -> (Option<FrameRate>, Option<FrameRate>) {
        let stated = video.frame_ns.and_then(|ns| FrameRate::average(1, ns, 1_000_000_000));
        if stated.is_none() || is_outside_limits(stated, stated) {
            let cluster = self.first_cluster.as_ref();
            if let Some(frames) = cluster.and_then(|first| blocks::frames(file, first, video, self.timestamp_scale)) {
                return (frames.most_common_rate(), frames.average_rate());
            }
        }
        (stated, stated)
    }
}

/// Returns the error for a Matroska file that is not WebM.
fn not_webm(video: Option<&Track>) -> InspectError {
    let codec = video.and_then(|video| video.codec.as_ref());
    let with_codec = codec.map_or_else(String::new, |codec| format!(" with {codec}"));
    InspectError::WrongContainer {
        description: format!("it is a Matroska file (MKV){with_codec}, not WebM"),
        extension: "mkv",
        rewrap_to: if matches!(codec, Some(Codec::Vp8 | Codec::Vp9)) { "webm" } else { "mp4" },
    }
}

/// Converts ticks of `scale` nanoseconds to milliseconds. `None` if the result is under 1 ms or not finite.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "the value is positive here, and durations beyond 2^53 ms need no precision"
)]
fn millis(ticks: f64, scale: u64) -> Option<u64> {
    let millis = (ticks * scale as f64 / 1e6).round();
    (millis.is_finite() && millis >= 1.0).then_some(millis as u64)
}
