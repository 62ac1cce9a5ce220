//! The client: where TikTok is, and how it is connected to.
//!
//! It follows no redirect, uses no proxy of the environment, decompresses
//! nothing, speaks HTTP/1.1 only and repeats nothing by itself: what this crate
//! says was sent, was sent so, once, to that host.

use std::sync::Arc;

use reqwest::redirect;
use url::Url;

use crate::timeouts::Timeouts;
use crate::tls_roots;
use crate::upload_hosts::UploadHosts;

/// Where TikTok is.
#[derive(Debug, Clone)]
pub struct Config {
    /// The API's base; TikTok's own is `https://open.tiktokapis.com`.
    pub api: Url,
    /// The hosts that an upload URL may name.
    pub upload_hosts: UploadHosts,
}

/// A configuration that no client can be made of.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The API's base is not `http` or `https`, or carries what no base carries.
    #[error("TikTok's API URL must be http(s)://host[:port][/path], without user, query or fragment")]
    Api,
    /// The HTTP client could not be made, for lack of root certificates perhaps.
    #[error("the HTTP client cannot be made")]
    Client(#[source] reqwest::Error),
}

/// TikTok, as this crate speaks to it. Cheap to clone; clones share their
/// connections.
#[derive(Debug, Clone)]
pub struct TikTok {
    pub(crate) http: reqwest::Client,
    pub(crate) hosts: Arc<UploadHosts>,
    pub(crate) patience: Timeouts,
    base: Arc<str>,
}

impl TikTok {
    /// Makes a client; connects to nothing yet.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Self::with_timeouts(config, Timeouts::default())
    }

    pub(crate) fn with_timeouts(config: Config, patience: Timeouts) -> Result<Self, ConfigError> {
        let http = tls_roots::apply(reqwest::Client::builder(), &config.api)
            .user_agent(concat!("dropcast/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .http1_only()
            .connect_timeout(patience.connect)
            .pool_idle_timeout(patience.pool);
        // The client's own half a minute would end a chunk that TikTok pauses over.
        #[cfg(target_os = "linux")]
        let http = http.tcp_user_timeout(patience.idle);
        let http = http.build().map_err(|error| ConfigError::Client(error.without_url()))?;
        let (base, hosts) = (base_of(&config.api)?, Arc::new(config.upload_hosts));
        Ok(Self { http, hosts, patience, base })
    }

    /// The address of one of TikTok's paths.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

fn base_of(api: &Url) -> Result<Arc<str>, ConfigError> {
    let plain = api.username().is_empty()
        && api.password().is_none()
        && api.query().is_none()
        && api.fragment().is_none()
        && api.has_host();
    if plain && matches!(api.scheme(), "http" | "https") {
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
    fn paths_are_appended_whether_or_not_the_base_ends_in_a_slash() {
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
    fn a_base_that_is_no_base_is_refused() {
        for base in
            ["ftp://host", "https://user@host", "https://:pw@host", "https://host?x=1", "https://host#x", "data:x"]
        {
            assert!(matches!(client(base), Err(ConfigError::Api)), "{base}");
        }
    }
}
