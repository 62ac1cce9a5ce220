//! Lists of posts: which posts a query asks for, and where a page of them begins.
//!
//! It says what is asked. How it is found, and in which indexes, `storage` knows.

use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use serde_json::Value;

use crate::failure::single_line;
use crate::identity::{Alias, PostId};
use crate::post::StateName;

/// How many posts a page has where nobody says it, and at most.
const USUAL: usize = 20;
const MOST: usize = 100;
/// How much is said of what is wrong, in characters: it may quote what was sent.
const LONGEST_WHY: usize = 300;

/// Which posts are looked for; what is left open is not asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PostFilter {
    /// Of this account.
    pub account: Option<Alias>,
    /// In this state.
    pub state: Option<StateName>,
    /// Submitted at this time or later.
    pub since: Option<Timestamp>,
    /// Submitted before this time.
    pub before: Option<Timestamp>,
}

/// The post after which a page begins: where one ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// When the post was submitted, in whole milliseconds.
    created_at: Timestamp,
    id: PostId,
}

/// A text that names no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is none that a page of this list ended with")]
pub struct InvalidCursor;

impl Cursor {
    /// The place of the post that was submitted in this millisecond since 1970.
    ///
    /// # Errors
    /// There is no such time.
    pub fn new(created_at_ms: i64, id: PostId) -> Result<Self, InvalidCursor> {
        let created_at = Timestamp::from_millisecond(created_at_ms).map_err(|_| InvalidCursor)?;
        Ok(Self { created_at, id })
    }

    /// When the post was submitted, in whole milliseconds.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// Which post it is.
    #[must_use]
    pub fn id(&self) -> &PostId {
        &self.id
    }

    /// The place as text, for whoever asks for the next page.
    #[must_use]
    pub fn to_text(&self) -> String {
        BASE64URL_NOPAD.encode(format!("{}.{}", self.created_at.as_millisecond(), self.id).as_bytes())
    }

    /// Reads a place that was given out. It says where a list goes on and never
    /// whose posts they are, so that one that was made up shows nothing more.
    ///
    /// # Errors
    /// Refuses what none of ours can be.
    pub fn parse(text: &str) -> Result<Self, InvalidCursor> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| InvalidCursor)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| InvalidCursor)?;
        let (created_at, id) = text.split_once('.').ok_or(InvalidCursor)?;
        let id = PostId::new(id).map_err(|_| InvalidCursor)?;
        Self::new(created_at.parse().map_err(|_| InvalidCursor)?, id)
    }
}

/// A page of a list, as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPosts {
    /// Which posts.
    pub listing: PostFilter,
    /// Where it begins; at the newest post, where nobody says it.
    pub after: Option<Cursor>,
    /// How many posts it has at most.
    pub most: usize,
}

/// A query that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct QueryError {
    /// What is wrong, and with which parameter.
    pub why: String,
}

/// The parameters, as text.
#[derive(Debug, Default)]
struct Asked {
    account: Option<String>,
    state: Option<String>,
    since: Option<String>,
    before: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

impl ListPosts {
    /// Reads a query, as it stands behind the `?` of an address.
    ///
    /// # Errors
    /// Says which parameter is unknown, comes twice or cannot be read, and why.
    pub fn read(query: &str) -> Result<Self, QueryError> {
        let read = Asked::of(query).and_then(Asked::read);
        read.map_err(|why| QueryError { why: single_line(&why, LONGEST_WHY) })
    }
}

impl Asked {
    fn of(query: &str) -> Result<Self, String> {
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let parameter = match name.as_ref() {
                "account" => &mut asked.account,
                "state" => &mut asked.state,
                "since" => &mut asked.since,
                "before" => &mut asked.before,
                "limit" => &mut asked.limit,
                "cursor" => &mut asked.cursor,
                _ => {
                    let known = "account, state, since, before, limit and cursor";
                    return Err(format!("{name}: there is no such parameter; there are {known}"));
                }
            };
            if parameter.replace(value.into_owned()).is_some() {
                return Err(format!("{name}: it comes twice"));
            }
        }
        Ok(asked)
    }

    fn read(self) -> Result<ListPosts, String> {
        let listing = PostFilter {
            account: parsed("account", self.account, |text| Alias::new(text).map_err(|why| why.to_string()))?,
            state: parsed("state", self.state, |text| {
                serde_json::from_value::<StateName>(Value::from(text)).map_err(|why| why.to_string())
            })?,
            since: parsed("since", self.since, time)?,
            before: parsed("before", self.before, time)?,
        };
        let most = parsed("limit", self.limit, |text| {
            let number = text.parse().ok().filter(|number| (1..=MOST).contains(number));
            number.ok_or_else(|| format!("it must be a number from 1 to {MOST}"))
        })?;
        let after = parsed("cursor", self.cursor, |text| Cursor::parse(text).map_err(|why| why.to_string()))?;
        Ok(ListPosts { listing, after, most: most.unwrap_or(USUAL) })
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .map_err(|error: jiff::Error| format!("it must be a time in RFC 3339, such as 2026-12-24T17:00:00Z ({error})"))
}

fn parsed<T>(name: &str, text: Option<String>, parse: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    text.map(|text| parse(&text).map_err(|why| format!("{name}: {why}"))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_open_is_not_asked_about() {
        assert_eq!(ListPosts::read(""), Ok(ListPosts { listing: PostFilter::default(), after: None, most: 20 }));
        let all = "account=Anna&state=failed&since=2026-01-01T00:00:00Z&before=2026-02-01T00:00:00%2B01:00&limit=7";
        let ListPosts { listing, most, .. } = ListPosts::read(all).unwrap();
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
            let why = ListPosts::read(query).unwrap_err().why;
            assert!(why.contains(named), "{query}: {why}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_one_short_line_whatever_was_asked() {
        let long = "x".repeat(60_000);
        for query in [format!("{long}=1"), format!("since={long}"), format!("state={long}"), "a%0Ab=1".to_owned()] {
            let why = ListPosts::read(&query).unwrap_err().why;
            assert!(why.chars().count() <= LONGEST_WHY && !why.chars().any(char::is_control), "{why:?}");
        }
    }

    #[test]
    fn a_place_comes_back_from_its_text() {
        let place = Cursor::new(1_764_000_000_123, PostId::new("a".repeat(32)).unwrap()).unwrap();
        assert_eq!(Cursor::parse(&place.to_text()), Ok(place));
    }

    #[test]
    fn a_text_that_was_never_given_out_is_refused() {
        let made = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        let id = "a".repeat(32);
        for text in [
            String::new(),
            "%%%".to_owned(),
            made("1"),
            made(&format!("x.{id}")),
            made(&format!("99999999999999999.{id}")),
            made("5.short"),
            BASE64URL_NOPAD.encode(&[0xff, 0xfe]),
            made(&format!("5.{id}")) + "=",
        ] {
            assert_eq!(Cursor::parse(&text), Err(InvalidCursor), "{text}");
        }
    }
}
