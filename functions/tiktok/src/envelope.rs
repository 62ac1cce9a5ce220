//! The parser of the v2 API's responses, which have an envelope, and of OAuth's, which are flat.
//!
//! A response of the v2 API is a success only if its `error.code` is `ok`; HTTP 200 alone proves nothing. TikTok's
//! pages show the error nested, and on one page at top level. They spell the log id `log_id` and `logid`. This module
//! reads all of these. <https://developers.tiktok.com/doc/tiktok-api-v2-error-handling>
//!
//! This module does not know which call a response belongs to. Invariant: any bytes lead to a result and never to a
//! panic.

use std::time::Duration;

use serde_json::Value;

use crate::api_error::ApiError;
use crate::error::{ErrorKind, InvalidResponse};
use crate::fields::{short_text, text};

/// An HTTP response before it is parsed.
#[derive(Debug)]
pub(crate) struct RawResponse {
    pub(crate) http: u16,
    pub(crate) body: Vec<u8>,
    /// The wait that the response asks for.
    pub(crate) retry_after: Option<Duration>,
}

/// A successful response of the v2 API.
#[derive(Debug)]
pub(crate) struct ApiResponse {
    pub(crate) http: u16,
    /// The `data` field; `null` if the response has none.
    pub(crate) data: Value,
    pub(crate) log_id: Option<String>,
}

/// The `error` part of a response, in any of its shapes. Its code is `ok` if the call succeeded.
struct ErrorPart {
    code: String,
    message: String,
    log_id: Option<String>,
}

impl RawResponse {
    /// Parses a response of the v2 API.
    pub(crate) fn api_response(&self) -> Result<ApiResponse, ErrorKind> {
        let mut body = self.json()?;
        let error = ErrorPart::in_error_field(&body).or_else(|| ErrorPart::at_top_level(&body));
        let error = error.ok_or_else(|| self.invalid(InvalidResponse::NoEnvelope))?;
        if error.code != "ok" {
            return Err(ErrorKind::Refused(error.api_error(self.http)));
        }
        if !self.is_success() {
            return Err(self.invalid(InvalidResponse::Contradiction));
        }
        let data = body.get_mut("data").map(Value::take).unwrap_or_default();
        Ok(ApiResponse { http: self.http, data, log_id: error.log_id })
    }

    /// Parses a response of OAuth. It has an `error` field if the call failed, under HTTP 200 too.
    pub(crate) fn oauth_response(&self) -> Result<Value, ErrorKind> {
        let body = self.json()?;
        match ErrorPart::in_error_field(&body) {
            Some(error) if error.code != "ok" => Err(ErrorKind::Refused(error.api_error(self.http))),
            _ if self.is_success() => Ok(body),
            _ => Err(self.invalid(InvalidResponse::NoEnvelope)),
        }
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.http)
    }

    fn json(&self) -> Result<Value, ErrorKind> {
        serde_json::from_slice(&self.body).map_err(|_| self.invalid(InvalidResponse::NotJson))
    }

    fn invalid(&self, why: InvalidResponse) -> ErrorKind {
        ErrorKind::InvalidResponse { http: self.http, why }
    }
}

impl ApiResponse {
    /// Returns the error of a success that lacks a field that the call needs.
    pub(crate) fn missing(&self, field: &'static str) -> ErrorKind {
        ErrorKind::InvalidResponse { http: self.http, why: InvalidResponse::Missing(field) }
    }
}

impl ErrorPart {
    /// Reads the `error` field, which is an object in the v2 API and a string in OAuth.
    fn in_error_field(body: &Value) -> Option<Self> {
        match body.get("error")? {
            error @ Value::Object(_) => Some(Self {
                code: short_text(error, "code").unwrap_or_default(),
                message: text(error, "message").unwrap_or_default(),
                log_id: log_id(error).or_else(|| log_id(body)),
            }),
            Value::String(code) if !code.is_empty() => Some(Self {
                code: code.clone(),
                message: text(body, "error_description").or_else(|| text(body, "message")).unwrap_or_default(),
                log_id: log_id(body),
            }),
            _ => None,
        }
    }

    fn at_top_level(body: &Value) -> Option<Self> {
        let code = short_text(body, "code")?;
        Some(Self { code, message: text(body, "message").unwrap_or_default(), log_id: log_id(body) })
    }

    fn api_error(self, http: u16) -> ApiError {
        ApiError { http, code: self.code, message: self.message, log_id: self.log_id }
    }
}

