//! One call: who is it, what does it ask for, the answer; every refusal is recorded before it is told.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, header};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use lgsp_types::{
    AdapterId, Caller, Clock, DocumentDate, Exchange, ObjectReader, Refusal, Rejection, SystemView, TraceContext,
    TraceId, Traceparent,
};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, error};

use super::answer::Answer;
use super::head::Verdict;
use super::reason::{
    BODY_BROKEN, BODY_TOO_LARGE, Failure, OPERATION_UNKNOWN, OUTCOME_UNKNOWN, Record, SIGNATURE_INVALID,
};
use super::route::Operation;
use super::secrets::Secrets;
use super::settings::{Settings, count};
use super::signed::{self, Claimed, Signed};
use super::trace::Trace;
use crate::edxml_vxp::packet::Kind;

/// The name under which facts say that this adapter checked the credential.
const ADAPTER: &str = "edxml-vxp";
/// The header that names the trace of a call.
const TRACEPARENT: &str = "traceparent";
/// Largest body of a call that is not sendEdoc, in bytes; it is read and dropped, for nobody signed it.
const SMALL_BODY_MAX_BYTES: usize = 64 * 1024;

/// What all calls share.
pub(super) struct Facade {
    pub(super) exchange: Arc<dyn Exchange>,
    pub(super) objects: Arc<dyn ObjectReader>,
    pub(super) settings: Settings,
    /// Room for packets on their way in.
    pub(super) sends: Arc<Semaphore>,
    clock: Clock,
    pub(super) secrets: Secrets,
    /// Work that goes on when its caller has gone away.
    work: TaskTracker,
}

impl fmt::Debug for Facade {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Facade")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// A caller whose signature was right.
#[derive(Debug)]
pub(super) struct Proven {
    pub(super) caller: Caller,
    /// Of the secret in force, as facts name it.
    pub(super) key_id: String,
    pub(super) signed: Signed,
}

/// What the façade stands on.
pub(super) struct Ground {
    pub(super) exchange: Arc<dyn Exchange>,
    pub(super) objects: Arc<dyn ObjectReader>,
    pub(super) clock: Clock,
    pub(super) secrets: Secrets,
    pub(super) work: TaskTracker,
}

impl Facade {
    pub(super) fn new(settings: Settings, ground: Ground) -> Self {
        Self {
            sends: Arc::new(Semaphore::new(
                count(settings.send_in_flight_max).min(Semaphore::MAX_PERMITS),
            )),
            settings,
            exchange: ground.exchange,
            objects: ground.objects,
            clock: ground.clock,
            secrets: ground.secrets,
            work: ground.work,
        }
    }

    /// The answer to one request, HTTP 200 for whatever the SDK may send; none where the caller broke off.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        operation: Operation,
        verdict: Option<Verdict>,
        trace: &mut Trace,
    ) -> Option<Answer> {
        if let Some(verdict) = verdict {
            trace.outcome(verdict.reason());
            return Some(Answer::verdict(verdict));
        }
        let (head, mut body) = request.into_parts();
        if matches!(head.method, Method::CONNECT | Method::TRACE) {
            trace.outcome("METHOD_NOT_ALLOWED");
            return Some(Answer::method_not_allowed());
        }
        let answer = self.call(&head, &mut body, operation, trace).await?;
        // What was not read can only be dropped; behind chunks the gate reads no further head.
        let closes = !body.is_end_stream() || head.headers.contains_key(header::TRANSFER_ENCODING);
        Some(answer.closing(closes))
    }

    async fn call(&self, head: &Parts, body: &mut Incoming, operation: Operation, trace: &mut Trace) -> Option<Answer> {
        if operation == Operation::Unknown {
            let refusal = unknown("the axis has no such operation", "correct the address or the method");
            trace.outcome(refusal.code.as_str());
            return Some(Answer::failed(operation, &[refusal], None));
        }
        let Some(context) = trace_context(&head.headers) else {
            let failure = Failure::unavailable();
            trace.outcome(failure.reason().as_str());
            return Some(Answer::failed(operation, &failure.refusals, None));
        };
        let proven = match self.prove(head, context) {
            Ok(proven) => proven,
            Err(refusal) => {
                trace.outcome(refusal.code.as_str());
                return Some(Answer::failed(operation, &[refusal], None));
            }
        };
        trace.caller(&proven.caller);
        if let Some(written) = proven.signed.get("timestamp") {
            trace.timestamp(written);
        }
        match self.serve(&proven, body, operation, trace).await {
            Ok(answer) => {
                trace.outcome("OK");
                Some(answer)
            }
            Err(failure) if failure.record == Record::Gone => None,
            Err(failure) => {
                let failure = self.record(&proven, failure).await;
                trace.outcome(failure.reason().as_str());
                Some(Answer::failed(operation, &failure.refusals, Some(&proven)))
            }
        }
    }

