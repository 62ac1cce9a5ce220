//! The root certificates that the client trusts.
//!
//! The API's base URL decides, for API calls and uploads alike:
//!
//! - TikTok's own host: the roots that browsers trust, compiled in. Reading and parsing the machine's certificate
//!   bundle would be the longest part of a function's cold start. Nothing else needs the bundle: the AWS SDK loads its
//!   roots itself (`functions/runtime/src/aws/tls_roots.rs`).
//! - Another host over https, which an operator configured: the machine's bundle. The operator's own authority may have
//!   issued that host's certificate.
//! - A host over http: the compiled-in roots, because reading the bundle would only cost time.

use std::sync::Arc;

use reqwest::ClientBuilder;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use url::Url;

/// The suffix of TikTok's API hosts. A public authority issues their certificates.
const TIKTOK_SUFFIX: &str = ".tiktokapis.com";

/// Makes a client trust the roots that belong to the API's base URL.
pub(crate) fn apply(builder: ClientBuilder, api: &Url) -> ClientBuilder {
    if is_other_https_host(api) {
        return builder;
    }
    match web_roots() {
        Some(config) => builder.tls_backend_preconfigured(config),
        // reqwest then reads the machine's bundle.
        None => builder,
    }
}

fn is_other_https_host(api: &Url) -> bool {
    api.scheme() == "https" && !api.host_str().is_some_and(|host| host.ends_with(TIKTOK_SUFFIX))
}

fn web_roots() -> Option<ClientConfig> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
    Some(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_other_https_hosts_use_the_machines_bundle() {
        for (api, expected) in [
            ("https://open.tiktokapis.com", false),
            ("http://127.0.0.1:4000", false),
            ("https://tiktok.example.com", true),
            ("https://open.tiktokapis.com.example.com", true),
        ] {
            assert_eq!(is_other_https_host(&api.parse().unwrap()), expected, "{api}");
        }
    }

    #[test]
    fn client_accepts_the_compiled_in_roots() {
        let config = web_roots().unwrap();
        assert!(config.crypto_provider().signature_verification_algorithms.all.len() > 5);
        assert!(webpki_roots::TLS_SERVER_ROOTS.len() > 50);
        // `build` fails if the configuration is of another rustls version than reqwest's.
        assert!(reqwest::Client::builder().tls_backend_preconfigured(config).build().is_ok());
    }
}
