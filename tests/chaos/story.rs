//! The stories: kinds of posts, each played from its trigger to its end. A campaign plays a story many times, each time
//! with another fault.

mod commands;
mod run;

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::Result;
use harness::{Creator, TestVideo};
use simulator::{AccountStanding, Scope, User, WebhookDelivery};

pub(crate) use commands::command_until_answered;
pub(crate) use run::{REPEAT_AFTER, Run, RunResult, apply_records, conclude, repeat_request};

use crate::fault_proxy::{AuthorizationEnd, Call};
use crate::test_env::{Command, Lambda, TestEnv};
use crate::test_post::TestPost;
use commands::{command_before_work, end_authorization};

/// TikTok's smallest chunk of a video with several chunks, in bytes.
pub(crate) const CHUNK_BYTES: u64 = 5_242_880;
/// How far ahead a post is scheduled: less than the lifetime of an access token (2 h in the simulator), so that no
/// refresh is needed.
const SCHEDULED_AHEAD: Duration = Duration::from_mins(30);
/// An age at which an access token must be refreshed before an upload: of its 2 h, less than the required hour is left.
const OLD_TOKEN_AGE: Duration = Duration::from_mins(90);

/// How long after a drop its event counts as lost: longer than `MIN_AGE` in `domain/src/bucket_check.rs`.
pub(crate) const EVENT_LATE: Duration = Duration::from_hours(2);

/// A kind of post. Unless the variant says otherwise, a small video (one chunk) is dropped and posted directly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Story {
    OneChunk,
    /// S3 loses the event of the drop. It arrives after the post's end.
    EventLost,
    /// The video has three chunks.
    ThreeChunks,
    /// The video is sent to the creator's inbox.
    Draft,
    /// The post has a `publish_at`.
    Scheduled,
    /// The account's access token must be refreshed before the upload.
    OldTokens,
    /// TikTok reports the result by a webhook. Until then, it answers each status request with an error.
    Webhook,
    /// The video is outside of `drop/`, and a request creates the post.
    Requested,
    /// The video is uploaded to a presigned URL.
    Uploaded,
    /// The post is scheduled, and cancelled before its time.
    Cancelled,
    /// TikTok fails the publish, and a person retries the post.
    Retried,
    /// The video is large and uploaded in parts. A first request to complete the upload comes too early.
    Multipart,
    /// The post is scheduled, and gets another title before its time.
    OptionsUpdated,
    /// The post is scheduled, and the creator's authorization ends before its time. When the account is marked
    /// `needs_reconnect`, the creator connects it again.
    AuthorizationLost(AuthorizationEnd),
    /// The same bytes are put again: under the same key, as an SDK repeats a PUT, and under another key. The story's
    /// post is that of the first version.
    Repeated,
    /// A request creates the post, and a command arrives before `publish` has worked on it.
    CommandBeforeWork(Command),
}

impl Story {
    /// The stories of the campaigns that apply to every story.
    pub(crate) const ALL: [Self; 17] = [
        Self::OneChunk,
        Self::EventLost,
        Self::ThreeChunks,
        Self::Draft,
        Self::Scheduled,
        Self::OldTokens,
        Self::Webhook,
        Self::Requested,
        Self::Uploaded,
        Self::Cancelled,
        Self::Retried,
        Self::Multipart,
        Self::OptionsUpdated,
        Self::Repeated,
        Self::AuthorizationLost(AuthorizationEnd::AppRemoved),
        Self::AuthorizationLost(AuthorizationEnd::Disconnected),
        Self::AuthorizationLost(AuthorizationEnd::TokensRejected),
    ];

