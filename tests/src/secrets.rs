//! A search for secrets in places where they must not be, such as logs and tables.
//!
//! The search finds a secret by its first 22 or its last 16 characters, so it also finds a secret that was truncated or
//! whose beginning was URL-encoded. An error names the place and the secret's prefix, never the secret.

use aho_corasick::AhoCorasick;
use anyhow::{Context, Result, ensure};

/// The number of random characters that identify a secret. No other text contains 16 equal ones by accident.
const PIECE_CHARS: usize = 16;
/// The maximum length of a prefix that is not random and shows the secret's kind, such as `act.`, in characters.
const MAX_PREFIX_CHARS: usize = 6;

/// Secrets to search for.
pub struct Secrets {
    searcher: AhoCorasick,
    /// The prefix of the secret to which each pattern of `searcher` belongs.
    prefixes: Vec<String>,
}

impl Secrets {
    /// Prepares the search.
    ///
    /// # Errors
    /// There are no secrets, or one is too short or not ASCII: such a search could miss a secret.
    pub fn new(secrets: &[String]) -> Result<Self> {
        ensure!(!secrets.is_empty(), "there is no secret to search for");
        let mut pieces = Vec::new();
        let mut prefixes = Vec::new();
        for secret in secrets {
            ensure!(secret.is_ascii(), "a secret is not ASCII, so an encoded copy could be missed");
            let head = secret.get(..MAX_PREFIX_CHARS + PIECE_CHARS).context("a secret is too short")?;
            let tail = &secret[secret.len() - PIECE_CHARS..];
            // The prefix ends with the last of these characters that is neither a letter nor a digit.
            let end = secret[..MAX_PREFIX_CHARS].rfind(|c: char| !c.is_ascii_alphanumeric());
            let prefix = end.map_or("", |end| &secret[..=end]);
            for piece in [head, tail] {
                pieces.push(piece.to_owned());
                prefixes.push(prefix.to_owned());
            }
        }
        let searcher = AhoCorasick::new(&pieces).context("the search cannot be prepared")?;
        Ok(Self { searcher, prefixes })
    }

    /// Checks that no secret is in this content.
    ///
    /// # Errors
    /// Names the place and the prefix of the secret that was found.
    pub fn ensure_absent(&self, content: impl AsRef<[u8]>, place: &str) -> Result<()> {
        let found = self.searcher.find(content.as_ref());
        let prefix = found.map(|found| self.prefixes[found.pattern().as_usize()].as_str()).unwrap_or_default();
        ensure!(found.is_none(), "{place} contains a secret ({prefix}…)");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "act.Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0";
    const CODE: &str = "code*!Zy9Xw8Vu7Ts6Rq5Po4Nm3Lk2Ji1";

    fn secrets() -> Secrets {
        Secrets::new(&[TOKEN.to_owned(), CODE.to_owned()]).unwrap()
    }

    fn is_found(text: impl AsRef<[u8]>) -> bool {
        secrets().ensure_absent(text, "the log of publish").is_err()
    }

    #[test]
    fn secret_is_found_anywhere() {
        assert!(is_found(TOKEN));
        assert!(is_found(format!(r#"{{"authorization":"Bearer {TOKEN}"}}"#)));
        assert!(is_found([&[0, 159, 146, 150][..], TOKEN.as_bytes(), &[255]].concat()));
    }

    #[test]
    fn shortened_or_encoded_secret_is_found() {
        assert!(is_found(format!("{}…", &TOKEN[..24])));
        assert!(is_found(format!("…{}", &TOKEN[12..])));
        assert!(is_found(CODE.replace('*', "%2A").replace('!', "%21")));
    }

    #[test]
    fn text_without_a_whole_piece_is_not_found() {
        for text in ["", "act.", "act.Ab1Cd2", "act.Ab1Cd2Ef3Gh4Ij5kl6Mn7", "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8"] {
            assert!(!is_found(text), "{text}");
        }
    }

    #[test]
    fn error_names_only_the_prefix() {
        for (secret, prefix) in [(TOKEN, "act."), (CODE, "code*!")] {
            let error = secrets().ensure_absent(secret, "a queue").unwrap_err().to_string();
            assert_eq!(error, format!("a queue contains a secret ({prefix}…)"));
        }
    }

    #[test]
    fn missing_or_short_secrets_are_rejected() {
        assert!(Secrets::new(&[]).is_err());
        assert!(Secrets::new(&["short".to_owned()]).is_err());
    }
}
