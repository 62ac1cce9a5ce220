//! The shards of the index `due`.
//!
//! A partition of an index accepts 1,000 writes per second. Without shards, all posts would share one partition.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-indexes-gsi-sharding.html>

use domain::identity::PostId;
use serde::{Deserialize, Serialize};

/// The number of shards. If it is reduced, items in the removed shards can no longer be read, and their posts are lost.
const SHARDS: u8 = 8;

/// A shard of the index `due`. A post's shard never changes: it depends only on the post's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Shard(u8);

impl Shard {
    /// All shards, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SHARDS).map(Self)
    }

    /// The shard of a post: a hash (FNV-1a) of its id, so that posts are spread evenly over the shards.
    pub fn of(id: &PostId) -> Self {
        let hash =
            id.as_str().bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let [top, ..] = hash.to_be_bytes();
        Self(top % SHARDS)
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

impl TryFrom<String> for Shard {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::all().find(|shard| shard.to_string() == text).ok_or_else(|| format!("unknown shard {text:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::source::ObjectVersion;

    #[test]
    fn posts_are_spread_over_all_shards() {
        let mut counts = [0u32; SHARDS as usize];
        for n in 0..800 {
            let id = PostId::of_object("bucket", "drop/a.mp4", &ObjectVersion::Id(n.to_string()));
            counts[usize::from(Shard::of(&id).0)] += 1;
        }
        assert!(counts.iter().all(|count| (50..200).contains(count)), "{counts:?}");
    }

    #[test]
    fn shard_round_trips_as_text() {
        for shard in Shard::all() {
            assert_eq!(Shard::try_from(String::from(shard)), Ok(shard));
        }
        assert!(Shard::try_from("8".to_owned()).is_err());
    }
}
