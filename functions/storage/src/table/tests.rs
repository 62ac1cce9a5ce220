//! Tests of conditional writes to a scripted DynamoDB.

use domain::failure::Disposition;
use serde_json::json;

use super::*;
use crate::aws::RETRY_DELAY;
use crate::scripted_aws::{
    Reply, Request, ScriptedAws, ScriptedServer, condition_failed, dynamodb_error, reply, reply_with,
};

fn item() -> Item {
    Item::from([("id".to_owned(), AttributeValue::S("post-1".to_owned()))])
}

fn table(server: &ScriptedServer) -> Table {
    Table::new(server.dynamodb(), "posts".to_owned(), "id")
}

fn ok() -> Reply {
    Reply::new(200, "{}")
}

/// The item in the second last request, which is complete: a step of the script runs before the last request's body is
/// read.
fn item_in_second_last(requests: &[Request]) -> serde_json::Value {
    requests[requests.len() - 2].json()["Item"].clone()
}

#[tokio::test]
async fn create_requires_that_no_item_exists() {
    let server = ScriptedServer::start([reply(ok())]).await;
    let put = table(&server).put(item(), Condition::Absent).await.unwrap();
    assert!(matches!(put, Put::Written(Revision::FIRST)));
    let request = server.requests()[0].json();
    assert_eq!(request["ConditionExpression"], "attribute_not_exists(#key)");
    assert_eq!(request["ExpressionAttributeNames"], json!({ "#key": "id" }));
    assert_eq!(request["ReturnValuesOnConditionCheckFailure"], "ALL_OLD");
    assert_eq!(request["Item"]["revision"], json!({ "N": "1" }));
}

#[tokio::test]
async fn change_requires_the_revision_that_was_read() {
    let server = ScriptedServer::start([reply(ok())]).await;
    let put = table(&server).put(item(), Condition::At(Revision::stored(41))).await.unwrap();
    assert!(matches!(put, Put::Written(revision) if revision == Revision::stored(42)));
    let request = server.requests()[0].json();
    assert_eq!(request["ConditionExpression"], "#revision = :read");
    assert_eq!(request["ExpressionAttributeNames"], json!({ "#revision": "revision" }));
    assert_eq!(request["ExpressionAttributeValues"], json!({ ":read": { "N": "41" } }));
    assert_eq!(request["Item"]["revision"], json!({ "N": "42" }));
}

#[tokio::test]
async fn failed_condition_returns_the_other_writers_item() {
    let other = json!({ "id": { "S": "post-1" }, "revision": { "N": "2" }, "write_token": { "S": "other" } });
    let server = ScriptedServer::start([reply(condition_failed(&other))]).await;
    let put = table(&server).put(item(), Condition::At(Revision::FIRST)).await.unwrap();
    let Put::ConditionFailed(Some(existing)) = put else { panic!("{put:?}") };
    assert_eq!(revision_of(&existing).unwrap(), Revision::stored(2));
}

#[tokio::test]
async fn write_with_lost_response_is_recognized_by_token() {
    let answer_to_retry = reply_with(|requests| condition_failed(&item_in_second_last(requests)));
    let server = ScriptedServer::start([reply(Reply::hang_up()), answer_to_retry]).await;
    let put = table(&server).put(item(), Condition::At(Revision::FIRST)).await.unwrap();
    assert!(matches!(put, Put::Written(revision) if revision == Revision::stored(2)), "{put:?}");
    let [first, second] = &server.requests()[..] else { panic!("two writes") };
    assert_eq!(first.json(), second.json(), "the retry is the same write");
}

#[tokio::test]
async fn every_write_has_its_own_token() {
    let server = ScriptedServer::start([reply(ok()), reply(ok())]).await;
    for _ in 0..2 {
        table(&server).put(item(), Condition::At(Revision::FIRST)).await.unwrap();
    }
    let tokens: Vec<_> = server.requests().iter().map(|r| r.json()["Item"]["write_token"].clone()).collect();
    assert_ne!(tokens[0], tokens[1]);
}

#[tokio::test]
async fn failed_condition_without_item_reads_the_item() {
    let server = ScriptedServer::start([
        reply(Reply::hang_up()),
        reply(dynamodb_error("ConditionalCheckFailedException")),
        reply_with(|requests| Reply::new(200, json!({ "Item": item_in_second_last(requests) }).to_string())),
    ])
    .await;
    let put = table(&server).put(item(), Condition::Absent).await.unwrap();
    assert!(matches!(put, Put::Written(Revision::FIRST)), "{put:?}");
    let read = server.requests()[2].json();
    assert_eq!((&read["ConsistentRead"], &read["Key"]), (&json!(true), &json!({ "id": { "S": "post-1" } })));
}

#[tokio::test]
async fn write_throttled_until_last_retry_permits_later_retry() {
    // One reply to the first call, and one to each retry.
    let script = (0..=MAX_RETRIES).map(|_| reply(dynamodb_error("ThrottlingException")));
    let server = ScriptedServer::start(script).await;
    let error = table(&server).put(item(), Condition::Absent).await.unwrap_err();
    assert!(matches!(&error, StoreError::Aws(error) if error.kind() == Kind::Unavailable), "{error}");
    assert_eq!(error.disposition(), Disposition::Retry { after: RETRY_DELAY });
}

#[tokio::test]
async fn missing_permission_is_named_and_not_retried() {
    let server = ScriptedServer::start([reply(dynamodb_error("AccessDeniedException"))]).await;
    let error = table(&server).put(item(), Condition::Absent).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "access to table posts is denied: grant the function's role dynamodb:PutItem on the table \
         (DynamoDB PutItem: AccessDeniedException: no message; status 400)"
    );
    assert_eq!(error.disposition(), Disposition::NeedsUser);
}

#[tokio::test]
async fn missing_table_is_named() {
    let server = ScriptedServer::start([reply(dynamodb_error("ResourceNotFoundException"))]).await;
    let error = table(&server).get("post-1").await.unwrap_err();
    assert!(error.to_string().starts_with("table posts does not exist"), "{error}");
    assert_eq!(error.disposition(), Disposition::NeedsUser);
}

#[test]
fn item_without_valid_revision_is_invalid() {
    assert_eq!(revision_of(&item()).unwrap_err().to_string(), "attribute revision is missing");
    let fraction = Item::from([(REVISION.to_owned(), AttributeValue::N("1.5".to_owned()))]);
    assert!(revision_of(&fraction).is_err());
}
