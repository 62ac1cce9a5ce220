//! A fake of DynamoDB in memory: the stack's tables with their indexes.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB.html>
//!
//! This fake updates an index at once; on AWS an index may lag behind its table. `posting` therefore reads each post
//! that an index returns. The scenarios test this with MiniStack's indexes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::expression::{Expression, compare};
use super::{ACCOUNTS, AUTHORIZATION_REQUESTS, AwsError, LIMITS, POSTS, REPOST_GUARD, WEBHOOKS, unsupported};

/// An item in DynamoDB's JSON format.
pub type Item = Map<String, Value>;

/// A global secondary index.
#[derive(Debug, Clone, Copy)]
struct Index {
    name: &'static str,
    partition_key: &'static str,
    sort_key: Option<&'static str>,
    projection: Projection,
}

/// The attributes that an index contains.
#[derive(Debug, Clone, Copy)]
enum Projection {
    KeysOnly,
    /// The keys and these attributes.
    Include(&'static [&'static str]),
    All,
}

/// The stack's tables: name, key attribute and indexes. They must stay those of `template.yaml`;
/// `tests/chaos/conformance` compares them with the deployed tables.
const TABLES: [(&str, &str, &[Index]); 6] = [
    (
        POSTS,
        "id",
        &[
            Index {
                name: "due",
                partition_key: "due_shard",
                sort_key: Some("due_at"),
                projection: Projection::KeysOnly,
            },
            Index { name: "publish", partition_key: "publish_id", sort_key: None, projection: Projection::KeysOnly },
            Index {
                name: "account",
                partition_key: "account",
                sort_key: Some("created_at"),
                projection: Projection::All,
            },
            Index {
                name: "time",
                partition_key: "kind",
                sort_key: Some("created_at"),
                projection: Projection::Include(&["account", "state"]),
            },
            Index {
                name: "account_queue",
                partition_key: "account_queue",
                sort_key: Some("dropped_at"),
                projection: Projection::Include(&["queue_mode", "queue_not_before"]),
            },
        ],
    ),
    (
        ACCOUNTS,
        "alias",
        &[
            Index { name: "open_id", partition_key: "open_id", sort_key: None, projection: Projection::KeysOnly },
            Index {
                name: "renewal",
                partition_key: "renewal",
                sort_key: Some("renew_at"),
                projection: Projection::KeysOnly,
            },
        ],
    ),
    (LIMITS, "limit_key", &[]),
    (REPOST_GUARD, "guard_key", &[]),
    (AUTHORIZATION_REQUESTS, "state_sha256", &[]),
    (WEBHOOKS, "body_sha256", &[]),
];

/// The schema of a table, in a form that a test can compare with a deployed table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSchema {
    /// The name of the table.
    pub table: String,
    /// The attributes of the key.
    pub keys: Vec<String>,
    /// Each index's keys and projection, by the name of the index.
    pub indexes: BTreeMap<String, String>,
}

/// The schemas of the tables in this fake.
#[must_use]
pub fn table_schemas() -> Vec<TableSchema> {
    let index = |index: &Index| {
        let keys: Vec<_> = std::iter::once(index.partition_key).chain(index.sort_key).collect();
        let (projection, attributes): (_, &[&str]) = match index.projection {
            Projection::KeysOnly => ("KEYS_ONLY", &[]),
            Projection::Include(names) => ("INCLUDE", names),
            Projection::All => ("ALL", &[]),
        };
        (index.name.to_owned(), format!("{keys:?} {projection} {attributes:?}"))
    };
    let schema = |(table, key, indexes): (&str, &str, &[Index])| TableSchema {
        table: table.to_owned(),
        keys: vec![key.to_owned()],
        indexes: indexes.iter().map(index).collect(),
    };
    TABLES.into_iter().map(schema).collect()
}

