//! The calls of the v2 API: their paths, and what a log calls them.
//!
//! A path's trailing slash is part of it.
//! <https://developers.tiktok.com/doc/content-posting-api-get-started>

use std::fmt;

use domain::options::Mode;
use reqwest::Method;

/// A call to TikTok's v2 API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// What a creator may post now.
    CreatorInfo,
    /// The begin of a direct post.
    DirectInit,
    /// The begin of a draft.
    DraftInit,
    /// Where a publish stands.
    StatusFetch,
    /// The end of a publish, on our own word.
    Cancel,
    /// The links of public videos.
    VideoQuery,
    /// Who a token belongs to.
    UserInfo,
}

impl Endpoint {
    /// All calls.
    pub const ALL: [Self; 7] = [
        Self::CreatorInfo,
        Self::DirectInit,
        Self::DraftInit,
        Self::StatusFetch,
        Self::Cancel,
        Self::VideoQuery,
        Self::UserInfo,
    ];

    /// The init of a mode.
    #[must_use]
    pub fn init(mode: Mode) -> Self {
        match mode {
            Mode::Direct => Self::DirectInit,
            Mode::Draft => Self::DraftInit,
        }
    }

    /// The path, with its trailing slash.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::CreatorInfo => "/v2/post/publish/creator_info/query/",
            Self::DirectInit => "/v2/post/publish/video/init/",
            Self::DraftInit => "/v2/post/publish/inbox/video/init/",
            Self::StatusFetch => "/v2/post/publish/status/fetch/",
            Self::Cancel => "/v2/post/publish/cancel/",
            Self::VideoQuery => "/v2/video/query/",
            Self::UserInfo => "/v2/user/info/",
        }
    }

    pub(crate) fn method(self) -> Method {
        match self {
            Self::UserInfo => Method::GET,
            Self::CreatorInfo
            | Self::DirectInit
            | Self::DraftInit
            | Self::StatusFetch
            | Self::Cancel
            | Self::VideoQuery => Method::POST,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path())
    }
}
