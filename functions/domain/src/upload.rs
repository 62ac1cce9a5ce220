//! An unfinished upload: TikTok's upload URL, and how much was sent.

use std::time::Duration;

use jiff::Timestamp;

use crate::chunk::{Chunk, ChunkPlan};
use crate::identity::PublishId;
use crate::macros::named_enum;
use crate::rate::Rate;
use crate::secret::Sealed;

/// How long an upload URL is valid. The whole upload must end within it.
/// <https://developers.tiktok.com/doc/content-posting-api-reference-direct-post>
pub const URL_LIFETIME: Duration = Duration::from_hours(1);
/// An upload that takes at most this long ends within the URL's lifetime with a margin.
const SAFE_UPLOAD_TIME: Duration = Duration::from_mins(45);
/// After this time beyond its lifetime, a URL has certainly expired by TikTok's clock too.
pub const URL_MARGIN: Duration = Duration::from_mins(10);

/// An upload that TikTok has granted.
///
/// What is stored of it bounds what can have happened:
///
/// - `offset` is stored while the next chunk is sent, but at most once per second. So TikTok has at least `offset`
///   bytes. It can have more: what it accepts within a second, one chunk, and a part of another chunk. None of these
///   is the last chunk.
/// - [`LastChunk::MayBeSent`] is stored before the first byte of the last chunk is sent. It is kept even if `offset`
///   decreases: TikTok may report an earlier position after it has every byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// TikTok's id of the publish.
    pub publish_id: PublishId,
    /// The upload URL, which is a secret.
    pub url: Sealed,
    /// When TikTok issued the URL.
    pub issued_at: Timestamp,
    /// How the video is divided into chunks.
    pub plan: ChunkPlan,
    /// How many bytes TikTok is known to have accepted: a chunk boundary.
    pub offset: u64,
    /// Whether the last chunk may have been sent.
    pub last_chunk: LastChunk,
    /// The measured upload rate, once a chunk was sent.
    pub rate: Option<Rate>,
}

named_enum! {
    /// Whether the last chunk of an upload may have been sent. [`LastChunk::MayBeSent`] is the commit mark.
    pub enum LastChunk {
        /// It was not sent, or TikTok rejected it.
        NotSent = "not_sent",
        /// It may have been sent, so TikTok may publish.
        MayBeSent = "may_be_sent",
    }
}

impl Upload {
    /// The next chunk to send; `None` if all were accepted.
    pub fn next_chunk(&self) -> Option<Chunk> {
        self.plan.chunk_at(self.offset)
    }

    /// How many bytes TikTok has not accepted yet.
    pub fn bytes_left(&self) -> u64 {
        self.plan.size().bytes().saturating_sub(self.offset)
    }

    /// How long the remaining bytes take at the measured rate.
    pub fn eta(&self) -> Option<Duration> {
        self.rate.map(|rate| rate.time_for(self.bytes_left()))
    }

    /// Tells whether TikTok may have every byte, so that it may publish. Every transition that could lead to a second
    /// upload, a failure or a cancellation must check this first.
    pub fn may_be_complete(&self) -> bool {
        self.last_chunk == LastChunk::MayBeSent
    }

    /// Tells whether the URL stays valid for longer than `needed`.
    pub fn can_send(&self, now: Timestamp, needed: Duration) -> bool {
        now + needed < self.issued_at + URL_LIFETIME
    }

    /// Tells whether to send the next chunk, which takes `chunk_needs`, to this URL.
    ///
    /// Sending is not worthwhile in two cases:
    ///
    /// - The URL expires before the chunk is sent.
    /// - At the measured rate, the URL expires before the remaining bytes are sent, and the whole video fits into a
    ///   new URL's lifetime. Then every further byte is wasted. If a new URL would expire too, this one is used to
    ///   its end, because the rate may rise.
    pub fn is_worth_sending(&self, now: Timestamp, chunk_needs: Duration) -> bool {
        let too_late = self.eta().is_some_and(|eta| !self.can_send(now, eta));
        let whole = self.rate.map(|rate| rate.time_for(self.plan.size().bytes()));
        let fits_new_url = whole.is_some_and(|whole| whole <= SAFE_UPLOAD_TIME);
        self.can_send(now, chunk_needs) && !(too_late && fits_new_url)
    }

    /// Tells whether TikTok accepts no further byte of the upload, by every clock. `last_sent_at` is when the worker
    /// stopped sending: TikTok may check the expiry only when a request begins, so a request can end later.
    pub fn is_dead(&self, last_sent_at: Timestamp, now: Timestamp) -> bool {
        now > (self.issued_at + URL_LIFETIME).max(last_sent_at) + URL_MARGIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::ChunkCeiling;
    use crate::size::VideoSize;

    const NEEDED: Duration = Duration::from_secs(20);

    /// An upload of 1 GB, of which `accepted` bytes are accepted, at `rate` bytes per second.
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
    fn eta_follows_from_remaining_bytes_and_rate() {
        assert_eq!(upload(400_000_000, None).eta(), None);
        let upload = upload(400_000_000, Some(2_000_000));
        assert_eq!((upload.bytes_left(), upload.eta()), (600_000_000, Some(Duration::from_mins(5))));
    }

    #[test]
    fn chunk_that_outlives_url_is_not_worth_sending() {
        assert!(upload(990_000_000, None).is_worth_sending(after(59), NEEDED));
        assert!(!upload(990_000_000, None).is_worth_sending(after(59), Duration::from_secs(61)));
        assert!(!upload(0, None).is_worth_sending(after(60), Duration::ZERO));
    }

    #[test]
    fn late_upload_is_not_worth_sending_if_new_url_suffices() {
        // 1 GB takes 16 minutes 40 seconds: from 43 minutes 20 seconds on it cannot end within the URL's hour.
        assert!(upload(0, Some(1_000_000)).is_worth_sending(after(43), NEEDED));
        assert!(!upload(0, Some(1_000_000)).is_worth_sending(after(44), NEEDED));
        assert!(upload(500_000_000, Some(1_000_000)).is_worth_sending(after(44), NEEDED));
    }

    #[test]
    fn upload_is_dead_only_a_margin_after_url_and_last_byte() {
        let upload = upload(0, None);
        assert!(!upload.is_dead(after(5), after(70)));
        assert!(upload.is_dead(after(5), after(71)));
        assert!(!upload.is_dead(after(75), after(85)), "a PUT that began in time ended late");
        assert!(upload.is_dead(after(75), after(86)));
    }

    #[test]
    fn slow_upload_uses_url_until_it_expires() {
        // 1 GB takes 66 minutes 40 seconds, so a new URL would expire too.
        assert!(upload(0, Some(250_000)).is_worth_sending(after(1), NEEDED));
        assert!(upload(10_000_000, Some(250_000)).is_worth_sending(after(59), NEEDED));
        assert!(!upload(10_000_000, Some(250_000)).is_worth_sending(after(60), NEEDED));
    }
}
