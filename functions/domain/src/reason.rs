//! The reasons for which a post is deferred or fails.
//!
//! Each reason of our own is one line of the table below: its code, its meaning, and what to do about it. The code is
//! stable. It is stored in the posts table, appears as `code` in the API, in events and in logs, and is a metric's
//! dimension. `docs/reasons.md` is generated from this table; a test in this file compares the two.
//!
//! TikTok's codes are [`Reason::Platform`]. Their meanings are in [`crate::report::FAIL_REASONS`] (why a publish
//! failed) and in `tiktok::error_codes` (why a call was refused).
//!
//! The API has further codes for requests that it rejects. They concern no post, so they are not here.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::report::FailReason;

/// TikTok's code for too many calls a minute.
pub const RATE_LIMIT_EXCEEDED: &str = "rate_limit_exceeded";
/// TikTok's code for the cap on an app's posting users per day.
pub const ACTIVE_USER_CAP: &str = "reached_active_user_cap";
/// TikTok's codes for limits that all posts of an account wait for.
const PLATFORM_LIMITS: [&str; 4] =
    [RATE_LIMIT_EXCEEDED, "spam_risk_too_many_posts", "spam_risk_too_many_pending_share", ACTIVE_USER_CAP];

/// What a reason concerns, and so who can do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasonKind {
    /// A limit of TikTok's. The post waits in its account's queue.
    Limit,
    /// The account, its tokens, or its authorization.
    Account,
    /// The video file.
    Video,
    /// The post's options.
    Options,
    /// The S3 object that holds the video or its sidecar.
    Source,
    /// TikTok, or the connection to it.
    TikTok,
    /// The Dropcast stack.
    Stack,
}

