//! Records a post's new state outside of the posts table: in the log, in the metrics, and in the S3 object's tags, for
//! people who only have the S3 console.

use domain::failure::error_chain;
use domain::post::{Post, PostState};
use storage::{Objects, Posts};

use crate::invocation::Instruments;
use crate::measure::Measurement;

/// The tag with the id of the object's post.
pub(crate) const POST_TAG: &str = "dropcast:post";
/// How often the tags are written at most. They are written again if another worker has changed the post's state.
const MAX_TAG_WRITES: u32 = 4;

from_dependencies! {
    pub(crate) struct StateRecorder { posts: Posts, objects: Objects, instruments: Instruments, }
}

impl StateRecorder {
    /// Logs, measures and tags a post's state. A post never fails for lack of a tag; a failure to tag is logged.
    ///
    /// S3 has no conditional tag writes: another worker may have moved the post on and tagged it first. So the post is
    /// read again after each write, and tagged again if its state has changed. The last tag is the newest state.
    pub(crate) async fn record_state(&self, post: &Post) {
        log(post);
        if let Some(measurement) = Measurement::of_state(post, self.instruments.now()) {
            self.instruments.measure(&measurement);
        }
        if !post.source.version.is_known() {
            return;
        }
        let mut state = post.state_name();
        for _ in 0..MAX_TAG_WRITES {
            let mut tags = vec![(POST_TAG, post.id.as_str()), ("dropcast:state", state.as_str())];
            // The tag stays true when the post is released.
            tags.extend(post.earlier_post().map(|earlier| ("dropcast:same-video-as", earlier.as_str())));
            if let Err(error) = self.objects.tag(&post.source, &tags).await {
                let error = error_chain(&error);
                tracing::warn!(post.id = %post.id, error, "object not tagged with the state of its post");
                return;
            }
            match self.posts.get(&post.id).await {
                Ok(Some(newest)) if newest.state_name() != state => state = newest.state_name(),
                _ => return,
            }
        }
    }
}

/// Logs and measures a post that was stored for the first time. `event` is the log's message.
pub(crate) fn record_received(post: &Post, instruments: &Instruments, event: &str) {
    tracing::info!(
        post.id = %post.id, account = %post.account, object.key = post.source.key, video.bytes = post.bytes,
        trace.id = post.trace.as_ref().map(tracing::field::display), "{event}"
    );
    instruments.measure(&Measurement::received(post));
}

/// The span of all log lines about a post. Its level is ERROR, the highest, so that no `LOG_LEVEL` removes its fields.
pub(crate) fn span_of(post: &Post) -> tracing::Span {
    let trace = post.trace.as_ref().map(tracing::field::display);
    tracing::error_span!("post", post.id = %post.id, account = %post.account, trace.id = trace)
}

fn log(post: &Post) {
    let (id, account, state) = (&post.id, &post.account, post.state_name());
    let publish_id = post.publish_id().map(tracing::field::display);
    match &post.state {
        PostState::Failed { failure, .. } => tracing::error!(
            post.id = %id, post.state = %state, account = %account, publish.id = publish_id,
            failure.code = %failure.reason, tiktok.log_id = failure.log_id, "post failed: {failure}"
        ),
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

#[cfg(test)]
mod tests {
    use domain::post::StateName;
    use yaml_serde::Value;

    /// A lifecycle rule of the bucket that removes versions: the state that it selects, and whether it removes current
    /// versions.
    fn removing_rules() -> Vec<(String, bool)> {
        let template: Value = yaml_serde::from_str(include_str!("../../../template.yaml")).unwrap();
        let rules = &template["Resources"]["IntakeBucket"]["Properties"]["LifecycleConfiguration"]["Rules"];
        let mut removing = Vec::new();
        for rule in rules.as_sequence().unwrap() {
            // `!If [condition, rule, no value]`
            let rule = match rule {
                Value::Tagged(conditional) => &conditional.value[1],
                rule => rule,
            };
            let removes_current = !rule["ExpirationInDays"].is_null();
            if removes_current || !rule["NoncurrentVersionExpiration"].is_null() {
                let tag = &rule["TagFilters"][0];
                assert_eq!(tag["Key"].as_str(), Some("dropcast:state"), "{rule:?}");
                removing.push((tag["Value"].as_str().unwrap().to_owned(), removes_current));
            }
        }
        removing
    }

    #[test]
    fn only_versions_of_finished_posts_are_removed() {
        let rules = removing_rules();
        for (state, removes_current) in &rules {
            // `sidecar` and `ignored` are no states of a post.
            assert!(StateName::parse(state).is_none_or(StateName::is_final), "{state}");
            assert!(!removes_current || ["published", "delivered"].contains(&state.as_str()), "{state}");
        }
        for state in ["published", "delivered", "failed", "cancelled", "sidecar", "ignored"] {
            assert!(rules.contains(&(state.to_owned(), false)), "old versions with the state {state} are kept");
        }
    }
}
