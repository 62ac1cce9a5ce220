//! The configurable behaviour of the simulated TikTok.
//!
//! A field's default is the documented behaviour, or the stricter one if the documentation allows several. A setting
//! whose behaviour TikTok does not document at all is [`Undocumented`], which records whether it was read.
//!
//! A field's name here is its name in the control interface. `README.md` lists every setting;
//! the test `every_setting_is_in_the_readme` checks this.

mod undocumented;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ids::OpenId;
use crate::token_store::Scope;

use undocumented::ReadRecord;
pub use undocumented::{SettingsRead, Undocumented};

/// The behaviour of the platform, and the app's registration on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Lifetime of an access token in seconds.
    pub access_token_ttl_s: u64,
    /// Lifetime of a refresh token in seconds.
    pub refresh_token_ttl_s: u64,
    /// Lifetime of an authorization code in seconds.
    pub code_ttl_s: u64,
    /// What a refresh does to the refresh token that it used.
    pub refresh_rotation: Undocumented<RefreshRotation>,
    /// Whether a refresh restarts the refresh token's lifetime.
    pub refresh_window: RefreshWindow,
    /// The fields of the answer to a refresh.
    pub refresh_fields: RefreshFields,
    /// Whether the answers with an error status ask clients to wait, in seconds (`Retry-After`); `None` means no.
    pub retry_after_s: Option<u64>,
    /// HTTP status of the OAuth error `invalid_grant`: 400, or 200 as one integrator reported.
    pub invalid_grant_http_status: u16,
    /// The redirect URIs registered for the app, at most ten. A request must match one byte for byte.
    pub redirect_uris: Vec<String>,
    /// The scopes on the app's list. If an authorization request has another one, the user sees an error page.
    pub app_scopes: BTreeSet<Scope>,
    /// The rules for a redirect URI on `localhost` or `127.0.0.1`.
    pub loopback_redirects: LoopbackRedirects,
    /// The user who is logged in to TikTok in the browser that opens the authorization page, if any.
    pub signed_in: Option<OpenId>,

    /// Rate limit of each init endpoint, in calls per minute and token.
    pub init_per_minute: u32,
    /// Rate limit of `creator_info/query`, in calls per minute and token.
    pub creator_info_per_minute: u32,
    /// Rate limit of `status/fetch`, in calls per minute and token.
    pub status_per_minute: u32,
    /// Rate limit of `user/info`, in calls per minute and token.
    pub user_info_per_minute: u32,
    /// Rate limit of `video/list`, and of `video/query`, in calls per minute and token.
    pub video_per_minute: u32,
    /// Direct posts that a creator may start in 24 hours. `User::daily_post_cap` overrides it for one user.
    pub daily_post_cap: u32,
    /// Drafts that a creator may have pending, which means not yet posted.
    pub pending_drafts_cap: u32,
    /// Creators that may start direct posts through the app in 24 hours; `None` means no cap.
    pub active_user_cap: Option<u32>,
    /// Whether the app passed TikTok's audit for direct posts.
    pub audit: Audit,
    /// HTTP status with which `creator_info/query` refuses a creator who may not post now: 200 as documented, or 403.
    pub creator_info_refusal_http_status: u16,
    /// The maximum age in seconds of the `creator_info/query` call that precedes each direct init. A direct init without
    /// one is a violation.
    pub creator_info_max_age_s: u64,
    /// Whether a direct init must contain both brand toggles.
    pub brand_toggle: BrandToggle,

    /// Lifetime of an upload URL in seconds. The whole upload must finish within it.
    pub upload_url_ttl_s: u64,
    /// The meaning of `UPLOADED_BYTES` in the `Content-Range` header of an upload's answer.
    pub content_range_counts: Undocumented<ContentRangeCounts>,
    /// The value of `uploaded_bytes` in `status/fetch`.
    pub uploaded_bytes: Undocumented<UploadedBytes>,
    /// The value of `uploaded_bytes` in `status/fetch` before any byte was accepted.
    pub initial_uploaded_bytes: Undocumented<InitialUploadedBytes>,
    /// The answer to a range that was already accepted.
    pub repeated_range: Undocumented<RepeatedRange>,
    /// HTTP status of an accepted chunk that is not the last: 206 as documented, or 200, or 201.
    pub chunk_http_status: u16,
    /// HTTP status of the accepted last chunk: 201 as documented, or another one, even an error.
    pub last_chunk_http_status: u16,
    /// HTTP status for an upload that does not exist: 404 as documented, or 405 as observed.
    pub unknown_upload_http_status: u16,
    /// The state of a publish whose upload URL expired before every byte arrived.
    pub expired_upload: Undocumented<ExpiredUpload>,

    /// Time in milliseconds from the last byte to the end of processing.
    pub processing_ms: u64,
    /// Time in milliseconds from publication to public availability.
    pub moderation_ms: u64,
    /// Whether the uploaded bytes must be a video.
    pub body_check: BodyCheck,
    /// The format of the `status/fetch` answer.
    pub status_shape: StatusShape,
    /// The JSON type of `publicaly_available_post_id` (TikTok's spelling).
    pub post_ids: PostIds,

    /// The URL that webhooks are sent to; `None` means that no webhooks are sent.
    pub webhook_url: Option<String>,
    /// How many copies of each webhook are sent.
    pub webhook_copies: u32,
    /// The order in which the webhooks of one publish are sent.
    pub webhook_order: WebhookOrder,
    /// The delay in milliseconds before the first retry of a webhook. It doubles with each retry, up to one hour.
    pub webhook_retry_ms: u64,
    /// The timestamp in the signature of a retried webhook.
    pub webhook_signature: WebhookSignature,
    /// The number of signatures of a webhook.
    pub webhook_signatures: WebhookSignatures,
    /// The names of events and fields in webhooks.
    pub webhook_spelling: WebhookSpelling,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            access_token_ttl_s: 2 * 3600,
            refresh_token_ttl_s: 180 * 86_400,
            code_ttl_s: 300,
            refresh_rotation: Undocumented::new(RefreshRotation::OldTokenInvalid),
            refresh_window: RefreshWindow::Renewed,
            refresh_fields: RefreshFields::All,
            retry_after_s: None,
            invalid_grant_http_status: 400,
            redirect_uris: Vec::new(),
            // The scopes of a new app with Login Kit and the Content Posting API.
            app_scopes: BTreeSet::from([Scope::UserInfoBasic, Scope::VideoPublish, Scope::VideoUpload]),
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
            creator_info_max_age_s: 900,
            brand_toggle: BrandToggle::Required,
            upload_url_ttl_s: 3600,
            content_range_counts: Undocumented::new(ContentRangeCounts::LastIndex),
            uploaded_bytes: Undocumented::new(UploadedBytes::Count),
            initial_uploaded_bytes: Undocumented::new(InitialUploadedBytes::Absent),
            repeated_range: Undocumented::new(RepeatedRange::Refused),
            chunk_http_status: 206,
            last_chunk_http_status: 201,
            unknown_upload_http_status: 404,
            expired_upload: Undocumented::new(ExpiredUpload::StaysProcessing),
            processing_ms: 2000,
            moderation_ms: 1000,
            body_check: BodyCheck::Container,
            status_shape: StatusShape::Current,
            post_ids: PostIds::Numbers,
            webhook_url: None,
            webhook_copies: 1,
            webhook_order: WebhookOrder::Chronological,
            webhook_retry_ms: 1000,
            webhook_signature: WebhookSignature::PerAttempt,
            webhook_signatures: WebhookSignatures::One,
            webhook_spelling: WebhookSpelling::Documented,
        }
    }
}

