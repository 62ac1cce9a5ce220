//! The app's credentials, read from a scripted Secrets Manager at chosen times.

use serde_json::json;

use super::*;
use crate::scripted_aws::{Reply, ScriptedAws, ScriptedServer, reply};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn secret(text: &str) -> Reply {
    Reply::new(200, json!({ "Name": "app", "SecretString": text }).to_string())
}

fn credentials(n: u8) -> Reply {
    secret(&json!({ "client_key": format!("key-{n}"), "client_secret": format!("secret-{n}") }).to_string())
}

fn app(server: &ScriptedServer) -> AppSecret {
    AppSecret::new(server.clients().secrets, "app")
}

#[tokio::test]
async fn credentials_are_read_again_after_five_minutes() {
    let server = ScriptedServer::start([reply(credentials(1)), reply(credentials(2))]).await;
    let app = app(&server);
    for (second, key) in [(0, "key-1"), (299, "key-1"), (300, "key-2")] {
        assert_eq!(app.get(at(second)).await.unwrap().client_key, key, "{second} s");
    }
}

#[tokio::test]
async fn outage_keeps_cached_credentials_in_use() {
    // The outage at 400 s does not renew the cache, so the next call reads the secret again.
    let outage = Reply::new(500, r#"{"__type":"InternalServiceError"}"#);
    let server = ScriptedServer::start([reply(credentials(1)), reply(outage), reply(credentials(2))]).await;
    let app = app(&server);
    for (second, key) in [(0, "key-1"), (400, "key-1"), (401, "key-2")] {
        assert_eq!(app.get(at(second)).await.unwrap().client_key, key, "{second} s");
    }
}

#[tokio::test]
async fn outage_without_cached_credentials_permits_a_retry() {
    let server = ScriptedServer::start([reply(Reply::new(503, "{}"))]).await;
    let error = app(&server).get(at(0)).await.unwrap_err();
    assert!(matches!(error.disposition(), Disposition::Retry { .. }), "{error}");
}

#[tokio::test]
async fn empty_field_is_named_and_secret_is_read_again() {
    let server = ScriptedServer::start([
        reply(secret(r#"{"client_key":"","client_secret":""}"#)),
        reply(secret(r#"{"client_key":"key-1"}"#)),
        reply(credentials(1)),
    ])
    .await;
    let app = app(&server);
    let error = app.get(at(0)).await.unwrap_err();
    assert!(error.to_string().contains("secret app has no client_key"), "{error}");
    let error = app.get(at(1)).await.unwrap_err();
    assert!(error.to_string().contains("has no client_secret"), "{error}");
    assert_eq!(error.disposition(), Disposition::NeedsUser);
    assert_eq!(app.get(at(2)).await.unwrap().client_key, "key-1");
}

#[tokio::test]
async fn previous_secret_is_returned_while_the_field_is_set() {
    let with_previous = |previous: serde_json::Value| {
        let form = json!({ "client_key": "key-1", "client_secret": "new", "previous_client_secret": previous });
        secret(&form.to_string())
    };
    let script = [
        reply(with_previous(json!("old"))),
        reply(with_previous(json!(""))),
        reply(with_previous(json!(null))),
        reply(credentials(1)),
    ];
    let server = ScriptedServer::start(script).await;
    let app = app(&server);
    for (second, expected) in [(0, Some("old")), (300, None), (600, None), (900, None)] {
        let credentials = app.get(at(second)).await.unwrap();
        let previous = credentials.previous_client_secret.as_ref().map(ExposeSecret::expose_secret);
        assert_eq!(previous, expected, "{second} s");
        assert!(!format!("{credentials:?}").contains("old"));
    }
}

#[tokio::test]
async fn malformed_secret_is_not_quoted_in_the_error() {
    for text in [r#""secret-1""#, r#"{"client_key":"key-1","client_secret":["secret-1"]}"#, "secret-1"] {
        let server = ScriptedServer::start([reply(secret(text))]).await;
        let error = app(&server).get(at(0)).await.unwrap_err();
        assert!(matches!(error, AppSecretError::Form { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("secret-1"));
    }
}

#[tokio::test]
async fn debug_output_does_not_contain_the_secret() {
    let server = ScriptedServer::start([reply(credentials(1))]).await;
    let app = app(&server);
    let credentials = app.get(at(0)).await.unwrap();
    assert_eq!(credentials.client_secret.expose_secret(), "secret-1");
    assert!(!format!("{credentials:?} {app:?}").contains("secret-1"));
}

#[tokio::test]
async fn missing_permission_is_named() {
    let denied = Reply::new(400, r#"{"__type":"AccessDeniedException"}"#);
    let server = ScriptedServer::start([reply(denied)]).await;
    let error = app(&server).get(at(0)).await.unwrap_err();
    assert!(error.to_string().contains("secretsmanager:GetSecretValue"), "{error}");
}

#[tokio::test]
async fn secret_scheduled_for_deletion_needs_the_operator() {
    let rejected = Reply::new(400, r#"{"__type":"InvalidRequestException","message":"marked for deletion"}"#);
    let server = ScriptedServer::start([reply(rejected)]).await;
    let error = app(&server).get(at(0)).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::NeedsUser);
    assert!(error.to_string().contains("marked for deletion"), "{error}");
}
