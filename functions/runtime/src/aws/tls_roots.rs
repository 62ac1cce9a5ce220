//! The root certificates that the AWS clients trust.
//!
//! The certificates of AWS's endpoints are issued by Amazon's own authorities, whose roots are compiled in
//! (<https://www.amazontrust.com/repository/>). By default the SDK reads and parses all root certificates of the
//! host, once for each client, which is the longest part of a cold start.
//!
//! The SDK's default stays in use if a server with another certificate may respond: if the environment names other
//! certificates or another endpoint, and in AWS partitions that have their own authorities.

use aws_config::ConfigLoader;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};

/// Amazon Root CA 1 to 4, and Starfield Services Root Certificate Authority - G2.
const AMAZON_ROOTS: &str = include_str!("amazon_trust_services.pem");

/// The variables that name other endpoints or other root certificates.
const OVERRIDES: [&str; 8] = [
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_KMS",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_ENDPOINT_URL_SQS",
];

/// Makes the clients trust only Amazon's authorities, if all endpoints are AWS's.
pub(super) fn apply(config: ConfigLoader, variable: impl Fn(&str) -> Option<String>) -> ConfigLoader {
    let trust = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
    let tls = TlsContext::builder().with_trust_store(trust).build();
    match tls {
        Ok(tls) if has_amazon_endpoints(variable) => {
            let client = Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(tls);
            config.http_client(client.build_https())
        }
        _ => config,
    }
}

fn has_amazon_endpoints(variable: impl Fn(&str) -> Option<String>) -> bool {
    let has_own_authorities =
        |region: String| region.starts_with("cn-") || region.contains("-iso") || region.starts_with("eusc-");
    OVERRIDES.iter().all(|name| variable(name).is_none()) && !variable("AWS_REGION").is_some_and(has_own_authorities)
}

#[cfg(test)]
mod tests {
    use data_encoding::{BASE64, HEXLOWER};
    use sha2::{Digest, Sha256};

    use super::*;

    /// The SHA-256 fingerprints on Amazon's page, in the order of the file.
    const FINGERPRINTS: [&str; 5] = [
        "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
        "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4",
        "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
        "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092",
        "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5",
    ];

    fn fingerprint(pem: &str) -> String {
        let text: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        HEXLOWER.encode(&Sha256::digest(BASE64.decode(text.as_bytes()).unwrap()))
    }

    #[test]
    fn compiled_roots_have_the_published_fingerprints() {
        let certificates = AMAZON_ROOTS.split_inclusive("-----END CERTIFICATE-----\n").map(fingerprint);
        assert_eq!(certificates.collect::<Vec<_>>(), FINGERPRINTS);
    }

    #[test]
    fn overrides_and_other_partitions_use_the_host_certificates() {
        let is_amazon = |set: &[(&str, &str)]| {
            let value = |name: &str| set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
            has_amazon_endpoints(value)
        };
        assert!(is_amazon(&[]));
        for region in ["eu-central-1", "us-gov-west-1"] {
            assert!(is_amazon(&[("AWS_REGION", region)]), "{region}");
        }
        for name in OVERRIDES {
            assert!(!is_amazon(&[("AWS_REGION", "eu-central-1"), (name, "x")]), "{name}");
        }
        for region in ["cn-north-1", "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "eusc-de-east-1"] {
            assert!(!is_amazon(&[("AWS_REGION", region)]), "{region}");
        }
    }
}
