//! The clients of librdkafka with the settings of reliability.md 3.4, and where their words go.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use tracing::{debug, warn};

use super::settings::Settings;
use crate::ledger::RECORD_BYTES_MAX;

/// A batch around the largest record: its header, and what varies in length.
pub(super) const BATCH_BYTES_MAX: usize = RECORD_BYTES_MAX + 64 * 1024;

/// Says what the client says: connections that come and go are no alarm, the appends and reads tell what they meet.
#[derive(Clone, Debug)]
pub(super) struct Told;

impl ClientContext for Told {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                warn!(facility, text, "the Kafka client is in trouble");
            }
            RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning
            | RDKafkaLogLevel::Notice
            | RDKafkaLogLevel::Info
            | RDKafkaLogLevel::Debug => debug!(facility, text, "the Kafka client"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        warn!(error = &error as &dyn std::error::Error, reason, "the Kafka client");
    }
}

/// Says nothing: for a client whose owner tells what it meets.
#[derive(Clone, Debug)]
pub(super) struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, text: &str) {
        debug!(facility, text, "the Kafka client");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(error = &error as &dyn std::error::Error, reason, "the Kafka client");
    }
}

impl ConsumerContext for Quiet {}

/// What every client is told.
pub(super) fn any(settings: &Settings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", settings.bootstrap.join(","))
        .set("client.id", "lgsp")
        .set("socket.timeout.ms", ms(settings.socket_timeout))
        .set("socket.connection.setup.timeout.ms", ms(settings.socket_timeout))
        // Else a small request may wait for the acknowledgement of the one before it, up to 40 ms.
        .set("socket.nagle.disable", "true")
        .set("socket.keepalive.enable", "true")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "1000")
        .set("retry.backoff.ms", "50")
        .set("retry.backoff.max.ms", "500")
        .set("metadata.max.age.ms", "60000")
        .set("topic.metadata.refresh.interval.ms", "20000")
        .set("allow.auto.create.topics", "false")
        .set("log.connection.close", "false")
        .set("message.max.bytes", BATCH_BYTES_MAX.to_string());
    if let Some(tls) = &settings.tls {
        config
            .set("security.protocol", "ssl")
            .set("ssl.ca.location", tls.ca.display().to_string())
            .set("ssl.certificate.location", tls.certificate.display().to_string())
            .set("ssl.key.location", tls.key.display().to_string());
    }
    config.set_log_level(RDKafkaLogLevel::Warning);
    config
}

pub(super) fn producer(settings: &Settings) -> ClientConfig {
    let mut config = any(settings);
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("max.in.flight.requests.per.connection", "5")
        .set("linger.ms", ms(settings.linger))
        .set("batch.num.messages", "1000")
        .set("request.timeout.ms", ms(settings.request_timeout))
        .set("message.timeout.ms", ms(settings.message_timeout))
        .set("queue.buffering.max.messages", settings.queue_records_max.to_string())
        .set("queue.buffering.max.kbytes", settings.queue_kib_max.to_string())
        .set("compression.type", "none");
    config
}

/// For the few words of a lease. Each is good for `ttl` and no longer; a word that comes twice means what it meant once, so
/// that nothing has to be kept in order, and no producer is ever lost.
pub(super) fn for_lease(settings: &Settings, ttl: Duration) -> ClientConfig {
    let mut config = any(settings);
    config
        .set("acks", "all")
        .set("linger.ms", "0")
        .set("request.timeout.ms", ms(settings.request_timeout.min(ttl)))
        .set("message.timeout.ms", ms(ttl))
        .set("compression.type", "none");
    config
}

/// For `assign` only. The library asks for the name of a group even so; the group has no members and no offsets.
pub(super) fn consumer(settings: &Settings) -> ClientConfig {
    let mut config = any(settings);
    config
        .set("group.id", "lgsp")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("check.crcs", "true")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("queued.max.messages.kbytes", "8192")
        .set("fetch.queue.backoff.ms", "10")
        .set("fetch.error.backoff.ms", "50")
        .set("fetch.wait.max.ms", "50");
    config
}

fn ms(duration: Duration) -> String {
    duration.as_millis().to_string()
}
