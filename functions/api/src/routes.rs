//! What is where. The template has the same list, with who may pass.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use lambda_http::request::RequestContext;
use posting::{Connections, Intake};
use serde_json::json;
use storage::WebhookLog;

use crate::problem::Problem;
use crate::webhook::{self, Listener};
use crate::{accounts, body, connect, posts};

/// Everything that is answered.
pub(crate) fn all(connecting: Arc<Connections>, intake: Arc<Intake>, inbox: WebhookLog) -> Router {
    let listener = Listener { connecting: Arc::clone(&connecting), inbox };
    let heard = post(webhook::take).layer(DefaultBodyLimit::max(webhook::MOST_BYTES)).with_state(listener);
    Router::new()
        .route("/webhooks/tiktok", heard)
        .route("/connect", get(connect::ask))
        .route("/oauth/callback", get(connect::take))
        .route("/accounts", get(accounts::list))
        .route("/accounts/{alias}", get(accounts::one).patch(accounts::configure).delete(accounts::disconnect))
        .route("/accounts/{alias}/creator", get(accounts::creator))
        .route("/posts", get(posts::list).post(posts::post))
        .route("/posts/{id}", get(posts::one).patch(posts::update_options))
        .route("/posts/{id}/approve", post(posts::approve))
        .route("/posts/{id}/cancel", post(posts::cancel))
        .route("/posts/{id}/retry", post(posts::retry))
        .route("/uploads", post(posts::upload))
        .route("/uploads/{id}/complete", post(posts::complete))
        .layer(Extension(intake))
        .with_state(connecting)
        .merge(stateless())
        .layer(DefaultBodyLimit::max(body::MOST))
        .layer(from_fn(as_let_in))
        .layer(map_response(secured))
}

/// What needs nothing.
fn stateless() -> Router {
    Router::new()
        .route("/openapi.json", get(contract))
        .route("/health", get(async || Json(json!({ "status": "ok" }))))
        .fallback(async || nothing_here())
        .method_not_allowed_fallback(async || not_so())
}

/// The contract, as it is kept beside the manifest; `contract` makes it, in a test.
async fn contract() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], include_str!("../openapi.json"))
}

fn nothing_here() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "There is nothing here", "")
}

fn not_so() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This cannot be done here", "")
}

/// Answers a request as the route that the gateway let it in by, or not at all.
///
/// Who may pass is decided for a route of the gateway's. It hands a path over
/// decoded, so what stood in it as one name can lead elsewhere here: `..%2Faccounts`,
/// or a `%3F`. <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
async fn as_let_in(matched: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let here = matched.map(|matched| format!("{} {}", request.method(), matched.as_str()));
    match let_in_by(&request) {
        Some(key) if Some(key) != here.as_deref() => nothing_here().into_response(),
        _ => next.run(request).await,
    }
}

/// The route of the gateway's, where it has several: a function URL has none.
fn let_in_by(request: &Request) -> Option<&str> {
    match request.extensions().get() {
        Some(RequestContext::ApiGatewayV2(context)) => context.route_key.as_deref().filter(|key| *key != "$default"),
        _ => None,
    }
}

