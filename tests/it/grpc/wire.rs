//! HTTP/2 by hand over real TLS: what no library of gRPC would send.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request};
use lgsp_api::{Endpoint, Told};
use prost::Message;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::task::TaskTracker;

use super::TIME_LIMIT;
use crate::support::Node;

pub(super) const PUBLISH: &str = "/lgsp.exchange.v1.Exchange/Publish";
pub(super) const PUBLISH_STREAM: &str = "/lgsp.exchange.v1.Exchange/PublishStream";
pub(super) const RECEIVE: &str = "/lgsp.exchange.v1.Exchange/Receive";
pub(super) const UPLOAD: &str = "/lgsp.exchange.v1.Exchange/UploadAttachment";
/// Source: RFC 9113, 3.4.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Where a node listens, without its scheme.
pub(super) fn address(node: &Node) -> String {
    node.grpc().trim_start_matches("https://").to_owned()
}

/// A connection of this caller after its handshake, with these words for what is spoken on it.
pub(super) async fn shake(node: &Node, who: &str, protocols: &[&[u8]]) -> std::io::Result<TlsStream<TcpStream>> {
    shake_as(node, &node.endpoint(who), protocols).await
}

/// As [`shake`], with these papers.
pub(super) async fn shake_as(
    node: &Node,
    endpoint: &Endpoint,
    protocols: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&endpoint.ca).unwrap()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let mut client = match &endpoint.certificate {
        None => client.with_no_client_auth(),
        Some((certificate, key)) => {
            let certificate = CertificateDer::from_pem_file(certificate).unwrap();
            let key = PrivateKeyDer::from_pem_file(key).unwrap();
            client.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    };
    client.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let tcp = TcpStream::connect(address(node)).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    TlsConnector::from(Arc::new(client)).connect(name, tcp).await
}

/// A message as gRPC frames it.
pub(super) fn framed(message: &impl Message) -> Bytes {
    with_prefix(0, None, &message.encode_to_vec())
}

/// Bytes behind a prefix that says what it likes; none: their length.
pub(super) fn with_prefix(flag: u8, length: Option<u32>, bytes: &[u8]) -> Bytes {
    let length = length.unwrap_or_else(|| u32::try_from(bytes.len()).unwrap());
    [&[flag][..], &length.to_be_bytes(), bytes].concat().into()
}

/// A connection whose streams are well-formed, whatever is in them.
pub(super) struct Wire {
    requests: SendRequest<Bytes>,
    pub(super) ended: JoinHandle<Result<(), h2::Error>>,
}

/// A call that was begun.
pub(super) struct Call {
    pub(super) body: SendStream<Bytes>,
    pub(super) answer: Answer,
}

/// The answer of a call, which comes.
pub(super) struct Answer(ResponseFuture);

/// How a call ended: HTTP's status, then the call's own where there is one.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) http: u16,
    pub(super) told: Option<Told>,
}

impl Wire {
    pub(super) async fn open(node: &Node, who: &str) -> Self {
        Self::open_with(node, who, &h2::client::Builder::new()).await
    }

    pub(super) async fn open_with(node: &Node, who: &str, builder: &h2::client::Builder) -> Self {
        let tls = shake(node, who, &[b"h2"]).await.unwrap();
        let (requests, connection) = builder.handshake(tls).await.unwrap();
        let ended = TaskTracker::new().spawn(connection);
        Self { requests, ended }
    }

    /// Begins a call with these headers, and sends what is given of its body.
    pub(super) async fn begin(&self, path: &str, headers: &[(&str, &str)], body: Bytes, last: bool) -> Call {
        self.try_begin(path, headers, body, last).await.unwrap()
    }

