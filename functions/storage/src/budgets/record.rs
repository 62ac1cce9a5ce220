//! The books as items: instants are milliseconds, since people read here less
//! than functions do.

use std::collections::BTreeMap;

use domain::budget::{Closed, Grant, Minute, PostingUsers, Turns};
use domain::identity::{Alias, PostId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::attribute::{self, Millis};
use crate::table::{Item, RecordError};

/// The table's key.
pub(super) const KEY: &str = "book";

/// Something that is kept as one item of the budgets table.
pub trait Book: Default + Sized + sealed::Sealed {
    /// Writes it as attributes.
    #[doc(hidden)]
    fn item(&self) -> Result<Item, RecordError>;
    /// Reads it from attributes.
    #[doc(hidden)]
    fn of_item(item: &Item) -> Result<Self, RecordError>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for domain::budget::Minute {}
    impl Sealed for domain::budget::Turns {}
    impl Sealed for domain::budget::PostingUsers {}
}

#[derive(Debug, Serialize, Deserialize)]
struct MinuteRecord {
    calls: Vec<Millis>,
    booked_until: Option<Millis>,
    calls_closed_until: Option<Millis>,
}

#[derive(Debug, Serialize, Deserialize)]
struct GrantRecord {
    at: Millis,
    post: PostId,
}

#[derive(Debug, Serialize, Deserialize)]
struct TurnsRecord {
    grants: Vec<GrantRecord>,
    closed_until: Option<Millis>,
    closed_code: Option<String>,
    closed_message: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct UsersRecord {
    users: BTreeMap<Alias, Millis>,
    closed_until: Option<Millis>,
}

fn instant(at: Option<Millis>, name: &'static str) -> Result<Option<Timestamp>, RecordError> {
    at.map(|at| at.instant(name)).transpose()
}

impl Book for Minute {
    fn item(&self) -> Result<Item, RecordError> {
        attribute::item_of(&MinuteRecord {
            // A call counts from the end of its millisecond, so that none lapses too early.
            calls: self.calls.iter().copied().map(Millis::ceil).collect(),
            booked_until: self.booked_until.map(Millis::ceil),
            calls_closed_until: self.closed_until.map(Millis::ceil),
        })
    }

    fn of_item(item: &Item) -> Result<Self, RecordError> {
        let record: MinuteRecord = attribute::record_of(item)?;
        Ok(Self {
            calls: record.calls.into_iter().map(|at| at.instant("calls")).collect::<Result<_, _>>()?,
            booked_until: instant(record.booked_until, "booked_until")?,
            closed_until: instant(record.calls_closed_until, "calls_closed_until")?,
        })
    }
}

impl Book for Turns {
    fn item(&self) -> Result<Item, RecordError> {
        let grant = |grant: &Grant| GrantRecord { at: Millis::ceil(grant.at), post: grant.post.clone() };
        let closed = self.closed.as_ref();
        let mut item = attribute::item_of(&TurnsRecord {
            grants: self.grants.iter().map(grant).collect(),
            closed_until: closed.map(|closed| Millis::ceil(closed.until)),
            closed_code: closed.map(|closed| closed.code.clone()),
            closed_message: closed.map(|closed| closed.message.clone()),
        })?;
        item.extend(self.minute.item()?);
        Ok(item)
    }

    fn of_item(item: &Item) -> Result<Self, RecordError> {
        let record: TurnsRecord = attribute::record_of(item)?;
        let grant =
            |grant: GrantRecord| Ok::<_, RecordError>(Grant { at: grant.at.instant("grants")?, post: grant.post });
        let until = instant(record.closed_until, "closed_until")?;
        let closed = until.map(|until| Closed {
            until,
            code: record.closed_code.unwrap_or_default(),
            message: record.closed_message.unwrap_or_default(),
        });
        let grants = record.grants.into_iter().map(grant).collect::<Result<_, _>>()?;
        Ok(Self { minute: Minute::of_item(item)?, grants, closed })
    }
}

impl Book for PostingUsers {
    fn item(&self) -> Result<Item, RecordError> {
        attribute::item_of(&UsersRecord {
            users: self.until.iter().map(|(alias, until)| (alias.clone(), Millis::ceil(*until))).collect(),
            closed_until: self.closed_until.map(Millis::ceil),
        })
    }

    fn of_item(item: &Item) -> Result<Self, RecordError> {
        let record: UsersRecord = attribute::record_of(item)?;
        let user = |(alias, until): (Alias, Millis)| Ok::<_, RecordError>((alias, until.instant("users")?));
        Ok(Self {
            until: record.users.into_iter().map(user).collect::<Result<_, _>>()?,
            closed_until: instant(record.closed_until, "closed_until")?,
        })
    }
}
