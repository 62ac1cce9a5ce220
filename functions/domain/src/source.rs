//! The object that a post publishes: one version of one object in a bucket.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::identity::PostId;
use crate::trace::TraceId;

/// The version of an object. Every read of the object names it, so that a post never mixes the bytes of two versions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ObjectVersion {
    /// The version id, in a bucket with versioning.
    Id(String),
    /// The entity tag without quotes, in a bucket without versioning.
    ETag(String),
    /// No version yet: the API's client has not uploaded the bytes. The object cannot be read.
    Awaited,
}

impl ObjectVersion {
    /// Tells whether the object can be read.
    pub fn is_known(&self) -> bool {
        *self != Self::Awaited
    }

    /// Returns the version that an S3 event or a `HeadObject` response names.
    ///
    /// An object stored before versioning was enabled has the version id `null`. Another object with this id can
    /// replace it, so the entity tag identifies it.
    pub fn from_parts(version_id: Option<&str>, etag: Option<&str>) -> Option<Self> {
        match (version_id, etag) {
            (Some(id), _) if !id.is_empty() && id != "null" => Some(Self::Id(id.to_owned())),
            (_, Some(etag)) if !etag.trim_matches('"').is_empty() => {
                Some(Self::ETag(etag.trim_matches('"').to_owned()))
            }
            _ => None,
        }
    }

    /// Returns the version id and the entity tag, of which one is known: the reverse of [`from_parts`](Self::from_parts).
    pub fn into_parts(self) -> (Option<String>, Option<String>) {
        match self {
            Self::Id(id) => (Some(id), None),
            Self::ETag(etag) => (None, Some(etag)),
            Self::Awaited => (None, None),
        }
    }
}

/// An object in a bucket: its key and version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Source {
    /// The name of the bucket.
    pub bucket: String,
    /// The key of the object, without URL encoding.
    pub key: String,
    /// The version that every read names.
    pub version: ObjectVersion,
}

impl Source {
    /// Returns the id of the post that a drop of this object makes. A post made through the API can have an id of its
    /// own ([`PostId::of_request`], [`PostId::random`]).
    pub fn post_id(&self) -> PostId {
        PostId::of_object(&self.bucket, &self.key, &self.version)
    }

    /// Returns the file name: the key after its last slash.
    pub fn file_name(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or(&self.key)
    }
}

impl PostId {
    /// Derives the id of the post that a drop of an object's version makes. S3 can repeat the event of a version; the
    /// derived id is the same, so there is no second post.
    ///
    /// The id for [`ObjectVersion::Awaited`] is a placeholder that
    /// [`Post::await_upload`](crate::post::Post::await_upload) replaces.
    pub fn of_object(bucket: &str, key: &str, version: &ObjectVersion) -> Self {
        let (kind, version) = match version {
            ObjectVersion::Id(id) => ("version", id.as_str()),
            ObjectVersion::ETag(etag) => ("etag", etag.as_str()),
            ObjectVersion::Awaited => ("awaited", ""),
        };
        Self::of_parts(&["dropcast post of object", bucket, key, kind, version].map(str::as_bytes))
    }
}

/// An object that was created, as S3's event describes it, or S3's list if there was no event. `triggers` parses the
/// event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The name of the bucket.
    pub bucket: String,
    /// The key of the object, without URL encoding.
    pub key: String,
    /// The version id, in a bucket with versioning.
    pub version_id: Option<String>,
    /// The entity tag.
    pub etag: Option<String>,
    /// The size in bytes.
    pub bytes: Option<u64>,
    /// The time of the event, or else of the object, from S3's clock. S3 does not deliver events in this order.
    pub at: Option<Timestamp>,
    /// The trace of the event.
    pub trace: Option<TraceId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(bucket: &str, key: &str, version: &str) -> PostId {
        PostId::of_object(bucket, key, &ObjectVersion::Id(version.into()))
    }

    #[test]
    fn version_id_is_preferred_unless_it_is_null() {
        let tag = Some("\"e\"");
        assert_eq!(ObjectVersion::from_parts(Some("v"), tag), Some(ObjectVersion::Id("v".into())));
        assert_eq!(ObjectVersion::from_parts(Some("null"), tag), Some(ObjectVersion::ETag("e".into())));
        assert_eq!(ObjectVersion::from_parts(None, None), None);
        for version in [ObjectVersion::Id("v".into()), ObjectVersion::ETag("e".into())] {
            let (id, etag) = version.clone().into_parts();
            assert_eq!(ObjectVersion::from_parts(id.as_deref(), etag.as_deref()), Some(version));
        }
    }

    #[test]
    fn same_object_version_has_same_post_id() {
        assert_eq!(id("b", "drop/a.mp4", "1"), id("b", "drop/a.mp4", "1"));
    }

    #[test]
    fn different_version_key_or_bucket_has_different_post_id() {
        let post = id("b", "drop/a.mp4", "1");
        for other in [id("b", "drop/a.mp4", "2"), id("b", "drop/b.mp4", "1"), id("c", "drop/a.mp4", "1")] {
            assert_ne!(post, other);
        }
    }

    #[test]
    fn boundaries_between_parts_change_post_id() {
        assert_ne!(id("ab", "c", "1"), id("a", "bc", "1"));
        let etag = PostId::of_object("b", "k", &ObjectVersion::ETag("1".into()));
        assert_ne!(etag, id("b", "k", "1"));
    }

    #[test]
    fn derived_post_id_is_valid() {
        let post = id("b", "drop/ü ~.mp4", "null");
        assert_eq!(post.as_str().parse(), Ok(post.clone()));
    }
}