    /// As [`Self::begin`], where the far side may have ended the connection.
    pub(super) async fn try_begin(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
        last: bool,
    ) -> Result<Call, h2::Error> {
        let mut request = Request::post(format!("https://127.0.0.1{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let ready = timeout(TIME_LIMIT, self.requests.clone().ready()).await.unwrap();
        let whole = last && body.is_empty();
        let sent = ready?.send_request(request.body(()).unwrap(), whole);
        let (answer, mut stream) = sent?;
        let sent = if whole { Ok(()) } else { stream.send_data(body, last) };
        // A call that is refused by its headers may be over before its body could follow: then its answer says why.
        if let Err(error) = sent
            && (error.is_io() || error.is_go_away())
        {
            return Err(error);
        }
        let answer = Answer(answer);
        Ok(Call { body: stream, answer })
    }

    /// A gRPC call, to its end.
    pub(super) async fn call(&self, path: &str, body: Bytes) -> Ended {
        self.begin(path, &GRPC, body, true).await.ended().await
    }
}

pub(super) const GRPC: [(&str, &str); 2] = [("content-type", "application/grpc"), ("te", "trailers")];

impl Call {
    /// Reads all of the answer.
    pub(super) async fn ended(self) -> Ended {
        let Self { body, answer } = self;
        let ended = answer.ended().await;
        // What is dropped before its end is taken back.
        drop(body);
        ended
    }
}

impl Answer {
    pub(super) async fn ended(self) -> Ended {
        timeout(TIME_LIMIT, self.end()).await.expect("an end in time")
    }

    async fn end(self) -> Ended {
        let answer = self.0.await.unwrap();
        let http = answer.status().as_u16();
        let told = told(answer.headers());
        let mut body: RecvStream = answer.into_body();
        while let Some(bytes) = body.data().await {
            let length = bytes.unwrap().len();
            body.flow_control().release_capacity(length).unwrap();
        }
        let trailers = body.trailers().await.unwrap();
        let told = told.or_else(|| trailers.as_ref().and_then(self::told));
        Ended { http, told }
    }
}

/// What headers or trailers say of the end of a call; OK has no details.
fn told(headers: &HeaderMap) -> Option<Told> {
    let code = headers.get("grpc-status")?.to_str().unwrap().to_owned();
    let details = headers.get("grpc-status-details-bin");
    let details = details.map(|details| STANDARD_NO_PAD.decode(details).unwrap());
    let whole = details.map(|details| Told::within(&Message::decode(details.as_slice()).unwrap()));
    let bare = || Told {
        status: if code == "0" { String::from("OK") } else { code },
        message: String::new(),
        reason: String::new(),
        mend: String::new(),
        vietnamese: String::new(),
        fields: Vec::new(),
        fields_in_vietnamese: Vec::new(),
        retry_after: None,
    };
    Some(whole.unwrap_or_else(bare))
}

/// A connection of which every byte is ours.
pub(super) struct Frames(pub(super) TlsStream<TcpStream>);

/// Source: RFC 9113, 6.
pub(super) mod kind {
    pub(in super::super) const DATA: u8 = 0;
    pub(in super::super) const HEADERS: u8 = 1;
    pub(in super::super) const RST_STREAM: u8 = 3;
    pub(in super::super) const SETTINGS: u8 = 4;
    pub(in super::super) const PING: u8 = 6;
    pub(in super::super) const GOAWAY: u8 = 7;
    pub(in super::super) const CONTINUATION: u8 = 9;
    pub(in super::super) const END_HEADERS: u8 = 4;
}

/// Source: RFC 9113, 7.
const ENHANCE_YOUR_CALM: u32 = 11;
pub(super) const REFUSED_STREAM: u32 = 7;

#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    /// The error of a frame that ends something.
    pub(super) fn error(&self) -> u32 {
        let at = if self.kind == kind::GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The headers of a call, none of them in a table. Source: RFC 7541, 6.2.2.
pub(super) fn headers(path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let own = [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "127.0.0.1"),
        (":path", path),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    let mut block = Vec::new();
    for (name, value) in own.iter().chain(more) {
        block.push(0);
        for text in [name, value] {
            write_length(&mut block, text.len());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// Source: RFC 7541, 5.1, with a prefix of seven bits.
fn write_length(block: &mut Vec<u8>, length: usize) {
    if length < 127 {
        block.push(u8::try_from(length).unwrap());
        return;
    }
    block.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        block.push(u8::try_from(rest % 128 + 128).unwrap());
        rest /= 128;
    }
    block.push(u8::try_from(rest).unwrap());
}

impl Frames {
    /// With the first words said, and nothing else.
    pub(super) async fn open(node: &Node, who: &str) -> Self {
        let mut tls = shake(node, who, &[b"h2"]).await.unwrap();
        let hello = [PREFACE, &frame(kind::SETTINGS, 0, 0, &[])].concat();
        tls.write_all(&hello).await.unwrap();
        Self(tls)
    }

    /// False: the far side takes no more.
    pub(super) async fn send(&mut self, frames: &[u8]) -> bool {
        let sent = timeout(TIME_LIMIT, async {
            self.0.write_all(frames).await?;
            self.0.flush().await
        });
        sent.await.expect("taken, or refused, in time").is_ok()
    }

    /// None: the far side has ended the connection.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        timeout(TIME_LIMIT, self.read()).await.expect("a frame in time")
    }

    async fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).await.ok()?;
        Some(Frame {
            kind: head[3],
            stream: u32::from_be_bytes(head[5..9].try_into().unwrap()),
            payload,
        })
    }

    /// Reads on until the far side has ended the connection, as one that asks for too much.
    pub(super) async fn cut_off(mut self) {
        while let Some(frame) = self.next().await {
            // Not always there to be read: what we still sent makes the kernel reset the connection behind it.
            if frame.kind == kind::GOAWAY {
                assert_eq!(frame.error(), ENHANCE_YOUR_CALM);
            }
        }
    }
}
