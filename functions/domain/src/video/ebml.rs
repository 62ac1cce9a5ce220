//! WebM: a walk over the elements of an EBML file, up to its first cluster.
//!
//! Reads the document's type, `Info` and `Tracks`, and steps over the rest by
//! its stated size, as [RFC 9559](https://www.rfc-editor.org/rfc/rfc9559) lays
//! Matroska out. It does not follow `SeekHead`: every muxer of WebM writes both
//! in front of the first cluster, and a file without them there is refused.
//!
//! Each turn of the loop either changes nothing because bytes are missing, or
//! handles one element and moves at least two bytes on.

mod element;

use self::element::{Element, float, next_element, text, unsigned};
use super::fields::Fields;
use super::inspect::InspectError;
use super::window::{Halt, Window};
use super::{Codec, Container, FrameRate, VideoFacts};

/// The longest text that is read from an element, in bytes.
const TEXT: u64 = 64;

/// The track type that Matroska has for video.
const VIDEO_TRACK: u64 = 1;

/// Nanoseconds in a tick where `Info` does not say.
const DEFAULT_TIMESTAMP_SCALE: u64 = 1_000_000;

/// A kind of element that other elements stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    File,
    Header,
    Segment,
    Info,
    Tracks,
    Track,
    Video,
}

/// An element that the walk knows; the others are stepped over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Opens(Level),
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

impl Level {
    /// Returns what the element with `id` is here.
    fn known(self, id: u32) -> Option<Known> {
        match (self, id) {
            (Self::File, 0x1a45_dfa3) => Some(Known::Opens(Self::Header)),
            (Self::Header, 0x4282) => Some(Known::DocType),
            (Self::File, 0x1853_8067) => Some(Known::Opens(Self::Segment)),
            (Self::Segment, 0x1549_a966) => Some(Known::Opens(Self::Info)),
            (Self::Info, 0x2a_d7b1) => Some(Known::TimestampScale),
            (Self::Info, 0x4489) => Some(Known::Duration),
            (Self::Segment, 0x1654_ae6b) => Some(Known::Opens(Self::Tracks)),
            (Self::Tracks, 0xae) => Some(Known::Opens(Self::Track)),
            (Self::Track, 0x83) => Some(Known::TrackType),
            (Self::Track, 0x86) => Some(Known::CodecId),
            (Self::Track, 0x23_e383) => Some(Known::DefaultDuration),
            (Self::Track, 0xe0) => Some(Known::Opens(Self::Video)),
            (Self::Video, 0xb0) => Some(Known::PixelWidth),
            (Self::Video, 0xba) => Some(Known::PixelHeight),
            (Self::Segment, 0x1f43_b675) => Some(Known::Cluster),
            _ => None,
        }
    }
}

/// Collects what one `TrackEntry` says.
#[derive(Debug, Default)]
struct Track {
    kind: u64,
    codec: Option<Codec>,
    width: u64,
    height: u64,
    /// Nanoseconds of a frame; 0 where the file does not say.
    frame_ns: u64,
}

/// Walks one file from its EBML header to the facts.
#[derive(Debug)]
pub(super) struct Walk {
    size: u64,
    open: Vec<(Level, u64)>,
    is_webm: bool,
    timestamp_scale: u64,
    /// Ticks that the file lasts; `None` where it does not say.
    duration: Option<f64>,
    has_info: bool,
    has_tracks: bool,
    track: Track,
    video: Option<Track>,
}

impl Walk {
    /// Starts at the front of a file of `size` bytes.
    pub(super) fn new(size: u64) -> Self {
        Self {
            size,
            open: Vec::new(),
            is_webm: false,
            timestamp_scale: DEFAULT_TIMESTAMP_SCALE,
            duration: None,
            has_info: false,
            has_tracks: false,
            track: Track::default(),
            video: None,
        }
    }

    /// Goes on until the facts are found or bytes are missing.
    pub(super) fn advance(&mut self, window: &mut Window) -> Result<VideoFacts, Halt> {
        loop {
            self.close_what_ended(window.cursor())?;
            if self.has_info && self.has_tracks {
                return Ok(self.facts()?);
            }
            let (level, limit) = self.open.last().copied().unwrap_or((Level::File, self.size));
            let Some(found) = next_element(window, limit)? else {
                if level == Level::File {
                    return Ok(self.facts()?);
                }
                window.skip_to(limit);
                continue;
            };
            let known = level.known(found.id);
            if known == Some(Known::Cluster) && self.has_tracks {
                return Ok(self.facts()?);
            }
            let end = self.end_of(&found, limit)?;
            match known {
                Some(Known::Opens(inner)) => {
                    if inner == Level::Track {
                        self.track = Track::default();
                    }
                    self.open.push((inner, end));
                    window.skip_to(found.body);
                }
                Some(known) => {
                    self.read(known, &found, end, window)?;
                    window.skip_to(end);
                }
                None => window.skip_to(end),
            }
        }
    }

    /// Returns where an element ends that stands in one that ends at `limit`.
    fn end_of(&self, found: &Element, limit: u64) -> Result<u64, InspectError> {
        match found.end {
            // Only what is written while it is recorded has no stated end.
            None => Ok(limit),
            Some(end) if end <= limit => Ok(end),
            Some(end) if limit == self.size => Err(InspectError::damaged(format!(
                "it is cut off: its element {:x} should end at byte {end}, but the file has {limit} bytes",
                found.id,
            ))),
            Some(_) => {
                Err(InspectError::damaged(format!("its element {:x} is longer than the element around it", found.id)))
            }
        }
    }

    fn close_what_ended(&mut self, cursor: u64) -> Result<(), InspectError> {
        while let Some((level, _)) = self.open.pop_if(|(_, end)| *end <= cursor) {
            match level {
                Level::Header if !self.is_webm => {
                    let why = "it is a Matroska file (MKV), and not one of the kind WebM";
                    return Err(InspectError::unsupported(why));
                }
                Level::Info => self.has_info = true,
                Level::Tracks => self.has_tracks = true,
                Level::Track => {
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

    fn read(&mut self, known: Known, found: &Element, end: u64, window: &Window) -> Result<(), Halt> {
        let header = found.body - window.cursor();
        let len = (end - found.body).min(TEXT);
        let mut value = Fields::new(window.peek(header + len)?);
        value.skip(usize::try_from(header).unwrap_or(usize::MAX));
        let value = value.rest();
        match known {
            Known::DocType => self.is_webm = text(value) == b"webm",
            Known::TimestampScale => self.timestamp_scale = unsigned(value)?,
            Known::Duration => self.duration = float(value),
            Known::TrackType => self.track.kind = unsigned(value)?,
            Known::CodecId => self.track.codec = Some(Codec::from_codec_id(text(value))),
            Known::DefaultDuration => self.track.frame_ns = unsigned(value)?,
            Known::PixelWidth => self.track.width = unsigned(value)?,
            Known::PixelHeight => self.track.height = unsigned(value)?,
            Known::Opens(_) | Known::Cluster => {}
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
            return Err(InspectError::damaged("its video track does not say how it is coded"));
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

/// Turns ticks of `scale` nanoseconds into milliseconds; `None` for what is no
/// length of time.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a length is positive here, and one beyond 2^53 ms only has to stay long"
)]
fn millis(ticks: f64, scale: u64) -> Option<u64> {
    let millis = (ticks * scale as f64 / 1e6).round();
    (millis.is_finite() && millis >= 1.0).then_some(millis as u64)
}
