//! What an account puts around each of its titles: a series' name in front, its
//! hashtags behind.
//!
//! A title that is too long is cut in the middle: the frame stays whole, because
//! a hashtag or a disclosure that was cut off is worse than a shorter title.

use super::{Title, TitleLimit, cut};

/// A text in front of each title, and one behind it; either may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TitleFrame {
    prefix: String,
    suffix: String,
}

/// A frame that is longer than a whole title may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("title_prefix and title_suffix are {units} UTF-16 code units together, and a whole title has at most {limit}")]
pub struct TitleFrameTooLong {
    units: usize,
    limit: usize,
}

impl TitleFrame {
    /// Takes both texts; what separates them from the title is theirs, and space
    /// at the title's outer ends is nobody's.
    #[must_use]
    pub fn new(prefix: &str, suffix: &str) -> Self {
        Self { prefix: prefix.trim_start().to_owned(), suffix: suffix.trim_end().to_owned() }
    }

    /// The text in front.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The text behind.
    #[must_use]
    pub fn suffix(&self) -> &str {
        &self.suffix
    }

    /// Puts the frame around a text, cutting the text to what room is left.
    ///
    /// # Errors
    /// The frame alone is longer than the limit.
    pub fn around(&self, text: &str, limit: TitleLimit) -> Result<Title, TitleFrameTooLong> {
        let (Self { prefix, suffix }, limit) = (self, limit.units());
        let units = prefix.encode_utf16().count() + suffix.encode_utf16().count();
        let room = limit.checked_sub(units).ok_or(TitleFrameTooLong { units, limit })?;
        Ok(Title(format!("{prefix}{}{suffix}", cut(text, room))))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn around(frame: &TitleFrame, text: &str, units: u16) -> Result<String, TitleFrameTooLong> {
        frame.around(text, TitleLimit::new(units).unwrap()).map(|title| title.as_str().to_owned())
    }

    #[test]
    fn the_title_is_cut_and_the_frame_is_not() {
        let frame = TitleFrame::new("Anna bakes: ", " #bread 🍞");
        assert_eq!(around(&frame, "rye", 150).unwrap(), "Anna bakes: rye #bread 🍞");
        assert_eq!(around(&frame, " rye and wheat ", 28).unwrap(), "Anna bakes: rye an #bread 🍞");
        assert_eq!(
            around(&frame, "👩‍👩‍👧", 28).unwrap(),
            "Anna bakes:  #bread 🍞",
            "a family is eight units, and six are left"
        );
    }

    #[test]
    fn a_frame_may_be_as_long_as_the_limit_and_no_longer() {
        let frame = TitleFrame::new("ab", "👏");
        assert_eq!(around(&frame, "title", 4).unwrap(), "ab👏");
        let error = around(&frame, "title", 3).unwrap_err();
        assert!(error.to_string().contains("4 UTF-16") && error.to_string().contains("at most 3"), "{error}");
    }

    #[test]
    fn space_counts_inside_and_not_at_the_ends() {
        assert_eq!(TitleFrame::new("  a ", " b  "), TitleFrame { prefix: "a ".into(), suffix: " b".into() });
    }

    proptest! {
        #[test]
        fn a_framed_title_fits_and_keeps_its_frame_whole(
            prefix in ".{0,40}", suffix in ".{0,40}", text in any::<String>(), units in 1..=300u16
        ) {
            let frame = TitleFrame::new(&prefix, &suffix);
            let limit = TitleLimit::new(units).unwrap();
            let alone = format!("{}{}", frame.prefix(), frame.suffix()).encode_utf16().count();
            match frame.around(&text, limit) {
                Ok(title) => {
                    prop_assert!(title.utf16_units() <= limit.units());
                    let middle = title.as_str().strip_prefix(frame.prefix()).and_then(|t| t.strip_suffix(frame.suffix()));
                    prop_assert!(text.trim().starts_with(middle.unwrap()));
                }
                Err(_) => prop_assert!(alone > limit.units()),
            }
        }
    }
}
