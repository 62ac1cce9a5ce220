//! One API call as it was received: endpoint, access token, query, body.
//!
//! This module checks nothing; [`crate::api`] and the endpoints do. An upload is an [`ApiCall`]
//! with an empty body, because a chunk is never held in memory.

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use url::form_urlencoded;

use crate::endpoint::Endpoint;

/// One request to one endpoint.
#[derive(Debug, Clone)]
pub(crate) struct ApiCall {
    pub(crate) endpoint: Endpoint,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Pairs,
    pub(crate) content_type: Option<String>,
    authorization: Option<String>,
    pub(crate) body: Bytes,
}

/// The decoded name-value pairs of a query string or a form, in their original order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pairs(Vec<(String, String)>);

impl Pairs {
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// Returns the value of a name that occurs exactly once and is not empty.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        let mut values = self.all(name);
        let value = values.next().filter(|value| !value.is_empty())?;
        values.next().is_none().then_some(value)
    }

    /// Returns every value of a name.
    pub(crate) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let matching = self.0.iter().filter(move |(key, _)| key == name);
        matching.map(|(_, value)| value.as_str())
    }

    /// Encodes all pairs as a query string.
    pub(crate) fn encode(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

impl ApiCall {
    pub(crate) fn new(endpoint: Endpoint, parts: &Parts, body: Bytes) -> Self {
        Self {
            endpoint,
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: Pairs::parse(parts.uri.query().unwrap_or_default().as_bytes()),
            content_type: header_text(&parts.headers, header::CONTENT_TYPE),
            authorization: header_text(&parts.headers, header::AUTHORIZATION),
            body,
        }
    }

    /// Returns the access token of the `Authorization` header.
    pub(crate) fn bearer(&self) -> Option<&str> {
        self.authorization.as_deref()?.strip_prefix("Bearer ")
    }

    /// Parses the body as a form.
    pub(crate) fn form(&self) -> Pairs {
        Pairs::parse(&self.body)
    }

    /// Returns the `publish_id` of a JSON body, if it has one.
    pub(crate) fn body_publish_id(&self) -> Option<String> {
        let body: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        Some(body.get("publish_id")?.as_str()?.to_owned())
    }

    /// Returns whether the content type is the expected one. The charset may be absent or UTF-8.
    pub(crate) fn has_content_type(&self, expected: &str) -> bool {
        let Some(value) = &self.content_type else {
            return false;
        };
        let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
        let parameters = parameters.trim();
        essence.trim().eq_ignore_ascii_case(expected)
            && (parameters.is_empty() || parameters.eq_ignore_ascii_case("charset=utf-8"))
    }
}

fn header_text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_rejects_repeated_and_empty_values() {
        let pairs = Pairs::parse(b"a=1&b=2&b=3&c=");
        assert_eq!(pairs.one("a"), Some("1"));
        assert_eq!(pairs.one("b"), None);
        assert_eq!(pairs.one("c"), None);
        assert_eq!(pairs.all("b").collect::<Vec<_>>(), ["2", "3"]);
    }

    #[test]
    fn pairs_round_trip_through_encoding() {
        let encoded = Pairs::parse(b"code=a*%21b&state=%C3%A9").encode();
        assert_eq!(Pairs::parse(encoded.as_bytes()).one("code"), Some("a*!b"));
    }
}
