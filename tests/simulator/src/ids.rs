//! The identifiers of the simulated platform, in the shapes that were seen in
//! the wild, and the secrets that it issues.
//!
//! Randomness is an argument. The mint remembers every secret it made, so that a
//! test can look for them where they must not be.

use std::fmt;

use rand::{RngExt, rngs::StdRng};
use serde::{Deserialize, Serialize};

/// A TikTok user, as one app sees them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OpenId(String);

impl OpenId {
    /// Names a user.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as it goes over the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OpenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One attempt to post, from its init on; at most 64 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PublishId(String);

impl PublishId {
    /// Names a publish.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// Makes an id as direct posts have them.
    pub(crate) fn direct(mint: &mut Mint) -> Self {
        Self(format!("v_pub_file~v2-1.{}", mint.nineteen_digits()))
    }

    /// Makes an id as drafts have them.
    pub(crate) fn draft(mint: &mut Mint) -> Self {
        Self(format!("v_inbox_file~v2.{}", mint.nineteen_digits()))
    }

    /// The id as it goes over the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PublishId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Makes ids and secrets, and remembers every secret that it made.
#[derive(Debug)]
pub(crate) struct Mint {
    rng: StdRng,
    issued: Vec<String>,
}

impl Mint {
    /// Starts with nothing issued.
    pub(crate) fn new(rng: StdRng) -> Self {
        Self { rng, issued: Vec::new() }
    }

    /// Makes a secret of `length` letters and digits behind a prefix.
    pub(crate) fn secret(&mut self, prefix: &str, length: usize) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let mut secret = String::from(prefix);
        for _ in 0..length {
            secret.push(char::from(ALPHABET[self.rng.random_range(0..ALPHABET.len())]));
        }
        self.issued.push(secret.clone());
        secret
    }

    /// Makes a number of nineteen digits that fits an `i64` and that no `f64` holds exactly.
    pub(crate) fn nineteen_digits(&mut self) -> u64 {
        let random = 7_600_000_000_000_000_000..7_700_000_000_000_000_000_u64;
        self.rng.random_range(random) | 1
    }

    /// Makes the id that TikTok puts into every answer, for its support.
    pub(crate) fn log_id(&mut self) -> String {
        format!("{:032X}", self.rng.random::<u128>())
    }

    /// Lists every secret ever made, oldest first.
    pub(crate) fn issued(&self) -> &[String] {
        &self.issued
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn mint() -> Mint {
        Mint::new(StdRng::seed_from_u64(1))
    }

    #[test]
    fn publish_ids_have_the_shapes_that_were_seen() {
        let direct = PublishId::direct(&mut mint());
        let draft = PublishId::draft(&mut mint());
        assert!(direct.as_str().starts_with("v_pub_file~v2-1."));
        assert!(draft.as_str().starts_with("v_inbox_file~v2."));
        assert!(direct.as_str().len() <= 64 && draft.as_str().len() <= 64);
    }

    #[test]
    fn every_secret_is_remembered() {
        let mut mint = mint();
        let secret = mint.secret("act.", 12);
        assert_eq!(secret.len(), 16);
        assert_eq!(mint.issued(), [secret]);
    }

    #[test]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "the loss is what is shown"
    )]
    fn post_ids_do_not_survive_a_trip_through_f64() {
        let id = mint().nineteen_digits();
        assert_eq!(id.to_string().len(), 19);
        assert_ne!(id as f64 as u64, id);
    }
}
