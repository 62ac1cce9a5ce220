//! User profiles, creator info and video lists.

use serde_json::{Value, json};
use simulator::{Endpoint, OpenId, Scope, User, Visibility};

use crate::client::{Client, read_response, status_and_code};

async fn user_info(client: &Client, token: &str, fields: &str) -> (u16, Value) {
    let url = format!("{}?fields={fields}", client.url(Endpoint::UserInfo));
    let request = client.http.get(url).bearer_auth(token);
    read_response(request.send().await.unwrap()).await
}

#[tokio::test]
async fn user_info_returns_only_the_requested_fields() {
    let client = Client::new().await;
    let (status, response) = user_info(&client, &client.token, "open_id,username").await;
    assert_eq!(status, 200);
    let expected = json!({ "open_id": "user-1", "username": "maker" });
    assert_eq!(response["data"]["user"], expected);
}

#[tokio::test]
async fn user_info_field_requires_its_scope() {
    let client = Client::new().await;
    let user = OpenId::new("user-1");
    let pair = client.tiktok.grant(&user, &[Scope::UserInfoBasic]).unwrap();
    let response = user_info(&client, &pair.access_token, "open_id,username").await;
    assert_eq!(status_and_code(&response), (400, "scope_permission_missed"));
    let response = user_info(&client, &pair.access_token, "open_id,height").await;
    assert_eq!(status_and_code(&response), (400, "invalid_params"));
    let response = user_info(&client, &pair.access_token, "").await;
    assert_eq!(status_and_code(&response), (400, "invalid_params"));
    let pair = client.tiktok.grant(&user, &[Scope::VideoList]).unwrap();
    let response = user_info(&client, &pair.access_token, "open_id").await;
    assert_eq!(status_and_code(&response), (401, "scope_not_authorized"));
}

#[tokio::test]
async fn creator_info_follows_the_account_settings() {
    let client = Client::new().await;
    let (_, response) = client.post(Endpoint::CreatorInfo, &json!({})).await;
    let options = ["PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"];
    assert_eq!(response["data"]["privacy_level_options"], json!(options));
    assert_eq!(response["data"]["max_video_post_duration_sec"], 300);
    assert_eq!(response["data"]["creator_username"], "maker");
    let mut user = User::new("user-1", "maker");
    user.visibility = Visibility::Private;
    client.tiktok.put_user(user);
    let (_, response) = client.post(Endpoint::CreatorInfo, &json!({})).await;
    let options = ["FOLLOWER_OF_CREATOR", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"];
    assert_eq!(response["data"]["privacy_level_options"], json!(options));
    assert_eq!(response["data"]["duet_disabled"], true);
}

#[tokio::test]
async fn video_list_is_paged_newest_first() {
    let client = Client::new().await;
    for _ in 0..3 {
        client.upload_direct_post().await;
        client.tiktok.advance(3);
    }
    let url = format!("{}?fields=id,create_time", client.url(Endpoint::VideoList));
    let list = async |body: Value| {
        let request = client.http.post(&url).bearer_auth(&client.token).json(&body);
        read_response(request.send().await.unwrap()).await.1["data"].take()
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
