//! Facts: what the ledger holds, one record each. How they are written as bytes is `lgsp-audit`'s business.
//!
//! Source: exchange.md section 6; the fields are those of leaf.cddl in `lgsp-audit`.

use bytes::Bytes;

use crate::{
    AdapterId, AgencyCode, AgencyId, Attachment, ConnectorId, ContractRef, Digest, DocumentDate, DocumentRef, Envelope,
    EventId, MsgId, ReasonCode, SystemId, Tag, UnixMs,
};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal),+ $(,)?) => {
        /// The kinds of facts and their numbers in the ledger.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind {
            $($(#[$doc])* $name,)+
        }

        impl Kind {
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            #[must_use]
            pub const fn number(self) -> u8 {
                match self { $(Self::$name => $number),+ }
            }

            #[must_use]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$name),)+ _ => None }
            }

            /// The name as people and JSON see it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }
        }
    };
}

kinds! {
    /// All checks passed.
    Accepted = 1,
    /// An authenticated call was refused.
    Rejected = 2,
    /// Refusals beyond the budget, counted per source and minute.
    RejectSummary = 3,
    /// One try of a push delivery failed.
    AttemptFailed = 4,
    /// First fetch of a pull delivery, before the bytes leave.
    Collected = 5,
    /// Done, with evidence.
    Delivered = 6,
    /// Ended undelivered; kept and redrivable.
    DeadLettered = 7,
    /// A new generation of a dead letter.
    Redriven = 8,
    /// The sender took it back before anybody had it.
    Withdrawn = 9,
    /// The same message id with another request, found behind the door.
    Conflict = 10,
    LookupRequested = 11,
    LookupAnswered = 12,
    LookupUnknown = 13,
    /// One change set of the control ledger.
    Configured = 14,
    /// An act of a person: view in clear, export, approval.
    Act = 15,
    /// A key comes into use or ends.
    KeyEvent = 16,
    /// A payload's key was destroyed.
    Shredded = 17,
    /// Checkpoints are late.
    SealAlarm = 18,
    /// Before bytes go to an agency that the Accepted fact does not name, and for class *sensitive*.
    AttemptStarted = 19,
    LedgerClosed = 20,
    /// Somebody asked for a change of configuration.
    Proposed = 21,
}

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// From what the fact says; a repeat of the fact has the same.
    pub event_id: EventId,
    /// The fact of the same message that this one follows from.
    pub prev: Option<EventId>,
    pub actor: Actor,
    pub rules: Rules,
    pub node: Node,
    /// W3C trace id.
    pub trace_id: Option<[u8; 16]>,
    pub what: What,
}

/// On whose behalf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The system whose credential was shown; the node's own name for what nobody asked for.
    pub system: SystemId,
    /// The adapter that showed it.
    pub adapter: AdapterId,
    /// The agency the system belongs to, where the registry knows it.
    pub agency: Option<AgencyId>,
    /// SHA-256 of the caller's public key, where it has one.
    pub spki: Option<Digest>,
    /// Keyed tag of the officer.
    pub officer: Option<Tag>,
}

/// Under which rules: the control log's size and its RFC 6962 root at that size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rules {
    pub control_size: u64,
    pub control_root: Digest,
}

/// Which node made the fact, and what time it had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// 1 to 64 bytes, a [`SystemId`]'s letters.
    pub id: SystemId,
    /// Which build: version and, where known, commit, at most 64 bytes.
    pub build: String,
    /// The node's own clock; ledger time is another.
    pub node_ms: UnixMs,
}

/// One delivery, and which round of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub msg_id: MsgId,
    /// The addressee as the Accepted fact names it.
    pub addressee: AgencyId,
    /// 0 until redriven.
    pub generation: u32,
    /// 0 for pull deliveries; pushes count from 1.
    pub attempt: u32,
}

/// Who has it in hand: the agency now, and the connector.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Receiver {
    pub agency: AgencyId,
    pub connector: ConnectorId,
}

/// How strong an evidence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EvidenceKind {
    /// A MAC with a secret both sides know: not non-repudiation, and receipts say so.
    SharedSecret,
    /// A signature only the receiver can make.
    Signature,
    /// What the far side answered, unsigned.
    Answer,
}

