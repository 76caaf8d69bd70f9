//! Any fact within its bounds, for property tests.

use bytes::Bytes;
use lgsp_types::{
    Accepted, Actor, AdapterId, AgencyCode, AgencyId, Attachment, Clear, ConnectorId, ContractRef, Delivery, Digest,
    DocumentDate, DocumentRef, Envelope, EventId, Evidence, EvidenceKind, Fact, Finding, KeyEvent, KeyUse, Lookup,
    MsgId, Node, Party, ReasonCode, Receiver, Relation, Role, Rules, SystemId, Tag, UnixMs, What,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// Any fact; its leaf may be too large if it has very many long addressees.
pub(crate) fn fact() -> impl Strategy<Value = Fact> {
    let ids = (
        any::<[u8; 16]>(),
        option::of(any::<[u8; 16]>()),
        option::of(any::<[u8; 16]>()),
    );
    let node = (system(), text(64), any::<u64>());
    let fact = (ids, actor(), (any::<u64>(), digest()), node, what());
    fact.prop_map(
        |((event_id, prev, trace_id), actor, (control_size, control_root), (id, build, node_ms), what)| Fact {
            event_id: EventId::from_bytes(event_id),
            prev: prev.map(EventId::from_bytes),
            actor,
            rules: Rules {
                control_size,
                control_root,
            },
            node: Node {
                id,
                build,
                node_ms: UnixMs(node_ms),
            },
            trace_id,
            what,
        },
    )
}

/// Any text of at most so many bytes, in no particular normal form.
fn text(max: usize) -> impl Strategy<Value = String> {
    ".{0,40}".prop_map(move |mut text| {
        while text.len() > max {
            text.pop();
        }
        text
    })
}

fn some_text(max: usize) -> impl Strategy<Value = String> {
    text(max).prop_map(|text| if text.is_empty() { "đ".to_owned() } else { text })
}

fn bytes(max: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..max).prop_map(Bytes::from)
}

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest::from_bytes)
}

fn tag() -> impl Strategy<Value = Tag> {
    any::<[u8; 32]>().prop_map(Tag::from_bytes)
}

fn system() -> impl Strategy<Value = SystemId> {
    "[A-Za-z0-9_-]{1,32}(\\.[A-Za-z0-9_-]{1,15})?".prop_map(|text| SystemId::parse(&text).unwrap())
}

fn code() -> impl Strategy<Value = AgencyCode> {
    "[0-9A-Z-]{1,11}(\\.[0-9A-Z-]{1,11}){0,2}".prop_map(|text| AgencyCode::parse(&text).unwrap())
}

fn agency() -> impl Strategy<Value = AgencyId> {
    prop_oneof![
        "[a-z0-9-]{1,30}(\\.[a-z0-9-]{1,33})?".prop_map(|text| AgencyId::parse(&text).unwrap()),
        code().prop_map(|code| AgencyId::outside(&code)),
    ]
}

fn party() -> impl Strategy<Value = Party> {
    (agency(), code()).prop_map(|(agency, code)| Party { agency, code })
}

fn contract() -> impl Strategy<Value = ContractRef> {
    ("[a-z0-9-]{1,20}(\\.[a-z0-9-]{1,20})?", 1u32..10_000)
        .prop_map(|(name, version)| ContractRef::parse(&format!("{name}/{version}")).unwrap())
}

fn reason() -> impl Strategy<Value = ReasonCode> {
    "[A-Z][A-Z0-9_]{0,39}".prop_map(|text| ReasonCode::parse(&text).unwrap())
}

fn msg_id() -> impl Strategy<Value = MsgId> {
    any::<[u8; 16]>().prop_map(MsgId::from_bytes)
}

fn day() -> impl Strategy<Value = DocumentDate> {
    (1900u32..2200, 1u32..13, 1u32..29)
        .prop_map(|(year, month, day)| DocumentDate::parse_iso(&format!("{year}-{month:02}-{day:02}")).unwrap())
}

fn actor() -> impl Strategy<Value = Actor> {
    (
        system(),
        system(),
        option::of(agency()),
        option::of(digest()),
        option::of(tag()),
    )
        .prop_map(|(system, adapter, agency, spki, officer)| Actor {
            system,
            adapter: AdapterId::parse(adapter.as_str()).unwrap(),
            agency,
            spki,
            officer,
        })
}

fn delivery() -> impl Strategy<Value = Delivery> {
    (msg_id(), agency(), any::<u32>(), any::<u32>()).prop_map(|(msg_id, addressee, generation, attempt)| Delivery {
        msg_id,
        addressee,
        generation,
        attempt,
    })
}

fn receiver() -> impl Strategy<Value = Receiver> {
    (agency(), system()).prop_map(|(agency, connector)| Receiver {
        agency,
        connector: ConnectorId::parse(connector.as_str()).unwrap(),
    })
}

fn evidence() -> impl Strategy<Value = Evidence> {
    let kinds = vec![
        EvidenceKind::SharedSecret,
        EvidenceKind::Signature,
        EvidenceKind::Answer,
    ];
    (select(kinds), text(64), bytes(513), bytes(300)).prop_map(|(kind, key_id, proof, signed)| Evidence {
        kind,
        key_id,
        proof,
        signed,
    })
}

