//! The data of a post's state as attributes.
//!
//! One struct has the attributes of all states. A write fills exactly those of the post's state. A read requires
//! those of the state that the item names, and its error names a missing attribute.
//!
//! Some attributes have another name than the field of `domain::post::PostState`: `sent_at` is `since` of `Processing`,
//! `ended_at` is `at` of each final state, and `*_code` is the `reason` of a deferral or failure.

use domain::chunk::ChunkPlan;
use domain::failure::{Deferral, Failure};
use domain::identity::{PostId, PublishId, VideoId};
use domain::post::{HoldReason, HoldReasonName, Lease, Outcome, PostState, Receipt, StateFields, StateName};
use domain::rate::Rate;
use domain::reason::Reason;
use domain::report::{Links, VisibilityChange};
use domain::size::VideoSize;
use domain::upload::{LastChunk, Upload};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::attribute::Ciphertext;
use crate::table::RecordError;

/// Whether TikTok confirmed that it has every byte.
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
    hold_reason: Option<HoldReasonName>,
    earlier_post: Option<PostId>,
    publish_at: Option<Timestamp>,
    not_before: Option<Timestamp>,
    deferral_code: Option<Reason>,
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
    failure_code: Option<Reason>,
    failure_message: Option<String>,
    failure_log_id: Option<String>,
    failure_advice: Option<String>,
    outcome: Option<Outcome>,
}

impl StateRecord {
    /// Converts a state to its attributes.
    pub(super) fn of(state: &PostState) -> Self {
        let StateFields {
            hold_reason,
            earlier_post,
            publish_at,
            not_before,
            deferral,
            lease,
            upload,
            receipt,
            sent_at,
            publish_id,
            video_ids,
            links,
            visibility,
            failure,
            outcome,
            ended_at,
        } = state.fields();
        Self {
            hold_reason,
            earlier_post: earlier_post.cloned(),
            publish_at,
            not_before,
            deferral_code: deferral.map(|deferral| deferral.reason.clone()),
            deferral_message: deferral.map(|deferral| deferral.message.clone()),
            deferral_count: deferral.map(|deferral| deferral.count),
            lease_owner: lease.map(|lease| lease.owner.clone()),
            lease_expires_at: lease.map(|lease| lease.expires_at),
            publish_id: publish_id.cloned(),
            upload_url: upload.map(|upload| Ciphertext::from(&upload.url)),
            upload_issued_at: upload.map(|upload| upload.issued_at),
            upload_bytes: upload.map(|upload| upload.plan.size()),
            upload_chunks: upload.map(|upload| upload.plan.count()),
            offset: upload.map(|upload| upload.offset),
            last_chunk: upload.map(|upload| upload.last_chunk),
            upload_rate: upload.and_then(|upload| upload.rate),
            receipt: receipt.map(|receipt| match receipt {
                Receipt::Confirmed => ReceiptName::Confirmed,
                Receipt::Unconfirmed(_) => ReceiptName::Unconfirmed,
            }),
            sent_at,
            ended_at,
            video_ids: (!video_ids.is_empty()).then(|| video_ids.to_vec()),
            share_url: links.and_then(|links| links.share_url.clone()),
            cover_url: links.and_then(|links| links.cover_url.clone()),
            visibility: (!visibility.is_empty()).then(|| visibility.to_vec()),
            failure_code: failure.map(|failure| failure.reason.clone()),
            failure_message: failure.map(|failure| failure.message.clone()),
            failure_log_id: failure.and_then(|failure| failure.log_id.clone()),
            failure_advice: failure.map(|failure| failure.advice.clone()),
            outcome,
        }
    }

