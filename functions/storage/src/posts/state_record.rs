//! What a post has in one state or another, as attributes.
//!
//! Written from one variant of the state, these are exactly that variant's;
//! read back under the state's name, a missing one is named in the error.

use domain::chunk::ChunkPlan;
use domain::failure::{Deferral, Failure};
use domain::identity::{PublishId, VideoId};
use domain::post::{HoldReason, Lease, Outcome, PostState, Receipt, StateName};
use domain::rate::Rate;
use domain::report::{Links, VisibilityChange};
use domain::size::VideoSize;
use domain::upload::{LastChunk, Upload};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::attribute::Ciphertext;
use crate::table::RecordError;

/// Whether TikTok said that it has every byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ReceiptName {
    Confirmed,
    Unconfirmed,
}

/// The attributes of all states.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct StateRecord {
    hold_reason: Option<HoldReason>,
    publish_at: Option<Timestamp>,
    not_before: Option<Timestamp>,
    deferral_code: Option<String>,
    deferral_message: Option<String>,
    deferral_count: Option<u32>,
    lease_owner: Option<String>,
    lease_expires_at: Option<Timestamp>,
    publish_id: Option<PublishId>,
    upload_url: Option<Ciphertext>,
    upload_issued_at: Option<Timestamp>,
    upload_bytes: Option<VideoSize>,
    upload_chunks: Option<u64>,
    offset: Option<u64>,
    last_chunk: Option<LastChunk>,
    upload_rate: Option<Rate>,
    receipt: Option<ReceiptName>,
    sent_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    video_ids: Option<Vec<VideoId>>,
    share_url: Option<String>,
    cover_url: Option<String>,
    visibility: Option<Vec<VisibilityChange>>,
    failure_code: Option<String>,
    failure_message: Option<String>,
    failure_log_id: Option<String>,
    failure_advice: Option<String>,
    outcome: Option<Outcome>,
}

impl StateRecord {
    /// Writes a state's data.
    pub(super) fn of(state: &PostState) -> Self {
        let empty = Self::default();
        match state.clone() {
            PostState::Held { reason } => Self { hold_reason: Some(reason), ..empty },
            PostState::Scheduled { publish_at } => Self { publish_at: Some(publish_at), ..empty },
            PostState::Queued { not_before, deferral, upload } => {
                Self { not_before: Some(not_before), ..empty }.with_deferral(deferral).with_upload(upload)
            }
            PostState::Uploading { lease, deferral, upload } => {
                let expires_at = Some(lease.expires_at);
                let leased = Self { lease_owner: Some(lease.owner), lease_expires_at: expires_at, ..empty };
                leased.with_deferral(deferral).with_upload(upload)
            }
            PostState::Processing { publish_id, receipt, since } => {
                let (receipt, upload) = match receipt {
                    Receipt::Confirmed => (ReceiptName::Confirmed, None),
                    Receipt::Unconfirmed(upload) => (ReceiptName::Unconfirmed, Some(upload)),
                };
                let sent = Self { receipt: Some(receipt), sent_at: Some(since), ..empty };
                Self { publish_id: Some(publish_id), ..sent.with_upload(upload) }
            }
            PostState::Published { publish_id, at, video_ids, links, visibility } => {
                let (share_url, cover_url) = (links.share_url, links.cover_url);
                let video_ids = Some(video_ids).filter(|ids| !ids.is_empty());
                let visibility = Some(visibility).filter(|all| !all.is_empty());
                Self { video_ids, share_url, cover_url, visibility, ..empty }.ended(Some(publish_id), at)
            }
            PostState::Delivered { publish_id, at } => empty.ended(Some(publish_id), at),
            PostState::Failed { failure, outcome, publish_id, at } => Self {
                failure_code: Some(failure.code),
                failure_message: Some(failure.message),
                failure_log_id: failure.log_id,
                failure_advice: Some(failure.advice),
                outcome: Some(outcome),
                ..empty
            }
            .ended(publish_id, at),
            PostState::Cancelled { publish_id, at } => empty.ended(publish_id, at),
        }
    }

    fn with_deferral(self, deferral: Option<Deferral>) -> Self {
        let Some(Deferral { code, message, count }) = deferral else { return self };
        Self { deferral_code: Some(code), deferral_message: Some(message), deferral_count: Some(count), ..self }
    }

