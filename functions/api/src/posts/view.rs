//! The JSON form of a post. It does not contain the upload URL, which is a secret, nor the worker's name.

use domain::options::PostOptions;
use domain::post::{Approval, HistoryEntry, HoldReasonName, Outcome, Post, PostState, StateName};
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
    /// The account's alias.
    account: String,
    state: StateName,
    /// The caption: the resolved title, or the title of the request before that.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    source: SourceView,
    /// The size of the video, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    created_at: Timestamp,
    /// When the poller or a worker next handles the post.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<Timestamp>,
    /// What a held post waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    hold_reason: Option<HoldReasonName>,
    /// The earlier post of the same account with the same video, if the post is held for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    earlier_post: Option<String>,
    approval: Approval,
    /// When a scheduled post is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    publish_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deferral: Option<DeferralView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<ProgressView>,
    /// TikTok's id of the newest publish.
    #[serde(skip_serializing_if = "Option::is_none")]
    publish_id: Option<String>,
    /// TikTok's ids of the public videos.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    video_ids: Vec<String>,
    /// TikTok's link to the video.
    #[serde(skip_serializing_if = "Option::is_none")]
    share_url: Option<String>,
    /// TikTok's link to the cover image.
    #[serde(skip_serializing_if = "Option::is_none")]
    cover_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureView>,
    /// When Dropcast learned that the post is published, delivered, failed or cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
    /// The options of the request. Sidecar, metadata, account and stack supply the others.
    options: PostOptions,
    /// The settings of the upload, resolved from all sources of options.
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<Settings>,
    /// Number of times that a worker claimed the post.
    attempt: u32,
    /// Number of uploads that were requested from TikTok.
    inits: u32,
    /// The changes of the post, the oldest first. A list omits them.
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<Vec<HistoryEntry>>,
}

/// The object in the bucket. Before the upload arrives, it has neither version nor `ETag`.
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

/// Why a post waits.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Deferral"))]
pub(crate) struct DeferralView {
    /// A stable code for programs.
    code: String,
    /// The reason, for people.
    message: String,
    /// The earliest time at which a worker tries the post again.
    not_before: Timestamp,
    /// How many times in a row the post was deferred for this reason.
    count: u32,
}

/// The progress of an upload.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Progress"))]
pub(crate) struct ProgressView {
    /// The bytes that TikTok has accepted.
    bytes_sent: u64,
    /// The size of the video.
    bytes_total: u64,
    /// The measured throughput of the upload.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_per_second: Option<u64>,
    /// The estimated remaining time of the upload, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    eta_seconds: Option<u64>,
}

/// Why a post failed.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Failure"))]
pub(crate) struct FailureView {
    /// A stable code for programs, or TikTok's own code.
    code: String,
    /// The reason, for people.
    message: String,
    /// What to do.
    advice: String,
    /// TikTok's id of its answer, for TikTok's support.
    #[serde(skip_serializing_if = "Option::is_none")]
    log_id: Option<String>,
    /// Whether TikTok may have posted the video. If not, the post can be retried.
    outcome: Outcome,
}

impl PostView {
    /// The view of a post in a list, without its history.
    pub(crate) fn in_list(post: &Post) -> Self {
        Self { history: None, ..Self::of(post) }
    }

