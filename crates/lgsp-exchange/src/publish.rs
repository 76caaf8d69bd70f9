//! Accepting a message: the first half of its walk (architecture.md section 5, hops 2 to 6).

use std::time::Duration;

use lgsp_audit::Receipt as AcceptanceReceipt;
use lgsp_contract::{Broken, Contracts};
use lgsp_store::{AcceptedRow, failpoint};
use lgsp_types::{
    Accepted, Caller, Clear, Digest, EventId, Fact, KEY_MAX_BYTES, Kind, LedgerPosition, MsgId, PAYLOAD_MAX_BYTES,
    Publish, PublishError, ReasonCode, Receipt, Refusal, Request, Role, Tag, TagKind, What,
};
use tokio::time::timeout;

use crate::control::Ruling;
use crate::scribe::{Inscribed, WriteError};
use crate::spine::{Spine, unavailable};
use crate::valid::{Unfit, Valid};

const LEAF_TOO_LARGE: ReasonCode = ReasonCode::new("LEAF_TOO_LARGE");
const PARAMETER_INVALID: ReasonCode = ReasonCode::new("PARAMETER_INVALID");
const PAYLOAD_TOO_LARGE: ReasonCode = ReasonCode::new("PAYLOAD_TOO_LARGE");
/// Longest wait to know which of two requests of one id is in force.
const CONFLICT_PATIENCE: Duration = Duration::from_millis(500);

/// The ids of one request; all from what the sender wrote, none from the registry.
#[derive(Clone, Copy, Debug)]
struct Identity {
    msg_id: MsgId,
    request_tag: Tag,
    partition: u32,
}

impl Spine {
    /// Accepts one message. Whoever holds the receipt holds the promise G1.
    pub(crate) async fn accept(&self, caller: &Caller, publish: Publish) -> Result<Receipt, PublishError> {
        let identity = self.identify(caller, &publish);
        if let Some(receipt) = self.seen(&identity).await? {
            return Ok(receipt);
        }
        self.sealed_in_time()?;
        let ruling = self.rules.current();
        let valid = match self.judge(caller, &ruling, publish).await {
            Ok(valid) => valid,
            Err(Unfit::Refused(refusals)) => return Err(self.refuse(caller, &identity.request_tag, refusals).await),
            Err(Unfit::Unavailable(unavailable)) => return Err(unavailable.into()),
        };
        self.keep_objects(&valid).await?;
        let fact = self.accepted(caller, ruling.rules, identity, &valid);
        match self.write(identity.partition, &fact).await {
            Ok(inscribed) => {
                failpoint::hit("after-accept");
                self.recent
                    .remember(identity.msg_id, identity.request_tag, inscribed, &self.projection);
                Ok(self.receipt(identity.msg_id, inscribed, false))
            }
            Err(WriteError::TooLarge) => {
                let refusal = Refusal::new(
                    LEAF_TOO_LARGE,
                    "/",
                    "the message has too many or too long addressees and attachments for one record",
                    "send it to fewer addressees at a time",
                );
                Err(self.refuse(caller, &identity.request_tag, vec![refusal]).await)
            }
            Err(WriteError::Busy | WriteError::Full) => Err(PublishError::Busy),
            Err(WriteError::Unknown) => Err(PublishError::Unknown),
        }
    }

    /// May it be sent now, and does its payload fit?
    async fn judge(&self, caller: &Caller, ruling: &Ruling, publish: Publish) -> Result<Valid, Unfit> {
        let now = self.scribe.now();
        let authorised = bounded(publish)
            .and_then(|publish| of_known_contract(&ruling.contracts, publish))
            .and_then(|publish| ruling.registry.authorise(&caller.system, publish, now))
            .map_err(Unfit::Refused)?;
        let checked = self.payloads.check(&ruling.contracts, authorised, now.day_in_vietnam());
        checked.await
    }

