//! What an operator sees of a post: a log line for each step, and its trace.

mod notices;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::identity::PostId;
use domain::post::StateName;
use harness::{Cloud, Dropped, Put, TestVideo, is_linked};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::aws_cli::aws;
use crate::recorded_events::{message, notification, publish};
use crate::runner::{WithCreator, poll_until, scenarios};

scenarios![concurrent:
    each_step_of_a_post_logs_one_complete_line,
    one_trace_covers_post_from_drop_to_link,
    post_keeps_the_trace_of_its_drop;
    notices
];

/// The steps of a successful drop, each with the fields of its line besides the post.
const STEPS: [(&str, &[&str]); 6] = [
    ("event received: post stored", &["account", "object.key", "video.bytes"]),
    ("post claimed", &["attempt"]),
    ("video checked: asking TikTok for an upload", &["title", "privacy_level", "mode", "video.bytes", "chunks"]),
    ("upload begun", &["publish.id"]),
    ("last chunk accepted", &["publish.id", "video.bytes", "upload.bytes_per_s"]),
    ("post processing: ", &["publish.id"]),
];

/// The lines of a function's log as text; with a word, only the lines that contain it.
pub(crate) async fn log_of(cloud: &Cloud, function: &str, word: Option<&str>) -> Result<Vec<String>> {
    let group = format!("/aws/lambda/{function}");
    let mut call = vec!["logs", "filter-log-events", "--log-group-name", &group];
    let pattern = word.map(|word| format!("\"{word}\""));
    call.extend(pattern.iter().flat_map(|pattern| ["--filter-pattern", pattern.as_str()]));
    let log = aws(cloud, &call).await?;
    let events = log["events"].as_array().context("a log has events")?;
    Ok(events.iter().filter_map(|event| event["message"].as_str()).map(str::to_owned).collect())
}

/// The lines that the function itself logged, without those of Lambda. Each is JSON.
pub(crate) async fn lines_of(cloud: &Cloud, function: &str, word: Option<&str>) -> Result<Vec<Value>> {
    let is_lambdas =
        |line: &str| ["START ", "END ", "REPORT ", "INIT_START "].iter().any(|prefix| line.starts_with(prefix));
    let mut lines = Vec::new();
    for line in log_of(cloud, function, word).await? {
        let line = line.trim();
        if !line.is_empty() && !is_lambdas(line) {
            let json = serde_json::from_str(line);
            lines.push(json.with_context(|| format!("a line of {function} is not JSON: {line}"))?);
        }
    }
    Ok(lines)
}

/// Waits until a line about a post has this message, and returns all lines about it. A line appears in the log after
/// its invocation has ended. Lines with metrics (`_aws`) are left out.
async fn lines_about(cloud: &Cloud, function: &str, post: &PostId, expected: &str) -> Result<Vec<Value>> {
    let wanted = format!("line {expected:?} of {function} about {post}");
    poll_until(&wanted, Duration::from_secs(20), Duration::from_millis(500), async || {
        let mut lines = lines_of(cloud, function, Some(post.as_str())).await?;
        lines.retain(|line| line["post.id"] == json!(post.as_str()) && line.get("_aws").is_none());
        Ok(lines.iter().any(|line| has_message(line, expected)).then_some(lines))
    })
    .await
}

fn has_message(line: &Value, message: &str) -> bool {
    line["message"].as_str().is_some_and(|text| text.starts_with(message))
}

async fn each_step_of_a_post_logs_one_complete_line((cloud, creator): WithCreator) -> Result<()> {
    let metadata = [("dropcast-title", "Bread, finally")];
    let dropped = creator.drop_with_metadata("clip.mp4", &TestVideo::new(1_000_000)?, &metadata).await?;
    let post = cloud.await_state(&dropped.post, StateName::Published).await?;
    let outputs = cloud.outputs();
    let lines = lines_about(&cloud, &outputs.publish_function, &dropped.post, STEPS[5].0).await?;
    let mut rest = lines.iter();
    for (step, fields) in STEPS {
        let line = rest.find(|line| has_message(line, step));
        let line = line.with_context(|| format!("{step:?} is missing or out of order"))?;
        for field in fields {
            ensure!(!line[field].is_null(), "{step:?} has no {field}: {line}");
        }
        ensure!(!line["spans"][0]["requestId"].is_null(), "the line does not name the invocation: {line}");
    }
    let published = lines_about(&cloud, &outputs.status_function, &dropped.post, "post published").await?;
    let published = published.iter().find(|line| has_message(line, "post published")).context("no such line")?;
    let publish_id = post.publish_id().context("it was published")?;
    assert_eq!((&published["publish.id"], &published["level"]), (&json!(publish_id.as_str()), &json!("INFO")));
    ensure!(published["spans"].to_string().contains(dropped.post.as_str()), "{published}");
    Ok(())
}

async fn one_trace_covers_post_from_drop_to_link((cloud, creator): WithCreator) -> Result<()> {
    let outputs = cloud.outputs();
    let trace = format!("1-6925e988-{}", &Uuid::new_v4().simple().to_string()[..24]);
    let put = Put::new(creator.key("clip.mp4"), &TestVideo::small());
    let dropped = cloud.put(put.traced(format!("Root={trace};Parent=53995c3f42cd8ad8;Sampled=1"))).await?;
    cloud.await_post(&dropped.post, "published and linked", is_linked).await?;
    for (function, expected) in [
        (&outputs.publish_function, "event received: post stored"),
        (&outputs.publish_function, "last chunk accepted"),
        (&outputs.publish_function, "post processing: "),
        (&outputs.status_function, "post published"),
    ] {
        for line in lines_about(&cloud, function, &dropped.post, expected).await? {
            ensure!(line.to_string().contains(&trace), "a line of {function} has no trace: {line}");
        }
    }
    Ok(())
}

async fn post_keeps_the_trace_of_its_drop((cloud, creator): WithCreator) -> Result<()> {
    let outputs = cloud.outputs();
    // The object never existed, so there is no other event about it.
    let dropped = Dropped::at(&outputs.intake_bucket, &creator.key("traced.mp4"), "never-was", &TestVideo::small());
    let trace = "1-6925e988-bd862e3fe1be46a994272793";
    let mut event = message("m-1", &notification(&dropped)?.to_string())?;
    event["attributes"]["AWSTraceHeader"] = json!(format!("Root={trace};Parent=53995c3f42cd8ad8;Sampled=1"));
    publish(&cloud, &json!({ "Records": [event] })).await?;
    cloud.await_failure(&dropped).await?;
    let stored = cloud.post(&dropped.post).await?.trace.clone();
    assert_eq!(stored.as_ref().map(ToString::to_string).as_deref(), Some(trace));
    let lines = lines_about(&cloud, &outputs.publish_function, &dropped.post, "post failed").await?;
    let failed = lines.iter().find(|line| has_message(line, "post failed")).context("no such line")?;
    let span = failed["spans"].as_array().and_then(|spans| spans.last()).context("the line has spans")?;
    assert_eq!(span["trace.id"], json!(trace));
    Ok(())
}
