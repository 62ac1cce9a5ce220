//! One request, one answer: sending a call, and telling what became of it when
//! no answer came.
//!
//! It repeats nothing and knows no field of any answer. Its invariant: no
//! error that leaves here holds a URL, a header or a byte of an answer.

use std::error::Error as _;

use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use tracing::debug;

use crate::client::TikTok;
use crate::credentials::AccessToken;
use crate::endpoint::Endpoint;
use crate::envelope::{Answer, Raw};
use crate::error::{Error, ErrorKind, InvalidResponse};

/// The most that an answer may have, in bytes. The largest known has some hundreds.
const LARGEST_ANSWER: usize = 1024 * 1024;
const JSON: &str = "application/json; charset=UTF-8";

impl TikTok {
    /// Makes a call on a user's behalf. `query` is appended to the path.
    pub(crate) async fn call(
        &self,
        call: Endpoint,
        query: &str,
        token: &AccessToken,
        body: Option<Value>,
    ) -> Result<Answer, Error> {
        let failed = |fault| Error { call, fault };
        let mut request = self
            .http
            .request(call.method(), self.address(&format!("{}{query}", call.path())))
            .header(AUTHORIZATION, bearer(token).map_err(failed)?);
        if call.method() == reqwest::Method::POST {
            let body = body.map(|body| body.to_string()).unwrap_or_default();
            // Body also where it is 0, which HTTP clients leave out and some gateways miss.
            request = request.header(CONTENT_TYPE, JSON).header(CONTENT_LENGTH, body.len()).body(body);
        }
        let raw = self.fetch(request).await.map_err(failed)?;
        let answer = raw.open().map_err(|fault| failed(fault.without(&[token.expose()])));
        match &answer {
            Ok(answer) => {
                debug!(tiktok.call = %call, http.status = raw.http, tiktok.log_id = answer.log_id.as_deref(), "TikTok answered");
            }
            Err(error) => {
                debug!(tiktok.call = %call, http.status = raw.http, error = %error.fault, "TikTok did not say ok");
            }
        }
        answer
    }

    /// Sends a request and reads the answer whole, within the time for a call.
    pub(crate) async fn fetch(&self, request: RequestBuilder) -> Result<Raw, ErrorKind> {
        match request.timeout(self.patience.call).send().await {
            Ok(response) => read(response).await,
            Err(error) if was_not_sent(&error) => Err(ErrorKind::Unreachable(in_words(error))),
            Err(error) => Err(ErrorKind::Unanswered(in_words(error))),
        }
    }
}

impl ErrorKind {
    /// The same, without these secrets in TikTok's words.
    pub(crate) fn without(self, secrets: &[&str]) -> Self {
        match self {
            Self::Refused(refusal) => Self::Refused(refusal.sanitized(secrets)),
            other => other,
        }
    }
}

/// Tells whether an error arose before a byte of the request was sent.
pub(crate) fn was_not_sent(error: &reqwest::Error) -> bool {
    error.is_connect() || error.is_builder()
}

/// A network error and its causes, in words, without the URL.
pub(crate) fn in_words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}

fn bearer(token: &AccessToken) -> Result<HeaderValue, ErrorKind> {
    let plain = !token.expose().is_empty() && token.expose().bytes().all(|b| b.is_ascii_graphic());
    let value = HeaderValue::try_from(format!("Bearer {}", token.expose()));
    match value {
        Ok(mut value) if plain => {
            value.set_sensitive(true);
            Ok(value)
        }
        _ => Err(ErrorKind::TokenUnusable),
    }
}

