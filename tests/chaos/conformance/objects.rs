//! The calls of `storage::Objects` to the bucket: versions, deletions, ranges, multipart uploads and tags.

use anyhow::{Context, Result};
use aws_sdk_s3::primitives::ByteStream;
use data_encoding::HEXLOWER;
use domain::bucket_check::Marker;
use domain::content::{Content, HeaderDigest};
use domain::source::{ObjectVersion, Source};
use domain::video::{Container, VideoFacts};
use harness::aws::BUCKET;
use harness::{Cloud, TestVideo};
use sha2::{Digest, Sha256};
use storage::{ListedVersion, Objects, UploadedPart};

use super::{Results, outcome};
use crate::test_env::TestEnv;

const KEY: &str = "drop/anna/a clip, and more.mp4";
const DELETED: &str = "drop/anna/gone.mp4";
const MISSING: &str = "drop/anna/never.mp4";
const MULTIPART: &str = "uploads/1/in parts.mp4";
/// The size of the first video, in bytes. The second one has one byte more.
const VIDEO_BYTES: u64 = 100_000;
/// The offset of the first video's second part, in bytes.
const SECOND_PART: u64 = 60_000;

/// The ids of the data on one side. They differ between the sides, so results must not contain them.
pub(super) struct Versions {
    bucket: String,
    /// The first version of [`KEY`], and the one that overwrote it.
    first: String,
    second: String,
    /// The deleted version of [`DELETED`].
    deleted: String,
    /// The id of a multipart upload with two parts.
    upload: String,
}

/// Puts the same data on both sides.
pub(super) async fn put(ministack: &Cloud, in_memory: &TestEnv) -> Result<[Versions; 2]> {
    let videos = [TestVideo::new(VIDEO_BYTES)?, TestVideo::new(VIDEO_BYTES + 1)?];
    let bucket = ministack.outputs().intake_bucket.clone();
    let put = async |key: &str, video: &TestVideo| {
        let put = ministack.s3.put_object().bucket(&bucket).key(key).content_type("video/mp4");
        let put = put.metadata("title", "Bread").body(ByteStream::from(video.content()));
        put.send().await?.version_id.context("the bucket is not versioned")
    };
    let (first, second) = (put(KEY, &videos[0]).await?, put(KEY, &videos[1]).await?);
    let deleted = put(DELETED, &videos[0]).await?;
    ministack.s3.delete_object().bucket(&bucket).key(DELETED).version_id(&deleted).send().await?;
    let begin_upload = async |cloud: &Cloud, bucket: &str| {
        Objects::new(cloud.s3.clone()).create_multipart_upload(bucket, MULTIPART, "video/mp4").await
    };
    let upload = begin_upload(ministack, &bucket).await?;
    let in_memory_upload = begin_upload(&in_memory.cloud, BUCKET).await?;
    for (number, (first, end)) in (1..).zip([(0, SECOND_PART), (SECOND_PART, VIDEO_BYTES)]) {
        let part = ministack.s3.upload_part().bucket(&bucket).key(MULTIPART).upload_id(&upload).part_number(number);
        part.body(ByteStream::from(videos[0].slice(first, end))).send().await?;
        let (number, range) = (u32::try_from(number)?, (first, end - first));
        in_memory.aws.state().bucket.put_part(MULTIPART, &in_memory_upload, number, &videos[0], range);
    }
    let ministack = Versions { bucket, first, second, deleted, upload };
    let mut state = in_memory.aws.state();
    let mut put = |key, video: &TestVideo| state.bucket.put(key, video.clone(), &[("title", "Bread")], in_memory.now());
    let (first, second, deleted) = (put(KEY, &videos[0]), put(KEY, &videos[1]), put(DELETED, &videos[0]));
    state.bucket.delete_version(DELETED, &deleted);
    let bucket = BUCKET.to_owned();
    Ok([ministack, Versions { bucket, first, second, deleted, upload: in_memory_upload }])
}

impl Versions {
    fn source(&self, key: &str, version: ObjectVersion) -> Source {
        Source { bucket: self.bucket.clone(), key: key.to_owned(), version }
    }

