//! The requirements of the init endpoints.

use serde_json::{Value, json};
use simulator::{Endpoint, OpenId, Rule, Scope, User, Visibility};

use crate::client::{Client, MB, direct_init_body, read_response, source_info, status_and_code};

/// Sends a direct init with a changed body, which must be refused. Returns the status, code and message.
async fn refused(client: &Client, change: impl FnOnce(&mut Value)) -> (u16, String, String) {
    client.post(Endpoint::CreatorInfo, &json!({})).await;
    // Above the default of 6, so that the rate limit does not refuse a test's later inits.
    client.change_settings(|settings| settings.init_per_minute = 100);
    let mut body = direct_init_body(3000, 3000, 1);
    change(&mut body);
    let (status, response) = client.post(Endpoint::DirectInit, &body).await;
    let text = |name: &str| response["error"][name].as_str().unwrap().to_owned();
    (status, text("code"), text("message"))
}

#[tokio::test]
async fn init_returns_id_and_url_within_length_limits() {
    let client = Client::new().await;
    let direct = client.start_direct(3000).await;
    assert!(direct.id.as_str().starts_with("v_pub_file~v2-1."));
    assert!(direct.id.as_str().len() <= 64 && direct.url.len() <= 256);
    assert!(direct.url.starts_with(client.tiktok.url()));
    let draft = client.start_draft(3000).await;
    assert!(draft.id.as_str().starts_with("v_inbox_file~v2."));
    assert_ne!(draft.url, direct.url);
    assert!(client.violated_rules().is_empty());
}

#[tokio::test]
async fn invalid_chunk_plan_returns_the_observed_message() {
    let client = Client::new().await;
    let plan = async |size, chunk, count| {
        refused(&client, |body| {
            body["source_info"] = source_info(size, chunk, count);
        })
        .await
    };
    // The count must be floor(size / chunk), here 5; a file over 64 MB needs more than one chunk.
    let count = plan(50_000_123, 10 * MB, 6).await;
    assert_eq!(count.2, "The total chunk count is invalid");
    let size = plan(121 * MB, 64 * MB, 1).await;
    assert_eq!(size.2, "The chunk size is invalid");
    for response in [count, size, plan(0, 0, 0).await] {
        assert_eq!((response.0, response.1.as_str()), (400, "invalid_params"));
    }
    assert_eq!(client.violated_rules(), [Rule::Plan; 3]);
}

#[tokio::test]
async fn undocumented_or_mistyped_field_is_refused() {
    let client = Client::new().await;
    let changes: [fn(&mut Value); 8] = [
        |body| body["post_info"]["schedule_time"] = json!(1),
        |body| body["source_info"]["video_size"] = json!("3000"),
        |body| body["post_info"]["disable_duet"] = json!("false"),
        |body| body["post_info"]["privacy_level"] = Value::Null,
        |body| body["post_info"]["title"] = json!("x".repeat(2201)),
        |body| body["extra"] = json!(true),
        |body| body["post_info"]["brand_content_toggle"] = Value::Null,
        |body| body["post_info"]["brand_organic_toggle"] = Value::Null,
    ];
    for change in changes {
        let (status, code, message) = refused(&client, change).await;
        assert_eq!((status, code.as_str()), (400, "invalid_params"), "{message}");
    }
    assert_eq!(client.violated_rules(), [Rule::Body; 8]);
    assert!(client.tiktok.ledger().publishes.is_empty());
}

#[tokio::test]
async fn draft_init_accepts_only_source_info() {
    let client = Client::new().await;
    let response = client.post(Endpoint::InboxInit, &direct_init_body(3000, 3000, 1)).await;
    assert_eq!(status_and_code(&response), (400, "invalid_params"));
}

#[tokio::test]
async fn privacy_level_must_be_among_the_creators_options() {
    let client = Client::new().await;
    let followers = refused(&client, |body| {
        body["post_info"]["privacy_level"] = json!("FOLLOWER_OF_CREATOR");
    });
    assert_eq!(followers.await.1, "privacy_level_option_mismatch");
    // The unchanged body asks for `PUBLIC_TO_EVERYONE`, which a private account does not offer.
    let mut user = User::new("user-1", "maker");
    user.visibility = Visibility::Private;
    client.tiktok.put_user(user);
    let (status, code, _) = refused(&client, |_| {}).await;
    assert_eq!((status, code.as_str()), (403, "privacy_level_option_mismatch"));
    assert_eq!(client.violated_rules(), [Rule::Privacy, Rule::Privacy]);
}

