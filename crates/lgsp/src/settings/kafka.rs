//! The section `[kafka]`: the cluster of a ledger of kind "kafka", and what its topics have to be.

use std::path::PathBuf;
use std::time::Duration;

use lgsp_ledger::kafka::{Manifest, Settings, Tls};
use serde::Deserialize;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kafka {
    bootstrap: Vec<String>,
    ca: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
    plaintext_beyond_loopback: bool,
    replication: u32,
    min_insync: u32,
    retention_days: u32,
    sync_each_write: bool,
    linger_ms: u64,
    request_timeout_ms: u64,
    socket_timeout_ms: u64,
    message_timeout_ms: u64,
    queue_records_max: u32,
    queue_kib_max: u32,
    lease_ms: u64,
}

impl Kafka {
    /// How long a node holds the ledger without a renewal.
    pub(crate) fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    /// How the cluster is reached.
    pub(crate) fn settings(&self) -> Settings {
        let tls = self.has_tls().then(|| Tls {
            ca: self.ca.clone(),
            certificate: self.certificate.clone(),
            key: self.key.clone(),
        });
        Settings {
            bootstrap: self.bootstrap.clone(),
            tls,
            plaintext_beyond_loopback: self.plaintext_beyond_loopback,
            linger: Duration::from_millis(self.linger_ms),
            request_timeout: Duration::from_millis(self.request_timeout_ms),
            socket_timeout: Duration::from_millis(self.socket_timeout_ms),
            message_timeout: Duration::from_millis(self.message_timeout_ms),
            queue_records_max: self.queue_records_max,
            queue_kib_max: self.queue_kib_max,
        }
    }

    /// What the topic of the data ledger has to be.
    pub(crate) fn data(&self, name: &str, partitions: u32) -> Manifest {
        let retention_ms = match self.retention_days {
            0 => -1,
            days => i64::from(days) * DAY_MS,
        };
        self.manifest(name.to_owned(), partitions, retention_ms)
    }

    /// What the topic of the control ledger has to be: nothing of it is ever thrown away (exchange.md section 7).
    pub(crate) fn control(&self, name: String) -> Manifest {
        self.manifest(name, 1, -1)
    }

    /// What the topic of the lease has to be.
    pub(crate) fn lease_topic(&self, name: String) -> Manifest {
        Manifest {
            compacted: true,
            ..self.manifest(name, 1, -1)
        }
    }

    fn manifest(&self, name: String, partitions: u32, retention_ms: i64) -> Manifest {
        Manifest {
            format: Manifest::FORMAT,
            name,
            partitions,
            replication: self.replication,
            min_insync: self.min_insync,
            retention_ms,
            sync_each_write: self.sync_each_write,
            compacted: false,
        }
    }

    fn files(&self) -> [(&'static str, &PathBuf); 3] {
        [
            ("kafka.ca", &self.ca),
            ("kafka.certificate", &self.certificate),
            ("kafka.key", &self.key),
        ]
    }

    fn has_tls(&self) -> bool {
        self.files().iter().any(|(_, file)| !file.as_os_str().is_empty())
    }

    /// Path, value, least, most.
    pub(super) fn bounds(&self) -> [(&'static str, u64, u64, u64); 10] {
        [
            ("kafka.replication", self.replication.into(), 1, 9),
            ("kafka.min_insync", self.min_insync.into(), 1, 9),
            ("kafka.retention_days", self.retention_days.into(), 0, 36_500),
            ("kafka.linger_ms", self.linger_ms, 0, 1_000),
            ("kafka.request_timeout_ms", self.request_timeout_ms, 100, 300_000),
            ("kafka.socket_timeout_ms", self.socket_timeout_ms, 200, 300_000),
            ("kafka.message_timeout_ms", self.message_timeout_ms, 300, 600_000),
            ("kafka.queue_records_max", self.queue_records_max.into(), 100, 1_000_000),
            ("kafka.queue_kib_max", self.queue_kib_max.into(), 2_048, 1_048_576),
            ("kafka.lease_ms", self.lease_ms, 1_000, 60_000),
        ]
    }

    /// What no least and most can say, of a cluster that is used: path, what is wrong, what to do.
    pub(super) fn mistakes(&self, answer_timeout_ms: u64) -> Vec<(&'static str, String, String)> {
        let mut wrong: Vec<_> = self
            .settings()
            .mistakes()
            .into_iter()
            .map(|mistake| (path(mistake.setting), mistake.what, mistake.mend))
            .collect();
        if self.message_timeout_ms >= answer_timeout_ms {
            let what = format!("{} ms is not less than vxp.answer_timeout_ms", self.message_timeout_ms);
            let mend = "give a call more time than its append".to_owned();
            wrong.push(("kafka.message_timeout_ms", what, mend));
        }
        if self.min_insync > self.replication {
            let what = format!("{} is more than kafka.replication", self.min_insync);
            wrong.push(("kafka.min_insync", what, "no append would be acknowledged".to_owned()));
        }
        for (path, file) in self.files() {
            if self.has_tls() && file.as_os_str().is_empty() {
                let mend = "name ca, certificate and key, or none of them".to_owned();
                wrong.push((path, "is empty, and TLS is used".to_owned(), mend));
            }
        }
        wrong
    }
}

/// The ledger's name of a setting, as the program's.
fn path(setting: &'static str) -> &'static str {
    match setting {
        "request_timeout_ms" => "kafka.request_timeout_ms",
        "socket_timeout_ms" => "kafka.socket_timeout_ms",
        _ => "kafka.bootstrap",
    }
}
