//! DynamoDB: the stack's tables with their indexes.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB.html>
//!
//! Indexes are up to date at once, which a deployed one may not be: `posting`
//! reads each post that an index names, and the scenarios run against one that
//! MiniStack keeps.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::expression::{Expression, compare};
use crate::{ACCOUNTS, BUDGETS, CONSENTS, INBOX, POSTS, Refusal, unknown};

/// An item as DynamoDB writes it.
pub type Item = Map<String, Value>;

/// An index: its name, partition, order, and what it has beside the keys.
#[derive(Debug, Clone, Copy)]
struct Index {
    name: &'static str,
    partition: &'static str,
    order: Option<&'static str>,
    has: Has,
}

/// What an index has of an item.
#[derive(Debug, Clone, Copy)]
enum Has {
    Keys,
    These(&'static [&'static str]),
    All,
}

/// The stack's tables, as template.yaml has them: name, key and indexes.
const FORMS: [(&str, &str, &[Index]); 5] = [
    (
        POSTS,
        "id",
        &[
            Index { name: "due", partition: "due_shard", order: Some("due_at"), has: Has::Keys },
            Index { name: "publish", partition: "publish_id", order: None, has: Has::Keys },
            Index { name: "account", partition: "account", order: Some("created_at"), has: Has::All },
            Index {
                name: "time",
                partition: "kind",
                order: Some("created_at"),
                has: Has::These(&["account", "state"]),
            },
            Index {
                name: "account_queue",
                partition: "account_queue",
                order: Some("dropped_at"),
                has: Has::These(&["queue_mode", "queue_not_before"]),
            },
        ],
    ),
    (
        ACCOUNTS,
        "alias",
        &[
            Index { name: "open_id", partition: "open_id", order: None, has: Has::Keys },
            Index { name: "renewal", partition: "renewal", order: Some("renew_at"), has: Has::Keys },
        ],
    ),
    (BUDGETS, "limit_key", &[]),
    (CONSENTS, "state_sha256", &[]),
    (INBOX, "body_sha256", &[]),
];

/// The form of a table, as it can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Its name.
    pub table: String,
    /// The attributes of its key.
    pub keys: Vec<String>,
    /// Each index by its name: its keys, and what it has beside them.
    pub indexes: BTreeMap<String, String>,
}

/// The forms of the tables that are played.
#[must_use]
pub fn forms() -> Vec<Form> {
    let index = |index: &Index| {
        let keys: Vec<_> = std::iter::once(index.partition).chain(index.order).collect();
        let (kind, has): (_, &[&str]) = match index.has {
            Has::Keys => ("KEYS_ONLY", &[]),
            Has::These(names) => ("INCLUDE", names),
            Has::All => ("ALL", &[]),
        };
        (index.name.to_owned(), format!("{keys:?} {kind} {has:?}"))
    };
    let form = |(table, key, indexes): (&str, &str, &[Index])| Form {
        table: table.to_owned(),
        keys: vec![key.to_owned()],
        indexes: indexes.iter().map(index).collect(),
    };
    FORMS.into_iter().map(form).collect()
}

