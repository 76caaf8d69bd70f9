//! What a process asks the exchange: from the port to the wire, and back in the node.

use bytes::Bytes;
use lgsp_types::{
    AgencyCode, DeliveryId, Digest, DocumentDate, DocumentRef, Evidence, MsgId, OpenQuery, Outcome, Publish,
    ReasonCode, Refusal, Rejection, Relation, Written,
};

use super::evidence::{read_evidence, write_evidence};
use super::{TEXT_MAX_BYTES, cut, write_refusal};
use crate::adapter::v1::{self, exchange_call};
use crate::exchange::v1 as exchange;
use crate::read::{Sent, Wrong, read_contract_name, read_delivery_id, read_message, read_message_id, read_outcome};
use crate::write::write_mark;
use exchange::acknowledge_delivery_request::{self as acknowledge, Outcome as WireOutcome};
use exchange::document_reference::Relation as WireRelation;

/// Longest path of a code in what the far side sent, in bytes.
const PATH_MAX_BYTES: usize = 255;
/// Most deliveries of one list.
const OPEN_MAX: u32 = 10_000;
/// Most refusals of one rejection.
const REFUSALS_MAX: usize = 100;

/// A message; `uploads` are the handles of its objects, in their order.
#[must_use]
pub fn write_publish(publish: &Publish, uploads: Vec<String>) -> exchange_call::Publish {
    let day = |day: Option<DocumentDate>| day.map(DocumentDate::iso_text).unwrap_or_default();
    let path = |written: &Written| cut(&written.path, PATH_MAX_BYTES);
    exchange_call::Publish {
        message: Some(exchange::Message {
            contract: publish.contract.to_string(),
            from: publish.from.code.to_string(),
            to: publish.to.iter().map(|to| to.code.to_string()).collect(),
            purpose: publish.purpose.clone(),
            idempotency_key: publish.idempotency_key.clone(),
            order_key: publish.order_key.clone(),
            case_number: publish.case.clone(),
            codes_as_of: day(publish.codes_as_of),
            documents: publish.documents.iter().map(write_document).collect(),
            act: publish.act.clone(),
            due: day(publish.due),
            payload: publish.payload.clone(),
            attachments: uploads.into_iter().map(|handle| exchange::Upload { handle }).collect(),
            // It travels with the call.
            traceparent: String::new(),
        }),
        from_path: path(&publish.from),
        to_paths: publish.to.iter().map(path).collect(),
    }
}

fn write_document(document: &DocumentRef) -> exchange::DocumentReference {
    let relation = match document.relation {
        Relation::Is => WireRelation::Is,
        Relation::About => WireRelation::About,
        Relation::ActsOn => WireRelation::ActsOn,
        Relation::Replaces => WireRelation::Replaces,
    };
    exchange::DocumentReference {
        relation: relation.into(),
        id: document.id.clone(),
        organ: document.organ.clone(),
        code: document.code.clone(),
        date: DocumentDate::parse(&document.date)
            .map(DocumentDate::iso_text)
            .unwrap_or_default(),
    }
}

/// Reads a message; its refusals point into the far side's own record where the process says where.
///
/// # Errors
/// Every field that is wrong.
pub fn read_publish(publish: exchange_call::Publish) -> Result<Sent, Vec<Refusal>> {
    let mut wrong = Wrong::default();
    wrong.fits("from_path", publish.from_path.as_bytes(), PATH_MAX_BYTES);
    for (at, path) in publish.to_paths.iter().enumerate() {
        wrong.fits(&format!("to_paths[{at}]"), path.as_bytes(), PATH_MAX_BYTES);
    }
    let named = publish.message.as_ref().map_or(0, |message| message.to.len());
    if publish.to_paths.len() > named {
        wrong.invalid("to_paths", "has more entries than `to`", "name one path for each");
    }
    let mut sent = match read_message(publish.message, "message") {
        Ok(sent) if wrong.0.is_empty() => sent,
        Ok(_) => return Err(wrong.0),
        Err(refusals) => {
            wrong.0.extend(refusals);
            return Err(wrong.0);
        }
    };
    let written = std::iter::once(&mut sent.publish.from).chain(&mut sent.publish.to);
    for (written, path) in written.zip(std::iter::once(publish.from_path).chain(publish.to_paths)) {
        if !path.is_empty() {
            written.path = path;
        }
    }
    Ok(sent)
}

#[must_use]
pub fn write_reject(rejection: &Rejection) -> exchange_call::Reject {
    exchange_call::Reject {
        sha256: Bytes::copy_from_slice(rejection.content.as_bytes()),
        refusals: rejection
            .refusals
            .iter()
            .take(REFUSALS_MAX)
            .map(write_refusal)
            .collect(),
    }
}

