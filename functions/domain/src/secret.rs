//! Secrets: what may be kept, and must never be shown.
//!
//! Neither type has `Display`, and `Debug` shows nothing. A [`Sealed`] is what
//! the database holds; only `storage` can open one.

use std::fmt;

pub use secrecy::{ExposeSecret, SecretString};

/// Ciphertext: safe to store, useless without the key that sealed it.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// Takes ciphertext as the key's service gave it.
    #[must_use]
    pub fn new(ciphertext: Vec<u8>) -> Self {
        Self(ciphertext)
    }

    /// The ciphertext.
    #[must_use]
    pub fn ciphertext(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_content() {
        assert_eq!(format!("{:?}", Sealed::new(b"abc".to_vec())), "Sealed(3 bytes)");
        assert!(!format!("{:?}", SecretString::from("hidden-text")).contains("hidden"));
    }
}
