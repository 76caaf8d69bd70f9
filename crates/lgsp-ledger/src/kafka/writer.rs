//! The one producer of a ledger: sheds when too much waits, says what became of each record, is replaced when it is lost.
//!
//! The records of a partition go in groups: what comes while one is under way is the next. An idle ledger writes at once, a busy
//! one writes few large requests, each of which costs every broker a flush. The library would do alike, but busily: once five
//! messages of a partition are under way, its thread spins for as long as others wait behind them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Timestamp;
use rdkafka::producer::future_producer::Delivery;
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::spawn_blocking;
use tracing::{error, warn};

use super::client::{self, Told};
use super::settings::Settings;
use crate::ledger::{Append, Appended, Refusal};

/// Most records of a group.
const GROUP_RECORDS_MAX: usize = 1_000;
/// A producer that is lost more than so often in so long needs a person.
const LOSSES_MAX: usize = 3;
const LOSSES_WITHIN: Duration = Duration::from_mins(10);

/// Takes records for partitions; a line for each ends with it.
#[derive(Debug)]
pub(super) struct Writer {
    lines: Vec<mpsc::UnboundedSender<Waiting>>,
    records: Arc<Semaphore>,
    kib: Arc<Semaphore>,
    producing: Arc<Producing>,
}

/// A record on its way.
#[derive(Debug)]
struct Waiting {
    record: Bytes,
    answer: Answer,
}

/// Whom to tell what became of it, and what it holds until then of what may wait.
#[derive(Debug)]
struct Answer {
    tell: oneshot::Sender<Append>,
    _room: [OwnedSemaphorePermit; 2],
}

impl Answer {
    fn give(self, append: Append) {
        // Whoever left does not want it.
        self.tell.send(append).ok();
    }
}

impl Writer {
    /// Call it within the runtime on which the lines shall run.
    pub(super) fn new(topic: &str, partitions: u32, settings: &Settings) -> Result<Self, KafkaError> {
        let producing = Arc::new(Producing::new(topic, settings)?);
        let line = |partition| {
            // Bounded by what may wait in all.
            let (line, waiting) = mpsc::unbounded_channel();
            tokio::spawn(run(Arc::clone(&producing), partition, waiting));
            line
        };
        let permits = |number: u32| Arc::new(Semaphore::new(number as usize));
        Ok(Self {
            lines: (0..partitions).map(line).collect(),
            records: permits(settings.queue_records_max),
            kib: permits(settings.queue_kib_max),
            producing,
        })
    }

    /// Puts a record into its line at once, so that order is that of the calls; then waits for its report.
    pub(super) async fn append(&self, partition: u32, record: Bytes) -> Append {
        let Some(line) = self.lines.get(partition as usize) else {
            return Append::Refused(Refusal::NoSuchPartition);
        };
        let Some(room) = self.room(record.len()) else {
            return Append::Refused(Refusal::NotReady);
        };
        let (tell, told) = oneshot::channel();
        let answer = Answer { tell, _room: room };
        if line.send(Waiting { record, answer }).is_err() {
            return Append::Refused(Refusal::NotReady);
        }
        // The line broke off: it may have gone.
        told.await.unwrap_or(Append::Unknown)
    }

    /// None: so much waits already that whoever comes is told to come again.
    fn room(&self, bytes: usize) -> Option<[OwnedSemaphorePermit; 2]> {
        let kib = u32::try_from(bytes.div_ceil(1024)).ok()?;
        let records = Arc::clone(&self.records).try_acquire_owned().ok()?;
        let kib = Arc::clone(&self.kib).try_acquire_many_owned(kib).ok()?;
        Some([records, kib])
    }

    /// Takes no more records and waits for the reports of those that were taken. Blocks; again: does nothing.
    pub(super) fn close(&self) {
        self.producing.close();
    }

    /// How often a producer was lost of late.
    #[cfg(test)]
    pub(super) fn losses(&self) -> usize {
        self.producing.state().losses.len()
    }
}

/// Hands the records of one partition over, group by group, until its writer is gone.
async fn run(producing: Arc<Producing>, partition: u32, mut waiting: mpsc::UnboundedReceiver<Waiting>) {
    let Ok(partition) = i32::try_from(partition) else {
        return;
    };
    let mut group = Vec::new();
    while waiting.recv_many(&mut group, GROUP_RECORDS_MAX).await > 0 {
        let queued = producing.hand_over(partition, group.drain(..));
        producing.answer(partition, queued).await;
    }
}

/// Records that the library has, and by which producer.
struct Queued {
    records: Vec<(DeliveryFuture, Answer)>,
    nth: u64,
}

#[derive(Debug)]
struct Producing {
    topic: String,
    config: ClientConfig,
    flush_max: Duration,
    state: Mutex<State>,
}

