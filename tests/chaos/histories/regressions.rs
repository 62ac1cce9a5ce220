//! Regression histories: each violated the claim once, or covers a situation in which a defect is likely.
//!
//! `Step::Kill(n, _)` kills at the call after `n` calls from that step on. With the present sequence of calls, a worker
//! that starts a post of [`LARGE`] is in the middle of the upload after 38 calls. After 45 it stores the commit mark
//! (the mark before the last chunk, `LastChunk::MayBeSent`), and after 52 it sends the last chunk. If `publish` makes
//! more or fewer calls, change these numbers, or the histories miss their situations.

use super::{LARGE, Setup, Step, Trigger, Webhooks};

const DROPPED: Setup = Setup { trigger: Trigger::Drop, bytes: LARGE, webhooks: Webhooks::Never, review: false };
const WITH_WEBHOOKS: Setup = Setup { webhooks: Webhooks::Once, ..DROPPED };
const REVIEWED: Setup = Setup { review: true, ..DROPPED };
const UPLOADED: Setup = Setup { trigger: Trigger::Upload, ..WITH_WEBHOOKS };

/// All regressions.
pub(super) const ALL: [(Setup, &[Step]); 10] = [
    // The worker is killed in the middle of the upload, and the upload URL expires before the next one continues.
    (DROPPED, &[Step::Kill(38, true), Step::DeliverMessages, Step::Wait(130), Step::RunStatus, Step::DeliverMessages]),
    // The worker is killed during the last chunk, and TikTok is polled after the upload URL has expired.
    (DROPPED, &[Step::Kill(52, true), Step::DeliverMessages, Step::Wait(70), Step::RunStatus, Step::DeliverMessages]),
    // The object is overwritten and deleted after the worker was killed.
    (DROPPED, &[Step::Kill(30, false), Step::DeliverMessages, Step::Overwrite, Step::Delete, Step::DeliverMessages]),
    // The worker is killed after it stored the commit mark and before it sent a byte of the last chunk. Then the
    // upload URL expires.
    (DROPPED, &[Step::Kill(45, true), Step::DeliverMessages, Step::ExpireUrl]),
    // After the same kill, the access token and the upload URL expire together, and the event is repeated.
    (
        DROPPED,
        &[
            Step::Kill(45, true),
            Step::DeliverMessages,
            Step::ExpireToken,
            Step::ExpireUrl,
            Step::RepeatEvent,
            Step::DeliverMessages,
        ],
    ),
    // The worker is killed in the middle of the upload. Then `api` is killed at its second call while it handles a
    // cancel, and the event is repeated.
    (
        DROPPED,
        &[
            Step::Kill(38, true),
            Step::DeliverMessages,
            Step::Kill(1, true),
            Step::Cancel,
            Step::RepeatEvent,
            Step::DeliverMessages,
        ],
    ),
    // The worker is killed during the last chunk, and TikTok sends the result by a webhook. A forged webhook follows,
    // and then the true one again.
    (
        WITH_WEBHOOKS,
        &[
            Step::Kill(52, true),
            Step::DeliverMessages,
            Step::Wait(1),
            Step::DeliverWebhooks,
            Step::ForgeWebhook(0),
            Step::RepeatWebhook(0),
        ],
    ),
    // TikTok fails the publish, and the post is retried. After it was published, it is retried again, which is
    // rejected.
    (
        REVIEWED,
        &[
            Step::DeliverMessages,
            Step::Approve,
            Step::Kill(38, true),
            Step::DeliverMessages,
            Step::FailPublish,
            Step::Wait(17),
            Step::RunStatus,
            Step::DeliverMessages,
            Step::RunStatus,
            Step::Retry,
            Step::DeliverMessages,
            Step::Wait(3),
            Step::RunStatus,
            Step::Retry,
        ],
    ),
    // A person cancels the post during the request of an unsigned webhook. The check must not take that change for one
    // by the webhook.
    (Setup { trigger: Trigger::Request, ..REVIEWED }, &[Step::CancelAt(0, true), Step::ForgeWebhook(6)]),
    // The video is uploaded twice, its version is deleted, and the request is repeated.
    (
        UPLOADED,
        &[
            Step::RepeatUpload,
            Step::Kill(38, true),
            Step::DeliverMessages,
            Step::DeleteVersion,
            Step::RepeatRequest,
            Step::DeliverMessages,
        ],
    ),
];
