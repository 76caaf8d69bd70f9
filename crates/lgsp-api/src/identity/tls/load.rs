//! From the bytes of PEM files to what rustls works with.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lgsp_types::{Clock, Digest};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{RootCertStore, ServerConfig};
use thiserror::Error;

use super::super::files::{self, FileError};
use super::TlsSettings;

/// Why the certificates cannot be used; an operator mends the file that is named.
#[derive(Debug, Error)]
pub enum TlsError {
    #[error("a file of TLS cannot be used")]
    File(#[from] FileError),
    #[error("{path} holds no {what} in PEM form")]
    Empty { path: PathBuf, what: &'static str },
    #[error("{path} holds something that is not well-formed PEM")]
    Pem {
        path: PathBuf,
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    #[error("{path} holds a root that cannot be used")]
    Root {
        path: PathBuf,
        #[source]
        source: rustls::Error,
    },
    #[error("the client roots and lists of revoked certificates cannot be used")]
    Clients(#[source] rustls::server::VerifierBuilderError),
    #[error("{certificate} and {key} cannot be used together: is one of them of an older pair?")]
    Pair {
        certificate: PathBuf,
        key: PathBuf,
        #[source]
        source: rustls::Error,
    },
    #[error("the TLS provider has no TLS 1.3")]
    Provider(#[source] rustls::Error),
}

/// All files as they were at one moment.
pub(super) struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Vec<u8>,
    client_crls: Vec<Vec<u8>>,
}

/// Tells files from others by their content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint(Vec<Digest>);

/// What connections are made with.
pub(super) struct Loaded {
    pub(super) config: Arc<ServerConfig>,
    pub(super) clients: Arc<dyn ClientCertVerifier>,
    pub(super) generation: u64,
}

pub(super) fn read(settings: &TlsSettings) -> Result<Files, TlsError> {
    Ok(Files {
        certificate: files::read(&settings.certificate)?,
        key: files::read_secret(&settings.key)?,
        client_ca: files::read(&settings.client_ca)?,
        client_crls: settings
            .client_crls
            .iter()
            .map(|path| files::read(path))
            .collect::<Result<_, _>>()?,
    })
}

impl Files {
    pub(super) fn fingerprint(&self) -> Fingerprint {
        let fixed = [&self.certificate, &self.key, &self.client_ca].into_iter();
        Fingerprint(fixed.chain(&self.client_crls).map(|bytes| Digest::of(bytes)).collect())
    }
}

impl Loaded {
    pub(super) fn build(
        settings: &TlsSettings,
        files: &Files,
        clock: &Clock,
        generation: u64,
    ) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let clients = clients(settings, files, &provider)?;
        let chain: Vec<CertificateDer<'static>> = all(&settings.certificate, &files.certificate, "certificate")?;
        let key = key(&settings.key, &files.key)?;
        let time = Arc::new(ClockTime(Arc::clone(clock)));
        let mut config = ServerConfig::builder_with_details(provider, time)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(TlsError::Provider)?
            .with_client_cert_verifier(Arc::clone(&clients))
            .with_single_cert(chain, key)
            .map_err(|source| TlsError::Pair {
                certificate: settings.certificate.clone(),
                key: settings.key.clone(),
                source,
            })?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        // A resumed session would skip the look at the client's certificate; connections live long, so little is lost.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self {
            config: Arc::new(config),
            clients,
            generation,
        })
    }
}

/// Certificates are good under our roots only; with lists of revoked ones, each authority in a chain must have a list
/// that is not past its end.
fn clients(
    settings: &TlsSettings,
    files: &Files,
    provider: &Arc<rustls::crypto::CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for root in all::<CertificateDer<'static>>(&settings.client_ca, &files.client_ca, "certificate")? {
        roots.add(root).map_err(|source| TlsError::Root {
            path: settings.client_ca.clone(),
            source,
        })?;
    }
    let mut lists: Vec<CertificateRevocationListDer<'static>> = Vec::new();
    for (path, bytes) in settings.client_crls.iter().zip(&files.client_crls) {
        lists.extend(all(path, bytes, "list of revoked certificates")?);
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .with_crls(lists)
        .enforce_revocation_expiration()
        .allow_unauthenticated()
        .build()
        .map_err(TlsError::Clients)
}

/// Every item of a kind in a file; at least one.
fn all<T: PemObject>(path: &Path, bytes: &[u8], what: &'static str) -> Result<Vec<T>, TlsError> {
    let items: Vec<T> = T::pem_slice_iter(bytes)
        .collect::<Result<_, _>>()
        .map_err(|source| TlsError::Pem {
            path: path.to_owned(),
            source,
        })?;
    if items.is_empty() {
        return Err(TlsError::Empty {
            path: path.to_owned(),
            what,
        });
    }
    Ok(items)
}

fn key(path: &Path, bytes: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    match PrivateKeyDer::from_pem_slice(bytes) {
        Ok(key) => Ok(key),
        Err(rustls::pki_types::pem::Error::NoItemsFound) => Err(TlsError::Empty {
            path: path.to_owned(),
            what: "private key",
        }),
        Err(source) => Err(TlsError::Pem {
            path: path.to_owned(),
            source,
        }),
    }
}

/// The node's clock as rustls asks for it.
struct ClockTime(Clock);

impl TimeProvider for ClockTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_millis((self.0)().0)))
    }
}

impl fmt::Debug for ClockTime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("ClockTime")
    }
}
