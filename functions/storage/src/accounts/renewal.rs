//! The renewal index: connected accounts in the order in which their tokens are
//! to be exchanged although nobody needs them.
//!
//! A sparse index rather than a scan of the table: looking every minute then
//! costs as much as what is due, which is nearly always nothing, and no memory of
//! when the last look was. One partition is enough for it: an entry changes when
//! TikTok grants a pair, which for ten thousand accounts is a few times a second
//! at most, and a partition takes a thousand writes.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::identity::Alias;
use jiff::Timestamp;

use super::record::{KEY, RENEW_AT, RENEWAL, Renewal};
use crate::attribute::Millis;
use crate::aws::AwsError;
use crate::table::{Item, StoreError, Table};

/// The index's name.
const INDEX: &str = "renewal";
/// How many accounts a look finds at most; the next one finds the others.
const MOST: i32 = 100;

/// Finds the accounts whose time has come, the longest due first.
pub(super) async fn due(table: &Table, now: Timestamp) -> Result<Vec<Alias>, StoreError> {
    let query = table.client().query().table_name(table.name()).index_name(INDEX).limit(MOST);
    let query = query
        .key_condition_expression("#renewal = :due AND #at <= :now")
        .expression_attribute_names("#renewal", RENEWAL)
        .expression_attribute_names("#at", RENEW_AT)
        .expression_attribute_values(":due", AttributeValue::S(Renewal::Due.as_str().to_owned()))
        .expression_attribute_values(":now", Millis::floor(now).value())
        .scan_index_forward(true);
    let answer = query.send().await.map_err(|error| {
        let permission = "dynamodb:Query (on index renewal)";
        StoreError::of(table.name(), permission, AwsError::of("DynamoDB Query", &error))
    })?;
    Ok(answer.items().iter().filter_map(|item| alias_of(table, item)).collect())
}

/// Reads an entry's alias. One that is none is passed over, so that it keeps no
/// other account from being found.
fn alias_of(table: &Table, item: &Item) -> Option<Alias> {
    let text = item.get(KEY).and_then(|key| key.as_s().ok()).map_or("", String::as_str);
    let warn = |error: &_| tracing::warn!(table = table.name(), error = %error, "an entry of the index is no account");
    Alias::new(text).inspect_err(warn).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scripted_server::{Answer, ScriptedServer, say};

    fn table(server: &ScriptedServer) -> Table {
        Table::new(server.dynamodb(), "accounts".to_owned(), KEY)
    }

    #[tokio::test]
    async fn those_whose_time_has_come_are_found_and_a_foreign_entry_hides_none() {
        let found =
            json!({ "Items": [{ "alias": { "S": "anna" } }, { "alias": { "S": "/" } }, { "alias": { "S": "ben" } }] });
        let server = ScriptedServer::start([say(Answer::new(200, found.to_string()))]).await;
        let due = due(&table(&server), Timestamp::from_second(5).unwrap()).await.unwrap();
        assert_eq!(due, [Alias::new("anna").unwrap(), Alias::new("ben").unwrap()]);
        let asked = server.requests()[0].json();
        assert_eq!((&asked["IndexName"], &asked["ScanIndexForward"]), (&json!("renewal"), &json!(true)));
        let values = json!({ ":due": { "S": "due" }, ":now": { "N": "5000" } });
        assert_eq!(asked["ExpressionAttributeValues"], values);
    }

    #[tokio::test]
    async fn a_missing_permission_names_the_index() {
        let refusal = json!({ "__type": "com.amazonaws.dynamodb.v20120810#AccessDeniedException" });
        let server = ScriptedServer::start([say(Answer::new(400, refusal.to_string()))]).await;
        let error = due(&table(&server), Timestamp::UNIX_EPOCH).await.unwrap_err();
        assert!(error.to_string().contains("dynamodb:Query (on index renewal)"), "{error}");
    }
}