    /// The view of a post, with its history.
    pub(crate) fn of(post: &Post) -> Self {
        let (version_id, etag) = match post.source.version.clone() {
            ObjectVersion::Id(id) => (Some(id), None),
            ObjectVersion::ETag(etag) => (None, Some(etag)),
            ObjectVersion::Awaited => (None, None),
        };
        let title = post.settings.as_ref().map(|settings| settings.title.as_str());
        let fields = post.state.fields();
        let links = fields.links.cloned().unwrap_or_default();
        Self {
            id: post.id.to_string(),
            account: post.account.to_string(),
            state: post.state_name(),
            title: title.or(post.request.title.as_deref()).map(str::to_owned),
            source: SourceView { bucket: post.source.bucket.clone(), key: post.source.key.clone(), version_id, etag },
            bytes: post.bytes,
            created_at: post.created_at,
            due_at: post.due_at,
            hold_reason: fields.hold_reason,
            earlier_post: fields.earlier_post.map(ToString::to_string),
            approval: post.approval,
            publish_at: fields.publish_at,
            // An uploading post may still have the deferral of its last wait, but no `not_before`: it waits no more.
            deferral: fields.deferral.zip(fields.not_before).map(|(deferral, not_before)| DeferralView {
                code: deferral.reason.code().to_owned(),
                message: deferral.message.clone(),
                not_before,
                count: deferral.count,
            }),
            progress: progress_of(post),
            publish_id: fields.publish_id.map(ToString::to_string),
            video_ids: fields.video_ids.iter().map(ToString::to_string).collect(),
            share_url: links.share_url,
            cover_url: links.cover_url,
            failure: fields.failure.zip(fields.outcome).map(|(failure, outcome)| FailureView {
                code: failure.reason.code().to_owned(),
                message: failure.message.clone(),
                advice: failure.advice.clone(),
                log_id: failure.log_id.clone(),
                outcome,
            }),
            ended_at: fields.ended_at,
            options: post.request.clone(),
            settings: post.settings.clone(),
            attempt: post.attempt,
            inits: post.inits,
            history: Some(post.history.clone()),
        }
    }
}

/// The progress of a running upload, or of a complete one.
fn progress_of(post: &Post) -> Option<ProgressView> {
    if let Some(upload) = post.upload() {
        return Some(ProgressView {
            bytes_sent: upload.offset,
            bytes_total: upload.plan.size().bytes(),
            bytes_per_second: upload.rate.map(Rate::bytes_per_second),
            eta_seconds: upload.eta().map(|eta| eta.as_secs()),
        });
    }
    let is_complete =
        matches!(post.state, PostState::Processing { .. } | PostState::Published { .. } | PostState::Delivered { .. });
    let bytes = post.bytes.filter(|_| is_complete)?;
    Some(ProgressView { bytes_sent: bytes, bytes_total: bytes, bytes_per_second: None, eta_seconds: None })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::chunk::{ChunkCeiling, ChunkPlan};
    use domain::identity::{Alias, PublishId};
    use domain::reason::Reason;
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
        // 20,000,000 bytes remain: 10 s at 2,000,000 bytes per second.
        let begun = claimed().begin(upload, Timestamp::UNIX_EPOCH).unwrap();
        begun.progress(10_000_000, Some(Rate::new(2_000_000)), Timestamp::UNIX_EPOCH).unwrap()
    }

    fn view(post: &Post) -> Value {
        serde_json::to_value(PostView::of(post)).unwrap()
    }

    #[test]
    fn upload_shows_progress_and_hides_url_and_worker() {
        let view = view(&uploading());
        assert_eq!(
            view["progress"],
            json!({ "bytes_sent": 10_000_000, "bytes_total": 30_000_000, "bytes_per_second": 2_000_000,
                "eta_seconds": 10 })
        );
        assert_eq!((&view["state"], &view["publish_id"]), (&json!("uploading"), &json!("v_pub_file~v2-1.7")));
        assert_eq!(view["created_at"], "1970-01-01T00:00:00Z");
        let text = view.to_string();
        assert!(!text.contains("url") && !text.contains("request-1"), "{text}");
    }

    #[test]
    fn deferred_post_shows_reason_and_time() {
        let deferred =
            claimed().defer(Reason::PostsPerDay, "the day is full", Duration::from_mins(1), Timestamp::UNIX_EPOCH);
        assert_eq!(
            view(&deferred.unwrap())["deferral"],
            json!({ "code": "posts_per_day", "message": "the day is full", "count": 1,
                "not_before": "1970-01-01T00:01:00Z" })
        );
    }

    #[test]
    fn list_omits_history() {
        let listed = serde_json::to_value(PostView::in_list(&claimed())).unwrap();
        assert!(listed.get("history").is_none() && view(&claimed())["history"].is_array());
    }
}
