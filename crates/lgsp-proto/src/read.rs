//! From the wire to our types: every wrong field is named with its path, all at once.

use bytes::Bytes;
use lgsp_types::{
    ADDRESSEES_MAX, ATTACHMENTS_MAX, AgencyCode, ContractRef, DeliveryId, Digest, DocumentDate, DocumentRef, Evidence,
    EvidenceKind, KEY_MAX_BYTES, Mark, MsgId, OpenQuery, Outcome, PAYLOAD_MAX_BYTES, Publish, ReasonCode, Refusal,
    Relation, Role, Traceparent, Written,
};

use crate::exchange::v1;
use v1::acknowledge_delivery_request::Outcome as WireOutcome;
use v1::attachment::Role as WireRole;
use v1::document_reference::Relation as WireRelation;

pub(crate) const FIELD_INVALID: ReasonCode = ReasonCode::new("FIELD_INVALID");
pub(crate) const FIELD_MISSING: ReasonCode = ReasonCode::new("FIELD_MISSING");
pub(crate) const FIELD_TOO_LONG: ReasonCode = ReasonCode::new("FIELD_TOO_LONG");
const PAYLOAD_TOO_LARGE: ReasonCode = ReasonCode::new("PAYLOAD_TOO_LARGE");
const TOO_MANY_ADDRESSEES: ReasonCode = ReasonCode::new("TOO_MANY_ADDRESSEES");
const TOO_MANY_ATTACHMENTS: ReasonCode = ReasonCode::new("TOO_MANY_ATTACHMENTS");
const TOO_MANY_DOCUMENTS: ReasonCode = ReasonCode::new("TOO_MANY_DOCUMENTS");

/// Documents that one message may name.
const DOCUMENTS_MAX: usize = 20;
/// Longest text of a document reference, in bytes.
const TEXT_MAX_BYTES: usize = 255;
/// Longest media type, in bytes.
const MEDIA_TYPE_MAX_BYTES: usize = 127;
/// Longest code of a purpose, longest act and longest name of a contract, in bytes.
const CODE_MAX_BYTES: usize = 64;
/// Longest handle of an upload, in bytes.
const HANDLE_MAX_BYTES: usize = 255;
/// Most evidence of a receiver, in bytes.
const EVIDENCE_MAX_BYTES: usize = 16 * 1024;
/// Deliveries of one page when the caller names no number, and at most.
const PAGE_SIZES: (u32, u32) = (100, 1000);

/// A message as it was sent: all but its uploads, which only the node can look up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// With no objects yet.
    pub publish: Publish,
    /// Handles of finished uploads, in the sender's order; each not empty and at most 255 bytes.
    pub uploads: Vec<String>,
    /// None: the trace of the call.
    pub trace: Option<Traceparent>,
}

/// What is wrong so far.
#[derive(Default)]
pub(crate) struct Wrong(pub(crate) Vec<Refusal>);

impl Wrong {
    pub(crate) fn add(&mut self, code: ReasonCode, path: impl Into<String>, what: impl Into<String>, mend: &str) {
        self.0.push(Refusal::new(code, path, what, mend));
    }

    /// The value, or a note of what is wrong with it.
    pub(crate) fn keep<T, E: ToString>(&mut self, path: &str, read: Result<T, E>, mend: &str) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(error) => {
                self.add(FIELD_INVALID, path, error.to_string(), mend);
                None
            }
        }
    }

    /// As [`Self::keep`], of what names its path itself.
    pub(crate) fn take<T>(&mut self, read: Result<T, Refusal>) -> Option<T> {
        read.map_err(|refusal| self.0.push(refusal)).ok()
    }

    fn bound(&mut self, path: &str, text: &str, max_bytes: usize) {
        if text.len() > max_bytes {
            let what = format!("has more than {max_bytes} bytes");
            self.add(FIELD_TOO_LONG, path, what, "use a shorter one");
        }
    }

    fn count(&mut self, code: ReasonCode, path: &str, found: usize, max: usize) {
        if found > max {
            let what = format!("{found}, where at most {max} are allowed");
            self.add(code, path, what, "send it as several messages");
        }
    }
}

