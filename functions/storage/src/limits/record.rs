//! The books as items: instants are milliseconds, since people read here less
//! than functions do.

use std::collections::BTreeMap;

use domain::identity::{Alias, PostId};
use domain::rate_limit::{Cooldown, PostingUsers, Reservation, SlidingWindow, UploadQuota};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::attribute::{self, Millis};
use crate::table::{Item, RecordError};

/// The table's key.
pub(super) const KEY: &str = "limit_key";

/// Something that is kept as one item of the budgets table.
pub trait Counter: Default + Sized + sealed::Sealed {
    /// Writes it as attributes.
    #[doc(hidden)]
    fn item(&self) -> Result<Item, RecordError>;
    /// Reads it from attributes.
    #[doc(hidden)]
    fn of_item(item: &Item) -> Result<Self, RecordError>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for domain::rate_limit::SlidingWindow {}
    impl Sealed for domain::rate_limit::UploadQuota {}
    impl Sealed for domain::rate_limit::PostingUsers {}
}

#[derive(Debug, Serialize, Deserialize)]
struct SlidingWindowRecord {
    calls: Vec<Millis>,
    reserved_until: Option<Millis>,
    calls_blocked_until: Option<Millis>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ReservationRecord {
    at: Millis,
    post: PostId,
}

#[derive(Debug, Serialize, Deserialize)]
struct UploadQuotaRecord {
    grants: Vec<ReservationRecord>,
    blocked_until: Option<Millis>,
    blocked_code: Option<String>,
    blocked_message: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct UsersRecord {
    users: BTreeMap<Alias, Millis>,
    blocked_until: Option<Millis>,
}

fn instant(at: Option<Millis>, name: &'static str) -> Result<Option<Timestamp>, RecordError> {
    at.map(|at| at.instant(name)).transpose()
}

impl Counter for SlidingWindow {
    fn item(&self) -> Result<Item, RecordError> {
        attribute::item_of(&SlidingWindowRecord {
            // A call counts from the end of its millisecond, so that none lapses too early.
            calls: self.calls.iter().copied().map(Millis::ceil).collect(),
            reserved_until: self.reserved_until.map(Millis::ceil),
            calls_blocked_until: self.blocked_until.map(Millis::ceil),
        })
    }

    fn of_item(item: &Item) -> Result<Self, RecordError> {
        let record: SlidingWindowRecord = attribute::record_of(item)?;
        Ok(Self {
            calls: record.calls.into_iter().map(|at| at.instant("calls")).collect::<Result<_, _>>()?,
            reserved_until: instant(record.reserved_until, "reserved_until")?,
            blocked_until: instant(record.calls_blocked_until, "calls_blocked_until")?,
        })
    }
}

impl Counter for UploadQuota {
    fn item(&self) -> Result<Item, RecordError> {
        let grant = |grant: &Reservation| ReservationRecord { at: Millis::ceil(grant.at), post: grant.post.clone() };
        let closed = self.closed.as_ref();
        let mut item = attribute::item_of(&UploadQuotaRecord {
            grants: self.grants.iter().map(grant).collect(),
            blocked_until: closed.map(|closed| Millis::ceil(closed.until)),
            blocked_code: closed.map(|closed| closed.code.clone()),
            blocked_message: closed.map(|closed| closed.message.clone()),
        })?;
        item.extend(self.minute.item()?);
        Ok(item)
    }

    fn of_item(item: &Item) -> Result<Self, RecordError> {
        let record: UploadQuotaRecord = attribute::record_of(item)?;
        let grant = |grant: ReservationRecord| {
            Ok::<_, RecordError>(Reservation { at: grant.at.instant("grants")?, post: grant.post })
        };
        let until = instant(record.blocked_until, "blocked_until")?;
        let closed = until.map(|until| Cooldown {
            until,
            code: record.blocked_code.unwrap_or_default(),
            message: record.blocked_message.unwrap_or_default(),
        });
        let grants = record.grants.into_iter().map(grant).collect::<Result<_, _>>()?;
        Ok(Self { minute: SlidingWindow::of_item(item)?, grants, closed })
    }
}

impl Counter for PostingUsers {
    fn item(&self) -> Result<Item, RecordError> {
        attribute::item_of(&UsersRecord {
            users: self.until.iter().map(|(alias, until)| (alias.clone(), Millis::ceil(*until))).collect(),
            blocked_until: self.blocked_until.map(Millis::ceil),
        })
    }

    fn of_item(item: &Item) -> Result<Self, RecordError> {
        let record: UsersRecord = attribute::record_of(item)?;
        let user = |(alias, until): (Alias, Millis)| Ok::<_, RecordError>((alias, until.instant("users")?));
        Ok(Self {
            until: record.users.into_iter().map(user).collect::<Result<_, _>>()?,
            blocked_until: instant(record.blocked_until, "blocked_until")?,
        })
    }
}