async fn read(mut response: Response) -> Result<Raw, ErrorKind> {
    let http = response.status().as_u16();
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(part)) if body.len() + part.len() > LARGEST_ANSWER => {
                return Err(ErrorKind::InvalidResponse { http, why: InvalidResponse::TooLarge });
            }
            Ok(Some(part)) => body.extend_from_slice(&part),
            Ok(None) => return Ok(Raw { http, body }),
            Err(_) => return Err(ErrorKind::InvalidResponse { http, why: InvalidResponse::CutOff }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock_server::{MockServer, Reply};
    use std::time::Duration;

    async fn fetch_from(server: &MockServer) -> Result<Raw, ErrorKind> {
        let tiktok = server.client();
        tiktok.fetch(tiktok.http.get(tiktok.address("/x?token=access-1"))).await
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let elsewhere = MockServer::start(vec![]).await;
        let location = format!("location: {}\r\n", elsewhere.url("/"));
        let server = MockServer::start(vec![Reply::answer(307, "").with_headers(&location)]).await;
        assert_eq!(fetch_from(&server).await.unwrap().http, 307);
        assert!(elsewhere.requests().is_empty());
    }

    #[tokio::test]
    async fn an_answer_of_over_a_mebibyte_is_refused() {
        let server = MockServer::start(vec![Reply::answer(200, &"x".repeat(LARGEST_ANSWER + 1))]).await;
        let fault = fetch_from(&server).await.unwrap_err();
        assert_eq!(fault, ErrorKind::InvalidResponse { http: 200, why: InvalidResponse::TooLarge });
    }

    #[tokio::test]
    async fn an_answer_that_ends_in_the_middle_keeps_its_status() {
        let server = MockServer::start(vec![Reply::CutOff { status: 200, declared: 100, body: "{\"da".into() }]).await;
        assert_eq!(
            fetch_from(&server).await.unwrap_err(),
            ErrorKind::InvalidResponse { http: 200, why: InvalidResponse::CutOff }
        );
    }

    #[tokio::test]
    async fn a_connection_that_ends_after_the_request_is_no_answer() {
        let server = MockServer::start(vec![Reply::Close]).await;
        assert!(matches!(fetch_from(&server).await.unwrap_err(), ErrorKind::Unanswered(_)));
        assert_eq!(server.requests().len(), 1);
    }

    #[tokio::test]
    async fn silence_is_no_answer() {
        let server = MockServer::start(vec![Reply::Silence]).await;
        let tiktok = server.impatient_client(|patience| patience.call = Duration::from_millis(50));
        let fault = tiktok.fetch(tiktok.http.get(tiktok.address("/x"))).await.unwrap_err();
        assert!(matches!(fault, ErrorKind::Unanswered(_)), "{fault}");
    }

    #[tokio::test]
    async fn a_closed_port_is_unreachable_and_the_error_names_no_url() {
        let server = MockServer::start(vec![]).await;
        let tiktok = server.client();
        let request = tiktok.http.get(format!("http://127.0.0.1:{}/x?token=access-1", closed_port().await));
        let fault = tiktok.fetch(request).await.unwrap_err();
        assert!(matches!(fault, ErrorKind::Unreachable(_)), "{fault}");
        assert!(!format!("{fault} {fault:?}").contains("access-1"), "{fault:?}");
    }

    #[tokio::test]
    async fn a_token_that_no_header_can_carry_is_not_sent() {
        let server = MockServer::start(vec![]).await;
        for token in ["", "access 1", "access-1\n", "access-ü"] {
            let token = AccessToken::new(token.into());
            let error = server.client().call(Endpoint::CreatorInfo, "", &token, None).await.unwrap_err();
            assert_eq!(error.fault, ErrorKind::TokenUnusable);
        }
        assert!(server.requests().is_empty());
    }

    #[tokio::test]
    async fn a_refusal_that_quotes_the_token_does_not_pass_it_on() {
        let body = r#"{"error":{"code":"access_token_invalid","message":"Bearer access-1 is bad"}}"#;
        let server = MockServer::start(vec![Reply::answer(401, body)]).await;
        let token = AccessToken::new("access-1".into());
        let error = server.client().call(Endpoint::CreatorInfo, "", &token, None).await.unwrap_err();
        assert!(!format!("{error:?} {} {}", error.fault, error.failure()).contains("access-1"), "{error:?}");
    }

    async fn closed_port() -> u16 {
        tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
    }
}