/// What shows that the receiver has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    pub kind: EvidenceKind,
    /// Id of the key used, at most 64 bytes; empty for an answer.
    pub key_id: String,
    /// MAC or signature, at most 512 bytes; empty for an answer.
    pub proof: Bytes,
    /// The very bytes that the proof covers, or the answer; at most 256 KiB, in the record's body.
    pub signed: Bytes,
}

/// An accepted message: the public part, and what stays in the record's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub msg_id: MsgId,
    pub envelope: Envelope,
    pub request_tag: Tag,
    pub order_tag: Tag,
    pub idempotency_tag: Tag,
    pub case_tag: Option<Tag>,
    pub clear: Clear,
    /// The original first; bodies name them by digest, leaves by commitment.
    pub objects: Vec<Attachment>,
    pub payload: Bytes,
}

/// What the body of an Accepted fact holds beside the payload, in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clear {
    pub order_key: String,
    pub idempotency_key: String,
    pub from_written: AgencyCode,
    /// Every code as written, repeats too, in the sender's order.
    pub to_written: Vec<AgencyCode>,
    pub documents: Vec<DocumentRef>,
    pub act: String,
    pub due: Option<DocumentDate>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Accepted(Box<Accepted>),
    Rejected {
        reason: ReasonCode,
        /// Request tag, or SHA-256 of what could not be read.
        request_tag: Tag,
        /// Rule and path of each finding, never a value; in the body.
        findings: Vec<Finding>,
    },
    RejectSummary {
        source: String,
        minute: u64,
        count: u64,
    },
    AttemptFailed {
        delivery: Delivery,
        receiver: Receiver,
        reason: ReasonCode,
    },
    Collected {
        delivery: Delivery,
        receiver: Receiver,
    },
    Delivered {
        delivery: Delivery,
        receiver: Receiver,
        evidence: Evidence,
    },
    DeadLettered {
        delivery: Delivery,
        receiver: Option<Receiver>,
        reason: ReasonCode,
    },
    /// `delivery.generation` is the new one.
    Redriven {
        delivery: Delivery,
    },
    Withdrawn {
        delivery: Delivery,
        reason: ReasonCode,
    },
    /// End state of the Accepted fact at `partition`, `offset`.
    Conflict {
        msg_id: MsgId,
        partition: u32,
        offset: u64,
        request_tag: Tag,
    },
    LookupRequested(Lookup),
    LookupAnswered {
        lookup: Lookup,
        decision: ReasonCode,
        answer: Bytes,
    },
    LookupUnknown {
        lookup: Lookup,
        reason: ReasonCode,
    },
    /// The change set, canonical JSON or the digest of an object that holds it; in the body.
    Configured {
        change_set: Bytes,
    },
    Act {
        act: ReasonCode,
        msg_id: Option<MsgId>,
        purpose: String,
    },
    KeyEvent(KeyEvent),
    Shredded {
        msg_id: MsgId,
        reason: ReasonCode,
    },
    SealAlarm {
        reason: ReasonCode,
    },
    AttemptStarted {
        delivery: Delivery,
        receiver: Receiver,
    },
    LedgerClosed {
        size: u64,
        root: Digest,
    },
    Proposed {
        subject: String,
        proposal: Bytes,
    },
}

/// One thing that was wrong, without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub code: ReasonCode,
    /// Where, at most 512 bytes.
    pub path: String,
}

/// A question to a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    pub msg_id: MsgId,
    pub contract: ContractRef,
    pub source: AgencyId,
    pub purpose: String,
    pub case_tag: Option<Tag>,
    pub subject_tags: Vec<Tag>,
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyUse {
    /// Signs leaves and receipts.
    Node,
    /// Signs checkpoints.
    Log,
}

/// A key comes into use or ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEvent {
    pub usage: KeyUse,
    /// Name of the key as signed notes write it, at most 128 bytes.
    pub name: String,
    /// Ed25519 public key.
    pub public_key: [u8; 32],
    pub begins: bool,
}

