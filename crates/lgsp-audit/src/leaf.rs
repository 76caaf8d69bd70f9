//! The leaf of a record: what stands in the audit tree for ever, as deterministic CBOR with integer keys.
//!
//! `leaf.cddl` beside this crate's sources states type and bound of every key. Here each key has one line for reading and
//! one for writing; which keys a kind has is in `kinds`, what they say of a fact in `meaning`.

mod kinds;
mod meaning;
mod parts;

use bytes::Bytes;
use lgsp_types::{
    Actor, AgencyId, ContractRef, Digest, EventId, EvidenceKind, KeyEvent, Kind, MsgId, Node, Party, ReasonCode,
    Receiver, Rules, SystemId, Tag,
};

use crate::alien::Alien;
use crate::bound::{ADDRESSEES, LEAF_MAX_BYTES, OBJECTS, PURPOSE, SUBJECT_TAGS, UNSIGNED_LEAF, Unfit};
use crate::cbor::{Decoder, Malformed, Pairs, map_head};
use crate::group::LeafSignature;
use crate::tree::hash_leaf;

/// The version of the leaf's format, key 0.
const FORMAT: u64 = 1;
/// The key of the node's signature; always the last.
const SIGNATURE_KEY: u8 = 31;

/// An object as a leaf names it, key 10.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectKey {
    pub(crate) commitment: Digest,
    pub(crate) size_bytes: u64,
    pub(crate) media_type: String,
}

/// The evidence of a delivery without the bytes it covers, key 20.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acknowledgement {
    pub(crate) kind: EvidenceKind,
    pub(crate) key_id: String,
    pub(crate) proof: Bytes,
}

/// Refusals that were only counted, key 27.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) source: String,
    pub(crate) minute: u64,
    pub(crate) count: u64,
}

/// The keys of a leaf, 31 apart; which of them are there depends on the kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leaf {
    /// 1
    kind: Option<Kind>,
    /// 2
    event_id: Option<EventId>,
    /// 3
    msg_id: Option<MsgId>,
    /// 4
    prev: Option<EventId>,
    /// 5
    actor: Option<Actor>,
    /// 6
    sender: Option<(Party, SystemId)>,
    /// 7
    addressees: Option<Vec<Party>>,
    /// 8
    contract: Option<ContractRef>,
    /// 9: SHA-256 over the record's body
    payload: Option<Digest>,
    /// 10
    objects: Option<Vec<ObjectKey>>,
    /// 11
    idempotency_tag: Option<Tag>,
    /// 12
    order_tag: Option<Tag>,
    /// 13
    purpose: Option<String>,
    /// 14
    case_tag: Option<Tag>,
    /// 15
    subject_tags: Option<Vec<Tag>>,
    /// 16
    reason: Option<ReasonCode>,
    /// 17
    rules: Option<Rules>,
    /// 18
    node: Option<Node>,
    /// 19: generation, attempt
    round: Option<(u32, u32)>,
    /// 20
    acknowledgement: Option<Acknowledgement>,
    /// 21
    trace_id: Option<[u8; 16]>,
    /// 23
    request_tag: Option<Tag>,
    /// 24
    receiver: Option<Receiver>,
    /// 25: the agency a delivery is for, or that is asked
    agency: Option<AgencyId>,
    /// 26: partition and offset of the loser
    loser: Option<(u32, u64)>,
    /// 27
    summary: Option<Summary>,
    /// 28
    key_event: Option<KeyEvent>,
    /// 29: size and root
    closed: Option<(u64, Digest)>,
}

/// A leaf that was read: its keys, its signature, and the hash that the signature leads from.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) leaf: Leaf,
    pub(crate) signature: LeafSignature,
    pub(crate) unsigned_hash: Digest,
}

impl Leaf {
    /// What the body has to hash to, if there is one.
    pub(crate) const fn payload(&self) -> Option<Digest> {
        self.payload
    }

    /// Writes all keys but 31.
    pub(crate) fn write(&self) -> Result<Pairs, Unfit> {
        let mut out = Pairs::default();
        out.put(0, Some(FORMAT), |out, format| out.uint(format));
        out.put(1, self.kind, |out, kind| out.uint(kind.number()));
        out.put(2, self.event_id, |out, id| out.bytes(id.as_bytes()));
        out.put(3, self.msg_id, |out, id| out.bytes(id.as_bytes()));
        out.put(4, self.prev, |out, id| out.bytes(id.as_bytes()));
        out.put(5, self.actor.as_ref(), parts::write_actor);
        out.put(6, self.sender.as_ref(), parts::write_sender);
        out.try_put(7, self.addressees.as_ref(), |out, all| {
            out.list(ADDRESSEES, all, parts::write_party)
        })?;
        out.put(8, self.contract.as_ref(), |out, contract| {
            out.text(&contract.to_string())
        });
        out.put(9, self.payload, |out, hash| out.bytes(hash.as_bytes()));
        out.try_put(10, self.objects.as_ref(), |out, all| {
            out.try_list(OBJECTS, all, parts::write_object)
        })?;
        out.put(11, self.idempotency_tag, |out, tag| out.bytes(tag.as_bytes()));
        out.put(12, self.order_tag, |out, tag| out.bytes(tag.as_bytes()));
        out.try_put(13, self.purpose.as_ref(), |out, purpose| {
            out.bounded_text(PURPOSE, purpose)
        })?;
        out.put(14, self.case_tag, |out, tag| out.bytes(tag.as_bytes()));
        out.try_put(15, self.subject_tags.as_ref(), |out, all| {
            out.list(SUBJECT_TAGS, all, |out, tag| out.bytes(tag.as_bytes()))
        })?;
        out.put(16, self.reason.as_ref(), |out, reason| out.text(reason.as_str()));
        out.put(17, self.rules, parts::write_rules);
        out.try_put(18, self.node.as_ref(), parts::write_node)?;
        out.put(19, self.round, parts::write_round);
        out.try_put(20, self.acknowledgement.as_ref(), parts::write_acknowledgement)?;
        out.put(21, self.trace_id, |out, id| out.bytes(&id));
        out.put(23, self.request_tag, |out, tag| out.bytes(tag.as_bytes()));
        out.put(24, self.receiver.as_ref(), parts::write_receiver);
        out.put(25, self.agency.as_ref(), |out, agency| out.text(agency.as_str()));
        out.put(26, self.loser, parts::write_loser);
        out.try_put(27, self.summary.as_ref(), parts::write_summary)?;
        out.try_put(28, self.key_event.as_ref(), parts::write_key_event)?;
        out.put(29, self.closed, parts::write_head);
        UNSIGNED_LEAF.fit(out.size())?;
        Ok(out)
    }

