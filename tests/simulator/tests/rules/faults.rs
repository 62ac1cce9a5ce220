//! The effect of each kind of injected fault on a client.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulator::{ChunkOutcome, Effect, Ending, Endpoint, FailReason, Fault, FaultKind, Moment, WrongShape};

use crate::client::{Client, PROCESSING_S, StartedUpload, direct_init_body, mp4_file, status_and_code};

/// Calls a v2 endpoint. Returns the HTTP status and the unparsed body.
async fn call(client: &Client, endpoint: Endpoint) -> Result<(u16, String), reqwest::Error> {
    let body = match endpoint {
        Endpoint::DirectInit => direct_init_body(3000, 3000, 1),
        _ => json!({}),
    };
    let request = client.http.post(client.url(endpoint));
    let response = request.bearer_auth(&client.token).json(&body).send().await?;
    let status = response.status().as_u16();
    Ok((status, response.text().await?))
}

fn was_reset(error: &reqwest::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return io.kind() == std::io::ErrorKind::ConnectionReset;
        }
        cause = error.source();
    }
    false
}

/// Puts the whole file. Returns the HTTP status.
async fn put(client: &Client, upload: &StartedUpload) -> Result<u16, reqwest::Error> {
    let request = client.put_request(upload, 0, &mp4_file(3000), 3000);
    Ok(request.send().await?.status().as_u16())
}

fn inject(client: &Client, endpoint: Endpoint, kind: FaultKind) -> u64 {
    client.tiktok.inject(Fault::new(endpoint, kind))
}

#[tokio::test]
async fn status_fault_uses_the_error_shape_of_its_endpoint() {
    let client = Client::new().await;
    let status_fault = |http_status, effect| FaultKind::Status {
        http_status,
        code: "spam_risk_too_many_posts".to_owned(),
        message: "Later".to_owned(),
        effect,
    };
    inject(&client, Endpoint::CreatorInfo, status_fault(200, Effect::Skipped));
    let response = client.post(Endpoint::CreatorInfo, &json!({})).await;
    assert_eq!(status_and_code(&response), (200, "spam_risk_too_many_posts"));
    let response = client.post(Endpoint::CreatorInfo, &json!({})).await;
    assert_eq!(status_and_code(&response), (200, "ok"));

    inject(&client, Endpoint::Token, status_fault(503, Effect::Skipped));
    let (status, response) = client.form(Endpoint::Token, &[]).await;
    assert_eq!((status, response["error"].is_string()), (503, true));

    inject(&client, Endpoint::DirectInit, status_fault(502, Effect::Skipped));
    assert_eq!(call(&client, Endpoint::DirectInit).await.unwrap().0, 502);
    assert!(client.tiktok.ledger().publishes.is_empty());
    inject(&client, Endpoint::DirectInit, status_fault(502, Effect::Happens));
    assert_eq!(call(&client, Endpoint::DirectInit).await.unwrap().0, 502);
    assert_eq!(client.tiktok.ledger().publishes.len(), 1);

    let upload = client.start_direct(3000).await;
    inject(&client, Endpoint::Upload, status_fault(500, Effect::Skipped));
    assert_eq!(put(&client, &upload).await.unwrap(), 500);
    assert_eq!(put(&client, &upload).await.unwrap(), 201);
}

#[tokio::test]
async fn reset_during_a_call_prevents_its_effect() {
    let client = Client::new().await;
    let upload = client.start_direct(3000).await;
    for kind in [FaultKind::ResetBeforeBody, FaultKind::ResetInBody { after_bytes: 1000 }, FaultKind::ResetAfterBody] {
        inject(&client, Endpoint::Upload, kind);
        let error = put(&client, &upload).await.unwrap_err();
        assert!(was_reset(&error), "{error:?}");
    }
    let entry = client.tiktok.entry(&upload.id).unwrap();
    assert_eq!(entry.bytes_received, 0);
    // The first reset precedes any transfer, the second aborts one, and the third discards one that arrived whole.
    let outcomes: Vec<_> = entry.chunks.iter().map(|chunk| chunk.outcome).collect();
    assert_eq!(outcomes, [ChunkOutcome::Aborted, ChunkOutcome::Discarded]);

    inject(&client, Endpoint::DirectInit, FaultKind::ResetBeforeBody);
    let error = call(&client, Endpoint::DirectInit).await.unwrap_err();
    assert!(was_reset(&error), "{error:?}");
    // Only the publish from the beginning of this test.
    assert_eq!(client.tiktok.ledger().publishes.len(), 1);
    assert_eq!(put(&client, &upload).await.unwrap(), 201);
    assert!(client.violated_rules().is_empty());
}