/// No answer is kept, guessed at, framed, or named to anybody else: addresses
/// and pages of a connecting are their reader's alone.
/// <https://owasp.org/www-project-secure-headers/>
async fn secured(mut response: Response) -> impl IntoResponse {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let strictest = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(strictest);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    use axum::body::Body;
    use lambda_http::tower::ServiceExt;

    async fn answer(event: &str) -> Response {
        let request = lambda_http::request::from_str(event).unwrap();
        let router = stateless().layer(from_fn(as_let_in)).layer(map_response(secured));
        router.oneshot(request.map(|_| Body::empty())).await.unwrap()
    }

    fn recorded() -> String {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/http-get-health.json");
        std::fs::read_to_string(path).unwrap()
    }

    #[tokio::test]
    async fn the_recorded_request_for_its_health_is_answered() {
        assert_eq!(answer(&recorded()).await.status(), 200);
    }

    /// The same by a function URL, which knows no routes.
    fn by_url() -> String {
        recorded().replace("GET /health", "$default")
    }

    #[tokio::test]
    async fn where_nothing_is_a_problem_tells_so_whoever_asks() {
        let posted = by_url().replace("\"method\": \"GET\"", "\"method\": \"POST\"");
        for (event, status) in [(by_url().replace("/health", "/elsewhere"), 404), (posted, 405)] {
            for accept in ["*/*", "text/html"] {
                let answer = answer(&event.replace("*/*", accept)).await;
                assert_eq!((answer.status().as_u16(), content_type(&answer)), (status, "application/problem+json"));
            }
        }
        assert_eq!(answer(&by_url()).await.status(), 200);
    }

    fn content_type(answer: &Response) -> &str {
        answer.headers()[header::CONTENT_TYPE].to_str().unwrap()
    }

    #[tokio::test]
    async fn nothing_is_answered_that_the_gateway_did_not_let_in() {
        for (let_in_by, path) in [
            ("GET /openapi.json", "/health"),
            ("GET /posts/{id}", "/posts/../health"),
            ("POST /health", "/health"),
            ("GET /posts/{id}", "/posts/a?b"),
        ] {
            let event = recorded().replace("GET /health", let_in_by).replace("\"/health\"", &format!("\"{path}\""));
            let answer = answer(&event).await;
            assert_eq!((answer.status(), content_type(&answer)), (StatusCode::NOT_FOUND, "application/problem+json"));
        }
    }

    /// The routes of the template, each with who may pass.
    fn doors(template: &str) -> Vec<(&str, &str)> {
        let lines: Vec<_> = template.lines().map(str::trim).collect();
        let routes = lines.iter().enumerate().filter_map(|(at, line)| Some((at, line.strip_prefix("RouteKey: ")?)));
        routes
            .map(|(at, key)| {
                let who = lines[at..].iter().find_map(|line| line.strip_prefix("AuthorizationType: "));
                (key, who.unwrap_or_default())
            })
            .collect()
    }

    /// Closed to whoever neither signs nor, where the stack names an issuer, has a token of it.
    const CLOSED: &str = "!If [HasOidc, JWT, AWS_IAM]";

    #[test]
    fn a_route_that_asks_for_a_token_names_who_checks_it() {
        let template = include_str!("../../../template.yaml");
        let checked = "AuthorizerId: !If [HasOidc, !Ref HttpApiAuthorizer, !Ref AWS::NoValue]";
        assert_eq!(template.matches(CLOSED).count(), template.matches(checked).count());
        assert!(
            template
                .contains("\n  HttpApiAuthorizer:\n    Type: AWS::ApiGatewayV2::Authorizer\n    Condition: HasOidc\n")
        );
    }

    #[test]
    fn no_page_of_another_origin_is_let_in_unless_it_is_named() {
        let template = include_str!("../../../template.yaml");
        let opened: Vec<_> = template.split("CorsConfiguration: ").skip(1).collect();
        assert_eq!(opened.len(), 2, "the API and the bucket");
        for cors in opened {
            let (when, rest) = cors.split_once('\n').unwrap();
            let (condition, origins) = rest.split_once('\n').unwrap();
            assert_eq!((when, condition.trim()), ("!If", "- HasCors"));
            let origins = origins.lines().find(|line| line.contains("Origins:")).unwrap();
            assert!(origins.ends_with("Origins: !Split [\",\", !Ref CorsOrigins]"), "{origins}");
        }
        let methods: BTreeSet<_> = doors(template).into_iter().filter_map(|(key, _)| key.split(' ').next()).collect();
        let opened = template.split("AllowMethods: [").nth(1).and_then(|rest| rest.split(']').next()).unwrap();
        assert_eq!(opened.split(", ").collect::<BTreeSet<_>>(), methods, "a page may do what its user may");
        assert!(template.contains("AllowedMethods: [PUT]\n              AllowedHeaders: [content-type]\n"));
        let parameter = template.split("\n  CorsOrigins:\n").nth(1).unwrap();
        let default = parameter.lines().find_map(|line| line.trim().strip_prefix("Default: "));
        assert_eq!(default, Some("\"\""), "nobody is named by default");
    }

    #[test]
    fn the_gateway_bounds_how_often_it_is_called_and_what_is_open_by_itself() {
        let template = include_str!("../../../template.yaml");
        let stage = template.split("\n  HttpApiStage:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap();
        for bounded in ["DefaultRouteSettings:", "GET /oauth/callback:", "POST /webhooks/tiktok:"] {
            let bounds = stage.split(bounded).nth(1).unwrap_or_else(|| panic!("{bounded} is not bounded"));
            for (line, name) in bounds.lines().skip(1).zip(["ThrottlingRateLimit: ", "ThrottlingBurstLimit: "]) {
                let bound = line.trim().strip_prefix(name).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
                assert!(bound.parse().is_ok_and(|bound: u32| (1..=1000).contains(&bound)), "{bounded} {line}");
            }
        }
    }

    #[test]
    fn the_template_opens_two_routes_to_everybody_and_those_are_tiktoks() {
        let template = include_str!("../../../template.yaml");
        let open: Vec<_> = doors(template).into_iter().filter(|(_, who)| *who != CLOSED).collect();
        assert_eq!(open, [("GET /oauth/callback", "NONE"), ("POST /webhooks/tiktok", "NONE")]);
        let keys: Vec<_> = doors(template).into_iter().map(|(key, _)| key).collect();
        let signed = ["GET /openapi.json", "GET /health", "GET /connect", "GET /accounts"];
        let of_one = ["GET /accounts/{alias}", "PATCH /accounts/{alias}", "DELETE /accounts/{alias}"];
        let posts = ["GET /accounts/{alias}/creator", "GET /posts", "GET /posts/{id}", "PATCH /posts/{id}"];
        let wishes = ["POST /posts/{id}/approve", "POST /posts/{id}/cancel", "POST /posts/{id}/retry"];
        let asks = ["POST /posts", "POST /uploads", "POST /uploads/{id}/complete"];
        for key in signed.into_iter().chain(of_one).chain(posts).chain(wishes).chain(asks) {
            assert!(keys.contains(&key), "{key} is not in the template");
        }
    }

    #[tokio::test]
    async fn every_answer_is_secured_and_a_problem_names_itself() {
        let missing = answer(&recorded().replace("/health", "/elsewhere")).await;
        let header = |name: &str| missing.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "application/problem+json");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert!(header("content-security-policy").starts_with("default-src 'none'"));
    }
}
