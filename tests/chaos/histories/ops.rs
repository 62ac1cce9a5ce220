//! Steps of a history that need more than one call: requests to `api` with a check of the response, and a repeated
//! upload.

use anyhow::Result;
use harness::Creator;
use harness::aws::{CLIENT_KEY, CLIENT_SECRET};
use serde_json::json;

use crate::story;
use crate::test_env::{Lambda, Request, sign};
use crate::test_post::{TestPost, post_id, post_request};

/// Repeats the request that created a post. If the post was dropped instead, requests a post of its object. The
/// response must not create a second post of that object.
pub(super) async fn repeat_request(lambda: &mut Lambda<'_>, creator: &Creator, post: &TestPost) -> Result<()> {
    if post.request.is_some() {
        return story::repeat_request(lambda, post).await;
    }
    let request = post_request(creator, &post.key, &post.version);
    let Some(response) = lambda.request(&request).await? else { return Ok(()) };
    let is_permitted = match response.status {
        // The request came first, and the drop's event found its post.
        201 => post_id(&response.body)? == post.id,
        // The drop's post exists already.
        409 => lambda.env.state_of(&post.id).is_some(),
        // There is no such object version.
        422 => post.model.is_object_deleted(),
        status => status >= 500,
    };
    if !is_permitted {
        lambda.forbidden.push(format!("{} was dropped and then requested, and the response is {response:?}", post.id));
    }
    Ok(())
}

/// Sends a webhook from TikTok's list again, or before TikTok sends it. It must be accepted.
pub(super) async fn repeat_webhook(lambda: &mut Lambda<'_>, index: u16) -> Result<()> {
    let webhooks = lambda.env.tiktok.webhooks();
    let Some(webhook) = webhooks.get(usize::from(index) % webhooks.len().max(1)) else { return Ok(()) };
    let signature = sign(CLIENT_SECRET, &webhook.body, lambda.env.now())?;
    let response = lambda.request(&Request::webhook(signature, &webhook.body)).await?;
    if response.as_ref().is_some_and(|response| response.status != 200 && response.status < 500) {
        lambda.forbidden.push(format!("TikTok sent {} again, and the response is {response:?}", webhook.body));
    }
    Ok(())
}

/// Sends a forged webhook about the newest publish. It must change no post. `kind` selects the event and the signature:
/// valid but for another user (the event is ignored, 200), another secret, another body, or none (401).
pub(super) async fn forge_webhook(lambda: &mut Lambda<'_>, creator: &Creator, kind: u16) -> Result<()> {
    let env = lambda.env;
    let newest = env.tiktok.ledger().publishes.last().map_or("none".to_owned(), |it| it.publish_id.to_string());
    let event = ["post.publish.complete", "post.publish.failed"][usize::from(kind) % 2];
    let signature_kind = kind / 2 % 4;
    let is_signed = signature_kind == 0;
    let user = if is_signed { "another-user".to_owned() } else { creator.user.open_id.to_string() };
    let content = json!({ "publish_id": newest, "publish_type": "DIRECT_POST", "reason": "spam_risk" });
    let body = json!({
        "client_key": CLIENT_KEY, "event": event, "create_time": env.now().as_second(),
        "user_openid": user, "content": content.to_string(),
    });
    let body = body.to_string();
    let signature = match signature_kind {
        0 => sign(CLIENT_SECRET, &body, env.now())?,
        1 => sign("another secret", &body, env.now())?,
        2 => sign(CLIENT_SECRET, "{}", env.now())?,
        _ => String::new(),
    };
    let before = env.posts();
    lambda.posts_after_op = None;
    let response = lambda.request(&Request::webhook(signature, &body)).await?;
    let expected = if is_signed { 200 } else { 401 };
    let is_permitted = response.as_ref().is_none_or(|it| it.status == expected || it.status >= 500);
    // If an injected operation ran during the request, it may have changed a post. The webhook must change nothing
    // more.
    let expected_posts = lambda.posts_after_op.take().unwrap_or(before);
    if !is_permitted || env.posts() != expected_posts {
        lambda.forbidden.push(format!("{body} was forged, and the response is {response:?}"));
    }
    Ok(())
}

/// Uploads a post's video to its presigned URL again. There must be no second post. Does nothing for a dropped post,
/// because a second drop creates another post ([`Step::Overwrite`](super::Step::Overwrite)).
pub(super) fn repeat_upload(lambda: &Lambda<'_>, post: &TestPost) -> Result<()> {
    if post.request.is_none() {
        return Ok(());
    }
    let version = lambda.env.aws.state().bucket.put(&post.key, post.video.clone(), &[], lambda.env.now());
    lambda.env.send_event(&TestPost { version, ..post.clone() })
}
