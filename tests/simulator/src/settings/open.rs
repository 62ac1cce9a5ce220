//! A setting of which the documents do not say how it is.
//!
//! There is one way to its value, and whoever takes it leaves a mark. So of
//! anything that happened without a mark it is known that it would have happened
//! under every other value, too. Comparing and writing out leave none: no answer
//! is made by them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

/// A setting that remembers whether it was consulted. Its clones remember with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Open<T> {
    value: T,
    #[serde(skip)]
    consulted: Arc<AtomicBool>,
}

impl<T: Copy> Open<T> {
    /// One that nobody consulted.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self { value, consulted: Arc::default() }
    }

    /// Sets it.
    pub fn set(&mut self, value: T) {
        self.value = value;
    }

    /// Reads it. Whoever does so should be about to do something that hangs on it:
    /// the less it is consulted, the more can be said of what happened.
    #[must_use]
    pub fn consult(&self) -> T {
        self.consulted.store(true, Ordering::SeqCst);
        self.value
    }
}

impl<T: PartialEq> PartialEq for Open<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Open<T> {}

/// An open setting, whatever its value.
pub(super) trait Remembers {
    fn was_consulted(&self) -> bool;

    fn forget(&self);
}

impl<T> Remembers for Open<T> {
    fn was_consulted(&self) -> bool {
        self.consulted.load(Ordering::SeqCst)
    }

    fn forget(&self) {
        self.consulted.store(false, Ordering::SeqCst);
    }
}

/// Which of the open settings were consulted, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Consulted(BTreeMap<&'static str, bool>);

impl Consulted {
    pub(super) fn of(open: &[(&'static str, &dyn Remembers)]) -> Self {
        Self(open.iter().map(|(name, setting)| (*name, setting.was_consulted())).collect())
    }

    /// Tells whether what happened might have been otherwise under another value of
    /// this setting: unless it is open, and nobody consulted it.
    #[must_use]
    pub fn may_hang_on(&self, setting: &str) -> bool {
        self.0.get(setting) != Some(&false)
    }
}

#[cfg(test)]
mod tests {
    use crate::settings::{RepeatedRange, Settings};

    #[test]
    fn who_consults_a_setting_is_remembered_by_its_clones_too() {
        let mut settings = Settings::default();
        settings.repeated_range.set(RepeatedRange::Created);
        let clone = settings.clone();
        assert!(!settings.consulted().may_hang_on("repeated_range"));
        assert_eq!(clone.repeated_range.consult(), RepeatedRange::Created);
        assert!(settings.consulted().may_hang_on("repeated_range"));
        assert!(!settings.consulted().may_hang_on("expired_upload"));
        settings.forget();
        assert!(!settings.consulted().may_hang_on("repeated_range"));
    }

    #[test]
    fn comparing_and_writing_out_consult_nothing() {
        let settings = Settings::default();
        assert_eq!(settings, Settings::default());
        assert!(serde_json::to_string(&settings).unwrap().contains(r#""repeated_range":"refused""#));
        assert!(!settings.consulted().may_hang_on("repeated_range"));
    }

    #[test]
    fn nothing_is_said_of_a_setting_that_is_not_open() {
        assert!(Settings::default().consulted().may_hang_on("processing_ms"));
    }
}
