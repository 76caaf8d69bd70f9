//! The one producer of a ledger: sheds when too much waits, says what became of each record, is replaced when it is lost.
//!
//! The records of a partition go in groups: what comes while one is under way is the next. An idle ledger writes at once, a busy
//! one writes few large requests, each of which costs every broker a flush. The library would do alike, but busily: once five
//! messages of a partition are under way, its thread spins for as long as others wait behind them.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Timestamp;
use rdkafka::producer::future_producer::Delivery;
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer as _};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::{spawn_blocking, yield_now};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::{error, warn};

use super::client::{self, Told};
use super::settings::Settings;
use crate::ledger::{Append, Appended, Refusal};

/// Most records of a group, and bytes after which it takes no more: so that it is one request, which takes up to 1,000,000
/// bytes, and is with the library before that sends it.
const GROUP_RECORDS_MAX: usize = 500;
const GROUP_BYTES_MAX: usize = 900 * 1024;
/// How long a group keeps the next one waiting. Then all that waits goes at once: brokers that do not answer make nobody wait
/// longer than the library does.
const GROUP_PATIENCE: Duration = Duration::from_millis(500);
/// A producer that is lost more than so often in so long needs a person.
const LOSSES_MAX: usize = 3;
const LOSSES_WITHIN: Duration = Duration::from_mins(10);

/// Takes records, each into the line of its partition.
#[derive(Debug)]
pub(super) struct Writer {
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
    /// Call it within the runtime on which the lines shall run, until the close.
    pub(super) fn new(topic: &str, partitions: u32, settings: &Settings) -> Result<Self, KafkaError> {
        let producing = Arc::new(Producing::new(topic, partitions, settings)?);
        for partition in 0..producing.lines.len() {
            producing.tasks.spawn(Arc::clone(&producing).follow(partition));
        }
        let permits = |number: u32| Arc::new(Semaphore::new(number as usize));
        Ok(Self {
            records: permits(settings.queue_records_max),
            kib: permits(settings.queue_kib_max),
            producing,
        })
    }