/// Reads a message whose own place in the request is `at`, as in `message`.
///
/// # Errors
/// Every field that is wrong, at least one; the caller corrects them. Nothing was done.
pub fn read_message(message: Option<v1::Message>, at: &str) -> Result<Sent, Vec<Refusal>> {
    let mut wrong = Wrong::default();
    let Some(message) = message else {
        wrong.add(FIELD_MISSING, at, "is absent", "send a message");
        return Err(wrong.0);
    };
    let path = |field: &str| format!("{at}.{field}");
    bounds(&mut wrong, &message, &path);
    let contract = wrong.keep(
        &path("contract"),
        ContractRef::parse(&message.contract),
        "name a contract and its version",
    );
    let from = written(&mut wrong, &message.from, path("from"));
    let to: Vec<Written> = message
        .to
        .iter()
        .take(ADDRESSEES_MAX)
        .enumerate()
        .filter_map(|(index, code)| written(&mut wrong, code, format!("{at}.to[{index}]")))
        .collect();
    let documents = message
        .documents
        .into_iter()
        .take(DOCUMENTS_MAX)
        .enumerate()
        .filter_map(|(index, document)| read_document(&mut wrong, document, &format!("{at}.documents[{index}]")))
        .collect();
    let codes_as_of = day(&mut wrong, &path("codes_as_of"), &message.codes_as_of);
    let due = day(&mut wrong, &path("due"), &message.due);
    let uploads = handles(&mut wrong, message.attachments, &path("attachments"));
    let mend = "send `traceparent` as W3C Trace Context has it, or nothing";
    let trace = match message.traceparent.as_str() {
        "" => None,
        text => wrong.keep(&path("traceparent"), Traceparent::parse(text), mend),
    };
    match (contract, from) {
        (Some(contract), Some(from)) if wrong.0.is_empty() => Ok(Sent {
            publish: Publish {
                contract,
                from,
                to,
                purpose: message.purpose,
                order_key: message.order_key,
                idempotency_key: message.idempotency_key,
                case: message.case_number,
                codes_as_of,
                documents,
                act: message.act,
                due,
                payload: message.payload,
                objects: Vec::new(),
            },
            uploads,
            trace,
        }),
        _ => Err(wrong.0),
    }
}

/// The bounds that need no reading.
fn bounds(wrong: &mut Wrong, message: &v1::Message, path: &dyn Fn(&str) -> String) {
    if message.to.is_empty() {
        wrong.add(FIELD_MISSING, path("to"), "is empty", "name at least one agency");
    }
    wrong.count(TOO_MANY_ADDRESSEES, &path("to"), message.to.len(), ADDRESSEES_MAX);
    wrong.count(
        TOO_MANY_ATTACHMENTS,
        &path("attachments"),
        message.attachments.len(),
        ATTACHMENTS_MAX,
    );
    wrong.count(
        TOO_MANY_DOCUMENTS,
        &path("documents"),
        message.documents.len(),
        DOCUMENTS_MAX,
    );
    if message.idempotency_key.is_empty() {
        let mend = "name each message with a key of your own";
        wrong.add(FIELD_MISSING, path("idempotency_key"), "is empty", mend);
    }
    wrong.bound(&path("idempotency_key"), &message.idempotency_key, KEY_MAX_BYTES);
    wrong.bound(&path("order_key"), &message.order_key, KEY_MAX_BYTES);
    wrong.bound(&path("case_number"), &message.case_number, KEY_MAX_BYTES);
    wrong.bound(&path("purpose"), &message.purpose, CODE_MAX_BYTES);
    wrong.bound(&path("act"), &message.act, CODE_MAX_BYTES);
    if message.payload.len() > PAYLOAD_MAX_BYTES {
        let what = format!("has more than {PAYLOAD_MAX_BYTES} bytes");
        let mend = "move large content into attachments";
        wrong.add(PAYLOAD_TOO_LARGE, path("payload"), what, mend);
    }
}

fn written(wrong: &mut Wrong, code: &str, path: String) -> Option<Written> {
    let code = wrong.keep(
        &path,
        AgencyCode::parse(code),
        "write an agency code, as in `000.00.11.H62` or `H62.11`",
    )?;
    Some(Written { code, path })
}

fn day(wrong: &mut Wrong, path: &str, text: &str) -> Option<DocumentDate> {
    wrong.take(read_day(text, path)).flatten()
}

fn read_document(wrong: &mut Wrong, document: v1::DocumentReference, at: &str) -> Option<DocumentRef> {
    let relation = match document.relation() {
        WireRelation::Unspecified => {
            let mend = "say how the message belongs to the document";
            wrong.add(FIELD_MISSING, format!("{at}.relation"), "is absent or unknown", mend);
            None
        }
        WireRelation::Is => Some(Relation::Is),
        WireRelation::About => Some(Relation::About),
        WireRelation::ActsOn => Some(Relation::ActsOn),
        WireRelation::Replaces => Some(Relation::Replaces),
    };
    let texts = [
        ("id", &document.id),
        ("organ", &document.organ),
        ("code", &document.code),
    ];
    for (field, text) in texts {
        wrong.bound(&format!("{at}.{field}"), text, TEXT_MAX_BYTES);
    }
    let date = day(wrong, &format!("{at}.date"), &document.date);
    Some(DocumentRef {
        relation: relation?,
        id: document.id,
        organ: document.organ,
        code: document.code,
        date: date.map(|date| date.to_string()).unwrap_or_default(),
    })
}