#[tokio::test]
async fn pull_from_an_unverified_url_is_refused() {
    let client = Client::new().await;
    let pull = json!({ "source": "PULL_FROM_URL", "video_url": "https://example.com/a.mp4" });
    let response = refused(&client, |body| body["source_info"] = pull).await;
    assert_eq!((response.0, response.1.as_str()), (403, "url_ownership_unverified"));
}

#[tokio::test]
async fn photo_endpoint_refuses_a_video() {
    let client = Client::new().await;
    let response = client.post(Endpoint::ContentInit, &direct_init_body(3000, 3000, 1)).await;
    assert_eq!(status_and_code(&response), (400, "invalid_params"));
}

#[tokio::test]
async fn direct_init_without_recent_creator_info_is_a_violation() {
    let client = Client::new().await;
    let body = direct_init_body(3000, 3000, 1);
    client.post(Endpoint::DirectInit, &body).await;
    assert_eq!(client.violated_rules(), [Rule::Freshness]);
    // After a query, an init adds no violation.
    client.post(Endpoint::CreatorInfo, &json!({})).await;
    client.post(Endpoint::DirectInit, &body).await;
    assert_eq!(client.violated_rules(), [Rule::Freshness]);
    client.post(Endpoint::CreatorInfo, &json!({})).await;
    // One second more than the default of `creator_info_max_age_s`.
    client.tiktok.advance(901);
    client.post(Endpoint::DirectInit, &body).await;
    assert_eq!(client.violated_rules(), [Rule::Freshness; 2]);
}

#[tokio::test]
async fn each_direct_init_needs_its_own_creator_info() {
    let client = Client::new().await;
    let body = direct_init_body(3000, 3000, 1);
    for _ in 0..2 {
        client.post(Endpoint::CreatorInfo, &json!({})).await;
    }
    // A refused init does not consume a query.
    client.post(Endpoint::DirectInit, &json!({})).await;
    for _ in 0..2 {
        client.post(Endpoint::DirectInit, &body).await;
    }
    assert_eq!(client.violated_rules(), [Rule::Body]);
    client.post(Endpoint::DirectInit, &body).await;
    assert_eq!(client.violated_rules(), [Rule::Body, Rule::Freshness]);
}

#[tokio::test]
async fn slash_method_content_type_and_token_are_required() {
    let client = Client::new().await;
    let url = client.url(Endpoint::CreatorInfo);
    let send = async |request: reqwest::RequestBuilder| read_response(request.send().await.unwrap()).await.0;
    let post = |url: &str| client.http.post(url).bearer_auth(&client.token);
    // In this order: no final slash, GET instead of POST, no `Content-Type`, no access token.
    assert_eq!(send(post(url.trim_end_matches('/')).json(&json!({}))).await, 404);
    let get = client.http.get(&url).bearer_auth(&client.token);
    assert_eq!(send(get).await, 405);
    assert_eq!(send(post(&url).body("{}")).await, 400);
    let without_token = client.http.post(&url).header("content-type", "application/json; charset=UTF-8");
    assert_eq!(send(without_token).await, 401);
    let expected = [Rule::Route, Rule::Method, Rule::ContentType, Rule::Credentials];
    assert_eq!(client.violated_rules(), expected);
}

#[tokio::test]
async fn call_outside_the_granted_scopes_is_refused() {
    let client = Client::new().await;
    let user = OpenId::new("user-1");
    let pair = client.tiktok.grant(&user, &[Scope::VideoUpload]).unwrap();
    let client = Client { token: pair.access_token, ..client };
    let response = client.post(Endpoint::CreatorInfo, &json!({})).await;
    assert_eq!(status_and_code(&response), (401, "scope_not_authorized"));
    client.start_draft(3000).await;
}
