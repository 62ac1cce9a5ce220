//! User profiles, creator info and video lists.

use serde_json::{Value, json};
use simulator::{Endpoint, OpenId, Scope, User, Visibility};

use crate::client::{Client, MODERATION_S, PROCESSING_S, read_response, status_and_code};

/// Calls `user/info` for a comma-separated list of fields. Returns the HTTP status and the body.
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
async fn user_info_requires_known_fields_and_their_scopes() {
    let client = Client::new().await;
    let user = OpenId::new("user-1");
    let pair = client.tiktok.grant(&user, &[Scope::UserInfoBasic]).unwrap();
    // `username` needs `user.info.profile`.
    let response = user_info(&client, &pair.access_token, "open_id,username").await;
    assert_eq!(status_and_code(&response), (400, "scope_permission_missed"));
    // A user has no `height`.
    let response = user_info(&client, &pair.access_token, "open_id,height").await;
    assert_eq!(status_and_code(&response), (400, "invalid_params"));
    let response = user_info(&client, &pair.access_token, "").await;
    assert_eq!(status_and_code(&response), (400, "invalid_params"));
    // Without any `user.info` scope, the token may not call the endpoint at all: 401 before the fields are checked.
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
        // Only public videos are listed. The advance also gives each video another `create_time`.
        client.tiktok.advance(PROCESSING_S + MODERATION_S);
    }
    let url = format!("{}?fields=id,create_time", client.url(Endpoint::VideoList));
    let list = async |body: Value| {
        let request = client.http.post(&url).bearer_auth(&client.token).json(&body);
        read_response(request.send().await.unwrap()).await.1["data"].take()
    };
    let first_page = list(json!({ "max_count": 2 })).await;
    assert_eq!(first_page["videos"].as_array().unwrap().len(), 2);
    assert_eq!(first_page["has_more"], true);
    let last_page = list(json!({ "max_count": 2, "cursor": first_page["cursor"] })).await;
    assert_eq!(last_page["videos"].as_array().unwrap().len(), 1);
    assert_eq!(last_page["has_more"], false);
    let oldest = client.tiktok.ledger().publications[0].post_id.clone();
    assert_eq!(last_page["videos"][0]["id"], oldest);
}
