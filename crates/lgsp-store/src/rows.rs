//! What is put into a store and what it answers, as plain words.

use std::collections::BTreeSet;

use lgsp_types::{
    AgencyCode, AgencyId, Attachment, ConnectorId, ContractRef, DeliveryId, DeliveryState, Digest, DocumentDate,
    DocumentRef, EventId, Fact, Finding, Kind, Mark, MsgId, Party, ReasonCode, Relation, SystemId, Tag, UnixMs,
};

use crate::claim::{Effect, Standing};
use crate::life::{DutyKind, Life, Saying, Stand};

/// The place of a fact in the ledger that the store belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    pub partition: u32,
    pub offset: u64,
}

/// One record of the ledger, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projected {
    pub offset: u64,
    pub append_ms: UnixMs,
    pub leaf_hash: Digest,
    /// None: a record that is none of ours. It takes its offset, and is flagged.
    pub fact: Option<Fact>,
    /// Of an Accepted fact; else the default.
    pub reading: Reading,
}

/// What the payload of an Accepted fact says, read by whoever projects: no format is known here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The time that a status gives itself.
    pub said_ms: Option<UnixMs>,
    /// Khẩn and above.
    pub urgent: bool,
    /// Receivers that an update drops and adds.
    pub dropped: Vec<AgencyCode>,
    pub added: Vec<AgencyCode>,
    /// Ids of the documents that are replaced, and for whom; nobody named: for all.
    pub replaced: Vec<(String, Vec<AgencyCode>)>,
    /// The texts in which words are searched, as written; the one that stands for all of it first.
    pub texts: Vec<String>,
}

/// What a batch did that somebody has to act on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Found in this batch and not settled in it: each needs its Conflict fact.
    pub conflicts: Vec<Conflict>,
    /// Deliveries whose state changed, in the order of the log; one that changed twice stands twice.
    pub changed: Vec<Changed>,
    /// Messages that came in, for those who wait for them.
    pub accepted: Vec<Admitted>,
}

/// An Accepted fact that lost against an earlier one with its message id and another request tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    pub msg_id: MsgId,
    /// Of the loser.
    pub position: Position,
    /// Of the loser.
    pub request_tag: Tag,
}

/// A delivery that went from one state to another; `Redriven` brings it back to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    pub delivery: DeliveryId,
    pub addressee: AgencyId,
    pub from: DeliveryState,
    pub to: DeliveryState,
}

/// A message that is now open for its addressees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    pub msg_id: MsgId,
    pub addressees: Vec<AgencyId>,
}

/// Where the first Accepted fact of a message id stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptedRow {
    pub request_tag: Tag,
    pub position: Position,
    pub append_ms: UnixMs,
    pub leaf_hash: Digest,
}

/// An accepted message, from the first Accepted fact of its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRow {
    pub msg_id: MsgId,
    pub request_tag: Tag,
    pub position: Position,
    pub append_ms: UnixMs,
    /// Ledger time: the running maximum of `append_ms` in the partition.
    pub accepted_ms: UnixMs,
    pub leaf_hash: Digest,
    pub contract: ContractRef,
    pub sender: Party,
    pub from_written: AgencyCode,
    pub system: SystemId,
    pub order_key: String,
    pub idempotency_key: String,
    pub purpose: String,
    /// Every code as written, repeats too, in the sender's order.
    pub to_written: Vec<AgencyCode>,
    pub act: String,
    pub due: Option<DocumentDate>,
    pub documents: Vec<DocumentRef>,
    /// The original first.
    pub objects: Vec<Attachment>,
}

impl MessageRow {
    /// Where its Accepted fact stands.
    #[must_use]
    pub const fn accepted(&self) -> AcceptedRow {
        AcceptedRow {
            request_tag: self.request_tag,
            position: self.position,
            append_ms: self.append_ms,
            leaf_hash: self.leaf_hash,
        }
    }
}

/// One message to one addressee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRow {
    pub delivery: DeliveryId,
    pub msg_id: MsgId,
    /// As the Accepted fact names it.
    pub addressee: Party,
    /// The code that the sender wrote for it; where it cannot be told which that was, the addressee's own code.
    pub written: AgencyCode,
    pub state: DeliveryState,
    pub generation: u32,
    /// Failed attempts of this generation.
    pub attempts: u32,
    /// Somebody may have had it, in this round or before.
    pub handed_out: bool,
    /// Delivered after it had ended otherwise.
    pub late: bool,
    /// Why it is dead-lettered or withdrawn.
    pub reason: Option<ReasonCode>,
    /// The last fact that counted for it.
    pub last_event: EventId,
    /// Where the Accepted fact stands.
    pub accepted: Position,
    /// Where the last fact that counted for it stands.
    pub last: Position,
    /// Ledger time of the Accepted fact.
    pub accepted_ms: UnixMs,
    /// Ledger time of its last change of state.
    pub changed_ms: UnixMs,
    /// The soft mark, and when it was set by the node's clock.
    pub mark: Option<(Mark, UnixMs)>,
}

