//! A collector of OpenTelemetry as it might be: OTLP over HTTP, read by hand, away or slow as it is told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
pub(crate) use opentelemetry_proto::tonic::trace::v1::Span;
pub(crate) use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message as _;

const TIME_LIMIT: Duration = Duration::from_secs(60);

/// What it does with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Take,
    /// Reads it, and never answers.
    Hang,
    /// Answers so, and takes nothing.
    Answer(u16),
}

/// A collector; its thread ends with the tests.
pub(crate) struct Collector {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    manner: Manner,
    /// Of each batch: its bytes, and what they say.
    batches: Vec<Vec<u8>>,
    spans: Vec<Span>,
    /// Batches that came, taken or not.
    tries: usize,
    /// Connections that are left without an answer.
    hanging: Vec<TcpStream>,
}

impl Collector {
    pub(crate) fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State {
            manner,
            batches: Vec::new(),
            spans: Vec::new(),
            tries: 0,
            hanging: Vec::new(),
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serving.serve(stream.unwrap());
            }
        });
        Self { address, shared }
    }

    /// What `traces.endpoint` has to be.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/v1/traces", self.address)
    }

    pub(crate) fn behave(&self, manner: Manner) {
        self.shared.state().manner = manner;
    }

    /// Waits until what has come fits.
    pub(crate) fn wait(&self, fits: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        let deadline = Instant::now() + TIME_LIMIT;
        let mut state = self.shared.state();
        while !fits(&state.spans) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "spans do not come: {:#?}", state.spans);
            state = self.shared.changed.wait_timeout(state, left).unwrap().0;
        }
        state.spans.clone()
    }

    /// Waits until so many batches came.
    pub(crate) fn wait_tries(&self, tries: usize) {
        let state = self.shared.state();
        let few = |state: &mut State| state.tries < tries;
        let waited = self.shared.changed.wait_timeout_while(state, TIME_LIMIT, few).unwrap();
        assert!(!waited.1.timed_out(), "no {tries} batches come");
    }

    /// All that came, byte for byte.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.shared.state().batches.concat()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn serve(&self, mut stream: TcpStream) {
        // A connection that is opened and left is none of its business.
        let Some((head, body)) = read(&mut stream) else { return };
        assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
        let request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
        let mut state = self.state();
        state.tries += 1;
        let status = match state.manner {
            Manner::Take => 200,
            Manner::Answer(status) => status,
            Manner::Hang => {
                state.hanging.push(stream);
                self.changed.notify_all();
                return;
            }
        };
        if status == 200 {
            state.batches.push(body);
            let scopes = request.resource_spans.into_iter().flat_map(|of| of.scope_spans);
            state.spans.extend(scopes.flat_map(|scope| scope.spans));
        }
        self.changed.notify_all();
        drop(state);
        // Who does not wait for the answer does not get it.
        drop(write!(
            stream,
            "HTTP/1.1 {status} So\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        ));
    }
}

/// The head and the body of a request.
fn read(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length?.parse().unwrap()];
    stream.read_exact(&mut body).ok()?;
    Some((head, body))
}

/// A text or number that a span says; none: it does not say it.
pub(crate) fn says(span: &Span, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
    let value = found.value.clone()?.value?;
    if let Value::StringValue(text) = value {
        return Some(text);
    }
    let Value::IntValue(number) = value else {
        panic!("{key} is {value:?}")
    };
    Some(number.to_string())
}
