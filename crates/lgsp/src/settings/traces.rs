//! `[traces]`: where spans go, and how many.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use lgsp_types::Url;
use serde::Deserialize;

use super::Wrong;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Traces {
    endpoint: String,
    pub(crate) roots: PathBuf,
    pub(crate) sample_per_mille: u32,
    pub(crate) queue_spans_max: usize,
    timeout_ms: u64,
}

impl Traces {
    pub(super) fn bounds(&self) -> impl Iterator<Item = (&'static str, u64, u64, u64)> {
        [
            ("traces.sample_per_mille", self.sample_per_mille.into(), 0, 1_000),
            ("traces.queue_spans_max", self.queue_spans_max as u64, 16, 1_000_000),
            ("traces.timeout_ms", self.timeout_ms, 100, 60_000),
        ]
        .into_iter()
    }

    /// What no least and most can say.
    pub(super) fn mistake(&self) -> Option<Wrong> {
        if self.endpoint.is_empty() {
            return None;
        }
        let (what, mend) = match Url::parse(&self.endpoint) {
            Ok(url) if url.is_plain() && !is_this_machine(url.host()) => (
                "is plain HTTP to another machine".to_owned(),
                "write `https://…`, or name a collector on this machine",
            ),
            Ok(_) => return None,
            Err(error) => (
                error.to_string(),
                "write an address, as in `http://127.0.0.1:4318/v1/traces`, or nothing",
            ),
        };
        Some(("traces.endpoint", what, mend.to_owned()))
    }

    /// None: spans go nowhere.
    pub(crate) fn endpoint(&self) -> Option<Url> {
        Url::parse(&self.endpoint).ok()
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
