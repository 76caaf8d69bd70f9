//! What the node asks a process, as the port `Adapter` has it.

use std::time::Duration;

use lgsp_types::{
    AgencyCode, Answered, CheckError, ConnectorId, ContractRef, DeliveryId, MsgId, Push, Pushed, Question, ReasonCode,
};

use super::back::{read_content, read_time};
use super::evidence::write_evidence;
use super::{Garbled, TEXT_MAX_BYTES, cut, garbled};
use crate::adapter::v1::{adapter_answer, adapter_call};
use crate::write::{write_content, write_time};
use adapter_answer::Answer;

/// What a process said; whether it fits the call, the caller sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Checked(Result<(), String>),
    Pushed(Pushed),
    Answered(Answered),
    /// To a push or a question.
    Refused(ReasonCode),
    /// To a push or a question.
    TryAgain {
        reason: ReasonCode,
        after: Option<Duration>,
    },
}

#[must_use]
pub fn write_deliver(push: &Push) -> adapter_call::Deliver {
    adapter_call::Deliver {
        delivery_id: push.delivery.to_string(),
        attempt: push.attempt,
        accepted_at: Some(write_time(push.accepted_ms)),
        from: push.from.to_string(),
        to: push.to.to_string(),
        content: Some(write_content(&push.content)),
    }
}

/// # Errors
/// [`Garbled`].
pub fn read_deliver(connector: ConnectorId, deliver: adapter_call::Deliver) -> Result<Push, Garbled> {
    Ok(Push {
        connector,
        delivery: DeliveryId::parse(&deliver.delivery_id).map_err(|_| garbled("deliver.delivery_id"))?,
        attempt: deliver.attempt,
        accepted_ms: read_time(deliver.accepted_at).ok_or(garbled("deliver.accepted_at"))?,
        from: AgencyCode::parse(&deliver.from).map_err(|_| garbled("deliver.from"))?,
        to: AgencyCode::parse(&deliver.to).map_err(|_| garbled("deliver.to"))?,
        content: read_content(deliver.content.ok_or(garbled("deliver.content"))?)?,
    })
}

#[must_use]
pub fn write_ask(question: &Question) -> adapter_call::Ask {
    adapter_call::Ask {
        message_id: question.msg_id.to_string(),
        contract: question.contract.to_string(),
        payload: question.payload.clone(),
    }
}

/// # Errors
/// [`Garbled`].
pub fn read_ask(connector: ConnectorId, ask: adapter_call::Ask) -> Result<Question, Garbled> {
    Ok(Question {
        connector,
        msg_id: MsgId::parse(&ask.message_id).map_err(|_| garbled("ask.message_id"))?,
        contract: ContractRef::parse(&ask.contract).map_err(|_| garbled("ask.contract"))?,
        payload: ask.payload,
    })
}

#[must_use]
pub fn write_checked(checked: &Result<(), CheckError>) -> Answer {
    match checked {
        Ok(()) => Answer::Checked(adapter_answer::Checked {}),
        Err(error) => Answer::CheckFailed(adapter_answer::CheckFailed {
            what: cut(&error.source.to_string(), TEXT_MAX_BYTES),
        }),
    }
}

#[must_use]
pub fn write_pushed(pushed: Pushed) -> Answer {
    match pushed {
        Pushed::Done(evidence) => Answer::Done(adapter_answer::Done {
            evidence: Some(write_evidence(&evidence)),
        }),
        Pushed::Refused(reason) => Answer::Refused(reason.into()),
        Pushed::TryAgain { reason, after } => try_again(&reason, after),
    }
}

#[must_use]
pub fn write_answered(answered: Answered) -> Answer {
    match answered {
        Answered::Record(record) => Answer::Record(record),
        Answered::NotFound => Answer::NoRecord(adapter_answer::NoRecord {}),
        Answered::Refused(reason) => Answer::Refused(reason.into()),
        Answered::TryAgain { reason, after } => try_again(&reason, after),
    }
}

fn try_again(reason: &ReasonCode, after: Option<Duration>) -> Answer {
    Answer::TryAgain(adapter_answer::TryAgain {
        reason: reason.to_string(),
        after: after.and_then(|after| prost_types::Duration::try_from(after).ok()),
    })
}
