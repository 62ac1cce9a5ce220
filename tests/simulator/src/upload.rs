//! The upload behind an upload URL: which range is expected next, what has arrived, and the answer to each PUT.
//!
//! [`stream`] reads the sockets and calls [`Upload::begin`] before a chunk and [`Upload::end`] after it. A chunk is
//! accepted only if its last byte arrives before the URL expires.
//!
//! <https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide>

pub(crate) mod headers;
pub(crate) mod stream;
pub(crate) mod transfer;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::clock::after_s;
use crate::container::Sniffer;
use crate::envelope::{Reply, Rule};
use crate::ids::IdGenerator;
use crate::ledger::{ChunkOutcome, ChunkTransfer};
use crate::plan::{ChunkPlan, Range};
use crate::settings::{ContentRangeCounts, RepeatedRange, Settings};

use headers::UploadHeaders;
use transfer::{ActiveTransfer, ChunkReceiver};

/// The state of the upload behind one URL.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) id: String,
    token: String,
    /// Set to now by the control command and the fault that expire the URL.
    pub(crate) expires_at: Timestamp,
    pub(crate) plan: ChunkPlan,
    /// Index of the next chunk, which is also the number of accepted chunks.
    next_chunk: u64,
    content_type: Option<String>,
    /// Every transfer that has ended.
    pub(crate) chunks: Vec<ChunkTransfer>,
    /// Hash of the accepted bytes.
    hasher: Sha256,
    /// Container detection on the accepted bytes.
    sniffer: Sniffer,
    pub(crate) active: Option<ActiveTransfer>,
    /// Number of transfers begun so far, which is also the number of the last one.
    transfers: u64,
}

/// A PUT that is refused: its answer, its code in the log of calls, and the rule that the client broke, if any.
#[derive(Debug)]
pub(crate) struct UploadError {
    pub(crate) reply: Reply,
    pub(crate) code: &'static str,
    pub(crate) violation: Option<(Rule, String)>,
}

impl UploadError {
    pub(crate) fn new(status: u16, code: &'static str) -> Self {
        Self { reply: Reply::empty(status), code, violation: None }
    }

    /// Marks the refusal as a violation: the client broke a rule.
    pub(crate) fn violating(mut self, rule: Rule, message: impl Into<String>) -> Self {
        self.violation = Some((rule, message.into()));
        self
    }
}

impl Upload {
    /// Makes an upload, with a URL that expires after `ttl_s` seconds.
    pub(crate) fn new(plan: ChunkPlan, ttl_s: u64, ids: &mut IdGenerator, now: Timestamp) -> Self {
        Self {
            id: ids.nineteen_digits().to_string(),
            token: ids.secret("", 40),
            expires_at: after_s(now, ttl_s),
            plan,
            next_chunk: 0,
            content_type: None,
            chunks: Vec::new(),
            hasher: Sha256::new(),
            sniffer: Sniffer::default(),
            active: None,
            transfers: 0,
        }
    }

    /// Formats the upload URL. It is a secret; TikTok's URLs have at most 256 characters.
    pub(crate) fn url(&self, public_url: &str) -> String {
        format!("{public_url}/upload/?upload_id={}&upload_token={}", self.id, self.token)
    }

    /// Returns whether the two parameters of an upload URL are those of this upload.
    pub(crate) fn matches(&self, id: &str, token: &str) -> bool {
        self.id == id && self.token == token
    }

    /// The number of bytes accepted.
    pub(crate) fn received(&self) -> u64 {
        let last_accepted = self.next_chunk.checked_sub(1).and_then(|index| self.plan.range(index));
        last_accepted.map_or(0, |range| range.last + 1)
    }

    /// Returns whether every chunk was accepted.
    pub(crate) fn is_complete(&self) -> bool {
        self.next_chunk == self.plan.count()
    }

    /// SHA-256 of the file in hex, once the upload is complete.
    pub(crate) fn sha256(&self) -> Option<String> {
        self.is_complete().then(|| HEXLOWER.encode(&self.hasher.clone().finalize()))
    }

    /// The `Content-Type` of the chunks, once one was sent.
    pub(crate) fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The container detection on the accepted bytes.
    pub(crate) fn sniffer(&self) -> &Sniffer {
        &self.sniffer
    }

