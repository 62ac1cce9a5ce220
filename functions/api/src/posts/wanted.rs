//! Which posts a list is asked for.

use axum::extract::FromRequestParts;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::http::request::Parts;
use domain::identity::Alias;
use domain::post::StateName;
use serde::Deserialize;
use serde_json::Value;
use storage::{Listing, Place};

use crate::problem::Problem;

/// How many posts a page has where nobody says it, and at most.
const USUAL: usize = 20;
pub(crate) const MOST: usize = 100;

/// The query, as text.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Asked {
    account: Option<String>,
    state: Option<String>,
    since: Option<String>,
    before: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

/// A page of a list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) listing: Listing,
    pub(crate) after: Option<Place>,
    pub(crate) most: usize,
}

impl Asked {
    /// Reads the whole, or says of which part why it cannot be read.
    fn read(self) -> Result<Wanted, String> {
        let listing = Listing {
            account: parsed("account", self.account, |text| Alias::new(text).map_err(|why| why.to_string()))?,
            state: parsed("state", self.state, |text| {
                serde_json::from_value::<StateName>(Value::from(text)).map_err(|why| why.to_string())
            })?,
            since: parsed("since", self.since, |text| text.parse().map_err(time))?,
            before: parsed("before", self.before, |text| text.parse().map_err(time))?,
        };
        let most = parsed("limit", self.limit, |text| {
            let number = text.parse().ok().filter(|number| (1..=MOST).contains(number));
            number.ok_or_else(|| format!("it must be a number from 1 to {MOST}"))
        })?;
        let after = parsed("cursor", self.cursor, |text| Place::parse(text).map_err(|why| why.to_string()))?;
        Ok(Wanted { listing, after, most: most.unwrap_or(USUAL) })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed on as it is")]
fn time(error: jiff::Error) -> String {
    format!("it must be a time in RFC 3339, such as 2026-12-24T17:00:00Z ({error})")
}

fn parsed<T>(name: &str, text: Option<String>, parse: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    text.map(|text| parse(&text).map_err(|why| format!("{name}: {why}"))).transpose()
}

fn unclear(why: &str) -> Problem {
    let title = "The query cannot be read";
    Problem::new(StatusCode::BAD_REQUEST, "query_malformed", title, why)
}

impl<S: Send + Sync> FromRequestParts<S> for Wanted {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let asked = Query::<Asked>::from_request_parts(parts, state).await;
        let wanted = asked.map_err(|why| why.body_text()).and_then(|Query(asked)| asked.read());
        wanted.map_err(|why| unclear(&why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Wanted, String> {
        let uri = format!("/posts?{query}").parse().unwrap();
        Query::<Asked>::try_from_uri(&uri).map_err(|why| why.body_text())?.0.read()
    }

    #[test]
    fn what_is_left_open_is_not_asked_about() {
        assert_eq!(read(""), Ok(Wanted { listing: Listing::default(), after: None, most: 20 }));
        let all =
            read("account=Anna&state=failed&since=2026-01-01T00:00:00Z&before=2026-02-01T00:00:00%2B01:00&limit=7");
        let Wanted { listing, most, .. } = all.unwrap();
        assert_eq!((listing.account, listing.state), (Some(Alias::new("anna").unwrap()), Some(StateName::Failed)));
        assert_eq!(listing.before.map(|at| at.to_string()).as_deref(), Some("2026-01-31T23:00:00Z"));
        assert_eq!(most, 7);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (query, named) in [
            ("account=", "account"),
            ("account=a%2Fb", "account"),
            ("state=done", "state"),
            ("since=yesterday", "since"),
            ("before=2026-01-01", "before"),
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=many", "limit"),
            ("cursor=x", "cursor"),
            ("acount=anna", "acount"),
            ("state=held&state=failed", "state"),
        ] {
            let why = read(query).unwrap_err();
            assert!(why.contains(named), "{query}: {why}");
        }
    }
}
