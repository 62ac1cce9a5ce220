//! The endpoints that are played: where they are, how they are called, which
//! scope opens them and how often a minute.
//!
//! One table, to be held against TikTok's pages; it knows no behaviour.

use serde::{Deserialize, Serialize};

use crate::settings::Settings;
use crate::tokens::Scope;

/// Something that a client can call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// The consent page and the decision made on it.
    Authorize,
    /// Code or refresh token in, token pair out.
    Token,
    /// The end of a token pair.
    Revoke,
    /// Profile fields.
    UserInfo,
    /// What a creator may post at this moment.
    CreatorInfo,
    /// The start of a direct post.
    DirectInit,
    /// The start of a draft.
    InboxInit,
    /// The start of a photo post, which videos never use.
    ContentInit,
    /// The bytes.
    Upload,
    /// What became of a publish.
    StatusFetch,
    /// The end of a running pull.
    Cancel,
    /// A creator's public videos.
    VideoList,
    /// Certain public videos of a creator.
    VideoQuery,
    /// No endpoint at all: a path that TikTok does not have.
    Unknown,
}

/// What the body of a request has to be.
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

    /// The path, whose trailing slash is part of it.
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

    /// The methods that are answered.
    pub(crate) fn methods(self) -> &'static [&'static str] {
        match self {
            Self::Authorize => &["GET", "POST"],
            Self::UserInfo => &["GET"],
            Self::Upload => &["PUT"],
            Self::Unknown => &[],
            _ => &["POST"],
        }
    }

    /// What a request has to carry.
    pub(crate) fn body(self) -> BodyKind {
        match self {
            Self::Authorize | Self::UserInfo | Self::Unknown => BodyKind::None,
            Self::Token | Self::Revoke => BodyKind::Form,
            Self::Upload => BodyKind::Media,
            _ => BodyKind::Json,
        }
    }

    /// The scopes of which a token needs one.
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

    /// Calls a minute and token, where a limit is documented.
    ///
    /// <https://developers.tiktok.com/doc/tiktok-api-v2-rate-limit>
    pub(crate) fn limit(self, settings: &Settings) -> Option<u32> {
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
    fn every_path_ends_with_the_slash_that_is_part_of_it() {
        for endpoint in Endpoint::ALL {
            assert!(endpoint.path().ends_with('/'), "{endpoint:?}");
            assert!(!endpoint.methods().is_empty(), "{endpoint:?}");
        }
    }

    #[test]
    fn the_documented_limits_are_the_defaults() {
        let settings = Settings::default();
        assert_eq!(Endpoint::DirectInit.limit(&settings), Some(6));
        assert_eq!(Endpoint::CreatorInfo.limit(&settings), Some(20));
        assert_eq!(Endpoint::StatusFetch.limit(&settings), Some(30));
        assert_eq!(Endpoint::VideoQuery.limit(&settings), Some(600));
        assert_eq!(Endpoint::Token.limit(&settings), None);
    }
}
