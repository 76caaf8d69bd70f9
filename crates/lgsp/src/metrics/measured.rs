//! The two ports, measured, and recorded as spans: what goes through is what goes through without it.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use lgsp_types::{
    AcknowledgeError, Acknowledged, Adapter, AgencyCode, AgencyView, Answered, Arrivals, Caller, CheckError,
    ConnectorId, DeliveryId, DocumentDate, Evidence, Exchange, FetchError, Fetched, MsgId, OpenDelivery, OpenQuery,
    Outcome, Publish, PublishError, Push, Pushed, Question, Receipt, Refusal, Rejection, SentMessage, SystemId,
    SystemView, Unavailable, Upload, UploadError, WithdrawError, Withdrawal,
};

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::{Attempt, Call, Metrics, Operation, of};
use crate::traces::{Attribute, Drawn, Traces};

const OK: &str = "ok";
const UNAVAILABLE: &str = "unavailable";
/// The spans of messages that leave, by their kind in OpenTelemetry's conventions for messaging.
const HAND_OUT: (&str, SpanKind) = ("hand out", SpanKind::Producer);
const PUSH: (&str, SpanKind) = ("push", SpanKind::Client);

/// The exchange, as adapters and callers see it.
#[derive(Debug)]
pub(crate) struct MeasuredExchange {
    inner: Arc<dyn Exchange>,
    metrics: Metrics,
    traces: Traces,
}

/// An adapter, as the exchange sees it.
#[derive(Debug)]
pub(crate) struct MeasuredAdapter {
    inner: Arc<dyn Adapter>,
    metrics: Metrics,
    traces: Traces,
}

impl MeasuredExchange {
    pub(crate) const fn new(inner: Arc<dyn Exchange>, metrics: Metrics, traces: Traces) -> Self {
        Self { inner, metrics, traces }
    }

    /// `about`: what else the span of a call says.
    async fn measure<T, E>(
        &self,
        (operation, caller): (&'static str, &Caller),
        call: impl Future<Output = Result<T, E>> + Send,
        outcome: impl Fn(&Result<T, E>) -> &'static str,
        about: impl FnOnce(&Result<T, E>, &mut Drawn<'_>),
    ) -> Result<T, E> {
        let began = Instant::now();
        let answer = call.await;
        let seconds = self.metrics.call_seconds.get_or_create_owned(&Operation { operation });
        seconds.observe(began.elapsed().as_secs_f64());
        let outcome = outcome(&answer);
        self.metrics.calls.get_or_create(&Call { operation, outcome }).inc();
        if let Some(mut span) = self.traces.call(operation, caller, began) {
            about(&answer, &mut span);
            // What is refused is the caller's fault, and no failure of ours.
            let failed = !matches!(outcome, OK | "repeat" | "refused" | "conflict");
            span.end(outcome, failed);
        }
        answer
    }
}

/// Nothing but who called, and how it ended.
fn nothing<T>(_: &T, _: &mut Drawn<'_>) {}

fn done<T, E>(answer: &Result<T, E>) -> &'static str {
    if answer.is_ok() { OK } else { "failed" }
}

fn available<T>(answer: &Result<T, Unavailable>) -> &'static str {
    if answer.is_ok() { OK } else { UNAVAILABLE }
}

#[async_trait]
impl Exchange for MeasuredExchange {
    async fn upload(&self, caller: &Caller) -> Result<Box<dyn Upload>, UploadError> {
        let outcome = |answer: &Result<Box<dyn Upload>, UploadError>| match answer {
            Ok(_) => OK,
            Err(UploadError::TooLarge { .. }) => "refused",
            Err(UploadError::Full) => "full",
            Err(UploadError::Unavailable(_)) => UNAVAILABLE,
        };
        self.measure(("upload", caller), self.inner.upload(caller), outcome, nothing)
            .await
    }

    async fn publish(&self, caller: &Caller, publish: Publish) -> Result<Receipt, PublishError> {
        let outcome = |answer: &Result<Receipt, PublishError>| match answer {
            Ok(receipt) if receipt.repeat => "repeat",
            Ok(_) => OK,
            Err(PublishError::Refused(_)) => "refused",
            Err(PublishError::Conflict { .. }) => "conflict",
            Err(PublishError::Busy) => "busy",
            Err(PublishError::Unknown) => "unknown",
            Err(PublishError::Unavailable(_)) => UNAVAILABLE,
        };
        let contract = self.traces.is_on().then(|| publish.contract.clone());
        let about = |answer: &Result<Receipt, PublishError>, span: &mut Drawn<'_>| match answer {
            Ok(receipt) => {
                if !receipt.repeat {
                    span.is_acceptance(receipt.msg_id);
                }
                contract
                    .iter()
                    .for_each(|contract| span.say(Attribute::Contract(contract)));
                span.say(Attribute::Message(receipt.msg_id));
                span.say(Attribute::Partition(receipt.position.partition));
                span.say(Attribute::Offset(receipt.position.offset));
            }
            Err(PublishError::Conflict { msg_id }) => span.say(Attribute::Message(*msg_id)),
            Err(PublishError::Refused(refusals)) => say_first(span, refusals),
            Err(PublishError::Busy | PublishError::Unknown | PublishError::Unavailable(_)) => {}
        };
        let call = self.inner.publish(caller, publish);
        let answer = self.measure(("publish", caller), call, outcome, about).await;
        if let Err(PublishError::Refused(refusals)) = &answer
            && let Some(first) = refusals.first()
        {
            self.metrics.refused(&first.code);
        }
        answer
    }

