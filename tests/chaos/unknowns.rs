//! TikTok, as far as nobody knows how it is: what its documents leave open.

use serde_json::json;
use simulator::{
    ContentRangeCounts, ExpiredUpload, InitialUploadedBytes, RefreshRotation, RepeatedRange, Settings, SettingsRead,
    UploadedBytes,
};

/// A TikTok that can be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TikTok {
    /// What it is called in the report.
    pub(crate) name: &'static str,
    pub(crate) set: fn(&mut Settings),
}

impl TikTok {
    /// Whether it is as documented in everything.
    pub(crate) fn is_documented(self) -> bool {
        self.differs_in(|_| true).is_none()
    }

    /// Whether what hung on these settings under TikTok as documented may go another way here.
    pub(crate) fn may_differ(self, settings_read: &SettingsRead) -> bool {
        self.differs_in(|setting| settings_read.may_affect(setting)).is_some()
    }

    /// The first of some settings, by name, that is not as documented.
    fn differs_in(self, counts: impl Fn(&str) -> bool) -> Option<String> {
        let (documented, mut own) = (Settings::default(), Settings::default());
        (self.set)(&mut own);
        let (documented, own) = (json!(documented), json!(own));
        let mut own = own.as_object()?.into_iter();
        own.find(|(name, value)| documented[name] != **value && counts(name)).map(|(name, _)| name.clone())
    }
}

/// As documented, or as the documents are read most strictly.
pub(crate) const DOCUMENTED: TikTok = TikTok { name: "as documented", set: |_| {} };

/// One that works on a video for hours, and meanwhile says nothing of its bytes:
/// after the URL's hour, only what was stored can keep a second upload from being begun.
pub(crate) const SILENT: TikTok = TikTok {
    name: "hours long, and silent",
    set: |it| {
        it.uploaded_bytes.set(UploadedBytes::Absent);
        it.processing_ms = 3 * 3600 * 1000;
    },
};

/// In a row that is about all of them.
pub(crate) const EACH: TikTok = TikTok { name: "each setting", set: |_| {} };

/// One that gives up an upload whose URL is dead.
pub(crate) const FAILING: TikTok =
    TikTok { name: "an expired upload fails", set: |it| it.expired_upload.set(ExpiredUpload::Fails) };

/// What the documents leave open, one setting at a time. How `Content-Range` counts is in
/// [`MIXED`]: it is in every answer to a chunk, and so might matter to every run.
pub(crate) const OPEN: [TikTok; 8] = [
    TikTok { name: "a chunk again: 206", set: |it| it.repeated_range.set(RepeatedRange::Accepted) },
    TikTok { name: "a chunk again: 201", set: |it| it.repeated_range.set(RepeatedRange::Created) },
    TikTok { name: "uploaded_bytes: last index", set: |it| it.uploaded_bytes.set(UploadedBytes::LastIndex) },
    TikTok { name: "uploaded_bytes: absent", set: |it| it.uploaded_bytes.set(UploadedBytes::Absent) },
    TikTok { name: "uploaded_bytes: 0 of none", set: |it| it.initial_uploaded_bytes.set(InitialUploadedBytes::Zero) },
    FAILING,
    TikTok { name: "refresh token: unchanged", set: |it| it.refresh_rotation.set(RefreshRotation::Unchanged) },
    TikTok { name: "refresh token: survives", set: |it| it.refresh_rotation.set(RefreshRotation::OldTokenValid) },
];

/// The same, several at a time.
pub(crate) const MIXED: [TikTok; 2] = [
    TikTok {
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
    TikTok {
        name: "mixed: 201, absent",
        set: |it| {
            it.repeated_range.set(RepeatedRange::Created);
            it.uploaded_bytes.set(UploadedBytes::Absent);
            it.refresh_rotation.set(RefreshRotation::OldTokenValid);
        },
    },
];
