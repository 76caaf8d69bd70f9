//! The settings of `lgsp adapter`: config/adapter.toml is the default and the reference.

use std::path::PathBuf;
use std::time::Duration;

use lgsp_adapters::edxml_vxp::server;
use lgsp_api::{Endpoint, RemoteSettings};
use lgsp_types::SystemId;
use serde::Deserialize;

use super::layers::{Layers, Reference};
use super::{Log, Problems, Wrong, outside};

/// The file that is built in.
pub(super) const REFERENCE: Reference = Reference {
    name: "config/adapter.toml",
    text: include_str!("../../../../config/adapter.toml"),
};

/// Everything that can be set. There is no `Default`: the defaults are config/adapter.toml.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) adapter: Adapter,
    pub(crate) log: Log,
    node: Node,
    pub(crate) vxp: server::Settings,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Adapter {
    kind: Kind,
    systems: Vec<SystemId>,
    pub(crate) secrets_dir: PathBuf,
    stop_grace_ms: u64,
}

/// The adapters that run as processes.
#[derive(Clone, Copy, Debug, Deserialize)]
enum Kind {
    #[serde(rename = "edxml-vxp")]
    EdxmlVxp,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::EdxmlVxp => "edxml-vxp",
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Node {
    url: String,
    ca: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
    connect_wait_ms: u64,
    answer_timeout_ms: u64,
    retry_first_ms: u64,
    retry_max_ms: u64,
}

impl Settings {
    /// Reads the reference, the file and the environment, and checks all of it.
    ///
    /// # Errors
    /// [`Problems`]: every problem found, each with its place and what to do.
    pub(crate) fn load(
        file: Option<&std::path::Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Problems> {
        let layers = Layers::read(REFERENCE, file, environment)?;
        let settings: Self = layers.settings()?;
        let wrong = settings.wrong();
        if wrong.is_empty() {
            return Ok(settings);
        }
        let wrong = wrong.into_iter();
        Err(Problems(
            wrong
                .map(|(path, what, mend)| layers.problem(path, what, mend))
                .collect(),
        ))
    }

    pub(crate) fn stop_grace(&self) -> Duration {
        Duration::from_millis(self.adapter.stop_grace_ms)
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint {
            url: self.node.url.clone(),
            ca: self.node.ca.clone(),
            certificate: Some((self.node.certificate.clone(), self.node.key.clone())),
            token: None,
        }
    }

    pub(crate) fn remote(&self, program: &str) -> RemoteSettings {
        RemoteSettings {
            program: program.to_owned(),
            kind: self.adapter.kind.name().to_owned(),
            systems: self.adapter.systems.clone(),
            connect_wait: Duration::from_millis(self.node.connect_wait_ms),
            answer_timeout: Duration::from_millis(self.node.answer_timeout_ms),
            retry_first: Duration::from_millis(self.node.retry_first_ms),
            retry_max: Duration::from_millis(self.node.retry_max_ms),
        }
    }

    fn wrong(&self) -> Vec<Wrong> {
        let node = &self.node;
        let bounds = [
            ("adapter.stop_grace_ms", self.adapter.stop_grace_ms, 1_000, 600_000),
            ("node.connect_wait_ms", node.connect_wait_ms, 1, 60_000),
            ("node.answer_timeout_ms", node.answer_timeout_ms, 1_000, 600_000),
            ("node.retry_first_ms", node.retry_first_ms, 10, 10_000),
            ("node.retry_max_ms", node.retry_max_ms, 100, 60_000),
        ];
        let mut wrong = outside(bounds.into_iter().chain(self.vxp.bounds()));
        let named = [
            ("node.url", node.url.is_empty()),
            ("node.ca", node.ca.as_os_str().is_empty()),
            ("node.certificate", node.certificate.as_os_str().is_empty()),
            ("node.key", node.key.as_os_str().is_empty()),
            ("vxp.listen", self.vxp.listen.is_none()),
        ];
        for (path, _) in named.into_iter().filter(|(_, missing)| *missing) {
            let mend = "set it: an adapter is nothing without it".to_owned();
            wrong.push((path, "is empty".to_owned(), mend));
        }
        if let Err(error) = crate::log::directives(&self.log.filter) {
            let mend = "write a severity (error, warn, info, debug, trace) or directives like `info,lgsp=debug`";
            wrong.push(("log.filter", error, mend.to_owned()));
        }
        wrong
    }
}
