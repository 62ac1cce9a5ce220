//! What an operator sees of a post: a line for each step, in its trace.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::identity::PostId;
use domain::post::{Post, StateName};
use serde_json::{Value, json};
use tests::{Cloud, Creator, Dropped, Footage, Put};
use uuid::Uuid;

use crate::aftermath::aws;
use crate::events::{invoke, message, notification};
use crate::harness::stories;
use crate::options::failure_of;

stories![among:
    each_step_of_a_post_is_a_line_that_can_be_read_alone,
    a_post_is_followed_from_its_drop_to_its_link_by_one_trace,
    a_post_keeps_the_trace_in_which_it_was_dropped,
];

/// The steps of a drop that goes well, each with what its line says besides the post.
const STEPS: [(&str, &[&str]); 6] = [
    ("event received: post stored", &["account", "object.key", "video.bytes"]),
    ("post claimed", &["attempt"]),
    ("video checked: asking TikTok for an upload", &["title", "privacy_level", "mode", "video.bytes", "chunks"]),
    ("upload begun", &["publish.id"]),
    ("last chunk accepted", &["publish.id", "video.bytes", "upload.bytes_per_s"]),
    ("post processing: ", &["publish.id"]),
];
/// How often it is looked whether a line is there: logs come when their invocation has ended.
const LOOKS: u32 = 40;

/// The lines of a function's log, or those that have a word; what Lambda says itself
/// is passed over.
pub(crate) async fn lines_of(cloud: &Cloud, function: &str, word: Option<&str>) -> Result<Vec<Value>> {
    let group = format!("/aws/lambda/{function}");
    let mut call = vec!["logs", "filter-log-events", "--log-group-name", &group];
    let pattern = word.map(|word| format!("\"{word}\""));
    call.extend(pattern.iter().flat_map(|pattern| ["--filter-pattern", pattern.as_str()]));
    let log = aws(cloud, &call).await?;
    let events = log["events"].as_array().context("a log has events")?;
    let mut lines = Vec::new();
    for line in events.iter().filter_map(|event| event["message"].as_str()) {
        let line = line.trim();
        if line.is_empty() || ["START ", "END ", "REPORT ", "INIT_START "].iter().any(|own| line.starts_with(own)) {
            continue;
        }
        lines.push(serde_json::from_str(line).with_context(|| format!("a line of {group} is no JSON: {line}"))?);
    }
    Ok(lines)
}

/// The lines about a post, as soon as one of them says something.
async fn lines_about(cloud: &Cloud, function: &str, post: &PostId, telltale: &str) -> Result<Vec<Value>> {
    for _ in 0..LOOKS {
        let mut lines = lines_of(cloud, function, Some(post.as_str())).await?;
        lines.retain(|line| line["post.id"] == json!(post.as_str()) && line.get("_aws").is_none());
        if lines.iter().any(|line| says(line, telltale)) {
            return Ok(lines);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    anyhow::bail!("{function} never said {telltale:?} of {post}")
}

fn says(line: &Value, message: &str) -> bool {
    line["message"].as_str().is_some_and(|said| said.starts_with(message))
}

async fn each_step_of_a_post_is_a_line_that_can_be_read_alone(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let said = [("title", "Bread, finally")];
    let dropped = maker.drops_saying("clip.mp4", &Footage::long(1_000_000)?, &said).await?;
    let post = cloud.await_state(&dropped.post, StateName::Published).await?;
    let outputs = cloud.outputs();
    let lines = lines_about(&cloud, &outputs.publish_function, &dropped.post, STEPS[5].0).await?;
    let mut rest = lines.iter();
    for (step, facts) in STEPS {
        let line =
            rest.find(|line| says(line, step)).with_context(|| format!("{step:?} is not there, in its order"))?;
        for fact in facts {
            ensure!(!line[fact].is_null(), "{step:?} does not say {fact}: {line}");
        }
        ensure!(!line["spans"][0]["requestId"].is_null(), "the invocation is not named: {line}");
    }
    let published = lines_about(&cloud, &outputs.status_function, &dropped.post, "post published").await?;
    let published = published.iter().find(|line| says(line, "post published")).context("it was just found")?;
    let publish_id = post.publish_id().context("it was published")?;
    assert_eq!((&published["publish.id"], &published["level"]), (&json!(publish_id.as_str()), &json!("INFO")));
    ensure!(published["spans"].to_string().contains(dropped.post.as_str()), "{published}");
    Ok(())
}

async fn a_post_is_followed_from_its_drop_to_its_link_by_one_trace(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let outputs = cloud.outputs();
    let trace = format!("1-6925e988-{}", &Uuid::new_v4().simple().to_string()[..24]);
    let put = Put::new(maker.key("clip.mp4"), &Footage::fresh()?);
    let dropped = cloud.put(put.traced(format!("Root={trace};Parent=53995c3f42cd8ad8;Sampled=1"))).await?;
    let linked = |post: &Post| post.state_name() == StateName::Published && post.due_at.is_none();
    cloud.await_post(&dropped.post, "published and linked", tests::PATIENCE, linked).await?;
    for (function, telltale) in [
        (&outputs.publish_function, "event received: post stored"),
        (&outputs.publish_function, "last chunk accepted"),
        (&outputs.publish_function, "post processing: "),
        (&outputs.status_function, "post published"),
    ] {
        for line in lines_about(&cloud, function, &dropped.post, telltale).await? {
            ensure!(line.to_string().contains(&trace), "{function} does not say in which trace: {line}");
        }
    }
    Ok(())
}

async fn a_post_keeps_the_trace_in_which_it_was_dropped(cloud: Arc<Cloud>) -> Result<()> {
    let maker = Creator::connect(&cloud).await?;
    let outputs = cloud.outputs();
    // No other event tells of an object that never was.
    let dropped = Dropped::at(&outputs.intake_bucket, &maker.key("traced.mp4"), "never-was", &Footage::fresh()?);
    let trace = "1-6925e988-bd862e3fe1be46a994272793";
    let mut told = message("m-1", &notification(&dropped)?.to_string())?;
    told["attributes"]["AWSTraceHeader"] = json!(format!("Root={trace};Parent=53995c3f42cd8ad8;Sampled=1"));
    invoke(&cloud, &outputs.publish_function, &json!({ "Records": [told] })).await?;
    failure_of(&cloud, &dropped).await?;
    let kept = cloud.posts.get(&dropped.post).await?.context("the post is stored")?;
    assert_eq!(kept.trace.as_ref().map(ToString::to_string).as_deref(), Some(trace));
    let lines = lines_about(&cloud, &outputs.publish_function, &dropped.post, "post failed").await?;
    let failed = lines.iter().find(|line| says(line, "post failed")).context("it was just found")?;
    let span = failed["spans"].as_array().and_then(|spans| spans.last()).context("the line has spans")?;
    assert_eq!(span["trace.id"], json!(trace));
    Ok(())
}
