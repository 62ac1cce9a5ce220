//! Parameters of `GET /posts`: which posts a page contains, and where the page begins.
//!
//! `storage/src/posts/listing.rs` executes such a query.

use std::collections::BTreeSet;

use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use serde_json::Value;

use crate::failure::single_line;
use crate::identity::{Alias, PostId};
use crate::post::StateName;

/// The number of posts in a page without the parameter `limit`.
const DEFAULT_LIMIT: usize = 20;
/// The maximum of the parameter `limit`.
const MAX_LIMIT: usize = 100;
/// The maximum length of [`QueryError::detail`] in characters. The detail can quote the query.
const MAX_DETAIL_CHARS: usize = 300;

/// Conditions for posts. `None` is no condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PostFilter {
    /// The account of the post.
    pub account: Option<Alias>,
    /// The state of the post.
    pub state: Option<StateName>,
    /// The earliest time of submission.
    pub since: Option<Timestamp>,
    /// The time before which the post was submitted.
    pub before: Option<Timestamp>,
}

/// A position in a list of posts: that of the last post on a page. The next page begins after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    created_at: Timestamp,
    id: PostId,
}

/// A text that is not a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid cursor")]
pub struct InvalidCursor;

impl Cursor {
    /// Creates the position of a post that was submitted at this Unix time in milliseconds.
    ///
    /// # Errors
    /// [`InvalidCursor`] if the time is outside the range of timestamps.
    pub fn new(created_at_ms: i64, id: PostId) -> Result<Self, InvalidCursor> {
        let created_at = Timestamp::from_millisecond(created_at_ms).map_err(|_| InvalidCursor)?;
        Ok(Self { created_at, id })
    }

    /// Returns when the post was submitted, in whole milliseconds.
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// Returns the id of the post.
    pub fn id(&self) -> &PostId {
        &self.id
    }

    /// Returns the cursor as an opaque text for the caller.
    pub fn to_text(&self) -> String {
        BASE64URL_NOPAD.encode(format!("{}.{}", self.created_at.as_millisecond(), self.id).as_bytes())
    }

    /// Parses a cursor's text. It needs no signature: a cursor is only a position, so a forged one shows no posts
    /// that the filter excludes.
    ///
    /// # Errors
    /// [`InvalidCursor`] if the text does not have the form of [`Cursor::to_text`].
    pub fn parse(text: &str) -> Result<Self, InvalidCursor> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| InvalidCursor)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| InvalidCursor)?;
        let (created_at, id) = text.split_once('.').ok_or(InvalidCursor)?;
        let id = PostId::new(id).map_err(|_| InvalidCursor)?;
        Self::new(created_at.parse().map_err(|_| InvalidCursor)?, id)
    }
}

/// A request for a page of posts, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPosts {
    /// Which posts the list contains.
    pub filter: PostFilter,
    /// The position after which the page begins. Without it, the page begins with the newest post.
    pub after: Option<Cursor>,
    /// The maximum number of posts in the page.
    pub limit: usize,
}

/// A query that cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct QueryError {
    /// The parameter and what is wrong with it: one line of at most 300 characters.
    pub detail: String,
}

impl ListPosts {
    /// Parses the query of a URL: the text after `?`.
    ///
    /// # Errors
    /// [`QueryError`] if a parameter is unknown, occurs twice, or has an invalid value.
    pub fn read(query: &str) -> Result<Self, QueryError> {
        let error = |detail: &str| QueryError { detail: single_line(detail, MAX_DETAIL_CHARS) };
        let mut list = Self { filter: PostFilter::default(), after: None, limit: DEFAULT_LIMIT };
        let mut names = BTreeSet::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            list.set(&name, &value).map_err(|detail| error(&format!("{name}: {detail}")))?;
            if !names.insert(name.clone()) {
                return Err(error(&format!("{name}: the parameter occurs twice")));
            }
        }
        Ok(list)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "account" => self.filter.account = Some(Alias::new(value).map_err(|error| error.to_string())?),
            "state" => {
                let state = serde_json::from_value(Value::from(value));
                self.filter.state = Some(state.map_err(|error| error.to_string())?);
            }
            "since" => self.filter.since = Some(parse_time(value)?),
            "before" => self.filter.before = Some(parse_time(value)?),
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                self.limit = limit.ok_or_else(|| format!("must be a number from 1 to {MAX_LIMIT}"))?;
            }
            "cursor" => self.after = Some(Cursor::parse(value).map_err(|error| error.to_string())?),
            _ => {
                let known = "account, state, since, before, limit and cursor";
                return Err(format!("unknown parameter; the parameters are {known}"));
            }
        }
        Ok(())
    }
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .map_err(|error: jiff::Error| format!("must be a time in RFC 3339, such as 2026-12-24T17:00:00Z ({error})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_parameters_are_no_conditions() {
        assert_eq!(ListPosts::read(""), Ok(ListPosts { filter: PostFilter::default(), after: None, limit: 20 }));
        let all = "account=anna&state=failed&since=2026-01-01T00:00:00Z&before=2026-02-01T00:00:00%2B01:00&limit=7";
        let ListPosts { filter, limit, .. } = ListPosts::read(all).unwrap();
        assert_eq!((filter.account, filter.state), (Some(Alias::new("anna").unwrap()), Some(StateName::Failed)));
        assert_eq!(filter.before.map(|at| at.to_string()).as_deref(), Some("2026-01-31T23:00:00Z"));
        assert_eq!(limit, 7);
    }

    #[test]
    fn error_names_invalid_parameter() {
        for (query, expected) in [
            ("account=", "account"),
            ("account=a%2Fb", "account"),
            ("account=Anna", "account"),
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
            let detail = ListPosts::read(query).unwrap_err().detail;
            assert!(detail.contains(expected), "{query}: {detail}");
        }
    }

    #[test]
    fn error_is_one_short_line_for_any_query() {
        let long = "x".repeat(60_000);
        for query in [format!("{long}=1"), format!("since={long}"), format!("state={long}"), "a%0Ab=1".to_owned()] {
            let detail = ListPosts::read(&query).unwrap_err().detail;
            assert!(detail.chars().count() <= MAX_DETAIL_CHARS && !detail.chars().any(char::is_control), "{detail:?}");
        }
    }

    #[test]
    fn cursor_round_trips_as_text() {
        let cursor = Cursor::new(1_764_000_000_123, PostId::new("a".repeat(32)).unwrap()).unwrap();
        assert_eq!(Cursor::parse(&cursor.to_text()), Ok(cursor));
    }

    #[test]
    fn invalid_cursor_is_rejected() {
        let encode = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        let id = "a".repeat(32);
        for text in [
            String::new(),
            "%%%".to_owned(),
            encode("1"),
            encode(&format!("x.{id}")),
            encode(&format!("99999999999999999.{id}")),
            encode("5.short"),
            BASE64URL_NOPAD.encode(&[0xff, 0xfe]),
            encode(&format!("5.{id}")) + "=",
        ] {
            assert_eq!(Cursor::parse(&text), Err(InvalidCursor), "{text}");
        }
    }
}
