//! What an init has to say.

use serde_json::{Value, json};
use simulator::{Endpoint, OpenId, Rule, Scope, User, Visibility};

use crate::client::{Client, MB, answer, code, direct, source};

async fn refused(client: &Client, change: impl FnOnce(&mut Value)) -> (u16, String, String) {
    client.post(Endpoint::CreatorInfo, &json!({})).await;
    client.set(|settings| settings.init_per_minute = 100);
    let mut body = direct(3000, 3000, 1);
    change(&mut body);
    let (status, answer) = client.post(Endpoint::DirectInit, &body).await;
    let text = |name: &str| answer["error"][name].as_str().unwrap().to_owned();
    (status, text("code"), text("message"))
}

#[tokio::test]
async fn an_init_answers_with_an_id_and_a_url_within_their_lengths() {
    let client = Client::new().await;
    let direct = client.begin(3000).await;
    assert!(direct.id.as_str().starts_with("v_pub_file~v2-1."));
    assert!(direct.id.as_str().len() <= 64 && direct.url.len() <= 256);
    assert!(direct.url.starts_with(client.tiktok.url()));
    let draft = client.begin_draft(3000).await;
    assert!(draft.id.as_str().starts_with("v_inbox_file~v2."));
    assert_ne!(draft.url, direct.url);
    assert!(client.broken().is_empty());
}

#[tokio::test]
async fn a_plan_that_is_not_allowed_is_refused_in_the_observed_words() {
    let client = Client::new().await;
    let plan = async |size, chunk, count| {
        refused(&client, |body| {
            body["source_info"] = source(size, chunk, count);
        })
        .await
    };
    let count = plan(50_000_123, 10 * MB, 6).await;
    assert_eq!(count.2, "The total chunk count is invalid");
    let size = plan(121 * MB, 64 * MB, 1).await;
    assert_eq!(size.2, "The chunk size is invalid");
    for answer in [count, size, plan(0, 0, 0).await] {
        assert_eq!((answer.0, answer.1.as_str()), (400, "invalid_params"));
    }
    assert_eq!(client.broken(), [Rule::Plan; 3]);
}

#[tokio::test]
async fn what_is_not_documented_is_not_understood() {
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
    assert_eq!(client.broken(), [Rule::Body; 8]);
    assert!(client.tiktok.ledger().publishes.is_empty());
}

#[tokio::test]
async fn a_draft_takes_nothing_but_its_source() {
    let client = Client::new().await;
    let answer = client.post(Endpoint::InboxInit, &direct(3000, 3000, 1)).await;
    assert_eq!(code(&answer), (400, "invalid_params"));
}

#[tokio::test]
async fn the_privacy_level_has_to_be_among_the_creators_options() {
    let client = Client::new().await;
    let followers = refused(&client, |body| {
        body["post_info"]["privacy_level"] = json!("FOLLOWER_OF_CREATOR");
    });
    assert_eq!(followers.await.1, "privacy_level_option_mismatch");
    let mut user = User::new("user-1", "maker");
    user.visibility = Visibility::Private;
    client.tiktok.put_user(user);
    let (status, code, _) = refused(&client, |_| {}).await;
    assert_eq!((status, code.as_str()), (403, "privacy_level_option_mismatch"));
    assert_eq!(client.broken(), [Rule::Privacy, Rule::Privacy]);
}

#[tokio::test]
async fn a_pull_from_an_address_that_is_not_verified_is_refused() {
    let client = Client::new().await;
    let pull = json!({ "source": "PULL_FROM_URL", "video_url": "https://example.com/a.mp4" });
    let answer = refused(&client, |body| body["source_info"] = pull).await;
    assert_eq!((answer.0, answer.1.as_str()), (403, "url_ownership_unverified"));
}

#[tokio::test]
async fn a_photo_endpoint_takes_no_video() {
    let client = Client::new().await;
    let answer = client.post(Endpoint::ContentInit, &direct(3000, 3000, 1)).await;
    assert_eq!(code(&answer), (400, "invalid_params"));
}

#[tokio::test]
async fn a_direct_post_without_a_look_at_the_creator_is_noted() {
    let client = Client::new().await;
    let body = direct(3000, 3000, 1);
    client.post(Endpoint::DirectInit, &body).await;
    assert_eq!(client.broken(), [Rule::Freshness]);
    client.post(Endpoint::CreatorInfo, &json!({})).await;
    client.post(Endpoint::DirectInit, &body).await;
    assert_eq!(client.broken(), [Rule::Freshness]);
    client.post(Endpoint::CreatorInfo, &json!({})).await;
    client.tiktok.advance(901);
    client.post(Endpoint::DirectInit, &body).await;
    assert_eq!(client.broken(), [Rule::Freshness; 2]);
}

#[tokio::test]
async fn every_direct_post_needs_a_look_of_its_own() {
    let client = Client::new().await;
    let body = direct(3000, 3000, 1);
    for _ in 0..2 {
        client.post(Endpoint::CreatorInfo, &json!({})).await;
    }
    // One that is refused starts nothing, and leaves the look to the next.
    client.post(Endpoint::DirectInit, &json!({})).await;
    for _ in 0..2 {
        client.post(Endpoint::DirectInit, &body).await;
    }
    assert_eq!(client.broken(), [Rule::Body]);
    client.post(Endpoint::DirectInit, &body).await;
    assert_eq!(client.broken(), [Rule::Body, Rule::Freshness]);
}

#[tokio::test]
async fn slash_method_content_type_and_token_are_all_required() {
    let client = Client::new().await;
    let url = client.url(Endpoint::CreatorInfo);
    let send = async |request: reqwest::RequestBuilder| answer(request.send().await.unwrap()).await.0;
    let post = |url: &str| client.http.post(url).bearer_auth(&client.token);
    assert_eq!(send(post(url.trim_end_matches('/')).json(&json!({}))).await, 404);
    let get = client.http.get(&url).bearer_auth(&client.token);
    assert_eq!(send(get).await, 405);
    assert_eq!(send(post(&url).body("{}")).await, 400);
    let typed = client.http.post(&url).header("content-type", "application/json; charset=UTF-8");
    assert_eq!(send(typed).await, 401);
    let expected = [Rule::Route, Rule::Method, Rule::ContentType, Rule::Credentials];
    assert_eq!(client.broken(), expected);
}

#[tokio::test]
async fn a_token_opens_only_what_was_granted() {
    let client = Client::new().await;
    let user = OpenId::new("user-1");
    let pair = client.tiktok.grant(&user, &[Scope::VideoUpload]).unwrap();
    let client = Client { token: pair.access_token, ..client };
    let answer = client.post(Endpoint::CreatorInfo, &json!({})).await;
    assert_eq!(code(&answer), (401, "scope_not_authorized"));
    client.begin_draft(3000).await;
}
