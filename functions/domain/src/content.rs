//! The identity of an object's bytes: its size, its checksums, and what its header says.
//!
//! Two versions of the same bytes can have different checksums. Each tool chooses its own algorithm, and S3 keeps the
//! one that it received. The checksum of a multipart upload is often composite: it also depends on the size of the
//! parts, and S3 replaces it with a checksum of the whole object when it copies the object. So equality is decided in
//! this order ([`Content::is_same_as`]):
//!
//! 1. Checksums of the whole object with the same algorithm decide: all equal, or different.
//! 2. Equal composite checksums prove equality. Different ones prove nothing.
//! 3. Otherwise the videos' headers decide: the same size in bytes, duration, picture, codec and frame rate.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use data_encoding::{BASE64, HEXLOWER};
use serde::{Deserialize, Serialize};

use crate::identity::sha256_of_parts;
use crate::macros::named_enum;
use crate::video::VideoFacts;

/// The algorithm of an entity tag that is a digest.
const MD5: &str = "md5";

named_enum! {
    /// What a checksum covers.
    pub enum ChecksumKind {
        /// The bytes of the whole object.
        Whole = "whole",
        /// The checksums of the parts of a multipart upload.
        Composite = "composite",
    }
}

/// A checksum of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// The algorithm, in lower case, for example `crc64nvme`.
    pub algorithm: String,
    /// What it covers.
    pub kind: ChecksumKind,
    /// The value as S3 states it; of MD5, the hexadecimal digits.
    pub value: String,
}

impl Checksum {
    /// A checksum from S3's attributes of an object. A composite one ends with the number of parts, after a hyphen.
    pub fn new(algorithm: &str, value: &str) -> Self {
        let algorithm = algorithm.to_ascii_lowercase();
        let kind = if value.contains('-') { ChecksumKind::Composite } else { ChecksumKind::Whole };
        // S3 states an entity tag in hexadecimal and a checksum in Base64.
        let digits = BASE64.decode(value.as_bytes()).ok().filter(|_| algorithm == MD5 && kind == ChecksumKind::Whole);
        let value = digits.map_or_else(|| value.to_owned(), |digest| HEXLOWER.encode(&digest));
        Self { algorithm, kind, value }
    }

    /// The MD5 digest in an entity tag; none if the tag is no digest.
    ///
    /// The caller knows the encryption: the entity tag of an object that is encrypted with a KMS key or a customer's
    /// key is never a digest. <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html>
    pub fn of_entity_tag(tag: &str) -> Option<Self> {
        let (digest, parts) = tag.split_once('-').map_or((tag, None), |(digest, parts)| (digest, Some(parts)));
        let is_digest = digest.len() == 32 && digest.bytes().all(|digit| digit.is_ascii_hexdigit());
        let kind = match parts {
            None => ChecksumKind::Whole,
            Some(parts) if parts.parse::<u32>().is_ok() => ChecksumKind::Composite,
            Some(_) => return None,
        };
        is_digest.then(|| Self { algorithm: MD5.to_owned(), kind, value: tag.to_ascii_lowercase() })
    }
}

/// What a video's header says, as a digest that can be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HeaderDigest(String);

impl From<&VideoFacts> for HeaderDigest {
    fn from(facts: &VideoFacts) -> Self {
        let json = serde_json::to_string(facts).unwrap_or_default();
        Self(HEXLOWER.encode(&sha256_of_parts(&[json.as_bytes()])[..16]))
    }
}

/// The identity of an object's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The size in bytes.
    pub bytes: u64,
    /// The known checksums.
    pub checksums: Vec<Checksum>,
    /// What the video's header says.
    pub header: HeaderDigest,
}

