//! A gateway without a node: a test calls the processes itself, over real TLS.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lgsp_api::{
    Callers, Connection, Domain, Endpoint, Gateway, GatewaySettings, LimitSettings, Limits, ListenSettings, Listener,
    Server, ServerParts, Tls, TlsSettings, Tokens,
};
use lgsp_types::{
    AcknowledgeError, Acknowledged, AdapterId, AgencyCode, AgencyView, Arrivals, Attachment, Caller, ConnectorId,
    ContentError, ContentStream, DeliveryId, DocumentDate, Evidence, Exchange, FetchError, Fetched, History,
    MessageEvidence, MsgId, NodeStatus, ObjectReader, OpenDelivery, OpenQuery, Operations, Outcome, Publish,
    PublishError, Receipt, Rejection, Roster, SentMessage, SystemId, SystemView, Tables, Trace, Unavailable, UnixMs,
    Upload, UploadError, WithdrawError, Withdrawal,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::support::{run, to_lgsp};

/// The one system, and the connector that binds it.
pub(super) const SYSTEM: &str = "folder.test.93";
pub(super) const CONNECTOR: &str = "folder-93";

/// A gateway that lets `adapter/python-1` in.
pub(super) struct Host {
    folder: TempDir,
    pub(super) gateway: Gateway,
    pub(super) url: String,
    stop: CancellationToken,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Host {
    pub(super) async fn start(tasks: &TaskTracker) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let text = |name: &str| path(name).to_str().unwrap().to_owned();
        for arguments in [
            ["init", "--domain", "lgsp.test.vn", "--ca", &text("ca")].as_slice(),
            &[
                "issue",
                "--host",
                "127.0.0.1",
                "--out",
                &text("papers"),
                "--ca",
                &text("ca"),
            ],
            &[
                "issue",
                "--for",
                "adapter/python-1",
                "--out",
                &text("papers"),
                "--ca",
                &text("ca"),
            ],
        ] {
            let ended = run(to_lgsp(&[&["ca"], arguments].concat()));
            assert_eq!(ended.code, Some(0), "{ended:?}");
        }
        let clock: lgsp_types::Clock = Arc::new(now);
        let tls = TlsSettings {
            certificate: path("papers/server.pem"),
            key: path("papers/server.key"),
            client_ca: path("ca/ca.pem"),
            client_crls: vec![path("ca/crl.pem")],
            handshake_timeout_ms: 10_000,
            reload_interval_ms: 10_000,
        };
        let tls = Tls::open(tls, Arc::clone(&clock)).unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", tcp.local_addr().unwrap());
        let listen = ListenSettings {
            connections_max: 8,
            handshakes_max: 8,
        };
        let domain = Domain::parse("lgsp.test.vn").unwrap();
        let server = Server::new(parts(
            Callers::new(domain, Tokens::open(folder.path()).unwrap(), Arc::clone(&clock)),
            clock,
        ));
        let (stop, gateway) = (CancellationToken::new(), server.adapters());
        let (connected, connections) = mpsc::channel::<Connection>(8);
        tasks.spawn(Listener::new(tcp, tls, listen).run(connected, tasks.clone(), stop.clone()));
        let stopping = stop.clone();
        tasks.spawn(async move { server.serve(connections, stopping).await.unwrap() });
        Self {
            folder,
            gateway,
            url,
            stop,
        }
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        let path = |name: &str| self.folder.path().join(name);
        Endpoint {
            url: self.url.clone(),
            ca: path("ca/ca.pem"),
            certificate: Some((path("papers/adapter-python-1.pem"), path("papers/adapter-python-1.key"))),
            token: None,
        }
    }
}

/// Certificates are of today.
fn now() -> UnixMs {
    let now = time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
    UnixMs(u64::try_from(now).unwrap())
}

fn parts(callers: Callers, clock: lgsp_types::Clock) -> ServerParts {
    ServerParts {
        exchange: Arc::new(Nothing),
        objects: Arc::new(Nothing),
        operations: Arc::new(Nothing),
        roster: Arc::new(Nothing),
        gateway: GatewaySettings {
            node: SystemId::parse("host-1").unwrap(),
            program: String::from("host 1"),
            calls_in_flight_max: 8,
            object_max_bytes: 1024,
            health_interval_ms: 1_000,
        },
        callers,
        limits: Limits::new(LimitSettings {
            calls_per_second: 100,
            calls_burst: 100,
            bytes_in_flight_max: 1 << 24,
            node_bytes_in_flight_max: 1 << 24,
            streams_max: 8,
            node_streams_max: 8,
        }),
        clock,
        patience: Duration::from_secs(60),
        reflection: false,
    }
}

/// No exchange: whatever is asked of it cannot be answered now.
#[derive(Debug)]
struct Nothing;

fn nothing<T, E: From<Unavailable>>() -> Result<T, E> {
    Err(Unavailable::new("there is no exchange here").into())
}

#[async_trait]
impl Exchange for Nothing {
    async fn upload(&self, _caller: &Caller) -> Result<Box<dyn Upload>, UploadError> {
        nothing()
    }

    async fn publish(&self, _caller: &Caller, _publish: Publish) -> Result<Receipt, PublishError> {
        nothing()
    }

    async fn reject(&self, _caller: &Caller, _rejection: Rejection) -> Result<(), Unavailable> {
        nothing()
    }

    async fn open(&self, _caller: &Caller, _query: OpenQuery) -> Result<Vec<OpenDelivery>, Unavailable> {
        nothing()
    }

    async fn fetch(&self, _caller: &Caller, _delivery: DeliveryId) -> Result<Fetched, FetchError> {
        nothing()
    }

    async fn acknowledge(
        &self,
        _caller: &Caller,
        _delivery: DeliveryId,
        _outcome: Outcome,
        _evidence: Evidence,
    ) -> Result<Acknowledged, AcknowledgeError> {
        nothing()
    }

    async fn sent(&self, _caller: &Caller, _message: MsgId) -> Result<Option<SentMessage>, Unavailable> {
        nothing()
    }

    async fn withdraw(
        &self,
        _caller: &Caller,
        _message: MsgId,
        _to: Option<AgencyCode>,
    ) -> Result<Vec<Withdrawal>, WithdrawError> {
        nothing()
    }

    fn arrivals(&self) -> Arrivals {
        Box::pin(futures_util::stream::empty())
    }

    fn system(&self, _system: &SystemId) -> Option<SystemView> {
        None
    }

    fn agencies(&self, _as_of: DocumentDate) -> Vec<AgencyView> {
        Vec::new()
    }
}

#[async_trait]
impl ObjectReader for Nothing {
    async fn read(&self, object: &Attachment) -> Result<ContentStream, ContentError> {
        Err(ContentError::Damaged { digest: object.digest })
    }
}

#[async_trait]
impl Operations for Nothing {
    async fn trace(&self, _viewer: Option<&Caller>, _query: &str) -> Result<Trace, Unavailable> {
        nothing()
    }

    async fn evidence(&self, _viewer: Option<&Caller>, _id: MsgId) -> Result<Option<MessageEvidence>, Unavailable> {
        nothing()
    }

    async fn checkpoint(&self, _partition: u32) -> Result<Option<String>, Unavailable> {
        nothing()
    }

    async fn history(&self, _viewer: Option<&Caller>, _from: &[u64], _limit: u32) -> Result<History, Unavailable> {
        nothing()
    }

    async fn projected(&self) -> Result<Vec<u64>, Unavailable> {
        nothing()
    }

    async fn tables(&self) -> Result<Tables, Unavailable> {
        nothing()
    }

    async fn status(&self) -> Result<NodeStatus, Unavailable> {
        nothing()
    }
}

impl Roster for Nothing {
    fn systems(&self, adapter: &AdapterId) -> Option<Vec<SystemView>> {
        (adapter.as_str() == "python-1").then(|| {
            vec![SystemView {
                system: SystemId::parse(SYSTEM).unwrap(),
                agency: lgsp_types::AgencyId::parse("test.so-python").unwrap(),
                secret_ref: None,
                key_id: String::new(),
            }]
        })
    }

    fn speaks_as(&self, _adapter: &AdapterId, system: &SystemId) -> bool {
        system.as_str() == SYSTEM
    }

    fn connectors(&self, _system: &SystemId, kind: &str) -> Vec<ConnectorId> {
        let connector = ConnectorId::parse(CONNECTOR).unwrap();
        (kind == "folder").then_some(connector).into_iter().collect()
    }

    fn revision(&self) -> u64 {
        0
    }
}
