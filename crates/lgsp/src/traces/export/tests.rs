//! What a collector answers, and whom it has to be.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use super::*;

const LIMIT: Duration = Duration::from_secs(20);
const BATCH: &[u8] = b"a batch";

/// Reads one request, and answers it.
async fn answer(mut link: impl AsyncRead + AsyncWrite + Unpin, answer: Vec<u8>) -> io::Result<()> {
    let mut read = Vec::new();
    while !read.ends_with(BATCH) {
        assert_ne!(link.read_buf(&mut read).await?, 0, "it broke off");
    }
    link.write_all(&answer).await?;
    link.shutdown().await
}

fn http(status: u16, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} So\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// What becomes of a batch whose collector answers so.
async fn posted(answered: Vec<u8>) -> Result<(), SendError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/v1/traces", listener.local_addr().unwrap())).unwrap();
    let serving = TaskTracker::new().spawn(async move { answer(listener.accept().await?.0, answered).await });
    let collector = Collector::new(url, Path::new(""), LIMIT).unwrap();
    let posted = collector.post(Bytes::from_static(BATCH)).await;
    serving.await.unwrap().unwrap();
    posted
}

#[tokio::test]
async fn what_a_collector_answers_says_whether_the_batch_is_tried_again() {
    let partly = |rejected_spans| {
        let partial_success = Some(ExportTracePartialSuccess {
            rejected_spans,
            error_message: String::from("too old"),
        });
        http(200, &ExportTraceServiceResponse { partial_success }.encode_to_vec())
    };
    assert!(matches!(posted(http(200, b"")).await, Ok(())));
    assert!(matches!(posted(partly(0)).await, Ok(())), "a warning is no loss");
    assert!(matches!(posted(partly(3)).await, Err(SendError::Partly(3))));
    for status in [429, 502, 503, 504] {
        assert!(
            matches!(posted(http(status, b"")).await, Err(SendError::Away(_))),
            "{status}"
        );
    }
    for status in [301, 400, 401, 404, 413, 500] {
        let refused = posted(http(status, b"")).await;
        assert!(
            matches!(refused, Err(SendError::Refused(told)) if told == status),
            "{refused:?}"
        );
    }
    for broken in [http(200, b"no protobuf"), b"garbage\r\n\r\n".to_vec(), Vec::new()] {
        assert!(matches!(posted(broken).await, Err(SendError::Away(_))));
    }
}

#[tokio::test]
async fn a_collector_elsewhere_has_to_show_a_good_certificate() {
    let authority = || {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (good, other) = (authority(), authority());
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([String::from("127.0.0.1")]).unwrap();
    let certificate = params.signed_by(&key, &*good).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("https://{}/v1/traces", listener.local_addr().unwrap())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (authority, is_good) in [(&good, true), (&other, false)] {
        let roots = folder.path().join("roots.pem");
        let body = STANDARD.encode(authority.der());
        let pem = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        std::fs::write(&roots, pem).unwrap();
        let collector = Collector::new(url.clone(), &roots, LIMIT).unwrap();
        let serving = async {
            let (tcp, _) = listener.accept().await?;
            answer(acceptor.accept(tcp).await?, http(200, b"")).await
        };
        let (posted, served) = tokio::join!(collector.post(Bytes::from_static(BATCH)), serving);
        assert_eq!(
            (posted.is_ok(), served.is_ok()),
            (is_good, is_good),
            "{posted:?} {served:?}"
        );
    }
    let nothing = folder.path().join("nothing.pem");
    std::fs::write(&nothing, "nothing").unwrap();
    let told = Collector::new(url.clone(), &nothing, LIMIT).err().unwrap();
    assert!(matches!(told, CollectorError::NoRoots { .. }), "{told}");
    let told = Collector::new(url, Path::new("/nonexistent"), LIMIT).err().unwrap();
    assert!(matches!(told, CollectorError::Roots { .. }), "{told}");
}
