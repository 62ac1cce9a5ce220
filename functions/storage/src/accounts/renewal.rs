//! The index `renewal`: connected accounts, ordered by the time at which their tokens must be renewed although no
//! call needs them.
//!
//! The index is sparse: only connected accounts are in it. The function `status` queries it each minute and reads only
//! the accounts that are due, usually none; a scan would read every account. All entries are in one partition, which
//! accepts 1,000 writes per second. An entry changes when TikTok issues a pair of tokens: with 10,000 accounts, a few
//! times per second at most.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::identity::Alias;
use jiff::Timestamp;

use super::record::{KEY, RENEW_AT, RENEWAL, Renewal};
use crate::attribute::{self, Millis};
use crate::table::{Item, StoreError, Table};

/// The index's name.
const INDEX: &str = "renewal";
/// How many accounts one query returns at most. The next query returns the rest, because a renewed account is no longer
/// due.
const MAX_ACCOUNTS: i32 = 100;

/// Finds the accounts that are due, the longest due first.
pub(super) async fn due(table: &Table, now: Timestamp) -> Result<Vec<Alias>, StoreError> {
    let query = table
        .query(INDEX)
        .limit(MAX_ACCOUNTS)
        .key_condition_expression("#renewal = :due AND #at <= :now")
        .expression_attribute_names("#renewal", RENEWAL)
        .expression_attribute_names("#at", RENEW_AT)
        .expression_attribute_values(":due", AttributeValue::S(Renewal::Due.as_str().to_owned()))
        .expression_attribute_values(":now", Millis::floor(now).value())
        .scan_index_forward(true);
    let page = table.send(INDEX, query).await?;
    Ok(page.items().iter().filter_map(|item| alias_of(table, item)).collect())
}

/// Reads the alias of an entry. An invalid entry is skipped, so that it does not hide other accounts.
fn alias_of(table: &Table, item: &Item) -> Option<Alias> {
    let warn = |error: &_| tracing::warn!(table = table.name(), index = INDEX, error = %error, "invalid entry skipped");
    Alias::new(attribute::text(item, KEY)).inspect_err(warn).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scripted_aws::{Reply, ScriptedAws, ScriptedServer, dynamodb_error, reply};

    fn table(server: &ScriptedServer) -> Table {
        Table::new(server.dynamodb(), "accounts".to_owned(), KEY)
    }

    #[tokio::test]
    async fn due_accounts_are_found_despite_an_invalid_entry() {
        let found =
            json!({ "Items": [{ "alias": { "S": "anna" } }, { "alias": { "S": "/" } }, { "alias": { "S": "ben" } }] });
        let server = ScriptedServer::start([reply(Reply::new(200, found.to_string()))]).await;
        let due = due(&table(&server), Timestamp::from_second(5).unwrap()).await.unwrap();
        assert_eq!(due, [Alias::new("anna").unwrap(), Alias::new("ben").unwrap()]);
        let request = server.requests()[0].json();
        assert_eq!((&request["IndexName"], &request["ScanIndexForward"]), (&json!("renewal"), &json!(true)));
        let values = json!({ ":due": { "S": "due" }, ":now": { "N": "5000" } });
        assert_eq!(request["ExpressionAttributeValues"], values);
    }

    #[tokio::test]
    async fn missing_permission_names_the_index() {
        let server = ScriptedServer::start([reply(dynamodb_error("AccessDeniedException"))]).await;
        let error = due(&table(&server), Timestamp::UNIX_EPOCH).await.unwrap_err();
        assert!(error.to_string().contains("dynamodb:Query on index renewal of the table"), "{error}");
    }
}
