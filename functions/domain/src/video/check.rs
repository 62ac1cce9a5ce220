//! Facts held against what TikTok takes.
//!
//! Each limit is a line of
//! [TikTok's media restrictions](https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide).
//! What the header does not say is never a fault, and what is a hair's breadth
//! over is not either: TikTok decides those. The size in bytes is not this
//! module's; [`size`](crate::size) has it.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Codec, FrameRate, VideoFacts};

/// Pixels that each side of the picture may have.
const SIDE: RangeInclusive<u32> = 360..=4096;

/// Frames a second, in thousandths: 23 to 60, and a tenth of a frame either
/// way, because the average over a phone's recording strays from the nominal
/// rate by a few hundredths.
const RATE_THOUSANDTHS: RangeInclusive<u64> = 22_900..=60_100;

/// The longest draft: API uploads to the inbox may last 10 minutes.
const DRAFT: Duration = Duration::from_mins(10);

/// Sets what a video may be where it is going to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    longest: Option<Duration>,
}

impl Limits {
    /// Limits a direct post to `longest`, which is the creator's
    /// `max_video_post_duration_sec`; `None` where TikTok did not say.
    #[must_use]
    pub fn direct(longest: Option<Duration>) -> Self {
        Self { longest }
    }

    /// Limits a draft to the ten minutes that are the same for every creator.
    #[must_use]
    pub fn draft() -> Self {
        Self { longest: Some(DRAFT) }
    }
}

/// Names one thing about a video that TikTok would refuse it for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The codec is not one that TikTok takes.
    #[error("the video is coded as {0}, and TikTok takes H.264, H.265, VP8 and VP9; convert it to H.264")]
    Codec(Codec),
    /// The video is longer than it may be.
    #[error(
        "the video lasts {:.1} s, and at most {} s may be posted here; trim it",
        duration.as_secs_f64(),
        longest.as_secs()
    )]
    Duration {
        /// How long the video is.
        duration: Duration,
        /// How long it may be.
        longest: Duration,
    },
    /// The frame rate is outside TikTok's range.
    #[error("the video has {0} frames a second, and TikTok takes 23 to 60; convert it, for instance to 30")]
    FrameRate(FrameRate),
    /// The picture is smaller or larger than TikTok takes.
    #[error(
        "the picture is {width}x{height} pixels, and TikTok takes 360 to 4096 on each side; scale it, for instance to 1080x1920"
    )]
    PictureSize {
        /// Pixels across.
        width: u32,
        /// Pixels from top to bottom.
        height: u32,
    },
}

impl Fault {
    /// Returns the `fail_reason` that TikTok would end the post with.
    ///
    /// <https://developers.tiktok.com/doc/content-posting-api-reference-get-video-status>
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Codec(_) => "file_format_check_failed",
            Self::Duration { .. } => "duration_check_failed",
            Self::FrameRate(_) => "frame_rate_check_failed",
            Self::PictureSize { .. } => "picture_size_check_failed",
        }
    }
}

/// Lists everything that is wrong with a video: at least one [`Fault`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Faults {
    first: Fault,
    others: Vec<Fault>,
}

impl Faults {
    fn from_list(faults: Vec<Fault>) -> Option<Self> {
        let mut faults = faults.into_iter();
        Some(Self { first: faults.next()?, others: faults.collect() })
    }

    /// Returns the code of the first fault, which is the one to report where
    /// there is room for only one.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.first.code()
    }

    /// Returns the faults in the order in which TikTok's page lists the rules.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        self.others.iter().try_for_each(|fault| write!(f, "; {fault}"))
    }
}

/// Holds a video's facts against `limits`.
///
/// A duration counts in whole seconds, as TikTok states its maximum: a video of
/// 300.4 s is not refused where 300 are allowed.
///
/// # Errors
///
/// [`Faults`] with everything that is wrong, so that one conversion can mend it.
pub fn check(facts: &VideoFacts, limits: &Limits) -> Result<(), Faults> {
    let faults = [
        codec_fault(&facts.codec),
        rate_fault(facts.frame_rate),
        size_fault(facts.width, facts.height),
        duration_fault(facts.duration_ms, limits.longest),
    ];
    match Faults::from_list(faults.into_iter().flatten().collect()) {
        Some(faults) => Err(faults),
        None => Ok(()),
    }
}

fn codec_fault(codec: &Codec) -> Option<Fault> {
    match codec {
        Codec::H264 | Codec::H265 | Codec::Vp8 | Codec::Vp9 => None,
        Codec::Other(_) => Some(Fault::Codec(codec.clone())),
    }
}

