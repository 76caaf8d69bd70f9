//! The settings of pushing to webhooks; defaults and bounds stand in config/lgsp.toml under `[webhook]`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::allow::{HostPattern, Network};

/// Whom a node may call, and for how long it waits. An operator says so, not who edits the registry.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Hosts that may be called over HTTPS.
    pub hosts: Vec<HostPattern>,
    /// Hosts that may be called over plain HTTP as well.
    pub plain_hosts: Vec<HostPattern>,
    /// Of addresses that are not public, those that may be connected to.
    pub networks: Vec<Network>,
    /// PEM file of who signs the receivers' certificates; read again when it changes.
    pub roots: PathBuf,
    /// From the name to the end of the handshake, in milliseconds.
    pub connect_timeout_ms: u64,
    /// From the first byte of a request to the last of its answer, in milliseconds.
    pub answer_timeout_ms: u64,
    /// All files of one delivery together, in bytes.
    pub files_max_bytes: u64,
}

impl Settings {
    /// Path, value, least and most of every bounded number; whoever loads the settings refuses what is outside.
    #[must_use]
    pub fn bounds(&self) -> [(&'static str, u64, u64, u64); 3] {
        [
            ("webhook.connect_timeout_ms", self.connect_timeout_ms, 100, 60_000),
            ("webhook.answer_timeout_ms", self.answer_timeout_ms, 100, 600_000),
            ("webhook.files_max_bytes", self.files_max_bytes, 0, 1_073_741_824),
        ]
    }

    /// Whether any host may be called at all.
    #[must_use]
    pub fn calls_anybody(&self) -> bool {
        !(self.hosts.is_empty() && self.plain_hosts.is_empty())
    }

    pub(super) fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    pub(super) fn answer_timeout(&self) -> Duration {
        Duration::from_millis(self.answer_timeout_ms)
    }
}
