//! The contract, as an `OpenAPI` document made of the types that are answered with:
//! what `openapi.json` beside the manifest must be, to the letter. It is made here,
//! in a test, so that no binary carries what makes it; the function answers with
//! the file.

mod examples;
mod mirrors;
mod operations;

pub(crate) use mirrors::{Approval, HeldFor, HistoryEntry, Options, Outcome, Preferences, Settings, State, Time};

use std::collections::BTreeSet;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// How to make the file anew.
const REMEDY: &str = "the contract has changed: cp target/openapi.json functions/api/openapi.json";

const ABOUT: &str = "Videos are posted to TikTok: once, whole, and their links come back.\n\n\
    A post is made by dropping a video into the bucket, by `POST /uploads` (an address to upload it to), or by `POST /posts` \
    (of an object that is in the bucket). Requests are signed with AWS Signature Version 4 for `execute-api`, or carry a token \
    of the issuer that the stack names. Ids are strings, times are RFC 3339 in UTC, problems are RFC 9457 with a stable `code`. \
    What the gateway itself refuses (401, 403, 429, a path that is none) has only a `message`.";

/// The schemas of a document, gathered as they are referred to.
struct Schemas {
    asked: SchemaGenerator,
    answered: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings =
            || SchemaSettings::draft2020_12().with(|settings| settings.definitions_path = "/components/schemas".into());
        Self {
            asked: settings().for_deserialize().into_generator(),
            answered: settings().for_serialize().into_generator(),
        }
    }

    /// A reference to what is asked with.
    fn asked<T: JsonSchema>(&mut self) -> Value {
        self.asked.subschema_for::<T>().to_value()
    }

    /// A reference to what is answered with.
    fn answered<T: JsonSchema>(&mut self) -> Value {
        self.answered.subschema_for::<T>().to_value()
    }

    /// All of them. Where a type is asked and answered with, nothing has to be in
    /// a request that is always in an answer.
    fn all(mut self) -> Map<String, Value> {
        let mut all = self.answered.take_definitions(true);
        all.extend(self.asked.take_definitions(true));
        for (name, example) in examples::answers() {
            all[name]["examples"] = json!([example]);
        }
        all
    }
}

fn document() -> Value {
    let mut schemas = Schemas::new();
    let paths = operations::paths(&mut schemas);
    let signed = json!({
        "type": "apiKey", "in": "header", "name": "Authorization",
        "description": "AWS Signature Version 4, service execute-api",
    });
    let token = json!({
        "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
        "description": "Where the stack names an issuer (OidcIssuer), instead of a signature",
    });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Dropcast", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT,
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "security": [{ "sigv4": [] }, { "oidc": [] }],
        "paths": paths,
        "components": { "schemas": schemas.all(), "securitySchemes": { "sigv4": signed, "oidc": token } },
    })
}

fn methods(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let methods = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().unwrap();
        item.iter().map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation.clone()))
    });
    methods.collect()
}

#[test]
fn the_document_that_is_kept_is_the_one_that_the_types_make() {
    let made = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    std::fs::create_dir_all(format!("{root}/target")).unwrap();
    std::fs::write(format!("{root}/target/openapi.json"), &made).unwrap();
    let kept = std::fs::read_to_string(format!("{root}/functions/api/openapi.json")).unwrap_or_default();
    assert!(made == kept, "{REMEDY}");
}

#[test]
fn every_route_of_the_template_is_in_the_document_and_no_other() {
    let template = include_str!("../../../template.yaml");
    let routes: BTreeSet<_> =
        template.lines().filter_map(|line| line.trim().strip_prefix("RouteKey: ")).map(str::to_owned).collect();
    let described: BTreeSet<_> =
        methods(&document()).into_iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    assert_eq!(described, routes);
}

#[test]
fn every_operation_says_what_it_does_and_how_it_may_be_refused() {
    for (method, path, operation) in methods(&document()) {
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with(['2', '3'])), "{method} {path}");
        let public = operation["security"] == json!([{}]);
        assert!(public || answers.contains_key("403"), "{method} {path} is signed");
        assert!(operation["summary"].is_string() && operation["description"].is_string(), "{method} {path}");
    }
}

#[test]
fn what_is_asked_with_has_an_example_and_a_limit() {
    let document = document();
    let mut seen = 0;
    for (method, path, operation) in methods(&document) {
        // How long TikTok makes what it brings is TikTok's own.
        let is_tiktoks = operation["security"] == json!([{}]);
        for parameter in operation["parameters"].as_array().into_iter().flatten().filter(|_| !is_tiktoks) {
            let schema = &parameter["schema"];
            let is_free = schema["type"] == "string" && schema["format"].is_null() && schema["pattern"].is_null();
            assert!(!is_free || schema["maxLength"].is_u64(), "{method} {path}: {}", parameter["name"]);
        }
        let body = &operation["requestBody"];
        let Some(reference) = body["content"]["application/json"]["schema"]["$ref"].as_str() else { continue };
        let schema = document.pointer(reference.trim_start_matches('#')).unwrap();
        assert!(!schema["examples"][0].is_null(), "{method} {path}");
        assert!(body["description"].as_str().unwrap().contains("65536 bytes"), "{method} {path}");
        seen += 1;
    }
    assert_eq!(seen, 5, "every route that takes a body");
}

#[test]
fn ids_are_strings_and_times_are_in_rfc_3339() {
    let schemas = document()["components"]["schemas"].clone();
    let mut seen = (0, 0);
    for (name, schema) in schemas.as_object().unwrap() {
        for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
            let told = schema.to_string();
            let a_time = (field.ends_with("_at") || field == "since" || field == "not_before") && name != "Options";
            if a_time {
                seen.0 += 1;
                assert!(told.contains("date-time"), "{name}.{field}: {told}");
            }
            if field == "id" || field.ends_with("_id") || field.ends_with("_ids") {
                seen.1 += 1;
                assert!(told.contains("string") && !told.contains("integer"), "{name}.{field}: {told}");
            }
        }
    }
    assert!(seen.0 > 5 && seen.1 > 5, "{seen:?}");
}
