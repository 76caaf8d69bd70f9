//! What the keys of a leaf say: a fact and its body become keys, keys and body become the same fact.

use lgsp_types::{
    Accepted, Attachment, Delivery, Digest, Envelope, Evidence, Fact, Kind, Lookup, ReasonCode, Receiver, What,
};

use super::{Acknowledgement, Leaf, ObjectKey, Summary};
use crate::alien::Alien;
use crate::body::{self, Body};

impl Leaf {
    /// The keys of this fact; `body` is what its body commits to, where it has one.
    pub(crate) fn of(fact: &Fact, body: Option<(Digest, &[u8; 32])>) -> Self {
        let what = &fact.what;
        let mut leaf = Self {
            kind: Some(what.kind()),
            event_id: Some(fact.event_id),
            msg_id: what.msg_id(),
            prev: fact.prev,
            actor: Some(fact.actor.clone()),
            payload: body.map(|(commitment, _)| commitment),
            reason: reason(what).cloned(),
            rules: Some(fact.rules),
            node: Some(fact.node.clone()),
            round: what.delivery().map(|delivery| (delivery.generation, delivery.attempt)),
            agency: what.delivery().map(|delivery| delivery.addressee.clone()),
            trace_id: fact.trace_id,
            receiver: receiver(what).cloned(),
            ..Self::default()
        };
        match what {
            What::Accepted(accepted) => leaf.set_accepted(accepted, body.map(|(_, salt)| salt)),
            What::Rejected { request_tag, .. } => leaf.request_tag = Some(*request_tag),
            What::RejectSummary { source, minute, count } => {
                let (source, minute, count) = (source.clone(), *minute, *count);
                leaf.summary = Some(Summary { source, minute, count });
            }
            What::Delivered { evidence, .. } => {
                leaf.acknowledgement = Some(Acknowledgement {
                    kind: evidence.kind,
                    key_id: evidence.key_id.clone(),
                    proof: evidence.proof.clone(),
                });
            }
            What::Conflict {
                partition,
                offset,
                request_tag,
                ..
            } => {
                leaf.loser = Some((*partition, *offset));
                leaf.request_tag = Some(*request_tag);
            }
            What::LookupRequested(lookup)
            | What::LookupAnswered { lookup, .. }
            | What::LookupUnknown { lookup, .. } => leaf.set_lookup(lookup),
            What::Act { purpose, .. } => leaf.purpose = filled(purpose),
            What::KeyEvent(event) => leaf.key_event = Some(event.clone()),
            What::LedgerClosed { size, root } => leaf.closed = Some((*size, *root)),
            What::AttemptFailed { .. }
            | What::Collected { .. }
            | What::DeadLettered { .. }
            | What::Redriven { .. }
            | What::Withdrawn { .. }
            | What::AttemptStarted { .. }
            | What::Configured { .. }
            | What::Shredded { .. }
            | What::SealAlarm { .. }
            | What::Proposed { .. } => {}
        }
        leaf
    }

    fn set_accepted(&mut self, accepted: &Accepted, salt: Option<&[u8; 32]>) {
        let envelope = &accepted.envelope;
        let object = |object: &Attachment| ObjectKey {
            commitment: body::commit_object(salt.unwrap_or(&[0; 32]), &object.digest),
            size_bytes: object.size_bytes,
            media_type: object.media_type.clone(),
        };
        self.sender = Some((envelope.sender.clone(), envelope.system.clone()));
        self.addressees = Some(envelope.addressees.clone());
        self.contract = Some(envelope.contract.clone());
        self.objects = filled_list(accepted.objects.iter().map(object).collect());
        self.idempotency_tag = Some(accepted.idempotency_tag);
        self.order_tag = Some(accepted.order_tag);
        self.purpose = filled(&envelope.purpose);
        self.case_tag = accepted.case_tag;
        self.request_tag = Some(accepted.request_tag);
    }

    fn set_lookup(&mut self, lookup: &Lookup) {
        self.contract = Some(lookup.contract.clone());
        self.agency = Some(lookup.source.clone());
        self.purpose = filled(&lookup.purpose);
        self.case_tag = lookup.case_tag;
        self.subject_tags = filled_list(lookup.subject_tags.clone());
    }

