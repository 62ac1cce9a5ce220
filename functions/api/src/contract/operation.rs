//! The documentation of a route: an Operation Object of `OpenAPI`
//! (<https://spec.openapis.org/oas/v3.1.0#operation-object>).

use std::collections::BTreeMap;

use domain::identity::Alias;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::Schemas;
use crate::body::MAX_BODY_BYTES;
use crate::problem::Problem;

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";
const HTML: &str = "text/html";

/// Creates a schema, or a reference to one.
type Schema = fn(&mut Schemas) -> Value;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everyone. The handler verifies what it receives.
    Public,
    /// Callers with an AWS signature, or with a token if the stack has an `OidcIssuer`. API Gateway verifies both, and
    /// responds with 403 to an invalid signature and with 401 to an invalid token.
    Closed,
}

/// An error that API Gateway returns before it invokes the function.
#[derive(Serialize, JsonSchema)]
struct GatewayError {
    message: Option<String>,
}

/// The documentation of a route.
pub(crate) struct Operation {
    pub(crate) access: Access,
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    description: &'static str,
    parameters: Vec<Parameter>,
    body: Option<Schema>,
    responses: BTreeMap<u16, Response>,
}

struct Parameter {
    name: &'static str,
    location: &'static str,
    required: bool,
    description: &'static str,
    schema: Schema,
}

#[derive(Default)]
struct Response {
    description: &'static str,
    /// The schema of each media type.
    content: Vec<(&'static str, Schema)>,
    /// The name and the description of a header.
    header: Option<(&'static str, &'static str)>,
}

/// A closed operation, with the responses that every closed operation has.
pub(crate) fn closed(
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    description: &'static str,
) -> Operation {
    let operation = Operation { access: Access::Closed, ..public(id, tag, summary, description) };
    operation
        .gateway_error(401, "The token is missing or invalid")
        .gateway_error(403, "The signature is missing or invalid, or the caller has no permission")
        .gateway_error(429, "Too many requests")
        .problem(503, "Service unavailable; nothing was changed")
}

/// A public operation.
pub(crate) fn public(
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    description: &'static str,
) -> Operation {
    let (parameters, responses) = (Vec::new(), BTreeMap::new());
    Operation { access: Access::Public, id, tag, summary, description, parameters, body: None, responses }
}

impl Operation {
    /// Adds an optional query parameter.
    pub(crate) fn query(self, name: &'static str, description: &'static str, schema: Schema) -> Self {
        self.parameter(Parameter { name, location: "query", required: false, description, schema })
    }

    /// Adds a required query parameter.
    pub(crate) fn required_query(self, name: &'static str, description: &'static str, schema: Schema) -> Self {
        self.parameter(Parameter { name, location: "query", required: true, description, schema })
    }

    /// Adds the path parameter `{alias}`.
    pub(crate) fn account_path(self) -> Self {
        let description = "The account's alias";
        self.parameter(Parameter { name: "alias", location: "path", required: true, description, schema: alias })
            .problem(400, "The alias or the body is invalid")
            .problem_or_gateway_error(404, "There is no such account")
    }

    /// Adds the path parameter `{id}` of a post.
    pub(crate) fn post_path(self) -> Self {
        let description = "The post's id";
        self.parameter(Parameter { name: "id", location: "path", required: true, description, schema: post_id })
            .problem_or_gateway_error(404, "There is no such post")
    }

    /// Adds the header `Idempotency-Key`.
    pub(crate) fn idempotency_key(self) -> Self {
        let (name, location) = ("Idempotency-Key", "header");
        let description = "Identifies the request: a retry with the same key creates no second post";
        self.parameter(Parameter { name, location, required: false, description, schema: idempotency_key })
    }

    /// Adds the header of TikTok's signature.
    pub(crate) fn signature(self) -> Self {
        let (name, location) = ("TikTok-Signature", "header");
        let description = "`t=<seconds>,s=<hex>`: HMAC-SHA256 of `<t>.<body>` under the app's secret";
        self.parameter(Parameter { name, location, required: false, description, schema: signature })
    }

    /// Adds a JSON body.
    pub(crate) fn body<T: JsonSchema>(mut self) -> Self {
        self.body = Some(Schemas::request::<T>);
        self.problem(400, "The request is invalid").problem(413, "The body is too large")
    }

    /// Adds a response with a JSON body.
    pub(crate) fn response<T: JsonSchema>(self, status: u16, description: &'static str) -> Self {
        self.with_response(status, description, vec![(JSON, Schemas::response::<T>)])
    }

    /// Adds a response without a body.
    pub(crate) fn empty_response(self, status: u16, description: &'static str) -> Self {
        self.with_response(status, description, Vec::new())
    }

