//! Who is at a delivery: whoever tries it, or takes it back, and never both.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lgsp_types::DeliveryId;

/// The deliveries that somebody of this process is at. Lost without harm but for one thing: what a killed process was
/// pushing may be taken back before it is tried again, and then is delivered late.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turns(Arc<Mutex<HashSet<DeliveryId>>>);

/// Ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Turns,
    delivery: DeliveryId,
}

impl Turns {
    /// None: somebody else is at it.
    pub(crate) fn take(&self, delivery: DeliveryId) -> Option<Turn> {
        let is_free = self.taken().insert(delivery);
        is_free.then(|| Turn {
            turns: self.clone(),
            delivery,
        })
    }

    fn taken(&self) -> MutexGuard<'_, HashSet<DeliveryId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.taken().remove(&self.delivery);
    }
}
