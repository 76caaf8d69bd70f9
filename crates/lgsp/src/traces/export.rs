//! Sends spans to the collector in batches: OTLP over HTTP, one request a batch.
//!
//! Source: OpenTelemetry Protocol 1.9, OTLP/HTTP. Ours, not the SDK's: that one has a thread and a queue of its own that
//! nobody can count, and takes settings from the environment.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use lgsp_types::{SystemId, Url};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use super::Count;
use super::attribute::text;

/// Spans of one request.
const BATCH_MAX: usize = 512;
/// How long a batch that is not full waits for more.
const GATHER: Duration = Duration::from_millis(200);
/// How often a batch is tried, and the pause before the second try; doubled each time.
const TRIES: u32 = 3;
const PAUSE_FIRST: Duration = Duration::from_millis(500);
/// Longest answer that is read, in bytes.
const ANSWER_MAX_BYTES: usize = 64 * 1024;
const PROGRAM: &str = concat!("lgsp/", env!("CARGO_PKG_VERSION"));

/// Why the settings name no collector.
#[derive(Debug, Error)]
pub(crate) enum CollectorError {
    #[error("{path}, which traces.roots names, cannot be read")]
    Roots {
        path: PathBuf,
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    #[error("{path}, which traces.roots names, holds no certificate in PEM form")]
    NoRoots { path: PathBuf },
    #[error("no TLS can be made for traces.endpoint")]
    Tls(#[source] Box<dyn Error + Send + Sync>),
}

/// Why a batch did not arrive.
#[derive(Debug, Error)]
enum SendError {
    /// Another try may do better.
    #[error("the collector cannot be reached, or has no time")]
    Away(#[source] Box<dyn Error + Send + Sync>),
    /// It never takes this batch.
    #[error("the collector refuses spans with HTTP {0}")]
    Refused(StatusCode),
    #[error("the collector took a batch without {0} of its spans")]
    Partly(usize),
}

impl SendError {
    fn away(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Away(error.into())
    }
}

/// Where spans go.
pub(super) struct Collector {
    url: Url,
    /// None: plain, on this machine.
    tls: Option<(TlsConnector, ServerName<'static>)>,
    timeout: Duration,
}

impl Collector {
    pub(super) fn new(url: Url, roots: &Path, timeout: Duration) -> Result<Self, CollectorError> {
        let tls = if url.is_plain() { None } else { Some(tls(&url, roots)?) };
        Ok(Self { url, tls, timeout })
    }

    /// One try.
    async fn post(&self, batch: Bytes) -> Result<(), SendError> {
        let connecting = TcpStream::connect((self.url.host(), self.url.port()));
        let tcp = connecting.await.map_err(SendError::away)?;
        tcp.set_nodelay(true).map_err(SendError::away)?;
        match &self.tls {
            None => self.ask(tcp, batch).await,
            Some((tls, name)) => {
                let link = tls.connect(name.clone(), tcp).await.map_err(SendError::away)?;
                self.ask(link, batch).await
            }
        }
    }

    async fn ask(
        &self,
        link: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        batch: Bytes,
    ) -> Result<(), SendError> {
        let request = Request::post(self.url.target())
            .header(HOST, self.url.authority())
            .header(USER_AGENT, PROGRAM)
            .header(CONTENT_TYPE, "application/x-protobuf")
            .header(CONNECTION, "close")
            .body(Full::new(batch))
            .map_err(SendError::away)?;
        let shaking = http1::handshake(TokioIo::new(link));
        let (mut sender, connection) = shaking.await.map_err(SendError::away)?;
        let answering = async {
            let (head, body) = sender
                .send_request(request)
                .await
                .map_err(SendError::away)?
                .into_parts();
            match head.status {
                status if status.is_success() => {
                    let body = Limited::new(body, ANSWER_MAX_BYTES).collect().await;
                    taken(&body.map_err(SendError::Away)?.to_bytes())
                }
                status @ (StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT) => Err(SendError::away(format!("it answers HTTP {status}"))),
                status => Err(SendError::Refused(status)),
            }
        };
        // The connection moves the bytes while the answer is awaited; both end together.
        let (mut connection, mut answering) = (std::pin::pin!(connection), std::pin::pin!(answering));
        tokio::select! {
            answer = &mut answering => answer,
            _ = &mut connection => answering.await,
        }
    }
}

fn taken(answer: &[u8]) -> Result<(), SendError> {
    let answer = ExportTraceServiceResponse::decode(answer).map_err(SendError::away)?;
    let rejected = answer.partial_success.map_or(0, |partly| partly.rejected_spans);
    match usize::try_from(rejected) {
        Ok(0) | Err(_) => Ok(()),
        Ok(rejected) => Err(SendError::Partly(rejected)),
    }
}

fn tls(url: &Url, path: &Path) -> Result<(TlsConnector, ServerName<'static>), CollectorError> {
    let unreadable = |source| CollectorError::Roots {
        path: path.to_owned(),
        source,
    };
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
    // A bundle of the system's may hold one that nobody can use.
    let (added, _) = roots.add_parsable_certificates(certificates.filter_map(Result::ok));
    if added == 0 {
        return Err(CollectorError::NoRoots { path: path.to_owned() });
    }
    let broken = |error: rustls::Error| CollectorError::Tls(error.into());
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(broken)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = ServerName::try_from(url.host().to_owned()).map_err(|error| CollectorError::Tls(error.into()))?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

/// Takes spans off the queue, and sends them.
pub(super) struct Exporter {
    collector: Collector,
    resource: Resource,
    count: Count,
}

impl Exporter {
    pub(super) fn new(collector: Collector, node: &SystemId, count: Count) -> Self {
        let attributes = vec![
            text("service.name", "lgsp"),
            text("service.version", env!("CARGO_PKG_VERSION")),
            text("service.instance.id", node),
        ];
        let resource = Resource {
            attributes,
            ..Resource::default()
        };
        Self {
            collector,
            resource,
            count,
        }
    }

    /// Until `stop`, and then what waits.
    pub(super) async fn run(self, mut spans: mpsc::Receiver<Span>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let mut batch = Vec::new();
            tokio::select! {
                () = stop.cancelled() => break,
                taken = spans.recv_many(&mut batch, BATCH_MAX) => if taken == 0 { return },
            }
            if batch.len() < BATCH_MAX {
                tokio::select! { () = stop.cancelled() => {}, () = sleep(GATHER) => {} }
                let room = BATCH_MAX - batch.len();
                batch.extend(std::iter::from_fn(|| spans.try_recv().ok()).take(room));
            }
            self.send(batch, &stop).await;
        }
        spans.close();
        let mut left = Vec::new();
        while spans.recv_many(&mut left, BATCH_MAX).await > 0 {
            self.send(std::mem::take(&mut left), &stop).await;
        }
    }

    /// Tries a few times, once only when the node stops; then the batch is lost.
    async fn send(&self, batch: Vec<Span>, stop: &CancellationToken) {
        let spans = batch.len();
        let batch = Bytes::from(self.request(batch).encode_to_vec());
        let mut pause = PAUSE_FIRST;
        for tries_left in (0..TRIES).rev() {
            let posted = timeout(self.collector.timeout, self.collector.post(batch.clone())).await;
            match posted.unwrap_or_else(|late| Err(SendError::away(late))) {
                Ok(()) => return self.count.send(spans),
                Err(SendError::Away(_)) if tries_left > 0 && !stop.is_cancelled() => {}
                Err(error @ SendError::Partly(rejected)) => {
                    self.count.send(spans.saturating_sub(rejected));
                    return self.count.lose(rejected.min(spans), &error);
                }
                Err(error) => return self.count.lose(spans, &error),
            }
            tokio::select! { () = stop.cancelled() => {}, () = sleep(pause) => {} }
            pause *= 2;
        }
    }

    fn request(&self, spans: Vec<Span>) -> ExportTraceServiceRequest {
        let scope = InstrumentationScope {
            name: "lgsp".to_owned(),
            ..InstrumentationScope::default()
        };
        let scope_spans = ScopeSpans {
            scope: Some(scope),
            spans,
            ..ScopeSpans::default()
        };
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans: vec![scope_spans],
                ..ResourceSpans::default()
            }],
        }
    }
}

#[cfg(test)]
mod tests;
