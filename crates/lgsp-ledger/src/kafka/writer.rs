//! The one producer of a ledger: sheds when its queue is full, says what became of each record, is replaced when it is lost.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Timestamp;
use rdkafka::producer::future_producer::Delivery;
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer};
use tokio::task::spawn_blocking;
use tracing::{error, warn};

use super::client::{self, Told};
use super::settings::Settings;
use crate::ledger::{Append, Appended, Refusal};

/// A producer that is lost more than so often in so long needs a person.
const LOSSES_MAX: usize = 3;
const LOSSES_WITHIN: Duration = Duration::from_mins(10);

#[derive(Debug)]
pub(super) struct Writer {
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

impl Writer {
    pub(super) fn new(topic: &str, settings: &Settings) -> Result<Self, KafkaError> {
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

    /// Puts a record into the queue at once, so that order is that of the calls; then waits for its report.
    pub(super) async fn append(self: &std::sync::Arc<Self>, partition: u32, record: &[u8]) -> Append {
        let Ok(of_kafka) = i32::try_from(partition) else {
            return Append::Refused(Refusal::NoSuchPartition);
        };
        let (queued, nth) = {
            let state = self.state();
            let Some(producer) = &state.producer else {
                return Append::Refused(Refusal::NotReady);
            };
            (self.queue(producer, of_kafka, record), state.nth)
        };
        let queued = match queued {
            Ok(queued) => queued,
            Err(refusal) => {
                self.replace_if_lost(nth);
                return Append::Refused(refusal);
            }
        };
        match queued.await {
            Ok(Ok(delivery)) => appended(&delivery),
            Ok(Err((error, _))) => {
                warn!(
                    error = &error as &dyn std::error::Error,
                    partition, "an append is unknown"
                );
                self.replace_if_lost(nth);
                Append::Unknown
            }
            // The producer went before it reported.
            Err(_) => Append::Unknown,
        }
    }

    /// What is not taken into the queue is certainly not in the log.
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

    /// A fatal error ends a producer: what it has in flight is unknown, and a new one takes its place.
    fn replace_if_lost(self: &std::sync::Arc<Self>, nth: u64) {
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
        let writer = std::sync::Arc::clone(self);
        drop(spawn_blocking(move || {
            // Answers all that wait for it.
            drop(lost);
            let next = writer.config.create_with_context(Told);
            let mut state = writer.state();
            state.nth += 1;
            match next {
                Ok(next) if !state.closed => state.producer = Some(next),
                Ok(_) => {}
                Err(error) => error!(error = &error as &dyn std::error::Error, "no new producer"),
            }
        }));
    }

    /// Takes no more records and waits for the reports of those that were taken. Blocks; again: does nothing.
    pub(super) fn close(&self) {
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

    /// How often a producer was lost of late.
    #[cfg(test)]
    pub(super) fn losses(&self) -> usize {
        self.state().losses.len()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
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
