//! The envelope around every answer of the v2 API, and the flat shape of OAuth.
//!
//! An answer has succeeded if its `error.code` is `ok` and not otherwise: HTTP
//! 200 alone means nothing. The documentation shows the error nested, and on
//! one page at top level; the log id is spelt `log_id` and `logid`. All are read.
//! <https://developers.tiktok.com/doc/tiktok-api-v2-error-handling>
//!
//! It knows no call. Its invariant: whatever the bytes are, it answers.

use serde_json::Value;

use crate::api_error::ApiError;
use crate::error::{ErrorKind, InvalidResponse};
use crate::fields::{text, text_or_digits};

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) http: u16,
    pub(crate) body: Vec<u8>,
}

/// What a call that succeeded was told.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) http: u16,
    /// The `data` field; `null` where it is absent.
    pub(crate) data: Value,
    pub(crate) log_id: Option<String>,
}

/// What an answer says of its own success, in any of the shapes.
struct Verdict {
    code: String,
    message: String,
    log_id: Option<String>,
}

impl Raw {
    /// Opens an answer of the v2 API.
    pub(crate) fn open(&self) -> Result<Answer, ErrorKind> {
        let mut whole = self.json()?;
        let verdict = Verdict::nested(&whole).or_else(|| Verdict::at_top_level(&whole));
        let verdict = verdict.ok_or_else(|| self.invalid_response(InvalidResponse::NoEnvelope))?;
        if verdict.code != "ok" {
            return Err(ErrorKind::Refused(verdict.refusal(self.http)));
        }
        if !self.is_success() {
            return Err(self.invalid_response(InvalidResponse::Contradiction));
        }
        let data = whole.get_mut("data").map(Value::take).unwrap_or_default();
        Ok(Answer { http: self.http, data, log_id: verdict.log_id })
    }

    /// Opens an answer of OAuth, which says `error` or nothing of the kind.
    /// It came under HTTP 200, too.
    pub(crate) fn open_flat(&self) -> Result<Value, ErrorKind> {
        let whole = self.json()?;
        match Verdict::nested(&whole) {
            Some(verdict) if verdict.code != "ok" => Err(ErrorKind::Refused(verdict.refusal(self.http))),
            _ if self.is_success() => Ok(whole),
            _ => Err(self.invalid_response(InvalidResponse::NoEnvelope)),
        }
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.http)
    }

    fn json(&self) -> Result<Value, ErrorKind> {
        serde_json::from_slice(&self.body).map_err(|_| self.invalid_response(InvalidResponse::NotJson))
    }

    fn invalid_response(&self, why: InvalidResponse) -> ErrorKind {
        ErrorKind::InvalidResponse { http: self.http, why }
    }
}

impl Answer {
    /// The fault of an answer that succeeds without saying what was asked for.
    pub(crate) fn missing(&self, field: &'static str) -> ErrorKind {
        ErrorKind::InvalidResponse { http: self.http, why: InvalidResponse::Missing(field) }
    }
}

impl Verdict {
    fn nested(whole: &Value) -> Option<Self> {
        match whole.get("error")? {
            error @ Value::Object(_) => Some(Self {
                code: text_or_digits(error, "code").unwrap_or_default(),
                message: text(error, "message").unwrap_or_default(),
                log_id: log_id(error).or_else(|| log_id(whole)),
            }),
            Value::String(code) if !code.is_empty() => Some(Self {
                code: code.clone(),
                message: text(whole, "error_description").or_else(|| text(whole, "message")).unwrap_or_default(),
                log_id: log_id(whole),
            }),
            _ => None,
        }
    }

    fn at_top_level(whole: &Value) -> Option<Self> {
        let code = text_or_digits(whole, "code")?;
        Some(Self { code, message: text(whole, "message").unwrap_or_default(), log_id: log_id(whole) })
    }

    fn refusal(self, http: u16) -> ApiError {
        ApiError { http, code: self.code, message: self.message, log_id: self.log_id }
    }
}

fn log_id(object: &Value) -> Option<String> {
    text_or_digits(object, "log_id").or_else(|| text_or_digits(object, "logid"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn raw(http: u16, body: &str) -> Raw {
        Raw { http, body: body.as_bytes().to_vec() }
    }

    fn refused(answer: &Raw) -> ApiError {
        match answer.open() {
            Err(ErrorKind::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn ok_is_success_and_its_log_id_is_kept_in_either_spelling() {
        for key in ["log_id", "logid"] {
            let body = format!(r#"{{"data":{{"a":1}},"error":{{"code":"ok","message":"","{key}":"2026A"}}}}"#);
            let answer = raw(200, &body).open().unwrap();
            assert_eq!((answer.data["a"].as_u64(), answer.log_id.as_deref()), (Some(1), Some("2026A")));
        }
    }

    #[test]
    fn an_error_code_under_http_200_is_an_error() {
        let body = r#"{"data":{},"error":{"code":"spam_risk_too_many_posts","message":"m","log_id":"l"}}"#;
        let refusal = refused(&raw(200, body));
        assert_eq!((refusal.http, refusal.code.as_str()), (200, "spam_risk_too_many_posts"));
    }

    #[test]
    fn the_error_is_read_in_all_its_shapes() {
        for body in [
            r#"{"error":{"code":"x","message":"m","log_id":"l"}}"#,
            r#"{"data":null,"error":{"code":"x","message":"m"},"logid":"l"}"#,
            r#"{"error":"x","error_description":"m","log_id":"l"}"#,
            r#"{"error":"x","message":"m","logid":"l"}"#,
            r#"{"code":"x","message":"m","logid":"l"}"#,
        ] {
            let expected = ApiError { http: 400, code: "x".into(), message: "m".into(), log_id: Some("l".into()) };
            assert_eq!(refused(&raw(400, body)), expected, "{body}");
        }
    }

    #[test]
    fn an_error_without_a_code_is_still_an_error() {
        for body in [r#"{"error":{}}"#, r#"{"data":{"publish_id":"p"},"error":{"code":""}}"#] {
            assert_eq!(refused(&raw(500, body)).code, "", "{body}");
        }
    }

    #[test]
    fn what_is_no_envelope_is_garbled_and_keeps_its_status() {
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
            assert_eq!(raw(http, body).open().unwrap_err(), ErrorKind::InvalidResponse { http, why }, "{body}");
        }
    }

    #[test]
    fn oauths_error_is_one_under_http_200_too() {
        let answer = raw(200, r#"{"error":"invalid_grant","error_description":"expired","log_id":"l"}"#);
        assert!(matches!(answer.open_flat(), Err(ErrorKind::Refused(refusal)) if refusal.code == "invalid_grant"));
        assert!(raw(200, r#"{"access_token":"access-1"}"#).open_flat().is_ok());
        assert!(raw(200, r#"{"access_token":"access-1","error":""}"#).open_flat().is_ok());
        assert!(matches!(raw(500, "{}").open_flat(), Err(ErrorKind::InvalidResponse { http: 500, .. })));
    }

    proptest! {
        #[test]
        fn whatever_the_bytes_are_it_answers(http in 100u16..=999, body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let raw = Raw { http, body };
            prop_assert!(raw.open().is_err());
            let flat_ok = raw.open_flat().is_ok();
            prop_assert!(!flat_ok || raw.is_success());
        }

        #[test]
        fn nothing_but_ok_is_ok(code in "[a-z_]{0,12}", http in 100u16..=599) {
            let body = serde_json::json!({"data": {}, "error": {"code": code}}).to_string().into_bytes();
            prop_assert_eq!(Raw { http, body }.open().is_ok(), code == "ok" && (200..300).contains(&http));
        }
    }
}
