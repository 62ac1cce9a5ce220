//! Compares a video's facts with TikTok's limits.
//!
//! The limits are those of [TikTok's media
//! restrictions](https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide) and must be updated with
//! that page. An unknown fact is never a violation. A value slightly over a limit is not one either: TikTok decides
//! those cases. The limits of the frame rate are in [`frame_rate`], the accepted codecs in
//! [`codec`](super::codec), the limit of the file size is in [`size`](crate::size).

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::codec::Codec;
use super::facts::VideoFacts;
use super::frame_rate::{self, FrameRate};

/// Allowed pixels per side of the picture, from [TikTok's media
/// restrictions](https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide).
const SIDE_PIXELS: RangeInclusive<u32> = 360..=4096;

/// The longest draft: 10 minutes for every creator, from [TikTok's media
/// restrictions](https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide).
const MAX_DRAFT_DURATION: Duration = Duration::from_mins(10);

/// Limits that depend on how the video is posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    max_duration: Option<Duration>,
}

impl Limits {
    /// Returns the limits of a direct post.
    ///
    /// `max_duration` is the creator's `max_video_post_duration_sec` from [TikTok's creator
    /// info](https://developers.tiktok.com/doc/content-posting-api-reference-query-creator-info); `None` if TikTok
    /// did not state it.
    pub fn direct(max_duration: Option<Duration>) -> Self {
        Self { max_duration }
    }

    /// Returns the limits of a draft: 10 minutes for every creator.
    pub fn draft() -> Self {
        Self { max_duration: Some(MAX_DRAFT_DURATION) }
    }
}

/// One limit that a video exceeds, and for which TikTok would reject it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// TikTok does not accept the codec.
    #[error("the codec is {0}, but TikTok accepts only H.264, H.265, VP8 and VP9; convert the video to H.264")]
    Codec(Codec),
    /// The video is too long.
    #[error(
        "the video lasts {:.1} s, but this post may last at most {} s; trim the video",
        duration.as_secs_f64(),
        max.as_secs()
    )]
    Duration {
        /// The video's duration.
        duration: Duration,
        /// The longest allowed duration.
        max: Duration,
    },
    /// The frame rate is outside TikTok's range.
    #[error("the video has {0} frames per second, but TikTok accepts 23 to 60; convert it, for example to 30")]
    FrameRate(FrameRate),
    /// The picture is smaller or larger than TikTok accepts.
    #[error(
        "the picture is {width}x{height} pixels, but TikTok accepts 360 to 4096 per side; scale it, for example to 1080x1920"
    )]
    PictureSize {
        /// The displayed width in pixels.
        width: u32,
        /// The displayed height in pixels.
        height: u32,
    },
}

impl Violation {
    /// Returns the `fail_reason` with which TikTok would fail the post.
    ///
    /// <https://developers.tiktok.com/doc/content-posting-api-reference-get-video-status>
    pub fn code(&self) -> &'static str {
        match self {
            Self::Codec(_) => "file_format_check_failed",
            Self::Duration { .. } => "duration_check_failed",
            Self::FrameRate(_) => "frame_rate_check_failed",
            Self::PictureSize { .. } => "picture_size_check_failed",
        }
    }
}

/// All violations of one video: at least one [`Violation`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Violations {
    first: Violation,
    rest: Vec<Violation>,
}

impl Violations {
    /// Returns the code of the first violation. A post's failure has room for one code only.
    pub fn code(&self) -> &'static str {
        self.first.code()
    }

    /// Returns the violations in the order in which TikTok's page lists the rules.
    pub fn iter(&self) -> impl Iterator<Item = &Violation> {
        std::iter::once(&self.first).chain(&self.rest)
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        self.rest.iter().try_for_each(|violation| write!(f, "; {violation}"))
    }
}

/// Checks a video's facts against TikTok's fixed limits and against `limits`.
///
/// Durations are compared in whole seconds, because TikTok states its maximum so: 300.4 s passes a limit of 300 s.
///
/// # Errors
/// [`Violations`] with every exceeded limit, so that one conversion of the video can correct all of them.
pub fn check(facts: &VideoFacts, limits: &Limits) -> Result<(), Violations> {
    let checks = [
        check_codec(facts.codec.as_ref()),
        check_frame_rate(facts),
        check_picture_size(facts.width, facts.height),
        check_duration(facts.duration_ms, limits.max_duration),
    ];
    let mut violations = checks.into_iter().flatten();
    match violations.next() {
        Some(first) => Err(Violations { first, rest: violations.collect() }),
        None => Ok(()),
    }
}

fn check_codec(codec: Option<&Codec>) -> Option<Violation> {
    codec.filter(|codec| !codec.is_accepted()).cloned().map(Violation::Codec)
}

