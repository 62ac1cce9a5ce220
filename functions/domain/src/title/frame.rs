//! An account's title prefix and suffix, which surround each of its titles: for example a series name before the
//! title and hashtags after it.
//!
//! If the whole is too long, only the title between prefix and suffix is cut. A truncated hashtag or disclosure would
//! be worse than a shorter title.

use super::{Title, TitleLimit, cut};

/// The prefix and the suffix of each title; both may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TitleFrame {
    prefix: String,
    suffix: String,
}

/// A frame that is longer than the limit of the whole title.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("title_prefix and title_suffix are {units} UTF-16 code units together, but a whole title has at most {limit}")]
pub struct TitleFrameTooLong {
    units: usize,
    limit: usize,
}

impl TitleFrame {
    /// Creates a frame. Removes the space before the prefix and after the suffix. Keeps the space next to the title:
    /// the frame does not add a separator.
    pub fn new(prefix: &str, suffix: &str) -> Self {
        Self { prefix: prefix.trim_start().to_owned(), suffix: suffix.trim_end().to_owned() }
    }

    /// Returns the prefix.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns the suffix.
    pub fn suffix(&self) -> &str {
        &self.suffix
    }

    /// Returns the title with prefix, `text` and suffix. Cuts `text` to the room that the frame leaves.
    ///
    /// # Errors
    /// [`TitleFrameTooLong`] if the frame alone is longer than the limit.
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
    fn title_is_cut_and_frame_is_kept() {
        let frame = TitleFrame::new("Anna bakes: ", " #bread 🍞");
        assert_eq!(around(&frame, "rye", 150).unwrap(), "Anna bakes: rye #bread 🍞");
        assert_eq!(around(&frame, " rye and wheat ", 28).unwrap(), "Anna bakes: rye an #bread 🍞");
        assert_eq!(
            around(&frame, "👩‍👩‍👧", 28).unwrap(),
            "Anna bakes:  #bread 🍞",
            "the family emoji has eight units, and six are left"
        );
    }

    #[test]
    fn frame_longer_than_limit_is_rejected() {
        let frame = TitleFrame::new("ab", "👏");
        assert_eq!(around(&frame, "title", 4).unwrap(), "ab👏");
        let error = around(&frame, "title", 3).unwrap_err();
        assert!(error.to_string().contains("4 UTF-16") && error.to_string().contains("at most 3"), "{error}");
    }

    #[test]
    fn outer_space_is_trimmed_and_inner_space_kept() {
        assert_eq!(TitleFrame::new("  a ", " b  "), TitleFrame { prefix: "a ".into(), suffix: " b".into() });
    }

    proptest! {
        #[test]
        fn framed_title_fits_limit_and_keeps_frame(
            prefix in ".{0,40}", suffix in ".{0,40}", text in any::<String>(), units in 1..=300u16
        ) {
            let frame = TitleFrame::new(&prefix, &suffix);
            let limit = TitleLimit::new(units).unwrap();
            let frame_units = format!("{}{}", frame.prefix(), frame.suffix()).encode_utf16().count();
            match frame.around(&text, limit) {
                Ok(title) => {
                    prop_assert!(title.utf16_units() <= limit.units());
                    let middle = title.as_str().strip_prefix(frame.prefix()).and_then(|t| t.strip_suffix(frame.suffix()));
                    prop_assert!(text.trim().starts_with(middle.unwrap()));
                }
                Err(_) => prop_assert!(frame_units > limit.units()),
            }
        }
    }
}
