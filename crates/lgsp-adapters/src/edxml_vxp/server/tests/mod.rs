//! The façade over real sockets, with the vendor-like client as its far side.

mod double;
mod errors;
mod fetching;
mod operations;
mod sending;
mod transport;
mod vectors;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lgsp_types::{AgencyCode, AgencyId, AgencyView, SystemId, SystemView, UnixMs};
use serde::Deserialize;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use double::{Double, Shared};

use super::{Server, Settings};
use crate::edxml_vxp::client::Service;
use crate::edxml_vxp::client::builder::{DocumentPacket, Organ, StatusPacket};
use crate::edxml_vxp::client::sign::Timestamp;

/// Longest wait of a test for something to happen.
const WAIT: Duration = Duration::from_secs(20);
/// The two systems that tests know: the department of information (H62.11) and of justice (H62.14).
const INFORMATION: &str = "vxp.test.11";
const JUSTICE: &str = "vxp.test.14";

/// What the folder shows as configuration; all tests run with it, but for what they are about.
const EXAMPLE: &str = include_str!("../../example.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    vxp: Settings,
}

#[test]
fn the_example_configuration_is_within_its_bounds() {
    let Example { vxp } = toml::from_str(EXAMPLE).unwrap();
    for (path, value, least, most) in vxp.bounds() {
        assert!((least..=most).contains(&value), "{path}");
        let name = path.strip_prefix("vxp.").unwrap();
        assert!(
            EXAMPLE.contains(&format!(" {least} to {most}.\n{name} = ")),
            "{path}: {least} to {most}"
        );
    }
}

fn code(text: &str) -> AgencyCode {
    AgencyCode::parse(text).unwrap()
}

fn system(name: &str) -> SystemId {
    SystemId::parse(name).unwrap()
}

fn secret_of(name: &str) -> String {
    format!("bi-mat-cua-{name}")
}

/// A façade that listens, over an exchange that only remembers.
struct Facade {
    address: SocketAddr,
    exchange: Arc<Double>,
    secrets: tempfile::TempDir,
    stop: CancellationToken,
    served: Option<JoinHandle<()>>,
    runtime: Runtime,
}

impl Facade {
    fn start() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let Example { vxp: mut settings } = toml::from_str(EXAMPLE).unwrap();
        settings.listen = Some("127.0.0.1:0".parse().unwrap());
        change(&mut settings);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let exchange = Arc::new(Double::new());
        let secrets = tempfile::tempdir().unwrap();
        let port = Arc::new(Shared(Arc::clone(&exchange)));
        let clock = Arc::new(|| UnixMs(1_795_427_566_000));
        let inside = runtime.enter();
        let server = Server::bind(&settings, secrets.path(), Arc::clone(&port) as _, port, clock).unwrap();
        drop(inside);
        let address = server.local_addr();
        let stop = CancellationToken::new();
        let served = runtime.spawn(server.serve(stop.clone(), WAIT));
        let facade = Self {
            address,
            exchange,
            secrets,
            stop,
            served: Some(served),
            runtime,
        };
        for (name, agency) in [(INFORMATION, "H62.11"), (JUSTICE, "H62.14")] {
            facade.know(name, &secret_of(name));
            facade.exchange.state().receivers.insert(code(agency), system(name));
        }
        facade
    }

    /// Makes a system known, and its secret.
    fn know(&self, name: &str, secret: &str) {
        let view = SystemView {
            system: system(name),
            agency: AgencyId::parse("test").unwrap(),
            secret_ref: Some(name.to_owned()),
            key_id: format!("key-of-{name}"),
        };
        self.exchange.state().systems.insert(system(name), view);
        self.write_secret(name, "current", secret);
    }

    fn write_secret(&self, name: &str, which: &str, secret: &str) -> PathBuf {
        let folder = self.secrets.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        // Renamed into place, as whoever rotates secrets should.
        let path = folder.join("written");
        std::fs::write(&path, secret).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::rename(&path, folder.join(which)).unwrap();
        folder.join(which)
    }

    fn service(&self, name: &str) -> Service {
        self.service_at("", name, &secret_of(name))
    }

    /// A service object whose endpoint has this path behind host and port.
    fn service_at(&self, path: &str, name: &str, secret: &str) -> Service {
        let url = format!("http://{}{path}", self.address);
        let timestamp = Timestamp::written("23112026T164020+0389");
        Service::new(&url, name, secret, &timestamp)
            .unwrap()
            .time_limit(Some(WAIT))
    }

    /// Stops and waits for the end.
    fn end(mut self) {
        self.stop.cancel();
        let served = self.served.take().unwrap();
        self.runtime
            .block_on(async { tokio::time::timeout(WAIT, served).await })
            .unwrap()
            .unwrap();
    }
}

impl Drop for Facade {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn agency(id: &str, old: Option<&str>, new: Option<&str>) -> AgencyView {
    AgencyView {
        agency: AgencyId::parse(id).unwrap(),
        name: format!("Sở {id}"),
        parent: None,
        code: new.map(code),
        old_code: old.map(code),
        mail: String::new(),
        closed: false,
    }
}

/// A document of the department of information to that of justice.
fn document() -> DocumentPacket {
    DocumentPacket {
        from: Organ::new("H62.11", "Sở Thông tin"),
        to: vec![Organ::new("H62.14", "Sở Tư pháp")],
        number: "2451".to_owned(),
        notation: "STTTT-CNTT".to_owned(),
        place: "Vĩnh Phúc".to_owned(),
        date: "2026/11/20".to_owned(),
        type_name: "Công văn".to_owned(),
        subject: "V/v thử nghiệm".to_owned(),
        ..DocumentPacket::default()
    }
}

fn written(document: &DocumentPacket) -> Vec<u8> {
    let mut packet = Vec::new();
    document.write(&mut packet).unwrap();
    packet
}

/// That of justice says that it has the document.
fn status() -> Vec<u8> {
    let status = StatusPacket {
        from: Organ::new("H62.14", "Sở Tư pháp"),
        response_for: document().referred_to(),
        status_code: "01".to_owned(),
        description: "Đã đến".to_owned(),
        timestamp: "2026/11/20 08:20:10".to_owned(),
        ..StatusPacket::default()
    };
    let mut packet = Vec::new();
    status.write(&mut packet).unwrap();
    packet
}