fn handles(wrong: &mut Wrong, uploads: Vec<v1::Upload>, at: &str) -> Vec<String> {
    let mut handles = Vec::new();
    for (index, upload) in uploads.into_iter().take(ATTACHMENTS_MAX).enumerate() {
        if upload.handle.is_empty() || upload.handle.len() > HANDLE_MAX_BYTES {
            let mend = "give the handle that UploadAttachment answered";
            wrong.add(
                FIELD_INVALID,
                format!("{at}[{index}].handle"),
                "is no handle of an upload",
                mend,
            );
        }
        handles.push(upload.handle);
    }
    handles
}

/// Reads the id of a delivery.
///
/// # Errors
/// The caller corrects it.
pub fn read_delivery_id(text: &str, path: &str) -> Result<DeliveryId, Refusal> {
    DeliveryId::parse(text).map_err(|error| no_id(error.to_string(), path))
}

/// Reads the id of a message.
///
/// # Errors
/// The caller corrects it.
pub fn read_message_id(text: &str, path: &str) -> Result<MsgId, Refusal> {
    MsgId::parse(text).map_err(|error| no_id(error.to_string(), path))
}

/// Reads a day, where none may be given.
///
/// # Errors
/// The caller corrects it.
pub fn read_day(text: &str, path: &str) -> Result<Option<DocumentDate>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    let read = DocumentDate::parse_iso(text).map(Some);
    read.map_err(|error| Refusal::new(FIELD_INVALID, path, error.to_string(), "write a day as yyyy-MM-dd"))
}

/// Reads what an operator looks for: 1 to 512 bytes.
///
/// # Errors
/// The caller corrects it.
pub fn read_trace_query(query: &str) -> Result<&str, Refusal> {
    let mend = "give a document's number, or an id";
    if query.trim().is_empty() {
        return Err(Refusal::new(FIELD_MISSING, "query", "is empty", mend));
    }
    if query.len() > KEY_MAX_BYTES {
        let what = format!("has more than {KEY_MAX_BYTES} bytes");
        return Err(Refusal::new(FIELD_TOO_LONG, "query", what, mend));
    }
    Ok(query)
}

fn no_id(what: String, path: &str) -> Refusal {
    Refusal::new(FIELD_INVALID, path, what, "give the id as the platform answered it")
}

/// A field of a message whose own place in the request is `at`; the request itself has none.
pub(crate) fn under(at: &str, field: &str) -> String {
    if at.is_empty() {
        field.to_owned()
    } else {
        format!("{at}.{field}")
    }
}

/// Reads which contract's messages a caller asks for: none, all of them.
///
/// # Errors
/// The caller corrects it.
pub fn read_contract_name(name: String, path: &str) -> Result<Option<String>, Refusal> {
    if name.len() > CODE_MAX_BYTES {
        let what = format!("has more than {CODE_MAX_BYTES} bytes");
        return Err(Refusal::new(FIELD_TOO_LONG, path, what, "name one contract"));
    }
    Ok((!name.is_empty()).then_some(name))
}

/// Reads which deliveries a list is to hold.
///
/// # Errors
/// Every field that is wrong.
pub fn read_list_query(request: v1::ListDeliveriesRequest) -> Result<OpenQuery, Vec<Refusal>> {
    let mut wrong = Wrong::default();
    let (usual, most) = PAGE_SIZES;
    if request.page_size > most {
        let what = format!("is more than {most}");
        wrong.add(FIELD_INVALID, "page_size", what, "ask for fewer, and for the next page");
    }
    let contract = wrong.take(read_contract_name(request.contract, "contract"));
    let after = match request.after.as_str() {
        "" => None,
        text => wrong.take(read_delivery_id(text, "after")),
    };
    if !wrong.0.is_empty() {
        return Err(wrong.0);
    }
    Ok(OpenQuery {
        contract: contract.flatten(),
        limit: if request.page_size == 0 {
            usual
        } else {
            request.page_size
        },
        after,
        dead_letters: true,
    })
}

