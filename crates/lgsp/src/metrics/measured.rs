//! The two ports, measured: what goes through is what goes through without it.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use lgsp_types::{
    AcknowledgeError, Acknowledged, Adapter, AgencyView, Answered, Arrivals, Caller, CheckError, ConnectorId,
    DeliveryId, DocumentDate, Evidence, Exchange, FetchError, Fetched, MsgId, OpenDelivery, OpenQuery, Outcome,
    Publish, PublishError, Push, Pushed, Question, Receipt, Rejection, SentMessage, SystemId, SystemView, Unavailable,
    Upload, UploadError,
};

use super::{Attempt, Call, Metrics, Operation, of};

const OK: &str = "ok";
const UNAVAILABLE: &str = "unavailable";

/// The exchange, as adapters and callers see it.
#[derive(Debug)]
pub(crate) struct MeasuredExchange {
    inner: Arc<dyn Exchange>,
    metrics: Metrics,
}

/// An adapter, as the exchange sees it.
#[derive(Debug)]
pub(crate) struct MeasuredAdapter {
    inner: Arc<dyn Adapter>,
    metrics: Metrics,
}

impl MeasuredExchange {
    pub(crate) const fn new(inner: Arc<dyn Exchange>, metrics: Metrics) -> Self {
        Self { inner, metrics }
    }

    async fn measure<T, E>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, E>> + Send,
        outcome: impl Fn(&Result<T, E>) -> &'static str,
    ) -> Result<T, E> {
        let began = Instant::now();
        let answer = call.await;
        let seconds = self.metrics.call_seconds.get_or_create_owned(&Operation { operation });
        seconds.observe(began.elapsed().as_secs_f64());
        let outcome = outcome(&answer);
        self.metrics.calls.get_or_create(&Call { operation, outcome }).inc();
        answer
    }
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
        self.measure("upload", self.inner.upload(caller), outcome).await
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
        let answer = self
            .measure("publish", self.inner.publish(caller, publish), outcome)
            .await;
        if let Err(PublishError::Refused(refusals)) = &answer
            && let Some(first) = refusals.first()
        {
            self.metrics.refused(&first.code);
        }
        answer
    }

    async fn reject(&self, caller: &Caller, rejection: Rejection) -> Result<(), Unavailable> {
        let first = rejection.refusals.first().map(|refusal| refusal.code.clone());
        let answer = self
            .measure("reject", self.inner.reject(caller, rejection), available)
            .await;
        if let (Ok(()), Some(reason)) = (&answer, first) {
            self.metrics.refused(&reason);
        }
        answer
    }

    async fn open(&self, caller: &Caller, query: OpenQuery) -> Result<Vec<OpenDelivery>, Unavailable> {
        self.measure("open", self.inner.open(caller, query), available).await
    }

    async fn fetch(&self, caller: &Caller, delivery: DeliveryId) -> Result<Fetched, FetchError> {
        let outcome = |answer: &Result<Fetched, FetchError>| match answer {
            Ok(_) => OK,
            Err(_) => "failed",
        };
        self.measure("fetch", self.inner.fetch(caller, delivery), outcome).await
    }

    async fn acknowledge(
        &self,
        caller: &Caller,
        delivery: DeliveryId,
        word: Outcome,
        evidence: Evidence,
    ) -> Result<Acknowledged, AcknowledgeError> {
        let outcome = |answer: &Result<Acknowledged, AcknowledgeError>| match answer {
            Ok(_) => OK,
            Err(_) => "failed",
        };
        let call = self.inner.acknowledge(caller, delivery, word, evidence);
        self.measure("acknowledge", call, outcome).await
    }

    async fn sent(&self, caller: &Caller, message: MsgId) -> Result<Option<SentMessage>, Unavailable> {
        self.measure("sent", self.inner.sent(caller, message), available).await
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

impl MeasuredAdapter {
    pub(crate) const fn new(inner: Arc<dyn Adapter>, metrics: Metrics) -> Self {
        Self { inner, metrics }
    }
}

#[async_trait]
impl Adapter for MeasuredAdapter {
    async fn check(&self, connector: &ConnectorId) -> Result<(), CheckError> {
        self.inner.check(connector).await
    }

    async fn deliver(&self, push: Push) -> Pushed {
        let of = of(&push.connector);
        let began = Instant::now();
        let pushed = self.inner.deliver(push).await;
        let seconds = self.metrics.attempt_seconds.get_or_create_owned(&of);
        seconds.observe(began.elapsed().as_secs_f64());
        let outcome = match &pushed {
            Pushed::Done(_) => OK,
            Pushed::Refused(_) => "refused",
            Pushed::TryAgain { .. } => "again",
        };
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
