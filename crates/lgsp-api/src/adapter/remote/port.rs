//! The port `Exchange`, call by call over the stream. What was sent and not answered is unknown where that matters.

use futures_util::stream;
use lgsp_proto::adapter::v1::exchange_answer::Answer;
use lgsp_proto::adapter::v1::exchange_call::{self, Call};
use lgsp_proto::{
    read_acknowledge_failure, read_content, read_fetch_failure, read_opened, read_publish_failure, read_receipt,
    read_sent_message, read_unavailable, read_withdraw_failure, read_withdrawals, write_acknowledge, write_get_message,
    write_open, write_publish, write_reject, write_withdraw,
};
use lgsp_types::{
    AcknowledgeError, Acknowledged, AgencyCode, AgencyView, Arrivals, Caller, DeliveryId, DocumentDate, Evidence,
    Exchange, FetchError, Fetched, MsgId, OpenDelivery, OpenQuery, Outcome, Publish, PublishError, Receipt, Rejection,
    SentMessage, SystemId, SystemView, Unavailable, Upload, UploadError, WithdrawError, Withdrawal,
};
use tonic::async_trait;

use super::read::Place;
use super::upload::{RemoteUpload, handle_of};
use super::{Remote, Unanswered, unavailable};

/// The node answered another question.
const OFF_TOPIC: &str = "the node's answer does not fit the call";

#[async_trait]
impl Exchange for Remote {
    async fn upload(&self, caller: &Caller) -> Result<Box<dyn Upload>, UploadError> {
        Ok(Box::new(RemoteUpload::begin(self, caller).await?))
    }

    async fn publish(&self, caller: &Caller, publish: Publish) -> Result<Receipt, PublishError> {
        // An upload belongs to its stream: where that has ended, nothing was accepted, and the sender sends again.
        let stream = self.0.current.borrow().as_ref().map(|link| link.number);
        let handles = publish.objects.iter().map(|object| handle_of(&object.staging, stream));
        let handles: Option<Vec<String>> = handles.collect();
        let handles = handles.ok_or_else(|| unavailable("the stream of the upload has ended"))?;
        let call = Call::Publish(write_publish(&publish, handles));
        match self.ask(caller, call).await {
            Ok(Answer::Published(receipt)) => read_receipt(receipt).map_err(|_| PublishError::Unknown),
            Ok(Answer::Failure(failure)) => Err(read_publish_failure(failure)),
            Err(error @ Unanswered::NotSent) => Err(unavailable(error).into()),
            Ok(_) | Err(Unanswered::Lost) => Err(PublishError::Unknown),
        }
    }

    async fn reject(&self, caller: &Caller, rejection: Rejection) -> Result<(), Unavailable> {
        match self.ask(caller, Call::Reject(write_reject(&rejection))).await {
            Ok(Answer::Rejected(_)) => Ok(()),
            other => Err(no_answer(other)),
        }
    }

    async fn open(&self, caller: &Caller, query: OpenQuery) -> Result<Vec<OpenDelivery>, Unavailable> {
        match self.ask(caller, Call::Open(write_open(&query))).await {
            Ok(Answer::Opened(opened)) => read_opened(opened).map_err(unavailable),
            other => Err(no_answer(other)),
        }
    }

    async fn fetch(&self, caller: &Caller, delivery: DeliveryId) -> Result<Fetched, FetchError> {
        let call = Call::Fetch(exchange_call::Fetch {
            delivery_id: delivery.to_string(),
        });
        match self.ask(caller, call).await {
            Ok(Answer::Fetched(content)) => {
                let fetched = read_content(content).map_err(|_| FetchError::Unknown)?;
                self.0
                    .sources
                    .know(&fetched.objects, &caller.system, Place::Delivery(delivery));
                Ok(fetched)
            }
            Ok(Answer::Failure(failure)) => Err(read_fetch_failure(failure)),
            Err(error @ Unanswered::NotSent) => Err(unavailable(error).into()),
            Ok(_) | Err(Unanswered::Lost) => Err(FetchError::Unknown),
        }
    }

    async fn acknowledge(
        &self,
        caller: &Caller,
        delivery: DeliveryId,
        outcome: Outcome,
        evidence: Evidence,
    ) -> Result<Acknowledged, AcknowledgeError> {
        let call = Call::Acknowledge(write_acknowledge(delivery, &outcome, &evidence));
        match self.ask(caller, call).await {
            Ok(Answer::Acknowledged(acknowledged)) if acknowledged.already => Ok(Acknowledged::Already),
            Ok(Answer::Acknowledged(_)) => Ok(Acknowledged::Done),
            Ok(Answer::Failure(failure)) => Err(read_acknowledge_failure(failure)),
            Err(error @ Unanswered::NotSent) => Err(unavailable(error).into()),
            Ok(_) | Err(Unanswered::Lost) => Err(AcknowledgeError::Unknown),
        }
    }

    async fn sent(&self, caller: &Caller, message: MsgId) -> Result<Option<SentMessage>, Unavailable> {
        let call = Call::GetMessage(write_get_message(message));
        match self.ask(caller, call).await {
            Ok(Answer::Message(sent)) => read_sent_message(sent).map_err(unavailable),
            other => Err(no_answer(other)),
        }
    }

    async fn withdraw(
        &self,
        caller: &Caller,
        message: MsgId,
        to: Option<AgencyCode>,
    ) -> Result<Vec<Withdrawal>, WithdrawError> {
        let call = Call::Withdraw(write_withdraw(message, to.as_ref()));
        match self.ask(caller, call).await {
            Ok(Answer::Withdrawn(withdrawn)) => read_withdrawals(withdrawn).map_err(|_| WithdrawError::Unknown),
            Ok(Answer::Failure(failure)) => Err(read_withdraw_failure(failure)),
            Err(error @ Unanswered::NotSent) => Err(unavailable(error).into()),
            Ok(_) | Err(Unanswered::Lost) => Err(WithdrawError::Unknown),
        }
    }

    /// Also when a stream was opened anew: what arrived in between was told to nobody.
    fn arrivals(&self) -> Arrivals {
        let arrived = self.0.arrived.subscribe();
        Box::pin(stream::unfold(arrived, |mut arrived| async move {
            arrived.changed().await.ok()?;
            Some(((), arrived))
        }))
    }

    /// As the node showed it last.
    fn system(&self, system: &SystemId) -> Option<SystemView> {
        let view = self.0.view.load();
        view.systems.iter().find(|known| known.system == *system).cloned()
    }

    /// As the node showed it last, which is today and tomorrow: another day looks like the nearest of these.
    fn agencies(&self, as_of: DocumentDate) -> Vec<AgencyView> {
        let view = self.0.view.load();
        let by_then = view.agencies.iter().rev().find(|of| of.day <= as_of);
        let nearest = by_then.or(view.agencies.first());
        nearest.map(|of| of.agencies.clone()).unwrap_or_default()
    }
}

/// Where the port knows only that it did not work.
fn no_answer(answer: Result<Answer, Unanswered>) -> Unavailable {
    match answer {
        Ok(Answer::Failure(failure)) => read_unavailable(failure),
        Ok(_) => unavailable(OFF_TOPIC),
        Err(error) => unavailable(error),
    }
}
