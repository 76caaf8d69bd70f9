//! A small ledger of facts for the tests, and a store to project it into.

use std::path::PathBuf;

use bytes::Bytes;
use lgsp_types::{
    Accepted, Actor, AdapterId, AgencyCode, AgencyId, Attachment, Clear, ConnectorId, ContractRef, Delivery,
    DeliveryId, Digest, DocumentRef, Envelope, EventId, Evidence, EvidenceKind, Fact, Kind, MsgId, Node, OpenQuery,
    Party, ReasonCode, Receiver, Relation, Role, Rules, SystemId, Tag, UnixMs, What,
};
use tempfile::TempDir;

use crate::rows::{Applied, DeliveryRow, Position, Projected, Reading};
use crate::sqlite::{Settings, SqliteStore};
use crate::store::Store;

pub(super) const LEDGER: &str = "data-2026";
pub(super) const ID_KEY: &str = "03867d68d85c31a8";
pub(super) const NO_ROUTE: ReasonCode = ReasonCode::new("NO_ROUTE");
/// When the first fact came.
pub(super) const START_MS: u64 = 1_764_000_000_000;

/// What a ledger of so many partitions holds.
#[derive(Clone, Debug)]
pub(super) struct Book {
    pub(super) partitions: Vec<Vec<Projected>>,
    now_ms: u64,
}

impl Book {
    pub(super) fn new(partitions: usize) -> Self {
        Self {
            partitions: vec![Vec::new(); partitions],
            now_ms: START_MS,
        }
    }

    /// Appends to partition 0, a second after the one before.
    pub(super) fn append(&mut self, what: What) -> Position {
        self.append_to(0, 1_000, what)
    }

    /// Appends so many milliseconds later, or earlier: a clock can be set back.
    pub(super) fn append_to(&mut self, partition: u32, later_ms: i64, what: What) -> Position {
        self.now_ms = self.now_ms.saturating_add_signed(later_ms);
        let fact = fact(what);
        let position = self.record(partition, Some(fact));
        let record = self.partitions[partition as usize].last_mut().unwrap();
        record.append_ms = UnixMs(self.now_ms);
        position
    }

    pub(super) fn append_alien(&mut self, partition: u32) -> Position {
        self.record(partition, None)
    }

    fn record(&mut self, partition: u32, fact: Option<Fact>) -> Position {
        let records = &mut self.partitions[partition as usize];
        let offset = records.len() as u64;
        records.push(Projected {
            offset,
            append_ms: UnixMs(self.now_ms),
            leaf_hash: Digest::of(format!("{partition}/{offset}").as_bytes()),
            fact,
            reading: Reading::default(),
        });
        Position { partition, offset }
    }

    /// Projects what the store does not have yet of partition 0.
    pub(super) async fn project(&self, store: &SqliteStore) -> Applied {
        self.project_some(store, 0, usize::MAX).await
    }

    /// Projects at most `most` records of one partition.
    pub(super) async fn project_some(&self, store: &SqliteStore, partition: u32, most: usize) -> Applied {
        let next = store.next_offset(partition).await.unwrap();
        let records = &self.partitions[partition as usize];
        let behind = records.iter().skip_while(|record| record.offset < next);
        let batch: Vec<Projected> = behind.take(most).cloned().collect();
        store.apply(partition, next, batch).await.unwrap()
    }
}

/// A folder with a store in it.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) folder: TempDir,
    partitions: u32,
}

impl Shelf {
    pub(super) fn new(partitions: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, partitions }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("store.sqlite")
    }

    pub(super) async fn open(&self) -> SqliteStore {
        self.open_with(Settings::default()).await
    }

    pub(super) async fn open_with(&self, settings: Settings) -> SqliteStore {
        SqliteStore::open_with(&self.path(), LEDGER, ID_KEY, self.partitions, settings)
            .await
            .unwrap()
    }
}

/// A receiver's question for all that is listed.
pub(super) fn asked(contract: Option<&str>, after: Option<DeliveryId>, limit: u32) -> OpenQuery {
    OpenQuery {
        contract: contract.map(str::to_owned),
        limit,
        after,
        dead_letters: true,
    }
}

pub(super) fn agency(name: &str) -> AgencyId {
    AgencyId::stored(name).unwrap()
}

pub(super) fn code(text: &str) -> AgencyCode {
    AgencyCode::parse(text).unwrap()
}

pub(super) fn party(name: &str, written: &str) -> Party {
    Party {
        agency: agency(name),
        code: code(written),
    }
}

/// The message of this number.
pub(super) fn msg(number: u8) -> MsgId {
    MsgId::from_bytes([number; 16])
}

pub(super) fn tag(number: u8) -> Tag {
    Tag::from_bytes([number; 32])
}

pub(super) fn delivery(message: u8, addressee: &str) -> Delivery {
    Delivery {
        msg_id: msg(message),
        addressee: agency(addressee),
        generation: 0,
        attempt: 0,
    }
}

