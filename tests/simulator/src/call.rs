//! A call as it was received: endpoint, token, query, body.
//!
//! Judges nothing. Uploads, whose body is never held, come by as well, without
//! one.

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use url::form_urlencoded;

use crate::endpoint::Endpoint;

/// One request to one endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) endpoint: Endpoint,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Pairs,
    pub(crate) content_type: Option<String>,
    authorization: Option<String>,
    pub(crate) body: Bytes,
}

/// Names and values, of a query or a form, in their order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pairs(Vec<(String, String)>);

impl Pairs {
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// The value of a name that occurs once and is not empty.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        let mut values = self.all(name);
        let value = values.next().filter(|value| !value.is_empty())?;
        values.next().is_none().then_some(value)
    }

    /// Every value of a name.
    pub(crate) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(key, _)| key == name);
        named.map(|(_, value)| value.as_str())
    }

    /// Everything, encoded again.
    pub(crate) fn encode(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

impl Call {
    pub(crate) fn new(endpoint: Endpoint, parts: &Parts, body: Bytes) -> Self {
        Self {
            endpoint,
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: Pairs::parse(parts.uri.query().unwrap_or_default().as_bytes()),
            content_type: text(&parts.headers, header::CONTENT_TYPE),
            authorization: text(&parts.headers, header::AUTHORIZATION),
            body,
        }
    }

    /// The access token that the call carries.
    pub(crate) fn bearer(&self) -> Option<&str> {
        self.authorization.as_deref()?.strip_prefix("Bearer ")
    }

    /// The body as a form.
    pub(crate) fn form(&self) -> Pairs {
        Pairs::parse(&self.body)
    }

    /// The publish that a JSON body names, if it does.
    pub(crate) fn named_publish(&self) -> Option<String> {
        let body: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        Some(body.get("publish_id")?.as_str()?.to_owned())
    }

    /// Tells whether the content type is the given one, in UTF-8 or unsaid.
    pub(crate) fn is_of_type(&self, expected: &str) -> bool {
        let Some(value) = &self.content_type else {
            return false;
        };
        let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
        let parameters = parameters.trim();
        essence.trim().eq_ignore_ascii_case(expected)
            && (parameters.is_empty() || parameters.eq_ignore_ascii_case("charset=utf-8"))
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_given_twice_is_no_value() {
        let pairs = Pairs::parse(b"a=1&b=2&b=3&c=");
        assert_eq!(pairs.one("a"), Some("1"));
        assert_eq!(pairs.one("b"), None);
        assert_eq!(pairs.one("c"), None);
        assert_eq!(pairs.all("b").collect::<Vec<_>>(), ["2", "3"]);
    }

    #[test]
    fn pairs_survive_their_encoding() {
        let encoded = Pairs::parse(b"code=a*%21b&state=%C3%A9").encode();
        assert_eq!(Pairs::parse(encoded.as_bytes()).one("code"), Some("a*!b"));
    }
}
