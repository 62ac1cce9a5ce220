//! The app's credentials from a scripted Secrets Manager, at times that the test sets.

use serde_json::json;

use super::*;
use crate::scripted_server::{Answer, ScriptedServer, say};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn secret(text: &str) -> Answer {
    Answer::new(200, json!({ "Name": "app", "SecretString": text }).to_string())
}

fn credentials(n: u8) -> Answer {
    secret(&json!({ "client_key": format!("key-{n}"), "client_secret": format!("secret-{n}") }).to_string())
}

fn app(server: &ScriptedServer) -> AppSecret {
    AppSecret::new(server.secrets_manager(), "app")
}

#[tokio::test]
async fn credentials_are_read_once_in_five_minutes() {
    let server = ScriptedServer::start([say(credentials(1)), say(credentials(2))]).await;
    let app = app(&server);
    for (second, key) in [(0, "key-1"), (299, "key-1"), (300, "key-2")] {
        assert_eq!(app.get(at(second)).await.unwrap().client_key, key, "{second} s");
    }
}

#[tokio::test]
async fn an_outage_leaves_what_was_read_before_in_use() {
    let outage = Answer::new(500, r#"{"__type":"InternalServiceError"}"#);
    let server = ScriptedServer::start([say(credentials(1)), say(outage), say(credentials(2))]).await;
    let app = app(&server);
    for (second, key) in [(0, "key-1"), (400, "key-1"), (401, "key-2")] {
        assert_eq!(app.get(at(second)).await.unwrap().client_key, key, "{second} s");
    }
}

#[tokio::test]
async fn an_outage_at_first_is_an_error_to_retry() {
    let server = ScriptedServer::start([say(Answer::new(503, "{}"))]).await;
    let error = app(&server).get(at(0)).await.unwrap_err();
    assert!(matches!(error.disposition(), Disposition::Retry { .. }), "{error}");
}

#[tokio::test]
async fn a_secret_that_is_not_filled_in_says_what_is_missing_and_is_read_again() {
    let server = ScriptedServer::start([
        say(secret(r#"{"client_key":"","client_secret":""}"#)),
        say(secret(r#"{"client_key":"key-1"}"#)),
        say(credentials(1)),
    ])
    .await;
    let app = app(&server);
    let error = app.get(at(0)).await.unwrap_err();
    assert!(error.to_string().contains("secret app has no client_key yet"), "{error}");
    let error = app.get(at(1)).await.unwrap_err();
    assert!(error.to_string().contains("has no client_secret yet"), "{error}");
    assert_eq!(error.disposition(), Disposition::NeedsUser);
    assert_eq!(app.get(at(2)).await.unwrap().client_key, "key-1");
}

#[tokio::test]
async fn the_secret_before_is_there_while_its_operator_says_so() {
    let whole = |previous: serde_json::Value| {
        let form = json!({ "client_key": "key-1", "client_secret": "new", "previous_client_secret": previous });
        secret(&form.to_string())
    };
    let script = [say(whole(json!("old"))), say(whole(json!(""))), say(whole(json!(null))), say(credentials(1))];
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
async fn a_malformed_secret_is_not_quoted() {
    for text in [r#""secret-1""#, r#"{"client_key":"key-1","client_secret":["secret-1"]}"#, "secret-1"] {
        let server = ScriptedServer::start([say(secret(text))]).await;
        let error = app(&server).get(at(0)).await.unwrap_err();
        assert!(matches!(error, AppSecretError::Form { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("secret-1"));
    }
}

#[tokio::test]
async fn neither_the_secret_nor_its_holder_shows_it() {
    let server = ScriptedServer::start([say(credentials(1))]).await;
    let app = app(&server);
    let credentials = app.get(at(0)).await.unwrap();
    assert_eq!(credentials.client_secret.expose_secret(), "secret-1");
    assert!(!format!("{credentials:?} {app:?}").contains("secret-1"));
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let denied = Answer::new(400, r#"{"__type":"AccessDeniedException"}"#);
    let server = ScriptedServer::start([say(denied)]).await;
    let error = app(&server).get(at(0)).await.unwrap_err();
    assert!(error.to_string().contains("secretsmanager:GetSecretValue"), "{error}");
}
