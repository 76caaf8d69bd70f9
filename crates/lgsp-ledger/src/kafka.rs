//! The Kafka ledger: one topic, acks from all in-sync replicas, readers that are assigned their place.

mod ahead;
mod beside;
mod client;
mod cluster;
mod ends;
#[cfg(feature = "floor")]
pub mod floor;
mod lease;
mod manifest;
mod open;
mod reader;
mod settings;
mod tail;
#[cfg(test)]
mod tests;
mod topic;
mod writer;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use tracing::error;

pub(crate) use beside::TopicLog;
pub use cluster::{Cluster, ClusterError};
pub use lease::{Claimant, Lease, LeaseError};
pub use manifest::Manifest;
pub use open::{Made, Mismatch, OpenError};
pub use settings::{Mistake, Settings, Tls};

use crate::ledger::{Append, Cause, Entry, Ledger, RECORD_BYTES_MAX, ReadError, ReadLimit, Refusal};
use crate::local::Lock;
use ahead::{AHEAD, Ahead};
use ends::Ends;
use reader::{Reader, Stop, Stretch};
use tail::{Doubt, Tail};
use writer::Writer;

/// So many reads and questions wait for brokers at one time; the others wait their turn.
const READS_MAX: usize = 8;
/// A record that was acknowledged is at the tail within this, or it is read where it lies.
const TAIL_PATIENCE: Duration = Duration::from_millis(500);
/// Between two looks at a log that seems cut.
const PAUSE: Duration = Duration::from_millis(250);

/// A ledger in one topic of Apache Kafka (reliability.md 3.4, exchange.md section 7).
///
/// Close it with [`Kafka::close`]: dropping it blocks for as long as brokers take to answer what is in flight.
pub struct Kafka {
    manifest: Manifest,
    writer: Arc<Writer>,
    reader: Arc<Reader>,
    ends: Arc<Ends>,
    tail: Arc<Tail>,
    ahead: Ahead,
    turns: Arc<Semaphore>,
    /// How long a read waits for a broker, and how long a log that seems cut is asked again.
    read_patience: Duration,
    doubt: Duration,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// One process writes down what was seen last; it is given back at the close.
    lock: Mutex<Option<Lock>>,
}

impl Kafka {
    /// What the ledger says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Takes no more records, waits for the answers of those in flight, stops the readers. Again: does nothing.
    pub async fn close(&self) {
        self.ends.close();
        self.turns.close();
        let closing = self.closing();
        drop(spawn_blocking(closing).await);
    }

    /// What closing does that blocks.
    fn closing(&self) -> impl FnOnce() + Send + use<> {
        let (writer, reader, tail) = (
            Arc::clone(&self.writer),
            Arc::clone(&self.reader),
            Arc::clone(&self.tail),
        );
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
        move || {
            tail.stop();
            writer.close();
            if thread.is_some_and(|thread| thread.join().is_err()) {
                error!("the ledger's tail ended early");
            }
            reader.close();
            drop(lock);
        }
    }

