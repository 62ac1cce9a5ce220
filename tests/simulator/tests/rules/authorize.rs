//! The authorization page, and the exchange of the code that it returns.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::{Digest, Sha256};
use simulator::{AccountStanding, Endpoint, LoopbackRedirects, OpenId, Rule, Scope, User};
use url::Url;

use crate::client::Client;

/// A redirect URI of a web app.
const WEB_REDIRECT: &str = "https://example.com/back";
/// A redirect URI of a desktop app.
const LOOPBACK_REDIRECT: &str = "http://127.0.0.1:8080/back";

async fn client() -> Client {
    let client = Client::new().await;
    client.change_settings(|settings| {
        settings.redirect_uris = vec![WEB_REDIRECT.to_owned(), "http://127.0.0.1:*/back".to_owned()];
    });
    client
}

/// The query of a valid authorization request.
fn request(redirect: &str) -> Vec<(&'static str, String)> {
    vec![
        ("client_key", "key-1".to_owned()),
        ("response_type", "code".to_owned()),
        ("scope", "user.info.basic,video.publish".to_owned()),
        ("redirect_uri", redirect.to_owned()),
        ("state", "state-1".to_owned()),
    ]
}

/// The query with one parameter changed.
fn request_with(name: &'static str, value: &str) -> Vec<(&'static str, String)> {
    let mut request = request(WEB_REDIRECT);
    request.retain(|(other, _)| *other != name);
    request.push((name, value.to_owned()));
    request
}

/// Opens the page, or posts the user's decision on it.
///
/// Returns the HTTP status, the body and the query of the redirect.
async fn visit(
    client: &Client,
    query: &[(&str, String)],
    decision: Option<&[(&str, &str)]>,
) -> (u16, String, BTreeMap<String, String>) {
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let url = client.url(Endpoint::Authorize);
    let request = match decision {
        Some(form) => browser.post(url).query(query).form(form),
        None => browser.get(url).query(query),
    };
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let location = response.headers().get("location");
    let location = location.map(|value| Url::parse(value.to_str().unwrap()).unwrap());
    let pairs = location.map(|url| url.query_pairs().into_owned().collect());
    (status, response.text().await.unwrap(), pairs.unwrap_or_default())
}

/// The form of a user who grants both requested scopes.
const ALLOW: [(&str, &str); 4] =
    [("user", "user-1"), ("granted", "user.info.basic"), ("granted", "video.publish"), ("decision", "allow")];

async fn exchange_code(client: &Client, code: &str, redirect: &str, verifier: &str) -> Value {
    let form = [
        ("client_key", "key-1"),
        ("client_secret", "secret-1"),
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect),
        ("code_verifier", verifier),
    ];
    client.form(Endpoint::Token, &form).await.1
}

#[tokio::test]
async fn code_is_exchanged_for_a_pair_once() {
    let client = client().await;
    let (status, page, _) = visit(&client, &request(WEB_REDIRECT), None).await;
    assert_eq!(status, 200);
    assert!(page.contains("value=\"allow\"") && page.contains("value=\"deny\""));
    assert!(page.contains("value=\"video.publish\" checked"));

    let (status, _, back) = visit(&client, &request(WEB_REDIRECT), Some(&ALLOW)).await;
    assert_eq!((status, back["state"].as_str()), (302, "state-1"));
    assert_eq!(back["scopes"], "user.info.basic,video.publish");
    let code = &back["code"];
    // As in real codes: a client must encode these characters.
    assert!(code.contains('*') && code.contains('!'));

    // Differs by a slash. The refused exchange does not use up the code.
    let wrong_redirect = exchange_code(&client, code, "https://example.com/back/", "").await;
    assert_eq!(wrong_redirect["error"], "invalid_request");
    let pair = exchange_code(&client, code, WEB_REDIRECT, "").await;
    assert_eq!(pair["open_id"], "user-1");
    assert!(pair["access_token"].as_str().unwrap().starts_with("act."));
    let again = exchange_code(&client, code, WEB_REDIRECT, "").await;
    assert_eq!(again["error"], "invalid_grant");
}

#[tokio::test]
async fn expired_code_is_refused() {
    let client = client().await;
    let (_, _, back) = visit(&client, &request(WEB_REDIRECT), Some(&ALLOW)).await;
    // The default of `code_ttl_s`.
    client.tiktok.advance(300);
    let response = exchange_code(&client, &back["code"], WEB_REDIRECT, "").await;
    assert_eq!(response["error"], "invalid_grant");
}

