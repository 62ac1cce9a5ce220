//! TikTok, as far as nobody knows how it is: what its documents leave open.

use simulator::{ExpiredUpload, RefreshRotation, RepeatedRange, Settings, UploadedBytes};

/// A TikTok that can be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TikTok {
    /// What it is called in the report.
    pub(crate) name: &'static str,
    pub(crate) set: fn(&mut Settings),
}

impl TikTok {
    /// Whether it differs in what a refresh does to a token.
    pub(crate) fn is_of_tokens(self) -> bool {
        self.name.starts_with("refresh")
    }
}

/// As documented, or as the documents are read most strictly.
pub(crate) const DOCUMENTED: TikTok = TikTok { name: "as documented", set: |_| {} };

/// One that works on a video for hours, and meanwhile says nothing of its bytes:
/// after the URL's hour, only what was stored can keep a second upload from being begun.
pub(crate) const SILENT: TikTok = TikTok {
    name: "hours long, and silent",
    set: |it| {
        it.uploaded_bytes = UploadedBytes::Absent;
        it.processing_ms = 3 * 3600 * 1000;
    },
};

/// In a row that is about all of them.
pub(crate) const EACH: TikTok = TikTok { name: "each setting", set: |_| {} };

/// Everything that the documents leave open, one setting at a time.
pub(crate) const OPEN: [TikTok; 7] = [
    TikTok { name: "a chunk again: 206", set: |it| it.repeated_range = RepeatedRange::Accepted },
    TikTok { name: "a chunk again: 201", set: |it| it.repeated_range = RepeatedRange::Created },
    TikTok { name: "uploaded_bytes: last index", set: |it| it.uploaded_bytes = UploadedBytes::LastIndex },
    TikTok { name: "uploaded_bytes: absent", set: |it| it.uploaded_bytes = UploadedBytes::Absent },
    TikTok { name: "an expired upload fails", set: |it| it.expired_upload = ExpiredUpload::Fails },
    TikTok { name: "refresh token: unchanged", set: |it| it.refresh_rotation = RefreshRotation::Unchanged },
    TikTok { name: "refresh token: survives", set: |it| it.refresh_rotation = RefreshRotation::PredecessorSurvives },
];

/// The same, several at a time, so that each is in one of them.
pub(crate) const MIXED: [TikTok; 2] = [
    TikTok {
        name: "mixed: 206, last index",
        set: |it| {
            it.repeated_range = RepeatedRange::Accepted;
            it.uploaded_bytes = UploadedBytes::LastIndex;
            it.expired_upload = ExpiredUpload::Fails;
            it.refresh_rotation = RefreshRotation::Unchanged;
        },
    },
    TikTok {
        name: "mixed: 201, absent",
        set: |it| {
            it.repeated_range = RepeatedRange::Created;
            it.uploaded_bytes = UploadedBytes::Absent;
            it.refresh_rotation = RefreshRotation::PredecessorSurvives;
        },
    },
];
