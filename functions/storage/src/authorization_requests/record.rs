//! An authorization request as an item.

use std::time::Duration;

use domain::authorization::{AuthorizationRequest, ExpectedUser, Fingerprint};
use domain::identity::{Alias, OpenId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::attribute;
use crate::table::{Item, Record, RecordError};

/// The table's key.
pub(super) const KEY: &str = "state_sha256";
/// How long a request is kept after it has expired, so that a late answer is recognized.
const KEPT_AFTER_EXPIRY: Duration = Duration::from_hours(24);

/// `remove_at` is the table's time-to-live attribute, in seconds since 1970: DynamoDB may remove the item after it.
#[derive(Debug, Serialize, Deserialize)]
struct AuthorizationRequestRecord {
    state_sha256: String,
    alias: Alias,
    expected_open_id: Option<OpenId>,
    expires_at: Timestamp,
    answered_at: Option<Timestamp>,
    remove_at: i64,
}

/// Converts a request to the attributes of its item.
pub(super) fn item_of(request: &AuthorizationRequest) -> Result<Item, RecordError> {
    let request = request.clone();
    attribute::item_of(&AuthorizationRequestRecord {
        state_sha256: request.fingerprint.as_str().to_owned(),
        alias: request.alias,
        expected_open_id: match request.expected {
            ExpectedUser::Anybody => None,
            ExpectedUser::User(open_id) => Some(open_id),
        },
        expires_at: request.expires_at,
        answered_at: request.answered_at,
        remove_at: (request.expires_at + KEPT_AFTER_EXPIRY).as_second(),
    })
}

impl Record for AuthorizationRequest {
    fn key(&self) -> &str {
        self.fingerprint.as_str()
    }

    fn from_item(item: &Item) -> Result<Self, RecordError> {
        let record: AuthorizationRequestRecord = attribute::record_of(item)?;
        Ok(Self {
            fingerprint: Fingerprint::restore(record.state_sha256),
            alias: record.alias,
            expected: record.expected_open_id.map_or(ExpectedUser::Anybody, ExpectedUser::User),
            expires_at: record.expires_at,
            answered_at: record.answered_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::types::AttributeValue;
    use domain::authorization::{AUTHORIZATION_TERM, AuthorizationState};

    #[test]
    fn request_round_trips_and_is_removed_a_day_after_expiry() {
        let now = Timestamp::from_second(1_764_000_000).unwrap();
        let alias = Alias::new("anna").unwrap();
        for expected in [ExpectedUser::Anybody, ExpectedUser::User(OpenId::new("open-1").unwrap())] {
            let new = AuthorizationRequest::new(&AuthorizationState::new([1; 32]), alias.clone(), expected, now);
            for request in [new.clone(), new.answer(now).unwrap()] {
                let item = item_of(&request).unwrap();
                assert_eq!(AuthorizationRequest::from_item(&item).unwrap(), request);
                let removed = (now + AUTHORIZATION_TERM + KEPT_AFTER_EXPIRY).as_second().to_string();
                assert_eq!(item.get("remove_at"), Some(&AttributeValue::N(removed)));
            }
        }
    }
}
