//! How far a read may be ahead of whoever takes its bytes, and in which parts.
//!
//! The rule is one line: **a part is asked for once all of it fits into the
//! window**, which begins at the next byte to be handed on. Two things follow.
//! Never do more bytes wait than the window has; what the
//! HTTP client holds while it reads an answer comes on top. And nobody ever makes a
//! connection wait with half a part on it: what was asked for is taken off the
//! wire at once, so S3 finds no connection idle, however slow the taker is.
//!
//! It does not read anything.

use std::ops::Range;

/// The least window, in bytes: 1 MiB.
pub const MIN_WINDOW: u64 = 1024 * 1024;
/// The largest window, in bytes: 64 MiB.
pub const MAX_WINDOW: u64 = 64 * 1024 * 1024;

/// In how many parts a full window is read at once. With four, S3's first byte
/// may take as long as three parts take to be sent before anybody has to wait.
const PARTS: u64 = 4;

/// How many bytes may be in memory at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    bytes: u64,
    part: u64,
}

/// A window too small to read ahead in, or too large for a function's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a window must be {MIN_WINDOW} to {MAX_WINDOW} bytes, and this is {0}")]
pub struct WindowError(u64);

impl Window {
    /// Takes a window in bytes.
    ///
    /// # Errors
    /// Refuses what is outside [`MIN_WINDOW`] and [`MAX_WINDOW`].
    pub fn new(bytes: u64) -> Result<Self, WindowError> {
        let fits = (MIN_WINDOW..=MAX_WINDOW).contains(&bytes);
        if fits { Ok(Self::of_parts(bytes, bytes / PARTS)) } else { Err(WindowError(bytes)) }
    }

    pub(super) const fn of_parts(bytes: u64, part: u64) -> Self {
        Self { bytes, part }
    }

    /// How many bytes it has.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Which part of a range is to be asked for next.
#[derive(Debug)]
pub(super) struct Parts {
    window: Window,
    /// The first byte that nobody has asked for.
    next: u64,
    end: u64,
}

impl Parts {
    pub(super) fn new(window: Window, range: Range<u64>) -> Self {
        Self { window, next: range.start, end: range.end }
    }

    /// The next part, once it fits: `at` is the next byte to be handed on.
    pub(super) fn next(&mut self, at: u64) -> Option<Range<u64>> {
        let end = self.end.min(self.next + self.window.part);
        if self.next == self.end || end - at > self.window.bytes {
            return None;
        }
        let part = self.next..end;
        self.next = end;
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn due(parts: &mut Parts, at: u64) -> Vec<Range<u64>> {
        std::iter::from_fn(|| parts.next(at)).collect()
    }

    #[test]
    fn a_part_is_asked_for_once_all_of_it_fits() {
        let mut parts = Parts::new(Window::of_parts(10, 4), 100..119);
        assert_eq!(due(&mut parts, 100), [100..104, 104..108]);
        assert_eq!(due(&mut parts, 101), []);
        assert_eq!(parts.next(102), Some(108..112));
        assert_eq!(parts.next(102), None);
        assert_eq!(due(&mut parts, 112), [112..116, 116..119]);
        assert_eq!(due(&mut parts, 119), []);
    }

    #[test]
    fn a_window_outside_its_bounds_is_refused() {
        assert!(Window::new(MIN_WINDOW - 1).is_err() && Window::new(MAX_WINDOW + 1).is_err());
        assert_eq!(Window::new(MIN_WINDOW).unwrap().bytes(), MIN_WINDOW);
    }

    proptest! {
        #[test]
        fn every_byte_is_asked_for_once_in_order_and_never_too_early(
            first in 0u64..50, len in 0u64..500, part in 1u64..20, ahead in 0u64..60, steps in prop::collection::vec(0u64..40, 0..80),
        ) {
            let window = Window::of_parts(part + ahead, part);
            let mut parts = Parts::new(window, first..first + len);
            let (mut at, mut asked) = (first, first);
            for step in steps.into_iter().chain(std::iter::repeat_n(part, 600)) {
                for range in due(&mut parts, at) {
                    prop_assert_eq!(range.start, asked, "in order, without gap or overlap");
                    prop_assert!(range.end - at <= window.bytes, "within the window");
                    asked = range.end;
                }
                prop_assert!(at == first + len || asked > at, "whoever waits for a byte, it was asked for");
                at = (at + step).min(asked);
            }
            prop_assert_eq!(asked, first + len);
        }
    }
}
