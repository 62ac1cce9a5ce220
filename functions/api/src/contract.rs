//! Generator of the `OpenAPI` document, from the route table and the request and response types.
//!
//! Only tests compile this module. The document is the file `functions/api/openapi.json`, which `GET /openapi.json`
//! returns; a test compares the file with the generated document.

mod examples;
mod operation;

pub(crate) use operation::{Access, Operation, alias, before, closed, cursor, limit, public, since, text};

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::routes;

/// How to update the file.
const REMEDY: &str = "the contract has changed: cp target/openapi.json functions/api/openapi.json";

const DESCRIPTION: &str = "Posts videos to TikTok exactly once and returns their links.\n\n\
    A post is created when a video is dropped into the bucket, by `POST /uploads` (which returns a URL for the video), or by \
    `POST /posts` (for an object in the bucket). Requests are signed with AWS Signature Version 4 for `execute-api`, or carry a \
    token of the issuer that the stack names. Ids are strings, times are RFC 3339 in UTC, and errors are RFC 9457 problems with a \
    stable `code`. Errors of the gateway (401, 403, 429, and 404 for a path without a route) have only a `message`.";

/// The body of a webhook, as TikTok defines it. `tiktok/src/webhook.rs` parses it.
#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
#[schemars(example = json!({
    "client_key": "ck", "event": "post.publish.complete", "create_time": 1_615_338_610, "user_openid": "o1",
    "content": "{\"publish_id\":\"v_pub_file~v2-1.1\",\"publish_type\":\"DIRECT_POST\"}"
}))]
pub(crate) struct Webhook {
    client_key: Option<String>,
    /// The name of the event.
    #[schemars(length(min = 1))]
    event: String,
    /// The time of the event, in seconds since 1970.
    create_time: Option<i64>,
    /// TikTok's id of the user whom the event concerns.
    user_openid: Option<String>,
    /// The details of the event: a JSON object in a string.
    content: Option<String>,
}

/// The schemas of the document, collected as operations refer to them.
pub(crate) struct Schemas {
    requests: SchemaGenerator,
    responses: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings =
            || SchemaSettings::draft2020_12().with(|settings| settings.definitions_path = "/components/schemas".into());
        Self {
            requests: settings().for_deserialize().into_generator(),
            responses: settings().for_serialize().into_generator(),
        }
    }

    /// A reference to the schema of a type in requests.
    pub(crate) fn request<T: JsonSchema>(&mut self) -> Value {
        self.requests.subschema_for::<T>().to_value()
    }

    /// A reference to the schema of a type in responses.
    pub(crate) fn response<T: JsonSchema>(&mut self) -> Value {
        self.responses.subschema_for::<T>().to_value()
    }

    /// All schemas. A type that is in requests and responses gets the schema of requests, which requires fewer fields.
    fn into_json(mut self) -> Map<String, Value> {
        let mut all = self.responses.take_definitions(true);
        all.extend(self.requests.take_definitions(true));
        for (name, example) in examples::responses() {
            all[name]["examples"] = json!([example]);
        }
        all
    }
}

fn document() -> Value {
    let mut schemas = Schemas::new();
    let mut paths = json!({});
    for route in routes::table() {
        paths[route.path][route.method] = route.operation.to_json(&mut schemas);
    }
    let sigv4 = json!({
        "type": "apiKey", "in": "header", "name": "Authorization",
        "description": "AWS Signature Version 4, service execute-api",
    });
    let oidc = json!({
        "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
        "description": "Instead of a signature, if the stack's parameter OidcIssuer is set",
    });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Dropcast", "version": env!("CARGO_PKG_VERSION"), "description": DESCRIPTION,
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "security": [{ "sigv4": [] }, { "oidc": [] }],
        "paths": paths,
        "components": { "schemas": schemas.into_json(), "securitySchemes": { "sigv4": sigv4, "oidc": oidc } },
    })
}

/// The operations of a document, each with its method and path.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().unwrap();
        item.iter().map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation.clone()))
    });
    operations.collect()
}

#[test]
fn openapi_file_equals_generated_document() {
    let generated = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    std::fs::create_dir_all(format!("{root}/target")).unwrap();
    std::fs::write(format!("{root}/target/openapi.json"), &generated).unwrap();
    let file = std::fs::read_to_string(format!("{root}/functions/api/openapi.json")).unwrap_or_default();
    assert!(generated == file, "{REMEDY}");
}

#[test]
fn document_has_an_operation_for_each_route() {
    let document = document();
    let operations = operations(&document);
    assert_eq!(operations.len(), routes::table().len(), "no route is twice in the table");
    for (method, path, operation) in operations {
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with(['2', '3'])), "{method} {path}");
        let public = operation["security"] == json!([{}]);
        assert!(public || responses.contains_key("403"), "{method} {path} is closed");
        assert!(operation["summary"].is_string() && operation["description"].is_string(), "{method} {path}");
    }
}

#[test]
fn request_types_have_an_example_and_a_limit() {
    let document = document();
    let mut bodies = 0;
    for (method, path, operation) in operations(&document) {
        // TikTok chooses the length of the parameters of public routes.
        let public = operation["security"] == json!([{}]);
        for parameter in operation["parameters"].as_array().into_iter().flatten().filter(|_| !public) {
            let schema = &parameter["schema"];
            let is_free_text = schema["type"] == "string" && schema["format"].is_null() && schema["pattern"].is_null();
            assert!(!is_free_text || schema["maxLength"].is_u64(), "{method} {path}: {}", parameter["name"]);
        }
        let body = &operation["requestBody"];
        let Some(reference) = body["content"]["application/json"]["schema"]["$ref"].as_str() else { continue };
        let schema = document.pointer(reference.trim_start_matches('#')).unwrap();
        assert!(!schema["examples"][0].is_null(), "{method} {path}");
        assert!(body["description"].as_str().unwrap().contains("65536 bytes"), "{method} {path}");
        bodies += 1;
    }
    // PATCH /accounts/{alias}, POST /posts, PATCH /posts/{id}, POST /uploads and POST /webhooks/tiktok.
    assert_eq!(bodies, 5, "every route with a body");
}

#[test]
fn ids_are_strings_and_times_are_rfc_3339() {
    let schemas = document()["components"]["schemas"].clone();
    let (mut times, mut ids) = (0, 0);
    for (name, schema) in schemas.as_object().unwrap() {
        for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
            let schema = schema.to_string();
            // `Options.publish_at` may also be a local time, without an offset.
            let is_time = (field.ends_with("_at") || field == "since" || field == "not_before") && name != "Options";
            if is_time {
                times += 1;
                assert!(schema.contains("date-time"), "{name}.{field}: {schema}");
            }
            if field == "id" || field.ends_with("_id") || field.ends_with("_ids") {
                ids += 1;
                assert!(schema.contains("string") && !schema.contains("integer"), "{name}.{field}: {schema}");
            }
        }
    }
    assert!(times > 5 && ids > 5, "{times} times, {ids} ids");
}
