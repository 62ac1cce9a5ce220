//! The window: how far a video is read ahead of its consumer, and in which parts. The stack parameter `ReadAheadBytes`
//! sets its size.
//!
//! The rule: **a part is requested as soon as the whole part fits into the window**, which begins at the next byte
//! to be consumed. Two properties follow:
//!
//! - At most the window's size is buffered here. The HTTP client's own read buffers come on top.
//! - A response never waits half-read on its connection: what was requested is read at once. S3 therefore finds no
//!   connection idle, however slow the consumer is.
//!
//! This module only computes ranges; `read_ahead.rs` reads them.

use std::ops::Range;

/// The smallest window, in bytes: 1 MiB, as for `ReadAheadBytes` in `template.yaml`.
pub const MIN_WINDOW: u64 = 1024 * 1024;
/// The largest window, in bytes: 64 MiB, likewise.
pub const MAX_WINDOW: u64 = 64 * 1024 * 1024;

/// How many parts a full window has, all of which are read concurrently. With four parts, the upload has to wait only if
/// S3's first byte takes longer than TikTok takes to receive three parts.
const PARTS_PER_WINDOW: u64 = 4;

/// How many bytes of a video may be requested but not consumed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    bytes: u64,
    part_bytes: u64,
}

/// The size of a window is too small for reading ahead, or too large for a function's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a window must have {MIN_WINDOW} to {MAX_WINDOW} bytes, not {0}")]
pub struct WindowError(u64);

impl Window {
    /// Makes a window of this many bytes.
    ///
    /// # Errors
    /// The size is less than [`MIN_WINDOW`] or more than [`MAX_WINDOW`].
    pub fn new(bytes: u64) -> Result<Self, WindowError> {
        let fits = (MIN_WINDOW..=MAX_WINDOW).contains(&bytes);
        if fits { Ok(Self::with_part_size(bytes, bytes / PARTS_PER_WINDOW)) } else { Err(WindowError(bytes)) }
    }

    pub(super) const fn with_part_size(bytes: u64, part_bytes: u64) -> Self {
        Self { bytes, part_bytes }
    }

    /// The window's size in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// The parts of a range that were not requested yet, in order.
#[derive(Debug)]
pub(super) struct Parts {
    window: Window,
    /// The offset of the first byte that was not requested yet.
    first: u64,
    end: u64,
}

impl Parts {
    pub(super) fn new(window: Window, range: Range<u64>) -> Self {
        Self { window, first: range.start, end: range.end }
    }

    /// The next part, if it fits into the window. `consumed` is the offset of the next byte to be consumed.
    pub(super) fn next(&mut self, consumed: u64) -> Option<Range<u64>> {
        let end = self.end.min(self.first + self.window.part_bytes);
        if self.first == self.end || end - consumed > self.window.bytes {
            return None;
        }
        let part = self.first..end;
        self.first = end;
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fitting(parts: &mut Parts, at: u64) -> Vec<Range<u64>> {
        std::iter::from_fn(|| parts.next(at)).collect()
    }

    #[test]
    fn part_is_requested_when_it_fits_whole() {
        // A window of 10 bytes in parts of 4 bytes: two parts fit at once.
        let mut parts = Parts::new(Window::with_part_size(10, 4), 100..119);
        assert_eq!(fitting(&mut parts, 100), [100..104, 104..108]);
        assert_eq!(fitting(&mut parts, 101), []);
        assert_eq!(parts.next(102), Some(108..112));
        assert_eq!(parts.next(102), None);
        assert_eq!(fitting(&mut parts, 112), [112..116, 116..119]);
        assert_eq!(fitting(&mut parts, 119), []);
    }

    #[test]
    fn window_outside_its_bounds_is_rejected() {
        assert!(Window::new(MIN_WINDOW - 1).is_err() && Window::new(MAX_WINDOW + 1).is_err());
        assert_eq!(Window::new(MIN_WINDOW).unwrap().bytes(), MIN_WINDOW);
    }

    proptest! {
        #[test]
        fn every_byte_is_requested_once_in_order_within_the_window(
            first in 0u64..50, len in 0u64..500, part in 1u64..20, ahead in 0u64..60, steps in prop::collection::vec(0u64..40, 0..80),
        ) {
            let window = Window::with_part_size(part + ahead, part);
            let mut parts = Parts::new(window, first..first + len);
            let (mut at, mut requested) = (first, first);
            // After the random steps, 600 steps of at least one byte consume the rest, at most 500 bytes.
            for step in steps.into_iter().chain(std::iter::repeat_n(part, 600)) {
                for range in fitting(&mut parts, at) {
                    prop_assert_eq!(range.start, requested, "in order, without gap or overlap");
                    prop_assert!(range.end - at <= window.bytes, "within the window");
                    requested = range.end;
                }
                prop_assert!(at == first + len || requested > at, "the next byte to be consumed was requested");
                at = (at + step).min(requested);
            }
            prop_assert_eq!(requested, first + len);
        }
    }
}
