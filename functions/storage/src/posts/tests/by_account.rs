//! The search for an account's open posts.

use aws_sdk_dynamodb::types::AttributeValue;

use super::*;

#[tokio::test]
async fn open_posts_are_found_with_their_revision() {
    let mut item = record::item_of(&submitted(), at(0)).unwrap();
    item.insert("revision".to_owned(), AttributeValue::N("4".to_owned()));
    let wire: serde_json::Map<_, _> = item.iter().map(|(name, value)| (name.clone(), wire_of(value))).collect();
    let key = json!({ "id": { "S": "x" } });
    let page = json!({ "Items": [wire, { "id": { "S": "invalid" } }], "LastEvaluatedKey": key });
    let script = [reply(Reply::new(200, page.to_string())), reply(Reply::new(200, r#"{"Items":[]}"#))];
    let server = ScriptedServer::start(script).await;
    let posts = Posts::new(server.dynamodb(), "posts");
    let anna = Alias::new("anna").unwrap();
    let page = posts.open_of(&anna, None).await.unwrap();
    assert_eq!(page.posts.len(), 1, "an invalid item does not hide a post");
    assert_eq!((&page.posts[0].id, page.posts[0].revision()), (&submitted().id, Revision::stored(4)));
    assert!(posts.open_of(&anna, page.next).await.unwrap().next.is_none());
    let requests: Vec<_> = server.requests().iter().map(crate::scripted_aws::Request::json).collect();
    assert_eq!(
        (&requests[0]["IndexName"], &requests[0]["FilterExpression"]),
        (&json!("account"), &json!("attribute_exists(#due)"))
    );
    assert_eq!(requests[0]["ExpressionAttributeValues"], json!({ ":account": { "S": "anna" } }));
    assert_eq!(requests[1]["ExclusiveStartKey"], key);
}

/// An attribute in DynamoDB's JSON.
fn wire_of(value: &AttributeValue) -> serde_json::Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::Bool(is) => json!({ "BOOL": is }),
        AttributeValue::L(all) => json!({ "L": all.iter().map(wire_of).collect::<Vec<_>>() }),
        AttributeValue::M(all) => {
            let inner: serde_json::Map<_, _> = all.iter().map(|(name, value)| (name.clone(), wire_of(value))).collect();
            json!({ "M": inner })
        }
        other => panic!("a new post has no {other:?}"),
    }
}
