//! What can be asked, and what is answered: each route with all its statuses.

mod accounts;
mod posts;
mod webhooks;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Schemas;
use crate::body::MOST;
use crate::problem::Problem;

/// What the gateway says where it lets nobody pass.
#[derive(Serialize, JsonSchema)]
struct Gateway {
    message: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Health {
    status: String,
}

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";
const PAGE: &str = "text/html";

/// A route, as far as it has been described.
struct Route<'a> {
    schemas: &'a mut Schemas,
    operation: Map<String, Value>,
    answers: Map<String, Value>,
}

impl<'a> Route<'a> {
    /// Describes a route that is closed: what the gateway says, and what is said
    /// where nothing can be had.
    fn closed(schemas: &'a mut Schemas, id: &str, tag: &str, (summary, description): (&str, &str)) -> Self {
        let route = Self::open(schemas, id, tag, (summary, description));
        let route = route.gateway(401, "No token, or one that the gateway does not take");
        let route = route.gateway(403, "Not signed, or not allowed");
        route.gateway(429, "Too many requests").problem(503, "What is needed cannot be had now; nothing was done")
    }

    fn open(schemas: &'a mut Schemas, id: &str, tag: &str, (summary, description): (&str, &str)) -> Self {
        let said = json!({ "operationId": id, "tags": [tag], "summary": summary, "description": description });
        let operation = said.as_object().cloned().unwrap_or_default();
        Self { schemas, operation, answers: Map::new() }
    }

    fn public(mut self) -> Self {
        self.operation.insert("security".to_owned(), json!([{}]));
        self
    }

    fn with(mut self, name: &str, place: &str, about: &str, schema: &Value) -> Self {
        let mut schema = schema.clone();
        let example = schema.as_object_mut().and_then(|schema| schema.remove("example"));
        let mut parameter =
            json!({ "name": name, "in": place, "required": place == "path", "description": about, "schema": schema });
        if let Some(example) = example {
            parameter["example"] = example;
        }
        let parameters = self.operation.entry("parameters").or_insert_with(|| json!([]));
        if let Value::Array(parameters) = parameters {
            parameters.push(parameter);
        }
        self
    }

    fn required(mut self) -> Self {
        if let Some(parameter) = self.operation.get_mut("parameters").and_then(|all| all.as_array_mut()?.last_mut()) {
            parameter["required"] = json!(true);
        }
        self
    }

    fn of_account(self) -> Self {
        let alias = json!({ "type": "string", "minLength": 1, "maxLength": 128, "example": "anna" });
        let route = self.with("alias", "path", "The account's alias", &alias);
        route.problem(400, "The alias or the body cannot be read").or_gateway(404, "There is no such account")
    }

    fn of_post(self) -> Self {
        let id =
            json!({ "type": "string", "pattern": "^[a-z2-7]{32}$", "example": "mfzwizltoqwwg33nmuqho2lunbuw45dp" });
        self.with("id", "path", "The post's id", &id).or_gateway(404, "There is no such post")
    }

    fn named(self) -> Self {
        let key = json!({ "type": "string", "minLength": 1, "maxLength": 257, "example": "\"order-1\"" });
        self.with("Idempotency-Key", "header", "The request's own name: a retry under it can make no second post", &key)
    }

    fn saying<T: JsonSchema>(mut self) -> Self {
        let schema = self.schemas.asked::<T>();
        let most = format!("At most {MOST} bytes.");
        let body = json!({ "required": true, "description": most, "content": { JSON: { "schema": schema } } });
        self.operation.insert("requestBody".to_owned(), body);
        self.problem(400, "It cannot be read").problem(413, "Its body is too large")
    }

    fn answer<T: JsonSchema>(mut self, status: u16, about: &str) -> Self {
        let schema = self.schemas.answered::<T>();
        let answer = json!({ "description": about, "content": { JSON: { "schema": schema } } });
        self.answers.insert(status.to_string(), answer);
        self
    }

    /// An answer that has no body.
    fn nothing(mut self, status: u16, about: &str) -> Self {
        self.answers.insert(status.to_string(), json!({ "description": about }));
        self
    }

    /// Says that a browser gets a page in place of these.
    fn pages(mut self, statuses: &[u16]) -> Self {
        for status in statuses {
            if let Some(answer) = self.answers.get_mut(&status.to_string()) {
                answer["content"][PAGE] = json!({ "schema": { "type": "string" } });
            }
        }
        self
    }

    /// Says which header an answer has besides.
    fn telling(mut self, status: u16, header: &str, about: &str) -> Self {
        let headers = json!({ header: { "description": about, "required": true, "schema": { "type": "string" } } });
        if let Some(answer) = self.answers.get_mut(&status.to_string()) {
            answer["headers"] = headers;
        }
        self
    }

    fn problem(mut self, status: u16, about: &str) -> Self {
        let schema = self.schemas.answered::<Problem>();
        let answer = json!({ "description": about, "content": { PROBLEM: { "schema": schema } } });
        self.answers.insert(status.to_string(), answer);
        self
    }

    fn gateway(self, status: u16, about: &str) -> Self {
        self.answer::<Gateway>(status, about)
    }

    fn or_gateway(mut self, status: u16, about: &str) -> Self {
        let (problem, gateway) = (self.schemas.answered::<Problem>(), self.schemas.answered::<Gateway>());
        let content = json!({ PROBLEM: { "schema": problem }, JSON: { "schema": gateway } });
        self.answers.insert(status.to_string(), json!({ "description": about, "content": content }));
        self
    }

    fn done(mut self) -> Value {
        self.operation.insert("responses".to_owned(), Value::Object(self.answers));
        Value::Object(self.operation)
    }
}

/// Every route.
pub(super) fn paths(schemas: &mut Schemas) -> Value {
    let mut paths = service(schemas);
    let others = [
        accounts::accounts(schemas),
        posts::posts(schemas),
        posts::wishes(schemas),
        posts::uploads(schemas),
        webhooks::webhooks(schemas),
    ];
    for more in others {
        if let (Value::Object(paths), Value::Object(more)) = (&mut paths, more) {
            paths.extend(more);
        }
    }
    paths
}

fn service(schemas: &mut Schemas) -> Value {
    let health =
        Route::closed(schemas, "health", "service", ("Is anybody there?", "Answers without asking anybody else."));
    let health = health.answer::<Health>(200, "Yes").done();
    let contract = Route::closed(schemas, "contract", "service", ("Read this document", "In OpenAPI 3.1."));
    let contract = contract.answer::<Map<String, Value>>(200, "This document").done();
    json!({ "/health": { "get": health }, "/openapi.json": { "get": contract } })
}
