//! The search for secrets where they must not be.
//!
//! A secret is known by its first characters as well as by its last, so that one
//! that was shortened for a log, or whose odd characters were encoded, is found
//! too. What is found is told by where it was and what kind it is, never by itself.

use aho_corasick::AhoCorasick;
use anyhow::{Context, Result, ensure};

/// How many characters give a secret away, from either end.
const PIECE: usize = 16;
/// How many characters in front say only what kind of secret it is.
const KIND: usize = 6;

/// Secrets to be looked for.
pub struct Secrets {
    searcher: AhoCorasick,
    kinds: Vec<String>,
}

impl Secrets {
    /// Takes all secrets.
    ///
    /// # Errors
    /// There are none, or one is too short to be told from random: a search that
    /// cannot find anything must not pass for one that found nothing.
    pub fn new(secrets: &[String]) -> Result<Self> {
        ensure!(!secrets.is_empty(), "there is no secret to look for");
        let mut pieces = Vec::new();
        let mut kinds = Vec::new();
        for secret in secrets {
            ensure!(secret.is_ascii(), "a secret is not ASCII, and would be looked for in the wrong encoding");
            let (head, tail) = secret.split_at_checked(KIND + PIECE).context("a secret is too short")?;
            let tail = if tail.len() >= PIECE { &tail[tail.len() - PIECE..] } else { &secret[secret.len() - PIECE..] };
            let kind = secret[..KIND].rfind(|c: char| !c.is_ascii_alphanumeric()).map_or("", |at| &secret[..=at]);
            for piece in [head, tail] {
                pieces.push(piece.to_owned());
                kinds.push(kind.to_owned());
            }
        }
        Ok(Self { searcher: AhoCorasick::new(&pieces).context("the secrets cannot be searched for")?, kinds })
    }

    /// Makes sure that none of them is in some bytes, or in a text.
    ///
    /// # Errors
    /// Says where one is, and how it begins.
    pub fn ensure_absent(&self, bytes: impl AsRef<[u8]>, place: &str) -> Result<()> {
        let found = self.searcher.find(bytes.as_ref());
        let kind = found.map(|found| self.kinds[found.pattern().as_usize()].as_str()).unwrap_or_default();
        ensure!(found.is_none(), "{place} shows a secret ({kind}…)");
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

    fn is_found(text: &str) -> bool {
        secrets().ensure_absent(text, "the log of publish").is_err()
    }

    #[test]
    fn a_secret_is_found_wherever_it_stands() {
        assert!(is_found(TOKEN));
        assert!(is_found(&format!(r#"{{"authorization":"Bearer {TOKEN}"}}"#)));
        let bytes = [&[0, 159, 146, 150][..], TOKEN.as_bytes(), &[255]].concat();
        assert!(secrets().ensure_absent(bytes, "an item").is_err());
    }

    #[test]
    fn a_secret_is_found_though_it_was_shortened_or_encoded() {
        assert!(is_found(&format!("{}…", &TOKEN[..24])));
        assert!(is_found(&format!("…{}", &TOKEN[12..])));
        assert!(is_found(&CODE.replace('*', "%2A").replace('!', "%21")));
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        for text in ["", "act.", "act.Ab1Cd2", "act.Ab1Cd2Ef3Gh4Ij5kl6Mn7", "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8"] {
            assert!(!is_found(text), "{text}");
        }
    }

    #[test]
    fn what_was_found_is_told_without_showing_it() {
        let error = secrets().ensure_absent(TOKEN, "the log of publish").unwrap_err().to_string();
        assert_eq!(error, "the log of publish shows a secret (act.…)");
        let error = secrets().ensure_absent(CODE, "a queue").unwrap_err().to_string();
        assert_eq!(error, "a queue shows a secret (code*!…)");
    }

    #[test]
    fn a_search_that_can_find_nothing_is_refused() {
        assert!(Secrets::new(&[]).is_err());
        assert!(Secrets::new(&["short".to_owned()]).is_err());
    }
}
