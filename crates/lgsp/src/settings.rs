//! The settings: config/lgsp.toml is the default and the reference; a file and the environment say what differs.

pub(crate) mod adapter;
mod documents;
mod kafka;
mod layers;
mod problem;
mod push;
#[cfg(test)]
mod tests;
pub(crate) mod traces;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lgsp_adapters::edxml_vxp::server;
use lgsp_adapters::webhook;
use lgsp_types::SystemId;
use serde::Deserialize;

#[cfg(test)]
use layers::Origin;
use layers::Reference;
pub(crate) use problem::{CONFIG_FIELD, CONFIG_UNREADABLE, Problem, Problems};

/// The file that is built in.
const REFERENCE: Reference = Reference {
    name: "config/lgsp.toml",
    text: include_str!("../../../config/lgsp.toml"),
};

/// Everything that can be set. There is no `Default`: the defaults are config/lgsp.toml.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) node: Node,
    pub(crate) log: Log,
    pub(crate) ledger: Ledger,
    pub(crate) kafka: kafka::Kafka,
    pub(crate) registry: Registry,
    pub(crate) contracts: Contracts,
    pub(crate) metrics: Metrics,
    pub(crate) traces: traces::Traces,
    pub(crate) objects: Objects,
    pub(crate) exchange: Exchange,
    pub(crate) documents: documents::Documents,
    pub(crate) push: push::Push,
    pub(crate) webhook: webhook::Settings,
    pub(crate) seal: Seal,
    pub(crate) vxp: server::Settings,
    pub(crate) grpc: lgsp_api::Settings,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Node {
    pub(crate) id: SystemId,
    pub(crate) data_dir: PathBuf,
    pub(crate) stop_grace_ms: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    pub(crate) filter: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ledger {
    pub(crate) kind: LedgerKind,
    pub(crate) name: String,
    pub(crate) partitions: u32,
    pub(crate) pages_max: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LedgerKind {
    Local,
    Kafka,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Registry {
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contracts {
    pub(crate) folders: Vec<PathBuf>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metrics {
    listen: String,
}

impl Metrics {
    /// None: they are not served.
    pub(crate) fn listen(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Objects {
    dir: PathBuf,
    pub(crate) object_max_bytes: u64,
    pub(crate) staging_keep_hours: u32,
}

impl Objects {
    /// The folder of `objects` and `staging`: one that nodes share, or the data folder.
    pub(crate) fn folder<'a>(&'a self, data: &'a Path) -> &'a Path {
        if self.dir.as_os_str().is_empty() {
            data
        } else {
            &self.dir
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exchange {
    pub(crate) facts_waiting_max: usize,
    pub(crate) project_batch_max: usize,
    pub(crate) refusals_per_second_max: u32,
    pub(crate) no_route_after_ms: u64,
    pub(crate) collect_within_hours: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seal {
    pub(crate) interval_ms: u64,
    pub(crate) alarm_after_ms: u64,
    pub(crate) stop_after_ms: u64,
}

/// The settings, and where each came from.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) settings: Settings,
    pub(crate) layers: layers::Layers,
}

impl Settings {
    /// Reads the reference, the file and the environment, and checks all of it.
    ///
    /// # Errors
    /// [`Problems`]: every problem found, each with its place and what to do.
    pub(crate) fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Loaded, Problems> {
        let layers = layers::Layers::read(REFERENCE, file, environment)?;
        let settings: Self = layers.settings()?;
        let wrong = settings.out_of_bounds();
        if wrong.is_empty() {
            return Ok(Loaded { settings, layers });
        }
        Err(Problems(
            wrong
                .into_iter()
                .map(|(path, what, mend)| layers.problem(path, what, mend))
                .collect(),
        ))
    }

    pub(crate) fn stop_grace(&self) -> Duration {
        Duration::from_millis(self.node.stop_grace_ms)
    }

    /// Path, what is wrong, what to do. The bounds are those that config/lgsp.toml names; a test compares.
    fn out_of_bounds(&self) -> Vec<Wrong> {
        let bounds = [
            ("node.stop_grace_ms", self.node.stop_grace_ms, 1_000, 600_000),
            ("ledger.partitions", self.ledger.partitions.into(), 1, 256),
            (
                "objects.object_max_bytes",
                self.objects.object_max_bytes,
                1_024,
                10_737_418_240,
            ),
            (
                "objects.staging_keep_hours",
                self.objects.staging_keep_hours.into(),
                1,
                720,
            ),
            (
                "exchange.facts_waiting_max",
                self.exchange.facts_waiting_max as u64,
                16,
                65_536,
            ),
            (
                "exchange.project_batch_max",
                self.exchange.project_batch_max as u64,
                1,
                10_000,
            ),
            (
                "exchange.refusals_per_second_max",
                self.exchange.refusals_per_second_max.into(),
                1,
                10_000,
            ),
            (
                "exchange.no_route_after_ms",
                self.exchange.no_route_after_ms,
                1_000,
                86_400_000,
            ),
            (
                "exchange.collect_within_hours",
                self.exchange.collect_within_hours.into(),
                1,
                8_760,
            ),
            ("seal.interval_ms", self.seal.interval_ms, 100, 60_000),
            ("seal.alarm_after_ms", self.seal.alarm_after_ms, 1_000, 600_000),
            ("seal.stop_after_ms", self.seal.stop_after_ms, 60_000, 86_400_000),
        ];
        let bounded = bounds.into_iter().chain(self.kafka.bounds()).chain(self.push.bounds());
        let bounded = bounded.chain(self.documents.bounds()).chain(self.webhook.bounds());
        let bounded = bounded.chain(self.traces.bounds());
        let mut wrong = outside(bounded.chain(self.vxp.bounds()).chain(self.grpc.bounds()));
        wrong.extend(self.other_mistakes());
        wrong
    }

    fn grpc_mistakes(&self) -> Vec<(&'static str, String, String)> {
        let grpc = &self.grpc;
        if grpc.listen.is_empty() {
            return Vec::new();
        }
        let mut wrong = Vec::new();
        if grpc.listen.parse::<SocketAddr>().is_err() {
            let mend = "write an address and a port, as in `127.0.0.1:8443`, or nothing".to_owned();
            wrong.push(("grpc.listen", "is no address and port".to_owned(), mend));
        }
        let files = [
            ("grpc.certificate", &grpc.certificate),
            ("grpc.key", &grpc.key),
            ("grpc.client_ca", &grpc.client_ca),
        ];
        for (path, _) in files.into_iter().filter(|(_, file)| file.as_os_str().is_empty()) {
            let mend = "name a PEM file; `lgsp ca init` and `lgsp ca issue` make them".to_owned();
            wrong.push((path, "is empty, and gRPC is served".to_owned(), mend));
        }
        wrong
    }

    /// What no least and most can say.
    fn other_mistakes(&self) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        if !matches!(self.ledger.pages_max, 0 | 64..=4_294_967_294) {
            let mend = "choose 0, or 64 to 4294967294".to_owned();
            wrong.push((
                "ledger.pages_max",
                format!("{} is out of bounds", self.ledger.pages_max),
                mend,
            ));
        }
        if !lgsp_ledger::is_ledger_name(&self.ledger.name) {
            let what = "is no name of a ledger".to_owned();
            let mend = "choose 1 to 64 characters out of a-z, 0-9, `-` and `.`".to_owned();
            wrong.push(("ledger.name", what, mend));
        }
        if self.registry.files.is_empty() {
            let mend = "name at least one file or folder".to_owned();
            wrong.push((
                "registry.files",
                "the list is empty: nobody could connect".to_owned(),
                mend,
            ));
        }
        if !self.metrics.listen.is_empty() && self.metrics.listen().is_none() {
            let mend = "write an address and a port, as in `127.0.0.1:9464`, or nothing".to_owned();
            wrong.push(("metrics.listen", "is no address and port".to_owned(), mend));
        }
        wrong.extend(self.traces.mistake());
        wrong.extend(self.grpc_mistakes());
        let try_ms = self
            .webhook
            .connect_timeout_ms
            .saturating_add(self.webhook.answer_timeout_ms);
        if self.webhook.calls_anybody() && !self.push.waits_for(try_ms) {
            let what = "is, with webhook.connect_timeout_ms, longer than push.answer_timeout_ms".to_owned();
            let mend = "shorten one of them, or let push.answer_timeout_ms be longer".to_owned();
            wrong.push(("webhook.answer_timeout_ms", what, mend));
        }
        if self.ledger.kind == LedgerKind::Kafka {
            wrong.extend(self.kafka.mistakes(self.vxp.answer_timeout_ms));
        }
        if let Err(error) = crate::log::directives(&self.log.filter) {
            let mend = "write a severity (error, warn, info, debug, trace) or directives like `info,lgsp=debug`";
            wrong.push(("log.filter", error, mend.to_owned()));
        }
        wrong
    }
}

/// Path, what is wrong, what to do.
type Wrong = (&'static str, String, String);

/// The numbers that are not within their bounds, of path, value, least and most.
fn outside(bounds: impl Iterator<Item = (&'static str, u64, u64, u64)>) -> Vec<Wrong> {
    bounds
        .filter(|(_, value, least, most)| !(least..=most).contains(&value))
        .map(|(path, value, least, most)| {
            (
                path,
                format!("{value} is out of bounds"),
                format!("choose {least} to {most}"),
            )
        })
        .collect()
}
