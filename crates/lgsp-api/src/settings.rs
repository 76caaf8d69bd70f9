//! The gRPC server's settings: raw numbers with their units; defaults and bounds stand in config/lgsp.toml under `[grpc]`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::identity::certificate::Domain;
use crate::identity::limits::LimitSettings;
use crate::identity::listen::ListenSettings;
use crate::identity::tls::TlsSettings;

/// How gRPC is served and what it bears.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Address and port. Empty: gRPC is not served. Port 0: any free one.
    pub listen: String,
    /// What the names in callers' certificates begin with: `lgsp://<domain>/`.
    pub domain: Domain,
    /// PEM file of the node's own certificate, then those between it and its root.
    pub certificate: PathBuf,
    /// PEM file of the key of that certificate; mode 0600.
    pub key: PathBuf,
    /// PEM file of the roots of callers' certificates: our own only.
    pub client_ca: PathBuf,
    /// PEM files of lists of revoked certificates, one of each authority in a chain.
    pub client_crls: Vec<PathBuf>,
    /// From the first byte to the end of the handshake, in milliseconds.
    pub handshake_timeout_ms: u64,
    /// How often the files are read again, in milliseconds.
    pub reload_interval_ms: u64,
    /// Connections served at one time; more wait outside.
    pub connections_max: u32,
    /// Handshakes at one time; more wait outside.
    pub handshakes_max: u32,
    /// Calls, and messages of streams, per caller and second.
    pub calls_per_second: u32,
    /// Calls that may come at once after a pause.
    pub calls_burst: u32,
    /// Bytes of requests and answers in flight per caller.
    pub bytes_in_flight_max: u64,
    /// Bytes of requests and answers in flight in the whole node.
    pub node_bytes_in_flight_max: u64,
    /// Open streams per caller.
    pub streams_max: u32,
    /// Open streams in the whole node.
    pub node_streams_max: u32,
    /// Unanswered calls of one stream of an adapter process, in each direction.
    pub adapter_calls_in_flight_max: u32,
    /// How often an adapter process and the node say that they live, in milliseconds; three missed end the stream.
    pub adapter_health_interval_ms: u32,
    /// A far side that brings no whole request, or takes nothing, in so long is cut off, in milliseconds.
    pub no_progress_timeout_ms: u64,
    /// Whether callers may ask what services there are.
    pub reflection: bool,
}

impl Settings {
    /// Path, value, least and most of every bounded number; whoever loads the settings refuses what is outside.
    #[must_use]
    pub fn bounds(&self) -> [(&'static str, u64, u64, u64); 13] {
        const MIB: u64 = 1024 * 1024;
        [
            ("grpc.handshake_timeout_ms", self.handshake_timeout_ms, 100, 60_000),
            ("grpc.reload_interval_ms", self.reload_interval_ms, 100, 60_000),
            ("grpc.connections_max", self.connections_max.into(), 1, 65_536),
            ("grpc.handshakes_max", self.handshakes_max.into(), 1, 4_096),
            ("grpc.calls_per_second", self.calls_per_second.into(), 1, 1_000_000),
            ("grpc.calls_burst", self.calls_burst.into(), 1, 1_000_000),
            (
                "grpc.bytes_in_flight_max",
                self.bytes_in_flight_max,
                2 * MIB,
                1024 * MIB,
            ),
            (
                "grpc.node_bytes_in_flight_max",
                self.node_bytes_in_flight_max,
                2 * MIB,
                8192 * MIB,
            ),
            ("grpc.streams_max", self.streams_max.into(), 1, 10_000),
            ("grpc.node_streams_max", self.node_streams_max.into(), 1, 100_000),
            (
                "grpc.adapter_calls_in_flight_max",
                self.adapter_calls_in_flight_max.into(),
                1,
                4_096,
            ),
            (
                "grpc.adapter_health_interval_ms",
                self.adapter_health_interval_ms.into(),
                1_000,
                60_000,
            ),
            ("grpc.no_progress_timeout_ms", self.no_progress_timeout_ms, 100, 600_000),
        ]
    }

    #[must_use]
    pub fn tls(&self) -> TlsSettings {
        TlsSettings {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            client_ca: self.client_ca.clone(),
            client_crls: self.client_crls.clone(),
            handshake_timeout_ms: self.handshake_timeout_ms,
            reload_interval_ms: self.reload_interval_ms,
        }
    }

    #[must_use]
    pub fn door(&self) -> ListenSettings {
        ListenSettings {
            connections_max: self.connections_max,
            handshakes_max: self.handshakes_max,
        }
    }

    #[must_use]
    pub fn patience(&self) -> Duration {
        Duration::from_millis(self.no_progress_timeout_ms)
    }

    #[must_use]
    pub fn limits(&self) -> LimitSettings {
        LimitSettings {
            calls_per_second: self.calls_per_second,
            calls_burst: self.calls_burst,
            bytes_in_flight_max: self.bytes_in_flight_max,
            node_bytes_in_flight_max: self.node_bytes_in_flight_max,
            streams_max: self.streams_max,
            node_streams_max: self.node_streams_max,
        }
    }
}
