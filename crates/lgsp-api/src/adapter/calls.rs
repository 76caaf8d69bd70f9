//! One call of a process: may it, what does it ask, what the exchange answers. A recipe for each of the port's methods.

use futures_util::StreamExt as _;
use lgsp_proto::adapter::v1::{Chunk, ExchangeAnswer, ExchangeCall, Failure, attach_response, exchange_answer};
use lgsp_proto::adapter::v1::{exchange_call, exchange_call::read_object::Of};
use lgsp_proto::exchange::v1 as exchange;
use lgsp_proto::{
    read_acknowledge, read_message_call, read_open, read_publish, read_reject, read_withdraw,
    write_acknowledge_failure, write_content, write_content_failure, write_fetch_failure, write_opened,
    write_publish_failure, write_receipt, write_refused, write_sent_message, write_unavailable, write_withdraw_failure,
    write_withdrawals,
};
use lgsp_types::{
    Acknowledged, Attachment, Caller, DeliveryId, Digest, FetchError, ReasonCode, Refusal, Rejection, SystemId,
    TraceContext,
};
use prost::Message as _;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span, field, info_span, warn};

use super::CONTENT_PATIENCE;
use super::content::{Allowance, CHUNK_MAX_BYTES, Outlet};
use super::session::Session;
use crate::service::begun;
use exchange_answer::Answer;
use exchange_call::Call;

const ADAPTER_NOT_SYSTEM: ReasonCode = ReasonCode::new("ADAPTER_NOT_SYSTEM");
const FIELD_INVALID: ReasonCode = ReasonCode::new("FIELD_INVALID");
const FIELD_MISSING: ReasonCode = ReasonCode::new("FIELD_MISSING");
const NOT_FOUND: ReasonCode = ReasonCode::new("NOT_FOUND");

/// What a call moves beside its question.
#[derive(Debug)]
pub(super) enum Moving {
    Nothing,
    In(Outlet<exchange::upload_attachment_request::Start>),
    Out(std::sync::Arc<Allowance>),
}

impl Session {
    /// Answers one call and gives its place back as the answer leaves.
    pub(super) async fn serve(
        self: std::sync::Arc<Self>,
        call: ExchangeCall,
        moving: Moving,
        cancelled: CancellationToken,
    ) {
        let id = call.call_id;
        let span = info_span!(
            "adapter call",
            adapter.id = %self.adapter,
            system.id = %call.system,
            call.id = id,
            trace = field::Empty
        );
        let answer = self.answer(call, moving, &cancelled).instrument(span).await;
        let answer = ExchangeAnswer {
            call_id: id,
            answer: Some(answer),
        };
        // The place is free before the answer is read: the next call may come at once.
        if let Ok(place) = self.line.place().await {
            self.table.end(id);
            place.send(super::session::frame(attach_response::Frame::Answer(answer)));
        } else {
            self.table.end(id);
        }
    }

    async fn answer(&self, call: ExchangeCall, moving: Moving, cancelled: &CancellationToken) -> Answer {
        let caller = match self.caller(&call).await {
            Ok(caller) => caller,
            Err(failure) => return Answer::Failure(failure),
        };
        if self.is_draining() {
            return Answer::Failure(write_unavailable());
        }
        let content = Digest::of(&call.encode_to_vec());
        let id = call.call_id;
        let answered = match (call.call, moving) {
            (Some(Call::Upload(_)), Moving::In(outlet)) => self.take_in(&caller, id, outlet, cancelled).await,
            (Some(Call::ReadObject(read)), Moving::Out(allowance)) => {
                self.hand_out(&caller, id, &read, &allowance, cancelled).await
            }
            (Some(call), _) => self.ask(&caller, call).await,
            (None, _) => Err(Refused::one(FIELD_MISSING, "call", "is absent", "say what to do")),
        };
        match answered {
            Ok(answer) => answer,
            Err(Refused(refusals)) => Answer::Failure(self.refuse(&caller, content, refusals).await),
        }
    }

