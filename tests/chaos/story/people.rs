//! What people do about a post, until there is an answer.

use std::time::Duration;

use anyhow::{Result, bail};
use simulator::{FailReason, LedgerEntry};
use tests::Creator;

use crate::dropped::Drop;
use crate::gate::Parting;
use crate::stage::{Lambda, Stage, Wish};

/// After this, a message that was handed out can be seen again, and a lease has run out.
const A_WHILE: Duration = Duration::from_mins(17);
/// How often somebody wishes something of a post, at the most.
const MOST_WISHES: usize = 12;

/// Has the consent end as soon as a post is stored.
pub(super) async fn part(
    stage: &Stage,
    lambda: &mut Lambda<'_>,
    dropped: &Drop,
    maker: &Creator,
    parting: Parting,
) -> Result<()> {
    for _ in 0..MOST_WISHES {
        while lambda.deliver().await? {}
        if stage.state_of(&dropped.post).is_none() {
            stage.advance(A_WHILE.as_secs())?;
            continue;
        }
        let answer = lambda.part(maker, parting).await?;
        if parting != Parting::Disconnected || answer.is_some_and(|answer| answer.status == 200) {
            return Ok(());
        }
        stage.advance(5)?;
    }
    bail!("the consent does not end")
}

/// Has what TikTok refused be tried again, where the consent was gone when it came to a verdict.
pub(super) async fn mend(stage: &Stage, lambda: &mut Lambda<'_>, maker: &Creator, dropped: &mut Drop) -> Result<()> {
    lambda.settle(std::slice::from_ref(maker), 1).await?;
    let refused = |upload: &LedgerEntry| upload.fail_reason == Some(FailReason::AuthRemoved);
    if stage.tiktok.ledger().publishes.iter().any(refused) {
        dropped.model.refused();
        wish(stage, lambda, dropped, Wish::Retry).await?;
    }
    Ok(())
}

/// Wishes something of a post before anybody has worked on it.
pub(super) async fn wish_at_once(stage: &Stage, lambda: &mut Lambda<'_>, dropped: &Drop, wanted: Wish) -> Result<()> {
    match lambda.wish(wanted, &dropped.post).await? {
        Some(..500) => Ok(()),
        _ => wish(stage, lambda, dropped, wanted).await,
    }
}

/// Wishes something of a post as soon as it is stored, and again until there is an answer.
pub(crate) async fn wish(stage: &Stage, lambda: &mut Lambda<'_>, dropped: &Drop, wish: Wish) -> Result<()> {
    for _ in 0..MOST_WISHES {
        while lambda.deliver().await? {}
        match lambda.wish(wish, &dropped.post).await? {
            Some(404) => stage.advance(A_WHILE.as_secs())?,
            None | Some(500..) => stage.advance(5)?,
            Some(_) => return Ok(()),
        }
    }
    bail!("{wish:?} is never answered")
}
