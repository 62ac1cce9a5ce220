//! Sends the chunks of a video from the bucket to TikTok, one after the other. The bucket is read ahead meanwhile.

use std::sync::Arc;
use std::time::Duration;

use domain::chunk::{Chunk, ChunkPlan};
use domain::failure::backoff;
use domain::reason::Reason;
use domain::upload::{URL_LIFETIME, Upload};
use storage::{BrokeOff, EncryptionContext, KmsCipher, ObjectError, Objects, Purpose, ReadAhead};
use tiktok::{ChunkOutcome, SourceFault, TikTok, UploadUrl};

use super::leased_post::LeasedPost;
use super::reconcile::Reconciler;
use super::session::{MIN_URL_LIFETIME, Next, Progress, UploadSession};
use super::throughput_estimate::ThroughputEstimate;
use crate::config::Config;
use crate::exit::Exit;
use crate::invocation::Instruments;

/// How many times one chunk is sent, including the first, before the post is deferred.
const MAX_SENDS: u32 = 4;
/// The longest wait before a chunk is sent again. A test in `leased_post.rs` has the same value.
const MAX_WAIT: Duration = Duration::from_secs(30);

from_dependencies! {
    pub(crate) struct ChunkSender {
        reconciler: Reconciler, tiktok: TikTok, cipher: KmsCipher, objects: Objects, config: Arc<Config>,
        instruments: Instruments,
    }
}

impl ChunkSender {
    /// Sends the next chunk, repeats it if TikTok's answer is a retry, and updates the post by TikTok's answer.
    pub(super) async fn send(
        &self,
        leased: &mut LeasedPost<'_>,
        upload: &Upload,
        session: &mut UploadSession,
    ) -> Result<Progress, Exit> {
        let url = &self.open_url(leased, upload, session).await?;
        let mut sends = 0;
        loop {
            let upload = leased.upload()?;
            let Some(chunk) = upload.next_chunk() else { return Err(Exit::Sent) };
            session.throughput.recall(upload.rate);
            self.check_time(leased, &upload, chunk, &session.throughput).await?;
            let (outcome, time) = self.send_once(leased, url, &upload, chunk, session).await?;
            if matches!(outcome, ChunkOutcome::Accepted { .. } | ChunkOutcome::Complete) {
                session.throughput.accepted(chunk.len, time);
            }
            match self.reconciler.react(leased, chunk, outcome, session.throughput.rate()).await? {
                Next::Continue(progress) => return Ok(progress),
                Next::SameChunk(wait) => {
                    sends += 1;
                    if sends >= MAX_SENDS || wait > MAX_WAIT {
                        let message = "TikTok's upload server refuses the chunk for now";
                        // At most half of the URL's remaining time is spent waiting, so that the other half can be used.
                        let left = self.instruments.time_until(upload.issued_at + URL_LIFETIME) / 2;
                        return Err(Exit::defer(Reason::UploadRefused, message, wait.min(left)));
                    }
                    tokio::time::sleep(wait.max(backoff(sends) / 4)).await;
                }
            }
        }
    }

    /// Returns the upload's URL, opened with KMS if the session does not have it.
    async fn open_url(
        &self,
        leased: &LeasedPost<'_>,
        upload: &Upload,
        session: &mut UploadSession,
    ) -> Result<UploadUrl, Exit> {
        if let Some(url) = session.url_of(upload) {
            return Ok(url);
        }
        let context = EncryptionContext::new(Purpose::UploadUrl, &leased.post().account);
        let url = UploadUrl::restore(self.cipher.open(&context, &upload.url).await?);
        session.keep_url(upload, url.clone());
        Ok(url)
    }

    /// Checks that a chunk can be sent before the invocation ends and before the upload URL expires. If the rest of the
    /// video cannot be sent to this URL, but all of it could be to a new one, the upload is abandoned
    /// ([`Upload::is_worth_sending`]).
    async fn check_time(
        &self,
        leased: &mut LeasedPost<'_>,
        upload: &Upload,
        chunk: Chunk,
        throughput: &ThroughputEstimate,
    ) -> Result<(), Exit> {
        let now = self.instruments.now();
        throughput.check_room(chunk.len, leased.worker(), now)?;
        if upload.is_worth_sending(now, throughput.expected(chunk.len).max(MIN_URL_LIFETIME)) {
            return Ok(());
        }
        if upload.may_be_complete() {
            return Err(Exit::Unconfirmed("the upload's URL has expired".to_owned()));
        }
        self.reconciler.abandon(leased, "the rest cannot be sent before its URL expires").await
    }