#[tokio::test]
async fn call_with_a_lost_answer_takes_effect() {
    let client = Client::new().await;
    let lose_answer = |ending| FaultKind::LoseAnswer { ending };
    client.post(Endpoint::CreatorInfo, &json!({})).await;
    inject(&client, Endpoint::DirectInit, lose_answer(Ending::Close));
    assert!(call(&client, Endpoint::DirectInit).await.is_err());
    assert_eq!(client.tiktok.ledger().publishes.len(), 1);

    let upload = client.start_direct(3000).await;
    inject(&client, Endpoint::Upload, lose_answer(Ending::Reset));
    let error = put(&client, &upload).await.unwrap_err();
    assert!(was_reset(&error), "{error:?}");
    client.tiktok.advance(PROCESSING_S);
    assert_eq!(client.status(&upload.id).await["status"], "PUBLISH_COMPLETE");

    let calls = client.tiktok.calls(0);
    let lost: Vec<_> = calls.iter().filter(|call| call.fault.as_deref() == Some("lose_answer")).collect();
    assert_eq!(lost.len(), 2);
    assert!(lost.iter().all(|call| call.http_status.is_none()));
    // The log has the result that the client did not receive.
    assert_eq!(lost[1].code, "complete");
}

#[tokio::test]
async fn stall_ends_after_its_time_or_when_cleared() {
    let client = Client::new().await;
    let stall = |ms, moment| FaultKind::Stall { ms, moment };
    inject(&client, Endpoint::CreatorInfo, stall(Some(100), Moment::Before));
    let began_at = Instant::now();
    call(&client, Endpoint::CreatorInfo).await.unwrap();
    assert!(began_at.elapsed() >= Duration::from_millis(100));

    let id = inject(&client, Endpoint::DirectInit, stall(None, Moment::After));
    let call = call(&client, Endpoint::DirectInit);
    // Clears the fault once the call has taken effect, which is when it stalls.
    let clear = async {
        while client.tiktok.ledger().publishes.is_empty() {
            tokio::task::yield_now().await;
        }
        client.tiktok.clear_fault(id).unwrap();
    };
    let (response, ()) = tokio::join!(call, clear);
    assert_eq!(response.unwrap().0, 200);
}

#[tokio::test]
async fn chunk_is_accepted_after_client_drops_stalled_put() {
    let client = Client::new().await;
    let upload = client.start_direct(3000).await;
    // The PUT meets only the first of these faults. The second would hit the next PUT, but is cleared before.
    for moment in [Moment::Before, Moment::After] {
        inject(&client, Endpoint::Upload, FaultKind::Stall { ms: None, moment });
    }
    let stalled_put = tokio::spawn(client.put_request(&upload, 0, &mp4_file(3000), 3000).send());
    while client.tiktok.faults()[0].fired == 0 {
        tokio::task::yield_now().await;
    }
    stalled_put.abort();
    assert!(stalled_put.await.unwrap_err().is_cancelled());
    client.tiktok.clear_faults();
    assert_eq!(put(&client, &upload).await.unwrap(), 201);
    assert!(client.violated_rules().is_empty());
}

