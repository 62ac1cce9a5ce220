//! The account of a publish, as the ledger gives it.
//!
//! Reads the world and changes nothing.

use crate::init::SourceInfo;
use crate::ledger::{Entry, Ledger};
use crate::post::{Life, Post};
use crate::upload::receiving::InFlight;

use super::World;

impl World {
    /// Writes down everything that there is to say.
    pub(crate) fn ledger(&self) -> Ledger {
        Ledger {
            publishes: self.posts.iter().map(|post| self.entry(post)).collect(),
            publications: self.publications.clone(),
            violations: self.violations.clone(),
        }
    }

    /// Writes down the account of one publish.
    pub(crate) fn entry(&self, post: &Post) -> Entry {
        let upload = &post.upload;
        let violations = self.violations.iter().filter(|violation| violation.publish_id.as_ref() == Some(&post.id));
        let fail_reason = match post.life {
            Life::Failed { reason } => Some(reason),
            _ => None,
        };
        Entry {
            publish_id: post.id.clone(),
            user: post.user.clone(),
            flow: post.flow,
            post_info: post.info.clone(),
            source_info: SourceInfo {
                video_size: upload.plan.video_size(),
                chunk_size: upload.plan.chunk_size(),
                total_chunk_count: upload.plan.count(),
            },
            created_at: post.created_at,
            upload_expires_at: upload.expires_at,
            status: post.status().to_owned(),
            fail_reason,
            chunks: upload.chunks.clone(),
            bytes_received: upload.received(),
            bytes_in_flight: upload.in_flight.as_ref().map_or(0, InFlight::received),
            sha256: upload.sha256(),
            content_type: upload.content_type().map(str::to_owned),
            container: upload.sniffer().container(),
            duration_ms: upload.sniffer().duration_ms(),
            times_published: post.videos().len(),
            post_ids: post.videos().iter().map(|it| it.id.to_string()).collect(),
            violations: violations.cloned().collect(),
        }
    }
}