    /// Whom the process may speak for, as the registry has it now.
    async fn caller(&self, call: &ExchangeCall) -> Result<Caller, Failure> {
        let adapter = self.adapter.clone();
        let trace = match TraceContext::parse(&call.trace) {
            Ok(trace) => trace,
            Err(_) => begun().map_err(|_| write_unavailable())?,
        };
        Span::current().record("trace", field::display(trace.trace_id()));
        let system = SystemId::parse(&call.system).ok();
        if let Some(system) = system.filter(|system| self.speaks_as(system)) {
            return Ok(Caller { system, adapter, trace });
        }
        warn!("an adapter speaks as a system that is not its own");
        let refusal = not_its_system("system");
        // Under its own name: of the system nothing is known, not even that it is one.
        let Ok(own) = SystemId::parse(self.adapter.as_str()) else {
            return Err(write_refused(&[refusal]));
        };
        let own = Caller {
            system: own,
            adapter,
            trace,
        };
        let content = Digest::of(call.system.as_bytes());
        Err(self.refuse(&own, content, vec![refusal]).await)
    }

    /// Who is refused hears of it only after the ledger does.
    async fn refuse(&self, caller: &Caller, content: Digest, refusals: Vec<Refusal>) -> Failure {
        let failure = write_refused(&refusals);
        let rejection = Rejection { content, refusals };
        match self.exchange().reject(caller, rejection).await {
            Ok(()) => failure,
            Err(error) => {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "a refusal could not be recorded"
                );
                write_unavailable()
            }
        }
    }

    /// What has no content of its own.
    async fn ask(&self, caller: &Caller, call: Call) -> Result<Answer, Refused> {
        let failed = Answer::Failure;
        let exchange = self.exchange();
        Ok(match call {
            Call::Publish(publish) => self.publish(caller, publish).await?,
            Call::Reject(reject) => match exchange.reject(caller, read_reject(reject)?).await {
                Ok(()) => Answer::Rejected(exchange_answer::Rejected {}),
                Err(error) => failed(told(&error)),
            },
            Call::Open(open) => match exchange.open(caller, read_open(open)?).await {
                Ok(open) => Answer::Opened(write_opened(&open)),
                Err(error) => failed(told(&error)),
            },
            Call::Fetch(fetch) => match exchange.fetch(caller, delivery(&fetch.delivery_id)?).await {
                Ok(fetched) => Answer::Fetched(write_content(&fetched)),
                Err(error) => failed(write_fetch_failure(&error)),
            },
            Call::Acknowledge(word) => {
                let (delivery, outcome, evidence) = read_acknowledge(word)?;
                match exchange.acknowledge(caller, delivery, outcome, evidence).await {
                    Ok(acknowledged) => Answer::Acknowledged(exchange::AcknowledgeDeliveryResponse {
                        already: acknowledged == Acknowledged::Already,
                    }),
                    Err(error) => failed(write_acknowledge_failure(&error)),
                }
            }
            Call::GetMessage(call) => match exchange.sent(caller, read_message_call(&call)?).await {
                Ok(sent) => Answer::Message(write_sent_message(sent.as_ref())),
                Err(error) => failed(told(&error)),
            },
            Call::Withdraw(call) => {
                let (message, to) = read_withdraw(&call)?;
                match exchange.withdraw(caller, message, to).await {
                    Ok(withdrawals) => Answer::Withdrawn(write_withdrawals(&withdrawals)),
                    Err(error) => failed(write_withdraw_failure(&error)),
                }
            }
            // The table gave both what they move.
            Call::Upload(_) | Call::ReadObject(_) => failed(write_unavailable()),
        })
    }

    async fn publish(&self, caller: &Caller, call: exchange_call::Publish) -> Result<Answer, Refused> {
        let sent = read_publish(call)?;
        let mut publish = sent.publish;
        publish.objects = self.uploads.take(&caller.system, &sent.uploads).map_err(|missing| {
            let unknown = missing.into_iter().map(|at| {
                Refusal::new(
                    FIELD_INVALID,
                    format!("message.attachments[{at}].handle"),
                    "is no upload of this stream for this system",
                    "upload the file anew, and publish with its new handle",
                )
            });
            Refused(unknown.collect())
        })?;
        let in_own_trace = sent.trace.map(|trace| caller.in_trace(trace));
        let caller = in_own_trace.as_ref().unwrap_or(caller);
        Ok(match self.exchange().publish(caller, publish).await {
            Ok(receipt) => Answer::Published(write_receipt(&receipt)),
            Err(error) => Answer::Failure(write_publish_failure(&error)),
        })
    }

    /// Sends an object as far as there is credit; what the process has no right to is not told from what is not there.
    async fn hand_out(
        &self,
        caller: &Caller,
        id: u64,
        read: &exchange_call::ReadObject,
        allowance: &Allowance,
        cancelled: &CancellationToken,
    ) -> Result<Answer, Refused> {
        let objects = match &read.of {
            Some(Of::DeliveryId(text)) => match self.exchange().fetch(caller, delivery(text)?).await {
                Ok(fetched) => fetched.objects,
                Err(error @ (FetchError::NotFound | FetchError::Gone | FetchError::Unknown)) => {
                    return Ok(Answer::Failure(write_fetch_failure(&error)));
                }
                Err(FetchError::Unavailable(error)) => return Ok(Answer::Failure(told(&error))),
            },
            Some(Of::DeliverCallId(call)) => self.delivering(&caller.system, *call).unwrap_or_default(),
            None => {
                return Err(Refused::one(
                    FIELD_MISSING,
                    "read_object.of",
                    "is absent",
                    "say which object",
                ));
            }
        };
        let Some(object) = objects.get(read.index as usize) else {
            let what = format!("there are {} objects", objects.len());
            return Err(Refused::one(NOT_FOUND, "read_object.index", what, "count from 0"));
        };
        Ok(tokio::select! {
            () = cancelled.cancelled() => Answer::Failure(write_unavailable()),
            answer = self.send_object(id, object, allowance) => answer,
        })
    }

    async fn send_object(&self, id: u64, object: &Attachment, allowance: &Allowance) -> Answer {
        let mut content = match self.objects().read(object).await {
            Ok(content) => content,
            Err(error) => return Answer::Failure(write_content_failure(&error)),
        };
        while let Some(chunk) = content.next().await {
            let mut chunk = match chunk {
                Ok(chunk) => chunk,
                Err(error) => return Answer::Failure(write_content_failure(&error)),
            };
            while !chunk.is_empty() {
                let data = chunk.split_to(chunk.len().min(CHUNK_MAX_BYTES));
                // Who reads no further holds no place for ever.
                let spent = timeout(CONTENT_PATIENCE, allowance.spend(&data)).await;
                if !matches!(spent, Ok(Ok(()))) {
                    return Answer::Failure(write_unavailable());
                }
                let chunk = attach_response::Frame::Chunk(Chunk { call_id: id, data });
                if self.line.send(super::session::frame(chunk)).await.is_err() {
                    return Answer::Failure(write_unavailable());
                }
            }
        }
        Answer::Read(exchange_answer::Read {})
    }
}

/// Wrong fields of a call; recorded, then told.
#[derive(Debug)]
pub(super) struct Refused(pub(super) Vec<Refusal>);

impl Refused {
    pub(super) fn one(code: ReasonCode, path: &str, what: impl Into<String>, mend: &str) -> Self {
        Self(vec![Refusal::new(code, path, what, mend)])
    }
}

impl From<Vec<Refusal>> for Refused {
    fn from(refusals: Vec<Refusal>) -> Self {
        Self(refusals)
    }
}

pub(super) fn not_its_system(path: &str) -> Refusal {
    Refusal::new(
        ADAPTER_NOT_SYSTEM,
        path,
        "the registry does not let this adapter speak as this system, or the system is not active",
        "speak as a system of its list, or have the operator add it to `speaks_as`",
    )
}

fn delivery(text: &str) -> Result<DeliveryId, Refused> {
    lgsp_proto::read_delivery_id(text, "delivery_id").map_err(|refusal| Refused(vec![refusal]))
}

/// The cause is for our log.
pub(super) fn told(error: &lgsp_types::Unavailable) -> Failure {
    warn!(error = error as &dyn std::error::Error, "the exchange cannot answer");
    write_unavailable()
}
