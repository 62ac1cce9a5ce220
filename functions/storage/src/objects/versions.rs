//! Lists the versions of all objects whose keys begin with a prefix, one page at a time.
//!
//! S3 lists them in the order of the keys, and the newest version of a key first. Delete markers are left out. In a
//! bucket without versioning, each object is one version.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::EncodingType;
use domain::bucket_check::Marker;
use domain::source::{ObjectVersion, Source};
use jiff::Timestamp;

use super::error::{ObjectError, ObjectPath};
use super::listing::decoded;

const LIST: &str = "S3 ListObjectVersions";

/// A version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedVersion {
    /// The object, pinned to the version.
    pub source: Source,
    /// The version's size in bytes.
    pub bytes: u64,
    /// When the version was created. For a multipart upload, this is when the upload began.
    pub created_at: Timestamp,
    /// Whether it is the latest version of its key, or an older one.
    pub recency: Recency,
}

/// Whether a version is the latest one of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recency {
    /// A read of the key without a version id returns this version.
    Latest,
    /// The object was overwritten or deleted.
    Noncurrent,
}

/// A page of versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionPage {
    /// The versions. A page can be empty although later pages are not.
    pub versions: Vec<ListedVersion>,
    /// The end of this page, if there are more pages.
    pub next: Option<Marker>,
}

/// Reads the page after `after`, or the first page. S3 returns at most 1,000 versions and delete markers.
pub(super) async fn page(
    client: &Client,
    bucket: &str,
    prefix: &str,
    after: Option<Marker>,
) -> Result<VersionPage, ObjectError> {
    let path = ObjectPath::at(bucket, prefix);
    let (key, version_id) = after.map(|after| (after.key, after.version_id)).unzip();
    // A key can contain characters that XML cannot, so S3 is asked to encode the keys.
    let list = client.list_object_versions().bucket(bucket).prefix(prefix).encoding_type(EncodingType::Url);
    let page = list.set_key_marker(key).set_version_id_marker(version_id.flatten()).send().await;
    let page = page.map_err(|error| path.error(LIST, "s3:ListBucketVersions on the bucket", &error))?;
    read(bucket, page).map_err(|why| path.unavailable(LIST, why))
}

fn read(bucket: &str, page: ListObjectVersionsOutput) -> Result<VersionPage, &'static str> {
    let is_encoded = page.encoding_type == Some(EncodingType::Url);
    let key_of = |key: Option<String>| key.map(|key| if is_encoded { decoded(&key) } else { key });
    let mut versions = Vec::new();
    for version in page.versions.unwrap_or_default() {
        let identity = ObjectVersion::from_parts(version.version_id.as_deref(), version.e_tag.as_deref());
        let created_at =
            version.last_modified.and_then(|at| Timestamp::new(at.secs(), at.subsec_nanos().cast_signed()).ok());
        let bytes = version.size.and_then(|size| u64::try_from(size).ok());
        let (Some(key), Some(identity), Some(created_at), Some(bytes)) =
            (key_of(version.key), identity, created_at, bytes)
        else {
            return Err("a version has no key, id, time or size");
        };
        versions.push(ListedVersion {
            source: Source { bucket: bucket.to_owned(), key, version: identity },
            bytes,
            created_at,
            recency: if version.is_latest == Some(true) { Recency::Latest } else { Recency::Noncurrent },
        });
    }
    let next = match (page.is_truncated, key_of(page.next_key_marker)) {
        (Some(true), Some(key)) => Some(Marker { key, version_id: page.next_version_id_marker }),
        // Without its end, the rest of the list cannot be read, and versions would be missed.
        (Some(true), None) => return Err("the list is truncated and has no marker"),
        (Some(false) | None, _) => None,
    };
    Ok(VersionPage { versions, next })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Objects;
    use crate::scripted_aws::{Reply, ScriptedAws, ScriptedServer};

    fn version(key: &str, id: &str, is_latest: bool) -> String {
        format!(
            "<Version><Key>{key}</Key><VersionId>{id}</VersionId><IsLatest>{is_latest}</IsLatest><ETag>\"e1\"</ETag>\
             <Size>10</Size><LastModified>2026-06-01T12:00:00.500Z</LastModified></Version>"
        )
    }

    fn list(content: &str) -> Reply {
        Reply::new(200, format!("<ListVersionsResult><EncodingType>url</EncodingType>{content}</ListVersionsResult>"))
    }

    fn listed(key: &str, version: ObjectVersion, recency: Recency) -> ListedVersion {
        let source = Source { bucket: "intake".into(), key: key.into(), version };
        ListedVersion { source, bytes: 10, created_at: "2026-06-01T12:00:00.5Z".parse().unwrap(), recency }
    }

    #[tokio::test]
    async fn every_version_is_listed_and_no_delete_marker() {
        let marker = "<DeleteMarker><Key>drop/b.mp4</Key><VersionId>d</VersionId><IsLatest>true</IsLatest>\
                      <LastModified>2026-06-01T12:00:00Z</LastModified></DeleteMarker>";
        let versions = [
            version("drop/a%2B+%01.mp4", "2", true),
            version("drop/a%2B+%01.mp4", "1", false),
            version("drop/c.mp4", "null", true),
        ];
        let content = format!("<IsTruncated>false</IsTruncated>{}{marker}", versions.concat());
        let server = ScriptedServer::with_replies([list(&content)]).await;
        let page = Objects::new(server.s3()).versions("intake", "drop/", None).await.unwrap();
        let id = |id: &str| ObjectVersion::Id(id.into());
        let expected = [
            listed("drop/a+ \u{1}.mp4", id("2"), Recency::Latest),
            listed("drop/a+ \u{1}.mp4", id("1"), Recency::Noncurrent),
            listed("drop/c.mp4", ObjectVersion::ETag("e1".into()), Recency::Latest),
        ];
        assert_eq!((page.versions.as_slice(), page.next), (expected.as_slice(), None));
    }

    #[tokio::test]
    async fn next_page_begins_after_decoded_marker() {
        let first = "<IsTruncated>true</IsTruncated><NextKeyMarker>drop/a+%26.mp4</NextKeyMarker>\
                     <NextVersionIdMarker>v1</NextVersionIdMarker>";
        let last = "<IsTruncated>false</IsTruncated>";
        let server = ScriptedServer::with_replies([list(first), list(last)]).await;
        let objects = Objects::new(server.s3());
        let page = objects.versions("intake", "drop/", None).await.unwrap();
        assert_eq!(page.next, Some(Marker { key: "drop/a &.mp4".into(), version_id: Some("v1".into()) }));
        assert_eq!(objects.versions("intake", "drop/", page.next).await.unwrap().next, None);
        let targets: Vec<_> = server.requests().into_iter().map(|request| request.target).collect();
        assert!(!targets[0].contains("marker"), "{}", targets[0]);
        assert!(targets[1].contains("key-marker=drop%2Fa%20%26.mp4"), "{}", targets[1]);
        assert!(targets[1].contains("version-id-marker=v1"), "{}", targets[1]);
    }

    #[tokio::test]
    async fn truncated_list_without_marker_is_an_error() {
        let server = ScriptedServer::with_replies([list("<IsTruncated>true</IsTruncated>")]).await;
        let error = Objects::new(server.s3()).versions("intake", "drop/", None).await.unwrap_err();
        assert!(error.to_string().contains("truncated"), "{error}");
    }
}
