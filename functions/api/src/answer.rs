//! The choice between an HTML page and JSON, by the request's `Accept` header. Quality values (`q=`) are ignored.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use crate::page;
use crate::problem::Problem;

/// The kind of client, as the `Accept` header states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// A browser: the header contains `text/html`.
    Browser,
    /// A program that asks for `application/json`.
    Program,
    /// A program that accepts any type. `GET /connect` redirects it; other routes send it JSON.
    Any,
}

impl Audience {
    fn of(accept: &str) -> Self {
        let contains = |media_type: &str| accept.split(',').any(|part| part.trim().starts_with(media_type));
        if contains("text/html") {
            Self::Browser
        } else if contains("application/json") {
            Self::Program
        } else {
            Self::Any
        }
    }

    /// A problem as a page for a browser, or as a problem document for a program.
    pub(crate) fn problem(self, problem: &Problem) -> Response {
        match self {
            Self::Browser => (problem.status(), page::problem(problem)).into_response(),
            Self::Program | Self::Any => problem.clone().into_response(),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Audience {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let accept = parts.headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
        Ok(Self::of(accept.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_header_distinguishes_browsers_from_programs() {
        for (accept, audience) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Audience::Browser),
            ("application/json", Audience::Program),
            ("application/json, text/html;q=0.5", Audience::Browser),
            ("*/*", Audience::Any),
            ("", Audience::Any),
        ] {
            assert_eq!(Audience::of(accept), audience, "{accept}");
        }
    }
}