fn lookup() -> impl Strategy<Value = Lookup> {
    let tags = (option::of(tag()), vec(tag(), 0..4));
    (msg_id(), contract(), agency(), text(128), tags).prop_map(
        |(msg_id, contract, source, purpose, (case_tag, subject_tags))| Lookup {
            msg_id,
            contract,
            source,
            purpose,
            case_tag,
            subject_tags,
        },
    )
}

fn document() -> impl Strategy<Value = DocumentRef> {
    let relations = vec![Relation::Is, Relation::About, Relation::ActsOn, Relation::Replaces];
    (select(relations), text(255), text(255), text(255), text(255)).prop_map(|(relation, id, organ, code, date)| {
        DocumentRef {
            relation,
            id,
            organ,
            code,
            date,
        }
    })
}

fn object() -> impl Strategy<Value = Attachment> {
    let roles = vec![Role::Original, Role::Attachment];
    (select(roles), text(255), text(127), any::<u64>(), digest()).prop_map(
        |(role, name, media_type, size_bytes, digest)| Attachment {
            role,
            name,
            media_type,
            size_bytes,
            digest,
        },
    )
}

fn clear() -> impl Strategy<Value = Clear> {
    let written = (code(), vec(code(), 0..4), vec(document(), 0..3));
    (text(512), text(512), written, text(16), option::of(day())).prop_map(
        |(order_key, idempotency_key, (from_written, to_written, documents), act, due)| Clear {
            order_key,
            idempotency_key,
            from_written,
            to_written,
            documents,
            act,
            due,
        },
    )
}

fn accepted() -> impl Strategy<Value = Accepted> {
    let envelope = (contract(), party(), system(), vec(party(), 1..5), text(128)).prop_map(
        |(contract, sender, system, addressees, purpose)| Envelope {
            contract,
            sender,
            system,
            addressees,
            purpose,
        },
    );
    let tags = (tag(), tag(), tag(), option::of(tag()));
    (msg_id(), envelope, tags, clear(), vec(object(), 0..4), bytes(300)).prop_map(
        |(msg_id, envelope, (request_tag, order_tag, idempotency_tag, case_tag), clear, objects, payload)| Accepted {
            msg_id,
            envelope,
            request_tag,
            order_tag,
            idempotency_tag,
            case_tag,
            clear,
            objects,
            payload,
        },
    )
}

fn rejected() -> impl Strategy<Value = What> {
    let finding = (reason(), text(512)).prop_map(|(code, path)| Finding { code, path });
    (reason(), tag(), vec(finding, 0..4)).prop_map(|(reason, request_tag, findings)| What::Rejected {
        reason,
        request_tag,
        findings,
    })
}

fn key_event() -> impl Strategy<Value = What> {
    (any::<bool>(), some_text(128), any::<[u8; 32]>(), any::<bool>()).prop_map(|(node, name, public_key, begins)| {
        let usage = if node { KeyUse::Node } else { KeyUse::Log };
        What::KeyEvent(KeyEvent {
            usage,
            name,
            public_key,
            begins,
        })
    })
}

fn what() -> BoxedStrategy<What> {
    prop_oneof![
        4 => accepted().prop_map(|accepted| What::Accepted(Box::new(accepted))),
        1 => rejected(),
        1 => (some_text(128), any::<u64>(), any::<u64>())
            .prop_map(|(source, minute, count)| What::RejectSummary { source, minute, count }),
        1 => (delivery(), receiver(), reason())
            .prop_map(|(delivery, receiver, reason)| What::AttemptFailed { delivery, receiver, reason }),
        1 => (delivery(), receiver()).prop_map(|(delivery, receiver)| What::Collected { delivery, receiver }),
        2 => (delivery(), receiver(), evidence())
            .prop_map(|(delivery, receiver, evidence)| What::Delivered { delivery, receiver, evidence }),
        1 => (delivery(), option::of(receiver()), reason())
            .prop_map(|(delivery, receiver, reason)| What::DeadLettered { delivery, receiver, reason }),
        1 => delivery().prop_map(|delivery| What::Redriven { delivery }),
        1 => (delivery(), reason()).prop_map(|(delivery, reason)| What::Withdrawn { delivery, reason }),
        1 => (msg_id(), any::<u32>(), any::<u64>(), tag()).prop_map(|(msg_id, partition, offset, request_tag)| {
            What::Conflict { msg_id, partition, offset, request_tag }
        }),
        1 => lookup().prop_map(What::LookupRequested),
        1 => (lookup(), reason(), bytes(300))
            .prop_map(|(lookup, decision, answer)| What::LookupAnswered { lookup, decision, answer }),
        1 => (lookup(), reason()).prop_map(|(lookup, reason)| What::LookupUnknown { lookup, reason }),
        1 => bytes(300).prop_map(|change_set| What::Configured { change_set }),
        1 => (reason(), option::of(msg_id()), text(128))
            .prop_map(|(act, msg_id, purpose)| What::Act { act, msg_id, purpose }),
        1 => key_event(),
        1 => (msg_id(), reason()).prop_map(|(msg_id, reason)| What::Shredded { msg_id, reason }),
        1 => reason().prop_map(|reason| What::SealAlarm { reason }),
        1 => (delivery(), receiver()).prop_map(|(delivery, receiver)| What::AttemptStarted { delivery, receiver }),
        1 => (any::<u64>(), digest()).prop_map(|(size, root)| What::LedgerClosed { size, root }),
        1 => (text(512), bytes(300)).prop_map(|(subject, proposal)| What::Proposed { subject, proposal }),
    ]
    .boxed()
}
