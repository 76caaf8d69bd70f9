//! The values of a leaf's keys that have parts: each is written and read here, the one beside the other.

use bytes::Bytes;
use lgsp_types::{
    Actor, AdapterId, AgencyCode, AgencyId, ConnectorId, Digest, EvidenceKind, KeyEvent, KeyUse, Kind, Node, Party,
    Receiver, Rules, SystemId, Tag, UnixMs,
};

use super::{Acknowledgement, ObjectKey, Summary};
use crate::bound::{BUILD, EVIDENCE_KEY, EVIDENCE_PROOF, KEY_NAME, MEDIA_TYPE, SOURCE, Unfit};
use crate::cbor::{Decoder, Encoder, Malformed, Pairs};

type Read<T> = Result<T, Malformed>;

pub(super) fn read_kind(from: &mut Decoder<'_>) -> Read<Kind> {
    let unknown = from.malformed("the kind is not known");
    u8::try_from(from.uint()?)
        .ok()
        .and_then(Kind::from_number)
        .ok_or(unknown)
}

pub(super) fn write_actor(out: &mut Encoder, actor: &Actor) {
    let mut pairs = Pairs::default();
    pairs.put(0, Some(&actor.system), |out, system| out.text(system.as_str()));
    pairs.put(1, Some(&actor.adapter), |out, adapter| out.text(adapter.as_str()));
    pairs.put(2, actor.agency.as_ref(), |out, agency| out.text(agency.as_str()));
    pairs.put(3, actor.spki, |out, spki| out.bytes(spki.as_bytes()));
    pairs.put(4, actor.officer, |out, officer| out.bytes(officer.as_bytes()));
    out.raw(&pairs.into_bytes());
}

pub(super) fn read_actor(from: &mut Decoder<'_>) -> Read<Actor> {
    let incomplete = from.malformed("an actor lacks system or adapter");
    let mut keys = from.map()?;
    let (mut system, mut adapter, mut agency, mut spki, mut officer) = (None, None, None, None, None);
    while let Some(key) = keys.next(from)? {
        match key {
            0 => system = Some(read_system(from)?),
            1 => adapter = Some(from.word("is no adapter", AdapterId::parse)?),
            2 => agency = Some(read_agency(from)?),
            3 => spki = Some(Digest::from_bytes(from.fixed()?)),
            4 => officer = Some(Tag::from_bytes(from.fixed()?)),
            _ => return Err(from.malformed("the key of an actor is not known")),
        }
    }
    match (system, adapter) {
        (Some(system), Some(adapter)) => Ok(Actor {
            system,
            adapter,
            agency,
            spki,
            officer,
        }),
        _ => Err(incomplete),
    }
}

fn read_system(from: &mut Decoder<'_>) -> Read<SystemId> {
    from.word("is no system", SystemId::parse)
}

fn read_agency(from: &mut Decoder<'_>) -> Read<AgencyId> {
    from.word("is no agency id", AgencyId::stored)
}

fn read_code(from: &mut Decoder<'_>) -> Read<AgencyCode> {
    from.word("is no agency code", AgencyCode::parse)
}

pub(super) fn write_party(out: &mut Encoder, party: &Party) {
    out.array(2);
    out.text(party.agency.as_str());
    out.text(party.code.as_str());
}

pub(super) fn read_party(from: &mut Decoder<'_>) -> Read<Party> {
    from.tuple(2)?;
    Ok(Party {
        agency: read_agency(from)?,
        code: read_code(from)?,
    })
}

pub(super) fn write_sender(out: &mut Encoder, (party, system): &(Party, SystemId)) {
    out.array(3);
    out.text(party.agency.as_str());
    out.text(party.code.as_str());
    out.text(system.as_str());
}

pub(super) fn read_sender(from: &mut Decoder<'_>) -> Read<(Party, SystemId)> {
    from.tuple(3)?;
    Ok((
        Party {
            agency: read_agency(from)?,
            code: read_code(from)?,
        },
        read_system(from)?,
    ))
}

pub(super) fn write_object(out: &mut Encoder, object: &ObjectKey) -> Result<(), Unfit> {
    out.array(3);
    out.bytes(object.commitment.as_bytes());
    out.uint(object.size_bytes);
    out.bounded_text(MEDIA_TYPE, &object.media_type)
}

pub(super) fn read_object(from: &mut Decoder<'_>) -> Read<ObjectKey> {
    from.tuple(3)?;
    Ok(ObjectKey {
        commitment: Digest::from_bytes(from.fixed()?),
        size_bytes: from.uint()?,
        media_type: from.bounded_text(MEDIA_TYPE)?,
    })
}

pub(super) fn write_rules(out: &mut Encoder, rules: Rules) {
    write_head(out, (rules.control_size, rules.control_root));
}

pub(super) fn read_rules(from: &mut Decoder<'_>) -> Read<Rules> {
    let (control_size, control_root) = read_head(from)?;
    Ok(Rules {
        control_size,
        control_root,
    })
}

