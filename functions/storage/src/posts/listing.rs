//! Posts as people look them up: an account's, or everybody's; of one state; of a
//! time; the newest first, a page at a time.
//!
//! An account's come from the index `account`, which has whole posts. Everybody's
//! come from `time`, which has all posts in one partition: it is written when a
//! post's state changes and not for each chunk, which TikTok's limits keep far
//! below what a partition takes. It names posts, and they are read then.

use aws_sdk_dynamodb::types::AttributeValue;
use data_encoding::BASE64URL_NOPAD;
use domain::identity::{Alias, PostId};
use domain::post::StateName;
use jiff::Timestamp;

use super::record::{ACCOUNT, CREATED_AT, KEY, KIND, POST, STATE};
use crate::attribute::Millis;
use crate::aws::AwsError;
use crate::table::{Item, StoreError, Table};

/// How many items are looked at for one page, in so many queries: of a state that
/// is rare, a page may be short of posts and not the last.
const QUERIES: u32 = 10;
const A_QUERY: i32 = 100;

/// Which posts are looked for; what is left open is not asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
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
pub struct Place {
    created_at: Millis,
    id: PostId,
}

/// A text that names no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is none that a page of this list ended with")]
pub struct InvalidPlace;

impl Place {
    /// The place as text, for whoever asks for the next page.
    #[must_use]
    pub fn to_text(&self) -> String {
        let Millis(created_at) = self.created_at;
        BASE64URL_NOPAD.encode(format!("{created_at}.{}", self.id).as_bytes())
    }

    /// Reads a place that was given out. It says where a list goes on and never
    /// whose posts they are, so that one that was made up shows nothing more.
    ///
    /// # Errors
    /// Refuses what none of ours can be.
    pub fn parse(text: &str) -> Result<Self, InvalidPlace> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| InvalidPlace)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| InvalidPlace)?;
        let (created_at, id) = text.split_once('.').ok_or(InvalidPlace)?;
        let created_at = Millis(created_at.parse().map_err(|_| InvalidPlace)?);
        created_at.instant(CREATED_AT).map_err(|_| InvalidPlace)?;
        Ok(Self { created_at, id: PostId::new(id).map_err(|_| InvalidPlace)? })
    }

    fn of(item: &Item) -> Option<Self> {
        let id = PostId::new(item.get(KEY)?.as_s().ok()?).ok()?;
        let created_at = Millis(item.get(CREATED_AT)?.as_n().ok()?.parse().ok()?);
        Some(Self { created_at, id })
    }
}

/// Items of an index, and where the next page begins.
pub(super) type Page = (Vec<Item>, Option<Place>);

/// The first and the last millisecond that a list is about.
fn bounds(wanted: &Listing) -> (Millis, Millis) {
    let since = Millis::ceil(wanted.since.unwrap_or(Timestamp::MIN));
    // Whole milliseconds are kept: what was submitted before this is at most the one before it.
    (since, Millis::ceil(wanted.before.unwrap_or(Timestamp::MAX)).before())
}

/// Reads the page that follows `after`, or the first one.
pub(super) async fn page(
    table: &Table,
    wanted: &Listing,
    after: Option<Place>,
    most: usize,
) -> Result<Page, StoreError> {
    let (since, until) = bounds(wanted);
    // DynamoDB refuses a place that is outside of what is asked for, and a time that ends before it begins.
    if since > until || after.as_ref().is_some_and(|place| place.created_at < since) {
        return Ok((Vec::new(), None));
    }
    let mut after = after.filter(|place| place.created_at <= until);
    let mut found = Vec::new();
    for _ in 0..QUERIES {
        let (items, next) = query(table, wanted, after.as_ref()).await?;
        for item in items {
            after = Place::of(&item);
            found.push(item);
            if found.len() == most {
                return Ok((found, after));
            }
        }
        after = next;
        if after.is_none() {
            break;
        }
    }
    Ok((found, after))
}

async fn query(table: &Table, wanted: &Listing, after: Option<&Place>) -> Result<Page, StoreError> {
    let (index, name, value) = match &wanted.account {
        Some(alias) => (ACCOUNT, ACCOUNT, alias.as_str()),
        None => ("time", KIND, POST),
    };
    let (since, until) = bounds(wanted);
    let start = after.map(|place| {
        Item::from([
            (KEY.to_owned(), AttributeValue::S(place.id.to_string())),
            (name.to_owned(), AttributeValue::S(value.to_owned())),
            (CREATED_AT.to_owned(), place.created_at.value()),
        ])
    });
    let query = table.client().query().table_name(table.name()).index_name(index);
    let mut query = query
        .key_condition_expression("#whose = :whose AND #created BETWEEN :since AND :until")
        .expression_attribute_names("#whose", name)
        .expression_attribute_names("#created", CREATED_AT)
        .expression_attribute_values(":whose", AttributeValue::S(value.to_owned()))
        .expression_attribute_values(":since", since.value())
        .expression_attribute_values(":until", until.value())
        .scan_index_forward(false)
        .limit(A_QUERY)
        .set_exclusive_start_key(start);
    if let Some(state) = wanted.state {
        query = query
            .filter_expression("#state = :state")
            .expression_attribute_names("#state", STATE)
            .expression_attribute_values(":state", AttributeValue::S(state.as_str().to_owned()));
    }
    let answer = query.send().await.map_err(|error| {
        let permission = "dynamodb:Query (on indexes account and time)";
        StoreError::of(table.name(), permission, AwsError::of("DynamoDB Query", &error))
    })?;
    let next = answer.last_evaluated_key.as_ref().and_then(Place::of);
    Ok((answer.items.unwrap_or_default(), next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_server::ScriptedServer;

    #[tokio::test]
    async fn what_can_hold_no_post_is_not_asked_for() {
        let server = ScriptedServer::start([]).await;
        let table = Table::new(server.dynamodb(), "posts".to_owned(), KEY);
        let at = |second| Timestamp::from_second(second).unwrap();
        let listing =
            |since, before| Listing { since: Some(at(since)), before: Some(at(before)), ..Listing::default() };
        let place = Place { created_at: Millis(1_000), id: PostId::new("a".repeat(32)).unwrap() };
        for (wanted, after) in [(listing(9, 5), None), (listing(5, 5), None), (listing(5, 9), Some(place))] {
            assert_eq!(page(&table, &wanted, after, 20).await.unwrap(), (vec![], None), "{wanted:?}");
        }
        assert_eq!(server.requests().len(), 0);
    }

    #[test]
    fn a_place_comes_back_from_its_text() {
        let place = Place { created_at: Millis(1_764_000_000_123), id: PostId::new("a".repeat(32)).unwrap() };
        assert_eq!(Place::parse(&place.to_text()), Ok(place));
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
            assert_eq!(Place::parse(&text), Err(InvalidPlace), "{text}");
        }
    }
}
