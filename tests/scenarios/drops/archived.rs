//! Videos in an archive, from which S3 returns no bytes.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{RestoreRequest, StorageClass};
use harness::{Cloud, Creator, Dropped, TestVideo};
use serde_json::json;

use crate::http::post;
use crate::runner::{WithCreator, scenarios};
use crate::webhooks::fixture::poll_until;

scenarios![concurrent: archived_video_fails_and_is_published_after_restore];

async fn archived_video_fails_and_is_published_after_restore((cloud, creator): WithCreator) -> Result<()> {
    let dropped = drop_archived(&cloud, &creator).await?;
    let failure = cloud.await_failure(&dropped).await?;
    assert_eq!(failure.reason.code(), "source_archived");
    ensure!(failure.message.ends_with("is archived (GLACIER)"), "{failure}");
    ensure!(failure.advice.contains("restore-object"), "{failure}");

    let request = RestoreRequest::builder().days(1).build();
    let (bucket, key) = (&dropped.source.bucket, &dropped.source.key);
    cloud.s3.restore_object().bucket(bucket).key(key).restore_request(request).send().await?;
    poll_until("restored copy", async || {
        let head = cloud.s3.head_object().bucket(bucket).key(key).send().await?;
        Ok(head.restore().filter(|restore| restore.contains("ongoing-request=\"false\"")).map(|_| ()))
    })
    .await?;
    post(&cloud, &format!("/posts/{}/retry", dropped.post), &json!({})).await?.with_status(200)?;
    creator.await_published_once(&dropped).await.map(drop)
}

/// Drops a small video into Glacier Flexible Retrieval.
async fn drop_archived(cloud: &Arc<Cloud>, creator: &Creator) -> Result<Dropped> {
    let (video, key, bucket) = (TestVideo::small(), creator.key("old.mp4"), &cloud.outputs().intake_bucket);
    let put = cloud.s3.put_object().bucket(bucket).key(&key).storage_class(StorageClass::Glacier);
    let put = put.body(ByteStream::from(video.content())).send().await?;
    Ok(Dropped::at(bucket, &key, &put.version_id.context("the bucket has no versioning")?, &video))
}
