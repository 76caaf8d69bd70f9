//! What operators ask of a node: find a message and tell all that happened to it, prove it, see how the node stands.

use std::fmt::Debug;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    AgencyId, Caller, ConnectorId, DeliveryId, Digest, DocumentDate, Evidence, MsgId, ReasonCode, SystemId, Unavailable,
};

/// What can be asked of a node without changing anything.
///
/// `viewer` is the system that asks: it sees the messages that it sent, and of those that came to it its own part.
/// None: an operator, who sees all.
#[async_trait]
pub trait Operations: Send + Sync + Debug {
    /// Tells all about what a person asks for: a document's number and notation, its id, a message or a delivery.
    ///
    /// # Errors
    /// [`Unavailable`].
    async fn trace(&self, viewer: Option<&Caller>, query: &str) -> Result<Trace, Unavailable>;

    /// Receipt, ledger entry and inclusion proof of one message; none for an id that the viewer knows nothing of.
    ///
    /// # Errors
    /// [`Unavailable`].
    async fn evidence(&self, viewer: Option<&Caller>, id: MsgId) -> Result<Option<MessageEvidence>, Unavailable>;

    /// The last checkpoint of one partition, a signed note; none: there is no such partition, or it has none yet.
    ///
    /// # Errors
    /// [`Unavailable`].
    async fn checkpoint(&self, partition: u32) -> Result<Option<String>, Unavailable>;

    /// The facts of timelines from these offsets on, one for each partition, at most `limit`, in ledger order of each
    /// partition. A viewer sees those about messages that it sent, `Delivered` with the receiver's evidence.
    ///
    /// # Errors
    /// [`Unavailable`].
    async fn history(&self, viewer: Option<&Caller>, from: &[u64], limit: u32) -> Result<History, Unavailable>;

    /// The offset of each partition that is to be projected next: where a history of what is to come begins.
    ///
    /// # Errors
    /// [`Unavailable`].
    async fn projected(&self) -> Result<Vec<u64>, Unavailable>;

    /// How far each partition is projected, and the hash of each table at just that point.
    ///
    /// # Errors
    /// [`Unavailable`].
    async fn tables(&self) -> Result<Tables, Unavailable>;

    /// How the node stands.
    ///
    /// # Errors
    /// [`Unavailable`].
    async fn status(&self) -> Result<NodeStatus, Unavailable>;
}

/// All messages that are, or refer to, what was asked for; the document first, then in ledger order.
#[derive(Clone, Debug, Serialize)]
pub struct Trace {
    pub query: String,
    pub messages: Vec<TracedMessage>,
    /// The documents that they are or speak of, with what those replace and are replaced by; the first issued first. For
    /// operators only: where a document stands at one addressee is no business of another.
    pub documents: Vec<TracedDocument>,
}

/// A document, where it stands at each addressee, and all that was said of it.
#[derive(Clone, Debug, Serialize)]
pub struct TracedDocument {
    /// Number and notation.
    pub document: String,
    /// As its sender writes it.
    pub id: String,
    /// `yyyy/MM/dd`.
    pub date: String,
    /// None: it was never seen here, but something was said of it.
    pub issuer: Option<TracedAgency>,
    /// Number and notation of each, or its id.
    pub replaces: Vec<String>,
    pub replaced_by: Vec<String>,
    pub addressees: Vec<TracedStand>,
    /// In the order of their acceptance.
    pub said: Vec<TracedSaying>,
}

/// Where a document stands at one addressee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TracedStand {
    pub to: TracedAgency,
    pub state: &'static str,
    /// Something that it owes is late now.
    pub late: bool,
    pub duties: Vec<TracedDuty>,
}

/// What an addressee owes, or owed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TracedDuty {
    pub duty: &'static str,
    pub deadline_ms: u64,
    pub deadline: String,
    /// Ledger time at which it was seen to be done; none: not yet.
    pub met: Option<String>,
    /// For how long it was late, or is by now; 0: in time.
    pub late_ms: u64,
}

/// What one message says of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TracedSaying {
    pub msg_id: MsgId,
    /// `is`, `recalls`, `updates`, `replaces`, `answers`, `has-its-number`, or a status `01` to `16`.
    pub what: &'static str,
    pub from: TracedAgency,
    /// The time that it gives itself, else that of its acceptance.
    pub said: String,
    pub accepted: String,
    /// Codes of what does not fit.
    pub flags: Vec<&'static str>,
}

/// What documents are looked for by: all that is named has to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DocumentQuery {
    /// The number, or number and notation joined by a slash; marks and case do not matter.
    pub number: Option<String>,
    pub notation: Option<String>,
    /// A code, of either scheme, of whoever sent it or is its addressee.
    pub agency: Option<String>,
    /// First and last day of acceptance in Vietnam, `yyyy-MM-dd` or `yyyy/MM/dd`.
    pub from: Option<String>,
    pub to: Option<String>,
    /// The date that the document bears.
    pub dated: Option<String>,
    /// Where it stands at an addressee.
    pub state: Option<String>,
    /// Only where an addressee owes something that is late now.
    pub late: bool,
    /// All of them, in the fields that the contract marks searchable; marks and case do not matter.
    pub words: Option<String>,
    /// 1 to 100; 20 if not given.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub after: Option<String>,
}

