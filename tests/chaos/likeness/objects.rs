//! The bucket: versions, deletions, ranges, pins and tags.

use anyhow::{Context, Result};
use aws::{BUCKET, TestVideo};
use aws_sdk_s3::primitives::ByteStream;
use data_encoding::HEXLOWER;
use domain::source::{ObjectVersion, Source};
use sha2::{Digest, Sha256};
use storage::{Objects, UploadedPart};
use tests::Cloud;

use super::{Answers, told};
use crate::stage::Stage;

const KEY: &str = "drop/anna/a clip, and more.mp4";
const GONE: &str = "drop/anna/gone.mp4";
const PARTS: &str = "uploads/1/in parts.mp4";
const BYTES: u64 = 100_000;
/// Where the second part of a film begins, in bytes.
const SECOND: u64 = 60_000;

/// What was put, on one of the sides: the versions' ids are each side's own.
pub(super) struct Versions {
    bucket: String,
    /// The first version at the key, and the one that was written over it.
    first: String,
    second: String,
    /// One that was deleted for good.
    gone: String,
    /// An upload whose two parts are there.
    upload: String,
}

/// Puts the same on both sides.
pub(super) async fn put(theirs: &Cloud, ours: &Stage) -> Result<(Versions, Versions)> {
    let films = [TestVideo::new(BYTES)?, TestVideo::new(BYTES + 1)?];
    let bucket = theirs.outputs().intake_bucket.clone();
    let upload = async |key: &str, film: &TestVideo| {
        let bytes: Vec<u8> = film.range(0, film.bytes).flatten().collect();
        let put = theirs.s3.put_object().bucket(&bucket).key(key).content_type("video/mp4").metadata("title", "Bread");
        put.body(ByteStream::from(bytes)).send().await?.version_id.context("the bucket keeps versions")
    };
    let (first, second) = (upload(KEY, &films[0]).await?, upload(KEY, &films[1]).await?);
    let gone = upload(GONE, &films[0]).await?;
    theirs.s3.delete_object().bucket(&bucket).key(GONE).version_id(&gone).send().await?;
    let begin = async |cloud: &Cloud, bucket: &str| {
        Objects::new(cloud.s3.clone()).create_multipart_upload(bucket, PARTS, "video/mp4").await
    };
    let (their_upload, our_upload) = (begin(theirs, &bucket).await?, begin(&ours.cloud, BUCKET).await?);
    for (number, (first, end)) in (1..).zip([(0, SECOND), (SECOND, BYTES)]) {
        let bytes: Vec<u8> = films[0].range(first, end).flatten().collect();
        let part = theirs.s3.upload_part().bucket(&bucket).key(PARTS).upload_id(&their_upload).part_number(number);
        part.body(ByteStream::from(bytes)).send().await?;
        let number = u32::try_from(number)?;
        ours.aws.state().bucket.put_part(PARTS, &our_upload, number, &films[0], (first, end - first));
    }
    let theirs = Versions { bucket, first, second, gone, upload: their_upload };
    let mut kept = ours.aws.state();
    let metadata = [("title", "Bread")];
    let mut put = |key, film: &TestVideo| kept.bucket.put(key, film.clone(), &metadata);
    let (first, second, gone) = (put(KEY, &films[0]), put(KEY, &films[1]), put(GONE, &films[0]));
    kept.bucket.delete_version(GONE, &gone);
    Ok((theirs, Versions { bucket: BUCKET.to_owned(), first, second, gone, upload: our_upload }))
}

impl Versions {
    fn source(&self, key: &str, version: ObjectVersion) -> Source {
        Source { bucket: self.bucket.clone(), key: key.to_owned(), version }
    }

    fn at(&self, version: &str) -> Source {
        self.source(KEY, ObjectVersion::Id(version.to_owned()))
    }

