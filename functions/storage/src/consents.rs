//! The requests for consent: asked once, answered once.
//!
//! A request is known by the fingerprint of its state; the state itself is not
//! kept. An answer counts when the request is stored as answered, conditional
//! on nobody having answered it: of any number of answers at once, one counts.
//! DynamoDB removes a request a day after its time; until then it tells a late
//! answer from one that was never asked for.

mod record;

use aws_sdk_dynamodb::Client;
use domain::consent::{ConsentRequest, Fingerprint};

use crate::kept::{Kept, Revision};
use crate::table::{Condition, Item, Put, RecordError, SaveError, StoreError, Table, revision_of};

/// The table of requests for consent.
#[derive(Debug, Clone)]
pub struct Consents {
    table: Table,
}

impl Consents {
    /// Takes the table by its name.
    #[must_use]
    pub fn new(client: Client, table_name: impl Into<String>) -> Self {
        Self { table: Table::new(client, table_name.into(), record::KEY) }
    }

    /// Reads a request as the last write left it.
    pub async fn get(&self, fingerprint: &Fingerprint) -> Result<Option<Kept<ConsentRequest>>, StoreError> {
        let item = self.table.get(fingerprint.as_str()).await?;
        item.map(|item| self.kept(fingerprint, &item)).transpose()
    }

    /// Stores a new request.
    ///
    /// # Errors
    /// [`SaveError::Overtaken`] where its state was used before.
    pub async fn create(&self, request: ConsentRequest) -> Result<Kept<ConsentRequest>, SaveError> {
        self.put(Condition::Absent, request).await
    }

    /// Stores an answered request, unless somebody answered it first.
    ///
    /// # Errors
    /// [`SaveError::Overtaken`] where somebody did.
    pub async fn save(
        &self,
        was: impl Into<Revision>,
        request: ConsentRequest,
    ) -> Result<Kept<ConsentRequest>, SaveError> {
        self.put(Condition::At(was.into()), request).await
    }

    async fn put(&self, condition: Condition, request: ConsentRequest) -> Result<Kept<ConsentRequest>, SaveError> {
        let item = record::item_of(&request).map_err(|error| self.unusable(&request.fingerprint, error))?;
        match self.table.put(item, condition).await? {
            Put::Done(revision) => Ok(Kept::new(request, revision)),
            Put::Refused(_) => Err(SaveError::Overtaken),
        }
    }

    fn kept(&self, fingerprint: &Fingerprint, item: &Item) -> Result<Kept<ConsentRequest>, StoreError> {
        let read = || Ok(Kept::new(record::request_of(item)?, revision_of(item)?));
        read().map_err(|error| self.unusable(fingerprint, error))
    }

    fn unusable(&self, fingerprint: &Fingerprint, error: RecordError) -> StoreError {
        StoreError::record(self.table.name(), fingerprint.as_str(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_server::{Answer, ScriptedServer, say};
    use domain::consent::{ConsentState, Expected};
    use domain::identity::Alias;
    use jiff::Timestamp;
    use serde_json::json;

    #[tokio::test]
    async fn of_two_answers_at_once_one_counts() {
        let refused = json!({ "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
            "Item": { "state_sha256": { "S": "x" }, "revision": { "N": "2" }, "write_token": { "S": "theirs" } } });
        let script = [say(Answer::new(200, "{}")), say(Answer::new(400, refused.to_string()))];
        let server = ScriptedServer::start(script).await;
        let consents = Consents::new(server.dynamodb(), "consents");
        let now = Timestamp::UNIX_EPOCH;
        let state = ConsentState::new([1; 32]);
        let request = ConsentRequest::new(&state, Alias::new("anna").unwrap(), Expected::Anybody, now);
        let kept = consents.create(request.clone()).await.unwrap();
        let late = consents.save(&kept, request.answer(now).unwrap()).await.unwrap_err();
        assert!(matches!(late, SaveError::Overtaken), "{late}");
        let asked = server.requests();
        assert_eq!(asked[1].json()["ConditionExpression"], "#revision = :was");
        assert!(!asked[0].body.contains(state.expose()), "the state itself is not kept");
    }
}