/// All tables.
pub struct Tables(BTreeMap<&'static str, Table>);

struct Table {
    key: &'static str,
    indexes: &'static [Index],
    items: BTreeMap<String, Item>,
}

impl Default for Tables {
    fn default() -> Self {
        Self(FORMS.map(|(name, key, indexes)| (name, Table { key, indexes, items: BTreeMap::new() })).into())
    }
}

impl Tables {
    /// The items of a table, in the order of their keys.
    pub fn items(&self, table: &str) -> impl Iterator<Item = &Item> {
        self.0.get(table).into_iter().flat_map(|table| table.items.values())
    }

    /// Answers a call.
    pub(crate) fn answer(&mut self, operation: &str, asked: &Value) -> Result<Value, Refusal> {
        let name = asked["TableName"].as_str().unwrap_or_default();
        let table = self.0.get_mut(name);
        let table = table.ok_or_else(|| Refusal::new("ResourceNotFoundException", format!("no table {name}")))?;
        match operation {
            "GetItem" => Ok(table.get(asked)),
            "PutItem" => table.put(asked),
            "DeleteItem" => table.delete(asked),
            "Query" => table.query(asked),
            "Scan" => Ok(json!({ "Items": table.items.values().collect::<Vec<_>>() })),
            _ => Err(unknown(format!("DynamoDB {operation}"))),
        }
    }
}

impl Table {
    fn get(&self, asked: &Value) -> Value {
        match self.items.get(&text(&asked["Key"][self.key])) {
            Some(item) => json!({ "Item": item }),
            None => json!({}),
        }
    }

    fn put(&mut self, asked: &Value) -> Result<Value, Refusal> {
        let Some(item) = asked["Item"].as_object() else {
            return Err(Refusal::new("ValidationException", "there is no item"));
        };
        let key = text(&asked["Item"][self.key]);
        self.check(&key, asked)?;
        self.items.insert(key, item.clone());
        Ok(json!({}))
    }

    fn delete(&mut self, asked: &Value) -> Result<Value, Refusal> {
        let key = text(&asked["Key"][self.key]);
        self.check(&key, asked)?;
        self.items.remove(&key);
        Ok(json!({}))
    }

    fn check(&self, key: &str, asked: &Value) -> Result<(), Refusal> {
        let there = self.items.get(key);
        let Some(condition) = expression(asked, "ConditionExpression") else {
            return Ok(());
        };
        if condition.holds(there)? {
            return Ok(());
        }
        let mut refusal = Refusal::new("ConditionalCheckFailedException", "The conditional request failed");
        if asked["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD" {
            refusal.item = there.map(|item| json!(item));
        }
        Err(refusal)
    }

    fn query(&self, asked: &Value) -> Result<Value, Refusal> {
        let named = asked["IndexName"].as_str().unwrap_or_default();
        let index = self.indexes.iter().find(|index| index.name == named);
        let index = *index.ok_or_else(|| unknown(format!("the index {named}")))?;
        let wanted = expression(asked, "KeyConditionExpression").ok_or_else(|| unknown("a query without condition"))?;
        let mut found = Vec::new();
        for item in self.items.values().filter(|item| index.has_item(item)) {
            if wanted.holds(Some(item))? {
                found.push(item);
            }
        }
        found.sort_by(|a, b| index.position(a, self.key).cmp(&index.position(b, self.key)));
        if asked["ScanIndexForward"] == false {
            found.reverse();
        }
        if let Some(start) = asked["ExclusiveStartKey"].as_object() {
            let start = index.position(start, self.key);
            let back = asked["ScanIndexForward"] == false;
            found.retain(|item| {
                if back { index.position(item, self.key) < start } else { index.position(item, self.key) > start }
            });
        }
        let limit = asked["Limit"].as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        found.truncate(limit);
        let mut answer = json!({});
        if let Some(last) = found.last().filter(|_| found.len() == limit) {
            answer["LastEvaluatedKey"] = json!(index.shown(last, self.key, Has::Keys));
        }
        let mut items = Vec::new();
        for item in found {
            let keep = expression(asked, "FilterExpression").map_or(Ok(true), |filter| filter.holds(Some(item)))?;
            if keep {
                items.push(json!(index.shown(item, self.key, index.has)));
            }
        }
        answer["Items"] = json!(items);
        Ok(answer)
    }
}

impl Index {
    /// An index has the items that have its keys.
    fn has_item(&self, item: &Item) -> bool {
        item.contains_key(self.partition) && self.order.is_none_or(|order| item.contains_key(order))
    }

    fn position(&self, item: &Item, key: &str) -> Position {
        Position(self.order.and_then(|order| item.get(order)).cloned(), item.get(key).map(text).unwrap_or_default())
    }

    fn shown(&self, item: &Item, key: &str, has: Has) -> Item {
        let is_key = |name: &str| name == key || name == self.partition || Some(name) == self.order;
        let shows = |name: &str| match has {
            Has::All => true,
            Has::Keys => is_key(name),
            Has::These(names) => is_key(name) || names.contains(&name),
        };
        item.iter().filter(|(name, _)| shows(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

/// Where an item stands in an index.
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

fn expression<'a>(asked: &'a Value, kind: &str) -> Option<Expression<'a>> {
    let text = asked[kind].as_str()?;
    Some(Expression { text, names: &asked["ExpressionAttributeNames"], values: &asked["ExpressionAttributeValues"] })
}

/// The text of a key.
fn text(key: &Value) -> String {
    key["S"].as_str().unwrap_or_default().to_owned()
}
