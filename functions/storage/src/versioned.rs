//! A stored value, with the revision at which it was read.
//!
//! Callers get a revision only from a read or a write. A write names the revision that it replaces, and DynamoDB
//! rejects the write if another writer has changed the item since (`table.rs`).

use std::ops::Deref;

/// How many times an item had been written when it was read. The next write of the item is conditional on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revision(u64);

impl Revision {
    /// The revision of an item that was just created.
    pub(crate) const FIRST: Self = Self(1);

    /// Makes a revision from the stored number.
    pub(crate) fn stored(number: u64) -> Self {
        Self(number)
    }

    /// The revision after the next write.
    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The number to store.
    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

/// A value with the revision at which it was read or written.
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

    /// The revision at which the value was read or written.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Replaces the value and keeps the revision.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Versioned<U> {
        Versioned { value: f(self.value), revision: self.revision }
    }

    /// Replaces the value, if `f` succeeds, and keeps the revision.
    ///
    /// # Errors
    /// Returns the error of `f`. The value is lost.
    pub fn try_map<U, E>(self, f: impl FnOnce(T) -> Result<U, E>) -> Result<Versioned<U>, E> {
        Ok(Versioned { value: f(self.value)?, revision: self.revision })
    }

    /// Separates the value and the revision.
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
    fn from(versioned: &Versioned<T>) -> Self {
        versioned.revision
    }
}

impl<T> From<Versioned<T>> for Revision {
    fn from(versioned: Versioned<T>) -> Self {
        versioned.revision
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_value_keeps_revision() {
        let read = Versioned::new(20, Revision::stored(7));
        let changed = read.map(|n| n + 1).try_map(u8::try_from).unwrap();
        assert_eq!((*changed, changed.revision()), (21, Revision::stored(7)));
        assert_eq!(Revision::from(&changed).next(), Revision::stored(8));
    }
}
