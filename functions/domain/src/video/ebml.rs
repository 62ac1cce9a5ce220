//! The parser for WebM: reads the elements of an EBML file up to its first cluster.
//!
//! It reads the document type, `Info` and `Tracks`, and skips all other elements by their stated size, as specified
//! by [RFC 9559](https://www.rfc-editor.org/rfc/rfc9559). It does not follow `SeekHead`: every WebM muxer writes
//! `Info` and `Tracks` before the first cluster. A file without `Tracks` there is rejected.
//!
//! Each iteration of the loop handles one element and moves at least 2 bytes forward. If bytes are missing, the
//! iteration changes nothing.

mod element;

use self::element::{ElementHeader, float, next_element, text, unsigned};
use super::codec::Codec;
use super::container::Container;
use super::error::{InspectError, ParseError};
use super::facts::VideoFacts;
use super::fields::FieldReader;
use super::frame_rate::FrameRate;
use super::window::Window;

/// The most bytes read from the value of an element.
const MAX_VALUE_LEN: u64 = 64;

/// The `TrackType` of a video track.
const VIDEO_TRACK: u64 = 1;

/// Nanoseconds per tick if `Info` has no `TimestampScale`.
const DEFAULT_TIMESTAMP_SCALE: u64 = 1_000_000;

/// A master element (an element that contains elements) that the parser enters, or the file itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Master {
    File,
    Header,
    Segment,
    Info,
    Tracks,
    Track,
    Video,
}

/// An element that the parser reads or enters. All other elements are skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    Master(Master),
    DocType,
    TimestampScale,
    Duration,
    TrackType,
    CodecId,
    DefaultDuration,
    PixelWidth,
    PixelHeight,
    Cluster,
}

impl Master {
    /// Returns the element with `id` inside this master element. Returns `None` for an element that the parser skips.
    fn child(self, id: u32) -> Option<Element> {
        match (self, id) {
            (Self::File, 0x1a45_dfa3) => Some(Element::Master(Self::Header)),
            (Self::Header, 0x4282) => Some(Element::DocType),
            (Self::File, 0x1853_8067) => Some(Element::Master(Self::Segment)),
            (Self::Segment, 0x1549_a966) => Some(Element::Master(Self::Info)),
            (Self::Info, 0x2a_d7b1) => Some(Element::TimestampScale),
            (Self::Info, 0x4489) => Some(Element::Duration),
            (Self::Segment, 0x1654_ae6b) => Some(Element::Master(Self::Tracks)),
            (Self::Tracks, 0xae) => Some(Element::Master(Self::Track)),
            (Self::Track, 0x83) => Some(Element::TrackType),
            (Self::Track, 0x86) => Some(Element::CodecId),
            (Self::Track, 0x23_e383) => Some(Element::DefaultDuration),
            (Self::Track, 0xe0) => Some(Element::Master(Self::Video)),
            (Self::Video, 0xb0) => Some(Element::PixelWidth),
            (Self::Video, 0xba) => Some(Element::PixelHeight),
            (Self::Segment, 0x1f43_b675) => Some(Element::Cluster),
            _ => None,
        }
    }
}

/// Values of one `TrackEntry`.
#[derive(Debug, Default)]
struct Track {
    /// The `TrackType`.
    kind: u64,
    codec: Option<Codec>,
    width: u64,
    height: u64,
    /// Nanoseconds per frame; 0 if the file does not state them.
    frame_ns: u64,
}

/// Parses one file from its EBML header until the facts are complete.
#[derive(Debug, Default)]
pub(super) struct Parser {
    file_size: u64,
    /// The master elements around the cursor from outside to inside, each with the position of its end.
    open_masters: Vec<(Master, u64)>,
    is_webm: bool,
    /// Nanoseconds per tick of `duration`.
    timestamp_scale: u64,
    /// The duration in ticks; `None` if the file does not state it.
    duration: Option<f64>,
    /// Whether the whole `Info` element has been read.
    has_info: bool,
    /// Whether the whole `Tracks` element has been read.
    has_tracks: bool,
    /// The track that is being read.
    track: Track,
    /// The first video track.
    video: Option<Track>,
}

impl Parser {
    /// Creates a parser at the front of a file of `file_size` bytes.
    pub(super) fn new(file_size: u64) -> Self {
        Self { file_size, timestamp_scale: DEFAULT_TIMESTAMP_SCALE, ..Self::default() }
    }

