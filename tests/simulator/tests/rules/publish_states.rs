//! The states of a publish after its upload.

use serde_json::{Value, json};
use simulator::{
    AccountStanding, DraftPost, Endpoint, ExpiredUpload, FailReason, Flow, PostIds, PrivacyLevel, StatusShape, User,
};

use crate::client::{Client, MODERATION_S, PROCESSING_S, REMOVED_BY_USER, direct_init_body, mp4_file, started_upload};

#[tokio::test]
async fn direct_post_is_published_once_and_becomes_public() {
    let client = Client::new().await;
    let id = client.upload_direct_post().await;
    let status = client.status(&id).await;
    assert_eq!(status["status"], "PROCESSING_UPLOAD");
    assert_eq!(status["uploaded_bytes"], 3000);

    // Long enough to see the published video before it is public.
    client.change_settings(|settings| settings.moderation_ms = 60_000);
    client.tiktok.advance(PROCESSING_S);
    let status = client.status(&id).await;
    assert_eq!(status["status"], "PUBLISH_COMPLETE");
    assert_eq!(status["publicaly_available_post_id"], json!([]));

    client.tiktok.advance(60);
    let status = client.status(&id).await;
    let ids = status["publicaly_available_post_id"].as_array().unwrap();
    assert_eq!(ids[0].as_u64().unwrap().to_string().len(), 19);

    let ledger = client.tiktok.ledger();
    assert_eq!(ledger.publications.len(), 1);
    let published = &ledger.publications[0];
    assert_eq!(published.title, "A day at the sea");
    assert_eq!(published.flow, Flow::Direct);
    assert_eq!(published.post_id, ids[0].to_string());
    assert_eq!(ledger.times_published(&published.sha256), 1);
    assert_eq!(ledger.publish(&id).unwrap().times_published, 1);
    assert!(ledger.violations.is_empty());
}

#[tokio::test]
async fn private_post_never_becomes_public() {
    let client = Client::new().await;
    client.post(Endpoint::CreatorInfo, &json!({})).await;
    let mut body = direct_init_body(3000, 3000, 1);
    body["post_info"]["privacy_level"] = json!("SELF_ONLY");
    let response = client.post(Endpoint::DirectInit, &body).await;
    let upload = started_upload(response);
    client.put(&upload, 0, &mp4_file(3000), 3000).await;
    client.tiktok.advance(86_400);
    // The first access token has expired after a day.
    let pair = client.tiktok.grant(&client.user, &simulator::Scope::ALL);
    let client = Client { token: pair.unwrap().access_token, ..client };
    let status = client.status(&upload.id).await;
    assert_eq!(status["status"], "PUBLISH_COMPLETE");
    assert_eq!(status["publicaly_available_post_id"], json!([]));
}

#[tokio::test]
async fn draft_stays_in_the_inbox_until_posted() {
    let client = Client::new().await;
    let upload = client.start_draft(3000).await;
    client.put(&upload, 0, &mp4_file(3000), 3000).await;
    let draft = DraftPost { title: "Edited in the app".to_owned(), privacy_level: PrivacyLevel::PublicToEveryone };
    // Before the end of processing, the draft is not in the inbox.
    assert!(client.tiktok.post_draft(&upload.id, draft.clone()).is_err());
    client.tiktok.advance(PROCESSING_S);
    assert_eq!(client.status(&upload.id).await["status"], "SEND_TO_USER_INBOX");
    assert!(client.tiktok.ledger().publications.is_empty());

    client.tiktok.post_draft(&upload.id, draft).unwrap();
    client.tiktok.advance(MODERATION_S);
    let status = client.status(&upload.id).await;
    assert_eq!(status["status"], "PUBLISH_COMPLETE");
    assert_eq!(status["publicaly_available_post_id"].as_array().unwrap().len(), 1);
    let ledger = client.tiktok.ledger();
    assert_eq!(ledger.publications[0].title, "Edited in the app");
}

#[tokio::test]
async fn post_ids_setting_selects_their_json_type() {
    let client = Client::new().await;
    let id = client.upload_direct_post().await;
    client.tiktok.advance(PROCESSING_S + MODERATION_S);
    let ids = async |shape| {
        client.change_settings(|settings| settings.post_ids = shape);
        client.status(&id).await["publicaly_available_post_id"].take()
    };
    assert!(ids(PostIds::Numbers).await[0].is_u64());
    assert!(ids(PostIds::Strings).await[0].is_string());
    assert!(ids(PostIds::Scalar).await.is_u64());
    assert_eq!(ids(PostIds::Empty).await, json!([]));
}

#[tokio::test]
async fn legacy_status_contains_video_link_and_cover() {
    let client = Client::new().await;
    client.change_settings(|settings| settings.status_shape = StatusShape::Legacy);
    let id = client.upload_direct_post().await;
    assert_eq!(client.status(&id).await["status"], "PROCESSING_UPLOAD");
    client.tiktok.advance(PROCESSING_S);
    let status = client.status(&id).await;
    assert_eq!(status["status"], "PUBLISHED");
    let video = status["video_id"].as_str().unwrap();
    assert_eq!(status["share_url"], format!("https://www.tiktok.com/@maker/video/{video}"));
    assert!(status["cover_url"].as_str().unwrap().contains(video));
}

#[tokio::test]
async fn file_that_is_no_video_fails_after_processing() {
    let client = Client::new().await;
    let upload = client.start_direct(10).await;
    client.put(&upload, 0, b"not a clip", 10).await;
    assert_eq!(client.status(&upload.id).await["status"], "PROCESSING_UPLOAD");
    client.tiktok.advance(PROCESSING_S);
    let expected = json!({ "status": "FAILED", "fail_reason": "file_format_check_failed" });
    assert_eq!(client.status(&upload.id).await, expected);
    assert!(client.tiktok.ledger().publications.is_empty());
}