    async fn serve(
        &self,
        proven: &Proven,
        body: &mut Incoming,
        operation: Operation,
        trace: &Trace,
    ) -> Result<Answer, Failure> {
        if operation == Operation::SendEdoc {
            return self.send(proven, body, trace).await;
        }
        discard(body).await?;
        match operation {
            Operation::GetReceivedEdocList => self.received(proven).await,
            Operation::GetEdoc => self.get(proven, trace).await,
            Operation::DownloadEdoc => self.download(proven, trace).await,
            Operation::UpdateStatus => self.update_status(proven, trace).await,
            Operation::GetAgenciesList => Ok(self.agencies()),
            Operation::GetAgenciesListQd20 => Ok(self.agencies_qd20()),
            Operation::CountReceiveEdoc => self.count(proven, Kind::Document).await,
            Operation::CountReceiveStatus => self.count(proven, Kind::Status).await,
            Operation::NotOffered | Operation::SendEdoc | Operation::Unknown => Err(Failure::refused(unknown(
                "the operation is not offered yet",
                "leave it out",
            ))),
        }
    }

    /// Unknown systems and wrong signatures cannot be told apart, by text or by time.
    fn prove(&self, head: &Parts, trace: TraceContext) -> Result<Proven, Refusal> {
        let claimed = Claimed::read(&head.headers)?;
        let view = claimed.system().and_then(|system| self.exchange.system(&system));
        let keys = view.as_ref().and_then(|view| self.keys(view));
        let known = keys.is_some();
        let keys = keys.unwrap_or_else(|| self.secrets.nobody());
        let signed = claimed.proven([&keys.current, &keys.next]);
        match (view, signed, AdapterId::parse(ADAPTER)) {
            (Some(view), Some(signed), Ok(adapter)) if known => Ok(Proven {
                caller: Caller {
                    system: view.system,
                    adapter,
                    trace,
                },
                key_id: view.key_id,
                signed,
            }),
            _ => Err(Refusal::new(
                SIGNATURE_INVALID,
                signed::path("hash-header"),
                "the system is not known here, or its secret did not sign this",
                "check system id and secret",
            )),
        }
    }

    fn keys(&self, view: &SystemView) -> Option<super::secrets::Keys> {
        let reference = view.secret_ref.as_deref()?;
        let keys = self.secrets.keys(reference);
        keys.inspect_err(|error| {
            error!(system.id = %view.system, error = error as &dyn Error, "a secret cannot be used");
        })
        .ok()
    }

    /// Who is refused hears of it only after the ledger does (exchange.md section 6).
    async fn record(&self, proven: &Proven, failure: Failure) -> Failure {
        let content = match failure.record {
            Record::No | Record::Gone => return failure,
            Record::Signed => proven.signed.digest(),
            Record::Body(digest) => digest,
        };
        let exchange = Arc::clone(&self.exchange);
        let caller = proven.caller.clone();
        let rejection = Rejection {
            content,
            refusals: failure.refusals.clone(),
        };
        match self.ask(async move { exchange.reject(&caller, rejection).await }).await {
            Ok(Ok(())) => failure,
            Ok(Err(unavailable)) => not_now(&unavailable),
            Err(late) => late,
        }
    }

    /// Has the exchange do something, to its end: also when the caller goes away or we stop waiting.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Failure> {
        let working = self.work.spawn(work.in_current_span());
        match timeout(self.settings.answer_timeout(), working).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(broken)) => {
                error!(error = &broken as &dyn Error, "a call broke down");
                Err(Failure::again(
                    OUTCOME_UNKNOWN,
                    "it is not known what became of the call",
                ))
            }
            Err(_) => Err(Failure::again(OUTCOME_UNKNOWN, "the exchange takes long to answer")),
        }
    }

    pub(super) fn today(&self) -> DocumentDate {
        (self.clock)().day_in_vietnam()
    }
}

/// Reads the small body of a call to its end.
async fn discard(body: &mut Incoming) -> Result<(), Failure> {
    let mut size_bytes = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| body_ended(&error))?;
        size_bytes += frame.data_ref().map_or(0, bytes::Bytes::len);
        if size_bytes > SMALL_BODY_MAX_BYTES {
            let what = format!("the body is larger than {SMALL_BODY_MAX_BYTES} bytes");
            return Err(Failure::refused(Refusal::new(
                BODY_TOO_LARGE,
                "/",
                what,
                "send what the operation asks for",
            )));
        }
    }
    Ok(())
}

/// As the caller names it; the vendor's SDK names none, and a call then has a trace of its own. None: the machine has no
/// randomness.
fn trace_context(headers: &HeaderMap) -> Option<TraceContext> {
    let values = headers.get_all(TRACEPARENT);
    if let Some(named) = Traceparent::of_header(values.iter().map(HeaderValue::as_bytes)) {
        return Some(TraceContext::Named(named));
    }
    let mut random = [0; 16];
    SystemRandom::new().fill(&mut random).ok()?;
    TraceId::from_bytes(random).map(TraceContext::Begun)
}

fn unknown(what: &str, mend: &str) -> Refusal {
    Refusal::new(OPERATION_UNKNOWN, "/", what, mend)
}

/// Why a body did not come to its end: its chunks are none; or it broke off, and nobody is there to be told.
pub(super) fn body_ended(error: &hyper::Error) -> Failure {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>()
            && matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)
        {
            let mend = "send chunks as RFC 9112 says, or a Content-Length";
            return Failure::refused(Refusal::new(
                BODY_BROKEN,
                "/",
                "the body has chunks that are none",
                mend,
            ));
        }
        cause = error.source();
    }
    Failure::gone()
}

/// Tells the log what broke, and the caller to send again.
pub(super) fn not_now(unavailable: &lgsp_types::Unavailable) -> Failure {
    tracing::warn!(error = unavailable as &dyn Error, "the exchange cannot answer");
    Failure::unavailable()
}
