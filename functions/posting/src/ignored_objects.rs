//! Reports dropped objects that become no post: with tags on the object, for people who only have the S3 console, and
//! with an event on EventBridge.
//!
//! S3 delivers its own event at least once, so the tags can be written and the event can be sent again. Both are the
//! same as before.

use domain::drop_ignored::{DETAIL_TYPE, IgnoredObject};
use domain::failure::error_chain;
use storage::{EventBus, EventEntry, ObjectError, Objects, PutEventsError};

use crate::dependencies::Dependencies;
use crate::invocation::Instruments;

/// Reports ignored objects. [`Submit`](crate::Submit) finds them.
pub struct IgnoredObjects {
    objects: Objects,
    bus: EventBus,
    /// The stack's name, which each event contains.
    stack: String,
    instruments: Instruments,
}

impl IgnoredObjects {
    /// Sends the events to this bus.
    pub fn new(dependencies: &Dependencies, bus: EventBus, stack: String) -> Self {
        let Dependencies { objects, instruments, .. } = dependencies;
        Self { objects: objects.clone(), bus, stack, instruments: instruments.clone() }
    }

    /// Tags an object with the reason, and sends the event. An object that no longer exists is not reported: a program
    /// has removed its own temporary file.
    ///
    /// # Errors
    /// The event was not sent; the caller must not acknowledge S3's event. A failure to tag is only logged.
    pub async fn report(&self, ignored: &IgnoredObject) -> Result<(), PutEventsError> {
        let (key, why) = (&ignored.source.key, ignored.why);
        let tags = ignored.tags();
        let tags: Vec<_> = tags.iter().map(|(name, value)| (*name, value.as_str())).collect();
        match self.objects.tag(&ignored.source, &tags).await {
            Ok(()) => {}
            Err(ObjectError::Gone { .. }) => {
                tracing::info!(object.key = key, why = %why, "object ignored, and removed since");
                return Ok(());
            }
            Err(error) => {
                let error = error_chain(&error);
                tracing::warn!(object.key = key, error, "object not tagged with the reason why it is ignored");
            }
        }
        let now = self.instruments.now();
        let detail = serde_json::to_string(&ignored.event(&self.stack, now)).unwrap_or_default();
        self.bus.put(&[EventEntry { kind: DETAIL_TYPE, detail, at: now }]).await?;
        tracing::warn!(object.key = key, why = %why, "object ignored and reported");
        Ok(())
    }
}
