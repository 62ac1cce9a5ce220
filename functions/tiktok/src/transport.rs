//! The HTTP exchange of a v2 or OAuth call: one request, and its whole response or the reason why there is none. The
//! module `upload` sends chunks.
//!
//! This module retries nothing and knows no field of any response. Invariant: no error of this module contains a URL, a
//! header or a byte of a response.

use domain::failure::error_chain;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use tracing::debug;

use crate::client::TikTok;
use crate::credentials::AccessToken;
use crate::endpoint::Endpoint;
use crate::envelope::{ApiResponse, RawResponse};
use crate::error::{Error, ErrorKind, InvalidResponse};
use crate::retry_after::retry_after;

/// The largest response that is read, in bytes. The largest known response has some hundred bytes.
const MAX_RESPONSE: usize = 1024 * 1024;
const JSON: &str = "application/json; charset=UTF-8";

impl TikTok {
    /// Makes a call of the v2 API on a user's behalf. `query` is empty or begins with `?`.
    pub(crate) async fn call(
        &self,
        call: Endpoint,
        query: &str,
        token: &AccessToken,
        body: Option<Value>,
    ) -> Result<ApiResponse, Error> {
        let failed = |fault| Error::new(call, fault);
        let mut request = self
            .http
            .request(call.method(), self.address(&format!("{}{query}", call.path())))
            .header(AUTHORIZATION, bearer(token).map_err(failed)?);
        if call.method() == reqwest::Method::POST {
            let body = body.map(|body| body.to_string()).unwrap_or_default();
            // HTTP clients omit a Content-Length of 0, but some gateways require it.
            request = request.header(CONTENT_TYPE, JSON).header(CONTENT_LENGTH, body.len()).body(body);
        }
        let raw = self.fetch(request).await.map_err(failed)?;
        let retry_after = raw.retry_after;
        let response =
            raw.api_response().map_err(|fault| Error { retry_after, ..failed(fault.sanitized(&[token.expose()])) });
        match &response {
            Ok(response) => {
                debug!(tiktok.call = %call, http.status = raw.http, tiktok.log_id = response.log_id.as_deref(), "TikTok call succeeded");
            }
            Err(error) => {
                debug!(tiktok.call = %call, http.status = raw.http, error = %error.fault, "TikTok responded with an error");
            }
        }
        response
    }

    /// Sends a request and reads the whole response, within the timeout of a call.
    pub(crate) async fn fetch(&self, request: RequestBuilder) -> Result<RawResponse, ErrorKind> {
        match request.timeout(self.timeouts.call).send().await {
            Ok(response) => read(response).await,
            Err(error) if was_not_sent(&error) => Err(ErrorKind::Unreachable(chain_without_url(error))),
            Err(error) => Err(ErrorKind::Unanswered(chain_without_url(error))),
        }
    }
}

/// Returns whether an error occurred before any byte of the request was sent.
///
/// If this wrongly returned true, a call that may have taken effect would be reported as one that was not sent.
pub(crate) fn was_not_sent(error: &reqwest::Error) -> bool {
    error.is_connect() || error.is_builder()
}

/// Returns a network error and its causes as text, without the URL.
pub(crate) fn chain_without_url(error: reqwest::Error) -> String {
    error_chain(&error.without_url())
}

/// Returns the `Authorization` header. A header value may contain spaces, a token may not.
fn bearer(token: &AccessToken) -> Result<HeaderValue, ErrorKind> {
    let is_printable = !token.expose().is_empty() && token.expose().bytes().all(|b| b.is_ascii_graphic());
    let value = HeaderValue::try_from(format!("Bearer {}", token.expose()));
    match value {
        Ok(mut value) if is_printable => {
            value.set_sensitive(true);
            Ok(value)
        }
        _ => Err(ErrorKind::TokenUnusable),
    }
}

