//! Where a post's bytes come from: one version of one object, for good.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::identity::PostId;
use crate::trace::TraceId;

/// What pins every read to the bytes that were dropped.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ObjectVersion {
    /// A version id, in a bucket that keeps versions.
    Id(String),
    /// The entity tag, without its quotes, in a bucket that does not.
    ETag(String),
    /// None yet: the bytes are on their way. Nothing can be read of it.
    Awaited,
}

impl ObjectVersion {
    /// Tells whether there is something to read.
    #[must_use]
    pub fn is_known(&self) -> bool {
        *self != Self::Awaited
    }

    /// Reads the version from what an event or a `HeadObject` says.
    ///
    /// S3 calls the version of an object from before versioning `null`; it can
    /// be overwritten, so the entity tag pins it instead.
    #[must_use]
    pub fn from_parts(version_id: Option<&str>, etag: Option<&str>) -> Option<Self> {
        match (version_id, etag) {
            (Some(id), _) if !id.is_empty() && id != "null" => Some(Self::Id(id.to_owned())),
            (_, Some(etag)) if !etag.trim_matches('"').is_empty() => {
                Some(Self::ETag(etag.trim_matches('"').to_owned()))
            }
            _ => None,
        }
    }
}

/// A dropped object: the bucket, the key as it is (decoded), and the version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Source {
    /// The bucket's name.
    pub bucket: String,
    /// The object's key, decoded.
    pub key: String,
    /// The version that every read is pinned to.
    pub version: ObjectVersion,
}

impl Source {
    /// The id of the post that this object becomes.
    #[must_use]
    pub fn post_id(&self) -> PostId {
        PostId::of_object(&self.bucket, &self.key, &self.version)
    }

    /// The file's name: what follows the last slash of the key.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or(&self.key)
    }
}

/// What is told of an object that arrived, by whom it ever is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The bucket's name.
    pub bucket: String,
    /// The object's key, decoded.
    pub key: String,
    /// The version id, in a bucket that keeps versions.
    pub version_id: Option<String>,
    /// The entity tag.
    pub etag: Option<String>,
    /// The size in bytes.
    pub bytes: Option<u64>,
    /// When it arrived, as the bucket says; events come in any order.
    pub at: Option<Timestamp>,
    /// The trace that its event belongs to.
    pub trace: Option<TraceId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_id_is_preferred_and_null_is_none() {
        let tag = Some("\"e\"");
        assert_eq!(ObjectVersion::from_parts(Some("v"), tag), Some(ObjectVersion::Id("v".into())));
        assert_eq!(ObjectVersion::from_parts(Some("null"), tag), Some(ObjectVersion::ETag("e".into())));
        assert_eq!(ObjectVersion::from_parts(None, None), None);
    }
}