impl DeliveryRow {
    /// Where it stands, for [`crate::judge`].
    #[must_use]
    pub const fn standing(&self) -> Standing {
        Standing {
            state: self.state,
            generation: self.generation,
            attempts: self.attempts,
            handed_out: self.handed_out,
            late: self.late,
        }
    }
}

/// One fact of a message's timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    pub kind: Kind,
    pub position: Position,
    pub event_id: EventId,
    pub append_ms: UnixMs,
    /// The running maximum of `append_ms` in the partition.
    pub ledger_ms: UnixMs,
    pub delivery: Option<DeliveryId>,
    pub generation: u32,
    pub attempt: u32,
    /// The receiving agency where there is one, else the agency of whoever acted.
    pub agency: Option<AgencyId>,
    /// Whoever acted: the node's own name for what nobody asked for.
    pub system: SystemId,
    pub connector: Option<ConnectorId>,
    pub reason: Option<ReasonCode>,
    pub effect: Effect,
}

/// A fact of a timeline where it stands in the ledger, with what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedEvent {
    pub event: EventRow,
    pub message: Option<MsgId>,
    /// Who sent that message; none: no Accepted fact of it is known.
    pub sender: Option<SystemId>,
}

/// What became of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// None for an id that only look-ups and acts name.
    pub message: Option<MessageRow>,
    /// In the sender's order of addressees.
    pub deliveries: Vec<DeliveryRow>,
    /// In ledger order.
    pub events: Vec<EventRow>,
    /// False: there are more events than are answered.
    pub complete: bool,
}

/// What a message is looked for by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// Number and notation, in any spelling that folds to the same.
    DocumentCode(String),
    /// edXML `DocumentId`, in any spelling that folds to the same.
    DocumentId(String),
    /// The message, and those that refer to a document that it is.
    Message(MsgId),
    /// The message of this delivery, and those that refer to a document that it is.
    Delivery(DeliveryId),
}

/// A message that was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub message: MessageRow,
    /// What it says of the document that was looked for; empty for the message that was asked for by its own id.
    pub relations: Vec<Relation>,
}

/// A document, all that was said of it, and what that comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentRow {
    /// As the first message that is it, or speaks of it, names it.
    pub document: DocumentRef,
    pub life: Life,
    /// In the order of their acceptance.
    pub sayings: Vec<Saying>,
    /// Keys of the documents that it says it replaces.
    pub replaces: BTreeSet<String>,
}

/// Which documents are looked for: all that is named here has to hold. Nothing named: every document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Number and notation, folded by [`lgsp_types::words`].
    pub number: Option<String>,
    pub notation: Option<String>,
    /// One of them sent it or is its addressee; empty: whoever.
    pub agencies: Vec<AgencyId>,
    /// Accepted from here on, and before there.
    pub from_ms: Option<UnixMs>,
    pub before_ms: Option<UnixMs>,
    /// The date that the document bears.
    pub dated: Option<DocumentDate>,
    /// Where it stands at an addressee; if an agency is named that is an addressee, at that one.
    pub stand: Option<Stand>,
    /// A duty of an addressee that is not met and began before its moment here; empty: late or not.
    pub late: Vec<(DutyKind, UnixMs)>,
    /// Folded by [`lgsp_types::words`]; all of them.
    pub words: String,
}

/// Documents that were looked for, the latest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FiledPage {
    pub found: Vec<FiledRow>,
    /// Where to go on; none: these were the last.
    pub next: Option<u64>,
}

/// A message that is a document, or has words that are searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FiledRow {
    pub msg_id: MsgId,
    /// The first of its searched texts, cut off where it is long.
    pub title: String,
    /// Of a document.
    pub life: Option<Life>,
}

/// How many there are of what; `accepted` messages times their addressees are the sum of all deliveries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub accepted: u64,
    /// Accepted facts that repeat one.
    pub repeats: u64,
    /// Accepted facts that lost against an earlier one, settled or not.
    pub conflicts: u64,
    pub open: u64,
    pub collected: u64,
    pub delivered: u64,
    pub dead_lettered: u64,
    pub withdrawn: u64,
    /// Refused calls with a record of their own.
    pub refusals: u64,
    /// Refused calls that only a summary counts.
    pub refusals_summarised: u64,
    /// Facts in timelines or of no message, without refusals.
    pub events: u64,
    /// Records that are none of ours.
    pub aliens: u64,
}

/// A refused call, or a minute of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalRow {
    pub position: Position,
    pub append_ms: UnixMs,
    pub ledger_ms: UnixMs,
    pub what: RefusalKind,
}

/// Whether a refusal has a record of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    Call {
        system: SystemId,
        reason: ReasonCode,
        request_tag: Tag,
        findings: Vec<Finding>,
    },
    /// Beyond the budget: so many of this source in this minute since 1970.
    Summary { source: String, minute: u64, count: u64 },
}
