//! What becomes of a publish once its bytes are in.

use serde_json::{Value, json};
use simulator::{
    DraftPost, Endpoint, ExpiredUpload, FailReason, Flow, PostIds, PrivacyLevel, Standing, StatusShape, User,
};

use crate::client::{Client, direct, movie};

#[tokio::test]
async fn a_direct_post_is_published_once_and_then_publicly_available() {
    let client = Client::new().await;
    let id = client.upload().await;
    let status = client.status(&id).await;
    assert_eq!(status["status"], "PROCESSING_UPLOAD");
    assert_eq!(status["uploaded_bytes"], 3000);

    client.set(|settings| settings.moderation_ms = 60_000);
    client.tiktok.advance(2);
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
async fn a_private_post_never_becomes_publicly_available() {
    let client = Client::new().await;
    client.post(Endpoint::CreatorInfo, &json!({})).await;
    let mut body = direct(3000, 3000, 1);
    body["post_info"]["privacy_level"] = json!("SELF_ONLY");
    let (_, answer) = client.post(Endpoint::DirectInit, &body).await;
    let begun = crate::client::Begun {
        id: simulator::PublishId::new(answer["data"]["publish_id"].as_str().unwrap()),
        url: answer["data"]["upload_url"].as_str().unwrap().to_owned(),
    };
    client.put(&begun, 0, &movie(3000), 3000).await;
    client.tiktok.advance(86_400);
    // A day later the access token is dead; a new one asks.
    let pair = client.tiktok.grant(&client.user, &simulator::Scope::ALL);
    let client = Client { token: pair.unwrap().access_token, ..client };
    let status = client.status(&begun.id).await;
    assert_eq!(status["status"], "PUBLISH_COMPLETE");
    assert_eq!(status["publicaly_available_post_id"], json!([]));
}

#[tokio::test]
async fn a_draft_waits_in_the_inbox_until_the_creator_posts_it() {
    let client = Client::new().await;
    let begun = client.begin_draft(3000).await;
    client.put(&begun, 0, &movie(3000), 3000).await;
    let draft = DraftPost { title: "Edited in the app".to_owned(), privacy_level: PrivacyLevel::PublicToEveryone };
    assert!(client.tiktok.post_draft(&begun.id, draft.clone()).is_err());
    client.tiktok.advance(2);
    assert_eq!(client.status(&begun.id).await["status"], "SEND_TO_USER_INBOX");
    assert!(client.tiktok.ledger().publications.is_empty());

    client.tiktok.post_draft(&begun.id, draft).unwrap();
    client.tiktok.advance(1);
    let status = client.status(&begun.id).await;
    assert_eq!(status["status"], "PUBLISH_COMPLETE");
    assert_eq!(status["publicaly_available_post_id"].as_array().unwrap().len(), 1);
    let ledger = client.tiktok.ledger();
    assert_eq!(ledger.publications[0].title, "Edited in the app");
}

#[tokio::test]
async fn ids_can_be_strings_or_a_scalar_or_never_come() {
    let client = Client::new().await;
    let id = client.upload().await;
    client.tiktok.advance(3);
    let ids = async |shape| {
        client.set(|settings| settings.post_ids = shape);
        client.status(&id).await["publicaly_available_post_id"].take()
    };
    assert!(ids(PostIds::Numbers).await[0].is_u64());
    assert!(ids(PostIds::Strings).await[0].is_string());
    assert!(ids(PostIds::Scalar).await.is_u64());
    assert_eq!(ids(PostIds::Empty).await, json!([]));
}

#[tokio::test]
async fn the_older_contract_names_video_link_and_cover() {
    let client = Client::new().await;
    client.set(|settings| settings.status_shape = StatusShape::Older);
    let id = client.upload().await;
    assert_eq!(client.status(&id).await["status"], "PROCESSING_UPLOAD");
    client.tiktok.advance(2);
    let status = client.status(&id).await;
    assert_eq!(status["status"], "PUBLISHED");
    let video = status["video_id"].as_str().unwrap();
    assert_eq!(status["share_url"], format!("https://www.tiktok.com/@maker/video/{video}"));
    assert!(status["cover_url"].as_str().unwrap().contains(video));
}

#[tokio::test]
async fn what_is_no_video_fails_after_processing() {
    let client = Client::new().await;
    let begun = client.begin(10).await;
    client.put(&begun, 0, b"not a film", 10).await;
    assert_eq!(client.status(&begun.id).await["status"], "PROCESSING_UPLOAD");
    client.tiktok.advance(2);
    let expected = json!({ "status": "FAILED", "fail_reason": "file_format_check_failed" });
    assert_eq!(client.status(&begun.id).await, expected);
    assert!(client.tiktok.ledger().publications.is_empty());
}

#[tokio::test]
async fn a_video_that_is_longer_than_the_creator_may_post_fails() {
    let client = Client::new().await;
    let mut user = User::new("user-1", "maker");
    user.max_video_post_duration_sec = 60;
    client.tiktok.put_user(user);
    let file = film_of(61);
    let size = file.len() as u64;
    let begun = client.begin(size).await;
    client.put(&begun, 0, &file, size).await;
    client.tiktok.advance(2);
    let status = client.status(&begun.id).await;
    assert_eq!(status["fail_reason"], "duration_check_failed");
    let entry = client.tiktok.entry(&begun.id).unwrap();
    assert_eq!(entry.duration_ms, Some(61_000));
}

#[tokio::test]
async fn a_creator_who_removes_the_app_on_the_way_gets_nothing_published() {
    let client = Client::new().await;
    let id = client.upload().await;
    client.tiktok.disconnect(&client.user, 1).unwrap();
    client.tiktok.advance(2);
    let entry = client.tiktok.entry(&id).unwrap();
    assert_eq!(entry.fail_reason, Some(FailReason::AuthRemoved));
    let (status, _) = client.post(Endpoint::CreatorInfo, &json!({})).await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn a_risky_creators_post_fails_after_processing() {
    let client = Client::new().await;
    let id = client.upload().await;
    let mut user = User::new("user-1", "maker");
    user.standing = Standing::Risky;
    client.tiktok.put_user(user);
    client.tiktok.advance(2);
    assert_eq!(client.status(&id).await["fail_reason"], "spam_risk");
}

#[tokio::test]
async fn an_upload_that_was_never_finished_stays_or_fails_as_set() {
    let client = Client::new().await;
    let begun = client.begin(3000).await;
    client.tiktok.advance(3601);
    assert_eq!(client.status(&begun.id).await["status"], "PROCESSING_UPLOAD");
    client.set(|settings| settings.expired_upload.set(ExpiredUpload::Fails));
    assert_eq!(client.status(&begun.id).await["fail_reason"], "internal");
}

#[tokio::test]
async fn a_publish_is_told_only_to_its_own_user() {
    let client = Client::new().await;
    let id = client.upload().await;
    client.tiktok.put_user(User::new("user-2", "other"));
    let other = simulator::OpenId::new("user-2");
    let pair = client.tiktok.grant(&other, &simulator::Scope::ALL).unwrap();
    let stranger = Client { token: pair.access_token, user: other, ..client };
    let ask = async |id: &str| {
        let body = json!({ "publish_id": id });
        let (_, mut answer) = stranger.post(Endpoint::StatusFetch, &body).await;
        answer["error"]["code"].take()
    };
    let foreign = "token_not_authorized_for_specified_publish_id";
    assert_eq!(ask(id.as_str()).await, foreign);
    assert_eq!(ask("v_pub_file~v2-1.1").await, "invalid_publish_id");
}

#[tokio::test]
async fn an_upload_cannot_be_cancelled() {
    let client = Client::new().await;
    let id = client.upload().await;
    let answer = client.post(Endpoint::Cancel, &json!({ "publish_id": id })).await;
    assert_eq!(crate::client::code(&answer), (400, "publish_not_cancellable"));
}

#[tokio::test]
async fn a_public_video_is_found_with_its_link_until_it_is_taken_down() {
    let client = Client::new().await;
    let id = client.upload().await;
    client.tiktok.advance(3);
    let video = client.tiktok.entry(&id).unwrap().post_ids[0].clone();
    let find = async || -> Value {
        let url = client.url(Endpoint::VideoQuery);
        let request = client
            .http
            .post(format!("{url}?fields=id,title,share_url,cover_image_url"))
            .bearer_auth(&client.token)
            .json(&json!({ "filters": { "video_ids": [video] } }));
        let (status, mut answer) = crate::client::answer(request.send().await.unwrap()).await;
        assert_eq!(status, 200, "{answer}");
        answer["data"]["videos"].take()
    };
    let found = find().await;
    assert_eq!(found[0]["id"], video);
    assert_eq!(found[0]["title"], "A day at the sea");
    assert_eq!(found[0]["share_url"], format!("https://www.tiktok.com/@maker/video/{video}"));
    client.tiktok.take_down(&id).unwrap();
    assert_eq!(find().await, json!([]));
    assert!(client.tiktok.take_down(&id).is_err());
}

/// Makes an MP4 whose header says that it plays so many seconds.
fn film_of(seconds: u32) -> Vec<u8> {
    let mut header = vec![0; 100];
    header[12..16].copy_from_slice(&1000_u32.to_be_bytes());
    header[16..20].copy_from_slice(&(seconds * 1000).to_be_bytes());
    let inner = [&108_u32.to_be_bytes()[..], b"mvhd", &header].concat();
    let moov = [&116_u32.to_be_bytes()[..], b"moov", &inner].concat();
    [&b"\0\0\0\x10ftypisom\0\0\0\0"[..], &moov].concat()
}