#[tokio::test]
async fn slow_read_limits_the_rate_of_an_upload() {
    let client = Client::new().await;
    let size = 2_000_000;
    let upload = client.start_direct(size).await;
    let bytes_per_second = 8_000_000;
    inject(&client, Endpoint::Upload, FaultKind::SlowRead { bytes_per_second });
    let began_at = Instant::now();
    let file = mp4_file(usize::try_from(size).unwrap());
    assert_eq!(client.put(&upload, 0, &file, size).await.status, 201);
    // 250 ms at this rate, of which the test requires 100 ms.
    assert!(began_at.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn answers_can_be_truncated_or_malformed() {
    let client = Client::new().await;
    let creator = Endpoint::CreatorInfo;
    inject(&client, creator, FaultKind::TruncatedJson);
    let (status, body) = call(&client, creator).await.unwrap();
    assert_eq!(status, 200);
    assert!(serde_json::from_str::<Value>(&body).is_err());

    inject(&client, creator, FaultKind::ShortBody);
    assert!(call(&client, creator).await.is_err());

    let response_with = async |shape| {
        inject(&client, creator, FaultKind::WrongEnvelope { shape });
        let (_, body) = call(&client, creator).await.unwrap();
        serde_json::from_str(&body).unwrap_or(Value::String(body))
    };
    assert_eq!(response_with(WrongShape::Empty).await, "");
    assert_eq!(response_with(WrongShape::Null).await, Value::Null);
    assert!(response_with(WrongShape::Html).await.as_str().unwrap().contains("<html>"));
    assert!(response_with(WrongShape::NoError).await.get("error").is_none());
    assert!(response_with(WrongShape::NoData).await.get("data").is_none());
    assert!(response_with(WrongShape::List).await.is_array());
    assert_eq!(response_with(WrongShape::ErrorString).await["error"], "ok");
    assert_eq!(response_with(WrongShape::TopLevel).await["code"], "ok");
}

#[tokio::test]
async fn token_or_upload_url_expires_before_the_call() {
    let client = Client::new().await;
    let upload = client.start_direct(3000).await;
    inject(&client, Endpoint::Upload, FaultKind::ExpireUploadUrl);
    assert_eq!(put(&client, &upload).await.unwrap(), 403);
    inject(&client, Endpoint::StatusFetch, FaultKind::ExpireAccessToken);
    let body = json!({ "publish_id": upload.id });
    let response = client.post(Endpoint::StatusFetch, &body).await;
    assert_eq!(status_and_code(&response), (401, "access_token_invalid"));
    // The token stays expired for later calls.
    let response = client.post(Endpoint::CreatorInfo, &json!({})).await;
    assert_eq!(status_and_code(&response), (401, "access_token_invalid"));
}

#[tokio::test]
async fn fail_post_fails_only_the_publish_of_its_call() {
    let client = Client::new().await;
    let reason = FailReason::PictureSizeCheckFailed;
    inject(&client, Endpoint::DirectInit, FaultKind::FailPost { reason });
    let failed = client.upload_direct_post().await;
    let unaffected = client.upload_direct_post().await;
    let reason = FailReason::Internal;
    let fault = Fault::new(Endpoint::Upload, FaultKind::FailPost { reason });
    let failed_at_upload = client.start_direct(3000).await;
    client.tiktok.inject(fault.for_publish(failed_at_upload.id.clone()));
    assert_eq!(put(&client, &failed_at_upload).await.unwrap(), 201);
    client.tiktok.advance(PROCESSING_S);
    let status = client.status(&failed).await;
    assert_eq!(status["fail_reason"], "picture_size_check_failed");
    assert_eq!(client.status(&failed_at_upload.id).await["fail_reason"], "internal");
    assert_eq!(client.status(&unaffected).await["status"], "PUBLISH_COMPLETE");
    assert_eq!(client.tiktok.ledger().publications.len(), 1);
}

#[tokio::test]
async fn fault_hits_the_configured_calls() {
    let client = Client::new().await;
    let fault = Fault::new(Endpoint::CreatorInfo, FaultKind::TruncatedJson);
    client.tiktok.inject(fault.at_call(2).times(2));
    let mut is_valid_json = Vec::new();
    for _ in 0..4 {
        let (_, body) = call(&client, Endpoint::CreatorInfo).await.unwrap();
        is_valid_json.push(serde_json::from_str::<Value>(&body).is_ok());
    }
    assert_eq!(is_valid_json, [true, false, false, true]);
    assert_eq!(client.tiktok.faults()[0].fired, 2);
}

#[tokio::test]
async fn error_answer_can_ask_clients_to_wait() {
    let client = Client::new().await;
    client.change_settings(|settings| settings.retry_after_s = Some(600));
    for (http_status, expected) in [(503, Some("600")), (429, Some("600")), (400, None)] {
        let (code, message) = (String::new(), String::new());
        inject(
            &client,
            Endpoint::CreatorInfo,
            FaultKind::Status { http_status, code, message, effect: Effect::Skipped },
        );
        let request = client.http.post(client.url(Endpoint::CreatorInfo)).bearer_auth(&client.token).json(&json!({}));
        let response = request.send().await.unwrap();
        let wait = response.headers().get("retry-after").map(|value| value.to_str().unwrap());
        assert_eq!((response.status().as_u16(), wait), (http_status, expected));
    }
}
