//! What nobody can guess: the one place that asks the system for it.

/// Why there is none.
pub use getrandom::Error;

/// Bytes that nobody can guess.
///
/// # Errors
/// The system gives none; nothing may stand in for them.
pub fn random_bytes() -> Result<[u8; 32], Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_never_the_same_twice() {
        assert_ne!(random_bytes().unwrap(), random_bytes().unwrap());
    }
}