pub(super) fn write_node(out: &mut Encoder, node: &Node) -> Result<(), Unfit> {
    out.array(3);
    out.text(node.id.as_str());
    out.bounded_text(BUILD, &node.build)?;
    out.uint(node.node_ms.0);
    Ok(())
}

pub(super) fn read_node(from: &mut Decoder<'_>) -> Read<Node> {
    from.tuple(3)?;
    Ok(Node {
        id: read_system(from)?,
        build: from.bounded_text(BUILD)?,
        node_ms: UnixMs(from.uint()?),
    })
}

pub(super) fn write_round(out: &mut Encoder, (generation, attempt): (u32, u32)) {
    out.array(2);
    out.uint(generation);
    out.uint(attempt);
}

pub(super) fn read_round(from: &mut Decoder<'_>) -> Read<(u32, u32)> {
    from.tuple(2)?;
    Ok((from.narrow()?, from.narrow()?))
}

pub(super) fn write_acknowledgement(out: &mut Encoder, acknowledgement: &Acknowledgement) -> Result<(), Unfit> {
    out.array(3);
    out.uint(match acknowledgement.kind {
        EvidenceKind::SharedSecret => 1u8,
        EvidenceKind::Signature => 2,
        EvidenceKind::Answer => 3,
    });
    out.bounded_text(EVIDENCE_KEY, &acknowledgement.key_id)?;
    out.bounded_bytes(EVIDENCE_PROOF, &acknowledgement.proof)
}

pub(super) fn read_acknowledgement(from: &mut Decoder<'_>) -> Read<Acknowledgement> {
    from.tuple(3)?;
    let unknown = from.malformed("the kind of evidence is not known");
    let kind = match from.uint()? {
        1 => EvidenceKind::SharedSecret,
        2 => EvidenceKind::Signature,
        3 => EvidenceKind::Answer,
        _ => return Err(unknown),
    };
    Ok(Acknowledgement {
        kind,
        key_id: from.bounded_text(EVIDENCE_KEY)?,
        proof: Bytes::copy_from_slice(from.bounded_bytes(EVIDENCE_PROOF)?),
    })
}

pub(super) fn write_receiver(out: &mut Encoder, receiver: &Receiver) {
    out.array(2);
    out.text(receiver.agency.as_str());
    out.text(receiver.connector.as_str());
}

pub(super) fn read_receiver(from: &mut Decoder<'_>) -> Read<Receiver> {
    from.tuple(2)?;
    Ok(Receiver {
        agency: read_agency(from)?,
        connector: from.word("is no connector", ConnectorId::parse)?,
    })
}

pub(super) fn write_loser(out: &mut Encoder, (partition, offset): (u32, u64)) {
    out.array(2);
    out.uint(partition);
    out.uint(offset);
}

pub(super) fn read_loser(from: &mut Decoder<'_>) -> Read<(u32, u64)> {
    from.tuple(2)?;
    Ok((from.narrow()?, from.uint()?))
}

pub(super) fn write_summary(out: &mut Encoder, summary: &Summary) -> Result<(), Unfit> {
    out.array(3);
    out.bounded_text(SOURCE, &summary.source)?;
    out.uint(summary.minute);
    out.uint(summary.count);
    Ok(())
}

pub(super) fn read_summary(from: &mut Decoder<'_>) -> Read<Summary> {
    from.tuple(3)?;
    Ok(Summary {
        source: from.bounded_text(SOURCE)?,
        minute: from.uint()?,
        count: from.uint()?,
    })
}

pub(super) fn write_key_event(out: &mut Encoder, event: &KeyEvent) -> Result<(), Unfit> {
    out.array(4);
    out.uint(match event.usage {
        KeyUse::Node => 1u8,
        KeyUse::Log => 2,
    });
    out.bounded_text(KEY_NAME, &event.name)?;
    out.bytes(&event.public_key);
    out.uint(u8::from(event.begins));
    Ok(())
}

pub(super) fn read_key_event(from: &mut Decoder<'_>) -> Read<KeyEvent> {
    from.tuple(4)?;
    let unknown = from.malformed("the use of a key is not known");
    let usage = match from.uint()? {
        1 => KeyUse::Node,
        2 => KeyUse::Log,
        _ => return Err(unknown),
    };
    Ok(KeyEvent {
        usage,
        name: from.bounded_text(KEY_NAME)?,
        public_key: from.fixed()?,
        begins: from.below(2)? == 1,
    })
}

pub(super) fn write_head(out: &mut Encoder, (size, root): (u64, Digest)) {
    out.array(2);
    out.uint(size);
    out.bytes(root.as_bytes());
}

pub(super) fn read_head(from: &mut Decoder<'_>) -> Read<(u64, Digest)> {
    from.tuple(2)?;
    Ok((from.uint()?, Digest::from_bytes(from.fixed()?)))
}