/// Defines [`Reason`] from the table below: kind, then per reason the variant, code, meaning and advice.
macro_rules! reasons {
    ($($kind:ident { $($reason:ident $code:literal $meaning:literal $advice:literal;)* })*) => {
        /// Why a post is deferred or failed.
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum Reason {
            $($(#[doc = $meaning] $reason,)*)*
            /// A code of TikTok's. [`Reason::parse`] makes one; it never holds a code of our own.
            Platform(String),
        }

        impl Reason {
            /// Our own reasons, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$($(Self::$reason,)*)*];

            /// Reads a code. A code that is not our own is TikTok's.
            pub fn parse(code: &str) -> Self {
                match code {
                    $($($code => Self::$reason,)*)*
                    platform => Self::Platform(platform.to_owned()),
                }
            }

            /// The reason's code, kind, meaning and advice.
            fn row(&self) -> (&str, ReasonKind, Option<&'static str>, &'static str) {
                match self {
                    $($(Self::$reason => ($code, ReasonKind::$kind, Some($meaning), $advice),)*)*
                    Self::Platform(code) if PLATFORM_LIMITS.contains(&code.as_str()) => (code, ReasonKind::Limit, None, ""),
                    Self::Platform(code) => (code, ReasonKind::TikTok, None, ""),
                }
            }
        }
    };
}

#[rustfmt::skip]
reasons! {
    Limit {
        QueuedBehind "queued_behind" "Other videos of the account were dropped earlier and go first." "Nothing. Dropcast posts them in the order of their drops.";
        UploadsPerMinute "uploads_per_minute" "The account has begun as many uploads within a minute as TikTok allows." "Nothing. Dropcast goes on when the minute is over.";
        PostsPerDay "posts_per_day" "The account has used its posts for 24 hours." "Nothing. Dropcast goes on when the oldest post is a day old. Set PostsPerDay if TikTok allows this app more.";
        DraftsPending "drafts_pending" "The creator's TikTok inbox holds as many drafts as TikTok allows." "Post or discard drafts in the TikTok app.";
        PostingUsersPerDay "posting_users_per_day" "As many accounts have posted through this app within 24 hours as TikTok allows." "Nothing. The operator can ask TikTok for a higher quota or an audit.";
        CallsPerMinute "calls_per_minute" "The account has made as many calls within a minute as TikTok allows." "Nothing. Dropcast goes on when the minute is over.";
        RateLimitContended "rate_limit_contended" "Other workers are changing the account's limits at the same time." "Nothing. Dropcast retries in a few seconds.";
    }
    Account {
        NeedsReconnect "needs_reconnect" "TikTok no longer accepts the account's authorization." "Connect the account again; its waiting posts then go on.";
        AccountNotFound "account_not_found" "No TikTok account is connected under the alias." "Connect an account under this alias and retry the post, or drop the video into the folder of the account that was meant.";
        FolderInvalid "folder_invalid" "The folder under drop/ has a name that no account can have." "Drop the video into the folder of a connected account. An alias has 1 to 64 characters of a-z, 0-9, '-' and '_'.";
        TokenRefreshBusy "token_refresh_busy" "Another worker is refreshing the account's tokens." "Nothing. Dropcast retries in half a minute.";
        TokensNotStored "tokens_not_stored" "The account's new tokens could not be stored." "Nothing if DynamoDB recovers. If it goes on, look for the cause in the log.";
        NoTimeToRefresh "no_time_to_refresh" "The invocation ends too soon to refresh the account's tokens." "Nothing. The next invocation refreshes them.";
        AccessTokenUnusable "access_token_unusable" "The account's access token contains characters that no HTTP header can carry." "Connect the account again.";
    }
    Video {
        FileEmpty "file_empty" "The file is empty." "Drop a whole video.";
        FileTooLarge "file_too_large" "The file is larger than TikTok allows." "Export a smaller video and drop it.";
    }
    Options {
        OptionsMalformed "options_malformed" "The sidecar or the object's metadata cannot be read as options." "Correct the options and drop the video again; nothing was sent to TikTok.";
        OptionsInvalid "options_invalid" "The options contradict each other or have a value that is not allowed." "Correct the options and drop the video again; nothing was sent to TikTok.";
    }
    Source {
        UploadExpired "upload_expired" "The video was not uploaded before its upload address expired." "Create a new upload and send the video there.";
        SourceGone "source_gone" "The object was deleted before it was posted." "Drop the video again.";
        SourceChanged "source_changed" "The object was replaced before it was posted." "Drop the video again.";
        EmptyVersion "empty_version" "The file is empty. Some programs write an empty file first and the whole file afterwards." "Nothing. Dropcast waits a few minutes for the whole file.";
        SourceUnreadable "source_unreadable" "S3 did not return the object." "Nothing if the post is deferred and S3 recovers. If it goes on, look for the cause in the log.";
        SourceArchived "source_archived" "The object is in an archive (Glacier Flexible Retrieval or Deep Archive, or an archive tier of Intelligent-Tiering), from which S3 returns no bytes." "Restore the object (aws s3api restore-object), wait until the restore is complete, then retry the post.";
        SourceRestoring "source_restoring" "The object is being restored from its archive." "Nothing. Dropcast tries again every 15 minutes.";
        SourceDenied "source_denied" "S3 denies the function access to the object." "Allow the function's role to read the object: remove the statement of a bucket policy or service control policy that denies it, or deploy the stack again. The post then continues.";
        SourceKeyDenied "source_key_denied" "The function's role may not decrypt the object with its KMS key." "Name the key's ARN in the stack's SourceKmsKeyArns; if the key's policy does not delegate to IAM, allow the role there as well. The post then continues.";
        SourceKeyUnusable "source_key_unusable" "The KMS key of the object is disabled, is being deleted, or does not exist." "Enable the key, or cancel its deletion; the post then continues. If the key no longer exists, cancel the post and drop the video again, encrypted with another key.";
    }
    TikTok {
        TikTokUnreachable "tiktok_unreachable" "No connection to TikTok's API could be made." "Nothing. Dropcast retries.";
        TikTokTimeout "tiktok_timeout" "TikTok's API did not answer." "Nothing. Dropcast retries.";
        TikTokInvalidResponse "tiktok_invalid_response" "TikTok's API returned something that is not its JSON." "Nothing if it passes. If it goes on, check whether a proxy answers in TikTok's place.";
        NoReasonGiven "no_reason_given" "TikTok failed the post and gave no reason." "Look at the account's notices in the TikTok app, then drop the video again.";
        UploadHostNotAllowed "upload_host_not_allowed" "TikTok's upload URL has a host, port or scheme that this stack does not allow." "If the host is legitimate, name it in the stack's TikTokUploadHosts; then drop the video again.";
        UploadUnreachable "upload_unreachable" "No connection to TikTok's upload host could be made." "Nothing. Dropcast retries.";
        UploadRefused "upload_refused" "TikTok's upload host refuses the upload or one of its chunks." "Nothing if the post is deferred. If it failed, drop the video again; if that fails too, report it with the log.";
        UploadUrlExpired "upload_url_expired" "TikTok's upload URL expired before every byte was sent." "Nothing. Dropcast begins a new upload.";
        UploadNotFound "upload_not_found" "TikTok's upload host does not know the upload." "Nothing. Dropcast begins a new upload.";
        UploadRedirected "upload_redirected" "TikTok's upload URL redirects to another host, which Dropcast does not follow." "Nothing. Dropcast begins a new upload.";
        UploadMalformed "upload_malformed" "TikTok's upload host rejects a chunk's headers." "Drop the video again; if it fails again, report it with the log.";
        RangeMismatch "range_mismatch" "TikTok's upload host expects another position in the video." "Nothing. Dropcast asks TikTok for its position and goes on there.";
        UploadAnswerTimeout "upload_answer_timeout" "TikTok's upload host did not answer to a chunk." "Nothing. Dropcast asks TikTok how much it has and goes on there.";
        UploadTimeout "upload_timeout" "TikTok's upload host did not get a chunk in time." "Nothing. Dropcast retries.";
        UploadRateLimited "upload_rate_limited" "TikTok's upload host asks for slower requests." "Nothing. Dropcast retries.";
        UploadFailed "upload_failed" "TikTok's upload host had an internal error." "Nothing. Dropcast retries.";
        UploadInvalidResponse "upload_invalid_response" "TikTok's upload host answered with a status that HTTP does not define." "Nothing. Dropcast retries.";
        UploadInterrupted "upload_interrupted" "The upload made no progress in several attempts." "Nothing. Dropcast retries in half a minute.";
        UploadAbandoned "upload_abandoned" "The upload was abandoned; a new one begins." "Nothing. Dropcast begins a new upload.";
        UploadAttemptsExhausted "upload_attempts_exhausted" "Several uploads were begun and none could be completed." "Look in the post's history for what interrupted them, then drop the video again.";
        UploadUnconfirmed "upload_unconfirmed" "TikTok never said whether it received the whole video." "Look at the account's profile. If the video is not there, drop it again and approve the new post, which is held for the same video.";
    }
    Stack {
        KeyUnusable "key_unusable" "The stack's KMS key cannot be used." "Check the key's state and the function's permission to use it.";
        AppSecretUnusable "app_secret_unusable" "The TikTok app's credentials cannot be read from Secrets Manager." "Check the secret's value and the function's permission to read it.";
        StoreUnusable "store_unusable" "DynamoDB cannot be read or written." "Nothing if DynamoDB recovers. If it goes on, look for the cause in the log.";
        InvocationTooShort "invocation_too_short" "The invocation ends before a chunk could be sent at the measured rate." "Raise the worker's timeout if this repeats.";
        WorkerLost "worker_lost" "The worker stopped before it began the upload." "Nothing if it happens once. If it repeats, look for the cause in the worker's log.";
        InternalFault "internal_fault" "Dropcast attempted a step that the post's state does not allow." "Report it with the log.";
    }
}

impl Reason {
    /// The stable code.
    pub fn code(&self) -> &str {
        self.row().0
    }

    /// What the reason concerns.
    pub fn kind(&self) -> ReasonKind {
        self.row().1
    }

    /// What the reason means, in a sentence for people; `None` for TikTok's codes.
    pub fn meaning(&self) -> Option<&'static str> {
        self.row().2
    }

    /// What the user or the operator can do; empty for TikTok's codes, whose advice is in their own tables.
    pub fn advice(&self) -> &'static str {
        self.row().3
    }

    /// Tells whether the reason is a limit of the account or the app.
    ///
    /// A post deferred for a limit stays in its account's queue ([`crate::rate_limit`]): its wait is an estimate, and
    /// it can be woken earlier. A post deferred for any other reason leaves the queue and lets later posts pass.
    pub fn is_limit(&self) -> bool {
        self.kind() == ReasonKind::Limit
    }

    /// Tells whether TikTok itself reported a limit, although our own counters had room.
    pub fn is_platform_limit(&self) -> bool {
        matches!(self, Self::Platform(code) if PLATFORM_LIMITS.contains(&code.as_str()))
    }

    /// Tells whether a post deferred for this reason resumes when its account is connected again.
    pub fn resumes_on_reconnect(&self) -> bool {
        *self == Self::NeedsReconnect
    }

    /// The value of a metric's `Reason` dimension: the code, or `other` for a code that no table has.
    ///
    /// CloudWatch bills each value as a metric of its own, so the number of values must be bounded. `is_documented`
    /// tells whether a code is in TikTok's table of error codes, which the `tiktok` crate has (`error_codes::find`).
    pub fn metric_label(&self, is_documented: impl FnOnce(&str) -> bool) -> &str {
        match self {
            Self::Platform(code) if FailReason::find(code).is_none() && !is_documented(code) => "other",
            known => known.code(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl From<String> for Reason {
    fn from(code: String) -> Self {
        Self::parse(&code)
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Platform(code) => code,
            own => own.code().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::report::FAIL_REASONS;

    #[test]
    fn own_codes_are_unique_and_snake_case() {
        let codes: BTreeSet<_> = Reason::ALL.iter().map(Reason::code).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        for code in codes {
            let words = code.split('_').all(|word| !word.is_empty() && word.bytes().all(|c| c.is_ascii_lowercase()));
            assert!(words, "{code}");
        }
    }

    #[test]
    fn own_codes_differ_from_codes_of_tiktok() {
        for code in FAIL_REASONS.iter().map(|reason| reason.code).chain(PLATFORM_LIMITS) {
            assert_eq!(Reason::parse(code), Reason::Platform(code.to_owned()));
        }
    }

    #[test]
    fn stored_code_is_read_back_as_the_same_reason() {
        let platform = Reason::parse("spam_risk");
        for reason in Reason::ALL.iter().chain([&platform]) {
            assert_eq!(Reason::parse(reason.code()), *reason);
            assert_eq!(Reason::from(String::from(reason.clone())), *reason);
            let json = serde_json::to_string(reason).unwrap();
            assert_eq!(json, format!("\"{}\"", reason.code()));
            assert_eq!(serde_json::from_str::<Reason>(&json).unwrap(), *reason);
        }
    }

    #[test]
    fn every_own_reason_has_meaning_and_advice() {
        for reason in Reason::ALL {
            let texts = [reason.meaning().unwrap_or_default(), reason.advice()];
            assert!(texts.iter().all(|text| text.ends_with('.') && !text.contains('|')), "{reason}");
        }
    }

    #[test]
    fn limits_of_dropcast_and_of_tiktok_are_limits() {
        let limits = Reason::ALL.iter().filter(|reason| reason.is_limit());
        assert_eq!(limits.count(), 7);
        assert!(!Reason::PostsPerDay.is_platform_limit());
        for code in PLATFORM_LIMITS {
            let reason = Reason::parse(code);
            assert!(reason.is_limit() && reason.is_platform_limit(), "{code}");
        }
        for code in ["spam_risk", "internal_error", "upload_rate_limited"] {
            assert!(!Reason::parse(code).is_limit(), "{code}");
        }
    }

    #[test]
    fn metric_label_of_undocumented_code_is_other() {
        let documented = |code: &str| code == "invalid_params";
        for (code, label) in [
            ("upload_expired", "upload_expired"),
            ("spam_risk_text", "spam_risk_text"),
            ("invalid_params", "invalid_params"),
            ("anything_else", "other"),
            ("", "other"),
        ] {
            assert_eq!(Reason::parse(code).metric_label(documented), label);
        }
    }

    /// The kind's name in `docs/reasons.md`.
    fn kind_name(reason: &Reason) -> String {
        match reason.kind() {
            ReasonKind::TikTok => "TikTok".to_owned(),
            kind => format!("{kind:?}").to_lowercase(),
        }
    }

    /// The generated part of `docs/reasons.md`.
    fn documentation() -> String {
        let own = Reason::ALL.iter().map(|reason| {
            let (kind, meaning) = (kind_name(reason), reason.meaning().unwrap_or_default());
            format!("| `{reason}` | {kind} | {meaning} | {} |\n", reason.advice())
        });
        let platform = FAIL_REASONS.iter().map(|FailReason { code, meaning, advice, .. }| {
            let kind = kind_name(&Reason::parse(code));
            format!("| `{code}` | {kind} | {meaning}. | {advice} |\n")
        });
        let table = "| code | kind | meaning | what to do |\n|---|---|---|---|\n";
        let (own, platform) = (own.collect::<String>(), platform.collect::<String>());
        format!("## Dropcast's codes\n\n{table}{own}\n## TikTok's codes for a publish that failed\n\n{table}{platform}")
    }

    #[test]
    fn documentation_lists_every_reason() {
        const BEGIN: &str = "<!-- generated by functions/domain/src/reason.rs -->\n";
        const END: &str = "<!-- end of the generated part -->\n";
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        let page = std::fs::read_to_string(format!("{root}/docs/reasons.md")).unwrap();
        let (before, rest) = page.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        let expected = format!("{before}{BEGIN}\n{}\n{END}{after}", documentation());
        std::fs::create_dir_all(format!("{root}/target")).unwrap();
        std::fs::write(format!("{root}/target/reasons.md"), &expected).unwrap();
        assert!(page == expected, "the reasons have changed: cp target/reasons.md docs/reasons.md");
    }
}
