//! What the log says of a call: one span, one line when it is over; never a payload, a secret or a name.

use std::error::Error;

use lgsp_types::Caller;
use tokio::time::Instant;
use tracing::{Span, error, field, info, info_span};

use super::route::Operation;

/// `ddMMyyyy'T'HHmmss+SSSS`; another text is not logged.
const TIMESTAMP_MAX: usize = 20;

/// A call in the log, from its first byte to the last of its answer.
#[derive(Debug)]
pub(super) struct Trace {
    span: Span,
    begun: Instant,
    outcome: Option<String>,
    whole: bool,
}

impl Trace {
    pub(super) fn begin(operation: Operation) -> Self {
        Self {
            span: info_span!(
                "vxp",
                operation = operation.name(),
                system.id = field::Empty,
                message.id = field::Empty,
                system.timestamp = field::Empty,
                trace = field::Empty
            ),
            begun: Instant::now(),
            outcome: None,
            whole: false,
        }
    }

    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    /// Who calls, once proven, and in which trace.
    pub(super) fn caller(&self, caller: &Caller) {
        self.span.record("system.id", field::display(&caller.system));
        self.span.record("trace", field::display(caller.trace.trace_id()));
    }

    /// When the caller says that it started; information only, for it may be days ago (vxp-wire.md, fact 3).
    pub(super) fn timestamp(&self, written: &str) {
        let is_one = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'T' | b'+');
        if written.len() <= TIMESTAMP_MAX && written.bytes().all(is_one) {
            self.span.record("system.timestamp", written);
        }
    }

    /// The message or delivery the call is about.
    pub(super) fn message(&self, id: impl std::fmt::Display) {
        self.span.record("message.id", field::display(id));
    }

    /// What the answer says: `OK`, or a reason code.
    pub(super) fn outcome(&mut self, outcome: &str) {
        self.outcome = Some(outcome.to_owned());
    }

    /// The answer was handed over to its last byte.
    pub(super) fn whole(&mut self) {
        self.whole = true;
    }

    /// The answer ends early through our own fault.
    pub(super) fn cut(&mut self, cut: &(dyn Error + 'static)) {
        self.span
            .in_scope(|| error!(error = cut, "a packet could not be read to its end"));
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let outcome = self.outcome.as_deref().filter(|_| self.whole).unwrap_or("CUT");
        let elapsed_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.span.in_scope(|| info!(outcome, elapsed_ms, "answered"));
    }
}
