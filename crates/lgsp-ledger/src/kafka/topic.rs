//! The topic of a ledger: made as its manifest says, and held against it before anything is appended.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::runtime::Handle;

use super::client::{self, BATCH_BYTES_MAX, Told};
use super::manifest::Manifest;
use super::settings::Settings;
use super::{Mismatch, OpenError};

/// The brokers tell of a topic that was just made one after the other.
const PAUSE: Duration = Duration::from_millis(50);

/// What a cluster says of topics. All of it blocks the thread.
pub(super) struct Topics {
    admin: AdminClient<Told>,
    handle: Handle,
    timeout: Duration,
}

impl Topics {
    pub(super) fn new(settings: &Settings, handle: Handle) -> Result<Self, OpenError> {
        let admin = client::any(settings)
            .create_with_context(Told)
            .map_err(OpenError::client)?;
        Ok(Self {
            admin,
            handle,
            timeout: settings.socket_timeout,
        })
    }

    /// Everything in which the topic is not as the manifest says; `None`: there is no such topic.
    pub(super) fn mismatches(&self, manifest: &Manifest) -> Result<Option<Vec<Mismatch>>, OpenError> {
        let Some(mut found) = self.shape(&manifest.name)? else {
            return Ok(None);
        };
        let Some(configuration) = self.configuration(&manifest.name)? else {
            return Ok(None);
        };
        found.extend(configuration);
        let wanted = wanted(manifest);
        let differs = wanted.into_iter().filter_map(|(setting, expected)| {
            let found = found.iter().find(|(name, _)| *name == setting);
            let found = found.map_or_else(|| String::from("nothing"), |(_, value)| value.clone());
            (found != expected).then(|| Mismatch {
                topic: manifest.name.clone(),
                setting,
                expected,
                found,
            })
        });
        Ok(Some(differs.collect()))
    }