    /// Asks for everything that `storage` asks of a bucket.
    pub(super) async fn ask(&self, cloud: &Cloud) -> Result<Answers> {
        let objects = Objects::new(cloud.s3.clone());
        let (first, second) = (self.at(&self.first), self.at(&self.second));
        let gone = self.source(GONE, ObjectVersion::Id(self.gone.clone()));
        let other = self.source(KEY, ObjectVersion::ETag("another".to_owned()));
        let never = self.source("drop/anna/never.mp4", ObjectVersion::ETag("another".to_owned()));
        let awaited = self.source(KEY, ObjectVersion::Awaited);
        let mut said: Answers = Vec::new();
        for (what, source) in [
            ("a version", &first),
            ("the newest version", &second),
            ("a version that is gone", &gone),
            ("an object that was written over", &other),
            ("an object that was never there", &never),
            ("an object that is awaited", &awaited),
        ] {
            let described = objects.describe(source).await.map(|it| (it.bytes, it.content_type, it.metadata));
            said.push((what, told(&described)));
            for (from, len) in [(0, 1000), (99_000, 1000), (50_000, 1), (99_500, 1000), (200_000, 10)] {
                let read = objects.read_small(source, from, len).await;
                said.push((what, told(&read.map(|bytes| HEXLOWER.encode(&Sha256::digest(&bytes))))));
            }
        }
        for key in [KEY, GONE, "drop/anna/never.mp4"] {
            let current = objects.current(&self.bucket, key).await;
            let current = current.map(|it| it.map(|it| (it.bytes, self.name(&it.source.version))));
            said.push(("the newest version of a key", told(&current)));
        }
        for version in [&self.first, &self.gone, "no-such-version"] {
            let found = objects.named(&self.bucket, KEY, Some(version)).await;
            said.push(("a version of a key", told(&found.map(|it| it.map(|it| it.bytes)))));
        }
        said.push(("options that are not there", told(&objects.sidecar(&self.bucket, "drop/anna/never.json").await)));
        said.push(("keys", told(&objects.list(&self.bucket, "drop/anna/a").await)));
        said.push(("no keys", told(&objects.list(&self.bucket, "drop/bob/").await)));
        self.complete(&objects, &mut said).await?;
        for tags in [&[("state", "queued")][..], &[("state", "published"), ("post", "1")]] {
            said.push(("tagging", told(&objects.tag(&first, tags).await)));
            said.push(("its tags", self.tags(cloud, &self.first).await?));
            said.push(("another version's", self.tags(cloud, &self.second).await?));
        }
        said.push(("tagging what is gone", told(&objects.tag(&gone, &[("state", "failed")]).await)));
        Ok(said)
    }

    /// Makes one object of parts, and asks for what is there before and afterwards, and
    /// of an upload that was given up.
    async fn complete(&self, objects: &Objects, said: &mut Answers) -> Result<()> {
        let parts = async |upload: &str| {
            let parts = objects.parts(&self.bucket, PARTS, upload).await;
            let named = |parts: Vec<UploadedPart>| parts.iter().map(|it| (it.number, it.bytes)).collect::<Vec<_>>();
            told(&parts.map(|parts| parts.map(named)))
        };
        let all = objects.parts(&self.bucket, PARTS, &self.upload).await?.unwrap_or_default();
        said.push(("parts", parts(&self.upload).await));
        said.push((
            "an object of parts before it is one",
            told(&objects.current(&self.bucket, PARTS).await.map(|_| ())),
        ));
        let one = objects.complete_multipart_upload(&self.bucket, PARTS, &self.upload, &all).await;
        // A second time, AWS's documents permit both answers, and the stricter one is played here.
        said.push(("parts made one", told(&one)));
        said.push(("parts that are one", parts(&self.upload).await));
        let one = objects.current(&self.bucket, PARTS).await;
        said.push(("the object of the parts", told(&one.map(|it| it.map(|it| it.bytes)))));
        let given_up = objects.create_multipart_upload(&self.bucket, PARTS, "video/mp4").await?;
        said.push(("no parts", parts(&given_up).await));
        for what in ["an upload given up", "an upload given up before"] {
            said.push((what, told(&objects.abort_multipart_upload(&self.bucket, PARTS, &given_up).await)));
            said.push((what, parts(&given_up).await));
        }
        Ok(())
    }

    /// A version, by what it is on both sides.
    fn name(&self, version: &ObjectVersion) -> &'static str {
        let is = |id: &String| *version == ObjectVersion::Id(id.clone());
        if is(&self.first) {
            "the first"
        } else if is(&self.second) {
            "the second"
        } else {
            "another"
        }
    }

    async fn tags(&self, cloud: &Cloud, version: &str) -> Result<String> {
        let tags = cloud.s3.get_object_tagging().bucket(&self.bucket).key(KEY).version_id(version).send().await?;
        Ok(format!("{:?}", tags.tag_set().iter().map(|tag| (tag.key(), tag.value())).collect::<Vec<_>>()))
    }
}