fn check_frame_rate(facts: &VideoFacts) -> Option<Violation> {
    let rate = facts.frame_rate.or(facts.average_frame_rate)?;
    frame_rate::is_outside_limits(facts.frame_rate, facts.average_frame_rate).then_some(Violation::FrameRate(rate))
}

fn check_picture_size(width: Option<u32>, height: Option<u32>) -> Option<Violation> {
    let (width, height) = (width?, height?);
    let fits = SIDE_PIXELS.contains(&width) && SIDE_PIXELS.contains(&height);
    (!fits).then_some(Violation::PictureSize { width, height })
}

fn check_duration(duration_ms: Option<u64>, max: Option<Duration>) -> Option<Violation> {
    let (duration, max) = (Duration::from_millis(duration_ms?), max?);
    (duration.as_secs() > max.as_secs()).then_some(Violation::Duration { duration, max })
}

#[cfg(test)]
mod tests {
    use super::super::container::Container;
    use super::*;

    fn valid_facts() -> VideoFacts {
        VideoFacts {
            container: Container::Mp4,
            codec: Some(Codec::H264),
            duration_ms: Some(30_000),
            width: Some(1080),
            height: Some(1920),
            frame_rate: Some(FrameRate::from_thousandths(30_000)),
            average_frame_rate: Some(FrameRate::from_thousandths(29_800)),
        }
    }

    fn codes(facts: &VideoFacts, limits: &Limits) -> Vec<&'static str> {
        match check(facts, limits) {
            Ok(()) => Vec::new(),
            Err(violations) => violations.iter().map(Violation::code).collect(),
        }
    }

    #[test]
    fn video_within_all_limits_passes() {
        assert_eq!(check(&valid_facts(), &Limits::draft()), Ok(()));
    }

    #[test]
    fn unknown_facts_or_limit_pass() {
        assert_eq!(check(&VideoFacts::unknown(Container::Mp4), &Limits::draft()), Ok(()));
        let endless = VideoFacts { duration_ms: Some(u64::MAX), ..valid_facts() };
        assert_eq!(check(&endless, &Limits::direct(None)), Ok(()));
    }

    #[test]
    fn frame_rates_outside_23_to_60_fail() {
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
            let facts = VideoFacts { frame_rate: Some(rate), average_frame_rate: Some(rate), ..valid_facts() };
            let found = codes(&facts, &Limits::draft());
            assert_eq!(found.is_empty(), passes, "{rate}: {found:?}");
            assert!(found.iter().all(|code| *code == "frame_rate_check_failed"));
        }
    }

    #[test]
    fn picture_sides_outside_360_to_4096_fail() {
        for (width, height, passes) in [
            (360, 4096, true),
            (4096, 360, true),
            (359, 640, false),
            (640, 359, false),
            (4097, 1080, false),
            (1080, 4097, false),
        ] {
            let facts = VideoFacts { width: Some(width), height: Some(height), ..valid_facts() };
            assert_eq!(check(&facts, &Limits::draft()).is_ok(), passes, "{width}x{height}");
        }
    }

    #[test]
    fn direct_post_has_creator_limit_and_draft_ten_minutes() {
        let five_minutes = Limits::direct(Some(Duration::from_mins(5)));
        for (limits, duration_ms, passes) in [
            (five_minutes, 300_000, true),
            (five_minutes, 300_999, true),
            (five_minutes, 301_000, false),
            (Limits::draft(), 600_000, true),
            (Limits::draft(), 601_000, false),
        ] {
            let facts = VideoFacts { duration_ms: Some(duration_ms), ..valid_facts() };
            assert_eq!(check(&facts, &limits).is_ok(), passes, "{limits:?} {duration_ms} ms");
        }
    }

    #[test]
    fn all_violations_are_listed_with_advice() {
        let facts = VideoFacts {
            container: Container::Mp4,
            codec: Some(Codec::Other("av01".to_owned())),
            duration_ms: Some(700_500),
            width: Some(320),
            height: Some(240),
            frame_rate: Some(FrameRate::from_thousandths(15_000)),
            average_frame_rate: None,
        };
        let violations = check(&facts, &Limits::draft()).unwrap_err();
        assert_eq!(
            violations.iter().map(Violation::code).collect::<Vec<_>>(),
            [
                "file_format_check_failed",
                "frame_rate_check_failed",
                "picture_size_check_failed",
                "duration_check_failed",
            ],
        );
        assert_eq!(violations.code(), "file_format_check_failed");
        let message = violations.to_string();
        for part in ["av01", "320x240", "15 frames", "700.5 s", "600 s", "trim", "scale", "convert"] {
            assert!(message.contains(part), "{part} is missing in: {message}");
        }
    }
}
