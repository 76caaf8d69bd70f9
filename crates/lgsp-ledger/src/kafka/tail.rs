//! Waits at the end of every partition at once, keeps what came last, and finds out when a log is no longer what it was.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use tracing::{error, warn};

use super::client::Quiet;
use super::ends::Ends;
use super::manifest::Seen;
use super::reader::{self, Reader};
use crate::ledger::{Entry, ReadLimit};

/// Kept for those who read as it comes: so many records of each partition, and so many bytes of all.
const KEPT_RECORDS_MAX: usize = 16_384;
const KEPT_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Those who wait for records are woken after so many at the latest.
const TOLD_TOGETHER_MAX: usize = 256;
/// The longest time until a stop is noticed.
const LOOK_UP: Duration = Duration::from_millis(200);
/// What was seen last is written down at most so often.
const WRITE_DOWN: Duration = Duration::from_secs(1);

/// The last records of one partition, dense, the newest last.
#[derive(Debug, Default)]
struct Kept {
    entries: VecDeque<Entry>,
    bytes: usize,
}

/// What the tail's thread and those who ask share.
#[derive(Debug)]
pub(super) struct Tail {
    kept: Vec<Mutex<Kept>>,
    kept_bytes_max: usize,
    stop: AtomicBool,
}

/// What the thread works with.
pub(super) struct Follower {
    pub(super) tail: Arc<Tail>,
    pub(super) topic: String,
    pub(super) consumer: BaseConsumer<Quiet>,
    pub(super) reader: Arc<Reader>,
    pub(super) ends: Arc<Ends>,
    /// A log that seems cut is asked again for so long: a broker that was frozen may not know yet what came since.
    pub(super) doubt: Duration,
    pub(super) manifest: PathBuf,
    pub(super) seen: Vec<Option<Seen>>,
}

impl Tail {
    pub(super) fn new(partitions: u32) -> Self {
        let each = |_| Mutex::new(Kept::default());
        Self {
            kept: (0..partitions).map(each).collect(),
            kept_bytes_max: KEPT_BYTES_MAX / (partitions.max(1) as usize),
            stop: AtomicBool::new(false),
        }
    }

    /// The records from `from` on, where they are kept.
    pub(super) fn read(&self, partition: u32, from: u64, limit: ReadLimit) -> Option<Vec<Entry>> {
        let kept = self
            .kept
            .get(partition as usize)?
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let first = kept.entries.front()?.offset;
        let skipped = usize::try_from(from.checked_sub(first)?).ok()?;
        if skipped >= kept.entries.len() {
            return None;
        }
        let mut bytes = 0_usize;
        let fits = |entry: &&Entry| {
            let first = bytes == 0 && entry.offset == from;
            bytes = bytes.saturating_add(entry.record.len());
            first || bytes <= limit.bytes
        };
        Some(
            kept.entries
                .iter()
                .skip(skipped)
                .take(limit.entries)
                .take_while(fits)
                .cloned()
                .collect(),
        )
    }

    /// Is this record kept?
    pub(super) fn keeps(&self, partition: u32, offset: u64) -> bool {
        let one = ReadLimit { entries: 1, bytes: 0 };
        self.read(partition, offset, one).is_some()
    }

    fn keep(&self, partition: u32, entry: Entry) {
        let Some(kept) = self.kept.get(partition as usize) else {
            return;
        };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.entries.back().is_some_and(|last| last.offset + 1 != entry.offset) {
            // Whoever reads across the gap asks the log, and is told of it.
            *kept = Kept::default();
        }
        kept.bytes += entry.record.len();
        kept.entries.push_back(entry);
        while kept.entries.len() > KEPT_RECORDS_MAX || (kept.bytes > self.kept_bytes_max && kept.entries.len() > 1) {
            let oldest = kept.entries.pop_front().map_or(0, |entry| entry.record.len());
            kept.bytes -= oldest;
        }
    }

    fn last(&self, partition: u32) -> Option<Seen> {
        let kept = self
            .kept
            .get(partition as usize)?
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        kept.entries.back().map(Seen::of)
    }

    /// The thread ends soon.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Follower {
    /// Runs until it is told to stop.
    pub(super) fn run(mut self) {
        let (notes, taken) = sync_channel::<Vec<Option<Seen>>>(1);
        let manifest = self.manifest.clone();
        // Beside this thread: whoever waits for a record does not wait for a disk.
        let writing = thread::Builder::new()
            .name(String::from("ledger-seen"))
            .spawn(move || taken.iter().for_each(|seen| write_down(&manifest, &seen)));
        self.follow(&notes);
        drop(notes);
        if writing.is_ok_and(|writing| writing.join().is_err()) {
            error!(topic = self.topic, "what was seen last is not written down any more");
        }
        let last = self.note();
        write_down(&self.manifest, &last);
    }

