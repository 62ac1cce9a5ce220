//! Whose certificates are believed.
//!
//! TikTok is a site of the public web: for it, these are the roots that browsers
//! have, compiled in. Measurement and parsing a host's own bundle is the longest part
//! of a function's cold start, and would be done for nobody else: AWS's SDK does
//! it by itself. Where an operator points to something else over https, its
//! certificate may be of the operator's own making, and the host's bundle counts.

use std::sync::Arc;

use reqwest::ClientBuilder;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use url::Url;

/// The hosts whose certificates are of the public web.
const TIKTOKS: &str = ".tiktokapis.com";

/// Has a client believe what there is to be believed for this API.
pub(crate) fn apply(builder: ClientBuilder, api: &Url) -> ClientBuilder {
    let Some(config) = Some(api).filter(|api| !is_a_stand_in_over_tls(api)).and_then(|_| of_the_web()) else {
        return builder;
    };
    builder.tls_backend_preconfigured(config)
}

fn is_a_stand_in_over_tls(api: &Url) -> bool {
    api.scheme() == "https" && !api.host_str().is_some_and(|host| host.ends_with(TIKTOKS))
}

fn of_the_web() -> Option<ClientConfig> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
    Some(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_host_over_tls_is_believed_as_the_host_believes_it() {
        for (api, stand_in) in [
            ("https://open.tiktokapis.com", false),
            ("http://127.0.0.1:4000", false),
            ("https://tiktok.example.com", true),
            ("https://open.tiktokapis.com.example.com", true),
        ] {
            assert_eq!(is_a_stand_in_over_tls(&api.parse().unwrap()), stand_in, "{api}");
        }
    }

    #[test]
    fn the_roots_of_the_web_are_there_and_the_client_takes_them() {
        let config = of_the_web().unwrap();
        assert!(config.crypto_provider().signature_verification_algorithms.all.len() > 5);
        assert!(webpki_roots::TLS_SERVER_ROOTS.len() > 50);
        // A configuration of another rustls than reqwest's would be refused here.
        assert!(reqwest::Client::builder().tls_backend_preconfigured(config).build().is_ok());
    }
}