    /// The fact that these keys and this body are of.
    pub(crate) fn into_fact(mut self, body: Option<&Body>) -> Result<Fact, Alien> {
        let what = self.take_what(body)?;
        Ok(Fact {
            event_id: need(2, self.event_id)?,
            prev: self.prev,
            actor: need(5, self.actor)?,
            rules: need(17, self.rules)?,
            node: need(18, self.node)?,
            trace_id: self.trace_id,
            what,
        })
    }

    fn take_what(&mut self, body: Option<&Body>) -> Result<What, Alien> {
        Ok(match need(1, self.kind)? {
            Kind::Accepted => self.take_accepted(need(9, body)?)?,
            Kind::Rejected => What::Rejected {
                reason: self.take_reason()?,
                request_tag: need(23, self.request_tag)?,
                findings: need(9, body)?.findings()?,
            },
            Kind::RejectSummary => self.take_summary()?,
            Kind::AttemptFailed => What::AttemptFailed {
                delivery: self.take_delivery()?,
                receiver: self.take_receiver()?,
                reason: self.take_reason()?,
            },
            Kind::Collected => What::Collected {
                delivery: self.take_delivery()?,
                receiver: self.take_receiver()?,
            },
            Kind::Delivered => What::Delivered {
                delivery: self.take_delivery()?,
                receiver: self.take_receiver()?,
                evidence: self.take_evidence(need(9, body)?)?,
            },
            Kind::DeadLettered => What::DeadLettered {
                delivery: self.take_delivery()?,
                receiver: self.receiver.take(),
                reason: self.take_reason()?,
            },
            Kind::Redriven => What::Redriven {
                delivery: self.take_delivery()?,
            },
            Kind::Withdrawn => What::Withdrawn {
                delivery: self.take_delivery()?,
                reason: self.take_reason()?,
            },
            Kind::Conflict => self.take_conflict()?,
            Kind::LookupRequested => What::LookupRequested(self.take_lookup()?),
            Kind::LookupAnswered => self.take_answer(need(9, body)?)?,
            Kind::LookupUnknown => What::LookupUnknown {
                lookup: self.take_lookup()?,
                reason: self.take_reason()?,
            },
            Kind::Configured => What::Configured {
                change_set: need(9, body)?.payload_alone()?,
            },
            Kind::Act => self.take_act()?,
            Kind::KeyEvent => What::KeyEvent(need(28, self.key_event.take())?),
            Kind::Shredded => self.take_shredded()?,
            Kind::SealAlarm => What::SealAlarm {
                reason: self.take_reason()?,
            },
            Kind::AttemptStarted => What::AttemptStarted {
                delivery: self.take_delivery()?,
                receiver: self.take_receiver()?,
            },
            Kind::LedgerClosed => need(29, self.closed).map(|(size, root)| What::LedgerClosed { size, root })?,
            Kind::Proposed => need(9, body)?.proposal()?,
        })
    }

    fn take_accepted(&mut self, body: &Body) -> Result<What, Alien> {
        let (sender, system) = need(6, self.sender.take())?;
        let envelope = Envelope {
            contract: need(8, self.contract.take())?,
            sender,
            system,
            addressees: need(7, self.addressees.take())?,
            purpose: self.purpose.take().unwrap_or_default(),
        };
        let (clear, names) = body.clear_of_accepted()?;
        Ok(What::Accepted(Box::new(Accepted {
            msg_id: need(3, self.msg_id)?,
            envelope,
            request_tag: need(23, self.request_tag)?,
            order_tag: need(12, self.order_tag)?,
            idempotency_tag: need(11, self.idempotency_tag)?,
            case_tag: self.case_tag,
            clear,
            objects: body.objects(self.objects.take().unwrap_or_default(), names)?,
            payload: body.payload.clone(),
        })))
    }

    fn take_summary(&mut self) -> Result<What, Alien> {
        let Summary { source, minute, count } = need(27, self.summary.take())?;
        Ok(What::RejectSummary { source, minute, count })
    }

    fn take_conflict(&self) -> Result<What, Alien> {
        let (partition, offset) = need(26, self.loser)?;
        Ok(What::Conflict {
            msg_id: need(3, self.msg_id)?,
            partition,
            offset,
            request_tag: need(23, self.request_tag)?,
        })
    }

