//! TLS 1.3 from PEM files that change while the node runs: no restart, no dropped call, a bad file changes nothing.

mod load;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use lgsp_types::{Clock, UnixMs};
use rustls::pki_types::{CertificateDer, UnixTime};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, timeout};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::certificate::Peer;
pub use load::TlsError;
use load::{Fingerprint, Loaded};

/// Where the certificates are, and how often we look. Source of the limits: reliability.md, threats 30, 31 and 34.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// The node's own certificate, then those between it and its root.
    pub certificate: PathBuf,
    /// The key of the node's certificate; mode 0600.
    pub key: PathBuf,
    /// The roots of client certificates: our own only, never the world's.
    pub client_ca: PathBuf,
    /// Lists of revoked client certificates, one of each authority in a chain. None: nothing is ever revoked.
    pub client_crls: Vec<PathBuf>,
    /// From the first byte to the end of the handshake.
    pub handshake_timeout_ms: u64,
    /// How often the files are read again; a revoked certificate is refused within this time.
    pub reload_interval_ms: u64,
}

/// The node's TLS. Cheap to clone: all clones see a reload at once.
#[derive(Clone)]
pub struct Tls {
    inner: Arc<Inner>,
}

struct Inner {
    settings: TlsSettings,
    clock: Clock,
    loaded: ArcSwap<Loaded>,
    /// Reloads take turns.
    turn: Mutex<Seen>,
}

struct Seen {
    in_force: Fingerprint,
    /// The trouble that [`Tls::watch`] said last, so that it is said once.
    said: Option<String>,
}

/// What a look at the files brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    Unchanged,
    /// New connections take the new files; older ones go on, if their certificates are still good.
    Changed,
}

/// Why there is no connection. Only counted: whoever has no certificate yet is nobody.
#[derive(Debug, Error)]
pub enum HandshakeError {
    #[error("the handshake took longer than allowed")]
    TooSlow,
    #[error("the handshake failed")]
    Failed(#[source] std::io::Error),
}

impl Tls {
    /// Reads every file once.
    ///
    /// # Errors
    /// [`TlsError`] names the file and what to do; do not start.
    pub fn open(settings: TlsSettings, clock: Clock) -> Result<Self, TlsError> {
        let files = load::read(&settings)?;
        let in_force = files.fingerprint();
        let loaded = ArcSwap::from_pointee(Loaded::build(&settings, &files, &clock, 0)?);
        let turn = Mutex::new(Seen { in_force, said: None });
        Ok(Self {
            inner: Arc::new(Inner {
                settings,
                clock,
                loaded,
                turn,
            }),
        })
    }

    /// Reads the files again, as [`Self::watch`] does by itself. All of them: their times and sizes may lie, and they are small.
    ///
    /// # Errors
    /// [`TlsError`]: what was in force stays in force.
    pub fn reload(&self) -> Result<Reload, TlsError> {
        let mut seen = self.inner.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.reload_in_turn(&mut seen)
    }

    fn reload_in_turn(&self, seen: &mut Seen) -> Result<Reload, TlsError> {
        let files = load::read(&self.inner.settings)?;
        let found = files.fingerprint();
        if found == seen.in_force {
            return Ok(Reload::Unchanged);
        }
        let generation = self.generation() + 1;
        let loaded = Loaded::build(&self.inner.settings, &files, &self.inner.clock, generation)?;
        self.inner.loaded.store(Arc::new(loaded));
        seen.in_force = found;
        Ok(Reload::Changed)
    }

    /// Reads the files at each interval until told to stop. Between two files of one rotation they do not fit together:
    /// the old ones stay, and the next look finds the new pair.
    pub async fn watch(&self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(Duration::from_millis(self.inner.settings.reload_interval_ms.max(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! { () = stop.cancelled() => return, _ = ticks.tick() => {} }
            let tls = self.clone();
            // A panic there would be ours to see in the tests; the next look is the best that can be done.
            drop(tokio::task::spawn_blocking(move || tls.look()).await);
        }
    }

    /// One look of [`Self::watch`]: says what changed, and the same trouble only once.
    fn look(&self) {
        let mut seen = self.inner.turn.lock().unwrap_or_else(PoisonError::into_inner);
        match self.reload_in_turn(&mut seen) {
            Ok(reload) => {
                seen.said = None;
                if reload == Reload::Changed {
                    info!("certificates reloaded");
                }
            }
            Err(error) => {
                let trouble = Some(error.to_string());
                if seen.said != trouble {
                    warn!(
                        error = &error as &dyn std::error::Error,
                        "new certificates not used, the old ones stay in force"
                    );
                }
                seen.said = trouble;
            }
        }
    }

    /// Shakes hands with a far side that connected. A certificate is asked for; none is needed, a bad one ends it.
    ///
    /// # Errors
    /// [`HandshakeError`]: the connection is closed. Not cancel safe: what was read is lost with it.
    pub async fn accept(&self, tcp: TcpStream) -> Result<(TlsStream<TcpStream>, Peer), HandshakeError> {
        let address = tcp.peer_addr().map_err(HandshakeError::Failed)?;
        let loaded = self.inner.loaded.load_full();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(&loaded.config));
        let limit = Duration::from_millis(self.inner.settings.handshake_timeout_ms);
        let stream = timeout(limit, acceptor.accept(tcp))
            .await
            .map_err(|_| HandshakeError::TooSlow)?
            .map_err(HandshakeError::Failed)?;
        let chain = stream.get_ref().1.peer_certificates();
        let peer = Peer::new(self, address, chain, loaded.generation);
        Ok((stream, peer))
    }

    pub(super) fn now(&self) -> UnixMs {
        (self.inner.clock)()
    }

    /// Grows with each change of the files.
    pub(super) fn generation(&self) -> u64 {
        self.inner.loaded.load().generation
    }

    pub(super) fn verify_again_after(&self) -> UnixMs {
        UnixMs(self.inner.settings.reload_interval_ms)
    }

    /// Is this client's chain good now, by the files in force?
    pub(super) fn verify(&self, chain: &[CertificateDer<'_>], now: UnixMs) -> Result<(), rustls::Error> {
        let (first, between) = chain.split_first().ok_or(rustls::Error::NoCertificatesPresented)?;
        let now = UnixTime::since_unix_epoch(Duration::from_millis(now.0));
        let verifier = Arc::clone(&self.inner.loaded.load().clients);
        verifier.verify_client_cert(first, between, now).map(drop)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Tls")
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}
