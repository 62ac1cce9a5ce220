//! Tests of the router, and comparison of the route table with `template.yaml`.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::Response;
use contract::Access;
use lambda_http::tower::ServiceExt;
use yaml_serde::Value;

use super::*;

fn template() -> Value {
    yaml_serde::from_str(include_str!("../../../../template.yaml")).unwrap()
}

fn yaml(text: &str) -> Value {
    yaml_serde::from_str(text).unwrap()
}

/// The authorization of a closed route: a token if the stack has an `OidcIssuer`, otherwise an AWS signature.
fn closed() -> Value {
    yaml("!If [HasOidc, JWT, AWS_IAM]")
}

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

/// The properties of each route of the template, by its key.
fn template_routes() -> BTreeMap<String, Value> {
    let template = template();
    let resources = template["Resources"].as_mapping().unwrap().values();
    let routes = resources.filter(|resource| resource["Type"] == "AWS::ApiGatewayV2::Route");
    let routes: Vec<_> = routes.map(|route| route["Properties"].clone()).collect();
    let by_key: BTreeMap<_, _> =
        routes.iter().map(|route| (route["RouteKey"].as_str().unwrap().to_owned(), route.clone())).collect();
    assert_eq!(by_key.len(), routes.len(), "each route exists once");
    by_key
}

#[test]
fn template_has_the_routes_of_the_table() {
    let key = |route: &Route<_>| format!("{} {}", route.method.to_uppercase(), route.path);
    let authorization = |route: &Route<_>| match route.operation.access {
        Access::Public => Value::from("NONE"),
        Access::Closed => closed(),
    };
    let expected: BTreeMap<_, _> = table().iter().map(|route| (key(route), authorization(route))).collect();
    let actual: BTreeMap<_, _> =
        template_routes().into_iter().map(|(key, route)| (key, route["AuthorizationType"].clone())).collect();
    assert_eq!(actual, expected);
    assert_eq!(expected.len(), table().len(), "each route is in the table once");
}

#[test]
fn only_routes_of_tiktok_are_public() {
    let public = template_routes().into_iter().filter(|(_, route)| route["AuthorizationType"] != closed());
    let public: Vec<_> = public.map(|(key, route)| (key, route["AuthorizationType"].clone())).collect();
    let expected = ["GET /oauth/callback", "POST /webhooks/tiktok"].map(|key| (key.to_owned(), Value::from("NONE")));
    assert_eq!(public, expected);
}

#[test]
fn closed_routes_name_the_authorizer() {
    let authorizer = yaml("!If [HasOidc, !Ref HttpApiAuthorizer, !Ref AWS::NoValue]");
    for (key, route) in template_routes() {
        assert_eq!(route["AuthorizationType"] == closed(), route["AuthorizerId"] == authorizer, "{key}");
    }
    let resource = &template()["Resources"]["HttpApiAuthorizer"];
    assert_eq!(
        (&resource["Type"], &resource["Condition"]),
        (&"AWS::ApiGatewayV2::Authorizer".into(), &"HasOidc".into())
    );
}

#[test]
fn cors_is_open_only_to_configured_origins() {
    let template = template();
    let api = &template["Resources"]["HttpApi"]["Properties"]["CorsConfiguration"];
    let bucket = &template["Resources"]["IntakeBucket"]["Properties"]["CorsConfiguration"];
    for cors in [api, bucket] {
        assert_eq!((&cors[0], &cors[2]), (&"HasCors".into(), &yaml("!Ref AWS::NoValue")));
    }
    let origins = yaml("!Split [\",\", !Ref CorsOrigins]");
    let rule = &bucket[1]["CorsRules"][0];
    assert_eq!((&api[1]["AllowOrigins"], &rule["AllowedOrigins"]), (&origins, &origins));
    assert_eq!((&rule["AllowedMethods"], &rule["AllowedHeaders"]), (&yaml("[PUT]"), &yaml("[content-type]")));
    let allowed =
        api[1]["AllowMethods"].as_sequence().unwrap().iter().map(|method| method.as_str().unwrap().to_owned());
    let methods: BTreeSet<_> = table().iter().map(|route| route.method.to_uppercase()).collect();
    assert_eq!(allowed.collect::<BTreeSet<_>>(), methods, "a page can call every route");
    assert_eq!(template["Parameters"]["CorsOrigins"]["Default"], "", "no origin by default");
}

#[test]
fn gateway_throttles_all_routes_and_each_public_route() {
    let stage = &template()["Resources"]["HttpApiStage"]["Properties"];
    let routes = &stage["RouteSettings"];
    for scope in [&stage["DefaultRouteSettings"], &routes["GET /oauth/callback"], &routes["POST /webhooks/tiktok"]] {
        for name in ["ThrottlingRateLimit", "ThrottlingBurstLimit"] {
            assert!(scope[name].as_u64().is_some_and(|limit| (1..=1000).contains(&limit)), "{scope:?}");
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
    // API Gateway authorized the first route; the decoded path or the method belongs to another one.
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
