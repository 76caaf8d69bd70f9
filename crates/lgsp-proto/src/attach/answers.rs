//! What the node answers, and what a process answers the node.

use lgsp_types::{Answered, Evidence, OpenDelivery, Pushed, ReasonCode, Refusal, SentMessage};

use super::Said;
use super::evidence::read_evidence;
use crate::adapter::v1::{AdapterAnswer, adapter_answer, exchange_answer};
use crate::read::Wrong;
use crate::write::{write_sent, write_summary};
use adapter_answer::Answer;

/// Most of what an operator reads of a failed check, in bytes.
const TEXT_MAX_BYTES: usize = 512;
/// Most of a record, in bytes. Source: lgsp_types::PAYLOAD_MAX_BYTES.
const RECORD_MAX_BYTES: usize = lgsp_types::PAYLOAD_MAX_BYTES;
/// A minute is the longest pause that is waited out; what is longer waits for the schedule of its connector.
const AFTER_MAX_SECONDS: i64 = 30 * 24 * 3_600;

#[must_use]
pub fn write_opened(deliveries: &[OpenDelivery]) -> exchange_answer::Opened {
    let deliveries = deliveries.iter().map(|delivery| exchange_answer::opened::Waiting {
        summary: Some(write_summary(delivery)),
        order: Some(exchange_answer::opened::Order {
            system: delivery.order.system.to_string(),
            key: delivery.order.key.clone(),
            agency_id: delivery.order.addressee.to_string(),
        }),
    });
    exchange_answer::Opened {
        deliveries: deliveries.collect(),
    }
}

#[must_use]
pub fn write_sent_message(sent: Option<&SentMessage>) -> exchange_answer::Sent {
    exchange_answer::Sent {
        message: sent.map(write_sent),
    }
}

/// Reads what a process answered a call of the node.
///
/// # Errors
/// Every field that is wrong; count it as "try again".
pub fn read_adapter_answer(answer: AdapterAnswer) -> Result<Said, Vec<Refusal>> {
    let mut wrong = Wrong::default();
    let said = match answer.answer {
        Some(Answer::Checked(_)) => Some(Said::Checked(Ok(()))),
        Some(Answer::CheckFailed(failed)) => {
            wrong.fits("check_failed.what", failed.what.as_bytes(), TEXT_MAX_BYTES);
            Some(Said::Checked(Err(failed.what)))
        }
        Some(Answer::Done(done)) => evidence(&mut wrong, done).map(|evidence| Said::Pushed(Pushed::Done(evidence))),
        Some(Answer::Refused(reason)) => code(&mut wrong, "refused", &reason).map(Said::Refused),
        Some(Answer::TryAgain(again)) => code(&mut wrong, "try_again.reason", &again.reason).map(|reason| {
            let after = again
                .after
                .filter(|after| (0..=AFTER_MAX_SECONDS).contains(&after.seconds));
            let after = after.and_then(|after| std::time::Duration::try_from(after).ok());
            Said::TryAgain { reason, after }
        }),
        Some(Answer::Record(record)) => {
            wrong.fits("record", &record, RECORD_MAX_BYTES);
            Some(Said::Answered(Answered::Record(record)))
        }
        Some(Answer::NoRecord(_)) => Some(Said::Answered(Answered::NotFound)),
        None => {
            wrong.missing("answer", "answer the call");
            None
        }
    };
    match said {
        Some(said) if wrong.0.is_empty() => Ok(said),
        _ => Err(wrong.0),
    }
}

fn evidence(wrong: &mut Wrong, done: adapter_answer::Done) -> Option<Evidence> {
    read_evidence(done.evidence, "done.evidence")
        .map_err(|refusals| wrong.0.extend(refusals))
        .ok()
}

fn code(wrong: &mut Wrong, path: &str, text: &str) -> Option<ReasonCode> {
    let mend = "give a code of 1 to 40 of A-Z, 0-9 and _, with a letter first";
    wrong.keep(path, ReasonCode::parse(text), mend)
}
