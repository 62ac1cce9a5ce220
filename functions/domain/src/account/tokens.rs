//! An account's access token and refresh token: how long each is used, and when the pair is refreshed.
//!
//! TikTok states the lifetimes with each pair, and no usual lifetime is assumed. Each margin is at most half of its
//! token's lifetime, so that a token with any lifetime can be used. Lifetimes: [TikTok's token management
//! page](https://developers.tiktok.com/doc/oauth-user-access-token-management).

use std::time::Duration;

use jiff::Timestamp;

use crate::polling::elapsed;
use crate::secret::Sealed;

/// The minimum remaining lifetime of the access token for a call and the calls that follow it.
const CALL_MARGIN: Duration = Duration::from_mins(15);
/// The minimum remaining lifetime of the access token to begin an upload. The upload URL is valid for one hour.
/// Chunks need no token, but the poll for the upload's status does.
const UPLOAD_MARGIN: Duration = Duration::from_hours(1);
/// How long before the end of its refresh token an idle account's pair is refreshed. In these two weeks, TikTok, AWS
/// or the operator can solve a problem.
const IDLE_MARGIN: Duration = Duration::from_hours(14 * 24);
/// The wait before an idle account's refresh that failed is retried.
const IDLE_RETRY_DELAY: Duration = Duration::from_hours(1);

/// The purpose for which an access token is needed. It determines the remaining lifetime that the token must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenUse {
    /// A call.
    Call,
    /// An upload from its init on. It can take one hour.
    Upload,
    /// No call: the account is idle, and its refresh token must not expire.
    Renewal,
}

/// An access token and its refresh token, both sealed, with their lifetimes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenPair {
    /// The access token, which calls send to TikTok.
    pub access: Sealed,
    /// The end of the access token.
    pub access_expires_at: Timestamp,
    /// The refresh token, which is exchanged for the next pair. TikTok can replace it.
    pub refresh: Sealed,
    /// The end of the refresh token. After it, the user must connect the account again.
    pub refresh_expires_at: Timestamp,
    /// When TikTok issued the pair.
    pub granted_at: Timestamp,
    /// When the pair is refreshed if the account is idle.
    pub renew_at: Timestamp,
}

impl TokenPair {
    /// Creates a pair that TikTok issued at `now`. Each token comes with its lifetime.
    pub fn granted(access: (Sealed, Duration), refresh: (Sealed, Duration), now: Timestamp) -> Self {
        let end = |lifetime: Duration| now.checked_add(lifetime).unwrap_or(Timestamp::MAX);
        let refresh_expires_at = end(refresh.1);
        Self {
            access: access.0,
            access_expires_at: end(access.1),
            refresh: refresh.0,
            refresh_expires_at,
            granted_at: now,
            renew_at: Self::renewal(now, refresh_expires_at),
        }
    }

    /// Creates the pair of a disconnected account. Its tokens are empty and expired.
    pub fn forgotten(at: Timestamp) -> Self {
        let empty = || (Sealed::new(Vec::new()), Duration::ZERO);
        Self::granted(empty(), empty(), at)
    }

    /// Tells whether the pair is that of a disconnected account.
    pub fn is_forgotten(&self) -> bool {
        self.access.ciphertext().is_empty() && self.refresh.ciphertext().is_empty()
    }

    /// Returns when a pair is refreshed if the account is idle: two weeks before its refresh token expires, or after
    /// half of the refresh token's lifetime if that is later.
    pub fn renewal(granted_at: Timestamp, refresh_expires_at: Timestamp) -> Timestamp {
        before(refresh_expires_at, IDLE_MARGIN, elapsed(granted_at, refresh_expires_at))
    }

    /// Tells whether the pair can be used for this purpose without a refresh.
    pub fn lasts(&self, token_use: TokenUse, now: Timestamp) -> bool {
        let lifetime = elapsed(self.granted_at, self.access_expires_at);
        now < match token_use {
            TokenUse::Call => before(self.access_expires_at, CALL_MARGIN, lifetime),
            TokenUse::Upload => before(self.access_expires_at, UPLOAD_MARGIN, lifetime),
            TokenUse::Renewal => self.renew_at,
        }
    }

