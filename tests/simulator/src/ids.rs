//! Identifiers and secrets of the simulated platform, in the formats that real responses have.
//!
//! The random number generator is an argument. [`IdGenerator`] remembers every secret that
//! it made, so that a test can search logs, tables and other outputs for leaked secrets.

use std::fmt;

use rand::{RngExt, rngs::StdRng};
use serde::{Deserialize, Serialize};

/// A TikTok user's `open_id`, which is specific to one app.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OpenId(String);

impl OpenId {
    /// Wraps an id.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// Returns the id as JSON and URLs contain it.
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

/// The `publish_id` of one publish: an upload and its post, from the init on. At most 64 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PublishId(String);

impl PublishId {
    /// Wraps an id.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// Makes an id in the format of direct posts.
    pub(crate) fn direct(ids: &mut IdGenerator) -> Self {
        Self(format!("v_pub_file~v2-1.{}", ids.nineteen_digits()))
    }

    /// Makes an id in the format of drafts.
    pub(crate) fn draft(ids: &mut IdGenerator) -> Self {
        Self(format!("v_inbox_file~v2.{}", ids.nineteen_digits()))
    }

    /// Returns the id as JSON and URLs contain it.
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

/// Makes ids and secrets, and remembers every secret.
#[derive(Debug)]
pub(crate) struct IdGenerator {
    rng: StdRng,
    issued: Vec<String>,
}

impl IdGenerator {
    /// Creates a generator that has not issued any secret.
    pub(crate) fn new(rng: StdRng) -> Self {
        Self { rng, issued: Vec::new() }
    }

    /// Makes a secret: a prefix and `length` random letters and digits.
    pub(crate) fn secret(&mut self, prefix: &str, length: usize) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let mut secret = String::from(prefix);
        for _ in 0..length {
            secret.push(char::from(ALPHABET[self.rng.random_range(0..ALPHABET.len())]));
        }
        self.issued.push(secret.clone());
        secret
    }

    /// Makes a number of 19 digits, like TikTok's post ids. It fits an `i64`. It is odd, so that an `f64` cannot
    /// represent it exactly.
    pub(crate) fn nineteen_digits(&mut self) -> u64 {
        let random = 7_600_000_000_000_000_000..7_700_000_000_000_000_000_u64;
        self.rng.random_range(random) | 1
    }

    /// Makes the `log_id` of a response, which TikTok's support asks for.
    pub(crate) fn log_id(&mut self) -> String {
        format!("{:032X}", self.rng.random::<u128>())
    }

    /// Returns every secret that was made, oldest first.
    pub(crate) fn issued(&self) -> &[String] {
        &self.issued
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn generator() -> IdGenerator {
        IdGenerator::new(StdRng::seed_from_u64(1))
    }

    #[test]
    fn publish_ids_have_observed_formats() {
        let direct = PublishId::direct(&mut generator());
        let draft = PublishId::draft(&mut generator());
        assert!(direct.as_str().starts_with("v_pub_file~v2-1."));
        assert!(draft.as_str().starts_with("v_inbox_file~v2."));
        assert!(direct.as_str().len() <= 64 && draft.as_str().len() <= 64);
    }

    #[test]
    fn issued_lists_every_secret() {
        let mut ids = generator();
        let secret = ids.secret("act.", 12);
        assert_eq!(secret.len(), 16);
        assert_eq!(ids.issued(), [secret]);
    }

    #[test]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "the test shows this loss"
    )]
    fn post_ids_lose_digits_as_f64() {
        let id = generator().nineteen_digits();
        assert_eq!(id.to_string().len(), 19);
        assert_ne!(id as f64 as u64, id);
    }
}
