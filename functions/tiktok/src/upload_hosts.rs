//! The hosts that an upload URL may name.
//!
//! A video goes wherever the answer to an init says. This list is what keeps a
//! forged answer from sending it anywhere else. It knows nothing of uploads.
//!
//! Hosts of TikTok's own domain are held to `https`, its usual port and no
//! user; whoever names another host, as the local cloud does, may use `http`.

use std::str::FromStr;

use url::{Host, Url};

/// TikTok's domain, whose hosts must be spoken to by `https`.
const TIKTOKS: &str = "tiktokapis.com";

/// A list of hosts: `.suffix`, `host` or `host:port`, comma-separated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadHosts(Vec<Allowed>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Allowed {
    name: Name,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    /// Any host below this domain: the text, with its leading dot.
    Below(String),
    /// This host.
    Exactly(Host<String>),
}

/// A list that names no hosts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("upload hosts must be a comma-separated list of .suffix, host or host:port, and {0:?} is none")]
pub struct InvalidUploadHosts(String);

impl UploadHosts {
    /// TikTok's own hosts.
    pub const TIKTOKS_OWN: &str = ".tiktokapis.com";

    /// Reads a list.
    ///
    /// # Errors
    /// Names the entry that is no host; an empty list is an error, too.
    pub fn parse(list: &str) -> Result<Self, InvalidUploadHosts> {
        let entries: Result<Vec<_>, _> = list
            .split(',')
            .map(str::trim)
            .map(|entry| Allowed::parse(entry).ok_or_else(|| InvalidUploadHosts(entry.to_owned())))
            .collect();
        entries.map(Self)
    }

    /// Tells whether a video may be sent to this URL.
    #[must_use]
    pub fn allow(&self, url: &Url) -> bool {
        let anonymous = url.username().is_empty() && url.password().is_none();
        anonymous && url.host().is_some_and(|host| self.0.iter().any(|allowed| allowed.covers(url, &host)))
    }
}

impl FromStr for UploadHosts {
    type Err = InvalidUploadHosts;
    fn from_str(list: &str) -> Result<Self, InvalidUploadHosts> {
        Self::parse(list)
    }
}

impl Allowed {
    fn parse(entry: &str) -> Option<Self> {
        let (name, port) = match entry.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, Some(port.parse().ok()?)),
            _ => (entry, None),
        };
        let (dot, domain) = name.strip_prefix('.').map_or(("", name), |domain| (".", domain));
        let host = Host::parse(domain).ok()?;
        let name = match (dot, host) {
            (".", Host::Domain(domain)) => Name::Below(format!(".{domain}")),
            (".", Host::Ipv4(_) | Host::Ipv6(_)) => return None,
            (_, host) => Name::Exactly(host),
        };
        Some(Self { name, port })
    }

    fn covers(&self, url: &Url, host: &Host<&str>) -> bool {
        let named = match (&self.name, host) {
            (Name::Below(suffix), Host::Domain(domain)) => {
                domain.len() > suffix.len() && domain.ends_with(suffix.as_str())
            }
            (Name::Below(_), Host::Ipv4(_) | Host::Ipv6(_)) => false,
            (Name::Exactly(only), host) => only.to_string() == host.to_string(),
        };
        let usual_port = url.port().is_none();
        let port = self.port.map_or(usual_port, |port| url.port_or_known_default() == Some(port));
        let scheme = match url.scheme() {
            "https" => !is_tiktoks(host) || usual_port,
            "http" => !is_tiktoks(host),
            _ => false,
        };
        named && port && scheme
    }
}

fn is_tiktoks(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(domain) => {
            domain.strip_suffix(TIKTOKS).is_some_and(|front| front.is_empty() || front.ends_with('.'))
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
    fn tiktoks_own_hosts_are_allowed_by_https_alone() {
        for url in [
            "https://open-upload.tiktokapis.com/video/?upload_id=1&upload_token=x",
            "https://upload.us.tiktokapis.com/upload",
            "https://OPEN-UPLOAD-VA.tiktokapis.com:443/upload",
        ] {
            assert!(allowed(UploadHosts::TIKTOKS_OWN, url), "{url}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
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
    fn a_host_named_on_purpose_may_be_plain_http_on_its_port() {
        assert!(allowed("127.0.0.1:4010", "http://127.0.0.1:4010/upload?token=x"));
        assert!(allowed(".tiktokapis.com, localhost:80", "http://localhost/upload"));
        assert!(allowed("[::1]:4010", "http://[::1]:4010/upload"));
        assert!(allowed("[::1]", "http://[::1]/upload"));
        assert!(!allowed("127.0.0.1:4010", "http://127.0.0.1:4011/upload"));
        assert!(!allowed("127.0.0.1", "http://127.0.0.1:4011/upload"));
        assert!(!allowed("127.0.0.1:4010", "http://user@127.0.0.1:4010/upload"));
    }

    #[test]
    fn naming_tiktoks_domain_again_does_not_open_it_to_http_or_other_ports() {
        assert!(!allowed("open-upload.tiktokapis.com", "http://open-upload.tiktokapis.com/"));
        assert!(!allowed(".com", "http://open-upload.tiktokapis.com/"));
        assert!(!allowed("open-upload.tiktokapis.com:8443", "https://open-upload.tiktokapis.com:8443/"));
    }

    #[test]
    fn an_entry_that_is_no_host_is_named() {
        for (list, named) in [
            ("", ""),
            ("a.example,", ""),
            ("a.example,b c", "b c"),
            (".", "."),
            ("a.example:port", "a.example:port"),
            (".127.0.0.1", ".127.0.0.1"),
            ("https://a.example", "https://a.example"),
        ] {
            assert_eq!(UploadHosts::parse(list), Err(InvalidUploadHosts(named.to_owned())), "{list}");
        }
    }
}
