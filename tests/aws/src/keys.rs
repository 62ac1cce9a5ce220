//! KMS and Secrets Manager. What is sealed is only wrapped, but bound to its
//! context as KMS binds it.

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::{CLIENT_KEY, CLIENT_SECRET, Refusal, unknown};

/// Answers a call to KMS.
pub(crate) fn answer(operation: &str, asked: &Value) -> Result<Value, Refusal> {
    match operation {
        "Encrypt" => {
            let sealed = json!([asked["EncryptionContext"], asked["Plaintext"]]).to_string();
            Ok(json!({ "CiphertextBlob": BASE64.encode(sealed.as_bytes()), "KeyId": asked["KeyId"] }))
        }
        "Decrypt" => {
            let foreign = || Refusal::new("InvalidCiphertextException", "it was sealed otherwise");
            let sealed = BASE64.decode(asked["CiphertextBlob"].as_str().unwrap_or_default().as_bytes());
            let sealed: Value = serde_json::from_slice(&sealed.map_err(|_| foreign())?).map_err(|_| foreign())?;
            if sealed[0] != asked["EncryptionContext"] {
                return Err(foreign());
            }
            Ok(json!({ "Plaintext": sealed[1], "KeyId": asked["KeyId"] }))
        }
        _ => Err(unknown(format!("KMS {operation}"))),
    }
}

/// The app's credentials.
pub(crate) fn secret() -> Value {
    let app = json!({ "client_key": CLIENT_KEY, "client_secret": CLIENT_SECRET });
    json!({ "ARN": "app", "Name": "app", "SecretString": app.to_string() })
}
