//! A client's side: a channel to a node over TLS, with a certificate, a token, or both; and what an error says.

use std::fmt;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_types::{LocalizedMessage, StatusExt as _};
use tower_service::Service;

use crate::identity::files::{self, FileError};
use crate::status::VIETNAMESE;

/// Longest wait for a connection and its handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a silent connection is asked whether it lives, and how long it may take to say so.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// Most bytes of headers, where details of an error travel.
const HEADERS_MAX_BYTES: u32 = 64 * 1024;

/// How a node is reached, and who reaches it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// As in `https://lgsp.example.vn:8443`.
    pub url: String,
    /// PEM file of the roots that the node's certificate leads to.
    pub ca: PathBuf,
    /// PEM files of the caller's certificate and its key, mode 0600; none: by its token alone.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// File with the caller's token alone, mode 0600.
    pub token: Option<PathBuf>,
}

/// A channel whose calls show the caller's token; what clients of `lgsp-proto` are made of.
pub type Link = InterceptedService<Channel, Bearer>;

/// Why there is no channel; correct what is named.
#[derive(Debug, Error)]
pub enum ConnectError {
    #[error("`{url}` is no address of a node, as in `https://lgsp.example.vn:8443`")]
    Url { url: String },
    #[error("a file of the connection cannot be used")]
    File(#[from] FileError),
    #[error("{path} holds no usable PEM")]
    Pem {
        path: PathBuf,
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    #[error("{path} holds no token")]
    Token { path: PathBuf },
    #[error("the certificates cannot be used")]
    Tls(#[from] rustls::Error),
    #[error("{url} cannot be reached")]
    Unreachable {
        url: String,
        #[source]
        source: tonic::transport::Error,
    },
}

/// Opens a channel; it connects anew by itself when the connection is lost.
///
/// # Errors
/// [`ConnectError`].
pub async fn connect(endpoint: &Endpoint) -> Result<Link, ConnectError> {
    let no_url = || ConnectError::Url {
        url: endpoint.url.clone(),
    };
    let uri: Uri = endpoint.url.parse().map_err(|_| no_url())?;
    let host = uri
        .host()
        .filter(|_| uri.scheme_str() == Some("https"))
        .ok_or_else(no_url)?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let dial = Dial {
        name: ServerName::try_from(host.clone()).map_err(|_: InvalidDnsNameError| no_url())?,
        address: (host, uri.port_u16().unwrap_or(443)),
        tls: TlsConnector::from(Arc::new(tls(endpoint)?)),
    };
    let bearer = bearer(endpoint)?;
    let channel = tonic::transport::Endpoint::from(uri)
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .http2_max_header_list_size(HEADERS_MAX_BYTES)
        .connect_with_connector(dial)
        .await;
    let channel = channel.map_err(|source| ConnectError::Unreachable {
        url: endpoint.url.clone(),
        source,
    })?;
    Ok(InterceptedService::new(channel, bearer))
}

fn tls(endpoint: &Endpoint) -> Result<ClientConfig, ConnectError> {
    let mut roots = RootCertStore::empty();
    for root in certificates(&endpoint.ca)? {
        roots.add(root)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots);
    let mut config = match &endpoint.certificate {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let secret = files::read_secret(key)?;
            let secret = PrivateKeyDer::from_pem_slice(&secret);
            let secret = secret.map_err(|source| ConnectError::Pem {
                path: key.clone(),
                source,
            })?;
            config.with_client_auth_cert(certificates(certificate)?, secret)?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let pem = files::read(path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    certificates.map_err(|source| ConnectError::Pem {
        path: path.to_owned(),
        source,
    })
}

fn bearer(endpoint: &Endpoint) -> Result<Bearer, ConnectError> {
    let Some(path) = &endpoint.token else {
        return Ok(Bearer(None));
    };
    let no_token = || ConnectError::Token { path: path.clone() };
    let text = String::from_utf8(files::read_secret(path)?).map_err(|_| no_token())?;
    let mut value: MetadataValue<Ascii> = format!("Bearer {}", text.trim()).parse().map_err(|_| no_token())?;
    value.set_sensitive(true);
    Ok(Bearer(Some(value)))
}

/// Shows the token with each call.
#[derive(Clone)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Bearer").field(&self.0.is_some()).finish()
    }
}

/// Makes connections for the channel. Our own, so that there is one TLS in the program: tonic's would bring another
/// set of its features.
#[derive(Clone)]
struct Dial {
    address: (String, u16),
    name: ServerName<'static>,
    tls: TlsConnector,
}

impl Service<Uri> for Dial {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let Self { address, name, tls } = self.clone();
        Box::pin(async move {
            let tcp = TcpStream::connect(address).await?;
            tcp.set_nodelay(true)?;
            Ok(TokioIo::new(tls.connect(name, tcp).await?))
        })
    }
}

/// What a node said when it did not do what it was asked; read from the status and its details.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Name of the status code, as in `INVALID_ARGUMENT`.
    pub status: String,
    pub message: String,
    /// Stable code of ours; empty: it was not the node that answered.
    pub reason: String,
    /// What to do.
    pub mend: String,
    /// What is wrong and what to do, in Vietnamese; empty: it was not told so.
    pub vietnamese: String,
    /// Every wrong field: its path, and what is wrong.
    pub fields: Vec<(String, String)>,
    /// The same in Vietnamese, of those fields that were told so.
    pub fields_in_vietnamese: Vec<(String, String)>,
    pub retry_after: Option<Duration>,
}

impl Told {
    #[must_use]
    pub fn of(status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let fields = details.bad_request().map(|request| request.field_violations.as_slice());
        let vietnamese = |told: Option<&LocalizedMessage>| {
            let told = told.filter(|told| told.locale == VIETNAMESE)?;
            Some(told.message.clone())
        };
        Self {
            vietnamese: vietnamese(details.localized_message()).unwrap_or_default(),
            fields_in_vietnamese: fields
                .unwrap_or_default()
                .iter()
                .filter_map(|field| Some((field.field.clone(), vietnamese(field.localized_message.as_ref())?)))
                .collect(),
            status: name(status.code()),
            message: status.message().to_owned(),
            reason: info.map(|info| info.reason.clone()).unwrap_or_default(),
            mend: info
                .and_then(|info| info.metadata.get("mend").cloned())
                .unwrap_or_default(),
            fields: fields
                .unwrap_or_default()
                .iter()
                .map(|field| (field.field.clone(), field.description.clone()))
                .collect(),
            retry_after: details.retry_info().and_then(|info| info.retry_delay),
        }
    }

    /// Reads an error within a stream.
    #[must_use]
    pub fn within(status: &tonic_types::Status) -> Self {
        let code = tonic::Code::from(status.code);
        let details = prost::Message::encode_to_vec(status);
        Self::of(&Status::with_details(code, status.message.clone(), details.into()))
    }
}

impl From<Status> for Told {
    fn from(status: Status) -> Self {
        Self::of(&status)
    }
}

/// `InvalidArgument` is INVALID_ARGUMENT to everybody else.
fn name(code: tonic::Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(letter.to_uppercase());
    }
    name
}
