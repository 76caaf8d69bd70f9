//! The façade's settings: raw numbers with their units; defaults and bounds stand in config/lgsp.toml under `[vxp]`.

use std::net::SocketAddr;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// How the façade listens and what it bears.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Address and port of the plain HTTP/1.1 port; TLS is ended before it. Port 0: any free one. None, an empty text: no
    /// façade is served.
    #[serde(deserialize_with = "address")]
    pub listen: Option<SocketAddr>,
    /// Largest packet, in bytes, without the CR LF behind it.
    pub body_max_bytes: u64,
    /// Largest request head (request line and headers together), in bytes.
    pub headers_max_bytes: u64,
    /// Connections served at one time; more wait to be taken up.
    pub connections_max: u64,
    /// Packets that come in at one time; more are told to come again (axis error 20).
    pub send_in_flight_max: u64,
    /// From the first byte of a request to the end of its head, in milliseconds.
    pub header_timeout_ms: u64,
    /// A connection without a request is closed after so long, in milliseconds.
    pub idle_timeout_ms: u64,
    /// A far side that sends less than 64 KiB, or takes nothing, in so long is cut off, in milliseconds.
    pub no_progress_timeout_ms: u64,
    /// Longest wait for the exchange's answer to one call, in milliseconds; then "send again" (axis error 20).
    pub answer_timeout_ms: u64,
    /// Most rows of one list; what is beyond shows when earlier items were acknowledged.
    pub list_max: u64,
}

impl Settings {
    /// Path, value, least and most of every bounded number; whoever loads the settings refuses what is outside.
    #[must_use]
    pub fn bounds(&self) -> [(&'static str, u64, u64, u64); 9] {
        const GIB: u64 = 1024 * 1024 * 1024;
        [
            ("vxp.body_max_bytes", self.body_max_bytes, 1_024, 10 * GIB),
            ("vxp.headers_max_bytes", self.headers_max_bytes, 4_096, 131_072),
            ("vxp.connections_max", self.connections_max, 1, 65_536),
            ("vxp.send_in_flight_max", self.send_in_flight_max, 1, 4_096),
            ("vxp.header_timeout_ms", self.header_timeout_ms, 100, 60_000),
            ("vxp.idle_timeout_ms", self.idle_timeout_ms, 100, 30_000),
            ("vxp.no_progress_timeout_ms", self.no_progress_timeout_ms, 100, 600_000),
            ("vxp.answer_timeout_ms", self.answer_timeout_ms, 1_000, 600_000),
            ("vxp.list_max", self.list_max, 1, 10_000),
        ]
    }

    pub(super) fn header_timeout(&self) -> Duration {
        Duration::from_millis(self.header_timeout_ms)
    }

    pub(super) fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout_ms)
    }

    pub(super) fn no_progress_timeout(&self) -> Duration {
        Duration::from_millis(self.no_progress_timeout_ms)
    }

    pub(super) fn answer_timeout(&self) -> Duration {
        Duration::from_millis(self.answer_timeout_ms)
    }
}

fn address<'de, D: Deserializer<'de>>(text: D) -> Result<Option<SocketAddr>, D::Error> {
    match String::deserialize(text)?.as_str() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(D::Error::custom),
    }
}

/// A bounded setting as a count of things in memory.
pub(super) fn count(setting: u64) -> usize {
    usize::try_from(setting).unwrap_or(usize::MAX)
}
