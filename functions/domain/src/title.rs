//! A post's title: TikTok's caption, with hashtags and mentions in the text.

mod frame;

pub use frame::{TitleFrame, TitleFrameTooLong};

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

/// How long a title may be, in UTF-16 code units: 1 to [`TitleLimit::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TitleLimit(u16);

/// A limit that no title can be held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the limit of a title must be 1 to {max} UTF-16 code units, and this is {0}", max = TitleLimit::MAX)]
pub struct TitleLimitError(u16);

impl TitleLimit {
    /// The most that TikTok takes.
    /// <https://developers.tiktok.com/doc/content-posting-api-reference-direct-post>
    pub const MAX: u16 = 2200;

    /// Takes a limit in UTF-16 code units.
    pub fn new(units: u16) -> Result<Self, TitleLimitError> {
        if (1..=Self::MAX).contains(&units) { Ok(Self(units)) } else { Err(TitleLimitError(units)) }
    }

    /// The limit in UTF-16 code units.
    #[must_use]
    pub fn units(self) -> usize {
        usize::from(self.0)
    }
}

impl Default for TitleLimit {
    fn default() -> Self {
        Self(Self::MAX)
    }
}

/// A title that TikTok takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Title(String);

impl Title {
    /// Cuts a text to the limit, between characters as a reader sees them:
    /// never inside an emoji, nor between a letter and its accent.
    #[must_use]
    pub fn fit(text: &str, limit: TitleLimit) -> Self {
        Self(cut(text, limit.units()))
    }

    /// The title as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its length as TikTok counts it, in UTF-16 code units.
    #[must_use]
    pub fn utf16_units(&self) -> usize {
        self.0.encode_utf16().count()
    }
}

/// The start of a text, trimmed, in at most so many UTF-16 code units, cut
/// between characters.
fn cut(text: &str, units: usize) -> String {
    let mut left = units;
    let whole = text.trim().graphemes(true).take_while(|character| {
        let units = character.encode_utf16().count();
        let fits = units <= left;
        left = left.saturating_sub(units);
        fits
    });
    whole.collect::<String>().trim_end().to_owned()
}

/// A file's name as a title: without its ending.
#[must_use]
pub fn title_of_file(file_name: &str) -> &str {
    file_name.rsplit_once('.').map_or(file_name, |(stem, _)| if stem.is_empty() { file_name } else { stem })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fit(text: &str, units: u16) -> String {
        Title::fit(text, TitleLimit::new(units).unwrap()).as_str().to_owned()
    }

    #[test]
    fn a_title_is_cut_between_characters_only() {
        assert_eq!(fit("abc", 2), "ab");
        assert_eq!(fit("a👩‍👩‍👧b", 5), "a", "a family is eight units and one character");
        assert_eq!(fit("a👩‍👩‍👧b", 9), "a👩‍👩‍👧");
        assert_eq!(fit("e\u{301}x", 1), "", "an accent stays with its letter");
    }

    #[test]
    fn nothing_behind_the_cut_slips_in() {
        assert_eq!(fit("ab👍c", 3), "ab");
    }

    #[test]
    fn a_file_name_loses_its_ending() {
        assert_eq!(title_of_file("my clip.v2.mp4"), "my clip.v2");
        assert_eq!(title_of_file(".mp4"), ".mp4");
    }

    proptest! {
        #[test]
        fn a_title_fits_and_begins_as_the_text_does(text in any::<String>(), units in 1..=2200u16) {
            let title = Title::fit(&text, TitleLimit::new(units).unwrap());
            prop_assert!(title.utf16_units() <= usize::from(units));
            prop_assert!(text.trim().starts_with(title.as_str()));
        }
    }
}
