//! One fact of each kind for the tests: what the golden records hold, so nothing here may ever change.

use bytes::Bytes;
use lgsp_types::{
    Accepted, Actor, AdapterId, AgencyCode, AgencyId, Attachment, Clear, ConnectorId, ContractRef, Delivery, Digest,
    DocumentDate, DocumentRef, Envelope, EventId, Evidence, EvidenceKind, Fact, Finding, KeyEvent, KeyUse, Kind,
    Lookup, MsgId, Node, Party, ReasonCode, Receiver, Relation, Role, Rules, SystemId, Tag, UnixMs, What,
};

use crate::NoteKey;

pub(crate) const SALT: [u8; 32] = *b"salt salt salt salt salt salt..!";

pub(crate) fn node_key() -> NoteKey {
    NoteKey::from_seed("lgsp-1.node", b"the seed of the node's test key!").unwrap()
}

pub(crate) fn log_key() -> NoteKey {
    NoteKey::from_seed("lgsp/test", b"the seed of the log's test key.!").unwrap()
}

/// The fact of this kind, under the rules of a control log that is empty.
pub(crate) fn fact(kind: Kind) -> Fact {
    Fact {
        event_id: EventId::of(kind, &[b"sample"]),
        prev: (kind != Kind::Accepted).then(|| EventId::of(Kind::Accepted, &[b"sample"])),
        actor: actor(kind),
        rules: Rules {
            control_size: 0,
            control_root: Digest::of(b""),
        },
        node: Node {
            id: SystemId::parse("lgsp-1").unwrap(),
            build: "0.1.0+1f36d9a".into(),
            node_ms: UnixMs(1_767_571_200_000),
        },
        trace_id: (kind == Kind::Delivered).then_some([0xab; 16]),
        what: what(kind),
    }
}

fn actor(kind: Kind) -> Actor {
    let person = kind == Kind::Act;
    Actor {
        system: SystemId::parse("vxp.vinhphuc.01").unwrap(),
        adapter: AdapterId::parse("lgsp-1").unwrap(),
        agency: Some(agency("vp.so-tttt")),
        spki: person.then(|| Digest::of(b"public key")),
        officer: person.then(|| tag("officer")),
    }
}

fn agency(id: &str) -> AgencyId {
    AgencyId::stored(id).unwrap()
}

fn party(id: &str, code: &str) -> Party {
    Party {
        agency: agency(id),
        code: AgencyCode::parse(code).unwrap(),
    }
}

fn tag(what: &str) -> Tag {
    Tag::from_bytes(*Digest::of(what.as_bytes()).as_bytes())
}

fn msg_id() -> MsgId {
    MsgId::parse("563b1f85-601a-ac4f-4a08-9ab53715c903").unwrap()
}

fn delivery(generation: u32, attempt: u32) -> Delivery {
    Delivery {
        msg_id: msg_id(),
        addressee: agency("vp.so-tu-phap"),
        generation,
        attempt,
    }
}

fn receiver() -> Receiver {
    Receiver {
        agency: agency("vp.so-tu-phap"),
        connector: ConnectorId::parse("stp.vxp").unwrap(),
    }
}

fn lookup() -> Lookup {
    Lookup {
        msg_id: msg_id(),
        contract: ContractRef::parse("vn.lgsp.citizen/1").unwrap(),
        source: agency("G01"),
        purpose: "ho-tich".into(),
        case_tag: Some(tag("case")),
        subject_tags: vec![tag("subject")],
    }
}

const REASON: ReasonCode = ReasonCode::new("ADDRESSEE_UNKNOWN");