#[tokio::test]
async fn user_may_grant_some_scopes_or_deny() {
    let client = client().await;
    // `ALLOW` without `video.publish`.
    let only_basic = [&ALLOW[..2], &ALLOW[3..]].concat();
    let (_, _, back) = visit(&client, &request(WEB_REDIRECT), Some(&only_basic)).await;
    assert_eq!(back["scopes"], "user.info.basic");
    let deny = [("user", "user-1"), ("decision", "deny")];
    let (_, _, back) = visit(&client, &request(WEB_REDIRECT), Some(&deny)).await;
    assert_eq!(back["error"], "access_denied");
    assert_eq!(back["state"], "state-1");
    assert!(!back.contains_key("code"));
}

#[tokio::test]
async fn user_outside_the_sandbox_is_refused() {
    let client = client().await;
    let mut user = User::new("user-1", "maker");
    user.standing = AccountStanding::OutsideSandbox;
    client.tiktok.put_user(user);
    let (_, _, back) = visit(&client, &request(WEB_REDIRECT), Some(&ALLOW)).await;
    assert_eq!(back["error_type"], "non_sandbox_target");
}

#[tokio::test]
async fn wrong_client_key_or_redirect_uri_is_never_redirected() {
    let client = client().await;
    for wrong in [request_with("client_key", "key-2"), request_with("redirect_uri", "https://example.com/back/")] {
        let (status, _, back) = visit(&client, &wrong, None).await;
        assert_eq!((status, back.len()), (400, 0));
    }
    assert_eq!(client.violated_rules(), [Rule::OAuth; 2]);
}

#[tokio::test]
async fn scope_off_the_apps_list_is_never_redirected() {
    let client = client().await;
    let other_scopes = ["user.info.profile", "user.info.basic,user.info.profile,video.publish", "video.post", ""];
    for scopes in other_scopes {
        let (status, page, back) = visit(&client, &request_with("scope", scopes), None).await;
        assert_eq!((status, back.len()), (400, 0), "{scopes}");
        assert!(page.contains("<p>scope</p>"), "{page}");
    }
    assert_eq!(client.violated_rules(), [Rule::OAuth; 4]);
    client.change_settings(|settings| {
        settings.app_scopes.insert(Scope::UserInfoProfile);
    });
    assert_eq!(visit(&client, &request_with("scope", "user.info.profile"), None).await.0, 200);
}

#[tokio::test]
async fn desktop_request_without_challenge_is_never_redirected() {
    let client = client().await;
    let (status, page, back) = visit(&client, &request(LOOPBACK_REDIRECT), None).await;
    assert_eq!((status, back.len()), (400, 0));
    assert!(page.contains("<p>code_challenge</p>"), "{page}");
}

#[tokio::test]
async fn other_invalid_requests_redirect_with_an_error() {
    let client = client().await;
    let error = async |query: Vec<(&str, String)>| visit(&client, &query, None).await.2["error"].clone();
    assert_eq!(error(request_with("response_type", "token")).await, "unsupported_response_type");
    assert_eq!(error(request_with("state", "")).await, "invalid_request");
}

#[tokio::test]
async fn desktop_app_must_send_its_pkce_verifier() {
    let client = client().await;
    let verifier = "v".repeat(43);
    let challenge = HEXLOWER.encode(&Sha256::digest(verifier.as_bytes()));
    let mut query = request(LOOPBACK_REDIRECT);
    query.push(("code_challenge", challenge));
    query.push(("code_challenge_method", "S256".to_owned()));
    let (_, _, back) = visit(&client, &query, Some(&ALLOW)).await;
    let wrong_verifier = exchange_code(&client, &back["code"], LOOPBACK_REDIRECT, &"w".repeat(43)).await;
    assert_eq!(wrong_verifier["error"], "invalid_request");
    let pair = exchange_code(&client, &back["code"], LOOPBACK_REDIRECT, &verifier).await;
    assert_eq!(pair["open_id"], "user-1");
}

#[tokio::test]
async fn loopback_redirect_under_web_rules_needs_no_pkce() {
    let client = client().await;
    client.change_settings(|settings| settings.loopback_redirects = LoopbackRedirects::Web);
    let (_, _, back) = visit(&client, &request(LOOPBACK_REDIRECT), Some(&ALLOW)).await;
    let pair = exchange_code(&client, &back["code"], LOOPBACK_REDIRECT, "").await;
    assert_eq!(pair["open_id"], "user-1");
}

#[tokio::test]
async fn returning_user_skips_the_page_unless_disable_auto_auth() {
    let client = client().await;
    client.change_settings(|settings| settings.signed_in = Some(OpenId::new("user-1")));
    let (status, _, back) = visit(&client, &request(WEB_REDIRECT), None).await;
    assert_eq!(status, 302);
    assert!(back.contains_key("code"));
    let (status, _, _) = visit(&client, &request_with("disable_auto_auth", "1"), None).await;
    assert_eq!(status, 200);
}
