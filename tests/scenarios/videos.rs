//! What is a video: real files of each kind, and files that are none, each of
//! which is refused before TikTok hears of it.

use std::sync::Arc;

use anyhow::{Context, Result};
use domain::post::StateName;
use simulator::Container;
use tests::{Cloud, Creator, Footage};

use crate::harness::stories;
use crate::options::failure_of;

stories![among:
    each_kind_of_video_is_published_as_what_it_is,
    what_tiktok_would_not_take_fails_before_it_hears_of_it,
    a_video_that_is_too_long_for_its_creator_fails_before_it_is_sent,
];

async fn each_kind_of_video_is_published_as_what_it_is(cloud: Arc<Cloud>) -> Result<()> {
    let table = [
        ("header-first.mp4", Container::Mp4),
        ("header-last.mp4", Container::Mp4),
        ("fragmented.mp4", Container::Mp4),
        ("fragmented-index-with-audio.mp4", Container::Mp4),
        ("rotated.mp4", Container::Mp4),
        ("hevc.mp4", Container::Mp4),
        ("header-last.mov", Container::Mov),
        ("vp8.webm", Container::WebM),
        ("vp9.webm", Container::WebM),
        ("live.webm", Container::WebM),
    ];
    let mut drops = Vec::new();
    for (name, container) in table {
        let maker = Creator::connect(&cloud).await?;
        let dropped = maker.drops(name, &Footage::fixture(name)?).await?;
        drops.push((maker, dropped, container));
    }
    for (maker, dropped, container) in drops {
        let name = dropped.source.file_name().to_owned();
        cloud.await_state(&dropped.post, StateName::Published).await.context(name)?;
        let book = maker.book().await?;
        book.ensure_published_once(&dropped)?;
        assert_eq!(book.publishes[0].container, Some(container));
        assert_eq!(book.publishes[0].content_type.as_deref(), Some(media_type(container)), "{}", dropped.source.key);
    }
    Ok(())
}

/// The media type as TikTok wants it said of each chunk:
/// <https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide>
fn media_type(container: Container) -> &'static str {
    match container {
        Container::Mp4 => "video/mp4",
        Container::Mov => "video/quicktime",
        Container::WebM => "video/webm",
    }
}

async fn what_tiktok_would_not_take_fails_before_it_hears_of_it(cloud: Arc<Cloud>) -> Result<()> {
    let table = [
        ("text.mp4", "file_format_check_failed"),
        ("empty.mp4", "file_empty"),
        ("cut-header-first.mp4", "file_format_check_failed"),
        ("cut-header-last.mp4", "file_format_check_failed"),
        ("slow.mp4", "frame_rate_check_failed"),
        ("small-picture.mp4", "picture_size_check_failed"),
        ("mpeg4-part2.mp4", "file_format_check_failed"),
        ("sound-only.mp4", "file_format_check_failed"),
    ];
    let mut drops = Vec::new();
    for (name, code) in table {
        let maker = Creator::connect(&cloud).await?;
        drops.push((maker.drops(name, &Footage::fixture(name)?).await?, maker, code));
    }
    // A container that TikTok does not take, under the name of one that it takes.
    let maker = Creator::connect(&cloud).await?;
    drops.push((
        maker.drops("clip.webm", &Footage::fixture("matroska.mkv")?).await?,
        maker,
        "file_format_check_failed",
    ));
    for (dropped, maker, code) in drops {
        let failure = failure_of(&cloud, &dropped).await?;
        assert_eq!(failure.reason.code(), code, "{}: {failure}", dropped.source.file_name());
        assert!(!failure.message.is_empty() && !failure.advice.is_empty(), "{failure:?}");
        maker.book().await?.ensure_never_begun()?;
    }
    Ok(())
}

async fn a_video_that_is_too_long_for_its_creator_fails_before_it_is_sent(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::cast(&cloud, |casting| casting.user.max_video_post_duration_sec = 2).await?;
    let dropped = maker.drops("clip.mp4", &Footage::fixture("fragmented-index.mp4")?).await?;
    let failure = failure_of(&cloud, &dropped).await?;
    assert_eq!(failure.reason.code(), "duration_check_failed", "{failure}");
    maker.book().await?.ensure_never_begun()
}
