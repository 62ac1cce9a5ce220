//! Everything about the simulated TikTok that can be set either way.
//!
//! Each field's default is the documented behaviour, or the strict reading
//! where the documents are silent. What they leave open is an [`Open`] setting:
//! it knows whether anybody asked for it.

mod open;

use serde::{Deserialize, Serialize};

use crate::ids::OpenId;

use open::Remembers;
pub use open::{Consulted, Open};

/// The behaviour of the platform and of the app's registration on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Lifetime of an access token in seconds.
    pub access_token_ttl_s: u64,
    /// Lifetime of a refresh token in seconds.
    pub refresh_token_ttl_s: u64,
    /// Lifetime of an authorization code in seconds.
    pub code_ttl_s: u64,
    /// What a refresh does to the refresh token.
    pub refresh_rotation: Open<RefreshRotation>,
    /// Whether a refresh starts the refresh token's lifetime anew.
    pub refresh_window: RefreshWindow,
    /// HTTP status of `invalid_grant`: 400, or the 200 that was reported once.
    pub invalid_grant_http_status: u16,
    /// Redirect addresses registered for the app, at most ten, byte for byte.
    pub redirect_uris: Vec<String>,
    /// Which rules hold for a loopback redirect address.
    pub loopback_redirects: LoopbackRedirects,
    /// Whose browser session the consent page finds, if anybody's.
    pub signed_in: Option<OpenId>,

    /// Calls of each init endpoint a minute and token.
    pub init_per_minute: u32,
    /// Calls of `creator_info/query` a minute and token.
    pub creator_info_per_minute: u32,
    /// Calls of `status/fetch` a minute and token.
    pub status_per_minute: u32,
    /// Calls of `user/info` a minute and token.
    pub user_info_per_minute: u32,
    /// Calls of each of `video/list` and `video/query` a minute and token.
    pub video_per_minute: u32,
    /// Direct posts a creator may start in 24 hours, unless the user has a cap of their own.
    pub daily_post_cap: u32,
    /// Drafts that may wait in a creator's inbox.
    pub pending_drafts_cap: u32,
    /// Creators that may post directly through the app in 24 hours; none = no cap.
    pub active_user_cap: Option<u32>,
    /// Whether the app passed the audit for direct posts.
    pub audit: Audit,
    /// HTTP status with which `creator_info/query` says that posting is refused.
    pub creator_info_refusal_http_status: u16,
    /// How old the `creator_info` that each direct init needs may be before it is a violation, in seconds.
    pub creator_info_fresh_s: u64,
    /// Whether the two brand toggles may be left out.
    pub brand_toggle: BrandToggle,

    /// Lifetime of an upload URL in seconds.
    pub upload_url_ttl_s: u64,
    /// What `UPLOADED_BYTES` in the answer's `Content-Range` means.
    pub content_range_counts: Open<ContentRangeCounts>,
    /// What `uploaded_bytes` of `status/fetch` says.
    pub uploaded_bytes: Open<UploadedBytes>,
    /// Whether `status/fetch` has `uploaded_bytes` before any byte was received.
    pub none_uploaded: Open<NoneUploaded>,
    /// The answer to a range that was accepted before.
    pub repeated_range: Open<RepeatedRange>,
    /// HTTP status of an accepted chunk that is not the last: 206 as documented, or 200, or 201.
    pub chunk_http_status: u16,
    /// HTTP status of the accepted last chunk: 201 as documented, or 200.
    pub last_chunk_http_status: u16,
    /// HTTP status for an upload that does not exist: 404 as documented, or the observed 405.
    pub unknown_upload_http_status: u16,
    /// What becomes of an upload whose URL expired before all bytes were in.
    pub expired_upload: Open<ExpiredUpload>,

    /// Time from the last byte to the verdict, in milliseconds.
    pub processing_ms: u64,
    /// Time from publication to public availability, in milliseconds.
    pub moderation_ms: u64,
    /// Whether the bytes are looked at.
    pub body_check: BodyCheck,
    /// How `status/fetch` speaks.
    pub status_shape: StatusShape,
    /// How `publicaly_available_post_id` is written.
    pub post_ids: PostIds,

    /// Where webhooks go; none = nowhere.
    pub webhook_url: Option<String>,
    /// How many copies of every event are delivered.
    pub webhook_copies: u32,
    /// In which order the events of one publish arrive.
    pub webhook_order: WebhookOrder,
    /// First pause before a refused webhook is tried again, in milliseconds; it doubles each time.
    pub webhook_retry_ms: u64,
    /// Whether a repeated delivery is signed anew.
    pub webhook_signature: WebhookSignature,
    /// How the events are spelled.
    pub webhook_spelling: WebhookSpelling,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            access_token_ttl_s: 2 * 3600,
            refresh_token_ttl_s: 180 * 86_400,
            code_ttl_s: 300,
            refresh_rotation: Open::new(RefreshRotation::PredecessorDies),
            refresh_window: RefreshWindow::Renewed,
            invalid_grant_http_status: 400,
            redirect_uris: Vec::new(),
            loopback_redirects: LoopbackRedirects::Desktop,
            signed_in: None,
            init_per_minute: 6,
            creator_info_per_minute: 20,
            status_per_minute: 30,
            user_info_per_minute: 600,
            video_per_minute: 600,
            daily_post_cap: 15,
            pending_drafts_cap: 5,
            active_user_cap: None,
            audit: Audit::Passed,
            creator_info_refusal_http_status: 200,
            creator_info_fresh_s: 900,
            brand_toggle: BrandToggle::Required,
            upload_url_ttl_s: 3600,
            content_range_counts: Open::new(ContentRangeCounts::LastIndex),
            uploaded_bytes: Open::new(UploadedBytes::Count),
            none_uploaded: Open::new(NoneUploaded::Unsaid),
            repeated_range: Open::new(RepeatedRange::Refused),
            chunk_http_status: 206,
            last_chunk_http_status: 201,
            unknown_upload_http_status: 404,
            expired_upload: Open::new(ExpiredUpload::StaysProcessing),
            processing_ms: 2000,
            moderation_ms: 1000,
            body_check: BodyCheck::Container,
            status_shape: StatusShape::Current,
            post_ids: PostIds::Numbers,
            webhook_url: None,
            webhook_copies: 1,
            webhook_order: WebhookOrder::AsItHappened,
            webhook_retry_ms: 1000,
            webhook_signature: WebhookSignature::Renewed,
            webhook_spelling: WebhookSpelling::Documented,
        }
    }
}

