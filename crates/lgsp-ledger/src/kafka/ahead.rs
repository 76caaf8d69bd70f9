//! Records that are asked for one by one, mostly one after the other: whoever asks for one brings those behind it along.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Mutex as Turn, MutexGuard as Turned};

use crate::ledger::{Entry, ReadLimit};

/// What is brought at a time.
pub(super) const AHEAD: ReadLimit = ReadLimit {
    entries: 64,
    bytes: 1024 * 1024,
};
/// So many stretches are kept: at most [`AHEAD`] each, or one record.
const STRETCHES_MAX: usize = 16;
/// Neighbours wait for each other's stretch, others do not.
const TURNS: usize = 8;

/// The stretches that were brought last, the newest in front.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    kept: Mutex<VecDeque<Brought>>,
    turns: [Turn<()>; TURNS],
}

/// Dense records of one partition, at least one.
#[derive(Debug)]
struct Brought {
    partition: u32,
    entries: Vec<Entry>,
}

impl Ahead {
    /// The record, if it was brought.
    pub(super) fn find(&self, partition: u32, offset: u64) -> Option<Entry> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = |brought: &Brought| brought.find(partition, offset).is_some();
        let nth = kept.iter().position(holds)?;
        let used = kept.remove(nth)?;
        let found = used.find(partition, offset).cloned();
        kept.push_front(used);
        found
    }

    /// Waits while somebody brings a stretch that may hold this record: look for it again then.
    pub(super) async fn turn(&self, partition: u32, offset: u64) -> Option<Turned<'_, ()>> {
        let place = (offset / AHEAD.entries as u64).wrapping_add(u64::from(partition));
        let turn = usize::try_from(place % TURNS as u64).ok()?;
        Some(self.turns.get(turn)?.lock().await)
    }

    /// Keeps what was brought, and answers its first record.
    pub(super) fn keep(&self, partition: u32, entries: Vec<Entry>) -> Option<Entry> {
        let first = entries.first().cloned()?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_front(Brought { partition, entries });
        kept.truncate(STRETCHES_MAX);
        Some(first)
    }
}

impl Brought {
    fn find(&self, partition: u32, offset: u64) -> Option<&Entry> {
        let first = self.entries.first().filter(|_| self.partition == partition)?;
        let nth = usize::try_from(offset.checked_sub(first.offset)?).ok()?;
        self.entries.get(nth)
    }
}
