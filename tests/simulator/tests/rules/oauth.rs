//! Token pairs: issue, refresh, expiry and revocation.

use serde_json::{Value, json};
use simulator::{Endpoint, OpenId, RefreshFields, RefreshRotation, Rule, Scope, TokenKind};

use crate::client::{Client, REMOVED_BY_USER, status_and_code};

async fn refresh(client: &Client, token: &str) -> (u16, Value) {
    let form = [
        ("client_key", "key-1"),
        ("client_secret", "secret-1"),
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
    ];
    client.form(Endpoint::Token, &form).await
}

fn issue_pair(client: &Client) -> simulator::TokenPair {
    let user = OpenId::new("user-1");
    client.tiktok.grant(&user, &[Scope::VideoPublish]).unwrap()
}

#[tokio::test]
async fn refresh_returns_a_new_pair_and_invalidates_the_old() {
    let client = Client::new().await;
    let old = issue_pair(&client);
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
    assert!(client.violated_rules().is_empty());
}

#[tokio::test]
async fn invalid_grant_can_have_http_status_200() {
    let client = Client::new().await;
    client.change_settings(|settings| settings.invalid_grant_http_status = 200);
    let (status, response) = refresh(&client, "refresh-1").await;
    assert_eq!((status, &response["error"]), (200, &json!("invalid_grant")));
}

#[tokio::test]
async fn old_refresh_token_can_stay_valid() {
    let client = Client::new().await;
    client.change_settings(|settings| settings.refresh_rotation.set(RefreshRotation::OldTokenValid));
    let old = issue_pair(&client);
    assert_eq!(refresh(&client, &old.refresh_token).await.0, 200);
    assert_eq!(refresh(&client, &old.refresh_token).await.0, 200);
}

#[tokio::test]
async fn refresh_can_return_the_access_token_only() {
    let client = Client::new().await;
    client.change_settings(|settings| {
        settings.refresh_rotation.set(RefreshRotation::Unchanged);
        settings.refresh_fields = RefreshFields::AccessTokenOnly;
    });
    let old = issue_pair(&client);
    let (status, new) = refresh(&client, &old.refresh_token).await;
    assert_eq!((status, &new["expires_in"]), (200, &json!(7200)));
    assert!(new["access_token"].is_string() && new.get("refresh_token").is_none() && new.get("open_id").is_none());
    assert_eq!(refresh(&client, &old.refresh_token).await.0, 200, "the old refresh token stays valid");
}

#[tokio::test]
async fn tokens_expire_after_their_lifetimes() {
    let client = Client::new().await;
    let old = issue_pair(&client);
    // The default lifetimes: 2 hours for an access token, 180 days for a refresh token.
    client.tiktok.advance(7200);
    let response = client.post(Endpoint::CreatorInfo, &json!({})).await;
    assert_eq!(status_and_code(&response), (401, "access_token_invalid"));
    let (_, new) = refresh(&client, &old.refresh_token).await;
    let token = new["refresh_token"].as_str().unwrap();
    client.tiktok.advance(15_552_000);
    assert_eq!(refresh(&client, token).await.1["error"], "invalid_grant");
}

#[tokio::test]
async fn expire_tokens_expires_the_chosen_kind() {
    let client = Client::new().await;
    let old = issue_pair(&client);
    let expire = |which| client.tiktok.expire_tokens(&client.user, which).unwrap();
    expire(TokenKind::Access);
    let response = client.post(Endpoint::CreatorInfo, &json!({})).await;
    assert_eq!(status_and_code(&response), (401, "access_token_invalid"));
    expire(TokenKind::Refresh);
    let response = refresh(&client, &old.refresh_token).await;
    assert_eq!(response.1["error"], "invalid_grant");
}

#[tokio::test]
async fn invalid_token_form_is_refused() {
    let client = Client::new().await;
    let old = issue_pair(&client);
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
    // JSON instead of a form.
    let (status, response) = client.post(Endpoint::Token, &json!({})).await;
    assert_eq!((status, &response["error"]), (400, &json!("invalid_request")));
    let expected = [Rule::OAuth, Rule::OAuth, Rule::OAuth, Rule::OAuth, Rule::ContentType];
    assert_eq!(client.violated_rules(), expected);
}

#[tokio::test]
async fn code_is_checked_before_the_apps_credentials() {
    let client = Client::new().await;
    let form = [
        ("client_key", "no-such-key"),
        ("client_secret", "no-such-secret"),
        ("grant_type", "authorization_code"),
        ("code", "code-1"),
        ("redirect_uri", "https://example.com/back"),
    ];
    let (_, response) = client.form(Endpoint::Token, &form).await;
    assert_eq!(response["error"], "invalid_grant");
}

#[tokio::test]
async fn revoked_pair_is_invalid() {
    let client = Client::new().await;
    let old = issue_pair(&client);
    let form = [("client_key", "key-1"), ("client_secret", "secret-1"), ("token", old.access_token.as_str())];
    let (status, response) = client.form(Endpoint::Revoke, &form).await;
    assert_eq!((status, response), (200, json!({})));
    let response = client.post(Endpoint::CreatorInfo, &json!({})).await;
    assert_eq!(status_and_code(&response), (401, "access_token_invalid"));
    let response = refresh(&client, &old.refresh_token).await;
    assert_eq!(response.1["error"], "invalid_grant");
}

#[tokio::test]
async fn calls_with_invalid_tokens_are_logged_for_their_user() {
    let client = Client::new().await;
    let old = issue_pair(&client);
    refresh(&client, &old.refresh_token).await;
    // The first refresh has invalidated this refresh token.
    refresh(&client, &old.refresh_token).await;
    client.tiktok.expire_tokens(&client.user, TokenKind::Access).unwrap();
    client.post(Endpoint::CreatorInfo, &json!({})).await;
    client.tiktok.disconnect(&client.user, REMOVED_BY_USER).unwrap();
    client.post(Endpoint::CreatorInfo, &json!({})).await;
    let calls = client.tiktok.calls(0);
    let logged: Vec<_> = calls.iter().map(|call| (call.user.as_ref(), call.code.as_str())).collect();
    let user = Some(&client.user);
    let refused = (user, "access_token_invalid");
    assert_eq!(logged, [(user, "ok"), (user, "invalid_grant"), refused, refused]);
}

#[tokio::test]
async fn issued_secrets_are_recorded_and_not_logged() {
    let client = Client::new().await;
    let pair = issue_pair(&client);
    let upload = client.start_direct(3000).await;
    let upload_token = upload.url.split("upload_token=").last().unwrap();
    client.tiktok.reset();
    let secrets = client.tiktok.secrets();
    for secret in [&pair.access_token, &pair.refresh_token, upload_token] {
        assert!(secrets.iter().any(|known| known == secret));
    }
    let log = serde_json::to_string(&(client.tiktok.ledger(), client.tiktok.calls(0))).unwrap();
    assert!(secrets.iter().all(|secret| !log.contains(secret.as_str())));
}
