//! An issuer of tokens, as `OpenID` Connect has them. Its documents lie in a bucket that
//! anybody can read, where many an issuer has them, and its key is the story's.
//! <https://openid.net/specs/openid-connect-discovery-1_0.html>

use anyhow::{Context, Result, anyhow};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use data_encoding::BASE64URL_NOPAD;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::Cloud;
use uuid::Uuid;

/// Where an issuer's description is, from itself.
const DISCOVERY: &str = ".well-known/openid-configuration";
/// Where its keys are.
const KEYS: &str = "keys.json";
/// The name of its key.
const KEY_ID: &str = "key-1";
/// Where the modulus of a key of 2048 bits begins in its DER, and where it ends: <https://www.rfc-editor.org/rfc/rfc8017#appendix-A.1.1>
const MODULUS: std::ops::Range<usize> = 9..265;

/// An issuer whom a gateway can ask for its keys.
pub(crate) struct Issuer {
    /// Its name, which is where it is.
    pub(crate) url: String,
    bucket: String,
    key: KeyPair,
}

impl Issuer {
    /// Opens an issuer that nobody knows yet.
    pub(crate) async fn open(cloud: &Cloud) -> Result<Self> {
        let bucket = format!("issuer-{}", Uuid::new_v4().simple());
        let issuer = Self { url: format!("{}/{bucket}", cloud.contract.endpoint), key: key()?, bucket };
        let bucket = issuer.bucket.as_str();
        cloud.s3.create_bucket().bucket(bucket).send().await?;
        cloud.s3.delete_public_access_block().bucket(bucket).send().await?;
        let everybody = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{bucket}/*"),
        }] });
        cloud.s3.put_bucket_policy().bucket(bucket).policy(everybody.to_string()).send().await?;
        let about = json!({ "issuer": issuer.url, "jwks_uri": format!("{}/{KEYS}", issuer.url) });
        for (name, document) in [(DISCOVERY, about), (KEYS, json!({ "keys": [issuer.public_key()?] }))] {
            let put = cloud.s3.put_object().bucket(bucket).key(name).content_type("application/json");
            put.body(document.to_string().into_bytes().into()).send().await?;
        }
        Ok(issuer)
    }

    /// The key as those who check tokens read it: <https://www.rfc-editor.org/rfc/rfc7517>
    fn public_key(&self) -> Result<Value> {
        let modulus = self.key.public_key().as_ref().get(MODULUS).context("the key has another length")?;
        let modulus = BASE64URL_NOPAD.encode(modulus);
        Ok(json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, "n": modulus, "e": "AQAB" }))
    }

    /// A token for somebody, which runs out after so long.
    pub(crate) fn token(&self, audience: &str, lasts: SignedDuration) -> Result<String> {
        self.signed(&self.key, audience, lasts)
    }

    /// A token that this issuer did not sign, though it says so.
    pub(crate) fn forged(&self, audience: &str, lasts: SignedDuration) -> Result<String> {
        self.signed(&key()?, audience, lasts)
    }

    fn signed(&self, key: &KeyPair, audience: &str, lasts: SignedDuration) -> Result<String> {
        let now = runtime::clock::now();
        let claims = json!({
            "iss": self.url, "aud": audience, "sub": "somebody", "iat": now.as_second() - 1, "exp": (now + lasts).as_second(),
        });
        let head = json!({ "alg": "RS256", "typ": "JWT", "kid": KEY_ID });
        let [head, claims] = [head, claims].map(|part| BASE64URL_NOPAD.encode(part.to_string().as_bytes()));
        let said = format!("{head}.{claims}");
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), said.as_bytes(), &mut signature).map_err(unspecified)?;
        Ok(format!("{said}.{}", BASE64URL_NOPAD.encode(&signature)))
    }

    /// Takes the issuer away.
    pub(crate) async fn close(self, cloud: &Cloud) -> Result<()> {
        for name in [DISCOVERY, KEYS] {
            cloud.s3.delete_object().bucket(&self.bucket).key(name).send().await?;
        }
        cloud.s3.delete_bucket().bucket(&self.bucket).send().await?;
        Ok(())
    }
}

fn key() -> Result<KeyPair> {
    KeyPair::generate(KeySize::Rsa2048).map_err(unspecified)
}

fn unspecified(_: Unspecified) -> anyhow::Error {
    anyhow!("the key does not do what keys do")
}
