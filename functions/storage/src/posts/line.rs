//! The line index: an account's posts that could be begun, the first dropped
//! first, under the account's own key, so that accounts never share a partition.
//!
//! Like `due` it may lag behind, and names posts that have just gone.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::identity::{Alias, PostId};
use domain::options::Mode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::record::{DROPPED_AT, LINE};
use crate::attribute::{self, Millis};
use crate::aws::AwsError;
use crate::table::{Item, RecordError, StoreError, Table};

/// The index's name.
const INDEX: &str = "line";
/// How many posts of a line are read at most. Who stands further behind is told
/// to come when these have gone, and sees further then.
const MOST: usize = 2000;
/// How many are read where only who goes next is looked for: more than can have
/// taken their turns and not left the line yet.
const FRONT: i32 = 100;

/// A post that stands in its account's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InLine {
    /// The post.
    pub id: PostId,
    /// When its video was dropped.
    pub dropped_at: Timestamp,
    /// Its mode; unknown until its options have been read.
    pub mode: Option<Mode>,
    /// When it tries next, where it sleeps until then.
    pub sleeps_until: Option<Timestamp>,
}

/// What the index has of a post beside its keys.
#[derive(Debug, Serialize, Deserialize)]
struct InLineRecord {
    id: PostId,
    dropped_at: Millis,
    line_mode: Option<Mode>,
    line_sleeps_until: Option<Millis>,
}

/// Reads the line from its head up to those who were dropped at `until`.
pub(super) async fn read(table: &Table, account: &Alias, until: Timestamp) -> Result<Vec<InLine>, StoreError> {
    pages(table, account, until, None).await
}

/// Reads the front of the line.
pub(super) async fn front(table: &Table, account: &Alias) -> Result<Vec<InLine>, StoreError> {
    pages(table, account, Timestamp::MAX, Some(FRONT)).await
}

async fn pages(
    table: &Table,
    account: &Alias,
    until: Timestamp,
    limit: Option<i32>,
) -> Result<Vec<InLine>, StoreError> {
    let mut line = Vec::new();
    let mut after = None;
    loop {
        let query = table.client().query().table_name(table.name()).index_name(INDEX);
        let query = query
            .key_condition_expression("#line = :account AND #dropped <= :until")
            .expression_attribute_names("#line", LINE)
            .expression_attribute_names("#dropped", DROPPED_AT)
            .expression_attribute_values(":account", AttributeValue::S(account.as_str().to_owned()))
            .expression_attribute_values(":until", Millis::floor(until).value())
            .scan_index_forward(true)
            .set_limit(limit)
            .set_exclusive_start_key(after.take());
        let answer = query.send().await.map_err(|error| {
            let permission = "dynamodb:Query (on index line)";
            StoreError::of(table.name(), permission, AwsError::of("DynamoDB Query", &error))
        })?;
        for item in answer.items() {
            line.push(in_line(item).map_err(|error| StoreError::record(table.name(), account.as_str(), error))?);
        }
        after = answer.last_evaluated_key;
        if after.is_none() || limit.is_some() || line.len() >= MOST {
            break;
        }
    }
    line.sort_by(|a: &InLine, b| (a.dropped_at, &a.id).cmp(&(b.dropped_at, &b.id)));
    Ok(line)
}

fn in_line(item: &Item) -> Result<InLine, RecordError> {
    let record: InLineRecord = attribute::record_of(item)?;
    Ok(InLine {
        id: record.id,
        dropped_at: record.dropped_at.instant(DROPPED_AT)?,
        mode: record.line_mode,
        sleeps_until: record.line_sleeps_until.map(|at| at.instant("line_sleeps_until")).transpose()?,
    })
}
