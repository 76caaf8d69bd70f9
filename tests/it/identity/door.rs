//! The door of a node with a little service behind it: each line asked is answered with who asked, or with a code.
//!
//! A line: the scope that is needed, a blank, then values of `authorization` with tabs between, or nothing.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lgsp_api::{
    Callers, Connection, Domain, ListenSettings, Listener, Peer, Principal, Scope, Tls, TlsSettings, Tokens,
};
use lgsp_types::{Refusal, UnixMs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::paper::{DOMAIN, Paper, Shown, chain};

/// Longest wait for anything of the door.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
pub(super) const HANDSHAKE_TIMEOUT_MS: u64 = 1000;

pub(super) struct Door {
    pub(super) address: SocketAddr,
    pub(super) tls: Tls,
    roots: Arc<RootCertStore>,
    /// How far the door's clock is ahead.
    ahead_ms: Arc<AtomicU64>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Door {
    /// A door that looks at its files every few milliseconds.
    pub(super) async fn open(paper: &Paper) -> Self {
        Self::start(paper, true, 100).await
    }

    /// A door that looks at its files when told.
    pub(super) async fn open_unwatched(paper: &Paper) -> Self {
        Self::start(paper, false, 100).await
    }

    pub(super) async fn open_with(paper: &Paper, connections_max: u32) -> Self {
        Self::start(paper, false, connections_max).await
    }

    async fn start(paper: &Paper, watched: bool, connections_max: u32) -> Self {
        let settings = TlsSettings {
            certificate: paper.file("node/server.pem"),
            key: paper.file("node/server.key"),
            client_ca: paper.file("ca/ca.pem"),
            client_crls: vec![paper.file("ca/crl.pem")],
            handshake_timeout_ms: HANDSHAKE_TIMEOUT_MS,
            reload_interval_ms: 20,
        };
        let ahead_ms = Arc::new(AtomicU64::new(0));
        let clock: lgsp_types::Clock = {
            let ahead_ms = Arc::clone(&ahead_ms);
            Arc::new(move || UnixMs(now_ms() + ahead_ms.load(Ordering::Acquire)))
        };
        let tls = Tls::open(settings, Arc::clone(&clock)).unwrap();
        let tokens = Tokens::open(&paper.file("data")).unwrap();
        let callers = Arc::new(Callers::new(Domain::parse(DOMAIN).unwrap(), tokens, clock));
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let (sender, connections) = mpsc::channel(16);
        let limits = ListenSettings {
            connections_max,
            handshakes_max: 64,
        };
        tasks.spawn(Listener::new(tcp, tls.clone(), limits).run(sender, tasks.clone(), stop.clone()));
        tasks.spawn(serve(connections, callers, tasks.clone(), stop.clone()));
        if watched {
            let (tls, stop) = (tls.clone(), stop.clone());
            tasks.spawn(async move { tls.watch(stop).await });
        }
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(paper.file("ca/ca.pem")).unwrap())
            .unwrap();
        Self {
            address,
            tls,
            roots: Arc::new(roots),
            ahead_ms,
            tasks,
            stop,
        }
    }

    /// Lets time pass for the door only.
    pub(super) fn wait_ms(&self, ms: u64) {
        self.ahead_ms.fetch_add(ms, Ordering::AcqRel);
    }

    /// A client as a department would write it.
    pub(super) fn client(&self, shown: Option<&Shown>, protocol: &[u8]) -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(Arc::clone(&self.roots));
        let mut client = match shown {
            Some(shown) => client
                .with_client_auth_cert(shown.chain.clone(), shown.key.clone_key())
                .unwrap(),
            None => client.with_no_client_auth(),
        };
        client.alpn_protocols = vec![protocol.to_vec()];
        Arc::new(client)
    }

    /// A connection that was answered once, as a client learns of a refused certificate only then.
    pub(super) async fn connect(&self, shown: Option<&Shown>) -> io::Result<Call> {
        self.connect_as(self.client(shown, b"h2")).await
    }

    pub(super) async fn connect_as(&self, client: Arc<ClientConfig>) -> io::Result<Call> {
        let connecting = async {
            let tcp = TcpStream::connect(self.address).await?;
            let name = ServerName::try_from("localhost").unwrap();
            let stream = TlsConnector::from(client).connect(name, tcp).await?;
            let mut call = Call {
                stream: BufReader::new(stream),
            };
            call.try_ask("").await?;
            Ok(call)
        };
        tokio::time::timeout(PATIENCE, connecting).await.unwrap()
    }

    /// Why there is no connection.
    pub(super) async fn refused(&self, shown: Option<&Shown>) -> String {
        chain(&self.connect(shown).await.expect_err("it was let in"))
    }

    /// Everything at the door ends when told to.
    pub(super) async fn close(self) {
        self.stop.cancel();
        self.tasks.close();
        tokio::time::timeout(PATIENCE, self.tasks.wait()).await.unwrap();
    }
}

/// A client's connection.
#[derive(Debug)]
pub(super) struct Call {
    stream: BufReader<TlsStream<TcpStream>>,
}

impl Call {
    pub(super) async fn ask(&mut self, line: &str) -> String {
        let asked = tokio::time::timeout(PATIENCE, self.try_ask(line)).await;
        asked.unwrap().unwrap()
    }

    async fn try_ask(&mut self, line: &str) -> io::Result<String> {
        self.stream.write_all(format!("{line}\n").as_bytes()).await?;
        self.stream.flush().await?;
        let mut answer = String::new();
        if self.stream.read_line(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(answer.trim_end().to_owned())
    }

    /// The certificate that the door showed.
    pub(super) fn server(&self) -> Vec<u8> {
        let session = self.stream.get_ref().get_ref().1;
        session.peer_certificates().unwrap()[0].to_vec()
    }
}

async fn serve(
    mut connections: mpsc::Receiver<Connection>,
    callers: Arc<Callers>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    loop {
        let connection = tokio::select! { () = stop.cancelled() => return, next = connections.recv() => next };
        let Some(connection) = connection else { return };
        let (callers, stop) = (Arc::clone(&callers), stop.clone());
        tasks.spawn(async move {
            tokio::select! { () = stop.cancelled() => {}, () = answer(connection, &callers) => {} }
        });
    }
}

async fn answer(connection: Connection, callers: &Callers) {
    let peer = connection.peer().clone();
    let mut stream = BufReader::new(connection);
    let mut line = String::new();
    while let Ok(1..) = (&mut stream).take(4096).read_line(&mut line).await {
        let said = said(line.trim_end_matches('\n'), &peer, callers);
        if stream.write_all(format!("{said}\n").as_bytes()).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        line.clear();
    }
}

fn said(line: &str, peer: &Peer, callers: &Callers) -> String {
    if line.is_empty() {
        return String::from("here");
    }
    let (scope, values) = line.split_once(' ').unwrap_or((line, ""));
    let values = values.split('\t').filter(|value| !value.is_empty()).map(str::as_bytes);
    let identified: Result<Principal, Refusal> = callers.identify(peer, values).map_err(|error| error.refusal());
    let allowed = identified.and_then(|caller| caller.need(Scope::parse(scope).unwrap()).map(|()| caller));
    match allowed {
        Ok(caller) => caller.who().to_string(),
        Err(refusal) => refusal.code.to_string(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests' clock, as the certificates are of today"
)]
fn now_ms() -> u64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    u64::try_from(since.as_millis()).unwrap()
}
