//! A table whose items are never written over unseen.
//!
//! Every item has a `revision`, which each write raises by one and is
//! conditional on. It also has the `write_token` of the write that made it, so
//! that a write whose answer was lost, and which the repetition therefore finds
//! already made, is told from somebody else's ([`Table::put`]).
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithItems.html#WorkingWithItems.ConditionalUpdate>
//!
//! It does not know what the items are about.

mod error;
mod write_token;

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};

pub use error::{RecordError, SaveError, StoreError};

use crate::aws::{AwsError, Kind};
use crate::versioned::Revision;
use write_token::WriteToken;

/// An item as DynamoDB has it.
pub(crate) type Item = HashMap<String, AttributeValue>;

const REVISION: &str = "revision";
const WRITE_TOKEN: &str = "write_token";
/// How often a write is repeated that may or may not have been made, on top of
/// the SDK's own retries: a worker that gives up here loses its lease's time.
const REPETITIONS: u32 = 2;
/// The wait before the first repetition; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// What a write is conditional on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Condition {
    /// There is no such item yet.
    Absent,
    /// Nobody has written it since this revision.
    At(Revision),
}

/// What became of a write that DynamoDB decided upon.
#[derive(Debug)]
pub(crate) enum Put {
    /// It was made; this is the revision that it made.
    Done(Revision),
    /// The condition does not hold; this is the item that is there, if any.
    Refused(Option<Item>),
}

/// Why one call did not write.
enum NotPut {
    Condition(Option<Item>),
    Failed(AwsError),
}

/// A DynamoDB table with one text attribute as its key.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    client: Client,
    name: String,
    key: &'static str,
}

impl Table {
    pub(crate) fn new(client: Client, name: String, key: &'static str) -> Self {
        Self { client, name, key }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Reads the item as the last write left it.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<Item>, StoreError> {
        let read = self.client.get_item().table_name(&self.name).consistent_read(true);
        let read = read.key(self.key, AttributeValue::S(key.to_owned()));
        let answer = read.send().await.map_err(|error| {
            StoreError::of(&self.name, "dynamodb:GetItem", AwsError::of("DynamoDB GetItem", &error))
        })?;
        Ok(answer.item)
    }

    /// Writes a whole item where the condition holds.
    ///
    /// A call that may have taken effect although it failed is repeated with
    /// the same token: where that finds its own token, the write was made.
    pub(crate) async fn put(&self, mut item: Item, condition: Condition) -> Result<Put, StoreError> {
        let revision = match condition {
            Condition::Absent => Revision::FIRST,
            Condition::At(was) => was.next(),
        };
        let token = WriteToken::unique();
        item.insert(REVISION.to_owned(), AttributeValue::N(revision.number().to_string()));
        item.insert(WRITE_TOKEN.to_owned(), AttributeValue::S(token.as_str().to_owned()));

        let mut repetitions = 0;
        loop {
            match self.put_once(&item, condition).await {
                Ok(()) => return Ok(Put::Done(revision)),
                Err(NotPut::Condition(there)) => {
                    let there = match there {
                        Some(there) => Some(there),
                        None => self.get(self.key_of(&item)).await?,
                    };
                    let own = there.as_ref().is_some_and(|there| token.made(there.get(WRITE_TOKEN)));
                    return Ok(if own { Put::Done(revision) } else { Put::Refused(there) });
                }
                Err(NotPut::Failed(error)) if error.kind() == Kind::Unavailable && repetitions < REPETITIONS => {
                    tracing::debug!(table = %self.name, error = %error, "a write is repeated");
                    tokio::time::sleep(FIRST_WAIT * 2u32.pow(repetitions)).await;
                    repetitions += 1;
                }
                Err(NotPut::Failed(error)) => return Err(StoreError::of(&self.name, "dynamodb:PutItem", error)),
            }
        }
    }

    async fn put_once(&self, item: &Item, condition: Condition) -> Result<(), NotPut> {
        let put = self.client.put_item().table_name(&self.name).set_item(Some(item.clone()));
        let put = put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match condition {
            Condition::Absent => {
                put.condition_expression("attribute_not_exists(#key)").expression_attribute_names("#key", self.key)
            }
            Condition::At(was) => put
                .condition_expression("#revision = :was")
                .expression_attribute_names("#revision", REVISION)
                .expression_attribute_values(":was", AttributeValue::N(was.number().to_string())),
        };
        put.send().await.map(|_| ()).map_err(|error| match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(refusal)) => NotPut::Condition(refusal.item().cloned()),
            _ => NotPut::Failed(AwsError::of("DynamoDB PutItem", &error)),
        })
    }

    fn key_of<'a>(&self, item: &'a Item) -> &'a str {
        item.get(self.key).and_then(|key| key.as_s().ok()).map_or("", String::as_str)
    }
}

/// The revision that an item is at.
pub(crate) fn revision_of(item: &Item) -> Result<Revision, RecordError> {
    let number = item.get(REVISION).ok_or(RecordError::Missing { name: REVISION })?;
    let number = number.as_n().map_err(|_| RecordError::invalid(REVISION, &"it is not a number"))?;
    number.parse().map(Revision::stored).map_err(|error| RecordError::invalid(REVISION, &error))
}

#[cfg(test)]
mod tests;