    /// Parses elements until the facts are complete or the window lacks bytes.
    pub(super) fn advance(&mut self, window: &mut Window) -> Result<VideoFacts, ParseError> {
        loop {
            self.close_ended_masters(window.cursor())?;
            if self.has_info && self.has_tracks {
                return Ok(self.facts()?);
            }
            let (parent, parent_end) = self.open_masters.last().copied().unwrap_or((Master::File, self.file_size));
            let Some(header) = next_element(window, parent_end)? else {
                if parent == Master::File {
                    return Ok(self.facts()?);
                }
                window.skip_to(parent_end);
                continue;
            };
            let element = parent.child(header.id);
            if element == Some(Element::Cluster) && self.has_tracks {
                return Ok(self.facts()?);
            }
            let end = self.end_of(&header, parent_end)?;
            match element {
                Some(Element::Master(master)) => {
                    if master == Master::Track {
                        self.track = Track::default();
                    }
                    self.open_masters.push((master, end));
                    window.skip_to(header.body);
                }
                Some(element) => {
                    self.read(element, &header, end, window)?;
                    window.skip_to(end);
                }
                None => window.skip_to(end),
            }
        }
    }

    /// Returns the end of an element whose parent ends at `parent_end`.
    fn end_of(&self, header: &ElementHeader, parent_end: u64) -> Result<u64, InspectError> {
        match header.end {
            // Live recordings do not state the end of an element that is written during the recording.
            None => Ok(parent_end),
            Some(end) if end <= parent_end => Ok(end),
            Some(end) if parent_end == self.file_size => Err(InspectError::damaged(format!(
                "it is truncated: its element {:x} should end at byte {end}, but the file has {parent_end} bytes",
                header.id,
            ))),
            Some(_) => {
                Err(InspectError::damaged(format!("its element {:x} is longer than the element around it", header.id)))
            }
        }
    }

    fn close_ended_masters(&mut self, cursor: u64) -> Result<(), InspectError> {
        while let Some((master, _)) = self.open_masters.pop_if(|(_, end)| *end <= cursor) {
            match master {
                Master::Header if !self.is_webm => {
                    let reason = "it is a Matroska file (MKV), but not WebM";
                    return Err(InspectError::unsupported(reason));
                }
                Master::Info => self.has_info = true,
                Master::Tracks => self.has_tracks = true,
                Master::Track => {
                    let track = std::mem::take(&mut self.track);
                    if track.kind == VIDEO_TRACK && self.video.is_none() {
                        self.video = Some(track);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads the value of an element that ends at `end`. The window's cursor must be at the start of the element.
    fn read(&mut self, element: Element, header: &ElementHeader, end: u64, window: &Window) -> Result<(), ParseError> {
        let header_len = header.body - window.cursor();
        let value_len = (end - header.body).min(MAX_VALUE_LEN);
        let mut fields = FieldReader::new(window.peek(header_len + value_len)?);
        fields.skip(usize::try_from(header_len).unwrap_or(usize::MAX));
        let value = fields.rest();
        match element {
            Element::DocType => self.is_webm = text(value) == b"webm",
            Element::TimestampScale => self.timestamp_scale = unsigned(value)?,
            Element::Duration => self.duration = float(value),
            Element::TrackType => self.track.kind = unsigned(value)?,
            Element::CodecId => self.track.codec = Some(Codec::from_codec_id(text(value))),
            Element::DefaultDuration => self.track.frame_ns = unsigned(value)?,
            Element::PixelWidth => self.track.width = unsigned(value)?,
            Element::PixelHeight => self.track.height = unsigned(value)?,
            Element::Master(_) | Element::Cluster => {}
        }
        Ok(())
    }

    fn facts(&self) -> Result<VideoFacts, InspectError> {
        if !self.has_tracks {
            return Err(InspectError::damaged("it does not list its tracks before its first cluster"));
        }
        let Some(video) = &self.video else {
            return Err(InspectError::not_a_video("it has no video track"));
        };
        let Some(codec) = video.codec.clone() else {
            return Err(InspectError::damaged("its video track does not state its codec"));
        };
        let (Ok(width @ 1..), Ok(height @ 1..)) = (video.width.try_into(), video.height.try_into()) else {
            return Err(InspectError::damaged("its video track has no picture size"));
        };
        Ok(VideoFacts {
            container: Container::WebM,
            codec,
            duration_ms: self.duration.and_then(|ticks| millis(ticks, self.timestamp_scale)),
            width,
            height,
            frame_rate: FrameRate::average(1, video.frame_ns, 1_000_000_000),
        })
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