#[tokio::test]
async fn video_over_the_creators_maximum_duration_fails() {
    let client = Client::new().await;
    let mut user = User::new("user-1", "maker");
    user.max_video_post_duration_sec = 60;
    client.tiktok.put_user(user);
    let file = mp4_of_duration(61);
    let size = file.len() as u64;
    let upload = client.start_direct(size).await;
    client.put(&upload, 0, &file, size).await;
    client.tiktok.advance(PROCESSING_S);
    let status = client.status(&upload.id).await;
    assert_eq!(status["fail_reason"], "duration_check_failed");
    let entry = client.tiktok.entry(&upload.id).unwrap();
    assert_eq!(entry.duration_ms, Some(61_000));
}

#[tokio::test]
async fn publish_fails_if_the_creator_removes_the_app() {
    let client = Client::new().await;
    let id = client.upload_direct_post().await;
    client.tiktok.disconnect(&client.user, REMOVED_BY_USER).unwrap();
    client.tiktok.advance(PROCESSING_S);
    let entry = client.tiktok.entry(&id).unwrap();
    assert_eq!(entry.fail_reason, Some(FailReason::AuthRemoved));
    let (status, _) = client.post(Endpoint::CreatorInfo, &json!({})).await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn post_of_a_risky_creator_fails_after_processing() {
    let client = Client::new().await;
    let id = client.upload_direct_post().await;
    let mut user = User::new("user-1", "maker");
    user.standing = AccountStanding::Risky;
    // The standing at the end of processing counts, not the one during the init.
    client.tiktok.put_user(user);
    client.tiktok.advance(PROCESSING_S);
    assert_eq!(client.status(&id).await["fail_reason"], "spam_risk");
}

#[tokio::test]
async fn expired_upload_setting_selects_the_state() {
    let client = Client::new().await;
    let upload = client.start_direct(3000).await;
    // One second more than the default of `upload_url_ttl_s`.
    client.tiktok.advance(3601);
    assert_eq!(client.status(&upload.id).await["status"], "PROCESSING_UPLOAD");
    client.change_settings(|settings| settings.expired_upload.set(ExpiredUpload::Fails));
    assert_eq!(client.status(&upload.id).await["fail_reason"], "internal");
}

#[tokio::test]
async fn status_of_another_users_publish_is_refused() {
    let client = Client::new().await;
    let id = client.upload_direct_post().await;
    client.tiktok.put_user(User::new("user-2", "other"));
    let other = simulator::OpenId::new("user-2");
    let pair = client.tiktok.grant(&other, &simulator::Scope::ALL).unwrap();
    let other_client = Client { token: pair.access_token, user: other, ..client };
    let error_code = async |id: &str| {
        let body = json!({ "publish_id": id });
        let (_, mut response) = other_client.post(Endpoint::StatusFetch, &body).await;
        response["error"]["code"].take()
    };
    let not_authorized = "token_not_authorized_for_specified_publish_id";
    assert_eq!(error_code(id.as_str()).await, not_authorized);
    assert_eq!(error_code("v_pub_file~v2-1.1").await, "invalid_publish_id");
}

#[tokio::test]
async fn upload_cannot_be_cancelled() {
    let client = Client::new().await;
    let id = client.upload_direct_post().await;
    let response = client.post(Endpoint::Cancel, &json!({ "publish_id": id })).await;
    assert_eq!(crate::client::status_and_code(&response), (400, "publish_not_cancellable"));
}

#[tokio::test]
async fn public_video_is_listed_until_taken_down() {
    let client = Client::new().await;
    let id = client.upload_direct_post().await;
    client.tiktok.advance(PROCESSING_S + MODERATION_S);
    let video = client.tiktok.entry(&id).unwrap().post_ids[0].clone();
    let find = async || -> Value {
        let url = client.url(Endpoint::VideoQuery);
        let request = client
            .http
            .post(format!("{url}?fields=id,title,share_url,cover_image_url"))
            .bearer_auth(&client.token)
            .json(&json!({ "filters": { "video_ids": [video] } }));
        let (status, mut response) = crate::client::read_response(request.send().await.unwrap()).await;
        assert_eq!(status, 200, "{response}");
        response["data"]["videos"].take()
    };
    let found = find().await;
    assert_eq!(found[0]["id"], video);
    assert_eq!(found[0]["title"], "A day at the sea");
    assert_eq!(found[0]["share_url"], format!("https://www.tiktok.com/@maker/video/{video}"));
    client.tiktok.take_down(&id).unwrap();
    assert_eq!(find().await, json!([]));
    assert!(client.tiktok.take_down(&id).is_err());
}

/// Makes an MP4 whose `mvhd` box (version 0: timescale at offset 12, duration at 16) states a duration.
fn mp4_of_duration(seconds: u32) -> Vec<u8> {
    let mut header = vec![0; 100];
    header[12..16].copy_from_slice(&1000_u32.to_be_bytes());
    header[16..20].copy_from_slice(&(seconds * 1000).to_be_bytes());
    let inner = [&108_u32.to_be_bytes()[..], b"mvhd", &header].concat();
    let moov = [&116_u32.to_be_bytes()[..], b"moov", &inner].concat();
    [&b"\0\0\0\x10ftypisom\0\0\0\0"[..], &moov].concat()
}
