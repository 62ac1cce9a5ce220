//! The calls that are made, and what their answers come to.

use super::*;

async fn shown(post: &Post) -> serde_json::Value {
    let server = ScriptedServer::start([say(Answer::new(200, "{}"))]).await;
    Posts::new(server.dynamodb(), "posts").create(post).await.unwrap();
    server.requests()[0].json()["Item"].clone()
}

#[tokio::test]
async fn an_item_can_be_read_by_a_person() {
    let (_, post) = one_of_each().swap_remove(3);
    let item = shown(&post).await;
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
async fn an_event_that_comes_again_finds_the_post_as_it_is_by_now() {
    let (_, post) = one_of_each().swap_remove(5);
    let mut there = shown(&post).await;
    there["revision"] = json!({ "N": "6" });
    let body = json!({ "__type": "ConditionalCheckFailedException", "Item": there });
    let server = ScriptedServer::start([say(Answer::new(400, body.to_string()))]).await;
    let created = Posts::new(server.dynamodb(), "posts").create(&submitted()).await.unwrap();
    assert_eq!(created, Created::Already(Versioned::new(post, Revision::stored(6))));
}

#[tokio::test]
async fn a_post_that_is_deleted_while_it_is_created_is_created_on_the_next_try() {
    let there = Answer::new(400, json!({ "__type": "ConditionalCheckFailedException" }).to_string());
    let server = ScriptedServer::start([say(there), say(Answer::new(200, "{}"))]).await;
    let error = Posts::new(server.dynamodb(), "posts").create(&submitted()).await.unwrap_err();
    assert!(matches!(error, StoreError::Deleted { .. }), "{error}");
    assert!(matches!(error.disposition(), domain::failure::Disposition::Retry { .. }));
}

#[tokio::test]
async fn a_post_is_read_with_its_revision_and_not_found_where_there_is_none() {
    let item = shown(&submitted()).await;
    let found = Answer::new(200, json!({ "Item": item }).to_string());
    let server = ScriptedServer::start([say(found), say(Answer::new(200, "{}"))]).await;
    let posts = Posts::new(server.dynamodb(), "posts");
    let id = submitted().id.clone();
    assert_eq!(posts.get(&id).await.unwrap(), Some(Versioned::new(submitted(), Revision::FIRST)));
    assert_eq!(posts.get(&id).await.unwrap(), None);
}

#[tokio::test]
async fn an_item_that_does_not_hold_together_is_named_with_what_is_wrong() {
    let mut item = shown(&submitted()).await;
    item.as_object_mut().unwrap().remove("not_before");
    let server = ScriptedServer::start([say(Answer::new(200, json!({ "Item": item }).to_string()))]).await;
    let id = submitted().id.clone();
    let error = Posts::new(server.dynamodb(), "posts").get(&id).await.unwrap_err();
    assert!(error.to_string().contains(id.as_str()), "{error}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "it has no attribute not_before");
}

#[tokio::test]
async fn who_was_overtaken_is_told_so() {
    let body = json!({
        "__type": "ConditionalCheckFailedException",
        "Item": { "id": { "S": "x" }, "revision": { "N": "3" }, "write_token": { "S": "theirs" } },
    });
    let server = ScriptedServer::start([say(Answer::new(400, body.to_string()))]).await;
    let posts = Posts::new(server.dynamodb(), "posts");
    let error = posts.save(Revision::FIRST, submitted(), at(1)).await.unwrap_err();
    assert!(matches!(error, SaveError::Conflict), "{error}");
}

#[tokio::test]
async fn a_saved_post_can_be_saved_again() {
    let server = ScriptedServer::start([say(Answer::new(200, "{}")), say(Answer::new(200, "{}"))]).await;
    let posts = Posts::new(server.dynamodb(), "posts");
    let kept = posts.save(Revision::FIRST, submitted(), at(1)).await.unwrap();
    let claimed = take(&kept, Step::Claim, at(2));
    posts.save(&kept, claimed, at(2)).await.unwrap();
    let was: Vec<_> = server.requests().iter().map(|r| r.json()["ExpressionAttributeValues"][":was"].clone()).collect();
    assert_eq!(was, [json!({ "N": "1" }), json!({ "N": "2" })]);
}

#[tokio::test]
async fn what_is_due_is_asked_of_a_shard_and_given_a_page_at_a_time() {
    let id = submitted().id.clone();
    let entry = json!({ "id": { "S": id.as_str() }, "due_shard": { "S": "0" }, "due_at": { "N": "5" } });
    let strange = json!({ "id": { "S": "?" }, "due_shard": { "S": "0" }, "due_at": { "N": "1" } });
    let first = json!({ "Items": [strange, entry], "LastEvaluatedKey": entry });
    let server = ScriptedServer::start([
        say(Answer::new(200, first.to_string())),
        say(Answer::new(200, json!({ "Items": [] }).to_string())),
    ])
    .await;
    let posts = Posts::new(server.dynamodb(), "posts");
    let shard = Shard::all().next().unwrap();
    let mut page = posts.due(at(7), shard, None).await.unwrap();
    assert_eq!(page.ids, std::slice::from_ref(&id));
    let since = Timestamp::from_millisecond(5).unwrap();
    assert_eq!(page.take_if(|due| due < since), None, "it has not been due for as long");
    assert_eq!((page.take_if(|due| due == since), page.ids.len()), (Some(id), 0));
    assert_eq!(page.take_if(|_| true), None, "it is taken");
    let last = posts.due(at(7), shard, page.next).await.unwrap();
    assert_eq!((last.ids.len(), last.next), (0, None));

    let [one, two] = &server.requests()[..] else { panic!("two pages") };
    assert_eq!(one.json()["KeyConditionExpression"], "#shard = :shard AND #due <= :now");
    assert_eq!(one.json()["IndexName"], "due");
    assert_eq!(
        one.json()["ExpressionAttributeValues"],
        json!({ ":shard": { "S": "0" }, ":now": { "N": "1764000000007" } })
    );
    assert_eq!(two.json()["ExclusiveStartKey"], entry);
}

#[tokio::test]
async fn the_post_of_a_publish_is_looked_for_in_the_index_by_publish() {
    let id = submitted().id.clone();
    let found = json!({ "Items": [{ "id": { "S": "?" } }, { "id": { "S": id.as_str() } }] });
    let server = ScriptedServer::start([say(Answer::new(200, found.to_string()))]).await;
    let publish = PublishId::new("v_pub_file~v2-1.7").unwrap();
    assert_eq!(Posts::new(server.dynamodb(), "posts").of_publish(&publish).await.unwrap(), [id]);
    let asked = server.requests()[0].json();
    assert_eq!(asked["IndexName"], "publish");
    assert_eq!(asked["ExpressionAttributeValues"], json!({ ":publish": { "S": "v_pub_file~v2-1.7" } }));
}

#[tokio::test]
async fn a_post_is_under_its_publish_from_before_the_first_byte_until_that_is_given_up() {
    let post = take(&take(&submitted(), Step::Claim, at(1)), Step::Begin, at(2));
    assert_eq!(shown(&post).await["publish_id"], json!({ "S": "v_pub_file~v2-1.7" }));
    assert_eq!(shown(&take(&post, Step::Abandon, at(3))).await["publish_id"], json!(null));
}
