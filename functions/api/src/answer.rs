//! In which form an answer is given: pages to browsers, JSON to programs.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use crate::page;
use crate::problem::Problem;

/// Who asks, as the `Accept` header tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// A browser: it names HTML.
    Person,
    /// A program that names JSON.
    Program,
    /// A program that takes anything.
    Anybody,
}

impl Audience {
    fn of(accept: &str) -> Self {
        let names = |kind: &str| accept.split(',').any(|part| part.trim().starts_with(kind));
        if names("text/html") {
            Self::Person
        } else if names("application/json") {
            Self::Program
        } else {
            Self::Anybody
        }
    }

    /// Tells of a problem.
    pub(crate) fn tell(self, problem: &Problem) -> Response {
        match self {
            Self::Person => (problem.status(), page::of_problem(problem)).into_response(),
            Self::Program | Self::Anybody => problem.clone().into_response(),
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
    fn a_browser_is_told_from_a_program() {
        for (accept, audience) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Audience::Person),
            ("application/json", Audience::Program),
            ("application/json, text/html;q=0.5", Audience::Person),
            ("*/*", Audience::Anybody),
            ("", Audience::Anybody),
        ] {
            assert_eq!(Audience::of(accept), audience, "{accept}");
        }
    }
}
