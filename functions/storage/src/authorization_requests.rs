//! The authorization requests table: attempts to connect a TikTok account over OAuth, each of which can be answered
//! once.
//!
//! A request exists from the redirect to TikTok until TikTok's redirect back, which is its answer. The table's key is
//! the fingerprint of the OAuth `state`. The `state` itself is not stored. The API marks a request as answered,
//! conditional on the revision that it read. Of several answers at the same time, exactly one is stored, and only that
//! one counts.
//!
//! DynamoDB removes a request one day after it has expired. Until then, the API can distinguish a late answer from an
//! answer to an unknown request.

mod record;

use aws_sdk_dynamodb::Client;
use domain::authorization::{AuthorizationRequest, Fingerprint};

use crate::table::{Condition, SaveError, StoreError, Table};
use crate::versioned::{Revision, Versioned};

/// The authorization requests table.
#[derive(Debug, Clone)]
pub struct AuthorizationRequests {
    table: Table,
}

impl AuthorizationRequests {
    /// Uses the table with this name.
    pub fn new(client: Client, table_name: impl Into<String>) -> Self {
        Self { table: Table::new(client, table_name.into(), record::KEY) }
    }

    /// Reads a request with a consistent read.
    pub async fn get(&self, fingerprint: &Fingerprint) -> Result<Option<Versioned<AuthorizationRequest>>, StoreError> {
        self.table.load(fingerprint.as_str()).await
    }

    /// Stores a new request.
    ///
    /// # Errors
    /// [`SaveError::Conflict`] if a request with the same state exists.
    pub async fn create(&self, request: AuthorizationRequest) -> Result<Versioned<AuthorizationRequest>, SaveError> {
        let item = record::item_of(&request);
        self.table.store(Condition::Absent, request, item).await
    }

    /// Stores an answered request, unless another call answered it after it was read.
    ///
    /// # Errors
    /// [`SaveError::Conflict`] if another call did: the caller must not use the authorization code of its answer.
    pub async fn save(
        &self,
        read_revision: impl Into<Revision>,
        request: AuthorizationRequest,
    ) -> Result<Versioned<AuthorizationRequest>, SaveError> {
        let item = record::item_of(&request);
        self.table.store(Condition::At(read_revision.into()), request, item).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_aws::{Reply, ScriptedAws, ScriptedServer, condition_failed, reply};
    use domain::authorization::{AuthorizationState, ExpectedUser};
    use domain::identity::Alias;
    use jiff::Timestamp;
    use serde_json::json;

    #[tokio::test]
    async fn second_answer_at_the_same_time_conflicts() {
        let answered =
            json!({ "state_sha256": { "S": "x" }, "revision": { "N": "2" }, "write_token": { "S": "other" } });
        let script = [reply(Reply::new(200, "{}")), reply(condition_failed(&answered))];
        let server = ScriptedServer::start(script).await;
        let requests = AuthorizationRequests::new(server.dynamodb(), "authorization-requests");
        let now = Timestamp::UNIX_EPOCH;
        let state = AuthorizationState::new([1; 32]);
        let request = AuthorizationRequest::new(&state, Alias::new("anna").unwrap(), ExpectedUser::Anybody, now);
        let created = requests.create(request.clone()).await.unwrap();
        let second = requests.save(&created, request.answer(now).unwrap()).await.unwrap_err();
        assert!(matches!(second, SaveError::Conflict), "{second}");
        let sent = server.requests();
        assert_eq!(sent[1].json()["ConditionExpression"], "#revision = :read");
        assert!(!sent[0].text().contains(state.expose()), "the state itself is not stored");
    }
}
