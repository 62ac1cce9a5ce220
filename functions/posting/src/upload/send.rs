//! Sending: one chunk after the other from the bucket to TikTok, the bucket
//! being read ahead meanwhile.

use std::time::Duration;

use domain::chunk::{Chunk, ChunkPlan};
use domain::failure::backoff;
use domain::secret::Sealed;
use domain::upload::Upload;
use storage::{BrokeOff, EncryptionContext, ObjectError, Purpose, ReadAhead};
use tiktok::{ChunkOutcome, SourceFault, UploadUrl};

use super::react::Next;
use super::{LeasedPost, Progress, ThroughputEstimate, URL_NEEDED};
use crate::exit::Exit;
use crate::posting::Posting;

/// How often one chunk is sent again at once, before the post waits.
const TRIES: u32 = 4;

/// What outlives a chunk while one invocation sends a post's video.
#[derive(Debug, Default)]
pub(crate) struct Sending {
    /// The video, from the first chunk that is sent on.
    video: Option<ReadAhead>,
    /// Where the bytes go, opened at most once: the sealed URL, and the same in the clear.
    url: Option<(Sealed, UploadUrl)>,
    pub(super) pace: ThroughputEstimate,
}

impl Sending {
    /// Has the video read from an offset on, before anybody takes a chunk of it.
    pub(super) fn read_from(&mut self, offset: u64, open: impl FnOnce() -> ReadAhead) {
        self.video.get_or_insert_with(open).begin(offset);
    }

    /// Takes down where an upload's bytes go, as TikTok said it in the clear.
    pub(super) fn opened(&mut self, upload: &Upload, url: UploadUrl) {
        self.url = Some((upload.url.clone(), url));
    }
}

impl Posting {
    /// Sends the next chunk, again where TikTok asks for it, and notes what
    /// TikTok has: that is stored while the chunk behind it is on its way, if the
    /// last write is not just over.
    pub(super) async fn send(
        &self,
        leased: &mut LeasedPost<'_>,
        upload: &Upload,
        sending: &mut Sending,
    ) -> Result<Progress, Exit> {
        let url = &self.url_of(leased, upload, sending).await?;
        let mut tries = 0;
        loop {
            let upload = under_way(leased)?;
            let Some(chunk) = upload.next_chunk() else {
                return Err(Exit::Sent);
            };
            sending.pace.recall(upload.rate);
            self.in_time(leased, &upload, chunk, &sending.pace).await?;
            let (outcome, time) = self.try_once(leased, url, &upload, chunk, sending).await?;
            if matches!(outcome, ChunkOutcome::Accepted { .. } | ChunkOutcome::Complete) {
                sending.pace.sent(chunk.len, time);
            }
            match self.react(leased, chunk, outcome, &sending.pace).await? {
                Next::Rest(progress) => return Ok(progress),
                Next::Again(wait) => {
                    tries += 1;
                    if tries >= TRIES {
                        let message = "TikTok's upload server refuses the chunk for now";
                        return Err(Exit::defer("upload_refused", message, wait));
                    }
                    tokio::time::sleep(wait.min(Duration::from_secs(30)).max(backoff(tries) / 4)).await;
                }
            }
        }
    }

    async fn url_of(&self, leased: &LeasedPost<'_>, upload: &Upload, sending: &mut Sending) -> Result<UploadUrl, Exit> {
        if let Some((_, url)) = sending.url.as_ref().filter(|(sealed, _)| *sealed == upload.url) {
            return Ok(url.clone());
        }
        let context = EncryptionContext::new(Purpose::UploadUrl, &leased.post().account);
        let url = UploadUrl::restore(self.cipher.open(&context, &upload.url).await?);
        sending.opened(upload, url.clone());
        Ok(url)
    }

    /// Begins no chunk that the invocation or the URL would cut off, nor one
    /// that would be sent in vain.
    async fn in_time(
        &self,
        leased: &mut LeasedPost<'_>,
        upload: &Upload,
        chunk: Chunk,
        pace: &ThroughputEstimate,
    ) -> Result<(), Exit> {
        let now = self.now();
        pace.room_for(chunk.len, leased.worker(), now)?;
        if upload.is_worth_sending(now, pace.expected(chunk.len).max(URL_NEEDED)) {
            return Ok(());
        }
        if upload.may_be_complete() {
            return Err(Exit::Unconfirmed("the upload's hour is over".to_owned()));
        }
        self.begin_anew(leased, "the rest cannot be sent before its URL ends").await
    }