impl What {
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Accepted(_) => Kind::Accepted,
            Self::Rejected { .. } => Kind::Rejected,
            Self::RejectSummary { .. } => Kind::RejectSummary,
            Self::AttemptFailed { .. } => Kind::AttemptFailed,
            Self::Collected { .. } => Kind::Collected,
            Self::Delivered { .. } => Kind::Delivered,
            Self::DeadLettered { .. } => Kind::DeadLettered,
            Self::Redriven { .. } => Kind::Redriven,
            Self::Withdrawn { .. } => Kind::Withdrawn,
            Self::Conflict { .. } => Kind::Conflict,
            Self::LookupRequested(_) => Kind::LookupRequested,
            Self::LookupAnswered { .. } => Kind::LookupAnswered,
            Self::LookupUnknown { .. } => Kind::LookupUnknown,
            Self::Configured { .. } => Kind::Configured,
            Self::Act { .. } => Kind::Act,
            Self::KeyEvent(_) => Kind::KeyEvent,
            Self::Shredded { .. } => Kind::Shredded,
            Self::SealAlarm { .. } => Kind::SealAlarm,
            Self::AttemptStarted { .. } => Kind::AttemptStarted,
            Self::LedgerClosed { .. } => Kind::LedgerClosed,
            Self::Proposed { .. } => Kind::Proposed,
        }
    }

    /// The delivery a fact of kinds 4 to 9 and 19 is about.
    #[must_use]
    pub const fn delivery(&self) -> Option<&Delivery> {
        match self {
            Self::AttemptFailed { delivery, .. }
            | Self::Collected { delivery, .. }
            | Self::Delivered { delivery, .. }
            | Self::DeadLettered { delivery, .. }
            | Self::Redriven { delivery }
            | Self::Withdrawn { delivery, .. }
            | Self::AttemptStarted { delivery, .. } => Some(delivery),
            Self::Accepted(_)
            | Self::Rejected { .. }
            | Self::RejectSummary { .. }
            | Self::Conflict { .. }
            | Self::LookupRequested(_)
            | Self::LookupAnswered { .. }
            | Self::LookupUnknown { .. }
            | Self::Configured { .. }
            | Self::Act { .. }
            | Self::KeyEvent(_)
            | Self::Shredded { .. }
            | Self::SealAlarm { .. }
            | Self::LedgerClosed { .. }
            | Self::Proposed { .. } => None,
        }
    }

    /// The message a fact is about, where it is about one.
    #[must_use]
    pub fn msg_id(&self) -> Option<MsgId> {
        match self {
            Self::Accepted(accepted) => Some(accepted.msg_id),
            Self::Conflict { msg_id, .. } | Self::Shredded { msg_id, .. } => Some(*msg_id),
            Self::LookupRequested(lookup)
            | Self::LookupAnswered { lookup, .. }
            | Self::LookupUnknown { lookup, .. } => Some(lookup.msg_id),
            Self::Act { msg_id, .. } => *msg_id,
            Self::AttemptFailed { .. }
            | Self::Collected { .. }
            | Self::Delivered { .. }
            | Self::DeadLettered { .. }
            | Self::Redriven { .. }
            | Self::Withdrawn { .. }
            | Self::AttemptStarted { .. } => self.delivery().map(|delivery| delivery.msg_id),
            Self::Rejected { .. }
            | Self::RejectSummary { .. }
            | Self::Configured { .. }
            | Self::KeyEvent(_)
            | Self::SealAlarm { .. }
            | Self::LedgerClosed { .. }
            | Self::Proposed { .. } => None,
        }
    }
}

impl Delivery {
    #[must_use]
    pub fn id(&self) -> crate::DeliveryId {
        crate::DeliveryId::of(self.msg_id, &self.addressee)
    }

    /// The id of the fact that this happened to this delivery in this round: a second one of the same is a repeat.
    #[must_use]
    pub fn event_id(&self, kind: Kind) -> EventId {
        EventId::of(
            kind,
            &[
                self.msg_id.as_bytes(),
                self.addressee.as_str().as_bytes(),
                &self.generation.to_be_bytes(),
                &self.attempt.to_be_bytes(),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_keep_the_numbers_of_the_design() {
        assert_eq!(Kind::ALL.len(), 21);
        for (at, kind) in Kind::ALL.iter().enumerate() {
            assert_eq!(usize::from(kind.number()), at + 1);
            assert_eq!(Kind::from_number(kind.number()), Some(*kind));
        }
        assert_eq!(Kind::from_number(0), None);
        assert_eq!(Kind::from_number(22), None);
    }
}
