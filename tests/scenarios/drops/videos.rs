//! Video files of each supported kind, and files that fail before an upload begins.

use std::sync::Arc;

use anyhow::Result;
use harness::{Cloud, Creator, TestVideo};
use simulator::Container;

use crate::runner::{for_each, scenarios};

scenarios![concurrent:
    each_container_is_published_with_its_media_type,
    unsupported_file_fails_before_init,
    video_longer_than_creator_limit_fails_before_init,
];

async fn each_container_is_published_with_its_media_type(cloud: Arc<Cloud>) -> Result<()> {
    let table = [
        ("header-first.mp4", Container::Mp4),
        ("header-first.m4v", Container::Mp4),
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
    for_each(table, async |(name, container)| {
        let creator = Creator::create(&cloud).await?;
        let fixture = name.replace(".m4v", ".mp4");
        let dropped = creator.drop_video(name, &TestVideo::fixture(&fixture)?).await?;
        let ledger = creator.await_published_once(&dropped).await?;
        assert_eq!(ledger.publishes[0].container, Some(container));
        assert_eq!(ledger.publishes[0].content_type.as_deref(), Some(media_type(container)), "{name}");
        Ok(())
    })
    .await
}

/// The media type that TikTok requires for each chunk:
/// <https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide>
fn media_type(container: Container) -> &'static str {
    match container {
        Container::Mp4 => "video/mp4",
        Container::Mov => "video/quicktime",
        Container::WebM => "video/webm",
    }
}

async fn unsupported_file_fails_before_init(cloud: Arc<Cloud>) -> Result<()> {
    // The dropped file's name, the fixture, and the failure's code. tests/fixtures/README.md describes the fixtures.
    let table = [
        ("text.mp4", "text.mp4", "file_format_check_failed"),
        ("cut-header-first.mp4", "cut-header-first.mp4", "file_format_check_failed"),
        ("cut-header-last.mp4", "cut-header-last.mp4", "file_format_check_failed"),
        ("slow.mp4", "slow.mp4", "frame_rate_check_failed"),
        ("small-picture.mp4", "small-picture.mp4", "picture_size_check_failed"),
        ("mpeg4-part2.mp4", "mpeg4-part2.mp4", "file_format_check_failed"),
        ("sound-only.mp4", "sound-only.mp4", "file_format_check_failed"),
        // An unsupported container with the extension of a supported one.
        ("clip.webm", "matroska.mkv", "file_format_check_failed"),
    ];
    for_each(table, async |(name, fixture, code)| {
        let creator = Creator::create(&cloud).await?;
        let dropped = creator.drop_video(name, &TestVideo::fixture(fixture)?).await?;
        let failure = cloud.await_failure(&dropped).await?;
        assert_eq!(failure.reason.code(), code, "{name}: {failure}");
        assert!(!failure.message.is_empty() && !failure.advice.is_empty(), "{failure:?}");
        creator.ledger().await?.ensure_no_init()
    })
    .await
}

async fn video_longer_than_creator_limit_fails_before_init(cloud: Arc<Cloud>) -> Result<()> {
    let creator = Creator::create_with(&cloud, |setup| setup.user.max_video_post_duration_sec = 2).await?;
    // This fixture lasts three seconds.
    let dropped = creator.drop_video("clip.mp4", &TestVideo::fixture("fragmented-index.mp4")?).await?;
    let failure = cloud.await_failure(&dropped).await?;
    assert_eq!(failure.reason.code(), "duration_check_failed", "{failure}");
    creator.ledger().await?.ensure_no_init()
}
