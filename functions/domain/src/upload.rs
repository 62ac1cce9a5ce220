//! An upload under way: TikTok's ticket for it, and how far it has come.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::chunk::{Chunk, ChunkPlan};
use crate::identity::PublishId;
use crate::rate::Rate;
use crate::secret::Sealed;

/// How long an upload URL lives; the whole upload must end within it.
/// <https://developers.tiktok.com/doc/content-posting-api-reference-direct-post>
pub const URL_LIFETIME: Duration = Duration::from_hours(1);
/// The time in which an upload ends that is sure to end within its URL's life.
const GOOD_TIME: Duration = Duration::from_mins(45);
/// How long after the URL's end an unfinished publish is given up: clocks differ.
pub const URL_MARGIN: Duration = Duration::from_mins(10);

/// What an init gave, and what became of it so far.
///
/// The offset of an accepted chunk is stored while the next one is on its way,
/// but no more often than once a second; [`LastChunk::MayBeSent`] before the
/// first byte of the last chunk. So what is stored bounds what can have happened:
/// TikTok has what is stored, and at most what it takes in a second, one chunk,
/// and a part of another more, none of which is the last. The mark does not follow the
/// offset: TikTok may name an earlier position after it has taken every byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// TikTok's id of the publish.
    pub publish_id: PublishId,
    /// Where the bytes go; a secret, sealed.
    pub url: Sealed,
    /// When TikTok gave it.
    pub issued_at: Timestamp,
    /// How the video is cut.
    pub plan: ChunkPlan,
    /// How many bytes TikTok is known to have accepted: a boundary of the plan.
    pub offset: u64,
    /// Whether the last chunk may have left.
    pub last_chunk: LastChunk,
    /// How fast TikTok takes its bytes, once a chunk was measured.
    pub rate: Option<Rate>,
}

/// Whether the last chunk of an upload may have left: the point of no return.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LastChunk {
    /// It cannot have.
    NotSent,
    /// It may have; TikTok may publish.
    MayBeSent,
}

impl Upload {
    /// The next chunk to send; none where all have been accepted.
    #[must_use]
    pub fn next_chunk(&self) -> Option<Chunk> {
        self.plan.chunk_at(self.offset)
    }

    /// How many bytes TikTok has not accepted yet.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.plan.size().bytes().saturating_sub(self.offset)
    }

    /// How long the rest will take, as far as that can be told.
    #[must_use]
    pub fn eta(&self) -> Option<Duration> {
        self.rate.map(|rate| rate.time_for(self.left()))
    }

    /// Tells whether TikTok may have every byte, so that it may publish.
    #[must_use]
    pub fn may_be_complete(&self) -> bool {
        self.last_chunk == LastChunk::MayBeSent
    }

    /// Tells whether bytes can still be sent: the URL lives for at least
    /// `needed` longer.
    #[must_use]
    pub fn can_send(&self, now: Timestamp, needed: Duration) -> bool {
        now + needed < self.issued_at + URL_LIFETIME
    }

    /// Tells whether it is worth sending the next chunk, which needs so long.
    ///
    /// It is not where the URL's end would cut that chunk off. Nor is it where,
    /// at the measured rate, the rest comes too late for this URL and the whole
    /// would be in good time for a new one: then every byte more is sent in vain.
    /// Where a new URL would not do either, the one that lives is used up: the
    /// rate may rise.
    #[must_use]
    pub fn is_worth_sending(&self, now: Timestamp, chunk_needs: Duration) -> bool {
        let too_late = self.eta().is_some_and(|rest| !self.can_send(now, rest));
        let whole = self.rate.map(|rate| rate.time_for(self.plan.size().bytes()));
        let anew_in_time = whole.is_some_and(|whole| whole <= GOOD_TIME);
        self.can_send(now, chunk_needs) && !(too_late && anew_in_time)
    }

    /// Tells whether the URL is dead on every clock.
    #[must_use]
    pub fn is_dead(&self, now: Timestamp) -> bool {
        now > self.issued_at + URL_LIFETIME + URL_MARGIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::ChunkCeiling;
    use crate::size::VideoSize;

    const NEEDED: Duration = Duration::from_secs(20);

    /// An upload of 1 GB of which so much is accepted, at so many bytes a second.
    fn upload(accepted: u64, rate: Option<u64>) -> Upload {
        let plan = ChunkPlan::new(VideoSize::new(1_000_000_000).unwrap(), ChunkCeiling::new(10_000_000).unwrap());
        Upload {
            publish_id: PublishId::new("v_pub_file~v2-1.1").unwrap(),
            url: Sealed::new(vec![1]),
            issued_at: Timestamp::UNIX_EPOCH,
            plan,
            offset: accepted,
            last_chunk: LastChunk::NotSent,
            rate: rate.map(Rate::new),
        }
    }

    fn after(minutes: u64) -> Timestamp {
        Timestamp::UNIX_EPOCH + Duration::from_mins(minutes)
    }

    #[test]
    fn what_is_left_and_how_long_it_takes_follow_from_the_rate() {
        assert_eq!(upload(400_000_000, None).eta(), None);
        let upload = upload(400_000_000, Some(2_000_000));
        assert_eq!((upload.left(), upload.eta()), (600_000_000, Some(Duration::from_mins(5))));
    }

    #[test]
    fn a_chunk_that_the_urls_end_would_cut_off_is_not_worth_sending() {
        assert!(upload(990_000_000, None).is_worth_sending(after(59), NEEDED));
        assert!(!upload(990_000_000, None).is_worth_sending(after(59), Duration::from_secs(61)));
        assert!(!upload(0, None).is_worth_sending(after(60), Duration::ZERO));
    }

    #[test]
    fn a_rest_that_comes_too_late_is_not_worth_sending_where_a_new_url_would_do() {
        // 1 GB takes 16 minutes 40 seconds: begun in the last quarter of an hour it is in vain.
        assert!(upload(0, Some(1_000_000)).is_worth_sending(after(43), NEEDED));
        assert!(!upload(0, Some(1_000_000)).is_worth_sending(after(44), NEEDED));
        assert!(upload(500_000_000, Some(1_000_000)).is_worth_sending(after(44), NEEDED));
    }

    #[test]
    fn where_a_new_url_would_not_do_either_the_one_that_lives_is_used_up() {
        // 1 GB takes 66 minutes 40 seconds.
        assert!(upload(0, Some(250_000)).is_worth_sending(after(1), NEEDED));
        assert!(upload(10_000_000, Some(250_000)).is_worth_sending(after(59), NEEDED));
        assert!(!upload(10_000_000, Some(250_000)).is_worth_sending(after(60), NEEDED));
    }
}