impl Content {
    /// Tells whether two contents are the same bytes, as far as this can be known. If no checksums can be compared, two
    /// videos of the same size with the same header count as the same.
    pub fn is_same_as(&self, other: &Self) -> bool {
        if self.bytes != other.bytes {
            return false;
        }
        let pairs = || {
            let comparable = |a: &Checksum, b: &Checksum| (&a.algorithm, a.kind) == (&b.algorithm, b.kind);
            let of = move |a| other.checksums.iter().filter(move |b| comparable(a, b)).map(move |b| (a, b));
            self.checksums.iter().flat_map(of)
        };
        let mut whole = pairs().filter(|(a, _)| a.kind == ChecksumKind::Whole).peekable();
        if whole.peek().is_some() {
            return whole.all(|(a, b)| a.value == b.value);
        }
        pairs().any(|(a, b)| a.value == b.value) || self.header == other.header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5_A: &str = "0cc175b9c0f1b6a831c399e269772661";
    const MD5_B: &str = "92eb5ffee6ae2fec3ad71c777531578f";

    fn content(header: &str, checksums: &[(&str, &str)]) -> Content {
        let checksums = checksums.iter().map(|(algorithm, value)| match *algorithm {
            "etag" => Checksum::of_entity_tag(value).unwrap(),
            algorithm => Checksum::new(algorithm, value),
        });
        Content { bytes: 7, checksums: checksums.collect(), header: HeaderDigest(header.to_owned()) }
    }

    #[test]
    fn whole_checksums_decide_over_everything_else() {
        let put = content("h", &[("CRC32", "AAAA"), ("etag", MD5_A)]);
        assert!(put.is_same_as(&content("h2", &[("CRC64NVME", "BBBB"), ("etag", MD5_A)])), "one kind is enough");
        assert!(
            !put.is_same_as(&content("h", &[("CRC64NVME", "BBBB"), ("etag", MD5_B)])),
            "the header does not decide"
        );
        assert!(!put.is_same_as(&content("h", &[("CRC32", "AAAA"), ("etag", MD5_B)])), "CRC32 values can collide");
    }

    #[test]
    fn composite_checksums_prove_equality_but_no_difference() {
        let in_parts = content("h", &[("CRC32", "AAAA-3"), ("etag", &format!("{MD5_A}-3"))]);
        assert!(in_parts.is_same_as(&content("h2", &[("CRC32", "AAAA-3")])));
        let other_parts = &[("CRC32", "CCCC-2"), ("etag", &format!("{MD5_B}-2") as &str)];
        assert!(in_parts.is_same_as(&content("h", other_parts)), "the size of the parts can differ");
        assert!(!in_parts.is_same_as(&content("h2", other_parts)));
    }

    #[test]
    fn multipart_upload_and_its_copy_are_compared_by_header() {
        let in_parts = content("h", &[("SHA256", "AAAA-2"), ("etag", &format!("{MD5_A}-2"))]);
        assert!(in_parts.is_same_as(&content("h", &[("SHA256", "BBBB"), ("etag", MD5_B)])));
        assert!(!in_parts.is_same_as(&content("h2", &[("SHA256", "BBBB"), ("etag", MD5_B)])));
    }

    #[test]
    fn different_size_is_different_content() {
        let one = content("h", &[("etag", MD5_A)]);
        assert!(!one.is_same_as(&Content { bytes: 8, ..one.clone() }));
    }

    #[test]
    fn entity_tag_is_digest_only_in_form_of_md5() {
        for tag in ["", "abc", "awaited", &MD5_A[1..], &format!("{MD5_A}-"), &format!("{MD5_A}-x"), &"g".repeat(32)] {
            assert_eq!(Checksum::of_entity_tag(tag), None, "{tag}");
        }
        assert_eq!(Checksum::of_entity_tag(&MD5_A.to_uppercase()), Checksum::of_entity_tag(MD5_A));
    }

    #[test]
    fn md5_checksum_and_md5_entity_tag_are_comparable() {
        let in_base64 = BASE64.encode(&HEXLOWER.decode(MD5_A.as_bytes()).unwrap());
        assert_eq!(Some(Checksum::new("MD5", &in_base64)), Checksum::of_entity_tag(MD5_A));
    }
}
