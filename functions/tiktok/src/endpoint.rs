//! The endpoints of TikTok's v2 API.
//!
//! The trailing slash is part of each path. <https://developers.tiktok.com/doc/content-posting-api-get-started>

use std::fmt;

use domain::options::Mode;
use reqwest::Method;

/// An endpoint of TikTok's v2 API. Its `Display` is its path, which logs and errors show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// Returns what a creator may post now.
    CreatorInfo,
    /// Begins a direct post.
    DirectInit,
    /// Begins a draft.
    DraftInit,
    /// Returns a publish's status.
    StatusFetch,
    /// Cancels a publish.
    Cancel,
    /// Returns the links of public videos.
    VideoQuery,
    /// Returns the user of an access token.
    UserInfo,
}

impl Endpoint {
    /// All endpoints.
    pub const ALL: [Self; 7] = [
        Self::CreatorInfo,
        Self::DirectInit,
        Self::DraftInit,
        Self::StatusFetch,
        Self::Cancel,
        Self::VideoQuery,
        Self::UserInfo,
    ];

    /// Returns the init endpoint of a mode.
    pub fn init(mode: Mode) -> Self {
        match mode {
            Mode::Direct => Self::DirectInit,
            Mode::Draft => Self::DraftInit,
        }
    }

    /// Returns the path, with its trailing slash.
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