    fn identify(&self, caller: &Caller, publish: &Publish) -> Identity {
        let order_key = if publish.order_key.is_empty() {
            &publish.idempotency_key
        } else {
            &publish.order_key
        };
        let addressees: Vec<&str> = publish.to.iter().map(|written| written.code.as_str()).collect();
        let mut digests = publish
            .objects
            .iter()
            .map(|object| (object.attachment.role, object.attachment.digest))
            .peekable();
        let original = digests
            .next_if(|(role, _)| *role == Role::Original)
            .map(|(_, digest)| digest);
        let attachments: Vec<Digest> = digests.map(|(_, digest)| digest).collect();
        let request = Request {
            contract: &publish.contract.to_string(),
            from: publish.from.code.as_str(),
            addressees: &addressees,
            purpose: &publish.purpose,
            content: original.unwrap_or_else(|| Digest::of(&publish.payload)),
            attachments: &attachments,
        };
        Identity {
            msg_id: self.ids.msg_id(&caller.system, order_key, &publish.idempotency_key),
            request_tag: self.ids.request_tag(&request),
            partition: self.ids.partition(order_key, self.ledger.partitions()),
        }
    }

    /// A repeat gets the first answer, at any age; the same id for another request is a conflict.
    async fn seen(&self, identity: &Identity) -> Result<Option<Receipt>, PublishError> {
        let mut first = self.recent.find(identity.msg_id, &self.projection);
        if let Some((_, other)) = first.filter(|(tag, _)| *tag != identity.request_tag) {
            // It may itself stand behind one of this request whose append was in doubt.
            let passed = self.projection.passed(other.partition, other.offset);
            let passed = timeout(CONFLICT_PATIENCE, passed).await;
            passed.map_err(|_| PublishError::Busy)?.map_err(unavailable)?;
            first = None;
        }
        if first.is_none() {
            let projected = self.store.accepted(identity.msg_id).await.map_err(unavailable)?;
            first = projected.map(|first| (first.request_tag, inscribed(first)));
        }
        match first {
            None => Ok(None),
            Some((tag, inscribed)) if tag == identity.request_tag => {
                Ok(Some(self.receipt(identity.msg_id, inscribed, true)))
            }
            Some(_) => Err(PublishError::Conflict {
                msg_id: identity.msg_id,
            }),
        }
    }

    /// Objects come under their digest names before the fact that names them.
    async fn keep_objects(&self, valid: &Valid) -> Result<(), PublishError> {
        for object in &valid.authorised().publish().objects {
            let kept = self.objects.promote(&object.staging, object.attachment.digest).await;
            kept.map_err(unavailable)?;
        }
        Ok(())
    }

    fn accepted(&self, caller: &Caller, rules: lgsp_types::Rules, identity: Identity, valid: &Valid) -> Fact {
        let authorised = valid.authorised();
        let publish = authorised.publish();
        let order_key = if publish.order_key.is_empty() {
            &publish.idempotency_key
        } else {
            &publish.order_key
        };
        let case_tag = (!publish.case.is_empty()).then(|| self.ids.tag(TagKind::Case, &publish.case));
        let accepted = Accepted {
            msg_id: identity.msg_id,
            envelope: authorised.envelope().clone(),
            request_tag: identity.request_tag,
            order_tag: self.ids.tag(TagKind::OrderKey, order_key),
            idempotency_tag: self.ids.tag(TagKind::IdempotencyKey, &publish.idempotency_key),
            case_tag,
            clear: Clear {
                order_key: order_key.clone(),
                idempotency_key: publish.idempotency_key.clone(),
                from_written: publish.from.code.clone(),
                to_written: publish.to.iter().map(|written| written.code.clone()).collect(),
                documents: publish.documents.clone(),
                act: publish.act.clone(),
                due: publish.due,
            },
            objects: publish.objects.iter().map(|object| object.attachment.clone()).collect(),
            payload: publish.payload.clone(),
        };
        Fact {
            event_id: EventId::of(
                Kind::Accepted,
                &[identity.msg_id.as_bytes(), identity.request_tag.as_bytes()],
            ),
            prev: None,
            actor: self.actor(caller, Some(authorised.agency().clone())),
            rules,
            node: self.scribe.node(),
            trace_id: Some(*caller.trace.trace_id().as_bytes()),
            what: What::Accepted(Box::new(accepted)),
        }
    }