    async fn reject(&self, caller: &Caller, rejection: Rejection) -> Result<(), Unavailable> {
        let first = rejection.refusals.first().map(|refusal| refusal.code.clone());
        let about = |_: &Result<(), Unavailable>, span: &mut Drawn<'_>| {
            if let Some(reason) = &first {
                span.say(Attribute::Reason(reason));
            }
        };
        let call = self.inner.reject(caller, rejection);
        let answer = self.measure(("reject", caller), call, available, about).await;
        if let (Ok(()), Some(reason)) = (&answer, first) {
            self.metrics.refused(&reason);
        }
        answer
    }

    async fn open(&self, caller: &Caller, query: OpenQuery) -> Result<Vec<OpenDelivery>, Unavailable> {
        self.measure(("open", caller), self.inner.open(caller, query), available, nothing)
            .await
    }

    async fn fetch(&self, caller: &Caller, delivery: DeliveryId) -> Result<Fetched, FetchError> {
        let began = Instant::now();
        let call = async {
            let mut fetched = self.inner.fetch(caller, delivery).await?;
            self.traces.mark(&mut fetched.trace);
            Ok(fetched)
        };
        let about = |answer: &Result<Fetched, FetchError>, span: &mut Drawn<'_>| {
            span.say(Attribute::Delivery(delivery));
            if let Ok(fetched) = answer {
                span.say(Attribute::Message(fetched.msg_id));
                // The message has a trace of its own, its sender's.
                fetched.trace.into_iter().for_each(|trace| span.link(trace));
            }
        };
        let answer = self.measure(("fetch", caller), call, done, about).await;
        if let Ok(fetched) = &answer
            && let Some(mut span) = self
                .traces
                .handing_out(HAND_OUT, (fetched.msg_id, fetched.trace), began)
        {
            span.say(Attribute::Delivery(delivery));
            span.say(Attribute::System(&caller.system));
            span.end(OK, false);
        }
        answer
    }

    async fn acknowledge(
        &self,
        caller: &Caller,
        delivery: DeliveryId,
        word: Outcome,
        evidence: Evidence,
    ) -> Result<Acknowledged, AcknowledgeError> {
        let about = |_: &Result<Acknowledged, AcknowledgeError>, span: &mut Drawn<'_>| {
            span.say(Attribute::Delivery(delivery));
        };
        let call = self.inner.acknowledge(caller, delivery, word, evidence);
        self.measure(("acknowledge", caller), call, done, about).await
    }

    async fn sent(&self, caller: &Caller, message: MsgId) -> Result<Option<SentMessage>, Unavailable> {
        let about = |_: &Result<Option<SentMessage>, Unavailable>, span: &mut Drawn<'_>| {
            span.say(Attribute::Message(message));
        };
        let call = self.inner.sent(caller, message);
        self.measure(("sent", caller), call, available, about).await
    }

    async fn withdraw(
        &self,
        caller: &Caller,
        message: MsgId,
        to: Option<AgencyCode>,
    ) -> Result<Vec<Withdrawal>, WithdrawError> {
        let about = |_: &Result<Vec<Withdrawal>, WithdrawError>, span: &mut Drawn<'_>| {
            span.say(Attribute::Message(message));
        };
        let call = self.inner.withdraw(caller, message, to);
        self.measure(("withdraw", caller), call, done, about).await
    }

    fn arrivals(&self) -> Arrivals {
        self.inner.arrivals()
    }

    fn system(&self, system: &SystemId) -> Option<SystemView> {
        self.inner.system(system)
    }

    fn agencies(&self, as_of: DocumentDate) -> Vec<AgencyView> {
        self.inner.agencies(as_of)
    }
}

fn say_first(span: &mut Drawn<'_>, refusals: &[Refusal]) {
    if let Some(first) = refusals.first() {
        span.say(Attribute::Reason(&first.code));
    }
}

impl MeasuredAdapter {
    pub(crate) const fn new(inner: Arc<dyn Adapter>, metrics: Metrics, traces: Traces) -> Self {
        Self { inner, metrics, traces }
    }
}

#[async_trait]
impl Adapter for MeasuredAdapter {
    async fn check(&self, connector: &ConnectorId) -> Result<(), CheckError> {
        self.inner.check(connector).await
    }

    async fn deliver(&self, mut push: Push) -> Pushed {
        self.traces.mark(&mut push.content.trace);
        let (of, connector) = (of(&push.connector), push.connector.clone());
        let (delivery, attempt) = (push.delivery, push.attempt);
        let (message, trace) = (push.content.msg_id, push.content.trace);
        let began = Instant::now();
        let pushed = self.inner.deliver(push).await;
        let seconds = self.metrics.attempt_seconds.get_or_create_owned(&of);
        seconds.observe(began.elapsed().as_secs_f64());
        let outcome = match &pushed {
            Pushed::Done(_) => OK,
            Pushed::Refused(_) => "refused",
            Pushed::TryAgain { .. } => "again",
        };
        if let Some(mut span) = self.traces.handing_out(PUSH, (message, trace), began) {
            span.say(Attribute::Connector(&connector));
            span.say(Attribute::Delivery(delivery));
            span.say(Attribute::Attempt(attempt));
            if let Pushed::Refused(reason) | Pushed::TryAgain { reason, .. } = &pushed {
                span.say(Attribute::Reason(reason));
            }
            span.end(outcome, outcome != OK);
        }
        let connector = of.connector;
        self.metrics
            .attempts
            .get_or_create(&Attempt { connector, outcome })
            .inc();
        pushed
    }

    async fn answer(&self, question: Question) -> Answered {
        self.inner.answer(question).await
    }
}
