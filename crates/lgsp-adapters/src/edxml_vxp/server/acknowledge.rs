//! updateStatus: the receiver's word on one delivery.
//!
//! Source: exchange.md 5.1 (the table of words); vxp-wire.md 6.4 (the two spellings of docId).

use std::sync::Arc;

use lgsp_types::{AcknowledgeError, DeliveryId, Evidence, EvidenceKind, Mark, Outcome, Refusal};
use tracing::info;

use super::answer::{self, Answer};
use super::call::{Facade, Proven, not_now};
use super::fetch::no_delivery;
use super::reason::{Failure, OUTCOME_UNKNOWN, PARAMETER_INVALID, RECEIVER_FAILED};
use super::signed::{self, Signed};
use super::trace::Trace;

impl Facade {
    pub(super) async fn update_status(&self, proven: &Proven, trace: &Trace) -> Result<Answer, Failure> {
        let (spelling, written) = document_id(&proven.signed, trace).map_err(Failure::refused)?;
        let outcome = outcome(proven.signed.required("status").map_err(Failure::refused)?)?;
        let delivery = DeliveryId::parse(written).map_err(|_| no_delivery(spelling))?;
        trace.message(delivery);
        let evidence = Evidence {
            kind: EvidenceKind::SharedSecret,
            key_id: proven.key_id.clone(),
            proof: proven.signed.mac.clone(),
            signed: proven.signed.text.clone(),
        };
        let exchange = Arc::clone(&self.exchange);
        let caller = proven.caller.clone();
        let work = async move { exchange.acknowledge(&caller, delivery, outcome, evidence).await };
        match self.ask(work).await? {
            Ok(_) => Ok(Answer::json(answer::done())),
            Err(AcknowledgeError::NotFound) => Err(no_delivery(spelling)),
            Err(AcknowledgeError::Unknown) => Err(Failure::again(
                OUTCOME_UNKNOWN,
                "it is not known whether the status was recorded",
            )),
            Err(AcknowledgeError::Unavailable(unavailable)) => Err(not_now(&unavailable)),
        }
    }
}

/// `docid` where it is there, else `docId`; nothing tells which of two is the fresh one.
fn document_id<'a>(signed: &'a Signed, trace: &Trace) -> Result<(&'static str, &'a str), Refusal> {
    let given = |name| signed.get(name).filter(|value| !value.is_empty());
    let Some(lower) = given("docid") else {
        return signed.required("docId").map(|written| ("docId", written));
    };
    if given("docId").is_some_and(|other| other != lower) {
        info!(parent: trace.span(), "two spellings of docId differ");
    }
    Ok(("docid", lower))
}

fn outcome(word: &str) -> Result<Outcome, Failure> {
    match word {
        "done" => Ok(Outcome::Delivered),
        "fail" => Ok(Outcome::Failed(RECEIVER_FAILED)),
        _ => Mark::from_name(word).map(Outcome::Mark).ok_or_else(|| {
            Failure::refused(Refusal::new(
                PARAMETER_INVALID,
                signed::path("status"),
                "is no status of the axis",
                "write done, fail, initial, inbox, processing, acceptance or rejection",
            ))
        }),
    }
}