/// Pairs each named field with its name as a string.
macro_rules! with_names {
    ($settings:ident: $($name:ident),+) => { [$((stringify!($name), &$settings.$name)),+] };
}

impl Settings {
    /// Returns which undocumented settings were read since the start or the last reset.
    #[must_use]
    pub fn settings_read(&self) -> SettingsRead {
        SettingsRead::of(&self.undocumented())
    }

    /// Marks every undocumented setting as not read.
    pub(crate) fn clear_read_records(&self) {
        self.undocumented().iter().for_each(|(_, setting)| setting.clear());
    }

    /// Lists every [`Undocumented`] setting. If one is missing here, `SettingsRead::may_affect` is always true for it, and
    /// the fault campaigns in `tests/chaos` skip no run for it.
    fn undocumented(&self) -> [(&'static str, &dyn ReadRecord); 6] {
        with_names![
            self: refresh_rotation,
            content_range_counts,
            uploaded_bytes,
            initial_uploaded_bytes,
            repeated_range,
            expired_upload
        ]
    }
}

/// Declares enums of two or more behaviours, with the attributes that all of them share.
macro_rules! switches {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }
    )+};
}

switches! {
    /// What a refresh does to the refresh token that it used.
    RefreshRotation {
        /// Issues a new refresh token and invalidates the old one at once.
        OldTokenInvalid,
        /// Issues a new refresh token, and the old one stays valid.
        OldTokenValid,
        /// Returns the same refresh token again.
        Unchanged,
    }
    /// Whether a refresh restarts the refresh token's lifetime.
    RefreshWindow {
        /// The full lifetime starts with each refresh.
        Renewed,
        /// A refresh does not change the time at which the refresh token expires.
        Fixed,
    }
    /// The fields of the answer to a refresh.
    RefreshFields {
        /// All documented ones.
        All,
        /// Only the access token and its lifetime: the refresh token, the user and the scopes stay as they were.
        AccessTokenOnly,
    }
    /// The rules for a redirect URI on `localhost` or `127.0.0.1`.
    LoopbackRedirects {
        /// Those of Login Kit for Desktop: PKCE is required.
        Desktop,
        /// Those of Login Kit for Web, so that a local deployment behaves like a deployed app.
        Web,
    }
    /// Whether the app passed TikTok's audit for direct posts.
    Audit {
        /// Every privacy level is allowed.
        Passed,
        /// Only private accounts can post, only with `SELF_ONLY`, and only five users in 24 hours.
        Pending,
    }
    /// Whether a direct init must contain both brand toggles.
    BrandToggle {
        /// Both are required, as the table of fields in TikTok's documentation says.
        Required,
        /// Both may be omitted, as the examples in TikTok's documentation do.
        Optional,
    }
    /// The meaning of `UPLOADED_BYTES` in the `Content-Range` header of an upload's answer.
    ContentRangeCounts {
        /// The offset of the last byte received.
        LastIndex,
        /// The number of bytes received.
        Count,
    }
    /// The value of `uploaded_bytes` in `status/fetch`.
    UploadedBytes {
        /// The number of bytes received.
        Count,
        /// The offset of the last byte received.
        LastIndex,
        /// The field is omitted.
        Absent,
        /// The number of bytes received, without the last chunk: the value stops changing before the upload is complete.
        WithoutLastChunk,
    }
    /// The value of `uploaded_bytes` in `status/fetch` before any byte was accepted.
    InitialUploadedBytes {
        /// The field is omitted.
        Absent,
        /// The field is 0.
        Zero,
    }
    /// The answer to a range that was already accepted.
    RepeatedRange {
        /// The same status as for a new chunk: 206, or 201 if the upload is complete.
        Accepted,
        /// 416, with the true progress in `Content-Range`.
        Refused,
        /// Always 201.
        Created,
    }
    /// The state of a publish whose upload URL expired before every byte arrived.
    ExpiredUpload {
        /// It stays `PROCESSING_UPLOAD` forever.
        StaysProcessing,
        /// It becomes `FAILED` with reason `internal`.
        Fails,
    }
    /// Whether the uploaded bytes must be a video.
    BodyCheck {
        /// The publish fails if the file is no MP4, MOV or WebM, or is longer than the creator may post.
        Container,
        /// Any bytes are accepted.
        Off,
    }
    /// The format of the `status/fetch` answer.
    StatusShape {
        /// As documented today.
        Current,
        /// An older format: `PUBLISHED` with `video_id`, `share_url` and `cover_url`.
        Legacy,
    }
    /// The JSON type of `publicaly_available_post_id` (TikTok's spelling).
    PostIds {
        /// A list of integers, as documented.
        Numbers,
        /// A list of strings.
        Strings,
        /// One integer instead of a list.
        Scalar,
        /// A list that is always empty.
        Empty,
    }
    /// The order in which the webhooks of one publish are sent.
    WebhookOrder {
        /// In the order of the events.
        Chronological,
        /// The last event first.
        Reversed,
    }
    /// The number of signatures of a webhook.
    WebhookSignatures {
        /// One.
        One,
        /// Two: one that the app's secret does not make, and then the valid one, as while a secret is rotated.
        InvalidAndValid,
    }
    /// The timestamp in the signature of a retried webhook.
    WebhookSignature {
        /// The time of this attempt.
        PerAttempt,
        /// The time of the first attempt.
        FirstAttempt,
    }
    /// The names of events and fields in webhooks.
    WebhookSpelling {
        /// `post.publish.complete`, `reason`.
        Documented,
        /// `post.publish.completed`, `fail_reason`, as an integrator reported.
        AsReported,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_settings_take_their_documented_defaults() {
        let settings: Settings = serde_json::from_str(r#"{"daily_post_cap": 2}"#).unwrap();
        assert_eq!(settings.daily_post_cap, 2);
        assert_eq!(settings.access_token_ttl_s, 7200);
        assert_eq!(settings.refresh_token_ttl_s, 15_552_000);
    }

    #[test]
    fn misspelled_setting_is_refused() {
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