#[expect(clippy::too_many_lines, reason = "a table with one row per kind")]
pub(crate) fn what(kind: Kind) -> What {
    match kind {
        Kind::Accepted => What::Accepted(Box::new(accepted())),
        Kind::Rejected => What::Rejected {
            reason: REASON,
            request_tag: tag("request"),
            findings: vec![Finding {
                code: REASON,
                path: "/edXML/edXMLEnvelope/edXMLHeader/To[2]".into(),
            }],
        },
        Kind::RejectSummary => What::RejectSummary {
            source: "vxp.vinhphuc.01".into(),
            minute: 29_459_520,
            count: 1_000,
        },
        Kind::AttemptFailed => What::AttemptFailed {
            delivery: delivery(0, 2),
            receiver: receiver(),
            reason: ReasonCode::new("TIMEOUT"),
        },
        Kind::Collected => What::Collected {
            delivery: delivery(0, 0),
            receiver: receiver(),
        },
        Kind::Delivered => What::Delivered {
            delivery: delivery(0, 0),
            receiver: receiver(),
            evidence: evidence(),
        },
        Kind::DeadLettered => What::DeadLettered {
            delivery: delivery(1, 0),
            receiver: None,
            reason: ReasonCode::new("NO_ROUTE"),
        },
        Kind::Redriven => What::Redriven {
            delivery: delivery(2, 0),
        },
        Kind::Withdrawn => What::Withdrawn {
            delivery: delivery(0, 0),
            reason: ReasonCode::new("SENDER_WITHDREW"),
        },
        Kind::Conflict => What::Conflict {
            msg_id: msg_id(),
            partition: 3,
            offset: 70_000,
            request_tag: tag("other request"),
        },
        Kind::LookupRequested => What::LookupRequested(lookup()),
        Kind::LookupAnswered => What::LookupAnswered {
            lookup: lookup(),
            decision: ReasonCode::new("ANSWERED"),
            answer: Bytes::from_static(b"{\"found\":true}"),
        },
        Kind::LookupUnknown => What::LookupUnknown {
            lookup: lookup(),
            reason: ReasonCode::new("TIMEOUT"),
        },
        Kind::Configured => What::Configured {
            change_set: Bytes::from_static(b"[{\"object\":\"agency/vp\"}]"),
        },
        Kind::Act => What::Act {
            act: ReasonCode::new("VIEW_IN_CLEAR"),
            msg_id: Some(msg_id()),
            purpose: "khieu-nai".into(),
        },
        Kind::KeyEvent => What::KeyEvent(key_event(KeyUse::Node, &node_key(), true)),
        Kind::Shredded => What::Shredded {
            msg_id: msg_id(),
            reason: ReasonCode::new("RETENTION"),
        },
        Kind::SealAlarm => What::SealAlarm {
            reason: ReasonCode::new("CHECKPOINT_LATE"),
        },
        Kind::AttemptStarted => What::AttemptStarted {
            delivery: delivery(0, 1),
            receiver: receiver(),
        },
        Kind::LedgerClosed => What::LedgerClosed {
            size: 4_294_967_296,
            root: Digest::of(b"root"),
        },
        Kind::Proposed => What::Proposed {
            subject: "H62.99".into(),
            proposal: Bytes::from_static("{\"name\":\"Phòng Một cửa\"}".as_bytes()),
        },
    }
}

pub(crate) fn key_event(usage: KeyUse, key: &NoteKey, begins: bool) -> KeyEvent {
    KeyEvent {
        usage,
        name: key.name().to_owned(),
        public_key: key.public_key(),
        begins,
    }
}

fn evidence() -> Evidence {
    Evidence {
        kind: EvidenceKind::SharedSecret,
        key_id: "stp.vxp#1".into(),
        proof: Bytes::copy_from_slice(Digest::of(b"mac").as_bytes()),
        signed: Bytes::from_static(b"{\"status\":\"done\",\"docid\":\"c3388a9a-eead-f0db-5124-8f33a4fbcfd6\"}"),
    }
}

fn accepted() -> Accepted {
    let object = |role, name: &str, media_type: &str, size_bytes| Attachment {
        role,
        name: name.into(),
        media_type: media_type.into(),
        size_bytes,
        digest: Digest::of(name.as_bytes()),
    };
    Accepted {
        msg_id: msg_id(),
        envelope: Envelope {
            contract: ContractRef::parse("vn.lgsp.document/1").unwrap(),
            sender: party("vp.so-tttt", "H62.14"),
            system: SystemId::parse("vxp.vinhphuc.01").unwrap(),
            addressees: vec![
                party("vp.so-tu-phap", "H62.11"),
                party("000.00.00.G22", "000.00.00.G22"),
            ],
            purpose: "cong-van".into(),
        },
        request_tag: tag("request"),
        order_tag: tag("order"),
        idempotency_tag: tag("idempotency"),
        case_tag: Some(tag("case")),
        clear: Clear {
            order_key: "H62.14,2026/01/05,2451/STTTT-CNTT".into(),
            idempotency_key: "edoc".into(),
            from_written: AgencyCode::parse("000.00.14.H62").unwrap(),
            to_written: ["H62.11", "000.00.00.G22", "H62.11"]
                .map(|code| AgencyCode::parse(code).unwrap())
                .into(),
            documents: vec![DocumentRef {
                relation: Relation::Is,
                id: "VP-2451".into(),
                organ: "H62.14".into(),
                code: "2451/STTTT-CNTT".into(),
                date: "2026/01/05".into(),
            }],
            act: "0".into(),
            due: Some(DocumentDate::parse_iso("2026-01-20").unwrap()),
        },
        objects: vec![
            object(Role::Original, "gói tin.edxml", "application/xml", 30_000_000),
            object(Role::Attachment, "công văn 2451.pdf", "application/pdf", 120_000),
        ],
        payload: Bytes::from_static("{\"subject\":\"V/v triển khai\"}".as_bytes()),
    }
}
