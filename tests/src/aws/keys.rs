//! Fakes of KMS and Secrets Manager. `Encrypt` only encodes the plaintext, but `Decrypt` requires the same encryption
//! context, as KMS does.

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::{AwsError, CLIENT_KEY, CLIENT_SECRET, unsupported};

/// Answers a call to KMS.
pub(crate) fn answer(operation: &str, request: &Value) -> Result<Value, AwsError> {
    match operation {
        "Encrypt" => {
            let ciphertext = json!([request["EncryptionContext"], request["Plaintext"]]).to_string();
            Ok(json!({ "CiphertextBlob": BASE64.encode(ciphertext.as_bytes()), "KeyId": request["KeyId"] }))
        }
        "Decrypt" => {
            let invalid =
                || AwsError::new("InvalidCiphertextException", "the ciphertext or the encryption context is wrong");
            let blob = BASE64.decode(request["CiphertextBlob"].as_str().unwrap_or_default().as_bytes());
            let ciphertext: Value = serde_json::from_slice(&blob.map_err(|_| invalid())?).map_err(|_| invalid())?;
            if ciphertext[0] != request["EncryptionContext"] {
                return Err(invalid());
            }
            Ok(json!({ "Plaintext": ciphertext[1], "KeyId": request["KeyId"] }))
        }
        _ => Err(unsupported(format!("KMS {operation}"))),
    }
}

/// Answers `GetSecretValue` with the TikTok app's credentials.
pub(crate) fn secret() -> Value {
    let app = json!({ "client_key": CLIENT_KEY, "client_secret": CLIENT_SECRET });
    json!({ "ARN": "app", "Name": "app", "SecretString": app.to_string() })
}