    fn with_upload(self, upload: Option<Upload>) -> Self {
        let Some(Upload { publish_id, url, issued_at, plan, offset, last_chunk, rate }) = upload else { return self };
        Self {
            publish_id: Some(publish_id),
            upload_url: Some(Ciphertext::from(&url)),
            upload_issued_at: Some(issued_at),
            upload_bytes: Some(plan.size()),
            upload_chunks: Some(plan.count()),
            offset: Some(offset),
            last_chunk: Some(last_chunk),
            upload_rate: rate,
            ..self
        }
    }

    fn ended(self, publish_id: Option<PublishId>, at: Timestamp) -> Self {
        Self { publish_id, ended_at: Some(at), ..self }
    }

    /// Reads the data of the state of this name.
    pub(super) fn restore(mut self, name: StateName) -> Result<PostState, RecordError> {
        Ok(match name {
            StateName::Held => PostState::Held { reason: needed(self.hold_reason, "hold_reason")? },
            StateName::Scheduled => PostState::Scheduled { publish_at: needed(self.publish_at, "publish_at")? },
            StateName::Queued => PostState::Queued {
                not_before: needed(self.not_before, "not_before")?,
                deferral: self.deferral()?,
                upload: self.upload()?,
            },
            StateName::Uploading => {
                let owner = needed(self.lease_owner.take(), "lease_owner")?;
                let lease = Lease { owner, expires_at: needed(self.lease_expires_at, "lease_expires_at")? };
                PostState::Uploading { lease, deferral: self.deferral()?, upload: self.upload()? }
            }
            StateName::Processing => PostState::Processing {
                publish_id: needed(self.publish_id.clone(), "publish_id")?,
                since: needed(self.sent_at, "sent_at")?,
                receipt: match needed(self.receipt, "receipt")? {
                    ReceiptName::Confirmed => Receipt::Confirmed,
                    ReceiptName::Unconfirmed => Receipt::Unconfirmed(needed(self.upload()?, "upload_url")?),
                },
            },
            StateName::Published => PostState::Published {
                publish_id: needed(self.publish_id, "publish_id")?,
                at: needed(self.ended_at, "ended_at")?,
                video_ids: self.video_ids.unwrap_or_default(),
                links: Links { share_url: self.share_url, cover_url: self.cover_url },
                visibility: self.visibility.unwrap_or_default(),
            },
            StateName::Delivered => PostState::Delivered {
                publish_id: needed(self.publish_id, "publish_id")?,
                at: needed(self.ended_at, "ended_at")?,
            },
            StateName::Failed => PostState::Failed {
                at: needed(self.ended_at, "ended_at")?,
                outcome: needed(self.outcome, "outcome")?,
                publish_id: self.publish_id.take(),
                failure: self.failure()?,
            },
            StateName::Cancelled => {
                PostState::Cancelled { publish_id: self.publish_id, at: needed(self.ended_at, "ended_at")? }
            }
        })
    }

    fn deferral(&mut self) -> Result<Option<Deferral>, RecordError> {
        let Some(code) = self.deferral_code.take() else { return Ok(None) };
        let message = needed(self.deferral_message.take(), "deferral_message")?;
        Ok(Some(Deferral { code, message, count: needed(self.deferral_count, "deferral_count")? }))
    }

    fn upload(&mut self) -> Result<Option<Upload>, RecordError> {
        let Some(url) = self.upload_url.take() else { return Ok(None) };
        let size = needed(self.upload_bytes, "upload_bytes")?;
        let plan = ChunkPlan::restore(size, needed(self.upload_chunks, "upload_chunks")?);
        let plan = plan.map_err(|error| RecordError::invalid("upload_chunks", &error))?;
        let offset = needed(self.offset, "offset")?;
        if offset != size.bytes() && plan.chunk_at(offset).is_none() {
            return Err(RecordError::invalid("offset", &"no chunk begins there"));
        }
        Ok(Some(Upload {
            publish_id: needed(self.publish_id.clone(), "publish_id")?,
            url: url.into(),
            issued_at: needed(self.upload_issued_at, "upload_issued_at")?,
            plan,
            offset,
            last_chunk: needed(self.last_chunk, "last_chunk")?,
            rate: self.upload_rate,
        }))
    }

    fn failure(self) -> Result<Failure, RecordError> {
        Ok(Failure {
            code: needed(self.failure_code, "failure_code")?,
            message: needed(self.failure_message, "failure_message")?,
            log_id: self.failure_log_id,
            advice: needed(self.failure_advice, "failure_advice")?,
        })
    }
}

fn needed<T>(value: Option<T>, name: &'static str) -> Result<T, RecordError> {
    value.ok_or(RecordError::Missing { name })
}
