//! The HTTP API. So far it tells whether it is there: `GET /health`.

use lambda_http::{Body, Error, Request, Response, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    runtime::telemetry::start();
    lambda_http::run(service_fn(answer)).await
}

async fn answer(request: Request) -> Result<Response<Body>, Error> {
    let (status, body) = match (request.method().as_str(), request.uri().path()) {
        ("GET", "/health") => (200, serde_json::json!({ "status": "ok" })),
        _ => (404, serde_json::json!({ "title": "There is nothing here", "status": 404 })),
    };
    let kind = if status == 200 { "application/json" } else { "application/problem+json" };
    Ok(Response::builder().status(status).header("content-type", kind).body(body.to_string().into())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lambda_http::RequestExt;

    async fn status_of(event: &str) -> u16 {
        let request = lambda_http::request::from_str(event).unwrap();
        assert!(!request.raw_http_path().is_empty());
        answer(request).await.unwrap().status().as_u16()
    }

    #[tokio::test]
    async fn the_recorded_request_for_its_health_is_answered() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/http-get-health.json");
        let event = std::fs::read_to_string(path).unwrap();
        assert_eq!(status_of(&event).await, 200);
        assert_eq!(status_of(&event.replace("/health", "/elsewhere")).await, 404);
    }
}
