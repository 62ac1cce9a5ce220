//! Another way onto a stage: who comes through it can be told from the others, and
//! killed by themselves.

use std::sync::Arc;

use anyhow::Result;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use super::Stage;
use crate::gate::{self, Door, Gate, Interruption};

/// An entrance for the processes of one worker, with a gate of its own.
pub(crate) struct Entrance {
    pub(crate) gate: Arc<Gate>,
    pub(super) address: String,
    pub(super) interruptions: Mutex<mpsc::UnboundedReceiver<Interruption>>,
    door: JoinHandle<()>,
}

impl Stage {
    /// Opens an entrance. Uploads do not come through it: TikTok has one address
    /// for all of them.
    pub(crate) async fn entrance(&self) -> Result<Entrance> {
        let (gate, interruptions) = Gate::new(Arc::clone(&self.aws), Arc::clone(&self.clock))?;
        gate.lead_to(Arc::clone(&self.tiktok));
        let (listener, address) = gate::listener().await?;
        let door = tokio::spawn(gate::serve(listener, Arc::clone(&gate), Door::Front));
        Ok(Entrance { gate, address: address.to_string(), interruptions: Mutex::new(interruptions), door })
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        self.door.abort();
    }
}
