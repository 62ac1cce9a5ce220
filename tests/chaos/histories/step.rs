//! The steps of a history, their random choice, and what each one does.

use std::time::Duration;

use anyhow::Result;
use harness::{Creator, TestVideo};
use rand::RngExt;
use rand::rngs::StdRng;
use simulator::{Effect, Ending, FaultKind, TokenKind};

use super::ops;
use crate::fault_proxy::{Fault, Moment, Op};
use crate::faults::http_error;
use crate::test_env::{Command, Lambda};
use crate::test_post::TestPost;

/// A random fault is planned for one of this number of next calls. One or two invocations of `publish` make as many.
const CALL_RANGE: usize = 70;

/// A step. "The newest post" is the post of the last dropped video, or the first post. "At the call after `n` calls"
/// counts the calls from this step on, so 0 is the next call.
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
    /// TikTok sends a webhook again or too early. The number is its index in the simulator's list, modulo the length.
    RepeatWebhook(u16),
    /// An attacker sends a webhook. The number selects its kind (`ops::forge_webhook`).
    ForgeWebhook(u16),
    /// This number of minutes passes, in which no function is invoked.
    Wait(u16),
    /// The calling process is killed at the call after this number of calls: after the call took effect if true, before
    /// it if false.
    Kill(u16, bool),
    /// A fault is injected at the call after the first number of calls. The second number selects it ([`fault`]).
    InjectFault(u16, u16),
    /// A person cancels the newest post.
    Cancel,
    /// A person cancels the newest post during the call after this number of calls: after it took effect if true,
    /// before it if false.
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
    /// The newest post's object is deleted with a delete marker. Its version remains readable.
    Delete,
    /// The version of the newest post's object is deleted.
    DeleteVersion,
    /// The creator's access token expires.
    ExpireToken,
    /// The upload URL of the newest publish expires.
    ExpireUrl,
}

impl Step {
    /// A random step that plans a fault or an operation for a later call. If the draws here or in
    /// [`random`](Self::random) change in order or range, each seed gives another history.
    pub(super) fn random_fault(random: &mut StdRng) -> Self {
        let (calls, after) = (u16::try_from(random.random_range(0..CALL_RANGE)).unwrap_or(0), random.random_bool(0.5));
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
            // 17 minutes exceed the queue's visibility timeout, 70 the validity of an upload URL, 130 that of an access
            // token (2 h in the simulator), and 1500 a day.
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
        let (env, post_count) = (lambda.env, posts.len());
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
                let pause = Duration::from_mins(minutes.into());
                env.advance(pause.as_secs())?;
                lambda.paused += pause;
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
                // Each video has another size, because the model finds a video's publishes by the size.
                let video = TestVideo::new(50_000 + post_count as u64)?;
                let mut post = env.drop_video(&creator.key("clip.mp4"), &video, &[])?;
                if review {
                    post.model.require_review();
                }
                posts.push(post);
            }
            Self::RepeatUpload => ops::repeat_upload(lambda, newest)?,
            Self::Delete => env.aws.state().bucket.delete(&newest.key, env.now()),
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

/// The fault with this index, modulo their number. The simulator's faults have no effect on calls to AWS.
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
        Fault::Simulator(http_error(500, "", Effect::Happens)),
    ];
    all[usize::from(index) % all.len()].clone()
}