    fn follow(&mut self, notes: &SyncSender<Vec<Option<Seen>>>) {
        let mut written = Instant::now();
        let mut fresh = false;
        let mut untold = Untold::default();
        while !self.tail.stopped() {
            // What lies ready is taken at once, so that those who wait are woken once for many records.
            let wait = if untold.is_empty() { LOOK_UP } else { Duration::ZERO };
            match self.consumer.poll(wait) {
                Some(Ok(message)) => {
                    let partition = u32::try_from(message.partition()).ok();
                    if let Some((partition, entry)) = partition.zip(reader::entry(&message)) {
                        untold.add(partition, entry.offset + 1);
                        self.tail.keep(partition, entry);
                        fresh = true;
                    }
                }
                Some(Err(error)) if is_serious(&error) => {
                    untold.tell(&self.ends);
                    self.look_after(&error);
                }
                Some(Err(_)) | None => untold.tell(&self.ends),
            }
            if untold.records >= TOLD_TOGETHER_MAX {
                untold.tell(&self.ends);
            }
            if fresh && written.elapsed() > WRITE_DOWN {
                // One that is still being written down is followed by a later one.
                fresh = notes.try_send(self.note()).is_err();
                written = Instant::now();
            }
        }
    }

    /// Something is wrong with a partition, the library does not say which: every one is asked for its bounds, and the
    /// tail goes on at their ends. Whoever waits is woken, reads, and is told what it is.
    fn look_after(&self, cause: &KafkaError) {
        warn!(
            error = cause as &dyn std::error::Error,
            topic = self.topic,
            "the log is looked after"
        );
        let mut places = Vec::new();
        for partition in 0..u32::try_from(self.tail.kept.len()).unwrap_or(u32::MAX) {
            if let Some(end) = self.confirmed_end(partition) {
                self.ends.brought(partition, end);
                places.push((partition, end));
            }
        }
        let assigned = reader::assignment(&self.topic, places).and_then(|places| self.consumer.assign(&places));
        if let Err(error) = assigned {
            error!(
                error = &error as &dyn std::error::Error,
                topic = self.topic,
                "the log is not followed"
            );
        }
    }

    /// The end of a partition, `None` for one that was found to be cut.
    fn confirmed_end(&self, partition: u32) -> Option<u64> {
        let mut doubted = Doubt::new(self.doubt);
        while !self.tail.stopped() {
            let known = self.ends.end(partition).ok()?;
            match self.reader.bounds(partition, LOOK_UP.saturating_mul(5)) {
                Ok((_, high)) if high >= known => return Some(high),
                Ok((_, high)) if doubted.is_over() => {
                    self.ends.cut(partition, high);
                    error!(
                        partition,
                        known,
                        found = high,
                        topic = self.topic,
                        "the log was truncated behind our back"
                    );
                    return None;
                }
                // A topic that is gone stays gone for as long as it is doubted.
                Err(error) if is_gone(&error) && doubted.is_over() => {
                    self.ends.cut(partition, 0);
                    error!(
                        partition,
                        known,
                        topic = self.topic,
                        "the topic was deleted behind our back"
                    );
                    return None;
                }
                Ok(_) => doubted.pause(),
                Err(error) if is_gone(&error) => doubted.pause(),
                // Nobody answers: nothing is known to be wrong.
                Err(_) => doubted = Doubt::new(self.doubt),
            }
        }
        None
    }

    /// What was seen last of each partition.
    fn note(&mut self) -> Vec<Option<Seen>> {
        for (partition, seen) in (0..).zip(&mut self.seen) {
            if let Some(last) = self.tail.last(partition) {
                *seen = Some(last);
            }
        }
        self.seen.clone()
    }
}

fn write_down(manifest: &Path, seen: &[Option<Seen>]) {
    if let Err(error) = Seen::write(manifest, seen) {
        warn!(
            error = &error as &dyn std::error::Error,
            "what was seen last could not be written down"
        );
    }
}

/// What the tail has and nobody was told of.
#[derive(Debug, Default)]
struct Untold {
    records: usize,
    /// The new end of each partition of which something came.
    ends: BTreeMap<u32, u64>,
}

impl Untold {
    fn is_empty(&self) -> bool {
        self.records == 0
    }

    fn add(&mut self, partition: u32, end: u64) {
        self.records += 1;
        self.ends.insert(partition, end);
    }

    fn tell(&mut self, ends: &Ends) {
        self.records = 0;
        while let Some((partition, end)) = self.ends.pop_first() {
            ends.brought(partition, end);
        }
    }
}

/// Since when something seems wrong.
#[derive(Debug)]
pub(super) struct Doubt {
    since: Instant,
    patience: Duration,
}

impl Doubt {
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            since: Instant::now(),
            patience,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.since.elapsed() > self.patience
    }

    /// Between two questions.
    fn pause(&self) {
        std::thread::sleep(LOOK_UP);
    }
}

/// Is this about the log, not about a connection?
fn is_serious(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BadMessage
                | RDKafkaErrorCode::AutoOffsetReset
                | RDKafkaErrorCode::OffsetOutOfRange
                | RDKafkaErrorCode::Fatal
        )
    ) || is_gone(error)
}

/// The cluster says that there is no such topic or partition.
pub(super) fn is_gone(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopicId
        )
    )
}