    /// Puts a record into its line at once, so that order is that of the calls; then waits for its report.
    pub(super) async fn append(&self, partition: u32, record: Bytes) -> Append {
        let Some(room) = self.room(record.len()) else {
            return Append::Refused(Refusal::NotReady);
        };
        let (tell, told) = oneshot::channel();
        let answer = Answer { tell, _room: room };
        if let Err(refusal) = self.producing.take(partition as usize, Waiting { record, answer }) {
            return Append::Refused(refusal);
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
    /// Something came into the line of this partition, or it is closed.
    lines: Vec<Notify>,
    tasks: TaskTracker,
    state: Mutex<State>,
}

struct State {
    /// What waits, by partition.
    waiting: Vec<VecDeque<Waiting>>,
    producer: Option<FutureProducer<Told>>,
    /// Counts the producers, so that each is replaced once.
    nth: u64,
    losses: Vec<Instant>,
    closed: bool,
}

impl State {
    /// The next of this line, for one request if `capped`.
    fn group(&mut self, partition: usize, capped: bool) -> Vec<Waiting> {
        let Some(line) = self.waiting.get_mut(partition) else {
            return Vec::new();
        };
        let mut bytes = 0;
        let fitting = line.iter().take(GROUP_RECORDS_MAX).take_while(|waiting| {
            let first_or_room = bytes < GROUP_BYTES_MAX;
            bytes += waiting.record.len();
            first_or_room
        });
        let count = if capped { fitting.count() } else { line.len() };
        line.drain(..count).collect()
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("nth", &self.nth).finish_non_exhaustive()
    }
}

impl Producing {
    fn new(topic: &str, partitions: u32, settings: &Settings) -> Result<Self, KafkaError> {
        let config = client::producer(settings);
        let producer = config.create_with_context(Told)?;
        Ok(Self {
            topic: topic.to_owned(),
            config,
            flush_max: settings.message_timeout,
            lines: (0..partitions).map(|_| Notify::new()).collect(),
            tasks: TaskTracker::new(),
            state: Mutex::new(State {
                waiting: (0..partitions).map(|_| VecDeque::new()).collect(),
                producer: Some(producer),
                nth: 0,
                losses: Vec::new(),
                closed: false,
            }),
        })
    }

    fn take(&self, partition: usize, waiting: Waiting) -> Result<(), Refusal> {
        let came = self.lines.get(partition).ok_or(Refusal::NoSuchPartition)?;
        let mut state = self.state();
        if state.producer.is_none() {
            return Err(Refusal::NotReady);
        }
        let line = state.waiting.get_mut(partition).ok_or(Refusal::NoSuchPartition)?;
        line.push_back(waiting);
        drop(state);
        came.notify_one();
        Ok(())
    }

    /// Hands the records of one partition over, group by group, until the close.
    async fn follow(self: Arc<Self>, partition: usize) {
        let Some(came) = self.lines.get(partition) else { return };
        let mut in_time = true;
        loop {
            came.notified().await;
            // Whoever is ready to write goes first.
            yield_now().await;
            while let Some(queued) = self.hand_over(partition, in_time) {
                let answering = self.tasks.spawn(Arc::clone(&self).answer(partition, queued));
                in_time = timeout(GROUP_PATIENCE, answering).await.is_ok();
            }
            if self.state().closed {
                return;
            }
        }
    }

    /// Gives the library the next group, in the order of the line; none: nothing waits. What it does not take is certainly not
    /// in the log, and is answered so.
    fn hand_over(self: &Arc<Self>, partition: usize, capped: bool) -> Option<Queued> {
        let (queued, refused) = {
            let mut state = self.state();
            let group = state.group(partition, capped);
            if group.is_empty() {
                return None;
            }
            self.queue_all(&state, partition, group)
        };
        if refused {
            self.replace_if_lost(queued.nth);
        }
        Some(queued)
    }

    /// True: some were refused.
    fn queue_all(&self, state: &State, partition: usize, group: Vec<Waiting>) -> (Queued, bool) {
        let mut records = Vec::with_capacity(group.len());
        let mut refused = false;
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
        let nth = state.nth;
        (Queued { records, nth }, refused)
    }

    fn queue(
        &self,
        producer: &FutureProducer<Told>,
        partition: usize,
        record: &[u8],
    ) -> Result<DeliveryFuture, Refusal> {
        let partition = i32::try_from(partition).map_err(|_| Refusal::NoSuchPartition)?;
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
    async fn answer(self: Arc<Self>, partition: usize, queued: Queued) {
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

    fn close(self: &Arc<Self>) {
        let (producer, left) = {
            let mut state = self.state();
            state.closed = true;
            // What was taken goes, also where nobody waits for it.
            let left: Vec<_> = (0..self.lines.len())
                .map(|partition| {
                    let group = state.group(partition, false);
                    (partition, self.queue_all(&state, partition, group).0)
                })
                .collect();
            (state.producer.take(), left)
        };
        self.lines.iter().for_each(Notify::notify_one);
        let Some(producer) = producer else { return };
        if let Err(error) = producer.flush(self.flush_max) {
            let unflushed = producer.in_flight_count();
            warn!(
                error = &error as &dyn std::error::Error,
                unflushed, "closed with appends unknown"
            );
        }
        drop(producer);
        // Whoever has no report by now gets none.
        for (partition, queued) in left {
            let mut answering = pin!(Arc::clone(self).answer(partition, queued));
            let answered = answering.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            if answered.is_pending() {
                warn!(partition, "closed with appends unknown");
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_what_fits_one_request_and_all_that_waits_where_brokers_are_late() {
        let mut state = State {
            waiting: vec![VecDeque::new()],
            producer: None,
            nth: 0,
            losses: Vec::new(),
            closed: false,
        };
        let room = Arc::new(Semaphore::new(10_000));
        let waiting = |bytes| {
            let permit = || Arc::clone(&room).try_acquire_owned().unwrap();
            let (tell, _) = oneshot::channel();
            let answer = Answer {
                tell,
                _room: [permit(), permit()],
            };
            let record = Bytes::from(vec![0; bytes]);
            Waiting { record, answer }
        };
        // Bytes of each record, how many there are, and the groups that they go in.
        let cases: [(usize, usize, &[usize]); 4] = [
            (1_500, 1_100, &[500, 500, 100]),
            (100_000, 23, &[10, 10, 3]),
            (GROUP_BYTES_MAX, 2, &[1, 1]),
            (0, 1, &[1]),
        ];
        for (bytes, count, groups) in cases {
            state.waiting[0].extend((0..count).map(|_| waiting(bytes)));
            let taken: Vec<_> = groups.iter().map(|_| state.group(0, true).len()).collect();
            assert_eq!(taken, groups, "{count} records of {bytes} bytes");
            assert!(state.group(0, true).is_empty());
            state.waiting[0].extend((0..count).map(|_| waiting(bytes)));
            assert_eq!(state.group(0, false).len(), count);
        }
        assert!(state.group(1, false).is_empty());
    }
}