/// Documents that were looked for, the latest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FoundDocuments {
    pub documents: Vec<FoundDocument>,
    /// Where the next page begins; none: these were the last.
    pub next: Option<String>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FoundDocument {
    pub msg_id: MsgId,
    /// Number and notation.
    pub document: String,
    pub id: String,
    pub date: String,
    /// Its kind, `0` to `3`.
    pub act: String,
    /// Of its searched fields the first, such as its subject.
    pub title: String,
    pub from: TracedAgency,
    pub accepted: String,
    pub due: Option<DocumentDate>,
    pub addressees: Vec<TracedStand>,
    /// Codes of what does not fit in what was said of it.
    pub flags: Vec<&'static str>,
}

/// One message, from its acceptance to where it stands now.
#[derive(Clone, Debug, Serialize)]
pub struct TracedMessage {
    pub msg_id: MsgId,
    pub contract: String,
    /// A packet's kind `0` to `3`, or a status `01` to `16`.
    pub act: String,
    /// Number and notation of the document that it is, or is about.
    pub document: String,
    /// How it belongs to what was asked for: `is`, `about`, `acts-on`, `replaces`; empty when asked by its own id; `linked`: it
    /// speaks of a document that replaces, or is replaced by, what was asked for.
    pub relation: String,
    pub from: TracedAgency,
    pub system: String,
    pub position: String,
    pub accepted_ms: u64,
    /// The same moment, ISO 8601 with +07:00.
    pub accepted: String,
    pub due: Option<DocumentDate>,
    pub deliveries: Vec<TracedDelivery>,
    pub events: Vec<TracedEvent>,
    /// The acceptance receipt, a signed note.
    pub receipt: String,
    /// The trace that it is part of, 32 hex digits; empty: it was accepted before there were traces.
    pub trace_id: String,
}

/// An agency as people know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TracedAgency {
    pub agency: AgencyId,
    pub code: String,
    pub name: String,
}

/// One message to one addressee.
#[derive(Clone, Debug, Serialize)]
pub struct TracedDelivery {
    pub delivery: DeliveryId,
    pub to: TracedAgency,
    /// Who had it, or was to have it, in the place of an addressee that is closed; by the code it has today.
    pub receiver: Option<TracedAgency>,
    pub state: &'static str,
    pub late: bool,
    /// The dead letter that it waits behind, as its contract has it: redrive that one.
    pub behind: Option<DeliveryId>,
    pub reason: Option<String>,
    pub mark: Option<&'static str>,
    pub changed_ms: u64,
    pub changed: String,
}

/// One fact about the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TracedEvent {
    pub kind: &'static str,
    pub position: String,
    /// Ledger time.
    pub at_ms: u64,
    pub at: String,
    pub delivery: Option<DeliveryId>,
    pub agency: Option<String>,
    pub system: String,
    pub reason: Option<String>,
    pub effect: &'static str,
}

/// Facts in ledger order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    pub events: Vec<Happened>,
    /// Where to go on, for each partition.
    pub next: Vec<u64>,
    /// False: there are more.
    pub complete: bool,
}

/// One fact, with where it stands and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    pub partition: u32,
    pub offset: u64,
    pub message: Option<MsgId>,
    pub event: TracedEvent,
    /// Of a delivery, where the viewer is the sender.
    pub evidence: Option<Evidence>,
}

/// What proves that a message was accepted, to anybody who trusts the log's key.
#[derive(Clone, Debug)]
pub struct MessageEvidence {
    /// A signed note of the node.
    pub receipt: String,
    /// What stands in the tree: `0x01 ‖ u64be append_ms ‖ leaf`.
    pub entry: Vec<u8>,
    /// A C2SP tlog-proof; none until the record is sealed, within a minute.
    pub proof: Option<String>,
}

/// What a rebuild is held against.
#[derive(Clone, Debug, Serialize)]
pub struct Tables {
    /// The next offset of each partition.
    pub next: Vec<u64>,
    pub tables: Vec<(String, Digest)>,
}

/// How the node stands, in one screen.
#[derive(Clone, Debug, Serialize)]
pub struct NodeStatus {
    pub accepted: u64,
    pub repeats: u64,
    pub conflicts: u64,
    pub open: u64,
    pub collected: u64,
    pub delivered: u64,
    pub dead_lettered: u64,
    pub withdrawn: u64,
    pub refusals: u64,
    pub refusals_summarised: u64,
    pub aliens: u64,
    /// For how long the oldest record waits for its checkpoint.
    pub unsealed_ms: u64,
    pub control_size: u64,
    pub agencies: usize,
    /// Counts the tenures of the ledger; 0: of a ledger that needs none.
    pub epoch: u64,
    /// This node, while it holds the ledger; else none.
    pub holder: Option<SystemId>,
    /// Every push connector of this moment, by id.
    pub pushes: Vec<PushLine>,
    /// Every pull connector at which deliveries wait longer than they should, by id.
    pub uncollected: Vec<Uncollected>,
}

/// How deliveries to one push connector stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PushLine {
    pub connector: ConnectorId,
    /// Tries under way.
    pub trying: u32,
    /// Deliveries that wait, as far as the node looked at the list.
    pub waiting: u32,
    /// Its far side failed again and again: nothing is sent until it can be reached.
    pub left_alone: bool,
    /// Why the last try failed that did; none since the node started.
    pub last_failure: Option<ReasonCode>,
    /// It could not be reached for too long: it is not even asked, until an operator resumes it.
    pub switched_off: bool,
}

/// Deliveries that nobody fetches: an alarm, and never an end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Uncollected {
    pub connector: ConnectorId,
    /// At most 10,000.
    pub deliveries: u32,
    pub within_hours: u32,
    /// When the oldest of them was accepted.
    pub oldest_ms: u64,
    /// The same moment, ISO 8601 with +07:00.
    pub oldest: String,
}
