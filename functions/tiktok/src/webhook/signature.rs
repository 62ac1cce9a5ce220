//! The verification of a webhook's signature: `t=<seconds>,s=<hex>`, where `s` is the HMAC-SHA256 of `<t>.<body>` with the
//! app's secret as the key. A header may have several signatures, for example while TikTok rotates the secret; one valid
//! signature is enough. <https://developers.tiktok.com/doc/webhooks-verification>

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
/// The maximum number of signatures that are checked. It bounds the work that an unsigned request can cause.
const MAX_SIGNATURES: usize = 8;
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
    let mut error = SignatureError::Malformed;
    for (time, mac) in times_and_macs(signature).take(MAX_SIGNATURES) {
        match verify_one(secrets, (time, mac), body, now) {
            Ok(signed_at) => return Ok(signed_at),
            // The error of a signature that matches the body says more than that of one that does not.
            Err(why) if is_more_specific(why, error) => error = why,
            Err(_) => {}
        }
    }
    Err(error)
}

fn verify_one(
    secrets: &[&SecretString],
    (time, mac): (&str, &str),
    body: &[u8],
    now: Timestamp,
) -> Result<Timestamp, SignatureError> {
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

/// Tells whether `new` describes a signature that got further than the one that `known` describes.
fn is_more_specific(new: SignatureError, known: SignatureError) -> bool {
    let rank = |error| match error {
        SignatureError::Missing | SignatureError::Malformed => 0,
        SignatureError::InvalidSignature => 1,
        SignatureError::TimestampTooOld | SignatureError::TimestampInFuture => 2,
    };
    rank(new) > rank(known)
}

/// Compares in constant time.
fn is_valid_mac(secret: &SecretString, time: &str, body: &[u8], mac: &[u8]) -> bool {
    let Ok(mut expected) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else { return false };
    expected.update(time.as_bytes());
    expected.update(b".");
    expected.update(body);
    expected.verify_slice(mac).is_ok()
}

/// Returns each signature `s` with its time: the last `t` before it, or else the first one after it. Other fields are
/// ignored.
fn times_and_macs(signature: &str) -> impl Iterator<Item = (&str, &str)> {
    let fields = || signature.split(',').filter_map(|field| field.trim().split_once('='));
    let mut time = fields().find(|(name, _)| *name == "t").map(|(_, time)| time);
    fields().filter_map(move |(name, value)| match name {
        "t" => {
            time = Some(value);
            None
        }
        "s" => Some((time?, value)),
        _ => None,
    })
}