/// Names open settings as they are spelled.
macro_rules! named {
    ($settings:ident: $($name:ident),+) => { [$((stringify!($name), &$settings.$name)),+] };
}

impl Settings {
    /// Tells which of the open settings were consulted since that was last forgotten.
    #[must_use]
    pub fn consulted(&self) -> Consulted {
        Consulted::of(&self.open())
    }

    /// Forgets that any was consulted.
    pub(crate) fn forget(&self) {
        self.open().iter().for_each(|(_, setting)| setting.forget());
    }

    /// The open settings. One that is missing here is taken for one that may matter to everything.
    fn open(&self) -> [(&'static str, &dyn Remembers); 6] {
        named![self: refresh_rotation, content_range_counts, uploaded_bytes, none_uploaded, repeated_range, expired_upload]
    }
}

/// Declares the two- and three-way switches, each variant with its meaning.
macro_rules! switches {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }
    )+};
}

switches! {
    /// What a refresh does to the refresh token.
    RefreshRotation {
        /// A new one is issued and the old one is dead at once.
        PredecessorDies,
        /// A new one is issued and the old one goes on working.
        PredecessorSurvives,
        /// The old one is returned again.
        Unchanged,
    }
    /// Whether a refresh starts the refresh token's lifetime anew.
    RefreshWindow {
        /// It does.
        Renewed,
        /// The end stays where the consent put it.
        Fixed,
    }
    /// Which rules hold for a redirect address on `localhost` or `127.0.0.1`.
    LoopbackRedirects {
        /// Those of Login Kit for Desktop: PKCE is required.
        Desktop,
        /// Those of Login Kit for Web, so that a local deployment runs as a deployed one does.
        Web,
    }
    /// Whether the app passed the audit for direct posts.
    Audit {
        /// Any privacy level is open.
        Passed,
        /// Only private accounts, only `SELF_ONLY`, five users in 24 hours.
        Outstanding,
    }
    /// Whether the two brand toggles may be left out of a direct post.
    BrandToggle {
        /// As the table of fields has it.
        Required,
        /// As the documents' own examples do it.
        Optional,
    }
    /// What `UPLOADED_BYTES` in an upload's `Content-Range` means.
    ContentRangeCounts {
        /// The index of the last byte received.
        LastIndex,
        /// The number of bytes received.
        Count,
    }
    /// What `uploaded_bytes` of `status/fetch` says.
    UploadedBytes {
        /// The number of bytes received.
        Count,
        /// The index of the last byte received.
        LastIndex,
        /// Nothing: the field is left out.
        Absent,
    }
    /// Whether `status/fetch` has `uploaded_bytes` before any byte was received.
    NoneUploaded {
        /// It is left out.
        Unsaid,
        /// It is 0.
        Zero,
    }
    /// The answer to a range that was accepted before.
    RepeatedRange {
        /// 206, or 201 when the upload is complete.
        Accepted,
        /// 416 with the true progress.
        Refused,
        /// 201 in any case.
        Created,
    }
    /// What becomes of an upload whose URL expired before all bytes were in.
    ExpiredUpload {
        /// It stays `PROCESSING_UPLOAD` for ever.
        StaysProcessing,
        /// It ends as `FAILED` with reason `internal`.
        Fails,
    }
    /// Whether the bytes are looked at.
    BodyCheck {
        /// What is no MP4, MOV or WebM, or is too long for the creator, fails.
        Container,
        /// Any bytes do.
        Off,
    }
    /// How `status/fetch` speaks.
    StatusShape {
        /// As documented.
        Current,
        /// The older contract: `PUBLISHED` with `video_id`, `share_url` and `cover_url`.
        Older,
    }
    /// How `publicaly_available_post_id` is written.
    PostIds {
        /// A list of integers, as documented.
        Numbers,
        /// A list of strings.
        Strings,
        /// One integer, no list.
        Scalar,
        /// A list that is always empty.
        Empty,
    }
    /// In which order the events of one publish arrive.
    WebhookOrder {
        /// In the order in which they happened.
        AsItHappened,
        /// The last one first.
        Reversed,
    }
    /// Whether a repeated delivery is signed anew.
    WebhookSignature {
        /// With the time of the attempt.
        Renewed,
        /// With the time of the first attempt.
        Kept,
    }
    /// How the events are spelled.
    WebhookSpelling {
        /// `post.publish.complete`, `reason`.
        Documented,
        /// `post.publish.completed`, `fail_reason`.
        AsReported,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_left_out_take_their_documented_defaults() {
        let settings: Settings = serde_json::from_str(r#"{"daily_post_cap": 2}"#).unwrap();
        assert_eq!(settings.daily_post_cap, 2);
        assert_eq!(settings.access_token_ttl_s, 7200);
        assert_eq!(settings.refresh_token_ttl_s, 15_552_000);
    }

    #[test]
    fn a_misspelled_setting_is_refused() {
        let refused = serde_json::from_str::<Settings>(r#"{"daily_cap": 2}"#);
        assert!(refused.unwrap_err().to_string().contains("daily_cap"));
    }

    #[test]
    fn every_setting_is_in_the_readme() {
        let readme = include_str!("../README.md");
        let settings = serde_json::to_value(Settings::default()).unwrap();
        for name in settings.as_object().unwrap().keys() {
            assert!(readme.contains(&format!("`{name}`")), "{name}");
        }
    }
}
