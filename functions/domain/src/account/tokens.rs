//! A pair of tokens: how long each lives, and when the pair is exchanged.
//!
//! Lifetimes are TikTok's, as it stated them with the pair; nothing here knows
//! how long they usually are. Each margin is at most half of the lifetime that
//! it is taken from, so that no lifetime is too short to be used.
//! <https://developers.tiktok.com/doc/oauth-user-access-token-management>

use std::time::Duration;

use jiff::Timestamp;

use crate::secret::Sealed;

/// What an access token has to outlive to be used for a single call, and
/// whatever is asked about it soon after.
const CALL: Duration = Duration::from_mins(15);
/// What it has to outlive for an upload to be begun: the hour of the upload's
/// URL. The bytes need no token, but asking what became of them does.
const UPLOAD: Duration = Duration::from_hours(1);
/// How long before the end of its refresh token an idle pair is exchanged: two
/// weeks in which TikTok, AWS and an operator's mistakes may be mended.
const IDLE: Duration = Duration::from_hours(14 * 24);
/// The wait before an exchange that failed is tried again for an idle account.
const RENEW_AGAIN: Duration = Duration::from_hours(1);

/// What a token is wanted for, and so how long it must live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenUse {
    /// A call.
    Call,
    /// An upload from its init on, which may take an hour.
    Upload,
    /// Nothing now: the account is idle, and its refresh token must not run out.
    Renewal,
}

/// A pair of tokens, each sealed, with the lifetimes that TikTok gave them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenPair {
    /// What calls are made with.
    pub access: Sealed,
    /// When it ends.
    pub access_expires_at: Timestamp,
    /// What the next pair is had for; TikTok rotates it.
    pub refresh: Sealed,
    /// When it ends; then the user must connect again.
    pub refresh_expires_at: Timestamp,
    /// When TikTok granted the pair.
    pub granted_at: Timestamp,
    /// When the pair is exchanged although nobody needs it.
    pub renew_at: Timestamp,
}

impl TokenPair {
    /// Takes a pair that TikTok has granted for these lifetimes from now on.
    #[must_use]
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

    /// What is left of a pair that was forgotten: nothing that opens, at an end.
    #[must_use]
    pub fn forgotten(at: Timestamp) -> Self {
        let nothing = || (Sealed::new(Vec::new()), Duration::ZERO);
        Self::granted(nothing(), nothing(), at)
    }

    /// Tells whether the pair was forgotten.
    #[must_use]
    pub fn is_forgotten(&self) -> bool {
        self.access.ciphertext().is_empty() && self.refresh.ciphertext().is_empty()
    }

    /// When a pair of these times is exchanged although nobody needs it.
    #[must_use]
    pub fn renewal(granted_at: Timestamp, refresh_expires_at: Timestamp) -> Timestamp {
        before(refresh_expires_at, IDLE, between(granted_at, refresh_expires_at))
    }

    /// Tells whether the pair can be used as it is, or should be exchanged first.
    #[must_use]
    pub fn lasts(&self, need: TokenUse, now: Timestamp) -> bool {
        let lifetime = between(self.granted_at, self.access_expires_at);
        now < match need {
            TokenUse::Call => before(self.access_expires_at, CALL, lifetime),
            TokenUse::Upload => before(self.access_expires_at, UPLOAD, lifetime),
            TokenUse::Renewal => self.renew_at,
        }
    }

    /// Tells whether a call can be made with the access token although it should
    /// be exchanged: it lives for as long as this.
    #[must_use]
    pub fn lives_for(&self, time: Duration, now: Timestamp) -> bool {
        between(now, self.access_expires_at) > time
    }

    /// The pair, whose exchange is tried now: should that come to nothing, it is tried
    /// again in an hour where nobody needs it, or sooner where the refresh token ends
    /// sooner. So one that is never exchanged is not in the others' way.
    #[must_use]
    pub fn renewed_later(self, now: Timestamp) -> Self {
        if self.lasts(TokenUse::Renewal, now) {
            return self;
        }
        let wait = RENEW_AGAIN.min(between(now, self.refresh_expires_at) / 4);
        let renew_at = self.renew_at.max(now.checked_add(wait).unwrap_or(Timestamp::MAX));
        Self { renew_at, ..self }
    }
}

/// This long before an end, or half of the lifetime where that is less.
fn before(end: Timestamp, margin: Duration, lifetime: Duration) -> Timestamp {
    end.checked_sub(margin.min(lifetime / 2)).unwrap_or(Timestamp::MIN)
}

/// The time from one moment to a later one; none, where it is not later.
fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
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

    fn pair(access: u64, refresh: u64) -> TokenPair {
        let sealed = |byte| Sealed::new(vec![byte]);
        let (access, refresh) = (Duration::from_secs(access), Duration::from_secs(refresh));
        TokenPair::granted((sealed(1), access), (sealed(2), refresh), at(0))
    }

    /// The first second at which the pair does not last any more.
    fn lasts_until(pair: &TokenPair, need: TokenUse) -> u64 {
        (0..).step_by(30).find(|&second| !pair.lasts(need, at(second))).unwrap()
    }

    #[test]
    fn a_token_is_exchanged_a_quarter_of_an_hour_before_its_end_and_an_hour_before_an_upload() {
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
    fn a_fresh_pair_lasts_for_every_need_however_short_its_lifetimes_are() {
        for (access, refresh) in [(1, 1), (60, 30), (HOUR, DAY), (u64::MAX / 4, u64::MAX / 4)] {
            let pair = pair(access, refresh);
            for need in [TokenUse::Call, TokenUse::Upload, TokenUse::Renewal] {
                assert!(pair.lasts(need, at(0)), "{access} s, {refresh} s: {need:?}");
            }
        }
    }

    #[test]
    fn an_idle_pair_is_exchanged_two_weeks_before_its_end_or_at_half_its_life() {
        for (refresh, renewal) in [(365 * DAY, 351 * DAY), (180 * DAY, 166 * DAY), (DAY, 12 * HOUR)] {
            assert_eq!(pair(HOUR, refresh).renew_at, at(renewal));
        }
    }

    #[test]
    fn an_exchange_that_failed_is_tried_again_before_the_refresh_token_ends() {
        let pair = pair(HOUR, DAY);
        assert_eq!(pair.clone().renewed_later(at(12 * HOUR)).renew_at, at(13 * HOUR));
        assert_eq!(pair.clone().renewed_later(at(DAY - 4 * MINUTE)).renew_at, at(DAY - 3 * MINUTE));
        for not_due in [0, 12 * HOUR - 1] {
            assert_eq!(pair.clone().renewed_later(at(not_due)), pair, "one that is not due stays as it is");
        }
    }
}