    fn read_key(&mut self, key: u64, from: &mut Decoder<'_>) -> Result<(), Malformed> {
        match key {
            0 => from.exactly(FORMAT)?,
            1 => self.kind = Some(parts::read_kind(from)?),
            2 => self.event_id = Some(EventId::from_bytes(from.fixed()?)),
            3 => self.msg_id = Some(MsgId::from_bytes(from.fixed()?)),
            4 => self.prev = Some(EventId::from_bytes(from.fixed()?)),
            5 => self.actor = Some(parts::read_actor(from)?),
            6 => self.sender = Some(parts::read_sender(from)?),
            7 => self.addressees = Some(from.list(ADDRESSEES, parts::read_party)?),
            8 => self.contract = Some(from.word("is no contract", ContractRef::parse)?),
            9 => self.payload = Some(Digest::from_bytes(from.fixed()?)),
            10 => self.objects = Some(from.list(OBJECTS, parts::read_object)?),
            11 => self.idempotency_tag = Some(Tag::from_bytes(from.fixed()?)),
            12 => self.order_tag = Some(Tag::from_bytes(from.fixed()?)),
            13 => self.purpose = Some(from.bounded_text(PURPOSE)?),
            14 => self.case_tag = Some(Tag::from_bytes(from.fixed()?)),
            15 => self.subject_tags = Some(from.list(SUBJECT_TAGS, |from| from.fixed().map(Tag::from_bytes))?),
            16 => self.reason = Some(from.word("is no reason code", ReasonCode::parse)?),
            17 => self.rules = Some(parts::read_rules(from)?),
            18 => self.node = Some(parts::read_node(from)?),
            19 => self.round = Some(parts::read_round(from)?),
            20 => self.acknowledgement = Some(parts::read_acknowledgement(from)?),
            21 => self.trace_id = Some(from.fixed()?),
            23 => self.request_tag = Some(Tag::from_bytes(from.fixed()?)),
            24 => self.receiver = Some(parts::read_receiver(from)?),
            25 => self.agency = Some(from.word("is no agency id", AgencyId::stored)?),
            26 => self.loser = Some(parts::read_loser(from)?),
            27 => self.summary = Some(parts::read_summary(from)?),
            28 => self.key_event = Some(parts::read_key_event(from)?),
            29 => self.closed = Some(parts::read_head(from)?),
            _ => return Err(from.malformed("the key is not known")),
        }
        Ok(())
    }
}

impl Signed {
    /// Reads a whole leaf and checks that its kind has these keys and no others.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Alien> {
        if bytes.len() > LEAF_MAX_BYTES {
            return Err(Alien::Leaf {
                at: 0,
                what: "the leaf is too large",
            });
        }
        let mut from = Decoder::new(bytes);
        let mut keys = from.map()?;
        let (mut leaf, mut present) = (Leaf::default(), kinds::NONE);
        let (head_end, mut signature_at, mut signature) = (from.at(), 0, None);
        loop {
            let at = from.at();
            let Some(key) = keys.next(&mut from)? else { break };
            if key == u64::from(SIGNATURE_KEY) {
                (signature_at, signature) = (at, Some(LeafSignature::read(&mut from)?));
            } else {
                leaf.read_key(key, &mut from)?;
                present = present.with(key);
            }
        }
        from.end()?;
        let kind = leaf.kind.ok_or(Alien::missing(1))?;
        kinds::check(kind, present)?;
        let signature = signature.ok_or(Alien::missing(SIGNATURE_KEY))?;
        // Without its last pair the map is what was signed, under a head that counts one pair less.
        let pairs = bytes.get(head_end..signature_at).unwrap_or_default();
        let head = map_head(usize::try_from(keys.count.saturating_sub(1)).unwrap_or(usize::MAX));
        Ok(Self {
            leaf,
            signature,
            unsigned_hash: hash_leaf(&[&head, pairs]),
        })
    }
}

/// The hash of a leaf that is not signed yet.
pub(crate) fn unsigned_hash(pairs: &Pairs) -> Digest {
    let (head, pairs) = pairs.parts();
    hash_leaf(&[&head, pairs])
}

/// A leaf with its signature.
pub(crate) fn with_signature(mut pairs: Pairs, signature: &LeafSignature) -> Vec<u8> {
    pairs.put(SIGNATURE_KEY, Some(signature), |out, signature| signature.write(out));
    pairs.into_bytes()
}