    pub(crate) fn receipt(&self, msg_id: MsgId, inscribed: Inscribed, repeat: bool) -> Receipt {
        Receipt {
            msg_id,
            position: self.position(inscribed),
            append_ms: inscribed.append_ms,
            leaf_hash: inscribed.leaf_hash,
            note: self.receipt_note(msg_id, inscribed),
            repeat,
        }
    }

    /// The same text at any time: it says only what the ledger holds.
    pub(crate) fn receipt_note(&self, msg_id: MsgId, inscribed: Inscribed) -> String {
        let Inscribed {
            append_ms, leaf_hash, ..
        } = inscribed;
        let receipt = AcceptanceReceipt {
            position: self.position(inscribed),
            append_ms,
            msg_id,
            leaf_hash,
        };
        receipt.sign(&self.node_key)
    }

    fn position(&self, inscribed: Inscribed) -> LedgerPosition {
        LedgerPosition {
            ledger: self.ledger_name.clone(),
            partition: inscribed.partition,
            offset: inscribed.offset,
        }
    }

    /// Records the refusal before it is told. If it cannot be recorded, nothing is known to be wrong with the call.
    async fn refuse(&self, caller: &Caller, tag: &Tag, refusals: Vec<Refusal>) -> PublishError {
        match self.record_refusal(caller, *tag.as_bytes(), &refusals).await {
            Ok(()) => PublishError::Refused(refusals),
            Err(unavailable) => PublishError::Unavailable(unavailable),
        }
    }
}

/// Where the first Accepted fact of a message stands.
pub(crate) const fn inscribed(message: AcceptedRow) -> Inscribed {
    Inscribed {
        partition: message.position.partition,
        offset: message.position.offset,
        append_ms: message.append_ms,
        leaf_hash: message.leaf_hash,
    }
}

/// Nobody has a right to send by a contract that there is not; who names one is told so, not that a right is missing.
fn of_known_contract(contracts: &Contracts, publish: Publish) -> Result<Publish, Vec<Refusal>> {
    match contracts.find(&publish.contract) {
        Ok(_) => Ok(publish),
        Err(broken) => Err(broken.iter().map(Broken::refusal).collect()),
    }
}

/// The bounds that every adapter has to keep; a message over them is refused, not cut.
fn bounded(publish: Publish) -> Result<Publish, Vec<Refusal>> {
    let mut refusals = Vec::new();
    if publish.payload.len() > PAYLOAD_MAX_BYTES {
        let what = format!("the payload has more than {PAYLOAD_MAX_BYTES} bytes");
        refusals.push(Refusal::new(
            PAYLOAD_TOO_LARGE,
            "/",
            what,
            "move large content into attachments",
        ));
    }
    let keys = [
        ("order_key", publish.order_key.len()),
        ("idempotency_key", publish.idempotency_key.len()),
        ("case", publish.case.len()),
    ];
    for (name, length) in keys {
        if length > KEY_MAX_BYTES {
            let what = format!("has more than {KEY_MAX_BYTES} bytes");
            refusals.push(Refusal::new(
                PARAMETER_INVALID,
                format!("/{name}"),
                what,
                "use a shorter key",
            ));
        }
    }
    if publish.idempotency_key.is_empty() {
        let mend = "name each message with a key of your own";
        refusals.push(Refusal::new(PARAMETER_INVALID, "/idempotency_key", "is empty", mend));
    }
    if refusals.is_empty() {
        Ok(publish)
    } else {
        Err(refusals)
    }
}