/// # Errors
/// Every field that is wrong.
pub fn read_reject(reject: exchange_call::Reject) -> Result<Rejection, Vec<Refusal>> {
    let mut wrong = Wrong::default();
    let content = <[u8; 32]>::try_from(reject.sha256.as_ref())
        .map(Digest::from_bytes)
        .ok();
    if content.is_none() {
        wrong.invalid("sha256", "is not 32 bytes", "send the digest itself");
    }
    if reject.refusals.is_empty() {
        wrong.missing("refusals", "say what is wrong");
    } else if reject.refusals.len() > REFUSALS_MAX {
        wrong.invalid("refusals", format!("are more than {REFUSALS_MAX}"), "send the gravest");
    }
    let refusals = reject.refusals.into_iter().take(REFUSALS_MAX).enumerate();
    let refusals: Vec<Refusal> = refusals
        .filter_map(|(at, refusal)| read_refusal(&mut wrong, refusal, &format!("refusals[{at}]")))
        .collect();
    match content {
        Some(content) if wrong.0.is_empty() => Ok(Rejection { content, refusals }),
        _ => Err(wrong.0),
    }
}

fn read_refusal(wrong: &mut Wrong, refusal: v1::Refusal, at: &str) -> Option<Refusal> {
    let texts = [
        ("path", &refusal.path),
        ("what", &refusal.what),
        ("mend", &refusal.mend),
    ];
    for (field, text) in texts {
        wrong.fits(&format!("{at}.{field}"), text.as_bytes(), TEXT_MAX_BYTES);
    }
    let code = wrong.keep(
        &format!("{at}.code"),
        ReasonCode::parse(&refusal.code),
        "give a code of 1 to 40 of A-Z, 0-9 and _, with a letter first",
    )?;
    Some(Refusal::new(code, refusal.path, refusal.what, refusal.mend))
}

#[must_use]
pub fn write_open(query: &OpenQuery) -> exchange_call::Open {
    exchange_call::Open {
        contract: query.contract.clone().unwrap_or_default(),
        limit: query.limit.min(OPEN_MAX),
        after: query.after.map(|after| after.to_string()).unwrap_or_default(),
        dead_letters: query.dead_letters,
    }
}

/// # Errors
/// Every field that is wrong.
pub fn read_open(open: exchange_call::Open) -> Result<OpenQuery, Vec<Refusal>> {
    let mut wrong = Wrong::default();
    let contract = wrong.take(read_contract_name(open.contract, "contract"));
    if open.limit == 0 || open.limit > OPEN_MAX {
        wrong.invalid(
            "limit",
            format!("is not 1 to {OPEN_MAX}"),
            "ask for fewer, and for the next page",
        );
    }
    let after = match open.after.as_str() {
        "" => None,
        text => wrong.take(read_delivery_id(text, "after")),
    };
    if !wrong.0.is_empty() {
        return Err(wrong.0);
    }
    Ok(OpenQuery {
        contract: contract.flatten(),
        limit: open.limit,
        after,
        dead_letters: open.dead_letters,
    })
}

#[must_use]
pub fn write_acknowledge(delivery: DeliveryId, outcome: &Outcome, evidence: &Evidence) -> exchange_call::Acknowledge {
    let outcome = match outcome {
        Outcome::Delivered => WireOutcome::Delivered(acknowledge::Delivered {}),
        Outcome::Failed(reason) => WireOutcome::Failed(acknowledge::Failed {
            reason: reason.to_string(),
        }),
        Outcome::Mark(mark) => WireOutcome::Mark(write_mark(*mark).into()),
    };
    exchange_call::Acknowledge {
        word: Some(exchange::AcknowledgeDeliveryRequest {
            delivery_id: delivery.to_string(),
            outcome: Some(outcome),
            evidence: Bytes::new(),
        }),
        evidence: Some(write_evidence(evidence)),
    }
}

/// # Errors
/// Every field that is wrong.
pub fn read_acknowledge(
    acknowledge: exchange_call::Acknowledge,
) -> Result<(DeliveryId, Outcome, Evidence), Vec<Refusal>> {
    let mut wrong = Wrong::default();
    let Some(word) = acknowledge.word else {
        wrong.missing("word", "say what became of the delivery");
        return Err(wrong.0);
    };
    if !word.evidence.is_empty() {
        wrong.invalid("word.evidence", "stands in the wrong place", "send it as `evidence`");
    }
    let word = read_outcome(word, "word")
        .map_err(|refusals| wrong.0.extend(refusals))
        .ok();
    let evidence = read_evidence(acknowledge.evidence, "evidence")
        .map_err(|refusals| wrong.0.extend(refusals))
        .ok();
    match (word, evidence) {
        (Some((delivery, outcome, _)), Some(evidence)) if wrong.0.is_empty() => Ok((delivery, outcome, evidence)),
        _ => Err(wrong.0),
    }
}

#[must_use]
pub fn write_withdraw(message: MsgId, to: Option<&AgencyCode>) -> exchange::WithdrawRequest {
    exchange::WithdrawRequest {
        message_id: message.to_string(),
        to: to.map(ToString::to_string).unwrap_or_default(),
    }
}

#[must_use]
pub fn write_get_message(message: MsgId) -> exchange_call::GetMessage {
    exchange_call::GetMessage {
        message_id: message.to_string(),
    }
}

/// # Errors
/// The one field, if it is wrong.
pub fn read_message_call(call: &exchange_call::GetMessage) -> Result<MsgId, Vec<Refusal>> {
    read_message_id(&call.message_id, "message_id").map_err(|refusal| vec![refusal])
}
