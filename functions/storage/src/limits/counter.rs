//! The counters of `domain::rate_limit` as items.
//!
//! Timestamps are milliseconds, because functions read these items more often than people do. They are rounded up, so
//! that a call leaves its window, and a block ends, never too early. Otherwise TikTok's limit could be exceeded.

use std::collections::BTreeMap;

use domain::identity::{Alias, PostId};
use domain::rate_limit::{Cooldown, PostingUsers, Reservation, SlidingWindow, UploadQuota};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::attribute::{self, Millis};
use crate::table::{Item, RecordError};

/// The table's key.
pub(crate) const KEY: &str = "limit_key";

/// A value that is stored as one item of the limits table.
pub trait Counter: Default + Sized + sealed::Sealed {
    /// Converts the counter to attributes, without the table's key.
    #[doc(hidden)]
    fn to_item(&self) -> Result<Item, RecordError>;
    /// Reads the counter from attributes.
    #[doc(hidden)]
    fn from_item(item: &Item) -> Result<Self, RecordError>;
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

/// `grants` are the reservations, and `blocked_*` is the cooldown.
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

fn timestamp(at: Option<Millis>, name: &'static str) -> Result<Option<Timestamp>, RecordError> {
    at.map(|at| at.timestamp(name)).transpose()
}

impl Counter for SlidingWindow {
    fn to_item(&self) -> Result<Item, RecordError> {
        attribute::item_of(&SlidingWindowRecord {
            calls: self.calls.iter().copied().map(Millis::ceil).collect(),
            reserved_until: self.reserved_until.map(Millis::ceil),
            calls_blocked_until: self.blocked_until.map(Millis::ceil),
        })
    }

    fn from_item(item: &Item) -> Result<Self, RecordError> {
        let record: SlidingWindowRecord = attribute::record_of(item)?;
        Ok(Self {
            calls: record.calls.into_iter().map(|at| at.timestamp("calls")).collect::<Result<_, _>>()?,
            reserved_until: timestamp(record.reserved_until, "reserved_until")?,
            blocked_until: timestamp(record.calls_blocked_until, "calls_blocked_until")?,
        })
    }
}

/// The quota's sliding window is stored in the same item, with the attributes of `SlidingWindowRecord`. The two
/// records must therefore have no attribute name in common.
impl Counter for UploadQuota {
    fn to_item(&self) -> Result<Item, RecordError> {
        let reservation = |it: &Reservation| ReservationRecord { at: Millis::ceil(it.at), post: it.post.clone() };
        let cooldown = self.cooldown.as_ref();
        let mut item = attribute::item_of(&UploadQuotaRecord {
            grants: self.reservations.iter().map(reservation).collect(),
            blocked_until: cooldown.map(|cooldown| Millis::ceil(cooldown.until)),
            blocked_code: cooldown.map(|cooldown| cooldown.reason.clone().into()),
            blocked_message: cooldown.map(|cooldown| cooldown.message.clone()),
        })?;
        item.extend(self.minute.to_item()?);
        Ok(item)
    }

    fn from_item(item: &Item) -> Result<Self, RecordError> {
        let record: UploadQuotaRecord = attribute::record_of(item)?;
        let reservation =
            |it: ReservationRecord| Ok::<_, RecordError>(Reservation { at: it.at.timestamp("grants")?, post: it.post });
        let until = timestamp(record.blocked_until, "blocked_until")?;
        let cooldown = until.map(|until| Cooldown {
            until,
            reason: record.blocked_code.unwrap_or_default().into(),
            message: record.blocked_message.unwrap_or_default(),
        });
        let reservations = record.grants.into_iter().map(reservation).collect::<Result<_, _>>()?;
        Ok(Self { minute: SlidingWindow::from_item(item)?, reservations, cooldown })
    }
}

impl Counter for PostingUsers {
    fn to_item(&self) -> Result<Item, RecordError> {
        attribute::item_of(&UsersRecord {
            users: self.until.iter().map(|(alias, until)| (alias.clone(), Millis::ceil(*until))).collect(),
            blocked_until: self.blocked_until.map(Millis::ceil),
        })
    }

    fn from_item(item: &Item) -> Result<Self, RecordError> {
        let record: UsersRecord = attribute::record_of(item)?;
        let user = |(alias, until): (Alias, Millis)| Ok::<_, RecordError>((alias, until.timestamp("users")?));
        Ok(Self {
            until: record.users.into_iter().map(user).collect::<Result<_, _>>()?,
            blocked_until: timestamp(record.blocked_until, "blocked_until")?,
        })
    }
}
