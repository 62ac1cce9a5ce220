//! The receiving end of an upload URL: which bytes are expected next, what
//! arrived, and how every deviation is answered.
//!
//! Does not read sockets; [`stream`] does. A chunk counts when its last byte
//! was here within the URL's lifetime, and only then.
//!
//! <https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide>

pub(crate) mod headers;
pub(crate) mod receiving;
pub(crate) mod stream;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::clock::after_s;
use crate::container::Sniffer;
use crate::envelope::{Reply, Rule};
use crate::ids::Mint;
use crate::ledger::{ChunkOutcome, ChunkReceived};
use crate::plan::{ChunkPlan, Range};
use crate::settings::{ContentRangeCounts, RepeatedRange, Settings};

use headers::UploadHeaders;
use receiving::{InFlight, Receiving};

/// What one upload URL leads to.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) id: String,
    token: String,
    pub(crate) expires_at: Timestamp,
    pub(crate) plan: ChunkPlan,
    next: u64,
    content_type: Option<String>,
    pub(crate) chunks: Vec<ChunkReceived>,
    hasher: Sha256,
    sniffer: Sniffer,
    pub(crate) in_flight: Option<InFlight>,
    transfers: u64,
}

/// A refusal of a PUT.
#[derive(Debug)]
pub(crate) struct UploadRefusal {
    pub(crate) reply: Reply,
    pub(crate) word: &'static str,
    pub(crate) breach: Option<(Rule, String)>,
}

impl UploadRefusal {
    pub(crate) fn new(status: u16, word: &'static str) -> Self {
        Self { reply: Reply::empty(status), word, breach: None }
    }

    pub(crate) fn breaking(mut self, rule: Rule, sentence: impl Into<String>) -> Self {
        self.breach = Some((rule, sentence.into()));
        self
    }
}

impl Upload {
    /// Opens an upload.
    pub(crate) fn new(plan: ChunkPlan, ttl_s: u64, mint: &mut Mint, now: Timestamp) -> Self {
        Self {
            id: mint.nineteen_digits().to_string(),
            token: mint.secret("", 40),
            expires_at: after_s(now, ttl_s),
            plan,
            next: 0,
            content_type: None,
            chunks: Vec::new(),
            hasher: Sha256::new(),
            sniffer: Sniffer::default(),
            in_flight: None,
            transfers: 0,
        }
    }

    /// Writes the URL, a secret of at most 256 characters.
    pub(crate) fn url(&self, public_url: &str) -> String {
        format!("{public_url}/upload/?upload_id={}&upload_token={}", self.id, self.token)
    }

    /// Tells whether a URL's two parameters are this upload's.
    pub(crate) fn is(&self, id: &str, token: &str) -> bool {
        self.id == id && self.token == token
    }

    /// The number of bytes accepted.
    pub(crate) fn received(&self) -> u64 {
        let last = self.next.checked_sub(1).and_then(|i| self.plan.range(i));
        last.map_or(0, |range| range.last + 1)
    }

    /// Tells whether every byte is in.
    pub(crate) fn is_complete(&self) -> bool {
        self.next == self.plan.count()
    }

    /// SHA-256 of the whole file in hex, once it is whole.
    pub(crate) fn sha256(&self) -> Option<String> {
        let whole = self.is_complete();
        whole.then(|| HEXLOWER.encode(&self.hasher.clone().finalize()))
    }

    /// What the chunks are said to be.
    pub(crate) fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// What the accepted bytes look like.
    pub(crate) fn sniffer(&self) -> &Sniffer {
        &self.sniffer
    }

    /// Checks the headers of a PUT and opens the chunk that they announce.
    pub(crate) fn begin(
        &mut self,
        headers: &UploadHeaders,
        in_flight: InFlight,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Receiving, UploadRefusal> {
        if self.expires_at <= now {
            return Err(UploadRefusal::new(403, "url_expired"));
        }
        let announced = headers.check(self.plan, self.content_type.as_deref())?;
        let repeated = self.place(announced, settings)?;
        self.content_type = Some(headers.content_type.clone());
        self.transfers += 1;
        let receiving = Receiving::new(
            self.transfers,
            announced,
            repeated,
            in_flight.progress(),
            (self.hasher.clone(), self.sniffer.clone()),
        );
        self.in_flight = Some(in_flight.numbered(self.transfers, announced.len()));
        Ok(receiving)
    }

    /// Tells whether a range was accepted before; refuses what is neither that nor next.
    fn place(&self, announced: Range, settings: &Settings) -> Result<bool, UploadRefusal> {
        if self.plan.range(self.next) == Some(announced) {
            return Ok(false);
        }
        let known = (0..self.next).any(|index| self.plan.range(index) == Some(announced));
        if known && settings.repeated_range.consult() != RepeatedRange::Refused {
            return Ok(true);
        }
        let mut refusal = UploadRefusal::new(416, "repeated_range");
        if !known {
            refusal = UploadRefusal::new(416, "range").breaking(
                Rule::Range,
                format!(
                    "bytes {}-{} is not the next chunk of the plan, which starts at {}.",
                    announced.first,
                    announced.last,
                    self.received()
                ),
            );
        }
        refusal.reply = self.with_progress(refusal.reply, settings);
        Err(refusal)
    }

    /// Ends a transfer; true if its bytes became part of the file.
    pub(crate) fn end(&mut self, receiving: Receiving, outcome: ChunkOutcome, now: Timestamp) -> bool {
        let current = self.in_flight.as_ref().is_some_and(|it| it.is(receiving.number()));
        if current {
            self.in_flight = None;
        }
        let outcome = match outcome {
            ChunkOutcome::Accepted if !current || self.expires_at <= now => ChunkOutcome::Dropped,
            other => other,
        };
        self.chunks.push(receiving.record(outcome, now));
        if outcome != ChunkOutcome::Accepted {
            return false;
        }
        (self.hasher, self.sniffer) = receiving.into_state();
        self.next += 1;
        true
    }

    /// Tells whether a repeated chunk carried the bytes that it carried the first time.
    pub(crate) fn repeats_faithfully(&self, receiving: &Receiving) -> bool {
        let again = receiving.record(ChunkOutcome::Repeated, self.expires_at);
        let first = |chunk: &&ChunkReceived| chunk.outcome == ChunkOutcome::Accepted && chunk.first == again.first;
        let first = self.chunks.iter().find(first);
        first.is_some_and(|chunk| chunk.sha256 == again.sha256)
    }

    /// Answers a chunk that was just accepted.
    pub(crate) fn accepted(&self, settings: &Settings) -> Reply {
        let status = if self.is_complete() { settings.last_chunk_http_status } else { settings.chunk_http_status };
        self.with_progress(Reply::empty(status), settings)
    }

    /// Answers a chunk that had been accepted before.
    pub(crate) fn repeated(&self, settings: &Settings) -> Reply {
        match settings.repeated_range.consult() {
            RepeatedRange::Created => self.with_progress(Reply::empty(201), settings),
            RepeatedRange::Accepted => self.accepted(settings),
            RepeatedRange::Refused => self.with_progress(Reply::empty(416), settings),
        }
    }

    fn with_progress(&self, mut reply: Reply, settings: &Settings) -> Reply {
        let received = self.received();
        if let Some(last) = received.checked_sub(1) {
            let uploaded = match settings.content_range_counts.consult() {
                ContentRangeCounts::LastIndex => last,
                ContentRangeCounts::Count => received,
            };
            let total = self.plan.video_size();
            let progress = format!("bytes 0-{uploaded}/{total}");
            reply.headers.push(("content-range", progress));
        }
        reply
    }
}