    /// Makes every call of `storage` to a bucket.
    pub(super) async fn call(&self, cloud: &Cloud) -> Result<Results> {
        let objects = Objects::new(cloud.s3.clone());
        let with_id = |key: &str, id: &String| self.source(key, ObjectVersion::Id(id.clone()));
        // An ETag that no object has.
        let with_etag = |key: &str| self.source(key, ObjectVersion::ETag("another".to_owned()));
        let (first, deleted) = (with_id(KEY, &self.first), with_id(DELETED, &self.deleted));
        let mut results: Results = Vec::new();
        for (name, source) in [
            ("a version", &first),
            ("the latest version", &with_id(KEY, &self.second)),
            ("a deleted version", &deleted),
            ("an overwritten object", &with_etag(KEY)),
            ("an object that never existed", &with_etag(MISSING)),
            ("an awaited object", &self.source(KEY, ObjectVersion::Awaited)),
        ] {
            let described = objects.describe(source).await.map(|it| (it.bytes, it.content_type, it.metadata));
            results.push((name, outcome(&described)));
            // The first three ranges are inside the video. The fourth ends after it, and the last begins after it.
            for (from, len) in [(0, 1000), (99_000, 1000), (50_000, 1), (99_500, 1000), (200_000, 10)] {
                let read = objects.read_small(source, from, len).await;
                results.push((name, outcome(&read.map(|bytes| HEXLOWER.encode(&Sha256::digest(&bytes))))));
            }
        }
        results.push(("the checksums", self.compare_contents(&objects).await?));
        for key in [KEY, DELETED, MISSING] {
            let current = objects.current(&self.bucket, key).await;
            let current = current.map(|it| it.map(|it| (it.bytes, self.name(&it.source.version))));
            results.push(("the latest version of a key", outcome(&current)));
        }
        for version in [&self.first, &self.deleted, "no-such-version"] {
            let found = objects.named(&self.bucket, KEY, Some(version)).await;
            results.push(("a version of a key", outcome(&found.map(|it| it.map(|it| it.bytes)))));
        }
        results.push(("a missing sidecar", outcome(&objects.sidecar(&self.bucket, "drop/anna/never.json").await)));
        results.push(("keys", outcome(&objects.list(&self.bucket, "drop/anna/a").await)));
        results.push(("versions", self.versions(&objects).await?));
        results.push(("no keys", outcome(&objects.list(&self.bucket, "drop/bob/").await)));
        self.complete_upload(&objects, &mut results).await?;
        for tags in [&[("state", "queued")][..], &[("state", "published"), ("post", "1")]] {
            results.push(("tagging", outcome(&objects.tag(&first, tags).await)));
            results.push(("the tags", self.tags(cloud, &self.first).await?));
            results.push(("another version's tags", self.tags(cloud, &self.second).await?));
        }
        let tagged = objects.tag(&deleted, &[("state", "failed")]).await;
        results.push(("tagging a deleted version", outcome(&tagged)));
        Ok(results)
    }

    /// Tells whether two descriptions of one version, and of two versions, show the same content. The sides state
    /// different checksums.
    async fn compare_contents(&self, objects: &Objects) -> Result<String> {
        let facts = VideoFacts::unknown(Container::Mp4);
        let content = async |version: &String| {
            let described = objects.describe(&self.source(KEY, ObjectVersion::Id(version.clone()))).await?;
            let header = HeaderDigest::from(&facts);
            // The same size, so that the checksums decide.
            anyhow::Ok(Content { bytes: 1, checksums: described.checksums, header })
        };
        let (first, again, second) =
            (content(&self.first).await?, content(&self.first).await?, content(&self.second).await?);
        Ok(format!("{} {}", first.is_same_as(&again), first.is_same_as(&second)))
    }

    /// Lists the parts and completes the upload, then begins another upload and aborts it twice.
    async fn complete_upload(&self, objects: &Objects, results: &mut Results) -> Result<()> {
        let parts = async |upload: &str| {
            let parts = objects.parts(&self.bucket, MULTIPART, upload).await;
            let sizes = |parts: Vec<UploadedPart>| parts.iter().map(|it| (it.number, it.bytes)).collect::<Vec<_>>();
            outcome(&parts.map(|parts| parts.map(sizes)))
        };
        let all = objects.parts(&self.bucket, MULTIPART, &self.upload).await?.unwrap_or_default();
        results.push(("parts", parts(&self.upload).await));
        let object = objects.current(&self.bucket, MULTIPART).await;
        results.push(("the object before completion", outcome(&object.map(|_| ()))));
        // Only once: for a repeated call, AWS's documents permit two results. The in-memory AWS returns the stricter
        // one.
        let completed = objects.complete_multipart_upload(&self.bucket, MULTIPART, &self.upload, &all).await;
        results.push(("completion", outcome(&completed)));
        results.push(("parts after completion", parts(&self.upload).await));
        let object = objects.current(&self.bucket, MULTIPART).await;
        results.push(("the object after completion", outcome(&object.map(|it| it.map(|it| it.bytes)))));
        let aborted = objects.create_multipart_upload(&self.bucket, MULTIPART, "video/mp4").await?;
        results.push(("no parts", parts(&aborted).await));
        for name in ["abort", "repeated abort"] {
            results.push((name, outcome(&objects.abort_multipart_upload(&self.bucket, MULTIPART, &aborted).await)));
            results.push((name, parts(&aborted).await));
        }
        Ok(())
    }

    /// Lists all versions under `drop/`, among them none of a deleted version, and then those after the newest version
    /// of [`KEY`].
    async fn versions(&self, objects: &Objects) -> Result<String> {
        let marker = Marker { key: KEY.to_owned(), version_id: Some(self.second.clone()) };
        let mut lists = Vec::new();
        for after in [None, Some(marker), Some(Marker { key: KEY.to_owned(), version_id: None })] {
            let page = objects.versions(&self.bucket, "drop/", after).await?;
            let describe = |it: &ListedVersion| {
                let is_recent = runtime::clock::now().duration_since(it.created_at).as_mins() < 10;
                (it.source.key.clone(), self.name(&it.source.version), it.bytes, it.recency, is_recent)
            };
            lists.push((page.versions.iter().map(describe).collect::<Vec<_>>(), page.next));
        }
        Ok(format!("{lists:?}"))
    }

    /// A version's name, which is the same on both sides.
    fn name(&self, version: &ObjectVersion) -> &'static str {
        match version {
            ObjectVersion::Id(id) if *id == self.first => "the first",
            ObjectVersion::Id(id) if *id == self.second => "the second",
            _ => "another",
        }
    }

    async fn tags(&self, cloud: &Cloud, version: &str) -> Result<String> {
        let tags = cloud.s3.get_object_tagging().bucket(&self.bucket).key(KEY).version_id(version).send().await?;
        Ok(format!("{:?}", tags.tag_set().iter().map(|tag| (tag.key(), tag.value())).collect::<Vec<_>>()))
    }
}
