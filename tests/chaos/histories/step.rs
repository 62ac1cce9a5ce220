//! The steps of a history.

use std::time::Duration;

use anyhow::Result;
use harness::{Creator, TestVideo};
use rand::RngExt;
use rand::rngs::StdRng;
use simulator::{Effect, Ending, FaultKind, TokenKind};

use super::ops;
use crate::fault_proxy::{Fault, Moment, Op};
use crate::faults::status;
use crate::test_env::{Command, Lambda};
use crate::test_post::TestPost;

/// A fault is planned within this number of calls, which one or two workers make.
const CALLS: usize = 70;

/// A step. "The newest post" is that of the last drop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// S3 sends the event of the newest post again.
    RepeatEvent,
    /// The request for the newest post is repeated. If the post was dropped, a request for its object is sent.
    RepeatRequest,
    /// `publish` handles all visible messages.
    DeliverMessages,
    /// `status` runs.
    RunStatus,
    /// TikTok sends all due webhooks.
    DeliverWebhooks,
    /// TikTok sends a webhook again or too early. The number is its index in TikTok's list, modulo the length.
    RepeatWebhook(u16),
    /// Someone other than TikTok sends a webhook. The number selects its kind.
    ForgeWebhook(u16),
    /// This number of minutes passes, and nothing happens.
    Wait(u16),
    /// The process is killed at the call after this number of calls: after the call took effect if true, before it if
    /// false.
    Kill(u16, bool),
    /// The call after the first number of calls meets a fault. The second number selects the fault.
    InjectFault(u16, u16),
    /// A person cancels the newest post.
    Cancel,
    /// The same during the call after this number of calls: after it took effect if true, before it if false.
    CancelAt(u16, bool),
    /// TikTok sends webhooks during the call after this number of calls: after it took effect if true, before it if
    /// false.
    WebhooksAt(u16, bool),
    /// A person retries the newest post.
    Retry,
    /// A person approves the newest post.
    Approve,
    /// TikTok fails the newest publish.
    FailPublish,
    /// Another video is dropped under the key of the newest post.
    Overwrite,
    /// The newest post's video is uploaded to its presigned URL again.
    RepeatUpload,
    /// The newest post's object is deleted. Its version stays.
    Delete,
    /// The version of the newest post's object is deleted.
    DeleteVersion,
    /// The creator's access token expires.
    ExpireToken,
    /// The upload URL of the newest publish expires.
    ExpireUrl,
}

impl Step {
    /// A random step that plans a fault or an operation for a later call. The ranges and the order of the draws are
    /// part of a seed's meaning, here and in [`random`](Self::random).
    pub(super) fn random_fault(random: &mut StdRng) -> Self {
        let (calls, after) = (u16::try_from(random.random_range(0..CALLS)).unwrap_or(0), random.random_bool(0.5));
        match random.random_range(0..8) {
            0..=3 => Self::Kill(calls, after),
            4 | 5 => Self::InjectFault(calls, random.random_range(0..64)),
            6 => Self::CancelAt(calls, after),
            _ => Self::WebhooksAt(calls, after),
        }
    }

    /// A random step.
    pub(super) fn random(random: &mut StdRng) -> Self {
        match random.random_range(0..32) {
            0 => Self::RepeatEvent,
            1 => Self::RepeatRequest,
            2..=7 => Self::DeliverMessages,
            8..=10 => Self::RunStatus,
            11 | 12 => Self::DeliverWebhooks,
            13 => Self::RepeatWebhook(random.random_range(0..6)),
            14 => Self::ForgeWebhook(random.random_range(0..8)),
            15..=17 => Self::Wait([1, 3, 17, 70, 130, 1500][random.random_range(0..6)]),
            18..=23 => Self::random_fault(random),
            24 | 25 => Self::Cancel,
            26 => Self::Retry,
            27 => Self::Approve,
            28 => Self::FailPublish,
            29 => [Self::Overwrite, Self::RepeatUpload][random.random_range(0..2)],
            30 => [Self::Delete, Self::DeleteVersion][random.random_range(0..2)],
            _ => [Self::ExpireToken, Self::ExpireUrl][random.random_range(0..2)],
        }
    }

