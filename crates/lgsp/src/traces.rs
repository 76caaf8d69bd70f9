//! Spans of what a node does, for a collector of OpenTelemetry: made at the two ports, beside the metrics, and sent by OTLP.
//!
//! A span says what an [`Attribute`] can, and nothing of what a message says (ARCHITECTURE.md, invariant 7). Whether it is
//! recorded is for whoever began the trace to say; of a trace that began here, and of what is done with a message after it
//! was accepted, its id decides, so that every node, at any time, decides alike.

mod attribute;
mod export;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lgsp_types::{Caller, Clock, MsgId, SpanId, SystemId, TraceContext, TraceId, Traceparent};
use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

pub(crate) use attribute::Attribute;
pub(crate) use export::CollectorError;
use export::{Collector, Exporter};

use crate::private::random_bytes;
use crate::settings::traces::Traces as Settings;

/// Of trace ids, the half whose size decides whether a trace is recorded, as `TraceIdRatioBased` of OpenTelemetry has it.
const HALF: u128 = 1 << 63;

/// Records spans, or nothing at all. A copy shares it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traces(Option<Arc<Recorder>>);

struct Recorder {
    queue: mpsc::Sender<Span>,
    clock: Clock,
    /// Traces whose id is below it are recorded.
    threshold: u64,
    count: Count,
    timeout: Duration,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// What became of the spans; a copy shares it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count {
    pub(crate) sent: Counter,
    pub(crate) lost: Counter,
    /// It was said that some are lost, and not yet that they are sent again.
    losing: Arc<AtomicBool>,
}

impl Count {
    fn lose(&self, spans: usize, why: &(dyn std::error::Error + 'static)) {
        self.lost.inc_by(spans as u64);
        if !self.losing.swap(true, Ordering::Relaxed) {
            warn!(error = why, "spans are lost");
        }
    }

    fn send(&self, spans: usize) {
        self.sent.inc_by(spans as u64);
        if self.losing.swap(false, Ordering::Relaxed) {
            info!(lost = self.lost.get(), "spans are sent again");
        }
    }
}

impl Traces {
    /// Begins to send what is recorded, until [`Self::stop`]; nothing is recorded where no collector is named.
    ///
    /// # Errors
    /// [`CollectorError`]: an operator must correct the settings.
    pub(crate) fn start(
        settings: &Settings,
        node: &SystemId,
        clock: Clock,
        count: Count,
    ) -> Result<Self, CollectorError> {
        let Some(endpoint) = settings.endpoint() else {
            return Ok(Self(None));
        };
        let collector = Collector::new(endpoint, &settings.roots, settings.timeout())?;
        let (queue, spans) = mpsc::channel(settings.queue_spans_max);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let exporter = Exporter::new(collector, node, count.clone());
        tasks.spawn(exporter.run(spans, stop.clone()));
        Ok(Self(Some(Arc::new(Recorder {
            queue,
            clock,
            threshold: threshold(settings.sample_per_mille),
            count,
            timeout: settings.timeout(),
            tasks,
            stop,
        }))))
    }

    /// Sends what waits, in the time that one batch has, and at most `grace`. Call it when nothing happens any more.
    pub(crate) async fn stop(&self, grace: Duration) {
        let Some(recorder) = &self.0 else { return };
        recorder.stop.cancel();
        recorder.tasks.close();
        if timeout(grace.min(recorder.timeout), recorder.tasks.wait())
            .await
            .is_err()
        {
            warn!("the stop did not wait for the collector of spans");
        }
    }

