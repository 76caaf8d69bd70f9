//! From an address to a connection: only to whom an operator allows, to an address that was looked at, with TLS.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use lgsp_files::Stamp;
use lgsp_types::Url;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::allow::is_allowed;
use super::settings::Settings;
use super::trouble::{
    ADDRESS_FORBIDDEN, CONNECT_FAILED, CONNECT_LATE, HOST_NOT_ALLOWED, NAME_UNKNOWN, PLAIN_NOT_ALLOWED,
    TLS_CERTIFICATE, TLS_FAILED, TLS_ROOTS, Trouble,
};

/// Addresses of one name that are tried, one after another.
const ADDRESSES_MAX: usize = 4;

/// A connection, with TLS or without.
pub(super) trait Link: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Link for T {}

/// Why the roots of receivers' certificates cannot be used.
#[derive(Debug, Error)]
enum RootsError {
    #[error("{path}, which webhook.roots names, cannot be read")]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path}, which webhook.roots names, holds no certificate in PEM form")]
    Empty { path: PathBuf },
    #[error("the TLS provider has no TLS 1.2 and 1.3")]
    Provider(#[source] rustls::Error),
}

/// What was made of the file of roots, and of which.
type Known = Mutex<Option<(Stamp, Arc<ClientConfig>)>>;

/// Connects to receivers.
pub(super) struct Reach {
    settings: Settings,
    tls: Arc<Known>,
}

impl Reach {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            settings: settings.clone(),
            tls: Arc::default(),
        }
    }

    /// The name is resolved once; the connection goes to an address that was looked at, never to the name.
    pub(super) async fn connect(&self, url: &Url) -> Result<Box<dyn Link>, Trouble> {
        self.allowed(url)?;
        let connecting = timeout(self.settings.connect_timeout(), self.connect_in_time(url));
        connecting.await.map_err(Trouble::by(CONNECT_LATE))?
    }

    fn allowed(&self, url: &Url) -> Result<(), Trouble> {
        let named = |hosts: &[super::HostPattern]| hosts.iter().any(|host| host.covers(url.host()));
        let plain = named(&self.settings.plain_hosts);
        match url.is_plain() {
            true if plain => Ok(()),
            false if plain || named(&self.settings.hosts) => Ok(()),
            true if named(&self.settings.hosts) => Err(Trouble::new(PLAIN_NOT_ALLOWED)),
            true | false => Err(Trouble::new(HOST_NOT_ALLOWED)),
        }
    }

    async fn connect_in_time(&self, url: &Url) -> Result<Box<dyn Link>, Trouble> {
        let addresses = self.resolve(url).await?;
        let tcp = connect_to(&addresses).await.map_err(Trouble::by(CONNECT_FAILED))?;
        // A small request is one packet; a large one is written in large pieces.
        tcp.set_nodelay(true).map_err(Trouble::by(CONNECT_FAILED))?;
        if url.is_plain() {
            return Ok(Box::new(tcp));
        }
        let name = ServerName::try_from(url.host().to_owned()).map_err(Trouble::by(TLS_CERTIFICATE))?;
        let connector = TlsConnector::from(self.tls().await?);
        let tls = connector.connect(name, tcp).await.map_err(|error| {
            let reason = if is_of_certificate(&error) {
                TLS_CERTIFICATE
            } else {
                TLS_FAILED
            };
            Trouble::by(reason)(error)
        })?;
        Ok(Box::new(tls))
    }

    /// All addresses of a name have to be allowed: which of them is taken is not for the name's owner to play with.
    async fn resolve(&self, url: &Url) -> Result<Vec<SocketAddr>, Trouble> {
        let found = lookup_host((url.host(), url.port())).await;
        let addresses: Vec<SocketAddr> = found.map_err(Trouble::by(NAME_UNKNOWN))?.collect();
        if addresses.is_empty() {
            return Err(Trouble::new(NAME_UNKNOWN));
        }
        let allowed = |address: IpAddr| is_allowed(address, &self.settings.networks);
        if addresses.iter().all(|address| allowed(address.ip())) {
            Ok(addresses)
        } else {
            Err(Trouble::new(ADDRESS_FORBIDDEN))
        }
    }

    async fn tls(&self) -> Result<Arc<ClientConfig>, Trouble> {
        let (path, known) = (self.settings.roots.clone(), Arc::clone(&self.tls));
        let loading = tokio::task::spawn_blocking(move || load(&path, &known));
        let loaded = loading.await.map_err(Trouble::by(TLS_ROOTS))?;
        loaded.map_err(Trouble::by(TLS_ROOTS))
    }
}

async fn connect_to(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses.iter().take(ADDRESSES_MAX) {
        match TcpStream::connect(address).await {
            Ok(tcp) => return Ok(tcp),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// What TLS is made with; the file is read again only when it has changed.
fn load(path: &Path, known: &Known) -> Result<Arc<ClientConfig>, RootsError> {
    let unreadable = |source| RootsError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let stamp = Stamp::of(&std::fs::metadata(path).map_err(unreadable)?);
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, config)) = known.as_ref().filter(|(of, _)| *of == stamp) {
        return Ok(Arc::clone(config));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let mut roots = RootCertStore::empty();
    // A bundle of the system's may hold one that nobody can use.
    let (added, _) = roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&bytes).filter_map(Result::ok));
    if added == 0 {
        return Err(RootsError::Empty { path: path.to_owned() });
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(RootsError::Provider)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let config = Arc::new(config);
    *known = Some((stamp, Arc::clone(&config)));
    Ok(config)
}

fn is_of_certificate(error: &io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    matches!(cause, Some(rustls::Error::InvalidCertificate(_)))
}