    /// Performs the step. `review` says whether a new post needs an approval.
    pub(super) async fn perform(
        self,
        lambda: &mut Lambda<'_>,
        creator: &Creator,
        posts: &mut Vec<TestPost>,
        review: bool,
    ) -> Result<()> {
        let (env, count) = (lambda.env, posts.len());
        let Some(newest) = posts.last_mut() else { return Ok(()) };
        let inject_after = |calls: u16, fault| env.proxy.inject_after(usize::from(calls), fault);
        match self {
            Self::RepeatEvent => env.send_event(newest)?,
            Self::RepeatRequest => ops::repeat_request(lambda, creator, newest).await?,
            Self::DeliverMessages => lambda.deliver_messages().await?,
            Self::RunStatus => lambda.run_status().await?,
            Self::DeliverWebhooks => drop(lambda.deliver_webhooks().await?),
            Self::RepeatWebhook(index) => ops::repeat_webhook(lambda, index).await?,
            Self::ForgeWebhook(kind) => ops::forge_webhook(lambda, creator, kind).await?,
            Self::Wait(minutes) => {
                let idle = Duration::from_mins(minutes.into());
                env.advance(idle.as_secs())?;
                lambda.idle += idle;
            }
            Self::Kill(calls, after) => inject_after(calls, Fault::Kill(moment(after))),
            Self::InjectFault(calls, index) => inject_after(calls, fault(index)),
            Self::Cancel => drop(lambda.command(Command::Cancel, &newest.id).await?),
            Self::CancelAt(calls, after) => {
                lambda.target = Some(newest.id.clone());
                inject_after(calls, Fault::Op(Op::Command(Command::Cancel), moment(after)));
            }
            Self::WebhooksAt(calls, after) => inject_after(calls, Fault::Op(Op::DeliverWebhooks, moment(after))),
            Self::Retry => drop(lambda.command(Command::Retry, &newest.id).await?),
            Self::Approve => drop(lambda.command(Command::Approve, &newest.id).await?),
            Self::FailPublish => lambda.failed_publishes.extend(env.fail_publish()),
            Self::Overwrite => {
                // A different size for each video, by which the model finds its publishes.
                let video = TestVideo::new(50_000 + count as u64)?;
                let mut post = env.drop_video(&creator.key("clip.mp4"), &video, &[])?;
                if review {
                    post.model.require_review();
                }
                posts.push(post);
            }
            Self::RepeatUpload => ops::repeat_upload(lambda, newest)?,
            Self::Delete => env.aws.state().bucket.delete(&newest.key),
            Self::DeleteVersion => {
                env.aws.state().bucket.delete_version(&newest.key, &newest.version);
                newest.model.record_object_deleted();
            }
            Self::ExpireToken => env.tiktok.expire_tokens(&creator.user.open_id, TokenKind::Access)?,
            Self::ExpireUrl => {
                if let Some(publish) = env.tiktok.ledger().publishes.last() {
                    env.tiktok.expire_upload(&publish.publish_id)?;
                }
            }
        }
        Ok(())
    }
}

fn moment(after: bool) -> Moment {
    if after { Moment::After } else { Moment::Before }
}

/// A fault that a call to any service can meet.
fn fault(index: u16) -> Fault {
    let all = [
        Fault::DropConnection(Moment::Before),
        Fault::DropConnection(Moment::After),
        Fault::TruncateResponse,
        Fault::ErrorResponse(500, "InternalError"),
        Fault::ErrorResponse(503, "SlowDown"),
        Fault::Delay(300),
        Fault::Simulator(FaultKind::ResetAfterBody),
        Fault::Simulator(FaultKind::LoseAnswer { ending: Ending::Reset }),
        Fault::Simulator(status(500, "", Effect::Happens)),
    ];
    all[usize::from(index) % all.len()].clone()
}
