//! A DynamoDB table whose items are only written conditionally.
//!
//! Every item has a `revision`. Each write increments it, and is conditional on the revision that was read, so
//! that no write replaces a change that its writer has not seen. Every item also has the `write_token` of its
//! last write. If the response to a write is lost, the condition of its retry fails, because the write itself has
//! incremented the revision. The token then shows which write made the item: this one or another one
//! ([`Table::put`]).
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithItems.html#WorkingWithItems.ConditionalUpdate>
//!
//! This module does not know what the items contain: each store implements [`Record`] for its type. `template.yaml`
//! declares the tables, their indexes and which attributes an index contains; names there and here must be equal.

mod error;
mod write_token;

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};

pub use error::{RecordError, SaveError, StoreError};

use crate::attribute;
use crate::aws::{AwsError, Kind};
use crate::versioned::{Revision, Versioned};
use write_token::WriteToken;

/// An item as DynamoDB stores it.
pub(crate) type Item = HashMap<String, AttributeValue>;

const REVISION: &str = "revision";
const WRITE_TOKEN: &str = "write_token";
/// How many times a write is retried if its outcome is unknown, after the SDK's own retries. If a worker cannot store
/// its post, work on the post continues only after the lease has expired, so these retries save time.
const MAX_RETRIES: u32 = 2;
/// The wait before the first retry. It doubles with each retry.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// A value that is stored as one item.
pub(crate) trait Record: Sized {
    /// The value of the table's key.
    fn key(&self) -> &str;
    /// Converts the attributes of an item to the value.
    fn from_item(item: &Item) -> Result<Self, RecordError>;
}

/// The condition of a write.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Condition {
    /// The item does not exist.
    Absent,
    /// The item is at this revision.
    At(Revision),
}

/// The outcome of a write.
#[derive(Debug)]
pub(crate) enum Put {
    /// The item was written and is at this revision.
    Written(Revision),
    /// The condition does not hold. This is the item in the table, if there is one.
    ConditionFailed(Option<Item>),
}

/// Why a single call did not write the item.
enum PutFailure {
    Condition(Option<Item>),
    Aws(AwsError),
}

