//! The list of hosts that an upload URL may have.
//!
//! A video is sent to the URL that the response to an init contains. This list prevents a forged response from sending
//! the video to any other host.
//!
//! No allowed URL has a user. A URL at TikTok's domain must use `https` and the default port, whatever the list says. A
//! URL at any other listed host may use `http`, as the local simulator of TikTok does.

use std::str::FromStr;

use url::{Host, Url};

/// TikTok's domain. Its hosts must use `https`.
const TIKTOK_DOMAIN: &str = "tiktokapis.com";
/// The host of TikTok's API. It receives tokens and never a video, so no upload URL may have it.
const API_HOST: &str = "open.tiktokapis.com";

/// A list of allowed hosts, parsed from comma-separated entries: `.suffix`, `host` or `host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadHosts(Vec<AllowedHost>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct AllowedHost {
    name: Name,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    /// Any subdomain, but not the domain itself: a suffix with its leading dot.
    Suffix(String),
    /// Exactly this host.
    Exact(Host<String>),
}

/// An entry that is not a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("upload hosts must be a comma-separated list of .suffix, host or host:port; {0:?} is none of these")]
pub struct InvalidUploadHosts(String);

impl UploadHosts {
    /// The list that allows TikTok's own hosts.
    pub const TIKTOKS_OWN: &str = ".tiktokapis.com";

    /// Parses a list.
    ///
    /// # Errors
    /// Returns the first entry that is not a host. An empty list is an error, too.
    pub fn parse(list: &str) -> Result<Self, InvalidUploadHosts> {
        let entries: Result<Vec<_>, _> = list
            .split(',')
            .map(str::trim)
            .map(|entry| AllowedHost::parse(entry).ok_or_else(|| InvalidUploadHosts(entry.to_owned())))
            .collect();
        entries.map(Self)
    }

    /// Returns whether a video may be sent to this URL.
    pub fn allow(&self, url: &Url) -> bool {
        let has_no_user = url.username().is_empty() && url.password().is_none();
        has_no_user && url.host().is_some_and(|host| self.0.iter().any(|allowed| allowed.matches(url, &host)))
    }
}

impl FromStr for UploadHosts {
    type Err = InvalidUploadHosts;
    fn from_str(list: &str) -> Result<Self, InvalidUploadHosts> {
        Self::parse(list)
    }
}

impl AllowedHost {
    fn parse(entry: &str) -> Option<Self> {
        let (name, port) = match entry.rsplit_once(':') {
            // A `]` ends an IPv6 address that has no port.
            Some((name, port)) if !port.ends_with(']') => (name, Some(port.parse().ok()?)),
            _ => (entry, None),
        };
        let (dot, domain) = name.strip_prefix('.').map_or(("", name), |domain| (".", domain));
        let host = Host::parse(domain).ok()?;
        let name = match (dot, host) {
            (".", Host::Domain(domain)) => Name::Suffix(format!(".{domain}")),
            (".", Host::Ipv4(_) | Host::Ipv6(_)) => return None,
            (_, host) => Name::Exact(host),
        };
        Some(Self { name, port })
    }

    fn matches(&self, url: &Url, host: &Host<&str>) -> bool {
        let is_listed = match (&self.name, host) {
            (Name::Suffix(suffix), Host::Domain(domain)) => {
                domain.len() > suffix.len() && domain.ends_with(suffix.as_str())
            }
            (Name::Suffix(_), Host::Ipv4(_) | Host::Ipv6(_)) => false,
            (Name::Exact(name), host) => name.to_string() == host.to_string(),
        };
        let is_default_port = url.port().is_none();
        let is_port_allowed = self.port.map_or(is_default_port, |port| url.port_or_known_default() == Some(port));
        let is_scheme_allowed = match url.scheme() {
            "https" => !is_tiktok_domain(host) || is_default_port,
            "http" => !is_tiktok_domain(host),
            _ => false,
        };
        is_listed && is_port_allowed && is_scheme_allowed && is_plausible(host)
    }
}

/// Tells whether a host can be an upload host: it has no empty label, and is not the API's own.
fn is_plausible(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(domain) => *domain != API_HOST && domain.split('.').all(|label| !label.is_empty()),
        Host::Ipv4(_) | Host::Ipv6(_) => true,
    }
}

