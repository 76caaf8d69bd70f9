//! The door of every call: who calls, and whether it is too much, is settled before a body is read.

mod coming;

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http_body::{Body as HttpBody, Frame, SizeHint};
use lgsp_types::{TraceContext, Traceparent, Unavailable};
use prost::Message as _;
use tonic::Status;
use tonic::body::Body;
use tower_layer::Layer;
use tower_service::Service;

use self::coming::{Allowance, Many, Single};
use crate::identity::caller::Callers;
use crate::identity::limits::{Held, Limits};
use crate::status::{ToStatus as _, explain};
use crate::taken::{Answering, Given, Line};

/// What anybody may ask who got through the handshake: load balancers have no names here.
const FOR_ANYBODY: &str = "/grpc.health.v1.Health/";

/// The one streaming call that is not ours, in both its versions.
const REFLECTION: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// Where a call says in which trace it is made.
const TRACEPARENT: &str = "traceparent";

type Call = http::Request<Body>;
type Answer = http::Response<Body>;

/// Lets calls in. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Door(Arc<Inner>);

struct Inner {
    callers: Callers,
    limits: Limits,
    /// How long a call with one request may take to bring it.
    patience: Duration,
    /// Calls that go on for as long as the caller likes, by path; every other one has one request and one answer.
    streaming: HashMap<String, Requests>,
}

/// What a call that goes on begins with, or goes on with.
#[derive(Clone, Copy)]
enum Requests {
    One,
    Many,
}

/// What a call has in use until its answer has left.
struct Stay {
    _stream: Option<Held>,
    bytes: Arc<Mutex<Option<Held>>>,
}

impl Door {
    pub(crate) fn new(callers: Callers, limits: Limits, patience: Duration) -> Self {
        let streaming = streaming_paths();
        Self(Arc::new(Inner {
            callers,
            limits,
            patience,
            streaming,
        }))
    }

    /// The call with its principal, or what the caller is told.
    fn admit(&self, call: Call) -> Result<(Call, Option<Stay>), Status> {
        if call.uri().path().starts_with(FOR_ANYBODY) {
            return Ok((call, None));
        }
        let Inner {
            callers,
            limits,
            patience,
            streaming,
        } = &*self.0;
        let (mut parts, body) = call.into_parts();
        let line = parts.extensions.get::<Line>();
        let line = line.ok_or_else(|| Unavailable::new("a call without a connection").status())?;
        let authorization = parts.headers.get_all(AUTHORIZATION);
        let principal = callers.identify(&line.peer, authorization.iter().map(http::HeaderValue::as_bytes));
        let principal = principal.map_err(|error| error.status())?;
        let now = Instant::now();
        limits.call(principal.who(), now).map_err(|error| error.status())?;
        let bytes = Arc::new(Mutex::default());
        let streams = streaming.get(parts.uri.path()).copied();
        let stream = streams.map(|_| limits.stream(principal.who(), now));
        let stream = stream.transpose().map_err(|error| error.status())?;
        let allowance = Allowance {
            limits: limits.clone(),
            who: principal.who().clone(),
            patience: *patience,
        };
        let body = match streams {
            Some(Requests::Many) => Body::new(Many::new(body, allowance)),
            Some(Requests::One) | None => Body::new(Single::new(body, allowance, Arc::clone(&bytes))),
        };
        parts.extensions.insert(principal);
        let trace = parts.headers.get_all(TRACEPARENT);
        if let Some(trace) = Traceparent::of_header(trace.iter().map(http::HeaderValue::as_bytes)) {
            parts.extensions.insert(TraceContext::Named(trace));
        }
        let stay = Stay { _stream: stream, bytes };
        Ok((Call::from_parts(parts, body), Some(stay)))
    }
}

/// Told by the descriptors, so that no list of ours has to be kept.
fn streaming_paths() -> HashMap<String, Requests> {
    let files = prost_types::FileDescriptorSet::decode(lgsp_proto::DESCRIPTORS).unwrap_or_default();
    let mut paths = HashMap::from(REFLECTION.map(|path| (path.to_owned(), Requests::Many)));
    for file in files.file {
        for service in &file.service {
            for method in &service.method {
                let requests = match (method.client_streaming(), method.server_streaming()) {
                    (true, _) => Requests::Many,
                    (false, true) => Requests::One,
                    (false, false) => continue,
                };
                let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                paths.insert(path, requests);
            }
        }
    }
    paths
}

impl<S> Layer<S> for Door {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        let door = self.clone();
        Guarded { door, inner }
    }
}

/// The services behind the door.
#[derive(Clone)]
pub(crate) struct Guarded<S> {
    door: Door,
    inner: S,
}

impl<S> Service<Call> for Guarded<S>
where
    S: Service<Call, Response = Answer, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        if !is_grpc(&call) {
            return Box::pin(async { Ok(no_grpc()) });
        }
        let given = call.extensions().get::<Line>().map(|line| line.given.clone());
        // The clone has not said that it is ready; the one that has takes the call.
        let next = self.inner.clone();
        let mut ready = mem::replace(&mut self.inner, next);
        let admitted = self.door.admit(call);
        Box::pin(async move {
            let (call, stay) = match admitted {
                Ok(admitted) => admitted,
                Err(status) => return Ok(status.into_http()),
            };
            let mut answer = ready.call(call).await?;
            explain(answer.headers_mut());
            if let Some(stay) = &stay {
                let room = answer.extensions_mut().remove::<AnswerRoom>();
                *lock(&stay.bytes) = room.and_then(|room| room.take());
            }
            let answering = given.as_ref().map(Given::answering);
            Ok(answer.map(|body| {
                Body::new(Kept {
                    body,
                    answering,
                    _stay: stay,
                })
            }))
        })
    }
}

/// Source: the gRPC protocol over HTTP/2, Content-Type.
fn is_grpc(call: &Call) -> bool {
    let kind = call.headers().get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    let rest = kind.and_then(|kind| kind.strip_prefix(b"application/grpc"));
    rest.is_some_and(|rest| matches!(rest, b"" | b"+proto") || rest.starts_with(b";"))
}

/// As the protocol wants it: whoever does not speak gRPC reads no status of it.
fn no_grpc() -> Answer {
    let mut answer = Answer::new(Body::empty());
    *answer.status_mut() = http::StatusCode::UNSUPPORTED_MEDIA_TYPE;
    answer
}

/// Room that a service took for its answer; kept until the answer has left.
#[derive(Clone)]
pub(crate) struct AnswerRoom(Arc<Mutex<Option<Held>>>);

impl AnswerRoom {
    pub(crate) fn new(held: Held) -> Self {
        Self(Arc::new(Mutex::new(Some(held))))
    }

    fn take(&self) -> Option<Held> {
        mem::take(&mut lock(&self.0))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An answer that has in use what its call has, and must be taken.
struct Kept {
    body: Body,
    answering: Option<Answering>,
    _stay: Option<Stay>,
}

impl HttpBody for Kept {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(answering) = &self.answering {
            answering.asked();
        }
        let mut polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &mut polled {
            if let Some(trailers) = frame.trailers_mut() {
                explain(trailers);
            } else if let Some(answering) = &self.answering {
                answering.gave();
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Door")
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}
