//! A step of a history, and what is done in it.

use std::time::Duration;

use anyhow::Result;
use aws::TestVideo;
use rand::RngExt;
use rand::rngs::StdRng;
use simulator::{Effect, Ending, FaultKind as TikToks, TokenKind};
use tests::Creator;

use super::deeds;
use crate::dropped::Drop;
use crate::gate::{Deed, Moment, Trouble};
use crate::stage::{Lambda, Stage, Wish};

/// The calls within which a trouble falls: those of a worker or two.
const CALLS: usize = 70;

/// A step of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The event of the newest drop comes once more.
    TellAgain,
    /// The request for the newest post comes once more; or one for what was dropped.
    AskAgain,
    /// The queue hands out what can be seen.
    Deliver,
    /// The schedule comes round.
    Look,
    /// TikTok tells what it has to tell.
    Hear,
    /// TikTok tells once more, or too early, what it told of or will, by its place in the list.
    HearAgain(u16),
    /// Somebody who is not TikTok tells something, in one of several ways.
    Forge(u16),
    /// So many minutes pass, and nobody does anything.
    Pass(u16),
    /// The call after so many others has its process killed, before it or after.
    Kill(u16, bool),
    /// The call after so many others meets a trouble, by its place in a list.
    Suffer(u16, u16),
    /// A person cancels the newest post.
    Cancel,
    /// A person does so while the call after so many others waits, before it or after.
    CancelAt(u16, bool),
    /// TikTok tells while the call after so many others waits, before it or after.
    HearAt(u16, bool),
    /// A person has the newest post tried again.
    Retry,
    /// A person approves of the newest post.
    Approve,
    /// TikTok refuses the newest upload.
    Refuse,
    /// Another film is dropped at the same key.
    Overwrite,
    /// The newest film is put where it is once more.
    PutAgain,
    /// The newest drop is deleted, as a person does: its version stays.
    Delete,
    /// The newest drop's version is deleted, too.
    DeleteForGood,
    /// The creator's access token expires.
    ExpireToken,
    /// The newest upload's URL expires.
    ExpireUrl,
}

impl Step {
    /// Trouble for one of the calls to come.
    pub(super) fn trouble(random: &mut StdRng) -> Self {
        let (call, after) = (u16::try_from(random.random_range(0..CALLS)).unwrap_or(0), random.random_bool(0.5));
        match random.random_range(0..8) {
            0..=3 => Self::Kill(call, after),
            4 | 5 => Self::Suffer(call, random.random_range(0..64)),
            6 => Self::CancelAt(call, after),
            _ => Self::HearAt(call, after),
        }
    }

    /// Any step.
    pub(super) fn random(random: &mut StdRng) -> Self {
        match random.random_range(0..32) {
            0 => Self::TellAgain,
            1 => Self::AskAgain,
            2..=7 => Self::Deliver,
            8..=10 => Self::Look,
            11 | 12 => Self::Hear,
            13 => Self::HearAgain(random.random_range(0..6)),
            14 => Self::Forge(random.random_range(0..8)),
            15..=17 => Self::Pass([1, 3, 17, 70, 130, 1500][random.random_range(0..6)]),
            18..=23 => Self::trouble(random),
            24 | 25 => Self::Cancel,
            26 => Self::Retry,
            27 => Self::Approve,
            28 => Self::Refuse,
            29 => [Self::Overwrite, Self::PutAgain][random.random_range(0..2)],
            30 => [Self::Delete, Self::DeleteForGood][random.random_range(0..2)],
            _ => [Self::ExpireToken, Self::ExpireUrl][random.random_range(0..2)],
        }
    }

    /// Takes it; `review` says whether somebody has to approve of what is dropped.
    pub(super) async fn take(
        self,
        stage: &Stage,
        lambda: &mut Lambda<'_>,
        maker: &Creator,
        drops: &mut Vec<Drop>,
        review: bool,
    ) -> Result<()> {
        let nth = drops.len();
        let Some(newest) = drops.last_mut() else { return Ok(()) };
        match self {
            Self::TellAgain => stage.tell_of(newest)?,
            Self::AskAgain => deeds::ask(stage, lambda, maker, newest).await?,
            Self::Deliver => while lambda.deliver().await? {},
            Self::Look => lambda.look().await?,
            Self::Hear => drop(lambda.hear().await?),
            Self::HearAgain(which) => deeds::receive_again(stage, lambda, which).await?,
            Self::Forge(how) => deeds::forge(stage, lambda, maker, how).await?,
            Self::Pass(minutes) => {
                let idle = Duration::from_mins(minutes.into());
                stage.advance(idle.as_secs())?;
                lambda.idle += idle;
            }
            Self::Kill(others, after) => stage.gate.order_after(usize::from(others), Trouble::Kill(moment(after))),
            Self::Suffer(others, which) => stage.gate.order_after(usize::from(others), trouble(which)),
            Self::Cancel => drop(lambda.wish(Wish::Cancel, &newest.post).await?),
            Self::CancelAt(others, after) => {
                lambda.target = Some(newest.post.clone());
                let cancel = Trouble::Meanwhile(Deed::Cancel, moment(after));
                stage.gate.order_after(usize::from(others), cancel);
            }
            Self::HearAt(others, after) => {
                stage.gate.order_after(usize::from(others), Trouble::Meanwhile(Deed::Tell, moment(after)));
            }
            Self::Retry => drop(lambda.wish(Wish::Retry, &newest.post).await?),
            Self::Approve => drop(lambda.wish(Wish::Approve, &newest.post).await?),
            Self::Refuse => lambda.refused.extend(stage.refuse()),
            Self::Overwrite => {
                let film = TestVideo::new(50_000 + nth as u64)?;
                let mut dropped = stage.drop_film(&maker.key("clip.mp4"), &film, &[])?;
                if review {
                    dropped.model.under_review();
                }
                drops.push(dropped);
            }
            Self::PutAgain => deeds::put_again(stage, newest)?,
            Self::Delete => stage.aws.state().bucket.delete(&newest.key),
            Self::DeleteForGood => {
                stage.aws.state().bucket.delete_version(&newest.key, &newest.version);
                newest.model.gone();
            }
            Self::ExpireToken => stage.tiktok.expire_tokens(&maker.user.open_id, TokenKind::Access)?,
            Self::ExpireUrl => {
                if let Some(upload) = stage.tiktok.ledger().publishes.last() {
                    stage.tiktok.expire_upload(&upload.publish_id)?;
                }
            }
        }
        Ok(())
    }
}

fn moment(after: bool) -> Moment {
    if after { Moment::After } else { Moment::Before }
}

/// A trouble that any call may meet, whoever is called.
fn trouble(which: u16) -> Trouble {
    let all = [
        Trouble::Lose(Moment::Before),
        Trouble::Lose(Moment::After),
        Trouble::Cut,
        Trouble::Refuse(500, "InternalError"),
        Trouble::Refuse(503, "SlowDown"),
        Trouble::Pass(300),
        Trouble::TikTok(TikToks::ResetAfterBody),
        Trouble::TikTok(TikToks::LoseAnswer { ending: Ending::Reset }),
        Trouble::TikTok(TikToks::Status {
            http_status: 500,
            code: String::new(),
            message: String::new(),
            effect: Effect::Happens,
        }),
    ];
    all[usize::from(which) % all.len()].clone()
}