fn is_tiktok_domain(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(domain) => {
            domain.strip_suffix(TIKTOK_DOMAIN).is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('.'))
        }
        Host::Ipv4(_) | Host::Ipv6(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(list: &str, url: &str) -> bool {
        UploadHosts::parse(list).unwrap().allow(&url.parse().unwrap())
    }

    #[test]
    fn https_url_on_tiktoks_host_is_allowed() {
        for url in [
            "https://open-upload.tiktokapis.com/video/?upload_id=1&upload_token=x",
            "https://upload.us.tiktokapis.com/upload",
            "https://OPEN-UPLOAD-VA.tiktokapis.com:443/upload",
        ] {
            assert!(allowed(UploadHosts::TIKTOKS_OWN, url), "{url}");
        }
    }

    #[test]
    fn any_other_url_is_rejected() {
        for url in [
            "http://open-upload.tiktokapis.com/video/",
            "https://open-upload.tiktokapis.com:8443/video/",
            "https://user@open-upload.tiktokapis.com/video/",
            "https://user:pw@open-upload.tiktokapis.com/video/",
            "https://tiktokapis.com/video/",
            "https://eviltiktokapis.com/video/",
            "https://open-upload.tiktokapis.com.example.org/video/",
            "https://open-upload.tiktokapis.com./video/",
            "https://example.org/.tiktokapis.com",
            "https://example.org?x=.tiktokapis.com",
            "https://127.0.0.1/",
            "ftp://open-upload.tiktokapis.com/video/",
            "data:text/plain,.tiktokapis.com",
        ] {
            assert!(!allowed(UploadHosts::TIKTOKS_OWN, url), "{url}");
        }
    }

    #[test]
    fn empty_label_and_api_host_are_rejected() {
        for url in [
            "https://.tiktokapis.com/video/",
            "https://a..tiktokapis.com/video/",
            "https://..tiktokapis.com/video/",
            "https://open.tiktokapis.com/video/",
            "https://OPEN.tiktokapis.com:443/video/",
        ] {
            // A URL that does not parse is not allowed either.
            let is_allowed = |list| url.parse().is_ok_and(|url| UploadHosts::parse(list).unwrap().allow(&url));
            assert!(!is_allowed(UploadHosts::TIKTOKS_OWN), "{url}");
            assert!(!is_allowed("open.tiktokapis.com"), "{url}");
        }
    }

    #[test]
    fn other_listed_host_may_use_http_on_its_port() {
        assert!(allowed("127.0.0.1:4010", "http://127.0.0.1:4010/upload?token=x"));
        assert!(allowed(".tiktokapis.com, localhost:80", "http://localhost/upload"));
        assert!(allowed("[::1]:4010", "http://[::1]:4010/upload"));
        assert!(allowed("[::1]", "http://[::1]/upload"));
        assert!(!allowed("127.0.0.1:4010", "http://127.0.0.1:4011/upload"));
        assert!(!allowed("127.0.0.1", "http://127.0.0.1:4011/upload"));
        assert!(!allowed("127.0.0.1:4010", "http://user@127.0.0.1:4010/upload"));
    }

    #[test]
    fn listed_tiktok_host_still_requires_https_and_default_port() {
        assert!(!allowed("open-upload.tiktokapis.com", "http://open-upload.tiktokapis.com/"));
        assert!(!allowed(".com", "http://open-upload.tiktokapis.com/"));
        assert!(!allowed("open-upload.tiktokapis.com:8443", "https://open-upload.tiktokapis.com:8443/"));
    }

    #[test]
    fn error_names_the_entry_that_is_no_host() {
        for (list, invalid) in [
            ("", ""),
            ("a.example,", ""),
            ("a.example,b c", "b c"),
            (".", "."),
            ("a.example:port", "a.example:port"),
            (".127.0.0.1", ".127.0.0.1"),
            ("https://a.example", "https://a.example"),
        ] {
            assert_eq!(UploadHosts::parse(list), Err(InvalidUploadHosts(invalid.to_owned())), "{list}");
        }
    }
}
