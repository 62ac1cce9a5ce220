//! The consent page and the code that it leads to.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::{Digest, Sha256};
use simulator::{Endpoint, LoopbackRedirects, OpenId, Rule, Standing, User};
use url::Url;

use crate::client::Client;

const BACK: &str = "https://example.com/back";
const LOCAL: &str = "http://127.0.0.1:8080/back";

async fn client() -> Client {
    let client = Client::new().await;
    client.set(|settings| {
        settings.redirect_uris = vec![BACK.to_owned(), "http://127.0.0.1:*/back".to_owned()];
    });
    client
}

fn request(redirect: &str) -> Vec<(&'static str, String)> {
    vec![
        ("client_key", "key-1".to_owned()),
        ("response_type", "code".to_owned()),
        ("scope", "user.info.basic,video.publish".to_owned()),
        ("redirect_uri", redirect.to_owned()),
        ("state", "state-1".to_owned()),
    ]
}

fn with(name: &'static str, value: &str) -> Vec<(&'static str, String)> {
    let mut request = request(BACK);
    request.retain(|(other, _)| *other != name);
    request.push((name, value.to_owned()));
    request
}

/// Opens the page, or posts a decision on it; gives status, body and redirect.
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
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let location = answer.headers().get("location");
    let location = location.map(|it| Url::parse(it.to_str().unwrap()).unwrap());
    let pairs = location.map(|url| url.query_pairs().into_owned().collect());
    (status, answer.text().await.unwrap(), pairs.unwrap_or_default())
}

const ALLOW: [(&str, &str); 4] =
    [("user", "user-1"), ("granted", "user.info.basic"), ("granted", "video.publish"), ("decision", "allow")];

async fn redeem(client: &Client, code: &str, redirect: &str, verifier: &str) -> Value {
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
async fn the_page_asks_and_the_code_leads_to_a_pair_once() {
    let client = client().await;
    let (status, page, _) = visit(&client, &request(BACK), None).await;
    assert_eq!(status, 200);
    assert!(page.contains("value=\"allow\"") && page.contains("value=\"deny\""));
    assert!(page.contains("value=\"video.publish\" checked"));

    let (status, _, back) = visit(&client, &request(BACK), Some(&ALLOW)).await;
    assert_eq!((status, back["state"].as_str()), (302, "state-1"));
    assert_eq!(back["scopes"], "user.info.basic,video.publish");
    let code = &back["code"];
    assert!(code.contains('*') && code.contains('!'));

    let wrong = redeem(&client, code, "https://example.com/back/", "").await;
    assert_eq!(wrong["error"], "invalid_request");
    let pair = redeem(&client, code, BACK, "").await;
    assert_eq!(pair["open_id"], "user-1");
    assert!(pair["access_token"].as_str().unwrap().starts_with("act."));
    let again = redeem(&client, code, BACK, "").await;
    assert_eq!(again["error"], "invalid_grant");
}

#[tokio::test]
async fn a_code_expires() {
    let client = client().await;
    let (_, _, back) = visit(&client, &request(BACK), Some(&ALLOW)).await;
    client.tiktok.advance(300);
    let late = redeem(&client, &back["code"], BACK, "").await;
    assert_eq!(late["error"], "invalid_grant");
}

#[tokio::test]
async fn a_user_may_grant_a_part_or_nothing() {
    let client = client().await;
    let part = [&ALLOW[..2], &ALLOW[3..]].concat();
    let (_, _, back) = visit(&client, &request(BACK), Some(&part)).await;
    assert_eq!(back["scopes"], "user.info.basic");
    let deny = [("user", "user-1"), ("decision", "deny")];
    let (_, _, back) = visit(&client, &request(BACK), Some(&deny)).await;
    assert_eq!(back["error"], "access_denied");
    assert_eq!(back["state"], "state-1");
    assert!(!back.contains_key("code"));
}

#[tokio::test]
async fn a_user_outside_the_sandbox_is_turned_away() {
    let client = client().await;
    let mut user = User::new("user-1", "maker");
    user.standing = Standing::OutsideSandbox;
    client.tiktok.put_user(user);
    let (_, _, back) = visit(&client, &request(BACK), Some(&ALLOW)).await;
    assert_eq!(back["error_type"], "non_sandbox_target");
}

#[tokio::test]
async fn a_wrong_app_or_address_is_shown_and_never_redirected() {
    let client = client().await;
    for wrong in [with("client_key", "key-2"), with("redirect_uri", "https://example.com/back/")] {
        let (status, _, back) = visit(&client, &wrong, None).await;
        assert_eq!((status, back.len()), (400, 0));
    }
    assert_eq!(client.broken(), [Rule::OAuth; 2]);
}

#[tokio::test]
async fn a_wrong_request_is_returned_to_the_app() {
    let client = client().await;
    let error = async |query: Vec<(&str, String)>| visit(&client, &query, None).await.2["error"].clone();
    assert_eq!(error(with("response_type", "token")).await, "unsupported_response_type");
    assert_eq!(error(with("scope", "video.post")).await, "invalid_scope");
    assert_eq!(error(with("state", "")).await, "invalid_request");
    assert_eq!(error(request(LOCAL)).await, "invalid_request");
}

#[tokio::test]
async fn a_desktop_app_proves_that_the_code_is_its_own() {
    let client = client().await;
    let verifier = "v".repeat(43);
    let challenge = HEXLOWER.encode(&Sha256::digest(verifier.as_bytes()));
    let mut query = request(LOCAL);
    query.push(("code_challenge", challenge));
    query.push(("code_challenge_method", "S256".to_owned()));
    let (_, _, back) = visit(&client, &query, Some(&ALLOW)).await;
    let other = redeem(&client, &back["code"], LOCAL, &"w".repeat(43)).await;
    assert_eq!(other["error"], "invalid_request");
    let pair = redeem(&client, &back["code"], LOCAL, &verifier).await;
    assert_eq!(pair["open_id"], "user-1");
}

#[tokio::test]
async fn a_loopback_address_can_be_set_to_follow_the_rules_of_the_web() {
    let client = client().await;
    client.set(|settings| settings.loopback_redirects = LoopbackRedirects::Web);
    let (_, _, back) = visit(&client, &request(LOCAL), Some(&ALLOW)).await;
    let pair = redeem(&client, &back["code"], LOCAL, "").await;
    assert_eq!(pair["open_id"], "user-1");
}

#[tokio::test]
async fn a_session_that_consented_before_skips_the_page_unless_told_not_to() {
    let client = client().await;
    client.set(|settings| settings.signed_in = Some(OpenId::new("user-1")));
    let (status, _, back) = visit(&client, &request(BACK), None).await;
    assert_eq!(status, 302);
    assert!(back.contains_key("code"));
    let (status, _, _) = visit(&client, &with("disable_auto_auth", "1"), None).await;
    assert_eq!(status, 200);
}
