//! How often, how many, and by whom.

use serde_json::json;
use simulator::{Audit, Endpoint, OpenId, Rule, Scope, Standing, User, Visibility};

use crate::client::{Client, code, direct, movie, source};

async fn codes(client: &Client, endpoint: Endpoint, calls: usize) -> Vec<String> {
    let body = match endpoint {
        Endpoint::DirectInit => direct(3000, 3000, 1),
        Endpoint::InboxInit => json!({ "source_info": source(3000, 3000, 1) }),
        _ => json!({}),
    };
    let mut codes = Vec::new();
    for _ in 0..calls {
        let (_, answer) = client.post(endpoint, &body).await;
        codes.push(answer["error"]["code"].as_str().unwrap().to_owned());
    }
    codes
}

#[tokio::test]
async fn a_minute_takes_so_many_calls_of_a_token_and_slides() {
    let client = Client::new().await;
    let answers = codes(&client, Endpoint::CreatorInfo, 21).await;
    assert_eq!(answers[19..], ["ok", "rate_limit_exceeded"]);
    let answers = codes(&client, Endpoint::DirectInit, 7).await;
    assert_eq!(answers[5..], ["ok", "rate_limit_exceeded"]);
    assert_eq!(client.broken(), [Rule::RateLimit; 2]);
    client.tiktok.advance(60);
    assert_eq!(codes(&client, Endpoint::DirectInit, 1).await, ["ok"]);
    let answer = client.post(Endpoint::StatusFetch, &json!({})).await;
    assert_eq!(code(&answer), (400, "invalid_params"));
}

#[tokio::test]
async fn a_creator_has_a_cap_for_the_day() {
    let client = Client::new().await;
    client.set(|settings| settings.daily_post_cap = 2);
    codes(&client, Endpoint::CreatorInfo, 2).await;
    let answers = codes(&client, Endpoint::DirectInit, 3).await;
    assert_eq!(answers, ["ok", "ok", "spam_risk_too_many_posts"]);
    // The look at the creator says the same, under HTTP 200.
    let answer = client.post(Endpoint::CreatorInfo, &json!({})).await;
    assert_eq!(code(&answer), (200, "spam_risk_too_many_posts"));
    assert!(client.broken().is_empty());
}

#[tokio::test]
async fn five_drafts_wait_and_no_more() {
    let client = Client::new().await;
    client.set(|settings| settings.init_per_minute = 100);
    let answers = codes(&client, Endpoint::InboxInit, 6).await;
    assert_eq!(answers[4..], ["ok", "spam_risk_too_many_pending_share"]);
    let drafts = client.tiktok.ledger().publishes;
    let reason = simulator::FailReason::Internal;
    client.tiktok.fail(&drafts[0].publish_id, reason).unwrap();
    assert_eq!(codes(&client, Endpoint::InboxInit, 1).await, ["ok"]);
}

#[tokio::test]
async fn a_banned_creator_posts_nothing() {
    let client = Client::new().await;
    let mut user = User::new("user-1", "maker");
    user.standing = Standing::Banned;
    client.tiktok.put_user(user);
    let banned = "spam_risk_user_banned_from_posting";
    let answer = client.post(Endpoint::CreatorInfo, &json!({})).await;
    assert_eq!(code(&answer), (200, banned));
    let answer = client.post(Endpoint::DirectInit, &direct(3000, 3000, 1)).await;
    assert_eq!(code(&answer), (403, banned));
    assert_eq!(codes(&client, Endpoint::InboxInit, 1).await, [banned]);
}

#[tokio::test]
async fn an_app_without_an_audit_posts_privately_to_private_accounts() {
    let client = Client::new().await;
    client.set(|settings| settings.audit = Audit::Outstanding);
    let answer = client.post(Endpoint::CreatorInfo, &json!({})).await;
    assert_eq!(code(&answer), (200, "ok"));
    let mut body = direct(3000, 3000, 1);
    body["post_info"]["privacy_level"] = json!("SELF_ONLY");
    let answer = client.post(Endpoint::DirectInit, &body).await;
    let unaudited = "unaudited_client_can_only_post_to_private_accounts";
    assert_eq!(code(&answer), (403, unaudited));
    let mut user = User::new("user-1", "maker");
    user.visibility = Visibility::Private;
    client.tiktok.put_user(user);
    let answer = client.post(Endpoint::DirectInit, &body).await;
    assert_eq!(code(&answer), (200, "ok"));
}

#[tokio::test]
async fn an_app_without_an_audit_has_five_active_users_whatever_its_cap() {
    let mut client = Client::new().await;
    client.set(|settings| {
        settings.audit = Audit::Outstanding;
        settings.active_user_cap = Some(100);
    });
    let mut codes = Vec::new();
    for number in 0..6 {
        let mut user = User::new(format!("user-{number}"), "maker");
        user.visibility = Visibility::Private;
        let id = user.open_id.clone();
        client.tiktok.put_user(user);
        client.token = client.tiktok.grant(&id, &Scope::ALL).unwrap().access_token;
        client.post(Endpoint::CreatorInfo, &json!({})).await;
        let mut body = direct(3000, 3000, 1);
        body["post_info"]["privacy_level"] = json!("SELF_ONLY");
        let (_, answer) = client.post(Endpoint::DirectInit, &body).await;
        codes.push(answer["error"]["code"].as_str().unwrap().to_owned());
    }
    assert_eq!(codes[4..], ["ok", "reached_active_user_cap"]);
}

#[tokio::test]
async fn an_app_has_a_cap_of_active_users() {
    let client = Client::new().await;
    client.set(|settings| settings.active_user_cap = Some(1));
    client.begin(3000).await;
    client.tiktok.put_user(User::new("user-2", "other"));
    let other = OpenId::new("user-2");
    let pair = client.tiktok.grant(&other, &Scope::ALL).unwrap();
    let second = Client { token: pair.access_token, ..client };
    let answer = second.post(Endpoint::CreatorInfo, &json!({})).await;
    assert_eq!(code(&answer), (200, "reached_active_user_cap"));
    let answer = second.post(Endpoint::DirectInit, &direct(3000, 3000, 1)).await;
    assert_eq!(code(&answer), (403, "reached_active_user_cap"));
}

#[tokio::test]
async fn posting_a_draft_frees_its_place() {
    let client = Client::new().await;
    client.set(|settings| settings.pending_drafts_cap = 1);
    let begun = client.begin_draft(3000).await;
    client.put(&begun, 0, &movie(3000), 3000).await;
    client.tiktok.advance(2);
    let full = "spam_risk_too_many_pending_share";
    assert_eq!(codes(&client, Endpoint::InboxInit, 1).await, [full]);
    let draft = simulator::DraftPost { title: String::new(), privacy_level: simulator::PrivacyLevel::SelfOnly };
    client.tiktok.post_draft(&begun.id, draft).unwrap();
    assert_eq!(codes(&client, Endpoint::InboxInit, 1).await, ["ok"]);
}