fn rate_fault(rate: Option<FrameRate>) -> Option<Fault> {
    let rate = rate?;
    (!RATE_THOUSANDTHS.contains(&rate.thousandths())).then_some(Fault::FrameRate(rate))
}

fn size_fault(width: u32, height: u32) -> Option<Fault> {
    let fits = SIDE.contains(&width) && SIDE.contains(&height);
    (!fits).then_some(Fault::PictureSize { width, height })
}

fn duration_fault(millis: Option<u64>, longest: Option<Duration>) -> Option<Fault> {
    let (duration, longest) = (Duration::from_millis(millis?), longest?);
    (duration.as_secs() > longest.as_secs()).then_some(Fault::Duration { duration, longest })
}

#[cfg(test)]
mod tests {
    use super::super::Container;
    use super::*;

    fn good() -> VideoFacts {
        VideoFacts {
            container: Container::Mp4,
            codec: Codec::H264,
            duration_ms: Some(30_000),
            width: 1080,
            height: 1920,
            frame_rate: Some(FrameRate::from_thousandths(30_000)),
        }
    }

    fn codes(facts: &VideoFacts, limits: &Limits) -> Vec<&'static str> {
        match check(facts, limits) {
            Ok(()) => Vec::new(),
            Err(faults) => faults.iter().map(Fault::code).collect(),
        }
    }

    #[test]
    fn a_video_within_every_limit_passes() {
        assert_eq!(check(&good(), &Limits::draft()), Ok(()));
    }

    #[test]
    fn what_the_header_does_not_say_is_no_fault() {
        let facts = VideoFacts { duration_ms: None, frame_rate: None, ..good() };
        assert_eq!(check(&facts, &Limits::draft()), Ok(()));
        let endless = VideoFacts { duration_ms: Some(u64::MAX), ..good() };
        assert_eq!(check(&endless, &Limits::direct(None)), Ok(()));
    }

    #[test]
    fn film_and_television_rates_pass_and_slower_or_faster_ones_do_not() {
        for (thousandths, passes) in [
            (22_000, false),
            (23_976, true),
            (59_940, true),
            (60_050, true),
            (61_000, false),
            (15_000, false),
            (120_000, false),
        ] {
            let rate = FrameRate::from_thousandths(thousandths);
            let facts = VideoFacts { frame_rate: Some(rate), ..good() };
            let found = codes(&facts, &Limits::draft());
            assert_eq!(found.is_empty(), passes, "{rate}: {found:?}");
            assert!(found.iter().all(|code| *code == "frame_rate_check_failed"));
        }
    }

    #[test]
    fn each_side_of_the_picture_has_360_to_4096_pixels() {
        for (width, height, passes) in [
            (360, 4096, true),
            (4096, 360, true),
            (359, 640, false),
            (640, 359, false),
            (4097, 1080, false),
            (1080, 4097, false),
        ] {
            let facts = VideoFacts { width, height, ..good() };
            assert_eq!(check(&facts, &Limits::draft()).is_ok(), passes, "{width}x{height}");
        }
    }

    #[test]
    fn a_direct_post_may_last_what_the_creator_may_post_and_a_draft_ten_minutes() {
        let five_minutes = Limits::direct(Some(Duration::from_mins(5)));
        for (limits, millis, passes) in [
            (five_minutes, 300_000, true),
            (five_minutes, 300_999, true),
            (five_minutes, 301_000, false),
            (Limits::draft(), 600_000, true),
            (Limits::draft(), 601_000, false),
        ] {
            let facts = VideoFacts { duration_ms: Some(millis), ..good() };
            assert_eq!(check(&facts, &limits).is_ok(), passes, "{limits:?} {millis}");
        }
    }

    #[test]
    fn every_fault_is_listed_and_says_what_to_do() {
        let facts = VideoFacts {
            container: Container::Mp4,
            codec: Codec::Other("av01".to_owned()),
            duration_ms: Some(700_500),
            width: 320,
            height: 240,
            frame_rate: Some(FrameRate::from_thousandths(15_000)),
        };
        let faults = check(&facts, &Limits::draft()).unwrap_err();
        assert_eq!(
            faults.iter().map(Fault::code).collect::<Vec<_>>(),
            [
                "file_format_check_failed",
                "frame_rate_check_failed",
                "picture_size_check_failed",
                "duration_check_failed",
            ],
        );
        assert_eq!(faults.code(), "file_format_check_failed");
        let said = faults.to_string();
        for part in ["av01", "320x240", "15 frames", "700.5 s", "600 s", "trim", "scale", "convert"] {
            assert!(said.contains(part), "{part} in {said}");
        }
    }
}