    /// Tries a chunk once. The last one is announced in the database before its
    /// first byte leaves; where TikTok, or the bucket, refused this first try of
    /// it, it was not sent after all.
    async fn try_once(
        &self,
        leased: &mut LeasedPost<'_>,
        url: &UploadUrl,
        upload: &Upload,
        chunk: Chunk,
        sending: &mut Sending,
    ) -> Result<(ChunkOutcome, Duration), Exit> {
        let first_try_of_last = chunk == upload.plan.last() && !upload.may_be_complete();
        if first_try_of_last {
            leased.save(leased.post().clone().commit(self.now())?).await?;
        }
        let size = upload.plan.size().bytes();
        let read_ahead = || self.objects.read_ahead(&leased.post().source, size, self.window);
        let video = sending.video.get_or_insert_with(read_ahead);
        let started = self.now();
        let tried = self.put(leased, url, &upload.plan, chunk, video).await;
        let time = Duration::try_from(self.now().duration_since(started)).unwrap_or_default();
        if first_try_of_last && tried.as_ref().map_or_else(is_of_the_source, was_refused) {
            leased.save(leased.post().clone().uncommit(self.now())?).await?;
        }
        match tried {
            Ok(outcome) => Ok((outcome, time)),
            Err(Broken::Off(stop)) => Err(stop),
            Err(Broken::Source(error)) => Err(unreadable(&under_way(leased)?, error)),
            Err(Broken::Late) => {
                sending.pace.cut_off(chunk.len, time);
                leased.checkpoint(leased.post().clone().progress(upload.offset, sending.pace.rate(), self.now())?);
                Err(Exit::Yield)
            }
        }
    }

    /// One PUT under the hold: what TikTok accepted before is stored meanwhile.
    /// Cut off at the deadline.
    async fn put(
        &self,
        leased: &mut LeasedPost<'_>,
        url: &UploadUrl,
        plan: &ChunkPlan,
        chunk: Chunk,
        video: &mut ReadAhead,
    ) -> Result<ChunkOutcome, Broken> {
        // A chunk that was tried for long may have outlived the lease.
        leased.renew_if_stale().await.map_err(Broken::Off)?;
        let Some(facts) = leased.post().video.clone() else {
            return Err(Broken::Off(Exit::Unconfirmed("the post has no video's facts".to_owned())));
        };
        let put = async {
            let mut body = video.chunk(chunk.first..chunk.end());
            // TikTok is not called before there is something to say.
            let outcome = match body.begun().await {
                Ok(()) => self.tiktok.put_chunk(url, facts.container.content_type(), plan, chunk, body).await,
                Err(BrokeOff) => ChunkOutcome::SourceFailed(SourceFault::Erred),
            };
            video.take_failure().map_or(Ok(outcome), |error| Err(Broken::Source(error)))
        };
        let left = Duration::try_from(leased.worker().deadline.duration_since(self.now())).unwrap_or_default();
        match leased.run_renewing(Box::pin(tokio::time::timeout(left, put))).await {
            Ok(ended) => ended.unwrap_or(Err(Broken::Late)),
            Err(stop) => Err(Broken::Off(stop)),
        }
    }
}

/// The upload of a post that is being sent.
pub(super) fn under_way(leased: &LeasedPost<'_>) -> Result<Upload, Exit> {
    leased.post().upload().cloned().ok_or_else(|| Exit::Unconfirmed("the post has no upload".to_owned()))
}

/// Why a PUT came to no outcome.
enum Broken {
    /// The bucket failed in the middle, so TikTok did not get the chunk whole.
    Source(ObjectError),
    /// The invocation is about to end.
    Late,
    /// It was broken off, since the post cannot be held.
    Off(Exit),
}

fn is_of_the_source(broken: &Broken) -> bool {
    matches!(broken, Broken::Source(_))
}

/// Tells whether a chunk surely was not taken.
fn was_refused(outcome: &ChunkOutcome) -> bool {
    matches!(outcome, ChunkOutcome::UrlRejected(_) | ChunkOutcome::Rejected(_) | ChunkOutcome::SourceFailed(_))
}

/// An object that is gone for good ends the post, unless an earlier try of the
/// last chunk may have come through.
fn unreadable(upload: &Upload, error: ObjectError) -> Exit {
    match Exit::from(error) {
        Exit::Fail(failure) if upload.may_be_complete() => Exit::Unconfirmed(failure.message),
        stop => stop,
    }
}
