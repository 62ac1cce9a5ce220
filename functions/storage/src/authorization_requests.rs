//! The requests for consent: asked once, answered once.
//!
//! A request is known by the fingerprint of its state; the state itself is not
//! kept. An answer counts when the request is stored as answered, conditional
//! on nobody having answered it: of any number of answers at once, one counts.
//! DynamoDB removes a request a day after its time; until then it tells a late
//! answer from one that was never asked for.

mod record;

use aws_sdk_dynamodb::Client;
use domain::authorization::{AuthorizationRequest, Fingerprint};

use crate::table::{Condition, Item, Put, RecordError, SaveError, StoreError, Table, revision_of};
use crate::versioned::{Revision, Versioned};

/// The table of requests for consent.
#[derive(Debug, Clone)]
pub struct AuthorizationRequests {
    table: Table,
}

impl AuthorizationRequests {
    /// Takes the table by its name.
    #[must_use]
    pub fn new(client: Client, table_name: impl Into<String>) -> Self {
        Self { table: Table::new(client, table_name.into(), record::KEY) }
    }

    /// Reads a request as the last write left it.
    pub async fn get(&self, fingerprint: &Fingerprint) -> Result<Option<Versioned<AuthorizationRequest>>, StoreError> {
        let item = self.table.get(fingerprint.as_str()).await?;
        item.map(|item| self.kept(fingerprint, &item)).transpose()
    }

    /// Stores a new request.
    ///
    /// # Errors
    /// [`SaveError::Conflict`] where its state was used before.
    pub async fn create(&self, request: AuthorizationRequest) -> Result<Versioned<AuthorizationRequest>, SaveError> {
        self.put(Condition::Absent, request).await
    }

    /// Stores an answered request, unless somebody answered it first.
    ///
    /// # Errors
    /// [`SaveError::Conflict`] where somebody did.
    pub async fn save(
        &self,
        was: impl Into<Revision>,
        request: AuthorizationRequest,
    ) -> Result<Versioned<AuthorizationRequest>, SaveError> {
        self.put(Condition::At(was.into()), request).await
    }

    async fn put(
        &self,
        condition: Condition,
        request: AuthorizationRequest,
    ) -> Result<Versioned<AuthorizationRequest>, SaveError> {
        let item = record::item_of(&request).map_err(|error| self.unusable(&request.fingerprint, error))?;
        match self.table.put(item, condition).await? {
            Put::Done(revision) => Ok(Versioned::new(request, revision)),
            Put::Refused(_) => Err(SaveError::Conflict),
        }
    }

    fn kept(&self, fingerprint: &Fingerprint, item: &Item) -> Result<Versioned<AuthorizationRequest>, StoreError> {
        let read = || Ok(Versioned::new(record::request_of(item)?, revision_of(item)?));
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
    use domain::authorization::{AuthorizationState, ExpectedUser};
    use domain::identity::Alias;
    use jiff::Timestamp;
    use serde_json::json;

    #[tokio::test]
    async fn of_two_answers_at_once_one_counts() {
        let refused = json!({ "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
            "Item": { "state_sha256": { "S": "x" }, "revision": { "N": "2" }, "write_token": { "S": "theirs" } } });
        let script = [say(Answer::new(200, "{}")), say(Answer::new(400, refused.to_string()))];
        let server = ScriptedServer::start(script).await;
        let consents = AuthorizationRequests::new(server.dynamodb(), "consents");
        let now = Timestamp::UNIX_EPOCH;
        let state = AuthorizationState::new([1; 32]);
        let request = AuthorizationRequest::new(&state, Alias::new("anna").unwrap(), ExpectedUser::Anybody, now);
        let kept = consents.create(request.clone()).await.unwrap();
        let late = consents.save(&kept, request.answer(now).unwrap()).await.unwrap_err();
        assert!(matches!(late, SaveError::Conflict), "{late}");
        let asked = server.requests();
        assert_eq!(asked[1].json()["ConditionExpression"], "#revision = :was");
        assert!(!asked[0].body.contains(state.expose()), "the state itself is not kept");
    }
}
