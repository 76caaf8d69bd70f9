//! Reads any stretch of the log: a few consumers, each placed where somebody reads on.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::client::{self, Quiet};
use super::settings::Settings;
use crate::ledger::{Entry, ReadLimit};

/// So many places are kept between reads; each may hold some MiB that were fetched ahead.
const IDLE_MAX: usize = 3;
/// A question is asked so often within its patience.
const ATTEMPTS: u32 = 8;
/// Between two questions to a leader that does not know yet.
const PAUSE: Duration = Duration::from_millis(50);

/// Why a stretch could not be read on.
#[derive(Debug)]
pub(super) enum Stop {
    /// The record at this offset is not as it was written.
    Damaged { offset: u64, source: KafkaError },
    /// There is no record at this offset, but there are later ones.
    Gap { offset: u64 },
    /// The log has nothing at this offset: it ends before, or begins after it.
    Nothing { source: KafkaError },
    /// Nobody answered in time.
    Late { source: KafkaError },
}

/// The part of the log that one read wants; `end` is past its last record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub(super) partition: u32,
    pub(super) from: u64,
    pub(super) end: u64,
    pub(super) limit: ReadLimit,
}

pub(super) struct Reader {
    settings: Settings,
    topic: String,
    idle: Mutex<Vec<Place>>,
    asker: BaseConsumer<Quiet>,
}

/// A consumer that has read up to one offset of one partition.
struct Place {
    consumer: BaseConsumer<Quiet>,
    partition: u32,
    next: u64,
    /// Was fetched, but did not fit into the last answer.
    left: Option<Entry>,
}

impl Reader {
    pub(super) fn new(topic: &str, settings: &Settings) -> Result<Self, KafkaError> {
        Ok(Self {
            settings: settings.clone(),
            topic: topic.to_owned(),
            idle: Mutex::default(),
            asker: client::any(settings).create_with_context(Quiet)?,
        })
    }

    /// The first offset that the log still holds, and the one that its next record will have. Blocks.
    pub(super) fn bounds(&self, partition: u32, patience: Duration) -> Result<(u64, u64), KafkaError> {
        let none = KafkaError::OffsetFetch(RDKafkaErrorCode::UnknownPartition);
        let of_kafka = i32::try_from(partition).map_err(|_| none.clone())?;
        let deadline = Instant::now() + patience;
        loop {
            let rest = deadline.saturating_duration_since(Instant::now());
            match self
                .asker
                .fetch_watermarks(&self.topic, of_kafka, rest.min(patience / ATTEMPTS))
            {
                Ok((low, high)) => {
                    let bounds = u64::try_from(low).ok().zip(u64::try_from(high).ok());
                    return bounds.ok_or(none);
                }
                Err(error) if is_passing(&error) && rest > PAUSE => {
                    thread::sleep(PAUSE);
                    // It would go on asking a leader that is dead; the error of this question says no more than its own.
                    drop(
                        self.asker
                            .fetch_metadata(Some(&self.topic), rest.min(patience / ATTEMPTS)),
                    );
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads the stretch as far as its limit goes; sound records before the first that is not are answered alone. Blocks.
    pub(super) fn read(&self, stretch: Stretch, patience: Duration) -> Result<Vec<Entry>, Stop> {
        let mut place = self.place(stretch).map_err(|source| Stop::Late { source })?;
        let (entries, stop) = place.read(stretch, patience);
        match stop {
            None => {
                self.keep(place);
                Ok(entries)
            }
            Some(stop) if entries.is_empty() => Err(stop),
            Some(_) => Ok(entries),
        }
    }

    /// The consumer that stands there already, or a new one.
    fn place(&self, stretch: Stretch) -> Result<Place, KafkaError> {
        let Stretch { partition, from, .. } = stretch;
        let stands = |place: &Place| place.partition == partition && place.next == from;
        {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(nth) = idle.iter().position(stands) {
                return Ok(idle.remove(nth));
            }
        }
        let consumer: BaseConsumer<Quiet> = client::consumer(&self.settings).create_with_context(Quiet)?;
        consumer.assign(&assignment(&self.topic, [(partition, from)])?)?;
        Ok(Place {
            consumer,
            partition,
            next: from,
            left: None,
        })
    }

    fn keep(&self, place: Place) {
        let oldest = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push(place);
            (idle.len() > IDLE_MAX).then(|| idle.remove(0))
        };
        // Closing one takes a moment, which nobody else waits for.
        drop(oldest);
    }

    /// Lets go of what is kept between reads. Blocks.
    pub(super) fn close(&self) {
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        drop(idle);
    }
}

impl Place {
    fn read(&mut self, stretch: Stretch, patience: Duration) -> (Vec<Entry>, Option<Stop>) {
        let deadline = Instant::now() + patience;
        let (mut entries, mut bytes) = (Vec::new(), 0_usize);
        while entries.len() < stretch.limit.entries && self.next < stretch.end {
            let entry = match self.left.take().map_or_else(|| self.fetch(deadline), Ok) {
                Ok(entry) => entry,
                Err(stop) => return (entries, Some(stop)),
            };
            bytes = bytes.saturating_add(entry.record.len());
            if !entries.is_empty() && bytes > stretch.limit.bytes {
                self.left = Some(entry);
                break;
            }
            self.next = entry.offset + 1;
            entries.push(entry);
        }
        (entries, None)
    }

    /// Waits for the next record; connections that come and go meanwhile are not its business.
    fn fetch(&self, deadline: Instant) -> Result<Entry, Stop> {
        let mut source = KafkaError::NoMessageReceived;
        loop {
            let rest = deadline.saturating_duration_since(Instant::now());
            match self.consumer.poll(rest) {
                Some(Ok(message)) => {
                    let entry = entry(&message).filter(|entry| entry.offset == self.next);
                    return entry.ok_or(Stop::Gap { offset: self.next });
                }
                Some(Err(error @ KafkaError::PartitionEOF(_))) => return Err(Stop::Nothing { source: error }),
                Some(Err(error)) => match error.rdkafka_error_code() {
                    Some(RDKafkaErrorCode::BadMessage) => {
                        return Err(Stop::Damaged {
                            offset: self.next,
                            source: error,
                        });
                    }
                    Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                        return Err(Stop::Nothing { source: error });
                    }
                    _ => source = error,
                },
                None => {}
            }
            if rest.is_zero() {
                return Err(Stop::Late { source });
            }
        }
    }
}

/// A leader that was just elected does not know yet how far the log goes, or is not known yet, or the last one is asked;
/// a broker that was just started does not know of every topic yet.
fn is_passing(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::OffsetNotAvailable
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::RequestTimedOut
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::UnknownTopicOrPartition
        )
    )
}

/// Partitions with the offset at which each is read on.
pub(super) fn assignment(
    topic: &str,
    places: impl IntoIterator<Item = (u32, u64)>,
) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    for (partition, from) in places {
        let none = |_| KafkaError::OffsetFetch(RDKafkaErrorCode::InvalidArgument);
        let partition = i32::try_from(partition).map_err(none)?;
        list.add_partition_offset(topic, partition, Offset::Offset(i64::try_from(from).map_err(none)?))?;
    }
    Ok(list)
}

/// `None` for what no broker sends: an offset or a time before the beginning.
pub(super) fn entry(message: &BorrowedMessage<'_>) -> Option<Entry> {
    Some(Entry {
        offset: u64::try_from(message.offset()).ok()?,
        append_ms: u64::try_from(message.timestamp().to_millis()?).ok()?,
        record: Bytes::copy_from_slice(message.payload().unwrap_or_default()),
    })
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}
