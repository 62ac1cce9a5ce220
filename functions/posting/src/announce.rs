//! Announcing where a post stands: a line in the log, and the object's tags,
//! for people who only have the S3 console.

use domain::failure::in_full;
use domain::post::{Post, PostState};

use crate::posting::Posting;

impl Posting {
    /// Says where a post stands now. A post never fails for want of a tag; the
    /// log says that one is missing.
    pub(crate) async fn announce(&self, post: &Post) {
        log(post);
        let tags = [("dropcast:post", post.id.as_str()), ("dropcast:state", post.state_name().as_str())];
        if let Err(error) = self.objects.tag(&post.source, &tags).await {
            tracing::warn!(post.id = %post.id, error = in_full(&error), "the object could not be tagged with its post's state");
        }
    }
}

fn log(post: &Post) {
    let (id, account, state) = (&post.id, &post.account, post.state_name());
    let publish_id = post.publish_id().map(tracing::field::display);
    match &post.state {
        PostState::Failed { failure, .. } => {
            let (code, log_id) = (&failure.code, &failure.log_id);
            tracing::error!(
                post.id = %id, post.state = %state, account = %account, publish.id = publish_id,
                failure.code = code, tiktok.log_id = log_id, "post failed: {failure}"
            );
        }
        PostState::Published { links, .. } => tracing::info!(
            post.id = %id, post.state = %state, account = %account, publish.id = publish_id,
            share_url = links.share_url, "post published"
        ),
        _ => {
            let note = post.history.last().map_or("", |entry| &entry.note);
            tracing::info!(
                post.id = %id, post.state = %state, account = %account, publish.id = publish_id,
                "post {state}: {note}"
            );
        }
    }
}
