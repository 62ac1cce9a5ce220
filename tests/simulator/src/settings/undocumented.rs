//! Settings for behaviour that TikTok does not document, each of which records whether it was read.
//!
//! Such a value can only be read through [`Undocumented::read`]. If a run never read a setting, the run would have gone
//! the same way under every other value of that setting. The fault campaigns in `tests/chaos` use this to skip runs that
//! cannot differ. Comparing and serializing a setting do not count as reads, because no answer depends on them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

/// A setting that records whether it was read. Clones share the record.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Undocumented<T> {
    value: T,
    #[serde(skip)]
    was_read: Arc<AtomicBool>,
}

impl<T: Copy> Undocumented<T> {
    /// Makes a setting that has not been read.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self { value, was_read: Arc::default() }
    }

    /// Changes the value. The record of reads stays.
    pub fn set(&mut self, value: T) {
        self.value = value;
    }

    /// Returns the value and records the read.
    ///
    /// Read a setting only right before behaviour that depends on it. After an unnecessary read, the campaigns no longer
    /// skip runs that cannot differ.
    #[must_use]
    pub fn read(&self) -> T {
        self.was_read.store(true, Ordering::SeqCst);
        self.value
    }
}

impl<T: PartialEq> PartialEq for Undocumented<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Undocumented<T> {}

/// The read record of an undocumented setting, independent of the setting's type.
pub(super) trait ReadRecord {
    fn was_read(&self) -> bool;

    fn clear(&self);
}

impl<T> ReadRecord for Undocumented<T> {
    fn was_read(&self) -> bool {
        self.was_read.load(Ordering::SeqCst)
    }

    fn clear(&self) {
        self.was_read.store(false, Ordering::SeqCst);
    }
}

/// Which undocumented settings were read, by the setting's name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsRead(BTreeMap<&'static str, bool>);

impl SettingsRead {
    pub(super) fn of(settings: &[(&'static str, &dyn ReadRecord)]) -> Self {
        Self(settings.iter().map(|(name, setting)| (*name, setting.was_read())).collect())
    }

    /// Returns whether another value of a setting could have changed what happened.
    ///
    /// False only if the setting is an [`Undocumented`] one that was not read. Reads of other settings are not recorded,
    /// so for those the answer is always true.
    #[must_use]
    pub fn may_affect(&self, setting: &str) -> bool {
        self.0.get(setting) != Some(&false)
    }
}

#[cfg(test)]
mod tests {
    use crate::settings::{RepeatedRange, Settings};

    #[test]
    fn read_of_a_clone_is_recorded() {
        let mut settings = Settings::default();
        settings.repeated_range.set(RepeatedRange::Created);
        let clone = settings.clone();
        assert!(!settings.settings_read().may_affect("repeated_range"));
        assert_eq!(clone.repeated_range.read(), RepeatedRange::Created);
        assert!(settings.settings_read().may_affect("repeated_range"));
        assert!(!settings.settings_read().may_affect("expired_upload"));
        settings.clear_read_records();
        assert!(!settings.settings_read().may_affect("repeated_range"));
    }

    #[test]
    fn comparing_and_serializing_are_not_reads() {
        let settings = Settings::default();
        assert_eq!(settings, Settings::default());
        assert!(serde_json::to_string(&settings).unwrap().contains(r#""repeated_range":"refused""#));
        assert!(!settings.settings_read().may_affect("repeated_range"));
    }

    #[test]
    fn documented_setting_may_always_affect() {
        assert!(Settings::default().settings_read().may_affect("processing_ms"));
    }
}
