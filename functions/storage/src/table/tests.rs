//! Writes against a scripted DynamoDB: whose they are, and what refuses them.

use std::time::Duration;

use domain::failure::Disposition;
use serde_json::json;

use super::*;
use crate::scripted_server::{Answer, Request, ScriptedServer, hang_up, reply, say};

fn item() -> Item {
    Item::from([("id".to_owned(), AttributeValue::S("post-1".to_owned()))])
}

fn table(server: &ScriptedServer) -> Table {
    Table::new(server.dynamodb(), "posts".to_owned(), "id")
}

fn ok() -> Answer {
    Answer::new(200, "{}")
}

fn refusal(code: &str) -> Answer {
    Answer::new(400, json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}") }).to_string())
}

fn condition_failed(there: &serde_json::Value) -> Answer {
    let body = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
        "message": "The conditional request failed",
        "Item": there,
    });
    Answer::new(400, body.to_string())
}

/// Answers that the item of the last request but `back` is there.
fn own_item(requests: &[Request], back: usize) -> serde_json::Value {
    requests[requests.len() - 1 - back].json()["Item"].clone()
}

#[tokio::test]
async fn creating_is_conditional_on_there_being_none() {
    let server = ScriptedServer::start([say(ok())]).await;
    let put = table(&server).put(item(), Condition::Absent).await.unwrap();
    assert!(matches!(put, Put::Done(Revision::FIRST)));
    let asked = server.requests()[0].json();
    assert_eq!(asked["ConditionExpression"], "attribute_not_exists(#key)");
    assert_eq!(asked["ExpressionAttributeNames"], json!({ "#key": "id" }));
    assert_eq!(asked["ReturnValuesOnConditionCheckFailure"], "ALL_OLD");
    assert_eq!(asked["Item"]["revision"], json!({ "N": "1" }));
}

#[tokio::test]
async fn a_change_is_conditional_on_the_revision_that_was_read() {
    let server = ScriptedServer::start([say(ok())]).await;
    let put = table(&server).put(item(), Condition::At(Revision::stored(41))).await.unwrap();
    assert!(matches!(put, Put::Done(revision) if revision == Revision::stored(42)));
    let asked = server.requests()[0].json();
    assert_eq!(asked["ConditionExpression"], "#revision = :was");
    assert_eq!(asked["ExpressionAttributeNames"], json!({ "#revision": "revision" }));
    assert_eq!(asked["ExpressionAttributeValues"], json!({ ":was": { "N": "41" } }));
    assert_eq!(asked["Item"]["revision"], json!({ "N": "42" }));
}

#[tokio::test]
async fn somebody_elses_write_refuses_ours_and_is_shown() {
    let theirs = json!({ "id": { "S": "post-1" }, "revision": { "N": "2" }, "write_token": { "S": "theirs" } });
    let server = ScriptedServer::start([say(condition_failed(&theirs))]).await;
    let put = table(&server).put(item(), Condition::At(Revision::FIRST)).await.unwrap();
    let Put::Refused(Some(there)) = put else { panic!("{put:?}") };
    assert_eq!(revision_of(&there).unwrap(), Revision::stored(2));
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_known_again_by_its_token() {
    let server = ScriptedServer::start([hang_up(), reply(|requests| condition_failed(&own_item(requests, 1)))]).await;
    let put = table(&server).put(item(), Condition::At(Revision::FIRST)).await.unwrap();
    assert!(matches!(put, Put::Done(revision) if revision == Revision::stored(2)), "{put:?}");
    let [first, second] = &server.requests()[..] else { panic!("two writes") };
    assert_eq!(first.json(), second.json(), "the repetition is the same write");
}

#[tokio::test]
async fn two_writes_never_have_the_same_token() {
    let server = ScriptedServer::start([say(ok()), say(ok())]).await;
    for _ in 0..2 {
        table(&server).put(item(), Condition::At(Revision::FIRST)).await.unwrap();
    }
    let tokens: Vec<_> = server.requests().iter().map(|r| r.json()["Item"]["write_token"].clone()).collect();
    assert_ne!(tokens[0], tokens[1]);
}

#[tokio::test]
async fn where_the_refusal_does_not_show_the_item_it_is_read() {
    let server = ScriptedServer::start([
        hang_up(),
        say(refusal("ConditionalCheckFailedException")),
        reply(|requests| Answer::new(200, json!({ "Item": own_item(requests, 1) }).to_string())),
    ])
    .await;
    let put = table(&server).put(item(), Condition::Absent).await.unwrap();
    assert!(matches!(put, Put::Done(Revision::FIRST)), "{put:?}");
    let read = server.requests()[2].json();
    assert_eq!((&read["ConsistentRead"], &read["Key"]), (&json!(true), &json!({ "id": { "S": "post-1" } })));
}

#[tokio::test]
async fn a_table_that_throttles_on_is_tried_again_later() {
    let throttled = || say(refusal("ThrottlingException"));
    let server = ScriptedServer::start([throttled(), throttled(), throttled()]).await;
    let error = table(&server).put(item(), Condition::Absent).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert_eq!(error.disposition(), Disposition::Retry { after: Duration::from_secs(2) });
}

#[tokio::test]
async fn a_missing_permission_is_named_and_not_retried() {
    let server = ScriptedServer::start([say(refusal("AccessDeniedException"))]).await;
    let error = table(&server).put(item(), Condition::Absent).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "table posts is closed to this function: grant its role dynamodb:PutItem on the table"
    );
    assert_eq!(error.disposition(), Disposition::NeedsUser);
}

#[tokio::test]
async fn a_missing_table_is_named() {
    let server = ScriptedServer::start([say(refusal("ResourceNotFoundException"))]).await;
    let error = table(&server).get("post-1").await.unwrap_err();
    assert!(matches!(&error, StoreError::NoTable { table, .. } if table == "posts"), "{error}");
}

#[test]
fn an_item_without_a_revision_cannot_be_written_again() {
    assert_eq!(revision_of(&item()).unwrap_err().to_string(), "it has no attribute revision");
    let wrong = Item::from([(REVISION.to_owned(), AttributeValue::N("1.5".to_owned()))]);
    assert!(revision_of(&wrong).is_err());
}