    pub(crate) const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The span of a call that began then and has ended; none: it is not recorded.
    pub(crate) fn call(&self, name: &'static str, caller: &Caller, began: Instant) -> Option<Drawn<'_>> {
        let recorder = self.0.as_deref()?;
        let (parent, sampled) = match caller.trace {
            TraceContext::Named(parent) => (Some(parent.span_id), parent.sampled),
            TraceContext::Begun(trace_id) => (None, recorder.samples(trace_id)),
        };
        if !sampled {
            return None;
        }
        let trace_id = caller.trace.trace_id();
        let span_id = random_bytes().ok().and_then(SpanId::from_bytes)?;
        let mut drawn = recorder.draw((name, SpanKind::Server), trace_id, span_id, began);
        drawn.below(parent);
        drawn.say(Attribute::System(&caller.system));
        drawn.say(Attribute::Adapter(&caller.adapter));
        Some(drawn)
    }

    /// Tells whoever is handed a message whether that is recorded, before it leaves.
    pub(crate) fn mark(&self, trace: &mut Option<Traceparent>) {
        if let (Some(recorder), Some(trace)) = (&self.0, trace) {
            trace.sampled = recorder.samples(trace.trace_id);
        }
    }

    /// The span of handing a message out, under the name that went with it; none: it is not recorded.
    pub(crate) fn handing_out(
        &self,
        named: (&'static str, SpanKind),
        (message, trace): (MsgId, Option<Traceparent>),
        began: Instant,
    ) -> Option<Drawn<'_>> {
        let recorder = self.0.as_deref()?;
        let trace = trace.filter(|trace| trace.sampled)?;
        let mut drawn = recorder.draw(named, trace.trace_id, trace.span_id, began);
        drawn.below(SpanId::of_acceptance(message));
        drawn.say(Attribute::Message(message));
        Some(drawn)
    }
}

fn threshold(per_mille: u32) -> u64 {
    u64::try_from(HALF * u128::from(per_mille) / 1_000).unwrap_or(u64::MAX)
}

fn is_below(threshold: u64, trace_id: TraceId) -> bool {
    let [.., low] = trace_id.as_bytes().as_chunks().0 else {
        return false;
    };
    u64::from_be_bytes(*low) >> 1 < threshold
}

impl Recorder {
    fn samples(&self, trace_id: TraceId) -> bool {
        is_below(self.threshold, trace_id)
    }

    fn draw(&self, (name, kind): (&str, SpanKind), trace: TraceId, span: SpanId, began: Instant) -> Drawn<'_> {
        let elapsed = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let ended = (self.clock)().0.saturating_mul(1_000_000);
        let span = Span {
            trace_id: trace.as_bytes().to_vec(),
            span_id: span.as_bytes().to_vec(),
            name: name.to_owned(),
            kind: kind.into(),
            start_time_unix_nano: ended.saturating_sub(elapsed),
            end_time_unix_nano: ended,
            ..Span::default()
        };
        let mut drawn = Drawn { recorder: self, span };
        drawn.say(Attribute::Operation(name));
        drawn
    }
}

/// A span that is about to be recorded.
pub(crate) struct Drawn<'a> {
    recorder: &'a Recorder,
    span: Span,
}

impl Drawn<'_> {
    fn below(&mut self, parent: Option<SpanId>) {
        self.span.parent_span_id = parent.map(|parent| parent.as_bytes().to_vec()).unwrap_or_default();
    }

    /// It is the one in which this message was accepted: what is done with it later hangs below it.
    pub(crate) fn is_acceptance(&mut self, message: MsgId) {
        if let Some(span_id) = SpanId::of_acceptance(message) {
            self.span.span_id = span_id.as_bytes().to_vec();
        }
    }

    /// What it is about belongs to another trace.
    pub(crate) fn link(&mut self, other: Traceparent) {
        self.span.links.push(Link {
            trace_id: other.trace_id.as_bytes().to_vec(),
            span_id: other.span_id.as_bytes().to_vec(),
            ..Link::default()
        });
    }

    pub(crate) fn say(&mut self, attribute: Attribute<'_>) {
        self.span.attributes.push(attribute.key_value());
    }

    /// Lets it go; a collector that is away or slow costs the span, and nobody's time.
    pub(crate) fn end(mut self, outcome: &'static str, failed: bool) {
        self.say(Attribute::Outcome(outcome));
        if failed {
            self.span.status = Some(Status {
                code: StatusCode::Error.into(),
                message: String::new(),
            });
        }
        if let Err(full) = self.recorder.queue.try_send(self.span) {
            self.recorder.count.lose(1, &Full(full));
        }
    }
}

/// More spans wait than may.
#[derive(Debug, thiserror::Error)]
#[error("spans come faster than the collector takes them")]
struct Full(#[source] mpsc::error::TrySendError<Span>);

impl std::fmt::Debug for Recorder {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Recorder")
            .field("threshold", &self.threshold)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_traces_that_begin_here_the_share_that_is_set_is_recorded_told_by_the_end_of_their_ids() {
        let recorded = |per_mille, end: u64| {
            let id = TraceId::parse(&format!("ffffffffffffffff{end:016x}")).unwrap();
            is_below(threshold(per_mille), id)
        };
        assert!(!recorded(0, 0) && recorded(1_000, u64::MAX), "none, and all");
        assert!(recorded(500, u64::MAX / 2) && !recorded(500, u64::MAX / 2 + 1));
        let stretch = u64::MAX / 4_000;
        let of_4_000 = (0..4_000).filter(|nth| recorded(250, nth * stretch)).count();
        assert!((999..=1_001).contains(&of_4_000), "{of_4_000}");
    }
}