/// All tables with their items.
pub struct Tables(BTreeMap<&'static str, Table>);

struct Table {
    key: &'static str,
    indexes: &'static [Index],
    items: BTreeMap<String, Item>,
}

impl Default for Tables {
    fn default() -> Self {
        Self(TABLES.map(|(name, key, indexes)| (name, Table { key, indexes, items: BTreeMap::new() })).into())
    }
}

impl Tables {
    /// The items of a table, ordered by key.
    pub fn items(&self, table: &str) -> impl Iterator<Item = &Item> {
        self.0.get(table).into_iter().flat_map(|table| table.items.values())
    }

    /// Answers a call to DynamoDB.
    pub(crate) fn answer(&mut self, operation: &str, request: &Value) -> Result<Value, AwsError> {
        let name = request["TableName"].as_str().unwrap_or_default();
        let table = self.0.get_mut(name);
        let table = table.ok_or_else(|| AwsError::new("ResourceNotFoundException", format!("no table {name}")))?;
        match operation {
            "GetItem" => Ok(table.get(request)),
            "PutItem" => table.put(request),
            "DeleteItem" => table.delete(request),
            "Query" => table.query(request),
            "Scan" => Ok(json!({ "Items": table.items.values().collect::<Vec<_>>() })),
            _ => Err(unsupported(format!("DynamoDB {operation}"))),
        }
    }
}

impl Table {
    fn get(&self, request: &Value) -> Value {
        match self.items.get(&string(&request["Key"][self.key])) {
            Some(item) => json!({ "Item": item }),
            None => json!({}),
        }
    }

    fn put(&mut self, request: &Value) -> Result<Value, AwsError> {
        let Some(item) = request["Item"].as_object() else {
            return Err(AwsError::new("ValidationException", "there is no item"));
        };
        let key = string(&request["Item"][self.key]);
        self.check_condition(&key, request)?;
        self.items.insert(key, item.clone());
        Ok(json!({}))
    }

    fn delete(&mut self, request: &Value) -> Result<Value, AwsError> {
        let key = string(&request["Key"][self.key]);
        self.check_condition(&key, request)?;
        self.items.remove(&key);
        Ok(json!({}))
    }

    fn check_condition(&self, key: &str, request: &Value) -> Result<(), AwsError> {
        let stored = self.items.get(key);
        let Some(condition) = expression(request, "ConditionExpression") else {
            return Ok(());
        };
        if condition.evaluate(stored)? {
            return Ok(());
        }
        let mut error = AwsError::new("ConditionalCheckFailedException", "The conditional request failed");
        if request["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD" {
            error.item = stored.map(|item| json!(item));
        }
        Err(error)
    }

    fn query(&self, request: &Value) -> Result<Value, AwsError> {
        let name = request["IndexName"].as_str().unwrap_or_default();
        let index = self.indexes.iter().find(|index| index.name == name);
        let index = *index.ok_or_else(|| unsupported(format!("the index {name}")))?;
        let condition = expression(request, "KeyConditionExpression");
        let condition = condition.ok_or_else(|| unsupported("a query without condition"))?;
        let mut found = Vec::new();
        for item in self.items.values().filter(|item| index.contains(item)) {
            if condition.evaluate(Some(item))? {
                found.push(item);
            }
        }
        found.sort_by(|a, b| index.position(a, self.key).cmp(&index.position(b, self.key)));
        let descending = request["ScanIndexForward"] == false;
        if descending {
            found.reverse();
        }
        if let Some(start) = request["ExclusiveStartKey"].as_object() {
            let start = index.position(start, self.key);
            found.retain(|item| {
                let position = index.position(item, self.key);
                if descending { position < start } else { position > start }
            });
        }
        let limit = request["Limit"].as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        found.truncate(limit);
        let mut answer = json!({});
        if let Some(last) = found.last().filter(|_| found.len() == limit) {
            answer["LastEvaluatedKey"] = json!(index.project(last, self.key, Projection::KeysOnly));
        }
        let mut items = Vec::new();
        for item in found {
            // DynamoDB filters after it has applied the limit.
            let keep =
                expression(request, "FilterExpression").map_or(Ok(true), |filter| filter.evaluate(Some(item)))?;
            if keep {
                items.push(json!(index.project(item, self.key, index.projection)));
            }
        }
        answer["Items"] = json!(items);
        Ok(answer)
    }
}

impl Index {
    /// Whether the index contains an item: the item has the index's key attributes.
    fn contains(&self, item: &Item) -> bool {
        item.contains_key(self.partition_key) && self.sort_key.is_none_or(|sort_key| item.contains_key(sort_key))
    }

    /// The item's position in the index. `key` is the table's key attribute.
    fn position(&self, item: &Item, key: &str) -> Position {
        let sort_key = self.sort_key.and_then(|sort_key| item.get(sort_key)).cloned();
        Position(sort_key, item.get(key).map(string).unwrap_or_default())
    }

    /// The attributes of an item that a projection includes.
    fn project(&self, item: &Item, key: &str, projection: Projection) -> Item {
        let is_key = |name: &str| name == key || name == self.partition_key || Some(name) == self.sort_key;
        let includes = |name: &str| match projection {
            Projection::All => true,
            Projection::KeysOnly => is_key(name),
            Projection::Include(names) => is_key(name) || names.contains(&name),
        };
        item.iter().filter(|(name, _)| includes(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

/// The position of an item in an index: its sort key, then its key in the table. DynamoDB leaves the order of items
/// with equal sort keys open.
#[derive(PartialEq)]
struct Position(Option<Value>, String);

impl Position {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let order = match (&self.0, &other.0) {
            (Some(left), Some(right)) => compare(left, right),
            _ => None,
        };
        order.unwrap_or(std::cmp::Ordering::Equal).then_with(|| self.1.cmp(&other.1))
    }
}

impl PartialOrd for Position {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

fn expression<'a>(request: &'a Value, kind: &str) -> Option<Expression<'a>> {
    let text = request[kind].as_str()?;
    Some(Expression {
        text,
        names: &request["ExpressionAttributeNames"],
        values: &request["ExpressionAttributeValues"],
    })
}

/// The text of a string attribute.
fn string(value: &Value) -> String {
    value["S"].as_str().unwrap_or_default().to_owned()
}