struct State {
    producer: Option<FutureProducer<Told>>,
    /// Counts the producers, so that each is replaced once.
    nth: u64,
    losses: Vec<Instant>,
    closed: bool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("nth", &self.nth).finish_non_exhaustive()
    }
}

impl Producing {
    fn new(topic: &str, settings: &Settings) -> Result<Self, KafkaError> {
        let config = client::producer(settings);
        let producer = config.create_with_context(Told)?;
        Ok(Self {
            topic: topic.to_owned(),
            config,
            flush_max: settings.message_timeout,
            state: Mutex::new(State {
                producer: Some(producer),
                nth: 0,
                losses: Vec::new(),
                closed: false,
            }),
        })
    }

    /// What is not taken into the library's queue is certainly not in the log, and is answered so.
    fn hand_over(self: &Arc<Self>, partition: i32, group: impl Iterator<Item = Waiting>) -> Queued {
        let mut records = Vec::new();
        let mut refused = false;
        let nth = {
            let state = self.state();
            for Waiting { record, answer } in group {
                let producer = state.producer.as_ref().ok_or(Refusal::NotReady);
                match producer.and_then(|producer| self.queue(producer, partition, &record)) {
                    Ok(report) => records.push((report, answer)),
                    Err(refusal) => {
                        refused = true;
                        answer.give(Append::Refused(refusal));
                    }
                }
            }
            state.nth
        };
        if refused {
            self.replace_if_lost(nth);
        }
        Queued { records, nth }
    }

    fn queue(&self, producer: &FutureProducer<Told>, partition: i32, record: &[u8]) -> Result<DeliveryFuture, Refusal> {
        let message = FutureRecord::<[u8], [u8]>::to(&self.topic)
            .partition(partition)
            .payload(record);
        producer.send_result(message).map_err(|(error, _)| {
            if error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge) {
                return Refusal::TooLarge;
            }
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                warn!(error = &error as &dyn std::error::Error, "a record was not taken");
            }
            Refusal::NotReady
        })
    }

    /// Tells each of a group what became of its record: they are reported in their order.
    async fn answer(self: &Arc<Self>, partition: i32, queued: Queued) {
        for (report, answer) in queued.records {
            answer.give(match report.await {
                Ok(Ok(delivery)) => appended(&delivery),
                Ok(Err((error, _))) => {
                    warn!(
                        error = &error as &dyn std::error::Error,
                        partition, "an append is unknown"
                    );
                    self.replace_if_lost(queued.nth);
                    Append::Unknown
                }
                // The producer went before it reported.
                Err(_) => Append::Unknown,
            });
        }
    }

    /// A fatal error ends a producer: what it has in flight is unknown, and a new one takes its place.
    fn replace_if_lost(self: &Arc<Self>, nth: u64) {
        let lost = {
            let mut state = self.state();
            let fatal = state
                .producer
                .as_ref()
                .and_then(|producer| producer.client().fatal_error());
            let Some((code, reason)) = fatal.filter(|_| state.nth == nth) else {
                return;
            };
            state.losses.retain(|loss| loss.elapsed() < LOSSES_WITHIN);
            state.losses.push(Instant::now());
            let losses = state.losses.len();
            if losses > LOSSES_MAX {
                error!(%code, reason, losses, "the producer is lost again and again");
            } else {
                warn!(%code, reason, "the producer is lost: a new one takes its place");
            }
            state.producer.take()
        };
        let producing = Arc::clone(self);
        drop(spawn_blocking(move || {
            // Answers all that wait for it.
            drop(lost);
            let next = producing.config.create_with_context(Told);
            let mut state = producing.state();
            state.nth += 1;
            match next {
                Ok(next) if !state.closed => state.producer = Some(next),
                Ok(_) => {}
                Err(error) => error!(error = &error as &dyn std::error::Error, "no new producer"),
            }
        }));
    }

    fn close(&self) {
        let producer = {
            let mut state = self.state();
            state.closed = true;
            state.producer.take()
        };
        let Some(producer) = producer else { return };
        if let Err(error) = producer.flush(self.flush_max) {
            let unflushed = producer.in_flight_count();
            warn!(
                error = &error as &dyn std::error::Error,
                unflushed, "closed with appends unknown"
            );
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A report without an offset, or without the broker's time, says that the log holds the record, but not where or when:
/// whoever asks again is told.
fn appended(delivery: &Delivery) -> Append {
    match (u64::try_from(delivery.offset), delivery.timestamp) {
        (Ok(offset), Timestamp::LogAppendTime(ms)) => {
            let ms = u64::try_from(ms);
            ms.map_or(Append::Unknown, |append_ms| {
                Append::Appended(Appended { offset, append_ms })
            })
        }
        _ => Append::Unknown,
    }
}
