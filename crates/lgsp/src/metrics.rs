//! What a node measures, for Prometheus: one table of names, filled at the two ports and when somebody asks.
//!
//! Labels are operations, outcomes, our reason codes, connectors and partitions, never what a caller wrote: the number of
//! series is bounded, and nothing of a message can be in them (ARCHITECTURE.md, invariant 7).

mod measured;
mod process;
mod serve;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use lgsp_exchange::Spine;
use lgsp_types::{ConnectorId, NodeStatus, Operations, ReasonCode, Unavailable};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

pub(crate) use measured::{MeasuredAdapter, MeasuredExchange};
pub(crate) use serve::serve;

use crate::node::BUILD;
use crate::traces::Count;

/// Upper bounds of how long calls take, in seconds: from a call answered out of memory to the longest that is waited for.
const SECONDS: [f64; 14] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 20.0, 60.0,
];
/// Most reason codes that have a series of their own: an adapter process may name any.
const REASONS_MAX: usize = 200;
/// The label of all others.
const OTHER_REASON: &str = "OTHER";

type Seconds = Family<Operation, Histogram, fn() -> Histogram>;
type PushSeconds = Family<Push, Histogram, fn() -> Histogram>;
type Real = Gauge<f64, AtomicU64>;

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Operation {
    operation: &'static str,
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Call {
    operation: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reason {
    reason: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Push {
    connector: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Attempt {
    connector: String,
    outcome: &'static str,
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct State {
    state: &'static str,
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Partition {
    partition: u32,
}

/// All that a node measures; a copy shares it.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    registry: Arc<Registry>,
    calls: Family<Call, Counter>,
    call_seconds: Seconds,
    refusals: Family<Reason, Counter>,
    /// How many reasons were met for the first time.
    reasons: Arc<AtomicUsize>,
    attempts: Family<Attempt, Counter>,
    attempt_seconds: PushSeconds,
    pub(crate) spans: Count,
    // What follows is read when somebody asks.
    messages: Family<State, Gauge>,
    deliveries: Family<State, Gauge>,
    push_waiting: Family<Push, Gauge>,
    push_under_way: Family<Push, Gauge>,
    push_left_alone: Family<Push, Gauge>,
    lag: Family<Partition, Gauge>,
    unsealed: Real,
    held: Gauge,
    epoch: Gauge,
    control_size: Gauge,
    resident: Gauge,
    processor: Counter<f64, AtomicU64>,
    files: Gauge,
}

fn histogram() -> Histogram {
    Histogram::new(SECONDS)
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut metrics = Self {
            registry: Arc::default(),
            calls: Family::default(),
            call_seconds: Family::new_with_constructor(histogram),
            refusals: Family::default(),
            reasons: Arc::default(),
            attempts: Family::default(),
            attempt_seconds: Family::new_with_constructor(histogram),
            spans: Count::default(),
            messages: Family::default(),
            deliveries: Family::default(),
            push_waiting: Family::default(),
            push_under_way: Family::default(),
            push_left_alone: Family::default(),
            lag: Family::default(),
            unsealed: Real::default(),
            held: Gauge::default(),
            epoch: Gauge::default(),
            control_size: Gauge::default(),
            resident: Gauge::default(),
            processor: Counter::default(),
            files: Gauge::default(),
        };
        metrics.registry = Arc::new(metrics.registered());
        metrics
    }

    /// Every name with what it says; the dashboards and alarms of operators stand on these.
    fn registered(&self) -> Registry {
        let mut all = Registry::default();
        all.register("lgsp_build", "What runs", Info::new([("version", BUILD)]));
        all.register(
            "lgsp_calls",
            "Calls of the exchange by systems and adapters",
            self.calls.clone(),
        );
        let (what, unit) = ("How long calls took", Unit::Seconds);
        all.register_with_unit("lgsp_call_duration", what, unit, self.call_seconds.clone());
        all.register(
            "lgsp_refusals",
            "Refused calls, by the first broken rule",
            self.refusals.clone(),
        );
        all.register(
            "lgsp_push_attempts",
            "Tries to push a delivery to a far side",
            self.attempts.clone(),
        );
        let (what, unit) = ("How long tries took", Unit::Seconds);
        all.register_with_unit("lgsp_push_duration", what, unit, self.attempt_seconds.clone());
        let what = "Spans that the collector took";
        all.register("lgsp_spans_sent", what, self.spans.sent.clone());
        let what = "Spans that were lost, as the collector was away, slow, or refused them";
        all.register("lgsp_spans_lost", what, self.spans.lost.clone());
        let what = "Messages since the ledger began: accepted, repeats, conflicts; and refusals";
        all.register("lgsp_messages", what, self.messages.clone());
        all.register("lgsp_deliveries", "Deliveries by state", self.deliveries.clone());
        all.register(
            "lgsp_push_waiting",
            "Deliveries that wait for a push connector",
            self.push_waiting.clone(),
        );
        all.register("lgsp_push_under_way", "Tries under way", self.push_under_way.clone());
        let what = "1 while a far side is left alone after failing again and again";
        all.register("lgsp_push_left_alone", what, self.push_left_alone.clone());
        let what = "Records of a partition that are not projected yet";
        all.register("lgsp_projection_lag_records", what, self.lag.clone());
        let (what, unit) = ("For how long the oldest record waits for its checkpoint", Unit::Seconds);
        all.register_with_unit("lgsp_unsealed", what, unit, self.unsealed.clone());
        all.register(
            "lgsp_ledger_held",
            "1 while this node holds the ledger",
            self.held.clone(),
        );
        all.register(
            "lgsp_ledger_epoch",
            "Counts the tenures of the ledger",
            self.epoch.clone(),
        );
        all.register(
            "lgsp_control_records",
            "Records of the control ledger",
            self.control_size.clone(),
        );
        all.register_with_unit(
            "process_resident_memory",
            "Memory in use",
            Unit::Bytes,
            self.resident.clone(),
        );
        all.register_with_unit(
            "process_cpu",
            "Processor time used",
            Unit::Seconds,
            self.processor.clone(),
        );
        all.register("process_open_fds", "Open files and sockets", self.files.clone());
        all
    }

    /// One refused call.
    fn refused(&self, reason: &ReasonCode) {
        let named = Reason {
            reason: reason.to_string(),
        };
        let known = self.refusals.get(&named).is_some();
        if known || self.reasons.fetch_add(1, Ordering::Relaxed) < REASONS_MAX {
            self.refusals.get_or_create(&named).inc();
        } else {
            let reason = OTHER_REASON.to_owned();
            self.refusals.get_or_create(&Reason { reason }).inc();
        }
    }

    /// Everything as text in the OpenMetrics format.
    ///
    /// # Errors
    /// [`Unavailable`]: the node cannot say how it stands.
    pub(crate) async fn told(&self, spine: &Spine) -> Result<String, Unavailable> {
        self.take(&spine.status().await?);
        for (partition, lag) in (0..).zip(spine.lag().await?) {
            self.lag.get_or_create(&Partition { partition }).set(signed(lag));
        }
        let used = process::used();
        self.resident.set(signed(used.resident_bytes));
        let before = self.processor.get();
        self.processor.inc_by((used.processor_seconds - before).max(0.0));
        self.files.set(signed(used.open_files));
        let mut out = String::new();
        text::encode(&mut out, &self.registry).map_err(Unavailable::new)?;
        Ok(out)
    }

    fn take(&self, status: &NodeStatus) {
        let messages = [
            ("accepted", status.accepted),
            ("repeat", status.repeats),
            ("conflict", status.conflicts),
            ("refused", status.refusals.saturating_add(status.refusals_summarised)),
        ];
        for (state, count) in messages {
            self.messages.get_or_create(&State { state }).set(signed(count));
        }
        let deliveries = [
            ("open", status.open),
            ("collected", status.collected),
            ("delivered", status.delivered),
            ("dead_lettered", status.dead_lettered),
            ("withdrawn", status.withdrawn),
        ];
        for (state, count) in deliveries {
            self.deliveries.get_or_create(&State { state }).set(signed(count));
        }
        // A connector that is no more is not told any more.
        for family in [&self.push_waiting, &self.push_under_way, &self.push_left_alone] {
            family.clear();
        }
        for line in &status.pushes {
            let push = of(&line.connector);
            self.push_waiting.get_or_create(&push).set(line.waiting.into());
            self.push_under_way.get_or_create(&push).set(line.trying.into());
            self.push_left_alone.get_or_create(&push).set(line.left_alone.into());
        }
        #[expect(clippy::cast_precision_loss, reason = "milliseconds far below 2^53")]
        self.unsealed.set(status.unsealed_ms as f64 / 1_000.0);
        self.held.set(status.holder.is_some().into());
        self.epoch.set(signed(status.epoch));
        self.control_size.set(signed(status.control_size));
    }
}

fn of(connector: &ConnectorId) -> Push {
    Push {
        connector: connector.to_string(),
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_that_an_adapter_makes_up_do_not_become_series_without_end() {
        let metrics = Metrics::new();
        for nth in 0..2 * REASONS_MAX {
            metrics.refused(&ReasonCode::parse(&format!("MADE_UP_{nth}")).unwrap());
        }
        let other = Reason {
            reason: OTHER_REASON.to_owned(),
        };
        assert_eq!(metrics.refusals.get_or_create(&other).get(), REASONS_MAX as u64);
    }
}