/// A DynamoDB table whose key is one text attribute. `load` and `store` handle values, `get` and `put` their items.
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

    /// Reads a value with a consistent read.
    pub(crate) async fn load<R: Record>(&self, key: &str) -> Result<Option<Versioned<R>>, StoreError> {
        let item = self.get(key).await?;
        item.map(|item| self.value_of(key, &item)).transpose()
    }

    /// Stores a value if the condition holds. `item` is the value as attributes, or why it cannot be converted.
    pub(crate) async fn store<R: Record>(
        &self,
        condition: Condition,
        value: R,
        item: Result<Item, RecordError>,
    ) -> Result<Versioned<R>, SaveError> {
        let item = item.map_err(|error| self.invalid(value.key(), error))?;
        match self.put(item, condition).await? {
            Put::Written(revision) => Ok(Versioned::new(value, revision)),
            Put::ConditionFailed(_) => Err(SaveError::Conflict),
        }
    }

    /// Converts an item with this key to its value and revision.
    pub(crate) fn value_of<R: Record>(&self, key: &str, item: &Item) -> Result<Versioned<R>, StoreError> {
        versioned(item).map_err(|error| self.invalid(key, error))
    }

    /// Makes the error for an item that cannot be written or read.
    pub(crate) fn invalid(&self, key: &str, source: RecordError) -> StoreError {
        StoreError::Record { table: self.name.clone(), key: key.to_owned(), source }
    }

    /// Makes the error for an item that was deleted between a failed condition and a read.
    pub(crate) fn deleted(&self, key: &str) -> StoreError {
        StoreError::Deleted { table: self.name.clone(), key: key.to_owned() }
    }

    /// Makes the error for a failed call. `permission` is as in [`AwsError::of`].
    pub(crate) fn error<E>(
        &self,
        operation: &'static str,
        permission: &str,
        error: &aws_sdk_dynamodb::error::SdkError<E>,
    ) -> AwsError
    where
        E: aws_sdk_dynamodb::error::ProvideErrorMetadata + std::error::Error + 'static,
    {
        AwsError::of(operation, &format!("table {}", self.name), permission, error)
    }

    /// Builds a query of an index.
    pub(crate) fn query(&self, index: &str) -> QueryFluentBuilder {
        self.client.query().table_name(&self.name).index_name(index)
    }

    /// Sends a query of an index.
    pub(crate) async fn send(&self, index: &str, query: QueryFluentBuilder) -> Result<QueryOutput, StoreError> {
        let sent = query.send().await;
        sent.map_err(|error| {
            let permission = format!("dynamodb:Query on index {index} of the table");
            self.error("DynamoDB Query", &permission, &error).into()
        })
    }

    /// Reads an item by its key, with a consistent read.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(&self.name).consistent_read(true);
        let response = get.key(self.key, AttributeValue::S(key.to_owned())).send().await;
        let response =
            response.map_err(|error| self.error("DynamoDB GetItem", "dynamodb:GetItem on the table", &error))?;
        Ok(response.item)
    }

    /// Writes a whole item if the condition holds.
    ///
    /// If the outcome of a call is unknown, the same item is written again with the same token. If the condition
    /// then fails and the item in the table has this token, the earlier call has written it. With a new token for each
    /// retry, a worker would take its own write for another worker's and stop.
    ///
    /// One case is not recognized: the write took effect, its response was lost, and another writer has replaced the
    /// item before the retry. The result is then [`Put::ConditionFailed`], although that writer read this write.
    pub(crate) async fn put(&self, mut item: Item, condition: Condition) -> Result<Put, StoreError> {
        let revision = match condition {
            Condition::Absent => Revision::FIRST,
            Condition::At(read) => read.next(),
        };
        let token = WriteToken::unique();
        item.insert(REVISION.to_owned(), AttributeValue::N(revision.number().to_string()));
        item.insert(WRITE_TOKEN.to_owned(), AttributeValue::S(token.as_str().to_owned()));

        let mut retries = 0;
        loop {
            match self.put_once(&item, condition).await {
                Ok(()) => return Ok(Put::Written(revision)),
                Err(PutFailure::Condition(existing)) => {
                    let existing = match existing {
                        Some(existing) => Some(existing),
                        None => self.get(attribute::text(&item, self.key)).await?,
                    };
                    let is_own = existing.as_ref().is_some_and(|existing| token.matches(existing.get(WRITE_TOKEN)));
                    return Ok(if is_own { Put::Written(revision) } else { Put::ConditionFailed(existing) });
                }
                Err(PutFailure::Aws(error)) if error.kind() == Kind::Unavailable && retries < MAX_RETRIES => {
                    tracing::debug!(table = %self.name, error = %error, "write retried");
                    tokio::time::sleep(FIRST_BACKOFF * 2u32.pow(retries)).await;
                    retries += 1;
                }
                Err(PutFailure::Aws(error)) => return Err(error.into()),
            }
        }
    }

    async fn put_once(&self, item: &Item, condition: Condition) -> Result<(), PutFailure> {
        let put = self.client.put_item().table_name(&self.name).set_item(Some(item.clone()));
        let put = put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match condition {
            Condition::Absent => {
                put.condition_expression("attribute_not_exists(#key)").expression_attribute_names("#key", self.key)
            }
            Condition::At(read) => put
                .condition_expression("#revision = :read")
                .expression_attribute_names("#revision", REVISION)
                .expression_attribute_values(":read", AttributeValue::N(read.number().to_string())),
        };
        put.send().await.map(|_| ()).map_err(|error| match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                PutFailure::Condition(failed.item().cloned())
            }
            _ => PutFailure::Aws(self.error("DynamoDB PutItem", "dynamodb:PutItem on the table", &error)),
        })
    }
}

/// Converts an item to its value and revision.
pub(crate) fn versioned<R: Record>(item: &Item) -> Result<Versioned<R>, RecordError> {
    Ok(Versioned::new(R::from_item(item)?, revision_of(item)?))
}

/// Reads the revision of an item.
pub(crate) fn revision_of(item: &Item) -> Result<Revision, RecordError> {
    let number = item.get(REVISION).ok_or(RecordError::Missing { name: REVISION })?;
    let number = number.as_n().map_err(|_| RecordError::invalid(REVISION, &"not a number"))?;
    number.parse().map(Revision::stored).map_err(|error| RecordError::invalid(REVISION, &error))
}

#[cfg(test)]
mod tests;
