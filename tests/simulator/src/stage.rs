//! The one place that every connection and the control interface share.
//!
//! Whoever looks at the world finds it up to date: time is let in first. The
//! lock is never held across an await.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::world::World;

/// The shared world behind its lock.
#[derive(Debug)]
pub(crate) struct Stage {
    world: Mutex<World>,
}

impl Stage {
    pub(crate) fn new(world: World) -> Self {
        Self { world: Mutex::new(world) }
    }

    /// Takes the world as it is at this moment.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.settle();
        world
    }
}
