//! Profile fields and lists of videos.

use serde_json::{Value, json};
use simulator::{Endpoint, OpenId, Scope, User, Visibility};

use crate::client::{Client, answer, code};

async fn info(client: &Client, token: &str, fields: &str) -> (u16, Value) {
    let url = format!("{}?fields={fields}", client.url(Endpoint::UserInfo));
    let request = client.http.get(url).bearer_auth(token);
    answer(request.send().await.unwrap()).await
}

#[tokio::test]
async fn only_the_fields_that_were_asked_for_are_told() {
    let client = Client::new().await;
    let (status, answer) = info(&client, &client.token, "open_id,username").await;
    assert_eq!(status, 200);
    let expected = json!({ "open_id": "user-1", "username": "maker" });
    assert_eq!(answer["data"]["user"], expected);
}

#[tokio::test]
async fn a_field_needs_the_scope_that_it_belongs_to() {
    let client = Client::new().await;
    let user = OpenId::new("user-1");
    let pair = client.tiktok.grant(&user, &[Scope::UserInfoBasic]).unwrap();
    let answer = info(&client, &pair.access_token, "open_id,username").await;
    assert_eq!(code(&answer), (400, "scope_permission_missed"));
    let answer = info(&client, &pair.access_token, "open_id,height").await;
    assert_eq!(code(&answer), (400, "invalid_params"));
    let answer = info(&client, &pair.access_token, "").await;
    assert_eq!(code(&answer), (400, "invalid_params"));
    let pair = client.tiktok.grant(&user, &[Scope::VideoList]).unwrap();
    let answer = info(&client, &pair.access_token, "open_id").await;
    assert_eq!(code(&answer), (401, "scope_not_authorized"));
}

#[tokio::test]
async fn a_creators_options_follow_the_account() {
    let client = Client::new().await;
    let (_, answer) = client.post(Endpoint::CreatorInfo, &json!({})).await;
    let options = ["PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"];
    assert_eq!(answer["data"]["privacy_level_options"], json!(options));
    assert_eq!(answer["data"]["max_video_post_duration_sec"], 300);
    assert_eq!(answer["data"]["creator_username"], "maker");
    let mut user = User::new("user-1", "maker");
    user.visibility = Visibility::Private;
    client.tiktok.put_user(user);
    let (_, answer) = client.post(Endpoint::CreatorInfo, &json!({})).await;
    let options = ["FOLLOWER_OF_CREATOR", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"];
    assert_eq!(answer["data"]["privacy_level_options"], json!(options));
    assert_eq!(answer["data"]["duet_disabled"], true);
}

#[tokio::test]
async fn public_videos_are_listed_by_pages() {
    let client = Client::new().await;
    for _ in 0..3 {
        client.upload().await;
        client.tiktok.advance(3);
    }
    let url = format!("{}?fields=id,create_time", client.url(Endpoint::VideoList));
    let list = async |body: Value| {
        let request = client.http.post(&url).bearer_auth(&client.token).json(&body);
        answer(request.send().await.unwrap()).await.1["data"].take()
    };
    let page = list(json!({ "max_count": 2 })).await;
    assert_eq!(page["videos"].as_array().unwrap().len(), 2);
    assert_eq!(page["has_more"], true);
    let rest = list(json!({ "max_count": 2, "cursor": page["cursor"] })).await;
    assert_eq!(rest["videos"].as_array().unwrap().len(), 1);
    assert_eq!(rest["has_more"], false);
    let oldest = client.tiktok.ledger().publications[0].post_id.clone();
    assert_eq!(rest["videos"][0]["id"], oldest);
}
