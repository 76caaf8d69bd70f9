//! The topic of a Kafka ledger as whoever only reads it sees it.

use std::time::Duration;

use super::reader::{Reader, Stop, Stretch};
use super::unavailable;
use crate::ledger::{Entry, ReadError, ReadLimit};

/// Read in nobody's way: no lock, no group, no offsets. Blocks the thread.
#[derive(Debug)]
pub(crate) struct TopicLog {
    pub(super) reader: Reader,
    pub(super) patience: Duration,
}

impl TopicLog {
    pub(crate) fn end(&self, partition: u32) -> Result<u64, ReadError> {
        let bounds = self.reader.bounds(partition, self.patience);
        bounds.map(|(_, high)| high).map_err(unavailable)
    }

    pub(crate) fn read(&self, partition: u32, from: u64, limit: ReadLimit) -> Result<Vec<Entry>, ReadError> {
        let (low, end) = self.reader.bounds(partition, self.patience).map_err(unavailable)?;
        if from >= end || limit.entries == 0 {
            return Ok(Vec::new());
        }
        let damaged = |offset, what| ReadError::Damaged {
            partition,
            offset,
            what,
            source: None,
        };
        if from < low {
            return Err(damaged(from, "the record is older than what the topic keeps"));
        }
        let stretch = Stretch {
            partition,
            from,
            end,
            limit,
        };
        self.reader.read(stretch, self.patience).map_err(|stop| match stop {
            Stop::Damaged { offset, .. } => damaged(offset, "the batch of this record does not fit its checksum"),
            Stop::Gap { offset } => damaged(offset, "the record is missing"),
            Stop::Nothing { source } | Stop::Late { source } => unavailable(source),
        })
    }
}
