//! Tests of the router, and comparison of the route table with `template.yaml`.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::Response;
use contract::Access;
use lambda_http::tower::ServiceExt;

use super::*;

const TEMPLATE: &str = include_str!("../../../../template.yaml");

/// The authorization of a closed route: a token if the stack has an `OidcIssuer`, otherwise an AWS signature.
const CLOSED: &str = "!If [HasOidc, JWT, AWS_IAM]";

async fn response_to(event: &str) -> Response {
    let request = lambda_http::request::from_str(event).unwrap();
    router_of(service::<()>()).with_state(()).oneshot(request.map(|_| Body::empty())).await.unwrap()
}

/// A request of the gateway for `GET /health`.
fn recorded() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/http-get-health.json");
    std::fs::read_to_string(path).unwrap()
}

/// The same request of a function URL, which has the single route `$default`.
fn recorded_at_function_url() -> String {
    recorded().replace("GET /health", "$default")
}

fn content_type(response: &Response) -> &str {
    response.headers()[header::CONTENT_TYPE].to_str().unwrap()
}

/// The routes of the template: key and `AuthorizationType`.
fn template_routes() -> BTreeSet<(String, String)> {
    let lines: Vec<_> = TEMPLATE.lines().map(str::trim).collect();
    let keys = lines.iter().enumerate().filter_map(|(at, line)| Some((at, line.strip_prefix("RouteKey: ")?)));
    keys.map(|(at, key)| {
        let authorization = lines[at..].iter().find_map(|line| line.strip_prefix("AuthorizationType: "));
        (key.to_owned(), authorization.unwrap_or_default().to_owned())
    })
    .collect()
}

#[test]
fn template_has_the_routes_of_the_table() {
    let expected: BTreeSet<_> = table()
        .iter()
        .map(|route| {
            let authorization = match route.operation.access {
                Access::Public => "NONE",
                Access::Closed => CLOSED,
            };
            (format!("{} {}", route.method.to_uppercase(), route.path), authorization.to_owned())
        })
        .collect();
    assert_eq!(template_routes(), expected);
    assert_eq!(TEMPLATE.matches("RouteKey: ").count(), table().len(), "each route exists once");
}

#[test]
fn only_routes_of_tiktok_are_public() {
    let routes = template_routes();
    let public: Vec<_> = routes.iter().filter(|(_, authorization)| *authorization != CLOSED).collect();
    let expected = ["GET /oauth/callback", "POST /webhooks/tiktok"].map(|key| (key.to_owned(), "NONE".to_owned()));
    assert_eq!(public, expected.iter().collect::<Vec<_>>());
}

#[test]
fn closed_routes_name_the_authorizer() {
    let authorizer = "AuthorizerId: !If [HasOidc, !Ref HttpApiAuthorizer, !Ref AWS::NoValue]";
    assert_eq!(TEMPLATE.matches(CLOSED).count(), TEMPLATE.matches(authorizer).count());
    let resource = "\n  HttpApiAuthorizer:\n    Type: AWS::ApiGatewayV2::Authorizer\n    Condition: HasOidc\n";
    assert!(TEMPLATE.contains(resource));
}

#[test]
fn cors_is_open_only_to_configured_origins() {
    let configurations: Vec<_> = TEMPLATE.split("CorsConfiguration: ").skip(1).collect();
    assert_eq!(configurations.len(), 2, "the API's and the bucket's");
    for cors in configurations {
        let (function, rest) = cors.split_once('\n').unwrap();
        let (condition, origins) = rest.split_once('\n').unwrap();
        assert_eq!((function, condition.trim()), ("!If", "- HasCors"));
        let origins = origins.lines().find(|line| line.contains("Origins:")).unwrap();
        assert!(origins.ends_with("Origins: !Split [\",\", !Ref CorsOrigins]"), "{origins}");
    }
    let methods: BTreeSet<_> = table().iter().map(|route| route.method.to_uppercase()).collect();
    let allowed = TEMPLATE.split("AllowMethods: [").nth(1).and_then(|rest| rest.split(']').next()).unwrap();
    assert_eq!(allowed.split(", ").map(str::to_owned).collect::<BTreeSet<_>>(), methods, "a page can call every route");
    assert!(TEMPLATE.contains("AllowedMethods: [PUT]\n              AllowedHeaders: [content-type]\n"));
    let parameter = TEMPLATE.split("\n  CorsOrigins:\n").nth(1).unwrap();
    let default = parameter.lines().find_map(|line| line.trim().strip_prefix("Default: "));
    assert_eq!(default, Some("\"\""), "no origin by default");
}

#[test]
fn gateway_throttles_all_routes_and_each_public_route() {
    let stage = TEMPLATE.split("\n  HttpApiStage:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap();
    for scope in ["DefaultRouteSettings:", "GET /oauth/callback:", "POST /webhooks/tiktok:"] {
        let limits = stage.split(scope).nth(1).unwrap_or_else(|| panic!("{scope} has no limits"));
        for (line, name) in limits.lines().skip(1).zip(["ThrottlingRateLimit: ", "ThrottlingBurstLimit: "]) {
            let limit = line.trim().strip_prefix(name).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
            assert!(limit.parse().is_ok_and(|limit: u32| (1..=1000).contains(&limit)), "{scope} {line}");
        }
    }
}

#[tokio::test]
async fn recorded_health_request_gets_200() {
    assert_eq!(response_to(&recorded()).await.status(), 200);
    assert_eq!(response_to(&recorded_at_function_url()).await.status(), 200);
}

#[tokio::test]
async fn unknown_path_or_method_gets_problem_document() {
    let post = recorded_at_function_url().replace("\"method\": \"GET\"", "\"method\": \"POST\"");
    let elsewhere = recorded_at_function_url().replace("/health", "/elsewhere");
    for (event, status) in [(elsewhere, 404), (post, 405)] {
        for accept in ["*/*", "text/html"] {
            let response = response_to(&event.replace("*/*", accept)).await;
            assert_eq!((response.status().as_u16(), content_type(&response)), (status, "application/problem+json"));
        }
    }
}

#[tokio::test]
async fn request_for_another_gateway_route_gets_404() {
    for (gateway_route, path) in [
        ("GET /openapi.json", "/health"),
        ("GET /posts/{id}", "/posts/../health"),
        ("POST /health", "/health"),
        ("GET /posts/{id}", "/posts/a?b"),
    ] {
        let event = recorded().replace("GET /health", gateway_route).replace("\"/health\"", &format!("\"{path}\""));
        let response = response_to(&event).await;
        assert_eq!((response.status(), content_type(&response)), (StatusCode::NOT_FOUND, "application/problem+json"));
    }
}

#[tokio::test]
async fn every_response_has_security_headers() {
    let missing = response_to(&recorded().replace("/health", "/elsewhere")).await;
    let header = |name: &str| missing.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/problem+json");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("referrer-policy"), "no-referrer");
    assert!(header("content-security-policy").starts_with("default-src 'none'"));
}
