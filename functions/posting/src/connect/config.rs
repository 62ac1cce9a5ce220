//! The parameters of connecting accounts, read once at cold start.

use domain::account::Scopes;
use tiktok::{AUTHORIZE_HOST, AuthorizeUrl};

use crate::config::{ConfigError, parsed};

/// What the operator configures about connecting accounts.
#[derive(Debug, Clone)]
pub struct ConnectConfig {
    /// `AUTHORIZATION_REQUESTS_TABLE`: the table of authorization requests.
    pub authorization_requests_table: String,
    /// `TIKTOK_AUTHORIZE_URL`: TikTok's authorization page; `REDIRECT_URL`: where it sends the response, as registered
    /// with TikTok.
    pub page: AuthorizeUrl,
    /// `CONNECT_SCOPES`: the scopes that are requested; without it, those that the account's mode needs.
    pub scopes: Option<Scopes>,
}

impl ConnectConfig {
    /// Reads the parameters.
    ///
    /// # Errors
    /// Names the first variable that is missing or malformed.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let required = |name| variable(name).ok_or_else(|| ConfigError::missing(name));
        let host = variable("TIKTOK_AUTHORIZE_URL").unwrap_or_else(|| AUTHORIZE_HOST.to_owned());
        let redirect = required("REDIRECT_URL")?;
        // The page is checked with a valid redirect URL first, so that the error names the variable that is wrong.
        let valid = "https://example.com/oauth/callback";
        parsed("TIKTOK_AUTHORIZE_URL", &host, |host| AuthorizeUrl::new(host, valid).map_err(|e| e.to_string()))?;
        let page = parsed("REDIRECT_URL", &redirect, |uri| AuthorizeUrl::new(&host, uri).map_err(|e| e.to_string()))?;
        let scopes = variable("CONNECT_SCOPES").map(|list| Scopes::parse(&list)).filter(|scopes| !scopes.is_empty());
        Ok(Self { authorization_requests_table: required("AUTHORIZATION_REQUESTS_TABLE")?, page, scopes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[(&str, &str)]) -> Result<ConnectConfig, ConfigError> {
        let rest = [("AUTHORIZATION_REQUESTS_TABLE", "requests"), ("REDIRECT_URL", "https://a.example/oauth/callback")];
        ConnectConfig::read(|name| {
            let found = set.iter().chain(&rest).find(|(n, _)| *n == name);
            found.map(|(_, value)| (*value).to_owned()).filter(|value| !value.is_empty())
        })
    }

    #[test]
    fn defaults_are_tiktok_page_and_needed_scopes() {
        let config = read(&[]).unwrap();
        let address = config.page.address("key-1", &Scopes::parse("video.upload"), "state-1");
        assert_eq!(address.host_str(), Some("www.tiktok.com"));
        assert_eq!(config.scopes, None);
        let configured = read(&[("CONNECT_SCOPES", "video.list, video.upload")]).unwrap();
        assert_eq!(configured.scopes, Some(Scopes::parse("video.list,video.upload")));
    }

    #[test]
    fn error_names_missing_or_malformed_variable() {
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