    /// Checks the headers of a PUT and begins the transfer of the chunk that they declare.
    ///
    /// The caller must make sure that no transfer of this upload is active: [`Upload::end`] would discard its bytes.
    pub(crate) fn begin(
        &mut self,
        headers: &UploadHeaders,
        transfer: ActiveTransfer,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<ChunkReceiver, UploadError> {
        if self.expires_at <= now {
            return Err(UploadError::new(403, "url_expired"));
        }
        let range = headers.check(self.plan, self.content_type.as_deref())?;
        let is_repeated = self.is_repeated(range, settings)?;
        self.content_type = Some(headers.content_type.clone());
        self.transfers += 1;
        let receiver = ChunkReceiver::new(
            self.transfers,
            range,
            is_repeated,
            transfer.progress(),
            (self.hasher.clone(), self.sniffer.clone()),
        );
        self.active = Some(transfer.numbered(self.transfers, range.len()));
        Ok(receiver)
    }

    /// Returns whether a range repeats an accepted chunk, and not the next one. Refuses any other range, and a repeated
    /// one if the settings say so.
    fn is_repeated(&self, range: Range, settings: &Settings) -> Result<bool, UploadError> {
        if self.plan.range(self.next_chunk) == Some(range) {
            return Ok(false);
        }
        let was_accepted = (0..self.next_chunk).any(|index| self.plan.range(index) == Some(range));
        if was_accepted && settings.repeated_range.read() != RepeatedRange::Refused {
            return Ok(true);
        }
        // A repeated chunk is no violation: the client may have lost the answer to the first one.
        let mut error = if was_accepted {
            UploadError::new(416, "repeated_range")
        } else {
            UploadError::new(416, "range").violating(
                Rule::Range,
                format!(
                    "bytes {}-{} is not the next chunk of the plan, which starts at {}.",
                    range.first,
                    range.last,
                    self.received()
                ),
            )
        };
        error.reply = self.with_progress(error.reply, settings);
        Err(error)
    }

    /// Ends a transfer, and returns the outcome that the ledger records. `Accepted` becomes `Discarded` if the URL has
    /// expired or another transfer has replaced this one. Only an `Accepted` chunk becomes part of the file.
    pub(crate) fn end(&mut self, receiver: ChunkReceiver, outcome: ChunkOutcome, now: Timestamp) -> ChunkOutcome {
        let is_active = self.active.as_ref().is_some_and(|active| active.has_number(receiver.number()));
        if is_active {
            self.active = None;
        }
        let outcome = match outcome {
            ChunkOutcome::Accepted if !is_active || self.expires_at <= now => ChunkOutcome::Discarded,
            other => other,
        };
        self.chunks.push(receiver.record(outcome, now));
        if outcome == ChunkOutcome::Accepted {
            (self.hasher, self.sniffer) = receiver.into_state();
            self.next_chunk += 1;
        }
        outcome
    }

    /// Returns whether a repeated chunk has the same bytes as the accepted chunk of that range.
    pub(crate) fn repeats_same_bytes(&self, receiver: &ChunkReceiver) -> bool {
        // Only `first` and `sha256` of this record are used; its outcome and time do not matter.
        let repeated = receiver.record(ChunkOutcome::Repeated, self.expires_at);
        let mut accepted = self.chunks.iter().filter(|chunk| chunk.outcome == ChunkOutcome::Accepted);
        let original = accepted.find(|chunk| chunk.first == repeated.first);
        original.is_some_and(|chunk| chunk.sha256 == repeated.sha256)
    }

    /// The answer to a chunk that was just accepted.
    pub(crate) fn accepted_reply(&self, settings: &Settings) -> Reply {
        let status = if self.is_complete() { settings.last_chunk_http_status } else { settings.chunk_http_status };
        self.with_progress(Reply::empty(status), settings)
    }

    /// The answer to a chunk whose range was already accepted.
    pub(crate) fn repeated_reply(&self, settings: &Settings) -> Reply {
        match settings.repeated_range.read() {
            RepeatedRange::Created => self.with_progress(Reply::empty(201), settings),
            RepeatedRange::Accepted => self.accepted_reply(settings),
            RepeatedRange::Refused => self.with_progress(Reply::empty(416), settings),
        }
    }

    /// Adds the `Content-Range` header that states the progress. It is omitted before the first accepted chunk.
    fn with_progress(&self, mut reply: Reply, settings: &Settings) -> Reply {
        let received = self.received();
        if let Some(last) = received.checked_sub(1) {
            let uploaded = match settings.content_range_counts.read() {
                ContentRangeCounts::LastIndex => last,
                ContentRangeCounts::Count => received,
            };
            let total = self.plan.video_size();
            reply.headers.push(("content-range", format!("bytes 0-{uploaded}/{total}")));
        }
        reply
    }
}