    /// Reads the state with this name from its attributes.
    pub(super) fn restore(mut self, name: StateName) -> Result<PostState, RecordError> {
        Ok(match name {
            StateName::Held => {
                let reason = match required(self.hold_reason, "hold_reason")? {
                    HoldReasonName::Review => HoldReason::Review,
                    HoldReasonName::Sidecar => HoldReason::Sidecar,
                    HoldReasonName::Upload => HoldReason::Upload,
                    HoldReasonName::SameVideo => {
                        HoldReason::SameVideo { earlier: required(self.earlier_post, "earlier_post")? }
                    }
                };
                PostState::Held { reason }
            }
            StateName::Scheduled => PostState::Scheduled { publish_at: required(self.publish_at, "publish_at")? },
            StateName::Queued => PostState::Queued {
                not_before: required(self.not_before, "not_before")?,
                deferral: self.deferral()?,
                upload: self.upload()?,
            },
            StateName::Uploading => {
                let owner = required(self.lease_owner.take(), "lease_owner")?;
                let lease = Lease { owner, expires_at: required(self.lease_expires_at, "lease_expires_at")? };
                PostState::Uploading { lease, deferral: self.deferral()?, upload: self.upload()? }
            }
            StateName::Processing => PostState::Processing {
                publish_id: required(self.publish_id.clone(), "publish_id")?,
                since: required(self.sent_at, "sent_at")?,
                receipt: match required(self.receipt, "receipt")? {
                    ReceiptName::Confirmed => Receipt::Confirmed,
                    ReceiptName::Unconfirmed => Receipt::Unconfirmed(required(self.upload()?, "upload_url")?),
                },
            },
            StateName::Published => PostState::Published {
                publish_id: required(self.publish_id, "publish_id")?,
                at: required(self.ended_at, "ended_at")?,
                video_ids: self.video_ids.unwrap_or_default(),
                links: Links { share_url: self.share_url, cover_url: self.cover_url },
                visibility: self.visibility.unwrap_or_default(),
            },
            StateName::Delivered => PostState::Delivered {
                publish_id: required(self.publish_id, "publish_id")?,
                at: required(self.ended_at, "ended_at")?,
            },
            StateName::Failed => PostState::Failed {
                at: required(self.ended_at, "ended_at")?,
                outcome: required(self.outcome, "outcome")?,
                publish_id: self.publish_id.take(),
                failure: self.failure()?,
            },
            StateName::Cancelled => {
                PostState::Cancelled { publish_id: self.publish_id, at: required(self.ended_at, "ended_at")? }
            }
        })
    }

    fn deferral(&mut self) -> Result<Option<Deferral>, RecordError> {
        let Some(reason) = self.deferral_code.take() else { return Ok(None) };
        let message = required(self.deferral_message.take(), "deferral_message")?;
        Ok(Some(Deferral { reason, message, count: required(self.deferral_count, "deferral_count")? }))
    }

    fn upload(&mut self) -> Result<Option<Upload>, RecordError> {
        let Some(url) = self.upload_url.take() else { return Ok(None) };
        let size = required(self.upload_bytes, "upload_bytes")?;
        let plan = ChunkPlan::restore(size, required(self.upload_chunks, "upload_chunks")?);
        let plan = plan.map_err(|error| RecordError::invalid("upload_chunks", &error))?;
        let offset = required(self.offset, "offset")?;
        if offset != size.bytes() && plan.chunk_at(offset).is_none() {
            return Err(RecordError::invalid("offset", &"no chunk begins at it"));
        }
        Ok(Some(Upload {
            publish_id: required(self.publish_id.clone(), "publish_id")?,
            url: url.into(),
            issued_at: required(self.upload_issued_at, "upload_issued_at")?,
            plan,
            offset,
            last_chunk: required(self.last_chunk, "last_chunk")?,
            rate: self.upload_rate,
        }))
    }

    fn failure(self) -> Result<Failure, RecordError> {
        Ok(Failure {
            reason: required(self.failure_code, "failure_code")?,
            message: required(self.failure_message, "failure_message")?,
            log_id: self.failure_log_id,
            advice: required(self.failure_advice, "failure_advice")?,
        })
    }
}

fn required<T>(value: Option<T>, name: &'static str) -> Result<T, RecordError> {
    value.ok_or(RecordError::Missing { name })
}
