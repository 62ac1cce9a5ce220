//! The requests to DynamoDB, and the results of its responses.

use super::*;
use crate::scripted_aws::dynamodb_error;

/// The item that creating a post writes.
async fn item_of(post: &Post) -> serde_json::Value {
    let server = ScriptedServer::start([reply(Reply::new(200, "{}"))]).await;
    Posts::new(server.dynamodb(), "posts").create(post).await.unwrap();
    server.requests()[0].json()["Item"].clone()
}

#[tokio::test]
async fn item_has_one_readable_attribute_per_fact() {
    // Claimed at 5 ms, so the lease of two minutes, and with it the due time, ends at 120,005 ms.
    let post = post_in(StateName::Uploading);
    let item = item_of(&post).await;
    let expected = [
        ("id", json!({ "S": post.id.as_str() })),
        ("account", json!({ "S": "anna" })),
        ("state", json!({ "S": "uploading" })),
        ("title", json!({ "S": "clip ü" })),
        ("bytes", json!({ "N": SIZE.to_string() })),
        ("bucket", json!({ "S": "intake" })),
        ("key", json!({ "S": "drop/anna/clip ü.mp4" })),
        ("version_id", json!({ "S": "v1" })),
        ("created_at", json!({ "N": "1764000000000" })),
        ("due_at", json!({ "N": "1764000120005" })),
        ("due_shard", json!({ "S": Shard::of(&post.id).to_string() })),
        ("lease_owner", json!({ "S": "publish-1" })),
        ("lease_expires_at", json!({ "S": "2025-11-24T16:02:00.005Z" })),
        ("offset", json!({ "N": (SIZE / 3).to_string() })),
        ("upload_url", json!({ "B": "c2VhbGVkIHVybA==" })),
    ];
    for (name, value) in expected {
        assert_eq!(item[name], value, "{name}");
    }
    assert_eq!(item["settings"]["M"]["privacy_level"], json!({ "S": "PUBLIC_TO_EVERYONE" }));
    assert_eq!(item["video"]["M"]["codec"], json!({ "S": "av01" }));
    assert!(!item.to_string().contains("NULL"), "{item}");
}

#[tokio::test]
async fn creating_an_existing_post_returns_its_current_state() {
    let post = post_in(StateName::Published);
    let mut existing = item_of(&post).await;
    existing["revision"] = json!({ "N": "6" });
    let server = ScriptedServer::start([reply(condition_failed(&existing))]).await;
    let created = Posts::new(server.dynamodb(), "posts").create(&submitted()).await.unwrap();
    assert_eq!(created, Created::Already(Versioned::new(post, Revision::stored(6))));
}

#[tokio::test]
async fn post_deleted_during_its_creation_permits_a_retry() {
    let failed = dynamodb_error("ConditionalCheckFailedException");
    let server = ScriptedServer::start([reply(failed), reply(Reply::new(200, "{}"))]).await;
    let error = Posts::new(server.dynamodb(), "posts").create(&submitted()).await.unwrap_err();
    assert!(matches!(error, StoreError::Deleted { .. }), "{error}");
    assert!(matches!(error.disposition(), domain::failure::Disposition::Retry { .. }));
}

#[tokio::test]
async fn get_returns_the_post_with_its_revision_or_none() {
    let item = item_of(&submitted()).await;
    let found = Reply::new(200, json!({ "Item": item }).to_string());
    let server = ScriptedServer::start([reply(found), reply(Reply::new(200, "{}"))]).await;
    let posts = Posts::new(server.dynamodb(), "posts");
    let id = submitted().id.clone();
    assert_eq!(posts.get(&id).await.unwrap(), Some(Versioned::new(submitted(), Revision::FIRST)));
    assert_eq!(posts.get(&id).await.unwrap(), None);
}

