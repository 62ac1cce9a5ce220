//! Sealing and opening against a scripted KMS.

use domain::identity::Alias;
use serde_json::json;

use super::*;
use crate::scripted_server::{Answer, ScriptedServer, say};

fn context(purpose: Purpose) -> EncryptionContext {
    EncryptionContext::new(purpose, &Alias::new("anna").unwrap())
}

fn refusal(code: &str) -> Answer {
    Answer::new(400, json!({ "__type": code, "message": "no" }).to_string())
}

#[tokio::test]
async fn a_secret_is_bound_to_its_purpose_and_its_account() {
    let answer = json!({ "CiphertextBlob": "c2VhbGVk", "KeyId": "key-1" });
    let server = ScriptedServer::start([say(Answer::new(200, answer.to_string()))]).await;
    let vault = KmsCipher::new(server.kms(), "key-1");
    let sealed = vault.seal(&context(Purpose::RefreshToken), &SecretString::from("refresh-1")).await.unwrap();
    assert_eq!(sealed.ciphertext(), b"sealed");
    let asked = server.requests()[0].json();
    assert_eq!(asked["EncryptionContext"], json!({ "dropcast:purpose": "refresh-token", "dropcast:account": "anna" }));
    assert_eq!(asked["KeyId"], "key-1");
}

#[tokio::test]
async fn what_was_sealed_is_opened_under_the_same_context() {
    let answer = json!({ "Plaintext": "cmVmcmVzaC0x", "KeyId": "key-1" });
    let server = ScriptedServer::start([say(Answer::new(200, answer.to_string()))]).await;
    let vault = KmsCipher::new(server.kms(), "key-1");
    let opened = vault.open(&context(Purpose::AccessToken), &Sealed::new(b"sealed".to_vec())).await.unwrap();
    assert_eq!(opened.expose_secret(), "refresh-1");
    let asked = server.requests()[0].json();
    assert_eq!(asked["EncryptionContext"]["dropcast:purpose"], "access-token");
    assert_eq!(asked["CiphertextBlob"], "c2VhbGVk");
}

#[tokio::test]
async fn a_token_that_cannot_be_opened_asks_for_a_new_connection() {
    let server = ScriptedServer::start([say(refusal("InvalidCiphertextException"))]).await;
    let vault = KmsCipher::new(server.kms(), "key-1");
    let sealed = Sealed::new(b"sealed".to_vec());
    let error = vault.open(&context(Purpose::RefreshToken), &sealed).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::NeedsReconnect);
    assert!(error.to_string().contains("the refresh-token of account anna"), "{error}");
}

#[tokio::test]
async fn a_disabled_key_and_a_missing_permission_are_told_apart() {
    let script = [say(refusal("DisabledException")), say(refusal("AccessDeniedException"))];
    let server = ScriptedServer::start(script).await;
    let vault = KmsCipher::new(server.kms(), "key-1");
    let (context, secret) = (context(Purpose::UploadUrl), SecretString::from("url-1"));
    let disabled = vault.seal(&context, &secret).await.unwrap_err();
    assert!(matches!(disabled, CipherError::NoKey { .. }), "{disabled}");
    let denied = vault.seal(&context, &secret).await.unwrap_err();
    assert!(denied.to_string().contains("kms:Encrypt"), "{denied}");
    assert_eq!(denied.disposition(), Disposition::NeedsUser);
    assert!(!format!("{denied:?}").contains("url-1"));
}

#[tokio::test]
async fn what_kms_would_refuse_is_not_sent() {
    let server = ScriptedServer::start([]).await;
    let vault = KmsCipher::new(server.kms(), "key-1");
    let long = SecretString::from("x".repeat(4097));
    let error = vault.seal(&context(Purpose::UploadUrl), &long).await.unwrap_err();
    assert!(matches!(error, CipherError::TooLong { bytes: 4097, .. }), "{error}");
}
