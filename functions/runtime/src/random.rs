//! Random bytes from the operating system. Only this module and `storage/src/table/write_token.rs` ask for them.

/// The operating system returned no random bytes.
pub use getrandom::Error;

/// Returns 32 cryptographically secure random bytes.
///
/// # Errors
/// The operating system returns none. The caller must not use other bytes instead.
pub fn random_bytes() -> Result<[u8; 32], Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_calls_return_different_bytes() {
        assert_ne!(random_bytes().unwrap(), random_bytes().unwrap());
    }
}
