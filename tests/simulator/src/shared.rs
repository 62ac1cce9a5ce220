//! The simulated world behind a mutex, shared by every connection and the control interface.
//!
//! [`SharedWorld::lock`] first applies every state change that is due, so the caller sees the world as of now. The lock
//! is never held across an `await`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::world::World;

/// The shared world.
#[derive(Debug)]
pub(crate) struct SharedWorld {
    world: Mutex<World>,
}

impl SharedWorld {
    pub(crate) fn new(world: World) -> Self {
        Self { world: Mutex::new(world) }
    }

    /// Locks the world and brings it up to the current time.
    pub(crate) fn lock(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.apply_due_transitions();
        world
    }
}