    /// [`Topics::mismatches`] of a topic that was there: a broker that was just started does not know of it yet.
    pub(super) fn mismatches_of_known(&self, manifest: &Manifest) -> Result<Option<Vec<Mismatch>>, OpenError> {
        let begin = Instant::now();
        loop {
            let mismatches = self.mismatches(manifest)?;
            if mismatches.is_some() || begin.elapsed() > self.timeout {
                return Ok(mismatches);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Makes the topic and waits until it has its partitions and a leader for each.
    pub(super) fn make(&self, manifest: &Manifest) -> Result<(), OpenError> {
        let wanted = wanted(manifest);
        let partitions = i32::try_from(manifest.partitions).unwrap_or(i32::MAX);
        let replication = i32::try_from(manifest.replication).unwrap_or(i32::MAX);
        let topic = NewTopic::new(&manifest.name, partitions, TopicReplication::Fixed(replication));
        let configured = wanted.iter().filter(|(name, _)| !SHAPE.contains(name));
        let topic = configured.fold(topic, |topic, (name, value)| topic.set(name, value));
        let options = AdminOptions::new()
            .operation_timeout(Some(self.timeout))
            .request_timeout(Some(self.timeout));
        let made = self.handle.block_on(self.admin.create_topics([&topic], &options));
        for result in made.map_err(OpenError::unreachable)? {
            match result {
                // Another process made it just now: it is held against the manifest like any other.
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => {
                    let source = KafkaError::AdminOp(code).into();
                    return Err(OpenError::NotMade { topic, source });
                }
            }
        }
        let begin = Instant::now();
        while !self.has_leaders(manifest)? {
            if begin.elapsed() > self.timeout {
                return Err(OpenError::unreachable(KafkaError::AdminOp(
                    RDKafkaErrorCode::LeaderNotAvailable,
                )));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn has_leaders(&self, manifest: &Manifest) -> Result<bool, OpenError> {
        let told = self.admin.inner().fetch_metadata(Some(&manifest.name), self.timeout);
        let told = told.map_err(OpenError::unreachable)?;
        let led = told
            .topics()
            .iter()
            .flat_map(|topic| topic.partitions())
            .filter(|partition| partition.leader() >= 0);
        Ok(led.count() >= manifest.partitions as usize)
    }

    /// Partitions and replicas, as the metadata tell them.
    fn shape(&self, name: &str) -> Result<Option<Vec<(&'static str, String)>>, OpenError> {
        let told = self
            .admin
            .inner()
            .fetch_metadata(Some(name), self.timeout)
            .map_err(OpenError::unreachable)?;
        let topic = told.topics().iter().find(|topic| topic.name() == name);
        let Some(topic) = topic.filter(|topic| topic.error().is_none() && !topic.partitions().is_empty()) else {
            return match topic.and_then(|topic| topic.error()).map(RDKafkaErrorCode::from) {
                None | Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Ok(None),
                Some(code) => Err(OpenError::unreachable(KafkaError::MetadataFetch(code))),
            };
        };
        let partitions = topic.partitions();
        let fewest = partitions
            .iter()
            .map(|partition| partition.replicas().len())
            .min()
            .unwrap_or(0);
        Ok(Some(vec![
            (PARTITIONS, partitions.len().to_string()),
            (REPLICATION, fewest.to_string()),
        ]))
    }

    /// `None`: the broker that was asked does not know of the topic, though another may have told its shape.
    fn configuration(&self, name: &str) -> Result<Option<Vec<(&'static str, String)>>, OpenError> {
        let options = AdminOptions::new().request_timeout(Some(self.timeout));
        let topic = ResourceSpecifier::Topic(name);
        let asked = self.admin.describe_configs([&topic], &options);
        let answers = self.handle.block_on(asked).map_err(OpenError::unreachable)?;
        let mut found = Vec::new();
        for answer in answers {
            let resource = match answer {
                Ok(resource) => resource,
                Err(RDKafkaErrorCode::UnknownTopicOrPartition) => return Ok(None),
                Err(code) => return Err(OpenError::unreachable(KafkaError::AdminOp(code))),
            };
            for name in CONFIGURED {
                let value = resource.get(name).and_then(|entry| entry.value.clone());
                found.extend(value.map(|value| (name, value)));
            }
        }
        Ok((!found.is_empty()).then_some(found))
    }
}

const PARTITIONS: &str = "partitions";
const REPLICATION: &str = "replication.factor";
const SHAPE: [&str; 2] = [PARTITIONS, REPLICATION];
const CONFIGURED: [&str; 10] = [
    "min.insync.replicas",
    "unclean.leader.election.enable",
    "message.timestamp.type",
    "cleanup.policy",
    "retention.ms",
    "retention.bytes",
    "max.message.bytes",
    "compression.type",
    "flush.messages",
    "segment.bytes",
];
/// A segment is compacted when it is full: the least that Kafka takes.
const COMPACTED_SEGMENT_BYTES: u32 = 1_048_576;

/// What the topic of this manifest has to be, setting by setting (reliability.md 3.4).
fn wanted(manifest: &Manifest) -> Vec<(&'static str, String)> {
    let flush = if manifest.sync_each_write { 1 } else { i64::MAX };
    let values = [
        manifest.min_insync.to_string(),
        String::from("false"),
        // A node cannot date its own appends.
        String::from("LogAppendTime"),
        String::from(if manifest.compacted { "compact" } else { "delete" }),
        manifest.retention_ms.to_string(),
        String::from("-1"),
        BATCH_BYTES_MAX.to_string(),
        // What others compress, the broker stores so that every reader reads it.
        String::from("uncompressed"),
        flush.to_string(),
    ];
    let shape = [
        (PARTITIONS, manifest.partitions.to_string()),
        (REPLICATION, manifest.replication.to_string()),
    ];
    // How a ledger is cut into files is the cluster's business.
    let segment = manifest.compacted.then(|| COMPACTED_SEGMENT_BYTES.to_string());
    let values = values.into_iter().chain(segment);
    shape.into_iter().chain(CONFIGURED.into_iter().zip(values)).collect()
}
