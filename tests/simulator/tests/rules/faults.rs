//! Trouble on demand, as a client sees it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulator::{ChunkOutcome, Effect, Ending, Endpoint, FailReason, Fault, Moment, Trouble, WrongShape};

use crate::client::{Begun, Client, code, direct, movie};

async fn raw(client: &Client, endpoint: Endpoint) -> Result<(u16, String), reqwest::Error> {
    let body = match endpoint {
        Endpoint::DirectInit => direct(3000, 3000, 1),
        _ => json!({}),
    };
    let request = client.http.post(client.url(endpoint));
    let answer = request.bearer_auth(&client.token).json(&body).send().await?;
    let status = answer.status().as_u16();
    Ok((status, answer.text().await?))
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

async fn put(client: &Client, begun: &Begun) -> Result<u16, reqwest::Error> {
    let request = client.put_request(begun, 0, &movie(3000), 3000);
    Ok(request.send().await?.status().as_u16())
}

fn inject(client: &Client, endpoint: Endpoint, trouble: Trouble) -> u64 {
    client.tiktok.inject(Fault::new(endpoint, trouble))
}

#[tokio::test]
async fn a_status_is_answered_in_the_shape_of_its_endpoint() {
    let client = Client::new().await;
    let spam = |http_status, effect| Trouble::Status {
        http_status,
        code: "spam_risk_too_many_posts".to_owned(),
        message: "Later".to_owned(),
        effect,
    };
    inject(&client, Endpoint::CreatorInfo, spam(200, Effect::Skipped));
    let answer = client.post(Endpoint::CreatorInfo, &json!({})).await;
    assert_eq!(code(&answer), (200, "spam_risk_too_many_posts"));
    let answer = client.post(Endpoint::CreatorInfo, &json!({})).await;
    assert_eq!(code(&answer), (200, "ok"));

    inject(&client, Endpoint::Token, spam(503, Effect::Skipped));
    let (status, answer) = client.form(Endpoint::Token, &[]).await;
    assert_eq!((status, answer["error"].is_string()), (503, true));

    inject(&client, Endpoint::DirectInit, spam(502, Effect::Skipped));
    assert_eq!(raw(&client, Endpoint::DirectInit).await.unwrap().0, 502);
    assert!(client.tiktok.ledger().publishes.is_empty());
    inject(&client, Endpoint::DirectInit, spam(502, Effect::Happens));
    assert_eq!(raw(&client, Endpoint::DirectInit).await.unwrap().0, 502);
    assert_eq!(client.tiktok.ledger().publishes.len(), 1);

    let begun = client.begin(3000).await;
    inject(&client, Endpoint::Upload, spam(500, Effect::Skipped));
    assert_eq!(put(&client, &begun).await.unwrap(), 500);
    assert_eq!(put(&client, &begun).await.unwrap(), 201);
}

#[tokio::test]
async fn a_reset_is_a_reset_and_leaves_nothing_behind() {
    let client = Client::new().await;
    let begun = client.begin(3000).await;
    for trouble in [Trouble::ResetBeforeBody, Trouble::ResetInBody { after_bytes: 1000 }, Trouble::ResetAfterBody] {
        inject(&client, Endpoint::Upload, trouble);
        let error = put(&client, &begun).await.unwrap_err();
        assert!(was_reset(&error), "{error:?}");
    }
    let entry = client.tiktok.entry(&begun.id).unwrap();
    assert_eq!(entry.bytes_received, 0);
    let outcomes: Vec<_> = entry.chunks.iter().map(|chunk| chunk.outcome).collect();
    assert_eq!(outcomes, [ChunkOutcome::Aborted, ChunkOutcome::Dropped]);

    inject(&client, Endpoint::DirectInit, Trouble::ResetBeforeBody);
    let error = raw(&client, Endpoint::DirectInit).await.unwrap_err();
    assert!(was_reset(&error), "{error:?}");
    assert_eq!(client.tiktok.ledger().publishes.len(), 1);
    assert_eq!(put(&client, &begun).await.unwrap(), 201);
    assert!(client.broken().is_empty());
}

#[tokio::test]
async fn a_lost_answer_has_had_its_effect() {
    let client = Client::new().await;
    let losing = |ending| Trouble::LoseAnswer { ending };
    client.post(Endpoint::CreatorInfo, &json!({})).await;
    inject(&client, Endpoint::DirectInit, losing(Ending::Close));
    assert!(raw(&client, Endpoint::DirectInit).await.is_err());
    assert_eq!(client.tiktok.ledger().publishes.len(), 1);

    let begun = client.begin(3000).await;
    inject(&client, Endpoint::Upload, losing(Ending::Reset));
    let error = put(&client, &begun).await.unwrap_err();
    assert!(was_reset(&error), "{error:?}");
    client.tiktok.advance(2);
    assert_eq!(client.status(&begun.id).await["status"], "PUBLISH_COMPLETE");

    let events = client.tiktok.events(0);
    let lost: Vec<_> = events.iter().filter(|event| event.fault.as_deref() == Some("lose_answer")).collect();
    assert_eq!(lost.len(), 2);
    assert!(lost.iter().all(|event| event.http_status.is_none()));
    assert_eq!(lost[1].code, "complete");
}

#[tokio::test]
async fn a_stall_lasts_as_long_as_ordered_or_until_it_is_cleared() {
    let client = Client::new().await;
    let stall = |ms, moment| Trouble::Stall { ms, moment };
    inject(&client, Endpoint::CreatorInfo, stall(Some(100), Moment::Before));
    let started = Instant::now();
    raw(&client, Endpoint::CreatorInfo).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(100));

    let id = inject(&client, Endpoint::DirectInit, stall(None, Moment::After));
    let call = raw(&client, Endpoint::DirectInit);
    let clear = async {
        while client.tiktok.ledger().publishes.is_empty() {
            tokio::task::yield_now().await;
        }
        client.tiktok.clear_fault(id).unwrap();
    };
    let (answer, ()) = tokio::join!(call, clear);
    assert_eq!(answer.unwrap().0, 200);
}

