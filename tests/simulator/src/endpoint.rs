//! The table of simulated endpoints: path, methods, body, scopes and rate limit.
//!
//! The table has no behaviour, so that it can be compared with TikTok's pages line by line.

use serde::{Deserialize, Serialize};

use crate::settings::Settings;
use crate::token_store::Scope;

/// An endpoint that a client can call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// Login Kit's authorization page (GET) and the user's decision on it (POST).
    Authorize,
    /// Exchanges an authorization code or a refresh token for a token pair.
    Token,
    /// Revokes a user's tokens.
    Revoke,
    /// Returns a user's profile fields.
    UserInfo,
    /// Returns what a creator may post now.
    CreatorInfo,
    /// Starts a direct post.
    DirectInit,
    /// Starts a draft.
    InboxInit,
    /// Starts a photo post; the simulator rejects every call.
    ContentInit,
    /// Receives the bytes of a chunk.
    Upload,
    /// Returns the status of a publish.
    StatusFetch,
    /// Cancels a running pull; the simulator has no pulls and rejects every valid call.
    Cancel,
    /// Lists a creator's public videos, newest first.
    VideoList,
    /// Returns a creator's public videos by id.
    VideoQuery,
    /// A path that TikTok does not have.
    Unknown,
}

/// The kind of body that a request must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyKind {
    None,
    Form,
    Json,
    Media,
}

impl Endpoint {
    /// Every endpoint that has a path.
    pub(crate) const ALL: [Self; 13] = [
        Self::Authorize,
        Self::Token,
        Self::Revoke,
        Self::UserInfo,
        Self::CreatorInfo,
        Self::DirectInit,
        Self::InboxInit,
        Self::ContentInit,
        Self::Upload,
        Self::StatusFetch,
        Self::Cancel,
        Self::VideoList,
        Self::VideoQuery,
    ];

    /// The path. TikTok's paths end with a slash, and a path without it does not exist.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Authorize => "/v2/auth/authorize/",
            Self::Token => "/v2/oauth/token/",
            Self::Revoke => "/v2/oauth/revoke/",
            Self::UserInfo => "/v2/user/info/",
            Self::CreatorInfo => "/v2/post/publish/creator_info/query/",
            Self::DirectInit => "/v2/post/publish/video/init/",
            Self::InboxInit => "/v2/post/publish/inbox/video/init/",
            Self::ContentInit => "/v2/post/publish/content/init/",
            Self::Upload => "/upload/",
            Self::StatusFetch => "/v2/post/publish/status/fetch/",
            Self::Cancel => "/v2/post/publish/cancel/",
            Self::VideoList => "/v2/video/list/",
            Self::VideoQuery => "/v2/video/query/",
            Self::Unknown => "",
        }
    }

    /// The HTTP methods that the endpoint accepts.
    pub(crate) fn methods(self) -> &'static [&'static str] {
        match self {
            Self::Authorize => &["GET", "POST"],
            Self::UserInfo => &["GET"],
            Self::Upload => &["PUT"],
            Self::Unknown => &[],
            _ => &["POST"],
        }
    }

    /// The kind of body that a request must have.
    pub(crate) fn body(self) -> BodyKind {
        match self {
            Self::Authorize | Self::UserInfo | Self::Unknown => BodyKind::None,
            Self::Token | Self::Revoke => BodyKind::Form,
            Self::Upload => BodyKind::Media,
            _ => BodyKind::Json,
        }
    }

    /// The accepted scopes: an access token needs at least one of them. Empty if no access token is needed.
    pub(crate) fn scopes(self) -> &'static [Scope] {
        match self {
            Self::UserInfo => &[Scope::UserInfoBasic, Scope::UserInfoProfile, Scope::UserInfoStats],
            Self::CreatorInfo | Self::DirectInit => &[Scope::VideoPublish],
            Self::InboxInit => &[Scope::VideoUpload],
            Self::ContentInit | Self::StatusFetch | Self::Cancel => &[Scope::VideoPublish, Scope::VideoUpload],
            Self::VideoList | Self::VideoQuery => &[Scope::VideoList],
            Self::Authorize | Self::Token | Self::Revoke | Self::Upload | Self::Unknown => &[],
        }
    }

    /// The highest number of calls per minute and access token; `None` if no limit is documented.
    ///
    /// <https://developers.tiktok.com/doc/tiktok-api-v2-rate-limit>
    pub(crate) fn calls_per_minute(self, settings: &Settings) -> Option<u32> {
        match self {
            Self::DirectInit | Self::InboxInit | Self::ContentInit => Some(settings.init_per_minute),
            Self::CreatorInfo => Some(settings.creator_info_per_minute),
            Self::StatusFetch => Some(settings.status_per_minute),
            Self::UserInfo => Some(settings.user_info_per_minute),
            Self::VideoList | Self::VideoQuery => Some(settings.video_per_minute),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_ends_with_a_slash() {
        for endpoint in Endpoint::ALL {
            assert!(endpoint.path().ends_with('/'), "{endpoint:?}");
            assert!(!endpoint.methods().is_empty(), "{endpoint:?}");
        }
    }

    #[test]
    fn default_rate_limits_are_the_documented_ones() {
        let settings = Settings::default();
        assert_eq!(Endpoint::DirectInit.calls_per_minute(&settings), Some(6));
        assert_eq!(Endpoint::CreatorInfo.calls_per_minute(&settings), Some(20));
        assert_eq!(Endpoint::StatusFetch.calls_per_minute(&settings), Some(30));
        assert_eq!(Endpoint::VideoQuery.calls_per_minute(&settings), Some(600));
        assert_eq!(Endpoint::Token.calls_per_minute(&settings), None);
    }
}