pub(super) fn receiver(name: &str) -> Receiver {
    Receiver {
        agency: agency(name),
        connector: ConnectorId::parse("vxp.doc").unwrap(),
    }
}

/// Where a delivery that must be there stands.
pub(super) async fn row(store: &SqliteStore, message: u8, addressee: &str) -> DeliveryRow {
    let found = store.delivery(delivery(message, addressee).id()).await;
    found.unwrap().unwrap()
}

/// A document from `so-a` to the given agencies, with the tag of its number.
pub(super) fn accepted(number: u8, addressees: &[&str]) -> Accepted {
    let parties: Vec<Party> = addressees
        .iter()
        .map(|name| party(name, &format!("H62.{}", name.to_uppercase())))
        .collect();
    Accepted {
        msg_id: msg(number),
        envelope: Envelope {
            contract: ContractRef::parse("vn.lgsp.document/1").unwrap(),
            sender: party("so-a", "H62.11"),
            system: SystemId::parse("qlvb.so-a").unwrap(),
            addressees: parties.clone(),
            purpose: String::new(),
        },
        request_tag: tag(number),
        order_tag: tag(101),
        idempotency_tag: tag(102),
        case_tag: None,
        clear: Clear {
            order_key: format!("order-{number}"),
            idempotency_key: format!("key-{number}"),
            from_written: code("000.00.11.H62"),
            to_written: parties.into_iter().map(|party| party.code).collect(),
            documents: vec![is(&format!("id-{number}"), &format!("{number}/STTTT-CNTT"))],
            act: String::from("0"),
            due: None,
        },
        objects: vec![object(number, Role::Original)],
        payload: Bytes::from_static(b"{}"),
    }
}

/// The document that a message is.
pub(super) fn is(id: &str, code: &str) -> DocumentRef {
    reference(Relation::Is, id, code)
}

pub(super) fn reference(relation: Relation, id: &str, code: &str) -> DocumentRef {
    DocumentRef {
        relation,
        id: id.to_owned(),
        organ: String::from("H62.11"),
        code: code.to_owned(),
        date: String::from("2026/01/05"),
    }
}

pub(super) fn object(number: u8, role: Role) -> Attachment {
    Attachment {
        role,
        name: format!("công văn {number}.edxml"),
        media_type: String::from("application/xml"),
        size_bytes: 1_000 + u64::from(number),
        digest: Digest::of(&[number]),
    }
}

pub(super) fn boxed(accepted: Accepted) -> What {
    What::Accepted(Box::new(accepted))
}

pub(super) fn collected(delivery: Delivery) -> What {
    let receiver = receiver(delivery.addressee.as_str());
    What::Collected { delivery, receiver }
}

pub(super) fn delivered(delivery: Delivery) -> What {
    let receiver = receiver(delivery.addressee.as_str());
    let evidence = Evidence {
        kind: EvidenceKind::SharedSecret,
        key_id: String::from("k1"),
        proof: Bytes::from_static(b"mac"),
        signed: Bytes::from_static(b"done"),
    };
    What::Delivered {
        delivery,
        receiver,
        evidence,
    }
}

pub(super) fn dead(delivery: Delivery, reason: ReasonCode) -> What {
    What::DeadLettered {
        delivery,
        receiver: None,
        reason,
    }
}

pub(super) fn redriven(delivery: Delivery, generation: u32) -> What {
    let delivery = Delivery { generation, ..delivery };
    What::Redriven { delivery }
}

pub(super) fn withdrawn(delivery: Delivery) -> What {
    let reason = ReasonCode::new("SENDER_WITHDREW");
    What::Withdrawn { delivery, reason }
}

pub(super) fn failed(delivery: Delivery, attempt: u32) -> What {
    let receiver = receiver(delivery.addressee.as_str());
    let delivery = Delivery { attempt, ..delivery };
    let reason = ReasonCode::new("TIMEOUT");
    What::AttemptFailed {
        delivery,
        receiver,
        reason,
    }
}

/// The fact that this happened, as a node would make it.
pub(super) fn fact(what: What) -> Fact {
    let event_id = match (&what, what.delivery()) {
        (_, Some(delivery)) => delivery.event_id(what.kind()),
        (What::Accepted(accepted), None) => {
            let parts: [&[u8]; 2] = [accepted.msg_id.as_bytes(), accepted.request_tag.as_bytes()];
            EventId::of(Kind::Accepted, &parts)
        }
        (_, None) => EventId::of(what.kind(), &[]),
    };
    Fact {
        event_id,
        prev: None,
        actor: Actor {
            system: SystemId::parse("qlvb.so-a").unwrap(),
            adapter: AdapterId::parse("vxp").unwrap(),
            agency: Some(agency("so-a")),
            spki: None,
            officer: None,
        },
        rules: Rules {
            control_size: 3,
            control_root: Digest::of(b"rules"),
        },
        node: Node {
            id: SystemId::parse("node-1").unwrap(),
            build: String::from("0.1.0"),
            node_ms: UnixMs(START_MS),
        },
        trace_id: None,
        what,
    }
}
