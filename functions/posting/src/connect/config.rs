//! The parameters of connecting, read once at cold start.

use domain::account::Scopes;
use tiktok::{AUTHORIZE_HOST, AuthorizeUrl};

use crate::config::{ConfigError, parsed};

/// What an operator decides of connecting.
#[derive(Debug, Clone)]
pub struct ConnectConfig {
    /// `AUTHORIZATION_REQUESTS_TABLE`: the table of requests for consent.
    pub authorization_requests_table: String,
    /// `TIKTOK_AUTHORIZE_URL`: where TikTok's consent page is; `REDIRECT_URL`:
    /// where its answer goes, as registered.
    pub page: AuthorizeUrl,
    /// `CONNECT_SCOPES`: what users are asked for; without it, what the
    /// account's mode needs.
    pub scopes: Option<Scopes>,
}

impl ConnectConfig {
    /// Reads the parameters from wherever `variable` finds them.
    ///
    /// # Errors
    /// Names the first variable that is missing or malformed.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let required = |name| {
            variable(name).ok_or_else(|| ConfigError { name, problem: "is not set; the template sets it".into() })
        };
        let host = variable("TIKTOK_AUTHORIZE_URL").unwrap_or_else(|| AUTHORIZE_HOST.to_owned());
        let redirect = required("REDIRECT_URL")?;
        // Each is held against the rules beside one that is known to be right.
        let right = "https://example.com/oauth/callback";
        parsed("TIKTOK_AUTHORIZE_URL", &host, |host| AuthorizeUrl::new(host, right).map_err(|e| e.to_string()))?;
        let page = parsed("REDIRECT_URL", &redirect, |uri| AuthorizeUrl::new(&host, uri).map_err(|e| e.to_string()))?;
        let scopes = variable("CONNECT_SCOPES").map(|list| Scopes::parse(&list)).filter(|scopes| !scopes.is_empty());
        Ok(Self { authorization_requests_table: required("AUTHORIZATION_REQUESTS_TABLE")?, page, scopes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[(&str, &str)]) -> Result<ConnectConfig, ConfigError> {
        let rest = [("AUTHORIZATION_REQUESTS_TABLE", "consents"), ("REDIRECT_URL", "https://a.example/oauth/callback")];
        ConnectConfig::read(|name| {
            let found = set.iter().chain(&rest).find(|(n, _)| *n == name);
            found.map(|(_, value)| (*value).to_owned()).filter(|value| !value.is_empty())
        })
    }

    #[test]
    fn tiktoks_own_page_and_the_least_scopes_are_the_defaults() {
        let config = read(&[]).unwrap();
        let address = config.page.address("key-1", &Scopes::parse("video.upload"), "state-1");
        assert_eq!(address.host_str(), Some("www.tiktok.com"));
        assert_eq!(config.scopes, None);
        let wished = read(&[("CONNECT_SCOPES", "video.list, video.upload")]).unwrap();
        assert_eq!(wished.scopes, Some(Scopes::parse("video.list,video.upload")));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (name, value) in [
            ("AUTHORIZATION_REQUESTS_TABLE", ""),
            ("REDIRECT_URL", ""),
            ("REDIRECT_URL", "http://a.example/oauth/callback"),
            ("TIKTOK_AUTHORIZE_URL", "nowhere"),
        ] {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(value), "{error}");
        }
    }
}