#[tokio::test]
async fn invalid_item_and_attribute_are_named() {
    let mut item = item_of(&submitted()).await;
    item.as_object_mut().unwrap().remove("not_before");
    let server = ScriptedServer::start([reply(Reply::new(200, json!({ "Item": item }).to_string()))]).await;
    let id = submitted().id.clone();
    let error = Posts::new(server.dynamodb(), "posts").get(&id).await.unwrap_err();
    assert!(error.to_string().contains(id.as_str()), "{error}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "attribute not_before is missing");
}

#[tokio::test]
async fn save_after_another_write_conflicts() {
    let other = json!({ "id": { "S": "x" }, "revision": { "N": "3" }, "write_token": { "S": "other" } });
    let server = ScriptedServer::start([reply(condition_failed(&other))]).await;
    let posts = Posts::new(server.dynamodb(), "posts");
    let error = posts.save(Revision::FIRST, submitted(), at(1)).await.unwrap_err();
    assert!(matches!(error, SaveError::Conflict), "{error}");
}

#[tokio::test]
async fn saved_post_can_be_saved_again() {
    let server = ScriptedServer::start([reply(Reply::new(200, "{}")), reply(Reply::new(200, "{}"))]).await;
    let posts = Posts::new(server.dynamodb(), "posts");
    let saved = posts.save(Revision::FIRST, submitted(), at(1)).await.unwrap();
    let claimed = apply(&saved, Transition::Claim, at(2));
    posts.save(&saved, claimed, at(2)).await.unwrap();
    let requests = server.requests();
    let read: Vec<_> = requests.iter().map(|r| r.json()["ExpressionAttributeValues"][":read"].clone()).collect();
    assert_eq!(read, [json!({ "N": "1" }), json!({ "N": "2" })]);
}

#[tokio::test]
async fn due_posts_are_read_by_shard_and_page() {
    let id = submitted().id.clone();
    let entry = json!({ "id": { "S": id.as_str() }, "due_shard": { "S": "0" }, "due_at": { "N": "5" } });
    let invalid = json!({ "id": { "S": "?" }, "due_shard": { "S": "0" }, "due_at": { "N": "1" } });
    let first = json!({ "Items": [invalid, entry], "LastEvaluatedKey": entry });
    let server = ScriptedServer::start([
        reply(Reply::new(200, first.to_string())),
        reply(Reply::new(200, json!({ "Items": [] }).to_string())),
    ])
    .await;
    let posts = Posts::new(server.dynamodb(), "posts");
    let shard = Shard::all().next().unwrap();
    let mut page = posts.due(at(7), shard, None).await.unwrap();
    assert_eq!(page.ids, std::slice::from_ref(&id));
    let due_at = Timestamp::from_millisecond(5).unwrap();
    assert_eq!(page.take_if(|due| due < due_at), None, "the predicate rejects the due time");
    assert_eq!((page.take_if(|due| due == due_at), page.ids.len()), (Some(id), 0));
    assert_eq!(page.take_if(|_| true), None, "the first post is taken");
    let last = posts.due(at(7), shard, page.next).await.unwrap();
    assert_eq!((last.ids.len(), last.next), (0, None));

    let [first, second] = &server.requests()[..] else { panic!("two pages") };
    assert_eq!(first.json()["KeyConditionExpression"], "#shard = :shard AND #due <= :now");
    assert_eq!(first.json()["IndexName"], "due");
    assert_eq!(
        first.json()["ExpressionAttributeValues"],
        json!({ ":shard": { "S": "0" }, ":now": { "N": "1764000000007" } })
    );
    assert_eq!(second.json()["ExclusiveStartKey"], entry);
}

#[tokio::test]
async fn post_is_found_by_the_publish_index() {
    let id = submitted().id.clone();
    let found = json!({ "Items": [{ "id": { "S": "?" } }, { "id": { "S": id.as_str() } }] });
    let server = ScriptedServer::start([reply(Reply::new(200, found.to_string()))]).await;
    let publish = PublishId::new("v_pub_file~v2-1.7").unwrap();
    assert_eq!(Posts::new(server.dynamodb(), "posts").of_publish(&publish).await.unwrap(), [id]);
    let request = server.requests()[0].json();
    assert_eq!(request["IndexName"], "publish");
    assert_eq!(request["ExpressionAttributeValues"], json!({ ":publish": { "S": "v_pub_file~v2-1.7" } }));
}

#[tokio::test]
async fn publish_id_is_stored_until_the_publish_is_abandoned() {
    let post = apply(&apply(&submitted(), Transition::Claim, at(1)), Transition::Begin, at(2));
    assert_eq!(item_of(&post).await["publish_id"], json!({ "S": "v_pub_file~v2-1.7" }));
    assert_eq!(item_of(&apply(&post, Transition::Abandon, at(3))).await["publish_id"], json!(null));
}