/// Reads what a receiver says of a delivery; the request's own place is `at`, empty for a call of its own.
///
/// # Errors
/// Every field that is wrong.
pub fn read_outcome(
    request: v1::AcknowledgeDeliveryRequest,
    at: &str,
) -> Result<(DeliveryId, Outcome, Evidence), Vec<Refusal>> {
    let mut wrong = Wrong::default();
    let delivery = wrong.take(read_delivery_id(&request.delivery_id, &under(at, "delivery_id")));
    let outcome = match request.outcome {
        Some(WireOutcome::Delivered(_)) => Some(Outcome::Delivered),
        Some(WireOutcome::Failed(failed)) => wrong
            .keep(
                &under(at, "failed.reason"),
                ReasonCode::parse(&failed.reason),
                "give a code of 1 to 40 of A-Z, 0-9 and _, with a letter first",
            )
            .map(Outcome::Failed),
        Some(WireOutcome::Mark(number)) => match v1::Mark::try_from(number).ok().and_then(read_mark) {
            Some(mark) => Some(Outcome::Mark(mark)),
            None => {
                wrong.add(
                    FIELD_INVALID,
                    under(at, "mark"),
                    "is no mark",
                    "give one of the enumeration",
                );
                None
            }
        },
        None => {
            let mend = "say `delivered`, `failed` or a `mark`";
            wrong.add(FIELD_MISSING, under(at, "outcome"), "is absent", mend);
            None
        }
    };
    if request.evidence.len() > EVIDENCE_MAX_BYTES {
        let what = format!("has more than {EVIDENCE_MAX_BYTES} bytes");
        wrong.add(FIELD_TOO_LONG, under(at, "evidence"), what, "send a digest of it");
    }
    match (delivery, outcome) {
        (Some(delivery), Some(outcome)) if wrong.0.is_empty() => {
            let evidence = Evidence {
                kind: EvidenceKind::Answer,
                key_id: String::new(),
                proof: Bytes::new(),
                signed: request.evidence,
            };
            Ok((delivery, outcome, evidence))
        }
        _ => Err(wrong.0),
    }
}

/// Reads which message is to be taken back, and from whom; none: from all.
///
/// # Errors
/// Every field that is wrong.
pub fn read_withdraw(request: &v1::WithdrawRequest) -> Result<(MsgId, Option<AgencyCode>), Vec<Refusal>> {
    let mut wrong = Wrong::default();
    let message = wrong.take(read_message_id(&request.message_id, "message_id"));
    let mend = "write an agency code, as in `000.00.11.H62` or `H62.11`, or nothing";
    let to = match request.to.as_str() {
        "" => None,
        code => wrong.keep("to", AgencyCode::parse(code), mend),
    };
    match message {
        Some(message) if wrong.0.is_empty() => Ok((message, to)),
        _ => Err(wrong.0),
    }
}

/// How an upload begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadStart {
    pub name: String,
    pub media_type: String,
    pub role: Role,
    /// What the sender computed; another than what comes: refuse the upload.
    pub digest: Option<Digest>,
}

/// Reads how an upload begins.
///
/// # Errors
/// Every field that is wrong.
pub fn read_upload_start(start: v1::upload_attachment_request::Start) -> Result<UploadStart, Vec<Refusal>> {
    let mut wrong = Wrong::default();
    let role = match start.role() {
        WireRole::Unspecified => {
            wrong.add(
                FIELD_MISSING,
                "start.role",
                "is absent or unknown",
                "say what the file is",
            );
            None
        }
        WireRole::Original => Some(Role::Original),
        WireRole::Attachment => Some(Role::Attachment),
    };
    let texts = [
        ("start.name", &start.name, TEXT_MAX_BYTES),
        ("start.media_type", &start.media_type, MEDIA_TYPE_MAX_BYTES),
    ];
    for (path, text, max_bytes) in texts {
        if text.is_empty() {
            wrong.add(FIELD_MISSING, path, "is empty", "give it");
        }
        wrong.bound(path, text, max_bytes);
    }
    let digest = match start.sha256.as_ref() {
        [] => None,
        bytes => match <[u8; 32]>::try_from(bytes) {
            Ok(bytes) => Some(Digest::from_bytes(bytes)),
            Err(_) => {
                wrong.add(
                    FIELD_INVALID,
                    "start.sha256",
                    "is not 32 bytes",
                    "send the digest itself, or nothing",
                );
                None
            }
        },
    };
    match role {
        Some(role) if wrong.0.is_empty() => Ok(UploadStart {
            name: start.name,
            media_type: start.media_type,
            role,
            digest,
        }),
        _ => Err(wrong.0),
    }
}

pub(crate) fn read_mark(mark: v1::Mark) -> Option<Mark> {
    match mark {
        v1::Mark::Unspecified => None,
        v1::Mark::Initial => Some(Mark::Initial),
        v1::Mark::Inbox => Some(Mark::Inbox),
        v1::Mark::Processing => Some(Mark::Processing),
        v1::Mark::Acceptance => Some(Mark::Acceptance),
        v1::Mark::Rejection => Some(Mark::Rejection),
    }
}

#[cfg(test)]
mod tests;
