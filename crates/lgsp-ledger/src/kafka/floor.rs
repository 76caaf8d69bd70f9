//! What Kafka itself does with the same settings, for benchmarks: bare produce, and bare produce and consume.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rdkafka::Message as _;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client;
use super::settings::Settings;

/// Longest wait for anything of a benchmark.
const PATIENCE: Duration = Duration::from_secs(60);

/// A topic and clients of our settings, with nothing of ours between.
pub struct Floor {
    producer: FutureProducer,
    consumer: StreamConsumer,
    topic: String,
}

/// Why a benchmark broke off.
#[derive(Debug, thiserror::Error)]
pub enum FloorError {
    #[error("the broker did not do it")]
    Kafka(#[from] KafkaError),
    #[error("the report of a record was lost")]
    Lost,
}

impl Floor {
    /// On a topic with partition 0 that is there already.
    ///
    /// # Errors
    /// [`FloorError`].
    pub fn new(settings: &Settings, topic: &str) -> Result<Self, FloorError> {
        Ok(Self {
            producer: client::producer(settings).create()?,
            consumer: client::consumer(settings).create()?,
            topic: topic.to_owned(),
        })
    }

    /// Produces so many records as fast as they go, and waits until all are acknowledged.
    ///
    /// # Errors
    /// [`FloorError`].
    pub async fn produce(&self, record: &[u8], count: usize) -> Result<Duration, FloorError> {
        let began = Instant::now();
        let mut reports = FuturesUnordered::new();
        for _ in 0..count {
            reports.push(self.send(record).await?);
            // What is acknowledged already is taken, as the queue of reports would grow else.
            while let Some(Some(report)) = futures_util::FutureExt::now_or_never(reports.next()) {
                reported(report)?;
            }
        }
        while let Some(report) = reports.next().await {
            reported(report)?;
        }
        Ok(began.elapsed())
    }

    /// So many callers at once, each of which waits for its acknowledgement before it produces again.
    ///
    /// # Errors
    /// [`FloorError`].
    pub async fn produce_and_wait(&self, record: &[u8], callers: usize, each: usize) -> Result<Duration, FloorError> {
        let began = Instant::now();
        let caller = || async {
            for _ in 0..each {
                reported(self.send(record).await?.await)?;
            }
            Ok::<_, FloorError>(())
        };
        let callers: FuturesUnordered<_> = (0..callers).map(|_| caller()).collect();
        for ended in callers.collect::<Vec<_>>().await {
            ended?;
        }
        Ok(began.elapsed())
    }

    /// Produces at this rate and consumes beside it: from the call to the arrival of each record.
    ///
    /// # Errors
    /// [`FloorError`].
    pub async fn latencies(&self, record: &[u8], per_second: u32, count: usize) -> Result<Vec<Duration>, FloorError> {
        let mut assignment = TopicPartitionList::new();
        // By number: where "the end" is when the consumer comes there, nobody knows.
        let (_, end) = self.consumer.fetch_watermarks(&self.topic, 0, PATIENCE)?;
        assignment.add_partition_offset(&self.topic, 0, Offset::Offset(end))?;
        self.consumer.assign(&assignment)?;
        let start = Instant::now();
        let period = Duration::from_secs(1) / per_second;
        let sending = async {
            let mut ticks = tokio::time::interval(period);
            for _ in 0..count {
                ticks.tick().await;
                let mut stamped = record.to_vec();
                let at = u64::try_from(start.elapsed().as_micros())
                    .unwrap_or(u64::MAX)
                    .to_be_bytes();
                if let Some(head) = stamped.first_chunk_mut::<8>() {
                    *head = at;
                }
                self.send(&stamped).await?;
            }
            Ok::<_, FloorError>(())
        };
        let receiving = async {
            let mut latencies = Vec::with_capacity(count);
            while latencies.len() < count {
                let message = tokio::time::timeout(PATIENCE, self.consumer.recv()).await;
                let message = match message.map_err(|_| FloorError::Lost)? {
                    Ok(message) => message,
                    Err(KafkaError::PartitionEOF(_)) => continue,
                    Err(error) => return Err(error.into()),
                };
                let stamp = message.payload().and_then(|payload| payload.first_chunk::<8>());
                let at = Duration::from_micros(u64::from_be_bytes(*stamp.ok_or(FloorError::Lost)?));
                latencies.push(start.elapsed().saturating_sub(at));
            }
            Ok(latencies)
        };
        let (sent, received) = tokio::join!(sending, receiving);
        sent?;
        self.producer.flush(PATIENCE)?;
        received
    }

    async fn send(&self, record: &[u8]) -> Result<DeliveryFuture, FloorError> {
        let mut next = FutureRecord::<(), [u8]>::to(&self.topic).partition(0).payload(record);
        loop {
            match self.producer.send_result(next) {
                Ok(report) => return Ok(report),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    next = back;
                    // The queue is the bound: whoever is faster than the broker waits for it.
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
    }
}

type Report = <DeliveryFuture as Future>::Output;

fn reported(report: Report) -> Result<(), FloorError> {
    match report {
        Ok(Ok(_)) => Ok(()),
        Ok(Err((error, _))) => Err(error.into()),
        Err(_) => Err(FloorError::Lost),
    }
}

impl std::fmt::Debug for Floor {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Floor")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}
