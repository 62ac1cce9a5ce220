//! Rate limits, daily caps, and the limits of an unaudited app.

use serde_json::json;
use simulator::{AccountStanding, Audit, Endpoint, OpenId, Rule, Scope, User, Visibility};

use crate::client::{Client, PROCESSING_S, direct_init_body, mp4_file, source_info, status_and_code};

/// Calls an endpoint several times. Returns the `error.code` of each response.
async fn call_repeatedly(client: &Client, endpoint: Endpoint, times: usize) -> Vec<String> {
    let body = match endpoint {
        Endpoint::DirectInit => direct_init_body(3000, 3000, 1),
        Endpoint::InboxInit => json!({ "source_info": source_info(3000, 3000, 1) }),
        _ => json!({}),
    };
    let mut codes = Vec::new();
    for _ in 0..times {
        let (_, response) = client.post(endpoint, &body).await;
        codes.push(response["error"]["code"].as_str().unwrap().to_owned());
    }
    codes
}

#[tokio::test]
async fn calls_over_the_rate_limit_are_refused() {
    let client = Client::new().await;
    // The default limits per minute are 20 and 6.
    let codes = call_repeatedly(&client, Endpoint::CreatorInfo, 21).await;
    assert_eq!(codes[19..], ["ok", "rate_limit_exceeded"]);
    let codes = call_repeatedly(&client, Endpoint::DirectInit, 7).await;
    assert_eq!(codes[5..], ["ok", "rate_limit_exceeded"]);
    assert_eq!(client.violated_rules(), [Rule::RateLimit; 2]);
    client.tiktok.advance(60);
    assert_eq!(call_repeatedly(&client, Endpoint::DirectInit, 1).await, ["ok"]);
    // Each endpoint has its own limit: this call fails only because its body has no `publish_id`.
    let response = client.post(Endpoint::StatusFetch, &json!({})).await;
    assert_eq!(status_and_code(&response), (400, "invalid_params"));
}

#[tokio::test]
async fn direct_init_over_the_daily_cap_is_refused() {
    let client = Client::new().await;
    client.change_settings(|settings| settings.daily_post_cap = 2);
    call_repeatedly(&client, Endpoint::CreatorInfo, 2).await;
    let codes = call_repeatedly(&client, Endpoint::DirectInit, 3).await;
    assert_eq!(codes, ["ok", "ok", "spam_risk_too_many_posts"]);
    // `creator_info/query` refuses with the same code, under HTTP 200.
    let response = client.post(Endpoint::CreatorInfo, &json!({})).await;
    assert_eq!(status_and_code(&response), (200, "spam_risk_too_many_posts"));
    assert!(client.violated_rules().is_empty());
}

#[tokio::test]
async fn sixth_pending_draft_is_refused() {
    let client = Client::new().await;
    client.change_settings(|settings| settings.init_per_minute = 100);
    let codes = call_repeatedly(&client, Endpoint::InboxInit, 6).await;
    assert_eq!(codes[4..], ["ok", "spam_risk_too_many_pending_share"]);
    // A failed draft is no longer pending.
    let drafts = client.tiktok.ledger().publishes;
    let reason = simulator::FailReason::Internal;
    client.tiktok.fail(&drafts[0].publish_id, reason).unwrap();
    assert_eq!(call_repeatedly(&client, Endpoint::InboxInit, 1).await, ["ok"]);
}

#[tokio::test]
async fn banned_creator_is_refused() {
    let client = Client::new().await;
    let mut user = User::new("user-1", "maker");
    user.standing = AccountStanding::Banned;
    client.tiktok.put_user(user);
    let banned = "spam_risk_user_banned_from_posting";
    // A query refuses under HTTP 200, the default of `creator_info_refusal_http_status`; an init under 403.
    let response = client.post(Endpoint::CreatorInfo, &json!({})).await;
    assert_eq!(status_and_code(&response), (200, banned));
    let response = client.post(Endpoint::DirectInit, &direct_init_body(3000, 3000, 1)).await;
    assert_eq!(status_and_code(&response), (403, banned));
    assert_eq!(call_repeatedly(&client, Endpoint::InboxInit, 1).await, [banned]);
}

#[tokio::test]
async fn unaudited_app_posts_only_to_private_accounts() {
    let client = Client::new().await;
    client.change_settings(|settings| settings.audit = Audit::Pending);
    let response = client.post(Endpoint::CreatorInfo, &json!({})).await;
    assert_eq!(status_and_code(&response), (200, "ok"));
    let mut body = direct_init_body(3000, 3000, 1);
    body["post_info"]["privacy_level"] = json!("SELF_ONLY");
    let response = client.post(Endpoint::DirectInit, &body).await;
    let unaudited = "unaudited_client_can_only_post_to_private_accounts";
    assert_eq!(status_and_code(&response), (403, unaudited));
    let mut user = User::new("user-1", "maker");
    user.visibility = Visibility::Private;
    client.tiktok.put_user(user);
    let response = client.post(Endpoint::DirectInit, &body).await;
    assert_eq!(status_and_code(&response), (200, "ok"));
}

#[tokio::test]
async fn unaudited_app_has_at_most_five_active_users() {
    let mut client = Client::new().await;
    client.change_settings(|settings| {
        settings.audit = Audit::Pending;
        // The smaller cap applies: an unaudited app's is 5 (`UNAUDITED_ACTIVE_USER_CAP` in `init`).
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
        let mut body = direct_init_body(3000, 3000, 1);
        body["post_info"]["privacy_level"] = json!("SELF_ONLY");
        let (_, response) = client.post(Endpoint::DirectInit, &body).await;
        codes.push(response["error"]["code"].as_str().unwrap().to_owned());
    }
    assert_eq!(codes[4..], ["ok", "reached_active_user_cap"]);
}

#[tokio::test]
async fn user_over_the_active_user_cap_is_refused() {
    let client = Client::new().await;
    client.change_settings(|settings| settings.active_user_cap = Some(1));
    client.start_direct(3000).await;
    client.tiktok.put_user(User::new("user-2", "other"));
    let other = OpenId::new("user-2");
    let pair = client.tiktok.grant(&other, &Scope::ALL).unwrap();
    let second = Client { token: pair.access_token, ..client };
    let response = second.post(Endpoint::CreatorInfo, &json!({})).await;
    assert_eq!(status_and_code(&response), (200, "reached_active_user_cap"));
    let response = second.post(Endpoint::DirectInit, &direct_init_body(3000, 3000, 1)).await;
    assert_eq!(status_and_code(&response), (403, "reached_active_user_cap"));
}

#[tokio::test]
async fn posting_a_draft_makes_room_for_another() {
    let client = Client::new().await;
    client.change_settings(|settings| settings.pending_drafts_cap = 1);
    let upload = client.start_draft(3000).await;
    client.put(&upload, 0, &mp4_file(3000), 3000).await;
    client.tiktok.advance(PROCESSING_S);
    let full = "spam_risk_too_many_pending_share";
    assert_eq!(call_repeatedly(&client, Endpoint::InboxInit, 1).await, [full]);
    let draft = simulator::DraftPost { title: String::new(), privacy_level: simulator::PrivacyLevel::SelfOnly };
    client.tiktok.post_draft(&upload.id, draft).unwrap();
    assert_eq!(call_repeatedly(&client, Endpoint::InboxInit, 1).await, ["ok"]);
}
