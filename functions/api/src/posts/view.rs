//! A post as it is shown: where it stands, what it waits for, what came of it. Its
//! upload URL, a secret, is not among that, and neither is who works on it.

use domain::options::PostOptions;
use domain::post::{Approval, HistoryEntry, HoldReason, Outcome, Post, PostState};
use domain::rate::Rate;
use domain::settings::Settings;
use domain::source::ObjectVersion;
use jiff::Timestamp;
use serde::Serialize;

/// A post.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Post"))]
pub(crate) struct PostView {
    id: String,
    account: String,
    #[cfg_attr(test, schemars(with = "crate::contract::State"))]
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    source: SourceView,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    created_at: Timestamp,
    /// When somebody looks at it next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<crate::contract::Time>"))]
    due_at: Option<Timestamp>,
    /// What it waits for a person for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<crate::contract::HeldFor>"))]
    hold_reason: Option<HoldReason>,
    #[cfg_attr(test, schemars(with = "crate::contract::Approval"))]
    approval: Approval,
    /// Not before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<crate::contract::Time>"))]
    publish_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deferral: Option<DeferralView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<ProgressView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    publish_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    video_ids: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    share_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cover_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureView>,
    /// When what became of it was learnt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<crate::contract::Time>"))]
    ended_at: Option<Timestamp>,
    /// What the request said; sidecar, metadata, account and stack fill in the rest.
    #[cfg_attr(test, schemars(with = "crate::contract::Options"))]
    options: PostOptions,
    /// What it goes out with, once settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<crate::contract::Settings>"))]
    settings: Option<Settings>,
    /// How many workers took it up.
    attempt: u32,
    /// How many uploads TikTok was asked for.
    inits: u32,
    /// What happened, the oldest first; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<Vec<crate::contract::HistoryEntry>>"))]
    history: Option<Vec<HistoryEntry>>,
}

/// The object that is posted; without a version, its bytes are on their way.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Source"))]
pub(crate) struct SourceView {
    bucket: String,
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
}

/// Why a post waits, and until when.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Deferral"))]
pub(crate) struct DeferralView {
    code: String,
    message: String,
    #[cfg_attr(test, schemars(with = "crate::contract::Time"))]
    not_before: Timestamp,
    count: u32,
}

/// How far an upload is.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Progress"))]
pub(crate) struct ProgressView {
    /// What TikTok has accepted.
    bytes_sent: u64,
    bytes_total: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_per_second: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eta_seconds: Option<u64>,
}

/// Why a post failed, and what to do.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Failure"))]
pub(crate) struct FailureView {
    code: String,
    message: String,
    advice: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_id: Option<String>,
    /// Whether it can be tried again, or may be posted all the same.
    #[cfg_attr(test, schemars(with = "crate::contract::Outcome"))]
    outcome: Outcome,
}

impl PostView {
    /// A post among others, without its history.
    pub(crate) fn in_list(post: &Post) -> Self {
        Self { history: None, ..Self::of(post) }
    }

    /// A post with all that there is to say of it.
    pub(crate) fn of(post: &Post) -> Self {
        let (version_id, etag) = match post.source.version.clone() {
            ObjectVersion::Id(id) => (Some(id), None),
            ObjectVersion::ETag(etag) => (None, Some(etag)),
            ObjectVersion::Awaited => (None, None),
        };
        let settled = post.settings.as_ref().map(|settings| settings.title.as_str());
        let shown = Self {
            id: post.id.to_string(),
            account: post.account.to_string(),
            state: post.state_name().as_str(),
            title: settled.or(post.request.title.as_deref()).map(str::to_owned),
            source: SourceView { bucket: post.source.bucket.clone(), key: post.source.key.clone(), version_id, etag },
            bytes: post.bytes,
            created_at: post.created_at,
            due_at: post.due_at,
            hold_reason: None,
            approval: post.approval,
            publish_at: None,
            deferral: None,
            progress: progress_of(post),
            publish_id: post.publish_id().map(ToString::to_string),
            video_ids: Vec::new(),
            share_url: None,
            cover_url: None,
            failure: None,
            ended_at: None,
            options: post.request.clone(),
            settings: post.settings.clone(),
            attempt: post.attempt,
            inits: post.inits,
            history: Some(post.history.clone()),
        };
        shown.in_state(&post.state)
    }

