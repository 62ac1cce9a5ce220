//! Announcing where a post stands: a line in the log, what is counted, and the
//! object's tags, for people who only have the S3 console.

use domain::failure::error_chain;
use domain::post::{Post, PostState};

use crate::measure::Measurement;
use crate::posting::Posting;

/// How often a post that keeps moving on is tagged.
const TAG_TRIES: u32 = 4;

impl Posting {
    /// Says where a post stands now. A post never fails for want of a tag; the
    /// log says that one is missing.
    ///
    /// Tags know no conditions. Another worker may have moved the post on and
    /// tagged it first, so whoever has tagged looks again: the last tag is that
    /// of the newest state.
    pub(crate) async fn record_state(&self, post: &Post) {
        log(post);
        if let Some(reading) = Measurement::of_state(post, self.now()) {
            self.measure(&reading);
        }
        if !post.source.version.is_known() {
            return;
        }
        let mut state = post.state_name();
        for _ in 0..TAG_TRIES {
            let tags = [("dropcast:post", post.id.as_str()), ("dropcast:state", state.as_str())];
            if let Err(error) = self.objects.tag(&post.source, &tags).await {
                let error = error_chain(&error);
                tracing::warn!(post.id = %post.id, error, "the object could not be tagged with its post's state");
                return;
            }
            match self.posts.get(&post.id).await {
                Ok(Some(newest)) if newest.state_name() != state => state = newest.state_name(),
                _ => return,
            }
        }
    }
}

/// What every line that is said of a post says of it, at whatever level.
pub(crate) fn span_of(post: &Post) -> tracing::Span {
    let trace = post.trace.as_ref().map(tracing::field::display);
    tracing::error_span!("post", post.id = %post.id, account = %post.account, trace.id = trace)
}

fn log(post: &Post) {
    let (id, account, state) = (&post.id, &post.account, post.state_name());
    let publish_id = post.publish_id().map(tracing::field::display);
    match &post.state {
        PostState::Failed { failure, .. } => {
            let (code, log_id) = (failure.reason.code(), &failure.log_id);
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
