//! The rules for redirect URIs: which may be registered for the app, and whether one that a client sends is registered.
//!
//! A URI is compared byte for byte, as TikTok does, so a trailing slash makes a difference. One exception: `:*` in a
//! registered URI stands for any port.
//!
//! <https://developers.tiktok.com/doc/login-kit-web>

use url::Url;

use crate::settings::{LoopbackRedirects, Settings};

/// TikTok's limits for an app: the number of its redirect URIs, and the length of each in bytes.
const MAX_URIS: usize = 10;
const MAX_LENGTH: usize = 511;

/// The kind of app that a redirect URI belongs to. [`crate::authorize`] requires PKCE of a desktop app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AppKind {
    Web,
    Desktop,
}

/// Checks the `redirect_uris` of new settings.
pub(crate) fn check_registration(settings: &Settings) -> Result<(), String> {
    if settings.redirect_uris.len() > MAX_URIS {
        return Err(format!("an app has at most {MAX_URIS} redirect URIs"));
    }
    for uri in &settings.redirect_uris {
        check(uri).map_err(|problem| format!("{uri}: {problem}"))?;
    }
    Ok(())
}

fn check(uri: &str) -> Result<(), &'static str> {
    // `:*` (any port) does not parse as a port, so the check uses port 1 instead.
    let url = Url::parse(&uri.replacen(":*", ":1", 1)).map_err(|_| "not an absolute URL")?;
    if uri.len() > MAX_LENGTH {
        return Err("longer than 511 characters");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("has a query or a fragment");
    }
    match url.host_str() {
        Some("localhost" | "127.0.0.1") if !matches!(url.scheme(), "http" | "https") => Err("neither http nor https"),
        Some("localhost" | "127.0.0.1") if url.port().is_none() => Err("has no port"),
        Some("localhost" | "127.0.0.1") => Ok(()),
        _ if url.scheme() != "https" => Err("not https"),
        _ if uri.contains('*') => Err("has a wildcard, although it is no loopback URI"),
        _ => Ok(()),
    }
}

/// Returns the kind of app that a requested redirect URI belongs to, or `None` if the URI is not registered.
pub(crate) fn registered_app_kind(settings: &Settings, requested: &str) -> Option<AppKind> {
    let is_registered = settings.redirect_uris.iter().any(|registered| matches(registered, requested));
    let is_loopback = ["http://localhost:", "http://127.0.0.1:", "https://localhost:", "https://127.0.0.1:"]
        .iter()
        .any(|prefix| requested.starts_with(prefix));
    let is_desktop = is_loopback && settings.loopback_redirects == LoopbackRedirects::Desktop;
    let kind = if is_desktop { AppKind::Desktop } else { AppKind::Web };
    is_registered.then_some(kind)
}

/// Compares two URIs byte for byte. A `:*` in the registered one stands for any port.
fn matches(registered: &str, requested: &str) -> bool {
    let Some((before_port, after_port)) = registered.split_once(":*") else {
        return registered == requested;
    };
    let port_and_path = requested.strip_prefix(before_port).and_then(|rest| rest.strip_prefix(':'));
    port_and_path.is_some_and(|port_and_path| {
        let path = port_and_path.trim_start_matches(|c: char| c.is_ascii_digit());
        let has_port = path.len() < port_and_path.len();
        has_port && path == after_port
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(uris: &[&str]) -> Settings {
        Settings { redirect_uris: uris.iter().map(|uri| (*uri).to_owned()).collect(), ..Settings::default() }
    }

    #[test]
    fn only_allowed_uris_can_be_registered() {
        for allowed in ["https://example.com/back", "http://localhost:3000/back", "http://127.0.0.1:*/back/"] {
            assert_eq!(check_registration(&settings(&[allowed])), Ok(()));
        }
        for refused in [
            "http://example.com/back",
            "https://example.com/back?x=1",
            "https://example.com/back#x",
            "https://example.com/*",
            "http://localhost/back",
            "/back",
        ] {
            assert!(check_registration(&settings(&[refused])).is_err(), "{refused}");
        }
        let eleven = ["https://example.com/back"; 11];
        assert!(check_registration(&settings(&eleven)).is_err());
    }

    #[test]
    fn requested_uri_must_match_byte_for_byte() {
        // With the default of `loopback_redirects`, a loopback URI belongs to a desktop app.
        let settings = settings(&["https://example.com/back", "http://127.0.0.1:*/back"]);
        assert_eq!(registered_app_kind(&settings, "https://example.com/back"), Some(AppKind::Web));
        assert_eq!(registered_app_kind(&settings, "https://example.com/back/"), None);
        assert_eq!(registered_app_kind(&settings, "http://127.0.0.1:8080/back"), Some(AppKind::Desktop));
        assert_eq!(registered_app_kind(&settings, "http://127.0.0.1:/back"), None);
        assert_eq!(registered_app_kind(&settings, "http://127.0.0.1:8080/back/"), None);
    }
}