    /// Tells whether the access token expires later than `time` from now. A call can use it even if the pair is due
    /// for a refresh.
    pub fn lives_for(&self, time: Duration, now: Timestamp) -> bool {
        elapsed(now, self.access_expires_at) > time
    }

    /// Returns the pair with its `renew_at` postponed if it is due. Called when a refresh begins.
    ///
    /// If the refresh fails and no call needs the token, the next refresh is one hour later, or after a quarter of
    /// the refresh token's remaining lifetime if that is sooner. An account that can never be refreshed therefore
    /// does not delay the other idle accounts.
    #[must_use]
    pub fn renewed_later(self, now: Timestamp) -> Self {
        if self.lasts(TokenUse::Renewal, now) {
            return self;
        }
        let delay = IDLE_RETRY_DELAY.min(elapsed(now, self.refresh_expires_at) / 4);
        let renew_at = self.renew_at.max(now.checked_add(delay).unwrap_or(Timestamp::MAX));
        Self { renew_at, ..self }
    }
}

/// Returns the time that is `margin` before `end`, or half of `lifetime` if that is less.
fn before(end: Timestamp, margin: Duration, lifetime: Duration) -> Timestamp {
    end.checked_sub(margin.min(lifetime / 2)).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// Returns a pair whose tokens live for these numbers of seconds.
    fn pair(access: u64, refresh: u64) -> TokenPair {
        let sealed = |byte| Sealed::new(vec![byte]);
        let (access, refresh) = (Duration::from_secs(access), Duration::from_secs(refresh));
        TokenPair::granted((sealed(1), access), (sealed(2), refresh), at(0))
    }

    /// Returns the second at which the pair must be refreshed, rounded up to 30 seconds.
    fn lasts_until(pair: &TokenPair, token_use: TokenUse) -> u64 {
        (0..).step_by(30).find(|&second| !pair.lasts(token_use, at(second))).unwrap()
    }

    #[test]
    fn token_is_refreshed_earlier_for_upload_than_for_call() {
        // 15 minutes before the end for a call and one hour for an upload, or half of the lifetime.
        for (access, call, upload) in [
            (24 * HOUR, 24 * HOUR - 15 * MINUTE, 23 * HOUR),
            (2 * HOUR, 105 * MINUTE, HOUR),
            (20 * MINUTE, 10 * MINUTE, 10 * MINUTE),
        ] {
            let pair = pair(access, 180 * DAY);
            assert_eq!(
                (lasts_until(&pair, TokenUse::Call), lasts_until(&pair, TokenUse::Upload)),
                (call, upload),
                "{access} s"
            );
        }
    }

    #[test]
    fn new_pair_is_usable_with_any_lifetime() {
        for (access, refresh) in [(1, 1), (60, 30), (HOUR, DAY), (u64::MAX / 4, u64::MAX / 4)] {
            let pair = pair(access, refresh);
            for token_use in [TokenUse::Call, TokenUse::Upload, TokenUse::Renewal] {
                assert!(pair.lasts(token_use, at(0)), "{access} s, {refresh} s: {token_use:?}");
            }
        }
    }

    #[test]
    fn idle_pair_is_refreshed_two_weeks_before_expiry() {
        // Or after half of the refresh token's lifetime, if that is later.
        for (refresh, renewal) in [(365 * DAY, 351 * DAY), (180 * DAY, 166 * DAY), (DAY, 12 * HOUR)] {
            assert_eq!(pair(HOUR, refresh).renew_at, at(renewal));
        }
    }

    #[test]
    fn failed_refresh_is_retried_before_refresh_token_expires() {
        let pair = pair(HOUR, DAY);
        assert_eq!(pair.clone().renewed_later(at(12 * HOUR)).renew_at, at(13 * HOUR));
        assert_eq!(pair.clone().renewed_later(at(DAY - 4 * MINUTE)).renew_at, at(DAY - 3 * MINUTE));
        for not_due in [0, 12 * HOUR - 1] {
            assert_eq!(pair.clone().renewed_later(at(not_due)), pair, "a pair that is not due does not change");
        }
    }
}
