//! Behaviours of TikTok that its documents leave open. The simulator has a setting for each, and a variant of TikTok is
//! a choice of these settings.

use serde_json::json;
use simulator::{
    ContentRangeCounts, ExpiredUpload, InitialUploadedBytes, RefreshRotation, RepeatedRange, Settings, SettingsRead,
    UploadedBytes,
};

/// A possible behaviour of TikTok.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TikTokVariant {
    /// The name in the report.
    pub(crate) name: &'static str,
    /// Changes the default settings to those of this variant.
    pub(crate) set: fn(&mut Settings),
}

impl TikTokVariant {
    /// Whether every setting has its documented value.
    pub(crate) fn is_documented(self) -> bool {
        !self.differs_in(|_| true)
    }

    /// Whether a run may end differently under this variant, if under documented TikTok it read these settings.
    pub(crate) fn may_differ(self, settings_read: &SettingsRead) -> bool {
        self.differs_in(|setting| settings_read.may_affect(setting))
    }

    /// Whether a setting, of those for which the condition holds, does not have its documented value.
    fn differs_in(self, condition: impl Fn(&str) -> bool) -> bool {
        let (documented, mut own) = (Settings::default(), Settings::default());
        (self.set)(&mut own);
        let (documented, own) = (json!(documented), json!(own));
        own.as_object().is_some_and(|own| own.iter().any(|(name, value)| documented[name] != *value && condition(name)))
    }
}

/// TikTok as documented, by the strictest reading.
pub(crate) const DOCUMENTED: TikTokVariant = TikTokVariant { name: "as documented", set: |_| {} };

/// A TikTok that processes a video for three hours and reports no uploaded bytes. When the upload URL has expired, only
/// the post's stored mark that the last chunk may have been sent can prevent a second publish.
pub(crate) const SLOW_AND_SILENT: TikTokVariant = TikTokVariant {
    name: "hours long, silent",
    set: |it| {
        it.uploaded_bytes.set(UploadedBytes::Absent);
        it.processing_ms = 3 * 3600 * 1000;
    },
};

/// Not a variant: the label of rows whose runs use different variants.
pub(crate) const EACH: TikTokVariant = TikTokVariant { name: "each setting", set: |_| {} };

/// A TikTok that fails a publish whose upload URL has expired.
pub(crate) const EXPIRED_UPLOAD_FAILS: TikTokVariant =
    TikTokVariant { name: "an expired upload fails", set: |it| it.expired_upload.set(ExpiredUpload::Fails) };

/// The variants with one changed setting. `content_range_counts` is only in [`SEVERAL_SETTINGS`]: every response to a
/// chunk depends on it, so no run would be equivalent. Random histories select a variant by its position. After any
/// change of this list, each seed gives another history.
pub(crate) const ONE_SETTING: [TikTokVariant; 8] = [
    TikTokVariant { name: "repeated chunk: 206", set: |it| it.repeated_range.set(RepeatedRange::Accepted) },
    TikTokVariant { name: "repeated chunk: 201", set: |it| it.repeated_range.set(RepeatedRange::Created) },
    TikTokVariant { name: "uploaded_bytes: last index", set: |it| it.uploaded_bytes.set(UploadedBytes::LastIndex) },
    TikTokVariant { name: "uploaded_bytes: absent", set: |it| it.uploaded_bytes.set(UploadedBytes::Absent) },
    TikTokVariant {
        name: "uploaded_bytes: 0 of none",
        set: |it| it.initial_uploaded_bytes.set(InitialUploadedBytes::Zero),
    },
    EXPIRED_UPLOAD_FAILS,
    TikTokVariant { name: "refresh token: unchanged", set: |it| it.refresh_rotation.set(RefreshRotation::Unchanged) },
    TikTokVariant {
        name: "refresh token: survives",
        set: |it| it.refresh_rotation.set(RefreshRotation::OldTokenValid),
    },
];

/// The variants with several changed settings.
pub(crate) const SEVERAL_SETTINGS: [TikTokVariant; 2] = [
    TikTokVariant {
        name: "mixed: 206, last index",
        set: |it| {
            it.repeated_range.set(RepeatedRange::Accepted);
            it.uploaded_bytes.set(UploadedBytes::LastIndex);
            it.initial_uploaded_bytes.set(InitialUploadedBytes::Zero);
            it.content_range_counts.set(ContentRangeCounts::Count);
            it.expired_upload.set(ExpiredUpload::Fails);
            it.refresh_rotation.set(RefreshRotation::Unchanged);
        },
    },
    TikTokVariant {
        name: "mixed: 201, absent",
        set: |it| {
            it.repeated_range.set(RepeatedRange::Created);
            it.uploaded_bytes.set(UploadedBytes::Absent);
            it.refresh_rotation.set(RefreshRotation::OldTokenValid);
        },
    },
];
