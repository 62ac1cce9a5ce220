//! Token pairs: how they are had, renewed and lost.

use serde_json::{Value, json};
use simulator::{Endpoint, OpenId, RefreshRotation, Rule, Scope, TokenKind};

use crate::client::{Client, code};

async fn refresh(client: &Client, token: &str) -> (u16, Value) {
    let form = [
        ("client_key", "key-1"),
        ("client_secret", "secret-1"),
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
    ];
    client.form(Endpoint::Token, &form).await
}

fn pair(client: &Client) -> simulator::TokenPair {
    let user = OpenId::new("user-1");
    client.tiktok.grant(&user, &[Scope::VideoPublish]).unwrap()
}

#[tokio::test]
async fn a_refresh_hands_out_a_new_pair_and_kills_the_old_refresh_token() {
    let client = Client::new().await;
    let old = pair(&client);
    let (status, new) = refresh(&client, &old.refresh_token).await;
    assert_eq!(status, 200);
    assert_eq!(new["open_id"], "user-1");
    assert_eq!(new["scope"], "video.publish");
    assert_eq!(new["token_type"], "Bearer");
    assert_eq!(new["expires_in"], 7200);
    assert_eq!(new["refresh_expires_in"], 15_552_000);
    assert_ne!(new["refresh_token"], old.refresh_token.as_str());

    let (status, again) = refresh(&client, &old.refresh_token).await;
    assert_eq!((status, &again["error"]), (400, &json!("invalid_grant")));
    assert!(again["log_id"].is_string());
    assert!(client.broken().is_empty());
}

#[tokio::test]
async fn a_refused_grant_can_come_under_http_200() {
    let client = Client::new().await;
    client.set(|settings| settings.invalid_grant_http_status = 200);
    let (status, answer) = refresh(&client, "refresh-1").await;
    assert_eq!((status, &answer["error"]), (200, &json!("invalid_grant")));
}

#[tokio::test]
async fn the_old_refresh_token_can_be_set_to_survive() {
    let client = Client::new().await;
    client.set(|settings| settings.refresh_rotation.set(RefreshRotation::PredecessorSurvives));
    let old = pair(&client);
    assert_eq!(refresh(&client, &old.refresh_token).await.0, 200);
    assert_eq!(refresh(&client, &old.refresh_token).await.0, 200);
}

#[tokio::test]
async fn tokens_die_at_the_end_of_their_lifetimes() {
    let client = Client::new().await;
    let old = pair(&client);
    client.tiktok.advance(7200);
    let answer = client.post(Endpoint::CreatorInfo, &json!({})).await;
    assert_eq!(code(&answer), (401, "access_token_invalid"));
    let (_, new) = refresh(&client, &old.refresh_token).await;
    let token = new["refresh_token"].as_str().unwrap();
    client.tiktok.advance(15_552_000);
    assert_eq!(refresh(&client, token).await.1["error"], "invalid_grant");
}

#[tokio::test]
async fn tokens_can_be_expired_by_order() {
    let client = Client::new().await;
    let old = pair(&client);
    let expire = |which| client.tiktok.expire_tokens(&client.user, which).unwrap();
    expire(TokenKind::Access);
    let answer = client.post(Endpoint::CreatorInfo, &json!({})).await;
    assert_eq!(code(&answer), (401, "access_token_invalid"));
    expire(TokenKind::Refresh);
    let answer = refresh(&client, &old.refresh_token).await;
    assert_eq!(answer.1["error"], "invalid_grant");
}

#[tokio::test]
async fn the_form_is_held_to_its_rules() {
    let client = Client::new().await;
    let old = pair(&client);
    let error = async |key, secret, grant| {
        let form = [
            ("client_key", key),
            ("client_secret", secret),
            ("grant_type", grant),
            ("refresh_token", old.refresh_token.as_str()),
        ];
        client.form(Endpoint::Token, &form).await.1["error"].take()
    };
    let grant = "refresh_token";
    assert_eq!(error("key-2", "secret-1", grant).await, "invalid_client");
    assert_eq!(error("key-1", "secret-2", grant).await, "invalid_client");
    assert_eq!(error("key-1", "", grant).await, "invalid_request");
    let grant = "password";
    assert_eq!(error("key-1", "secret-1", grant).await, "unsupported_grant_type");
    let (status, answer) = client.post(Endpoint::Token, &json!({})).await;
    assert_eq!((status, &answer["error"]), (400, &json!("invalid_request")));
    let expected = [Rule::OAuth, Rule::OAuth, Rule::OAuth, Rule::OAuth, Rule::ContentType];
    assert_eq!(client.broken(), expected);
}

#[tokio::test]
async fn a_code_is_looked_at_before_the_apps_credentials() {
    let client = Client::new().await;
    let form = [
        ("client_key", "no-such-key"),
        ("client_secret", "no-such-secret"),
        ("grant_type", "authorization_code"),
        ("code", "code-1"),
        ("redirect_uri", "https://example.com/back"),
    ];
    let (_, answer) = client.form(Endpoint::Token, &form).await;
    assert_eq!(answer["error"], "invalid_grant");
}

#[tokio::test]
async fn a_revoked_pair_is_dead() {
    let client = Client::new().await;
    let old = pair(&client);
    let form = [("client_key", "key-1"), ("client_secret", "secret-1"), ("token", old.access_token.as_str())];
    let (status, answer) = client.form(Endpoint::Revoke, &form).await;
    assert_eq!((status, answer), (200, json!({})));
    let answer = client.post(Endpoint::CreatorInfo, &json!({})).await;
    assert_eq!(code(&answer), (401, "access_token_invalid"));
    let answer = refresh(&client, &old.refresh_token).await;
    assert_eq!(answer.1["error"], "invalid_grant");
}

#[tokio::test]
async fn what_is_done_with_a_dead_token_is_in_its_users_book() {
    let client = Client::new().await;
    let old = pair(&client);
    refresh(&client, &old.refresh_token).await;
    refresh(&client, &old.refresh_token).await;
    client.tiktok.expire_tokens(&client.user, TokenKind::Access).unwrap();
    client.post(Endpoint::CreatorInfo, &json!({})).await;
    client.tiktok.disconnect(&client.user, 1).unwrap();
    client.post(Endpoint::CreatorInfo, &json!({})).await;
    let events = client.tiktok.events(0);
    let codes: Vec<_> = events.iter().map(|event| (event.user.as_ref(), event.code.as_str())).collect();
    let user = Some(&client.user);
    let refused = (user, "access_token_invalid");
    assert_eq!(codes, [(user, "ok"), (user, "invalid_grant"), refused, refused]);
}

#[tokio::test]
async fn every_secret_that_was_issued_is_on_record() {
    let client = Client::new().await;
    let pair = pair(&client);
    let begun = client.begin(3000).await;
    let upload_token = begun.url.split("upload_token=").last().unwrap();
    client.tiktok.reset();
    let secrets = client.tiktok.secrets();
    for secret in [&pair.access_token, &pair.refresh_token, upload_token] {
        assert!(secrets.iter().any(|known| known == secret));
    }
    let log = serde_json::to_string(&(client.tiktok.ledger(), client.tiktok.events(0))).unwrap();
    assert!(secrets.iter().all(|secret| !log.contains(secret.as_str())));
}