    /// The name in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OneChunk => "one chunk",
            Self::EventLost => "event lost",
            Self::ThreeChunks => "three chunks",
            Self::Draft => "draft",
            Self::Scheduled => "scheduled",
            Self::OldTokens => "old tokens",
            Self::Webhook => "webhook",
            Self::Requested => "requested",
            Self::Uploaded => "uploaded",
            Self::Cancelled => "cancelled",
            Self::Retried => "retried",
            Self::Multipart => "multipart",
            Self::OptionsUpdated => "options updated",
            Self::Repeated => "repeated",
            Self::AuthorizationLost(end) => end.name(),
            Self::CommandBeforeWork(command) => command.name(),
        }
    }

    /// The number of leading calls at which faults are injected. Later calls are the same as in other stories.
    pub(crate) fn calls_to_test(self, calls: &[Call]) -> usize {
        if self == Self::Multipart { first_init(calls) } else { calls.len() }
    }

    fn video_bytes(self) -> u64 {
        match self {
            // The last chunk has the 17 additional bytes.
            Self::ThreeChunks => 3 * CHUNK_BYTES + 17,
            // More than `MAX_SINGLE_PUT` in `posting/src/create/upload.rs`, so that it is uploaded in parts.
            Self::Multipart => 100_000_001,
            _ => 100_000,
        }
    }

    fn chunk_bytes(self) -> u64 {
        if self == Self::Multipart { 10 * CHUNK_BYTES } else { CHUNK_BYTES }
    }

    fn metadata(self, env: &TestEnv) -> Vec<(&'static str, String)> {
        match self {
            Self::Draft => vec![("dropcast-mode", "draft".to_owned())],
            Self::Scheduled | Self::Cancelled | Self::OptionsUpdated | Self::AuthorizationLost(_) => {
                vec![("dropcast-publish-at", (env.now() + SCHEDULED_AHEAD).to_string())]
            }
            _ => Vec::new(),
        }
    }

    async fn connect_creator(self, env: &TestEnv) -> Result<Creator> {
        let creator = Creator::create_with(&env.cloud, |setup| match self {
            Self::Webhook => {
                setup.user.webhooks = WebhookDelivery::Enabled;
                // With this scope, the system would also request the video's link, which no webhook contains.
                setup.scopes.retain(|scope| *scope != Scope::VideoList);
            }
            // TikTok fails each publish of this user, until `begin` changes the standing.
            Self::Retried => setup.user.standing = AccountStanding::Risky,
            Self::AuthorizationLost(AuthorizationEnd::AppRemoved) => setup.user.webhooks = WebhookDelivery::Enabled,
            _ => {}
        });
        let creator = creator.await?;
        if self == Self::OldTokens {
            env.advance(OLD_TOKEN_AGE.as_secs())?;
        }
        Ok(creator)
    }

    /// Creates the post, and performs the story's commands. [`Run::play`] then runs the functions to the end.
    async fn begin(self, lambda: &mut Lambda<'_>, creator: &Creator) -> Result<TestPost> {
        let (env, video) = (lambda.env, shared_video(self.video_bytes())?);
        let mut post = match self {
            Self::Requested | Self::CommandBeforeWork(_) => lambda.create_post(creator, &video).await?,
            Self::Uploaded | Self::Multipart => lambda.create_upload(creator, &video).await?,
            Self::EventLost => {
                let post = env.drop_without_event(&creator.key("clip.mp4"), &video, &[]);
                env.advance(EVENT_LATE.as_secs())?;
                post
            }
            _ => {
                let metadata = self.metadata(env);
                let metadata: Vec<_> = metadata.iter().map(|(name, value)| (*name, value.as_str())).collect();
                env.drop_video(&creator.key("clip.mp4"), &video, &metadata)?
            }
        };
        lambda.target = Some(post.id.clone());
        match self {
            Self::Cancelled => command_until_answered(lambda, &post, Command::Cancel).await?,
            Self::OptionsUpdated => command_until_answered(lambda, &post, Command::UpdateOptions).await?,
            Self::AuthorizationLost(end) => end_authorization(lambda, &post, creator, end).await?,
            Self::CommandBeforeWork(command) => command_before_work(lambda, &post, command).await?,
            Self::Retried => {
                lambda.run_to_completion(std::slice::from_ref(creator), 1).await?;
                // A fault may have prevented the publish, and then TikTok has not failed it.
                if env.tiktok.ledger().publishes.iter().any(|publish| publish.fail_reason.is_some()) {
                    post.model.record_publish_failed();
                }
                env.tiktok.put_user(User { standing: AccountStanding::Good, ..creator.user.clone() });
                command_until_answered(lambda, &post, Command::Retry).await?;
            }
            _ => {}
        }
        Ok(post)
    }
}

impl Story {
    /// Puts the video of the story's post again, and returns the posts of the new versions.
    pub(crate) fn repeat(self, env: &TestEnv, creator: &Creator, post: &TestPost) -> Result<Vec<TestPost>> {
        let files: &[&str] = if self == Self::Repeated { &["clip.mp4", "copy.mp4"] } else { &[] };
        files.iter().map(|file| env.drop_video(&creator.key(file), &post.video, &[])).collect()
    }
}

/// The number of the first call that begins a publish (`DirectInit` or `InboxInit`).
pub(crate) fn first_init(calls: &[Call]) -> usize {
    calls.iter().position(|call| call.name.ends_with("Init")).unwrap_or(calls.len())
}

/// A video of this size, in bytes. All runs share it, because hashing a large video takes long.
pub(crate) fn shared_video(bytes: u64) -> Result<TestVideo> {
    static VIDEOS: OnceLock<Mutex<BTreeMap<u64, TestVideo>>> = OnceLock::new();
    let mut videos = VIDEOS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(video) = videos.get(&bytes) {
        return Ok(video.clone());
    }
    let video = TestVideo::new(bytes)?;
    videos.insert(bytes, video.clone());
    Ok(video)
}