#[tokio::test]
async fn a_chunk_can_be_sent_again_while_the_first_try_is_stalled() {
    let client = Client::new().await;
    let begun = client.begin(3000).await;
    for moment in [Moment::Before, Moment::After] {
        inject(&client, Endpoint::Upload, Trouble::Stall { ms: None, moment });
    }
    let request = client.put_request(&begun, 0, &movie(3000), 3000);
    let hung = request.timeout(Duration::from_millis(100)).send().await;
    assert!(hung.unwrap_err().is_timeout());
    client.tiktok.clear_faults();
    assert_eq!(put(&client, &begun).await.unwrap(), 201);
    assert!(client.broken().is_empty());
}

#[tokio::test]
async fn a_slow_socket_is_read_slowly() {
    let client = Client::new().await;
    let size = 2_000_000;
    let begun = client.begin(size).await;
    let bytes_per_second = 8_000_000;
    inject(&client, Endpoint::Upload, Trouble::SlowRead { bytes_per_second });
    let started = Instant::now();
    let file = movie(usize::try_from(size).unwrap());
    assert_eq!(client.put(&begun, 0, &file, size).await.status, 201);
    assert!(started.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn answers_can_be_cut_or_misshapen() {
    let client = Client::new().await;
    let creator = Endpoint::CreatorInfo;
    inject(&client, creator, Trouble::TruncatedJson);
    let (status, body) = raw(&client, creator).await.unwrap();
    assert_eq!(status, 200);
    assert!(serde_json::from_str::<Value>(&body).is_err());

    inject(&client, creator, Trouble::ShortBody);
    assert!(raw(&client, creator).await.is_err());

    let shaped = async |shape| {
        inject(&client, creator, Trouble::WrongEnvelope { shape });
        let (_, body) = raw(&client, creator).await.unwrap();
        serde_json::from_str(&body).unwrap_or(Value::String(body))
    };
    assert_eq!(shaped(WrongShape::Empty).await, "");
    assert_eq!(shaped(WrongShape::Null).await, Value::Null);
    assert!(shaped(WrongShape::Html).await.as_str().unwrap().contains("<html>"));
    assert!(shaped(WrongShape::NoError).await.get("error").is_none());
    assert!(shaped(WrongShape::NoData).await.get("data").is_none());
    assert!(shaped(WrongShape::List).await.is_array());
    assert_eq!(shaped(WrongShape::ErrorString).await["error"], "ok");
    assert_eq!(shaped(WrongShape::TopLevel).await["code"], "ok");
}

#[tokio::test]
async fn tokens_and_urls_can_expire_at_a_call() {
    let client = Client::new().await;
    let begun = client.begin(3000).await;
    inject(&client, Endpoint::Upload, Trouble::ExpireUploadUrl);
    assert_eq!(put(&client, &begun).await.unwrap(), 403);
    inject(&client, Endpoint::StatusFetch, Trouble::ExpireAccessToken);
    let body = json!({ "publish_id": begun.id });
    let answer = client.post(Endpoint::StatusFetch, &body).await;
    assert_eq!(code(&answer), (401, "access_token_invalid"));
    let answer = client.post(Endpoint::CreatorInfo, &json!({})).await;
    assert_eq!(code(&answer), (401, "access_token_invalid"));
}

#[tokio::test]
async fn a_post_can_be_doomed() {
    let client = Client::new().await;
    let reason = FailReason::PictureSizeCheckFailed;
    inject(&client, Endpoint::DirectInit, Trouble::FailPost { reason });
    let doomed = client.upload().await;
    let spared = client.upload().await;
    let reason = FailReason::Internal;
    let fault = Fault::new(Endpoint::Upload, Trouble::FailPost { reason });
    let late = client.begin(3000).await;
    client.tiktok.inject(fault.for_publish(late.id.clone()));
    assert_eq!(put(&client, &late).await.unwrap(), 201);
    client.tiktok.advance(2);
    let status = client.status(&doomed).await;
    assert_eq!(status["fail_reason"], "picture_size_check_failed");
    assert_eq!(client.status(&late.id).await["fail_reason"], "internal");
    assert_eq!(client.status(&spared).await["status"], "PUBLISH_COMPLETE");
    assert_eq!(client.tiktok.ledger().publications.len(), 1);
}

#[tokio::test]
async fn a_fault_hits_the_call_that_was_named() {
    let client = Client::new().await;
    let fault = Fault::new(Endpoint::CreatorInfo, Trouble::TruncatedJson);
    client.tiktok.inject(fault.at_call(2).times(2));
    let mut whole = Vec::new();
    for _ in 0..4 {
        let (_, body) = raw(&client, Endpoint::CreatorInfo).await.unwrap();
        whole.push(serde_json::from_str::<Value>(&body).is_ok());
    }
    assert_eq!(whole, [true, false, false, true]);
    assert_eq!(client.tiktok.faults()[0].fired, 2);
}
