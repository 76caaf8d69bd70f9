//! A ledger that now and then does not do what it was asked, or does not know whether it did.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use lgsp_ledger::{Append, Entry, Ledger, ReadError, ReadLimit, Refusal};

/// Longer than what a clerk does beside it.
const HELD: Duration = Duration::from_millis(8);

/// What befalls one append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Refused: there is no room.
    Full,
    /// Refused: the queue is full.
    NotReady,
    /// Unknown, and the log does not hold it.
    Lost,
    /// Unknown, and the log holds it.
    Unsure,
    /// Done late: others are in the log before it.
    Held,
}

/// A real ledger behind troubles that befall its next appends.
#[derive(Debug)]
pub(super) struct Troubled {
    ledger: Arc<dyn Ledger>,
    next: Mutex<VecDeque<Trouble>>,
    met: AtomicUsize,
}

impl Troubled {
    pub(super) fn new(ledger: Arc<dyn Ledger>) -> Self {
        Self {
            ledger,
            next: Mutex::default(),
            met: AtomicUsize::new(0),
        }
    }

    /// Befalls the next append that has none before it.
    pub(super) fn expect(&self, trouble: Trouble) {
        self.next().push_back(trouble);
    }

    /// How many appends met trouble so far.
    pub(super) fn met(&self) -> usize {
        self.met.load(Ordering::Relaxed)
    }

    fn next(&self) -> MutexGuard<'_, VecDeque<Trouble>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Ledger for Troubled {
    fn partitions(&self) -> u32 {
        self.ledger.partitions()
    }

    async fn append(&self, partition: u32, record: Bytes) -> Append {
        let trouble = self.next().pop_front();
        if trouble.is_some() {
            self.met.fetch_add(1, Ordering::Relaxed);
        }
        match trouble {
            None => self.ledger.append(partition, record).await,
            Some(Trouble::Held) => {
                tokio::time::sleep(HELD).await;
                self.ledger.append(partition, record).await
            }
            Some(Trouble::Full) => Append::Refused(Refusal::Full),
            Some(Trouble::NotReady) => Append::Refused(Refusal::NotReady),
            Some(Trouble::Lost) => Append::Unknown,
            Some(Trouble::Unsure) => {
                _ = self.ledger.append(partition, record).await;
                Append::Unknown
            }
        }
    }

    async fn read(&self, partition: u32, from: u64, limit: ReadLimit) -> Result<Vec<Entry>, ReadError> {
        self.ledger.read(partition, from, limit).await
    }

    async fn end(&self, partition: u32) -> Result<u64, ReadError> {
        self.ledger.end(partition).await
    }

    async fn grown(&self, partition: u32, past: u64) -> Result<u64, ReadError> {
        self.ledger.grown(partition, past).await
    }

    async fn close(&self) {
        self.ledger.close().await;
    }
}
