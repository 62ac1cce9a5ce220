//! Types for secrets: [`SecretString`] in memory and [`Sealed`] in the database.
//!
//! Neither type implements `Display`, and their `Debug` output does not contain the secret. Only the crate `storage`
//! can open a [`Sealed`].

use std::fmt;

pub use secrecy::{ExposeSecret, SecretString};

/// The ciphertext of a secret. It is safe to store: only the KMS key that encrypted it can decrypt it.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// Wraps ciphertext that KMS returned.
    pub fn new(ciphertext: Vec<u8>) -> Self {
        Self(ciphertext)
    }

    /// Returns the ciphertext.
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
    fn debug_output_contains_no_secret() {
        assert_eq!(format!("{:?}", Sealed::new(b"abc".to_vec())), "Sealed(3 bytes)");
        assert!(!format!("{:?}", SecretString::from("hidden-text")).contains("hidden"));
    }
}
