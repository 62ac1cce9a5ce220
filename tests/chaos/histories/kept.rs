//! Histories that broke the claim once, or that stand for something that must
//! never break it.

use super::{Cast, EventEntry, LONG, Step, Way};

/// Of most, TikTok says nothing by itself.
const ASKED_OF: Cast = Cast { way: Way::Dropped, bytes: LONG, telling: EventEntry::Never, review: false };
const TOLD_OF: Cast = Cast { telling: EventEntry::Once, ..ASKED_OF };
const REVIEWED: Cast = Cast { review: true, ..ASKED_OF };
const UPLOADED: Cast = Cast { way: Way::Uploaded, ..TOLD_OF };

/// All of them.
pub(super) const ALL: [(Cast, &[Step]); 10] = [
    // The URL's hour ends while nobody sends.
    (ASKED_OF, &[Step::Kill(38, true), Step::Deliver, Step::Pass(130), Step::Look, Step::Deliver]),
    // Killed within the last chunk, and TikTok is asked past the URL's hour.
    (ASKED_OF, &[Step::Kill(52, true), Step::Deliver, Step::Pass(70), Step::Look, Step::Deliver]),
    // Overwritten and deleted while a worker is dead.
    (ASKED_OF, &[Step::Kill(30, false), Step::Deliver, Step::Overwrite, Step::Delete, Step::Deliver]),
    // The worker dies with the mark stored and no byte of the last chunk sent, and the URL with it.
    (ASKED_OF, &[Step::Kill(45, true), Step::Deliver, Step::ExpireUrl]),
    // The token and the URL expire together, and the event comes again.
    (
        ASKED_OF,
        &[Step::Kill(45, true), Step::Deliver, Step::ExpireToken, Step::ExpireUrl, Step::TellAgain, Step::Deliver],
    ),
    // Cancelled while a worker is dead in the middle, by somebody who is killed, too; and the event comes again.
    (
        ASKED_OF,
        &[Step::Kill(38, true), Step::Deliver, Step::Kill(1, true), Step::Cancel, Step::TellAgain, Step::Deliver],
    ),
    // TikTok tells of the end while the worker is dead; it is told again when the post knows it, and others lie.
    (TOLD_OF, &[Step::Kill(52, true), Step::Deliver, Step::Pass(1), Step::Hear, Step::Forge(0), Step::HearAgain(0)]),
    // Refused, tried again, and tried once more when it is posted.
    (
        REVIEWED,
        &[
            Step::Deliver,
            Step::Approve,
            Step::Kill(38, true),
            Step::Deliver,
            Step::Refuse,
            Step::Pass(17),
            Step::Look,
            Step::Deliver,
            Step::Look,
            Step::Retry,
            Step::Deliver,
            Step::Pass(3),
            Step::Look,
            Step::Retry,
        ],
    ),
    // Somebody cancels a post while somebody else lies about it, who is not to blame for that.
    (Cast { way: Way::Asked, ..REVIEWED }, &[Step::CancelAt(0, true), Step::Forge(6)]),
    // The same bytes are uploaded twice, the object goes for good, and the request comes again.
    (
        UPLOADED,
        &[Step::PutAgain, Step::Kill(38, true), Step::Deliver, Step::DeleteForGood, Step::AskAgain, Step::Deliver],
    ),
];
