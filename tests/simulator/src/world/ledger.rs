//! The ledger and its entries, built from the world. Nothing is changed.

use crate::init::SourceInfo;
use crate::ledger::{Ledger, LedgerEntry};
use crate::publish::{Publish, PublishState};
use crate::upload::transfer::ActiveTransfer;

use super::World;

impl World {
    /// Builds the whole ledger.
    pub(crate) fn ledger(&self) -> Ledger {
        Ledger {
            publishes: self.publishes.iter().map(|publish| self.entry(publish)).collect(),
            publications: self.publications.clone(),
            violations: self.violations.clone(),
        }
    }

    /// Builds the entry of one publish.
    pub(crate) fn entry(&self, publish: &Publish) -> LedgerEntry {
        let upload = &publish.upload;
        let violations = self.violations.iter().filter(|violation| violation.publish_id.as_ref() == Some(&publish.id));
        let fail_reason = match publish.state {
            PublishState::Failed { reason } => Some(reason),
            _ => None,
        };
        LedgerEntry {
            publish_id: publish.id.clone(),
            user: publish.user.clone(),
            flow: publish.flow,
            post_info: publish.info.clone(),
            source_info: SourceInfo {
                video_size: upload.plan.video_size(),
                chunk_size: upload.plan.chunk_size(),
                total_chunk_count: upload.plan.count(),
            },
            created_at: publish.created_at,
            upload_expires_at: upload.expires_at,
            status: publish.status().to_owned(),
            fail_reason,
            chunks: upload.chunks.clone(),
            bytes_received: upload.received(),
            bytes_in_flight: upload.active.as_ref().map_or(0, ActiveTransfer::received),
            sha256: upload.sha256(),
            content_type: upload.content_type().map(str::to_owned),
            container: upload.sniffer().container(),
            duration_ms: upload.sniffer().duration_ms(),
            times_published: publish.videos().len(),
            post_ids: publish.videos().iter().map(|video| video.id.to_string()).collect(),
            violations: violations.cloned().collect(),
        }
    }
}