    /// Runs `ask` where a thread may block.
    async fn ask<T: Send + 'static>(&self, ask: impl FnOnce(&Reader) -> T + Send + 'static) -> Result<T, ReadError> {
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|_| ReadError::Closed)?;
        let reader = Arc::clone(&self.reader);
        let answer = spawn_blocking(move || {
            let answer = ask(&reader);
            drop(turn);
            answer
        });
        answer.await.map_err(unavailable)
    }

    /// The bounds of a partition, asked again while the log seems to end before what it was seen to hold.
    async fn bounds(&self, partition: u32) -> Result<(u64, u64), ReadError> {
        let doubt = Doubt::new(self.doubt);
        loop {
            let known = self.ends.end(partition)?;
            let patience = self.read_patience;
            let asked = self.ask(move |reader| reader.bounds(partition, patience)).await?;
            match asked {
                Ok((low, high)) if high >= known => {
                    self.ends.reached(partition, high);
                    return Ok((low, high));
                }
                Ok((_, high)) if doubt.is_over() => {
                    error!(partition, known, found = high, "the log was truncated behind our back");
                    self.ends.cut(partition, high);
                }
                Err(error) if tail::is_gone(&error) && doubt.is_over() => {
                    error!(partition, known, "the topic was deleted behind our back");
                    self.ends.cut(partition, 0);
                }
                Err(error) if !tail::is_gone(&error) => return Err(unavailable(error)),
                Ok(_) | Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// Reads one record, and its neighbours for those who come next.
    async fn read_one(&self, stretch: Stretch) -> Result<Vec<Entry>, ReadError> {
        let Stretch { partition, from, .. } = stretch;
        if let Some(entry) = self.ahead.find(partition, from) {
            return Ok(vec![entry]);
        }
        let _turn = self.ahead.turn(partition, from).await;
        if let Some(entry) = self.ahead.find(partition, from) {
            return Ok(vec![entry]);
        }
        let around = Stretch {
            from: ahead::begin(from),
            limit: AHEAD,
            ..stretch
        };
        // What is wrong with a neighbour is its own reader's business; large ones may leave no room for this one.
        if let Ok(brought) = self.read_from_log(around).await {
            self.ahead.keep(partition, brought);
            if let Some(entry) = self.ahead.find(partition, from) {
                return Ok(vec![entry]);
            }
        }
        self.read_from_log(stretch).await
    }

    /// Reads where the log lies; what seems to be missing is looked for again before it is said.
    async fn read_from_log(&self, stretch: Stretch) -> Result<Vec<Entry>, ReadError> {
        let Stretch { partition, from, .. } = stretch;
        let doubt = Doubt::new(self.doubt);
        loop {
            let patience = self.read_patience;
            let read = self.ask(move |reader| reader.read(stretch, patience)).await?;
            let damaged = |offset, what, source| ReadError::Damaged {
                partition,
                offset,
                what,
                source,
            };
            match read {
                Ok(entries) => return Ok(entries),
                Err(Stop::Damaged { offset, source }) => {
                    let what = "the batch of this record does not fit its checksum";
                    return Err(damaged(offset, what, Some(source.into())));
                }
                Err(Stop::Gap { offset }) => return Err(damaged(offset, "the record is missing", None)),
                Err(Stop::Late { source }) => return Err(unavailable(source)),
                Err(Stop::Nothing { source }) => {
                    let (low, high) = self.bounds(partition).await?;
                    if from < low {
                        let what = "the record is older than what the topic keeps";
                        return Err(damaged(from, what, Some(source.into())));
                    }
                    if from < high && doubt.is_over() {
                        return Err(damaged(from, "the record is missing", Some(source.into())));
                    }
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

#[async_trait]
impl Ledger for Kafka {
    fn partitions(&self) -> u32 {
        self.manifest.partitions
    }

    async fn append(&self, partition: u32, record: Bytes) -> Append {
        if record.len() > RECORD_BYTES_MAX {
            return Append::Refused(Refusal::TooLarge);
        }
        let known = match self.ends.end(partition) {
            Ok(known) => known,
            Err(ReadError::NoSuchPartition { .. }) => return Append::Refused(Refusal::NoSuchPartition),
            Err(_) => return Append::Refused(Refusal::NotReady),
        };
        if self.ends.is_cut() {
            return Append::Refused(Refusal::NotReady);
        }
        let append = self.writer.append(partition, record).await;
        let Append::Appended(appended) = append else {
            return append;
        };
        if appended.offset < known {
            error!(
                partition,
                known,
                offset = appended.offset,
                "the log was truncated behind our back"
            );
            self.ends.cut(partition, appended.offset);
            return Append::Unknown;
        }
        self.ends.reached(partition, appended.offset + 1);
        append
    }

    async fn read(&self, partition: u32, from: u64, limit: ReadLimit) -> Result<Vec<Entry>, ReadError> {
        let mut end = self.ends.end(partition)?;
        if from >= end {
            (_, end) = self.bounds(partition).await?;
        }
        if from >= end || limit.entries == 0 {
            return Ok(Vec::new());
        }
        // What is on its way is brought by one consumer for all.
        if self.ends.is_followed(partition, from) || self.tail.keeps(partition, from) {
            let needed = end.min(from.saturating_add(limit.entries as u64));
            let brought = self.ends.wait(partition, |known| known.brought >= needed);
            if let Ok(known) = timeout(TAIL_PATIENCE, brought).await {
                known?;
                if let Some(entries) = self.tail.read(partition, from, limit) {
                    return Ok(entries);
                }
            }
        }
        let stretch = Stretch {
            partition,
            from,
            end,
            limit,
        };
        if limit.entries == 1 {
            return self.read_one(stretch).await;
        }
        self.read_from_log(stretch).await
    }

    async fn end(&self, partition: u32) -> Result<u64, ReadError> {
        self.bounds(partition).await.map(|(_, high)| high)
    }

    async fn grown(&self, partition: u32, past: u64) -> Result<u64, ReadError> {
        self.ends
            .wait(partition, |known| known.end > past)
            .await
            .map(|known| known.end)
    }

    async fn close(&self) {
        Self::close(self).await;
    }
}

fn unavailable(source: impl Into<Cause>) -> ReadError {
    ReadError::Unavailable { source: source.into() }
}

impl fmt::Debug for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kafka")
            .field("manifest", &self.manifest)
            .finish_non_exhaustive()
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.ends.close();
        self.turns.close();
        self.closing()();
    }
}
