//! Tests of sealing and opening with a scripted KMS.

use domain::identity::Alias;
use serde_json::json;

use super::*;
use crate::scripted_aws::{Reply, ScriptedAws, ScriptedServer, reply};

fn context(purpose: Purpose) -> EncryptionContext {
    EncryptionContext::new(purpose, &Alias::new("anna").unwrap())
}

fn cipher(server: &ScriptedServer) -> KmsCipher {
    KmsCipher::new(server.clients().kms, "key-1")
}

fn kms_error(code: &str) -> Reply {
    Reply::new(400, json!({ "__type": code, "message": "no" }).to_string())
}

#[tokio::test]
async fn seal_sends_purpose_and_account_as_context() {
    // In base64: `sealed`.
    let response = json!({ "CiphertextBlob": "c2VhbGVk", "KeyId": "key-1" });
    let server = ScriptedServer::start([reply(Reply::new(200, response.to_string()))]).await;
    let secret = SecretString::from("refresh-1");
    let sealed = cipher(&server).seal(&context(Purpose::RefreshToken), &secret).await.unwrap();
    assert_eq!(sealed.ciphertext(), b"sealed");
    let request = server.requests()[0].json();
    let expected = json!({ "dropcast:purpose": "refresh-token", "dropcast:account": "anna" });
    assert_eq!(request["EncryptionContext"], expected);
    assert_eq!(request["KeyId"], "key-1");
}

#[tokio::test]
async fn open_sends_ciphertext_and_context() {
    // In base64: `refresh-1`.
    let response = json!({ "Plaintext": "cmVmcmVzaC0x", "KeyId": "key-1" });
    let server = ScriptedServer::start([reply(Reply::new(200, response.to_string()))]).await;
    let sealed = Sealed::new(b"sealed".to_vec());
    let opened = cipher(&server).open(&context(Purpose::AccessToken), &sealed).await.unwrap();
    assert_eq!(opened.expose_secret(), "refresh-1");
    let request = server.requests()[0].json();
    assert_eq!(request["EncryptionContext"]["dropcast:purpose"], "access-token");
    assert_eq!(request["CiphertextBlob"], "c2VhbGVk");
}

#[tokio::test]
async fn token_that_cannot_be_opened_needs_a_reconnect() {
    let server = ScriptedServer::start([reply(kms_error("InvalidCiphertextException"))]).await;
    let sealed = Sealed::new(b"sealed".to_vec());
    let error = cipher(&server).open(&context(Purpose::RefreshToken), &sealed).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::NeedsReconnect);
    assert!(error.to_string().contains("the refresh-token of account anna"), "{error}");
    assert!(error.to_string().ends_with(": connect the account again"), "{error}");
}

#[tokio::test]
async fn upload_url_that_cannot_be_opened_needs_no_reconnect() {
    let server = ScriptedServer::start([reply(kms_error("InvalidCiphertextException"))]).await;
    let sealed = Sealed::new(b"sealed".to_vec());
    let error = cipher(&server).open(&context(Purpose::UploadUrl), &sealed).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::GiveUp);
    assert!(error.to_string().contains("the upload-url of account anna"), "{error}");
    assert!(!error.to_string().contains("connect"), "{error}");
}

#[tokio::test]
async fn disabled_key_and_missing_permission_need_the_operator() {
    let script = [reply(kms_error("DisabledException")), reply(kms_error("AccessDeniedException"))];
    let server = ScriptedServer::start(script).await;
    let (context, secret) = (context(Purpose::UploadUrl), SecretString::from("url-1"));
    let disabled = cipher(&server).seal(&context, &secret).await.unwrap_err();
    assert!(matches!(&disabled, CipherError::Aws(error) if error.kind() == Kind::Disabled), "{disabled}");
    let denied = cipher(&server).seal(&context, &secret).await.unwrap_err();
    assert!(denied.to_string().contains("kms:Encrypt on the key"), "{denied}");
    for error in [disabled, denied] {
        assert_eq!(error.disposition(), Disposition::NeedsUser);
        assert!(!format!("{error:?}").contains("url-1"));
    }
}

#[tokio::test]
async fn too_long_secret_is_not_sent() {
    let server = ScriptedServer::start([]).await;
    let long = SecretString::from("x".repeat(4097));
    let error = cipher(&server).seal(&context(Purpose::UploadUrl), &long).await.unwrap_err();
    assert!(matches!(error, CipherError::TooLong { bytes: 4097, .. }), "{error}");
}
