//! Redirect addresses: which may be registered, and which offered one is registered.
//!
//! Pure. Addresses are compared byte for byte, never parsed and rebuilt.
//!
//! <https://developers.tiktok.com/doc/login-kit-web>

use url::Url;

use crate::settings::{LoopbackRedirects, Settings};

const MOST: usize = 10;
const LONGEST: usize = 511;

/// Which kind of app an address belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AppKind {
    Web,
    /// Has to prove possession of its code.
    Desktop,
}

/// Checks what is about to be registered.
pub(crate) fn check_registration(settings: &Settings) -> Result<(), String> {
    if settings.redirect_uris.len() > MOST {
        return Err("an app has at most ten redirect addresses".to_owned());
    }
    for address in &settings.redirect_uris {
        check(address).map_err(|why| format!("{address}: {why}"))?;
    }
    Ok(())
}

fn check(address: &str) -> Result<(), &'static str> {
    // A wildcard port is no URL; any port stands for it.
    let url = Url::parse(&address.replacen(":*", ":1", 1)).map_err(|_| "not an absolute URL")?;
    if address.len() > LONGEST {
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
        _ if address.contains('*') => Err("not static"),
        _ => Ok(()),
    }
}

/// Tells whether an offered address is registered, and for which kind of app.
pub(crate) fn registered(settings: &Settings, offered: &str) -> Option<AppKind> {
    let found = settings.redirect_uris.iter().any(|registered| is_same(registered, offered));
    let loopback = ["http://localhost:", "http://127.0.0.1:"]
        .iter()
        .chain(&["https://localhost:", "https://127.0.0.1:"])
        .any(|prefix| offered.starts_with(prefix));
    let desktop = loopback && settings.loopback_redirects == LoopbackRedirects::Desktop;
    let kind = if desktop { AppKind::Desktop } else { AppKind::Web };
    found.then_some(kind)
}

fn is_same(registered: &str, offered: &str) -> bool {
    let Some((before, after)) = registered.split_once(":*") else {
        return registered == offered;
    };
    let rest = offered.strip_prefix(before).and_then(|it| it.strip_prefix(':'));
    rest.is_some_and(|rest| {
        let path = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        path.len() < rest.len() && path == after
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(addresses: &[&str]) -> Settings {
        Settings { redirect_uris: addresses.iter().map(|it| (*it).to_owned()).collect(), ..Settings::default() }
    }

    #[test]
    fn only_allowed_addresses_can_be_registered() {
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
    fn addresses_match_byte_for_byte() {
        let settings = settings(&["https://example.com/back", "http://127.0.0.1:*/back"]);
        assert_eq!(registered(&settings, "https://example.com/back"), Some(AppKind::Web));
        assert_eq!(registered(&settings, "https://example.com/back/"), None);
        assert_eq!(registered(&settings, "http://127.0.0.1:8080/back"), Some(AppKind::Desktop));
        assert_eq!(registered(&settings, "http://127.0.0.1:/back"), None);
        assert_eq!(registered(&settings, "http://127.0.0.1:8080/back/"), None);
    }
}