    fn take_answer(&mut self, body: &Body) -> Result<What, Alien> {
        Ok(What::LookupAnswered {
            lookup: self.take_lookup()?,
            decision: self.take_reason()?,
            answer: body.payload_alone()?,
        })
    }

    fn take_act(&mut self) -> Result<What, Alien> {
        Ok(What::Act {
            act: self.take_reason()?,
            msg_id: self.msg_id,
            purpose: self.purpose.take().unwrap_or_default(),
        })
    }

    fn take_shredded(&mut self) -> Result<What, Alien> {
        Ok(What::Shredded {
            msg_id: need(3, self.msg_id)?,
            reason: self.take_reason()?,
        })
    }

    fn take_delivery(&mut self) -> Result<Delivery, Alien> {
        let (generation, attempt) = need(19, self.round)?;
        Ok(Delivery {
            msg_id: need(3, self.msg_id)?,
            addressee: need(25, self.agency.take())?,
            generation,
            attempt,
        })
    }

    fn take_receiver(&mut self) -> Result<Receiver, Alien> {
        need(24, self.receiver.take())
    }

    fn take_reason(&mut self) -> Result<ReasonCode, Alien> {
        need(16, self.reason.take())
    }

    fn take_evidence(&mut self, body: &Body) -> Result<Evidence, Alien> {
        let Acknowledgement { kind, key_id, proof } = need(20, self.acknowledgement.take())?;
        let signed = body.payload_alone()?;
        Ok(Evidence {
            kind,
            key_id,
            proof,
            signed,
        })
    }

    fn take_lookup(&mut self) -> Result<Lookup, Alien> {
        Ok(Lookup {
            msg_id: need(3, self.msg_id)?,
            contract: need(8, self.contract.take())?,
            source: need(25, self.agency.take())?,
            purpose: self.purpose.take().unwrap_or_default(),
            case_tag: self.case_tag,
            subject_tags: self.subject_tags.take().unwrap_or_default(),
        })
    }
}

fn need<T>(key: u8, value: Option<T>) -> Result<T, Alien> {
    value.ok_or(Alien::missing(key))
}

/// What is empty has no key: one meaning has one spelling.
fn filled(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn filled_list<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

/// Key 16: the reason, the decision of a look-up, or what a person did.
const fn reason(what: &What) -> Option<&ReasonCode> {
    match what {
        What::Rejected { reason, .. }
        | What::AttemptFailed { reason, .. }
        | What::DeadLettered { reason, .. }
        | What::Withdrawn { reason, .. }
        | What::LookupUnknown { reason, .. }
        | What::Shredded { reason, .. }
        | What::SealAlarm { reason }
        | What::LookupAnswered { decision: reason, .. }
        | What::Act { act: reason, .. } => Some(reason),
        What::Accepted(_)
        | What::RejectSummary { .. }
        | What::Collected { .. }
        | What::Delivered { .. }
        | What::Redriven { .. }
        | What::Conflict { .. }
        | What::LookupRequested(_)
        | What::Configured { .. }
        | What::KeyEvent(_)
        | What::AttemptStarted { .. }
        | What::LedgerClosed { .. }
        | What::Proposed { .. } => None,
    }
}

/// Key 24.
const fn receiver(what: &What) -> Option<&Receiver> {
    match what {
        What::AttemptFailed { receiver, .. }
        | What::Collected { receiver, .. }
        | What::Delivered { receiver, .. }
        | What::AttemptStarted { receiver, .. } => Some(receiver),
        What::DeadLettered { receiver, .. } => receiver.as_ref(),
        What::Accepted(_)
        | What::Rejected { .. }
        | What::RejectSummary { .. }
        | What::Redriven { .. }
        | What::Withdrawn { .. }
        | What::Conflict { .. }
        | What::LookupRequested(_)
        | What::LookupAnswered { .. }
        | What::LookupUnknown { .. }
        | What::Configured { .. }
        | What::Act { .. }
        | What::KeyEvent(_)
        | What::Shredded { .. }
        | What::SealAlarm { .. }
        | What::LedgerClosed { .. }
        | What::Proposed { .. } => None,
    }
}
