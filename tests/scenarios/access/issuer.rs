//! A fake `OpenID` Connect issuer of tokens. Its documents are in a public bucket at the paths of a real issuer.
//! <https://openid.net/specs/openid-connect-discovery-1_0.html>

use anyhow::{Context, Result, anyhow};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use data_encoding::BASE64URL_NOPAD;
use harness::Cloud;
use jiff::SignedDuration;
use serde_json::{Value, json};
use uuid::Uuid;

/// The path of the discovery document.
const DISCOVERY: &str = ".well-known/openid-configuration";
/// The path of the public keys, which the discovery document names.
const KEYS: &str = "keys.json";
/// The id of the public key.
const KEY_ID: &str = "key-1";
/// The range of the modulus in the DER of a 2048-bit public key: 256 bytes after 9 bytes of headers and sign:
/// <https://www.rfc-editor.org/rfc/rfc8017#appendix-A.1.1>
const MODULUS: std::ops::Range<usize> = 9..265;

/// An issuer whose keys the API gateway can read.
pub(crate) struct Issuer {
    /// The issuer's name and address.
    pub(crate) url: String,
    bucket: String,
    key: KeyPair,
}

impl Issuer {
    /// Creates an issuer with a new key, and publishes its documents.
    pub(crate) async fn open(cloud: &Cloud) -> Result<Self> {
        let bucket = format!("issuer-{}", Uuid::new_v4().simple());
        let issuer = Self { url: format!("{}/{bucket}", cloud.contract.endpoint), key: new_key()?, bucket };
        let bucket = issuer.bucket.as_str();
        cloud.s3.create_bucket().bucket(bucket).send().await?;
        cloud.s3.delete_public_access_block().bucket(bucket).send().await?;
        let public = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{bucket}/*"),
        }] });
        cloud.s3.put_bucket_policy().bucket(bucket).policy(public.to_string()).send().await?;
        let description = json!({ "issuer": issuer.url, "jwks_uri": format!("{}/{KEYS}", issuer.url) });
        for (name, document) in [(DISCOVERY, description), (KEYS, json!({ "keys": [issuer.public_key()?] }))] {
            let put = cloud.s3.put_object().bucket(bucket).key(name).content_type("application/json");
            put.body(document.to_string().into_bytes().into()).send().await?;
        }
        Ok(issuer)
    }

    /// The public key as a JSON Web Key: <https://www.rfc-editor.org/rfc/rfc7517>
    fn public_key(&self) -> Result<Value> {
        let modulus = self.key.public_key().as_ref().get(MODULUS).context("the key has another length")?;
        let modulus = BASE64URL_NOPAD.encode(modulus);
        Ok(json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, "n": modulus, "e": "AQAB" }))
    }

    /// Issues a token that is valid for this long.
    pub(crate) fn token(&self, audience: &str, valid_for: SignedDuration) -> Result<String> {
        self.signed(&self.key, audience, valid_for)
    }

    /// Creates a token that names this issuer, but is signed with another key.
    pub(crate) fn forged(&self, audience: &str, valid_for: SignedDuration) -> Result<String> {
        self.signed(&new_key()?, audience, valid_for)
    }

    fn signed(&self, key: &KeyPair, audience: &str, valid_for: SignedDuration) -> Result<String> {
        let now = runtime::clock::now();
        let claims = json!({
            "iss": self.url, "aud": audience, "sub": "a-caller",
            "iat": now.as_second() - 1, "exp": (now + valid_for).as_second(),
        });
        let head = json!({ "alg": "RS256", "typ": "JWT", "kid": KEY_ID });
        let [head, claims] = [head, claims].map(|part| BASE64URL_NOPAD.encode(part.to_string().as_bytes()));
        let content = format!("{head}.{claims}");
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), content.as_bytes(), &mut signature).map_err(key_error)?;
        Ok(format!("{content}.{}", BASE64URL_NOPAD.encode(&signature)))
    }

    /// Deletes the issuer's documents.
    pub(crate) async fn close(self, cloud: &Cloud) -> Result<()> {
        for name in [DISCOVERY, KEYS] {
            cloud.s3.delete_object().bucket(&self.bucket).key(name).send().await?;
        }
        cloud.s3.delete_bucket().bucket(&self.bucket).send().await?;
        Ok(())
    }
}

fn new_key() -> Result<KeyPair> {
    KeyPair::generate(KeySize::Rsa2048).map_err(key_error)
}

fn key_error(_: Unspecified) -> anyhow::Error {
    anyhow!("the RSA key could not be generated or used")
}
