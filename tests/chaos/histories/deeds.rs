//! What programs, TikTok, and those who would be TikTok do in a history, and what
//! they may be answered.

use anyhow::Result;
use aws::{CLIENT_KEY, CLIENT_SECRET};
use serde_json::json;
use tests::Creator;

use crate::dropped::{Drop, asking_for, named};
use crate::stage::{Lambda, Request, Stage, sign};
use crate::story::ask_again;

/// Asks once more; of what was dropped there is no second post.
pub(super) async fn ask(stage: &Stage, lambda: &mut Lambda<'_>, maker: &Creator, newest: &Drop) -> Result<()> {
    if newest.request.is_some() {
        return ask_again(lambda, newest).await;
    }
    let Some(answer) = lambda.ask(&asking_for(maker, newest)).await? else { return Ok(()) };
    let is_true = match answer.status {
        201 => named(&answer.body)? == newest.post,
        409 => stage.state_of(&newest.post).is_some(),
        422 => newest.model.is_gone(),
        status => status >= 500,
    };
    if !is_true {
        lambda.untrue.push(format!("{} was dropped and asked for, and the answer is {answer:?}", newest.post));
    }
    Ok(())
}

/// What TikTok tells is always taken.
pub(super) async fn receive_again(stage: &Stage, lambda: &mut Lambda<'_>, which: u16) -> Result<()> {
    let all = stage.tiktok.webhooks();
    let Some(told) = all.get(usize::from(which) % all.len().max(1)) else { return Ok(()) };
    let signature = sign(CLIENT_SECRET, &told.body, stage.now())?;
    let answer = lambda.ask(&Request::webhook(signature, &told.body)).await?;
    if answer.as_ref().is_some_and(|answer| answer.status != 200 && answer.status < 500) {
        lambda.untrue.push(format!("TikTok told {} again, and was answered with {answer:?}", told.body));
    }
    Ok(())
}

/// What somebody else tells changes no post.
pub(super) async fn forge(stage: &Stage, lambda: &mut Lambda<'_>, maker: &Creator, how: u16) -> Result<()> {
    let publish = stage.tiktok.ledger().publishes.last().map_or("none".to_owned(), |it| it.publish_id.to_string());
    let event = ["post.publish.complete", "post.publish.failed"][usize::from(how) % 2];
    let (own, other) = (maker.user.open_id.to_string(), "somebody-else".to_owned());
    // TikTok itself may speak of a publish that is another user's.
    let foreign = (how / 2).is_multiple_of(4);
    let content = json!({ "publish_id": publish, "publish_type": "DIRECT_POST", "reason": "spam_risk" });
    let body = json!({
        "client_key": CLIENT_KEY, "event": event, "create_time": stage.now().as_second(),
        "user_openid": if foreign { other } else { own }, "content": content.to_string(),
    });
    let body = body.to_string();
    let signature = match how / 2 % 4 {
        0 => sign(CLIENT_SECRET, &body, stage.now())?,
        1 => sign("another secret", &body, stage.now())?,
        2 => sign(CLIENT_SECRET, "{}", stage.now())?,
        _ => String::new(),
    };
    let before = stage.posts();
    lambda.left = None;
    let answer = lambda.ask(&Request::webhook(signature, &body)).await?;
    let expected = if foreign { 200 } else { 401 };
    let is_answered = answer.as_ref().is_none_or(|answer| answer.status == expected || answer.status >= 500);
    // Whoever may change a post could have done so meanwhile.
    let left = lambda.left.take().unwrap_or(before);
    if !is_answered || stage.posts() != left {
        lambda.untrue.push(format!("{body} was forged, and was answered with {answer:?}"));
    }
    Ok(())
}

/// The same bytes at the same key: what was uploaded is the same post, and what was
/// dropped another one, which is not dropped here.
pub(super) fn put_again(stage: &Stage, newest: &Drop) -> Result<()> {
    if newest.request.is_none() {
        return Ok(());
    }
    let version = stage.aws.state().bucket.put(&newest.key, newest.film.clone(), &[]);
    stage.tell_of(&Drop { version, ..newest.clone() })
}