    /// Adds an error that the function returns.
    pub(crate) fn problem(self, status: u16, description: &'static str) -> Self {
        self.with_response(status, description, vec![(PROBLEM, Schemas::response::<Problem>)])
    }

    /// Adds an error that API Gateway returns.
    pub(crate) fn gateway_error(self, status: u16, description: &'static str) -> Self {
        self.response::<GatewayError>(status, description)
    }

    /// Adds an error that the function or API Gateway returns.
    pub(crate) fn problem_or_gateway_error(self, status: u16, description: &'static str) -> Self {
        let content: Vec<(_, Schema)> =
            vec![(PROBLEM, Schemas::response::<Problem>), (JSON, Schemas::response::<GatewayError>)];
        self.with_response(status, description, content)
    }

    /// Adds a header to a response.
    pub(crate) fn header(mut self, status: u16, name: &'static str, description: &'static str) -> Self {
        self.responses.entry(status).or_default().header = Some((name, description));
        self
    }

    /// States that a browser gets an HTML page with these statuses.
    pub(crate) fn html(mut self, statuses: &[u16]) -> Self {
        for status in statuses {
            self.responses.entry(*status).or_default().content.push((HTML, text));
        }
        self
    }

    fn parameter(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    fn with_response(mut self, status: u16, description: &'static str, content: Vec<(&'static str, Schema)>) -> Self {
        self.responses.insert(status, Response { description, content, header: None });
        self
    }

    /// The operation as JSON. Its schemas are added to `schemas`.
    pub(super) fn to_json(&self, schemas: &mut Schemas) -> Value {
        let mut operation = json!({
            "operationId": self.id, "tags": [self.tag], "summary": self.summary, "description": self.description,
        });
        if self.access == Access::Public {
            operation["security"] = json!([{}]);
        }
        if !self.parameters.is_empty() {
            operation["parameters"] = self.parameters.iter().map(|parameter| parameter.to_json(schemas)).collect();
        }
        if let Some(schema) = self.body {
            let limit = format!("At most {MAX_BODY_BYTES} bytes.");
            let content = json!({ JSON: { "schema": schema(schemas) } });
            operation["requestBody"] = json!({ "required": true, "description": limit, "content": content });
        }
        for (status, response) in &self.responses {
            operation["responses"][status.to_string()] = response.to_json(schemas);
        }
        operation
    }
}

impl Parameter {
    fn to_json(&self, schemas: &mut Schemas) -> Value {
        let mut schema = (self.schema)(schemas);
        let example = schema.as_object_mut().and_then(|schema| schema.remove("example"));
        let mut parameter = json!({
            "name": self.name, "in": self.location, "required": self.required, "description": self.description,
            "schema": schema,
        });
        if let Some(example) = example {
            parameter["example"] = example;
        }
        parameter
    }
}

impl Response {
    fn to_json(&self, schemas: &mut Schemas) -> Value {
        let mut response = json!({ "description": self.description });
        for (media_type, schema) in &self.content {
            response["content"][media_type] = json!({ "schema": schema(schemas) });
        }
        if let Some((name, description)) = self.header {
            let header = json!({ "description": description, "required": true, "schema": { "type": "string" } });
            response["headers"] = json!({ name: header });
        }
        response
    }
}

// Schemas of parameters. An `example` is moved from the schema to the parameter.

pub(crate) fn text(_: &mut Schemas) -> Value {
    json!({ "type": "string" })
}

pub(crate) fn alias(_: &mut Schemas) -> Value {
    json!({ "type": "string", "pattern": Alias::PATTERN, "example": "anna" })
}

fn post_id(_: &mut Schemas) -> Value {
    json!({ "type": "string", "pattern": "^[a-z2-7]{32}$", "example": "mfzwizltoqwwg33nmuqho2lunbuw45dp" })
}

fn idempotency_key(_: &mut Schemas) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": 257, "example": "\"order-1\"" })
}

fn signature(_: &mut Schemas) -> Value {
    json!({ "type": "string", "example": "t=1633174587,s=00" })
}

pub(crate) fn since(_: &mut Schemas) -> Value {
    json!({ "type": "string", "format": "date-time", "example": "2026-12-01T00:00:00Z" })
}

pub(crate) fn before(_: &mut Schemas) -> Value {
    json!({ "type": "string", "format": "date-time", "example": "2026-12-24T17:00:00Z" })
}

pub(crate) fn limit(_: &mut Schemas) -> Value {
    json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 20 })
}

pub(crate) fn cursor(_: &mut Schemas) -> Value {
    json!({ "type": "string", "maxLength": 128 })
}