    /// Sends a chunk once. Before the first byte of the last chunk, the commit mark is stored. If that chunk was not sent
    /// as a whole at its first try, the mark is removed again. It must not be removed after a later try: an earlier one
    /// may have succeeded, and a new upload would post the video twice.
    async fn send_once(
        &self,
        leased: &mut LeasedPost<'_>,
        url: &UploadUrl,
        upload: &Upload,
        chunk: Chunk,
        session: &mut UploadSession,
    ) -> Result<(ChunkOutcome, Duration), Exit> {
        let first_try_of_last = chunk == upload.plan.last() && !upload.may_be_complete();
        if first_try_of_last {
            leased.save(leased.post().clone().commit(self.instruments.now())?).await?;
        }
        let size = upload.plan.size().bytes();
        let read_ahead = || self.objects.read_ahead(&leased.post().source, size, self.config.window);
        let video = session.video.get_or_insert_with(read_ahead);
        let started = self.instruments.now();
        let sent = self.put(leased, url, &upload.plan, chunk, video).await;
        let time = self.instruments.time_since(started);
        let not_taken = match &sent {
            Ok(Ok(outcome)) => outcome.is_surely_not_taken(),
            // The bucket failed during the chunk, so TikTok did not get all of it.
            Ok(Err(_)) => true,
            // The PUT was aborted, perhaps after its last byte.
            Err(_) => false,
        };
        if first_try_of_last && not_taken {
            leased.save(leased.post().clone().uncommit(self.instruments.now())?).await?;
        }
        match sent {
            Ok(Ok(outcome)) => Ok((outcome, time)),
            Ok(Err(error)) => match Exit::from(error) {
                // An earlier try of the last chunk may have succeeded, so a deleted object does not fail the post.
                Exit::Fail(failure) if leased.upload()?.may_be_complete() => Err(Exit::Unconfirmed(failure.message)),
                exit => Err(exit),
            },
            Err(Exit::Yield) => {
                session.throughput.cut_off(chunk.len, time);
                let (rate, now) = (session.throughput.rate(), self.instruments.now());
                leased.checkpoint(leased.post().clone().progress(upload.offset, rate, now)?);
                Err(Exit::Yield)
            }
            Err(exit) => Err(exit),
        }
    }

    /// Makes one PUT, and returns TikTok's answer or the bucket's error. Meanwhile the lease is renewed, and the offset
    /// after the previous chunk is stored. At the worker's deadline the PUT is aborted, and the worker yields.
    async fn put(
        &self,
        leased: &mut LeasedPost<'_>,
        url: &UploadUrl,
        plan: &ChunkPlan,
        chunk: Chunk,
        video: &mut ReadAhead,
    ) -> Result<Result<ChunkOutcome, ObjectError>, Exit> {
        // Earlier tries of this chunk, and the waits between them, may have lasted longer than the lease.
        leased.renew_if_stale().await?;
        let Some(facts) = leased.post().video.clone() else {
            return Err(Exit::Unconfirmed("the post has no facts about its video".to_owned()));
        };
        let put = async {
            let mut body = video.chunk(chunk.first..chunk.end());
            // TikTok is not called before the first bytes have been read.
            let outcome = match body.begun().await {
                Ok(()) => self.tiktok.put_chunk(url, facts.container.content_type(), plan, chunk, body).await,
                Err(BrokeOff) => ChunkOutcome::SourceFailed(SourceFault::Erred),
            };
            // The bucket's error says why a chunk was not sent as a whole. It says nothing about a chunk that was.
            let failure = if outcome.is_surely_not_taken() { video.take_failure() } else { None };
            failure.map_or(Ok(outcome), Err)
        };
        let left = self.instruments.time_until(leased.worker().deadline);
        leased.run_renewing(Box::pin(tokio::time::timeout(left, put))).await?.map_err(|_| Exit::Yield)
    }
}
