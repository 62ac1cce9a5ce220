//! The HTTP client for TikTok: the API's base URL, and the settings of every connection.
//!
//! The client follows no redirect, uses no proxy from the environment, decompresses nothing, speaks only HTTP/1.1 and
//! never retries. One call is therefore one request, sent unchanged to the host in its URL. A redirect could carry a
//! token or the video to a host that was not checked; a retry could repeat a call without the caller's knowledge.

use std::sync::Arc;

use reqwest::redirect;
use url::Url;

use crate::timeouts::Timeouts;
use crate::tls_roots;
use crate::upload_hosts::UploadHosts;

/// The addresses that the client may call.
#[derive(Debug, Clone)]
pub struct Config {
    /// The API's base URL; TikTok's own is `https://open.tiktokapis.com`.
    pub api: Url,
    /// The hosts that an upload URL may have.
    pub upload_hosts: UploadHosts,
}

/// Why no client can be made from a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The base URL is not `http` or `https`, or has a user, query or fragment.
    #[error("TikTok's API URL must be http(s)://host[:port][/path], without user, query or fragment")]
    Api,
    /// The HTTP client could not be made, for example because the machine has no root certificates.
    #[error("the HTTP client cannot be made")]
    Client(#[source] reqwest::Error),
}

/// The client of TikTok's API. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct TikTok {
    pub(crate) http: reqwest::Client,
    pub(crate) upload_hosts: Arc<UploadHosts>,
    pub(crate) timeouts: Timeouts,
    base: Arc<str>,
}

impl TikTok {
    /// Makes a client without connecting to TikTok.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Self::with_timeouts(config, Timeouts::default())
    }

    pub(crate) fn with_timeouts(config: Config, timeouts: Timeouts) -> Result<Self, ConfigError> {
        // The trusted root certificates depend on the API's host: TikTok or an operator's own server, see `tls_roots`.
        let http = tls_roots::apply(reqwest::Client::builder(), &config.api)
            .user_agent(concat!("dropcast/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .http1_only()
            .connect_timeout(timeouts.connect)
            .pool_idle_timeout(timeouts.pool_idle);
        // This timeout ends a connection whose sent bytes are not acknowledged. reqwest's default of 30 seconds is
        // shorter than `chunk_stall`, so it would fail a chunk that TikTok reads slowly.
        #[cfg(target_os = "linux")]
        let http = http.tcp_user_timeout(timeouts.chunk_stall);
        let http = http.build().map_err(|error| ConfigError::Client(error.without_url()))?;
        let (base, upload_hosts) = (base_of(&config.api)?, Arc::new(config.upload_hosts));
        Ok(Self { http, upload_hosts, timeouts, base })
    }

    /// Returns the API's base URL with this path appended.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

fn base_of(api: &Url) -> Result<Arc<str>, ConfigError> {
    let is_plain = api.username().is_empty()
        && api.password().is_none()
        && api.query().is_none()
        && api.fragment().is_none()
        && api.has_host();
    if is_plain && matches!(api.scheme(), "http" | "https") {
        Ok(Arc::from(api.as_str().trim_end_matches('/')))
    } else {
        Err(ConfigError::Api)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(api: &str) -> Result<TikTok, ConfigError> {
        let upload_hosts = UploadHosts::parse(".tiktokapis.com").unwrap();
        TikTok::new(Config { api: api.parse().unwrap(), upload_hosts })
    }

    #[test]
    fn path_is_appended_to_base_with_or_without_slash() {
        for base in ["https://open.tiktokapis.com", "https://open.tiktokapis.com/"] {
            assert_eq!(
                client(base).unwrap().address("/v2/oauth/token/"),
                "https://open.tiktokapis.com/v2/oauth/token/"
            );
        }
        let prefixed = client("http://127.0.0.1:4000/tiktok/").unwrap();
        assert_eq!(prefixed.address("/v2/x/"), "http://127.0.0.1:4000/tiktok/v2/x/");
    }

    #[test]
    fn invalid_base_url_is_rejected() {
        for base in
            ["ftp://host", "https://user@host", "https://:pw@host", "https://host?x=1", "https://host#x", "data:x"]
        {
            assert!(matches!(client(base), Err(ConfigError::Api)), "{base}");
        }
    }
}
