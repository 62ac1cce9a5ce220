//! What is kept, together with the revision that it was read at.
//!
//! A revision is only had by reading or by writing, so whoever saves says what
//! they had seen; the table refuses the write where somebody wrote since.

use std::ops::Deref;

/// How often an item had been written when it was read: what the next write of
/// it is conditional on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revision(u64);

impl Revision {
    /// The revision of an item that was just created.
    pub(crate) const FIRST: Self = Self(1);

    /// Takes a revision as it is stored.
    pub(crate) fn stored(number: u64) -> Self {
        Self(number)
    }

    /// The revision that the next write makes.
    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The revision as it is stored.
    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

/// A value and the revision that it was read, or written, at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The value.
    pub value: T,
    revision: Revision,
}

impl<T> Versioned<T> {
    pub(crate) fn new(value: T, revision: Revision) -> Self {
        Self { value, revision }
    }

    /// The revision that the value was read at.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Makes another value of it, still at the revision that was read.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Versioned<U> {
        Versioned { value: f(self.value), revision: self.revision }
    }

    /// Makes another value of it where that is possible.
    ///
    /// # Errors
    /// Hands on the error of `f`; the value is gone with it.
    pub fn try_map<U, E>(self, f: impl FnOnce(T) -> Result<U, E>) -> Result<Versioned<U>, E> {
        Ok(Versioned { value: f(self.value)?, revision: self.revision })
    }

    /// The value and the revision, apart.
    #[must_use]
    pub fn into_parts(self) -> (T, Revision) {
        (self.value, self.revision)
    }
}

impl<T> Deref for Versioned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> From<&Versioned<T>> for Revision {
    fn from(kept: &Versioned<T>) -> Self {
        kept.revision
    }
}

impl<T> From<Versioned<T>> for Revision {
    fn from(kept: Versioned<T>) -> Self {
        kept.revision
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_value_keeps_the_revision_that_was_read() {
        let kept = Versioned::new(20, Revision::stored(7));
        let changed = kept.map(|n| n + 1).try_map(u8::try_from).unwrap();
        assert_eq!((*changed, changed.revision()), (21, Revision::stored(7)));
        assert_eq!(Revision::from(&changed).next(), Revision::stored(8));
    }
}
