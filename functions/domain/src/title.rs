//! A post's title. It is the caption on TikTok, including hashtags and mentions.

mod frame;

pub use frame::{TitleFrame, TitleFrameTooLong};

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

/// The configured maximum length of a title in UTF-16 code units: 1 to [`TitleLimit::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TitleLimit(u16);

/// A title limit outside the allowed range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the title limit must be 1 to {max} UTF-16 code units, but it is {0}", max = TitleLimit::MAX)]
pub struct TitleLimitError(u16);

impl TitleLimit {
    /// TikTok's limit in UTF-16 code units, from [TikTok's Direct Post
    /// page](https://developers.tiktok.com/doc/content-posting-api-reference-direct-post).
    pub const MAX: u16 = 2200;

    /// Creates a limit from UTF-16 code units.
    pub fn new(units: u16) -> Result<Self, TitleLimitError> {
        if (1..=Self::MAX).contains(&units) { Ok(Self(units)) } else { Err(TitleLimitError(units)) }
    }

    /// Returns the limit in UTF-16 code units.
    pub fn units(self) -> usize {
        usize::from(self.0)
    }
}

impl Default for TitleLimit {
    fn default() -> Self {
        Self(Self::MAX)
    }
}

/// A title within the [`TitleLimit`] that applied when it was made. Reading a stored title does not check it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Title(String);

impl Title {
    /// Trims the text and cuts it to the limit. The cut is between grapheme clusters: never inside an emoji, nor
    /// between a letter and its accent.
    pub fn fit(text: &str, limit: TitleLimit) -> Self {
        Self(cut(text, limit.units()))
    }

    /// Returns the title as a string slice.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the length in UTF-16 code units, the unit of TikTok's limit.
    pub fn utf16_units(&self) -> usize {
        self.0.encode_utf16().count()
    }
}

/// Trims the text and returns its longest prefix of whole grapheme clusters that has at most `limit` UTF-16 code
/// units, without trailing space.
fn cut(text: &str, limit: usize) -> String {
    let mut left = limit;
    let prefix = text.trim().graphemes(true).take_while(|grapheme| {
        let units = grapheme.encode_utf16().count();
        let fits = units <= left;
        left = left.saturating_sub(units);
        fits
    });
    prefix.collect::<String>().trim_end().to_owned()
}

/// Returns the title of a post without a title option: the file name without its extension.
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
    fn title_is_cut_between_graphemes() {
        assert_eq!(fit("abc", 2), "ab");
        assert_eq!(fit("a👩‍👩‍👧b", 5), "a", "the family emoji is one grapheme of eight units");
        assert_eq!(fit("a👩‍👩‍👧b", 9), "a👩‍👩‍👧");
        assert_eq!(fit("e\u{301}x", 1), "", "the accent is not separated from its letter");
    }

    #[test]
    fn cut_ends_before_first_grapheme_over_limit() {
        assert_eq!(fit("ab👍c", 3), "ab");
    }

    #[test]
    fn title_from_file_name_has_no_extension() {
        assert_eq!(title_of_file("my clip.v2.mp4"), "my clip.v2");
        assert_eq!(title_of_file(".mp4"), ".mp4");
    }

    proptest! {
        #[test]
        fn title_fits_limit_and_is_prefix_of_text(text in any::<String>(), units in 1..=2200u16) {
            let title = Title::fit(&text, TitleLimit::new(units).unwrap());
            prop_assert!(title.utf16_units() <= usize::from(units));
            prop_assert!(text.trim().starts_with(title.as_str()));
        }
    }
}