    fn in_state(self, state: &PostState) -> Self {
        match state {
            PostState::Held { reason } => Self { hold_reason: Some(*reason), ..self },
            PostState::Scheduled { publish_at } => Self { publish_at: Some(*publish_at), ..self },
            PostState::Queued { not_before, deferral, .. } => {
                let deferral = deferral.as_ref().map(|deferral| DeferralView {
                    code: deferral.code.clone(),
                    message: deferral.message.clone(),
                    not_before: *not_before,
                    count: deferral.count,
                });
                Self { deferral, ..self }
            }
            PostState::Uploading { .. } | PostState::Processing { .. } => self,
            PostState::Published { at, video_ids, links, .. } => Self {
                ended_at: Some(*at),
                video_ids: video_ids.iter().map(ToString::to_string).collect(),
                share_url: links.share_url.clone(),
                cover_url: links.cover_url.clone(),
                ..self
            },
            PostState::Failed { failure, outcome, at, .. } => {
                let failure = FailureView {
                    code: failure.code.clone(),
                    message: failure.message.clone(),
                    advice: failure.advice.clone(),
                    log_id: failure.log_id.clone(),
                    outcome: *outcome,
                };
                Self { failure: Some(failure), ended_at: Some(*at), ..self }
            }
            PostState::Delivered { at, .. } | PostState::Cancelled { at, .. } => Self { ended_at: Some(*at), ..self },
        }
    }
}

/// How far the upload is: of one under way, and of one that TikTok has whole.
fn progress_of(post: &Post) -> Option<ProgressView> {
    if let Some(upload) = post.upload() {
        return Some(ProgressView {
            bytes_sent: upload.offset,
            bytes_total: upload.plan.size().bytes(),
            bytes_per_second: upload.rate.map(Rate::bytes_per_second),
            eta_seconds: upload.eta().map(|eta| eta.as_secs()),
        });
    }
    let is_whole =
        matches!(post.state, PostState::Processing { .. } | PostState::Published { .. } | PostState::Delivered { .. });
    let bytes = post.bytes.filter(|_| is_whole)?;
    Some(ProgressView { bytes_sent: bytes, bytes_total: bytes, bytes_per_second: None, eta_seconds: None })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::chunk::{ChunkCeiling, ChunkPlan};
    use domain::identity::{Alias, PublishId};
    use domain::secret::Sealed;
    use domain::size::VideoSize;
    use domain::source::Source;
    use domain::upload::{LastChunk, Upload};
    use serde_json::{Value, json};

    use super::*;

    fn claimed() -> Post {
        let version = ObjectVersion::Id("v1".into());
        let source = Source { bucket: "intake".into(), key: "drop/anna/clip.mp4".into(), version };
        let post = Post::submit(Alias::new("anna").unwrap(), source, Some(30_000_000), Timestamp::UNIX_EPOCH);
        post.claim("publish/request-1", Timestamp::UNIX_EPOCH).unwrap()
    }

    fn uploading() -> Post {
        let size = VideoSize::new(30_000_000).unwrap();
        let upload = Upload {
            publish_id: PublishId::new("v_pub_file~v2-1.7").unwrap(),
            url: Sealed::new(b"the-sealed-url".to_vec()),
            issued_at: Timestamp::UNIX_EPOCH,
            plan: ChunkPlan::new(size, ChunkCeiling::new(10_000_000).unwrap()),
            offset: 0,
            last_chunk: LastChunk::NotSent,
            rate: None,
        };
        let begun = claimed().begin(upload, Timestamp::UNIX_EPOCH).unwrap();
        begun.progress(10_000_000, Some(Rate::new(2_000_000)), Timestamp::UNIX_EPOCH).unwrap()
    }

    fn shown(post: &Post) -> Value {
        serde_json::to_value(PostView::of(post)).unwrap()
    }

    #[test]
    fn an_upload_shows_how_far_it_is_and_neither_its_url_nor_its_worker() {
        let shown = shown(&uploading());
        assert_eq!(
            shown["progress"],
            json!({ "bytes_sent": 10_000_000, "bytes_total": 30_000_000, "bytes_per_second": 2_000_000,
                "eta_seconds": 10 })
        );
        assert_eq!((&shown["state"], &shown["publish_id"]), (&json!("uploading"), &json!("v_pub_file~v2-1.7")));
        assert_eq!(shown["created_at"], "1970-01-01T00:00:00Z");
        let text = shown.to_string();
        assert!(!text.contains("url") && !text.contains("request-1"), "{text}");
    }

    #[test]
    fn a_post_that_waits_says_for_what_and_until_when() {
        let waiting =
            claimed().defer("posts_per_day", "the day is full", Duration::from_mins(1), Timestamp::UNIX_EPOCH);
        assert_eq!(
            shown(&waiting.unwrap())["deferral"],
            json!({ "code": "posts_per_day", "message": "the day is full", "count": 1,
                "not_before": "1970-01-01T00:01:00Z" })
        );
    }

    #[test]
    fn a_list_leaves_the_history_out() {
        let listed = serde_json::to_value(PostView::in_list(&claimed())).unwrap();
        assert!(listed.get("history").is_none() && shown(&claimed())["history"].is_array());
    }
}