fn log_id(object: &Value) -> Option<String> {
    short_text(object, "log_id").or_else(|| short_text(object, "logid"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn raw(http: u16, body: &str) -> RawResponse {
        RawResponse { http, body: body.as_bytes().to_vec(), retry_after: None }
    }

    fn api_error(response: &RawResponse) -> ApiError {
        match response.api_response() {
            Err(ErrorKind::Refused(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn log_id_is_read_in_both_spellings() {
        for key in ["log_id", "logid"] {
            let body = format!(r#"{{"data":{{"a":1}},"error":{{"code":"ok","message":"","{key}":"2026A"}}}}"#);
            let response = raw(200, &body).api_response().unwrap();
            assert_eq!((response.data["a"].as_u64(), response.log_id.as_deref()), (Some(1), Some("2026A")));
        }
    }

    #[test]
    fn error_code_under_http_200_is_an_error() {
        let body = r#"{"data":{},"error":{"code":"spam_risk_too_many_posts","message":"m","log_id":"l"}}"#;
        let error = api_error(&raw(200, body));
        assert_eq!((error.http, error.code.as_str()), (200, "spam_risk_too_many_posts"));
    }

    #[test]
    fn error_is_read_in_every_shape() {
        for body in [
            r#"{"error":{"code":"x","message":"m","log_id":"l"}}"#,
            r#"{"data":null,"error":{"code":"x","message":"m"},"logid":"l"}"#,
            r#"{"error":"x","error_description":"m","log_id":"l"}"#,
            r#"{"error":"x","message":"m","logid":"l"}"#,
            r#"{"code":"x","message":"m","logid":"l"}"#,
        ] {
            let expected = ApiError { http: 400, code: "x".into(), message: "m".into(), log_id: Some("l".into()) };
            assert_eq!(api_error(&raw(400, body)), expected, "{body}");
        }
    }

    #[test]
    fn error_without_code_is_still_an_error() {
        // Only the code `ok` is a success, even if the response has data.
        for body in [r#"{"error":{}}"#, r#"{"data":{"publish_id":"p"},"error":{"code":""}}"#] {
            assert_eq!(api_error(&raw(500, body)).code, "", "{body}");
        }
    }

    #[test]
    fn response_without_envelope_is_invalid_and_keeps_status() {
        for (http, body, why) in [
            (502, "<html>bad gateway</html>", InvalidResponse::NotJson),
            (200, "", InvalidResponse::NotJson),
            (200, r#"{"data":{"publish_id":"p"#, InvalidResponse::NotJson),
            (200, "null", InvalidResponse::NoEnvelope),
            (200, "[]", InvalidResponse::NoEnvelope),
            (200, r#"{"data":{"publish_id":"p"}}"#, InvalidResponse::NoEnvelope),
            (200, r#"{"error":null}"#, InvalidResponse::NoEnvelope),
            (500, r#"{"data":{},"error":{"code":"ok"}}"#, InvalidResponse::Contradiction),
        ] {
            assert_eq!(raw(http, body).api_response().unwrap_err(), ErrorKind::InvalidResponse { http, why }, "{body}");
        }
    }

    #[test]
    fn oauth_error_under_http_200_is_an_error() {
        let response = raw(200, r#"{"error":"invalid_grant","error_description":"expired","log_id":"l"}"#);
        assert!(matches!(response.oauth_response(), Err(ErrorKind::Refused(error)) if error.code == "invalid_grant"));
        assert!(raw(200, r#"{"access_token":"access-1"}"#).oauth_response().is_ok());
        assert!(raw(200, r#"{"access_token":"access-1","error":""}"#).oauth_response().is_ok());
        assert!(matches!(raw(500, "{}").oauth_response(), Err(ErrorKind::InvalidResponse { http: 500, .. })));
    }

    proptest! {
        #[test]
        fn random_bytes_are_never_a_success(http in 100u16..=999, body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let raw = RawResponse { http, body, retry_after: None };
            prop_assert!(raw.api_response().is_err());
            let oauth_ok = raw.oauth_response().is_ok();
            prop_assert!(!oauth_ok || raw.is_success());
        }

        #[test]
        fn only_code_ok_is_a_success(code in "[a-z_]{0,12}", http in 100u16..=599) {
            let body = serde_json::json!({"data": {}, "error": {"code": code}}).to_string().into_bytes();
            let is_ok = RawResponse { http, body, retry_after: None }.api_response().is_ok();
            prop_assert_eq!(is_ok, code == "ok" && (200..300).contains(&http));
        }
    }
}
