//! The signature of a webhook: `t=<seconds>,s=<hex>`, where `s` is the
//! HMAC-SHA256 of `<t>.<body>` under the app's secret.
//! <https://developers.tiktok.com/doc/webhooks-verification>

use data_encoding::HEXLOWER_PERMISSIVE;
use domain::secret::{ExposeSecret, SecretString};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;

/// How long after its time a signature is taken. TikTok repeats for 72 hours and
/// does not say whether it signs anew each time, so a narrower window could
/// refuse TikTok for three days. It costs nothing: a webhook that is sent again,
/// by whomever, changes nothing that the first did not.
const AGE: SignedDuration = SignedDuration::from_secs(72 * 3600 + 600);
/// How far TikTok's clock may be ahead of ours.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// Why a signature proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is none.
    #[error("it has no signature")]
    Missing,
    /// It is not `t=<seconds>,s=<hex>`.
    #[error("its signature cannot be read")]
    Malformed,
    /// No secret of the app makes it of these bytes.
    #[error("its signature is not TikTok's")]
    InvalidSignature,
    /// It is older than TikTok goes on repeating.
    #[error("its signature is too old")]
    TimestampTooOld,
    /// It is of a time that has not come.
    #[error("its signature is of the future")]
    TimestampInFuture,
}

/// Verifies a signature, and tells when it was made.
pub(super) fn verify(
    secrets: &[&SecretString],
    signature: Option<&str>,
    body: &[u8],
    now: Timestamp,
) -> Result<Timestamp, SignatureError> {
    let signature = signature.ok_or(SignatureError::Missing)?;
    let (time, mac) = parts(signature).ok_or(SignatureError::Malformed)?;
    let mac = HEXLOWER_PERMISSIVE.decode(mac.as_bytes()).map_err(|_| SignatureError::Malformed)?;
    let seconds = time.parse().map_err(|_| SignatureError::Malformed)?;
    let signed_at = Timestamp::from_second(seconds).map_err(|_| SignatureError::Malformed)?;
    if !secrets.iter().any(|secret| is_made_by(secret, time, body, &mac)) {
        return Err(SignatureError::InvalidSignature);
    }
    match now.duration_since(signed_at) {
        age if age > AGE => Err(SignatureError::TimestampTooOld),
        age if age < -AHEAD => Err(SignatureError::TimestampInFuture),
        _ => Ok(signed_at),
    }
}

/// Compares in constant time.
fn is_made_by(secret: &SecretString, time: &str, body: &[u8], mac: &[u8]) -> bool {
    let Ok(mut made) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else { return false };
    made.update(time.as_bytes());
    made.update(b".");
    made.update(body);
    made.verify_slice(mac).is_ok()
}

/// The time and the code, each of which is there once. What else there is, is
/// not known here.
fn parts(signature: &str) -> Option<(&str, &str)> {
    let once = |name: &str| {
        let mut named = signature.split(',').filter_map(|part| part.trim().split_once('=')).filter(|(n, _)| *n == name);
        named.next().filter(|_| named.next().is_none()).map(|(_, value)| value)
    };
    Some((once("t")?, once("s")?))
}
