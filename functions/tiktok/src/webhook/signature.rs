//! The verification of a webhook's signature: `t=<seconds>,s=<hex>`, where `s` is the HMAC-SHA256 of `<t>.<body>` with
//! the app's secret as the key. <https://developers.tiktok.com/doc/webhooks-verification>

use data_encoding::HEXLOWER_PERMISSIVE;
use domain::secret::{ExposeSecret, SecretString};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;

/// How old a signature may be: 72 hours and 10 minutes.
///
/// TikTok retries for 72 hours and does not say whether it signs each retry anew, so a shorter limit could reject
/// TikTok's retries for three days. The long limit is safe: a webhook that is sent again, by TikTok or by an
/// attacker, changes nothing that the first one did not.
const MAX_AGE: SignedDuration = SignedDuration::from_secs(72 * 3600 + 600);
/// How far TikTok's clock may be ahead of ours.
const MAX_CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Why a signature is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The request has no signature.
    #[error("the request has no signature")]
    Missing,
    /// The signature is not `t=<seconds>,s=<hex>`.
    #[error("the signature is malformed")]
    Malformed,
    /// None of the app's secrets produces this signature for this body.
    #[error("the signature does not match the body")]
    InvalidSignature,
    /// The signature is older than TikTok's last retry can be.
    #[error("the signature is too old")]
    TimestampTooOld,
    /// The signature's time is in the future.
    #[error("the signature's time is in the future")]
    TimestampInFuture,
}

/// Verifies a signature and returns the time at which it was made.
pub(super) fn verify(
    secrets: &[&SecretString],
    signature: Option<&str>,
    body: &[u8],
    now: Timestamp,
) -> Result<Timestamp, SignatureError> {
    let signature = signature.ok_or(SignatureError::Missing)?;
    let (time, mac) = time_and_mac(signature).ok_or(SignatureError::Malformed)?;
    let mac = HEXLOWER_PERMISSIVE.decode(mac.as_bytes()).map_err(|_| SignatureError::Malformed)?;
    let seconds = time.parse().map_err(|_| SignatureError::Malformed)?;
    let signed_at = Timestamp::from_second(seconds).map_err(|_| SignatureError::Malformed)?;
    if !secrets.iter().any(|secret| is_valid_mac(secret, time, body, &mac)) {
        return Err(SignatureError::InvalidSignature);
    }
    match now.duration_since(signed_at) {
        age if age > MAX_AGE => Err(SignatureError::TimestampTooOld),
        age if age < -MAX_CLOCK_SKEW => Err(SignatureError::TimestampInFuture),
        _ => Ok(signed_at),
    }
}

/// Compares in constant time.
fn is_valid_mac(secret: &SecretString, time: &str, body: &[u8], mac: &[u8]) -> bool {
    let Ok(mut expected) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else { return false };
    expected.update(time.as_bytes());
    expected.update(b".");
    expected.update(body);
    expected.verify_slice(mac).is_ok()
}

/// Returns the values of `t` and `s`, each of which must occur exactly once. Other fields are ignored.
fn time_and_mac(signature: &str) -> Option<(&str, &str)> {
    let single = |name: &str| {
        let mut values =
            signature.split(',').filter_map(|field| field.trim().split_once('=')).filter(|(n, _)| *n == name);
        values.next().filter(|_| values.next().is_none()).map(|(_, value)| value)
    };
    Some((single("t")?, single("s")?))
}
