//! The conversions between values and DynamoDB attributes, which a person can read in the console.
//!
//! A timestamp is a number of milliseconds since 1970 if an index is ordered by it or if it belongs to a limit,
//! and RFC 3339 text otherwise. Only the time-to-live attributes are seconds since 1970, as DynamoDB requires. An
//! absent value has no attribute, not a `NULL` attribute: a sparse index omits only items without its key.

use std::fmt;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::secret::Sealed;
use jiff::Timestamp;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::table::{Item, RecordError};

/// A timestamp in whole milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Millis(pub(crate) i64);

impl Millis {
    /// Rounds down to a whole millisecond.
    pub(crate) fn floor(at: Timestamp) -> Self {
        let millis = at.as_nanosecond().div_euclid(1_000_000);
        Self(i64::try_from(millis).unwrap_or(i64::MAX))
    }

    /// Rounds up to a whole millisecond, so that a query for due items finds none too early.
    pub(crate) fn ceil(at: Timestamp) -> Self {
        let Self(floor) = Self::floor(at);
        let is_whole = at.as_nanosecond().rem_euclid(1_000_000) == 0;
        Self(if is_whole { floor } else { floor.saturating_add(1) })
    }

    /// The previous millisecond.
    pub(crate) fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The timestamp. `name` is the attribute, for the error.
    pub(crate) fn timestamp(self, name: &'static str) -> Result<Timestamp, RecordError> {
        Timestamp::from_millisecond(self.0).map_err(|error| RecordError::invalid(name, &error))
    }

    /// The number as an attribute.
    pub(crate) fn value(self) -> AttributeValue {
        AttributeValue::N(self.0.to_string())
    }
}

/// A sealed secret as a binary attribute.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Ciphertext(Vec<u8>);

impl fmt::Debug for Ciphertext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ciphertext({} bytes)", self.0.len())
    }
}

impl From<&Sealed> for Ciphertext {
    fn from(sealed: &Sealed) -> Self {
        Self(sealed.ciphertext().to_vec())
    }
}

impl From<Ciphertext> for Sealed {
    fn from(Ciphertext(bytes): Ciphertext) -> Self {
        Self::new(bytes)
    }
}

impl Serialize for Ciphertext {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Ciphertext {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("ciphertext, as a binary attribute")
            }
            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
            fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Vec<u8>, A::Error> {
                Err(A::Error::custom("expected a binary attribute"))
            }
        }
        deserializer.deserialize_byte_buf(Bytes).map(Self)
    }
}

/// Converts a record to attributes, without those that are absent.
pub(crate) fn item_of<R: Serialize>(record: &R) -> Result<Item, RecordError> {
    let mut item: Item = serde_dynamo::to_item(record).map_err(RecordError::Form)?;
    remove_nulls(&mut item);
    Ok(item)
}

/// Reads a record from an item. Attributes that the record does not have are ignored.
pub(crate) fn record_of<'de, R: Deserialize<'de>>(item: &Item) -> Result<R, RecordError> {
    serde_dynamo::from_item(item.clone()).map_err(RecordError::Form)
}

/// The value of a text attribute, or an empty text if the item has none.
pub(crate) fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}

fn remove_nulls(item: &mut Item) {
    item.retain(|_, value| !matches!(value, AttributeValue::Null(_)));
    for value in item.values_mut() {
        if let AttributeValue::M(inner) = value {
            remove_nulls(inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn floor_and_ceil_round_to_milliseconds() {
        let at = Timestamp::from_nanosecond(1_000_001).unwrap();
        assert_eq!((Millis::floor(at), Millis::ceil(at)), (Millis(1), Millis(2)));
        let whole = Timestamp::from_millisecond(5).unwrap();
        assert_eq!((Millis::floor(whole), Millis::ceil(whole)), (Millis(5), Millis(5)));
    }

    #[test]
    fn ciphertext_is_binary_and_absent_values_have_no_attribute() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Record {
            token: Ciphertext,
            absent: Option<String>,
        }
        let record = Record { token: Ciphertext(vec![0, 255, 7]), absent: None };
        let item = item_of(&record).unwrap();
        assert_eq!(item.get("token"), Some(&AttributeValue::B(vec![0, 255, 7].into())));
        assert!(!item.contains_key("absent"));
        assert_eq!(record_of::<Record>(&item).unwrap(), record);
    }

    #[test]
    fn list_is_not_accepted_as_ciphertext() {
        let item = Item::from([("token".to_owned(), AttributeValue::L(vec![]))]);
        assert!(record_of::<HashMap<String, Ciphertext>>(&item).is_err());
    }
}
