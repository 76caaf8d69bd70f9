//! Records that are asked for one by one, mostly near each other: whoever asks for one brings its neighbours along.

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

/// Where the stretch of a record begins: the same for all its neighbours, so that each stretch is brought once, and the next
/// one where the last one ended.
pub(super) const fn begin(offset: u64) -> u64 {
    offset - offset % AHEAD.entries as u64
}

/// The stretches that were brought last, the newest in front.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    kept: Mutex<VecDeque<Brought>>,
    turns: [Turn<()>; TURNS],
}

/// Dense records of one partition.
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
        let place = (begin(offset) / AHEAD.entries as u64).wrapping_add(u64::from(partition));
        let turn = usize::try_from(place % TURNS as u64).ok()?;
        Some(self.turns.get(turn)?.lock().await)
    }

    pub(super) fn keep(&self, partition: u32, entries: Vec<Entry>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_front(Brought { partition, entries });
        kept.truncate(STRETCHES_MAX);
    }
}

impl Brought {
    fn find(&self, partition: u32, offset: u64) -> Option<&Entry> {
        let first = self.entries.first().filter(|_| self.partition == partition)?;
        let nth = usize::try_from(offset.checked_sub(first.offset)?).ok()?;
        self.entries.get(nth)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn stretch(offsets: std::ops::Range<u64>) -> Vec<Entry> {
        let entry = |offset| Entry {
            offset,
            append_ms: offset,
            record: Bytes::from_static(b"record"),
        };
        offsets.map(entry).collect()
    }

    #[test]
    fn neighbours_share_a_stretch_and_the_one_that_was_used_least_of_late_makes_room() {
        assert_eq!([0, 63, 64, 130].map(begin), [0, 0, 64, 128]);
        let ahead = Ahead::default();
        ahead.keep(0, stretch(0..64));
        assert_eq!(ahead.find(0, 63).map(|entry| entry.offset), Some(63));
        assert!(ahead.find(0, 64).is_none() && ahead.find(1, 63).is_none());
        // One that is shorter than it could be holds what it holds.
        ahead.keep(0, stretch(64..70));
        assert!(ahead.find(0, 69).is_some() && ahead.find(0, 70).is_none());
        for nth in 2..=STRETCHES_MAX as u64 {
            assert!(ahead.find(0, 0).is_some(), "it is used all the time");
            ahead.keep(0, stretch(nth * 64..nth * 64 + 64));
        }
        assert!(ahead.find(0, 0).is_some() && ahead.find(0, 64).is_none());
    }
}