async fn read(mut response: Response) -> Result<RawResponse, ErrorKind> {
    let (http, retry_after) = (response.status().as_u16(), retry_after(response.headers()));
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(part)) if body.len() + part.len() > MAX_RESPONSE => {
                return Err(ErrorKind::InvalidResponse { http, why: InvalidResponse::TooLarge });
            }
            Ok(Some(part)) => body.extend_from_slice(&part),
            Ok(None) => return Ok(RawResponse { http, body, retry_after }),
            // The connection failed, or the timeout of the call expired.
            Err(_) => return Err(ErrorKind::InvalidResponse { http, why: InvalidResponse::CutOff }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_tiktok::{Reply, ScriptedServer, ScriptedTikTok};
    use std::time::Duration;

    async fn fetch_from(server: &ScriptedServer) -> Result<RawResponse, ErrorKind> {
        let tiktok = server.client();
        tiktok.fetch(tiktok.http.get(tiktok.address("/x?token=access-1"))).await
    }

    #[tokio::test]
    async fn redirect_is_not_followed() {
        let other_server = ScriptedServer::with_replies([]).await;
        let location = other_server.url("/");
        let server = ScriptedServer::with_replies([Reply::new(307, "").header("location", &location)]).await;
        assert_eq!(fetch_from(&server).await.unwrap().http, 307);
        assert!(other_server.requests().is_empty());
    }

    #[tokio::test]
    async fn response_over_one_mebibyte_is_rejected() {
        let server = ScriptedServer::with_replies([Reply::new(200, "x".repeat(MAX_RESPONSE + 1))]).await;
        let fault = fetch_from(&server).await.unwrap_err();
        assert_eq!(fault, ErrorKind::InvalidResponse { http: 200, why: InvalidResponse::TooLarge });
    }

    #[tokio::test]
    async fn truncated_response_keeps_its_status() {
        let server =
            ScriptedServer::with_replies([Reply::new(200, "{\"da").header("content-length", "100").cut_at(4)]).await;
        assert_eq!(
            fetch_from(&server).await.unwrap_err(),
            ErrorKind::InvalidResponse { http: 200, why: InvalidResponse::CutOff }
        );
    }

    #[tokio::test]
    async fn connection_closed_after_request_is_unanswered() {
        let server = ScriptedServer::with_replies([Reply::hang_up()]).await;
        assert!(matches!(fetch_from(&server).await.unwrap_err(), ErrorKind::Unanswered(_)));
        assert_eq!(server.requests().len(), 1);
    }

    #[tokio::test]
    async fn timeout_is_unanswered() {
        let server = ScriptedServer::with_replies([Reply::silence()]).await;
        let tiktok = server.client_with_timeouts(|timeouts| timeouts.call = Duration::from_millis(50));
        let fault = tiktok.fetch(tiktok.http.get(tiktok.address("/x"))).await.unwrap_err();
        assert!(matches!(fault, ErrorKind::Unanswered(_)), "{fault}");
    }

    #[tokio::test]
    async fn closed_port_is_unreachable_without_url_in_error() {
        let server = ScriptedServer::with_replies([]).await;
        let tiktok = server.client();
        let request = tiktok.http.get(format!("http://127.0.0.1:{}/x?token=access-1", closed_port().await));
        let fault = tiktok.fetch(request).await.unwrap_err();
        assert!(matches!(fault, ErrorKind::Unreachable(_)), "{fault}");
        assert!(!format!("{fault} {fault:?}").contains("access-1"), "{fault:?}");
    }

    #[tokio::test]
    async fn token_invalid_in_a_header_is_not_sent() {
        let server = ScriptedServer::with_replies([]).await;
        for token in ["", "access 1", "access-1\n", "access-ü"] {
            let token = AccessToken::new(token.into());
            let error = server.client().call(Endpoint::CreatorInfo, "", &token, None).await.unwrap_err();
            assert_eq!(error.fault, ErrorKind::TokenUnusable);
        }
        assert!(server.requests().is_empty());
    }

    #[tokio::test]
    async fn retry_after_of_error_response_is_kept() {
        let body = r#"{"error":{"code":"internal_error","message":""}}"#;
        for reply in [Reply::new(503, body), Reply::new(503, "<html>")] {
            let server = ScriptedServer::with_replies([reply.header("retry-after", "600")]).await;
            let token = AccessToken::new("access-1".into());
            let error = server.client().call(Endpoint::CreatorInfo, "", &token, None).await.unwrap_err();
            assert_eq!(error.retry_after, Some(Duration::from_mins(10)), "{error:?}");
        }
    }

    #[tokio::test]
    async fn token_quoted_by_tiktok_is_redacted() {
        let body = r#"{"error":{"code":"access_token_invalid","message":"Bearer access-1 is bad"}}"#;
        let server = ScriptedServer::with_replies([Reply::new(401, body)]).await;
        let token = AccessToken::new("access-1".into());
        let error = server.client().call(Endpoint::CreatorInfo, "", &token, None).await.unwrap_err();
        assert!(!format!("{error:?} {} {}", error.fault, error.failure()).contains("access-1"), "{error:?}");
    }

    async fn closed_port() -> u16 {
        tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
    }
}
