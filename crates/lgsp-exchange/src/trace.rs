//! Finding a message and telling all that happened to it; and how the node stands.

use lgsp_store::{DeliveryRow, EventRow, MessageRow, Search, StoreError, Timeline};
use lgsp_types::{AgencyId, DeliveryId, Digest, DocumentDate, MsgId, Relation, Unavailable};
use serde::Serialize;
use thiserror::Error;

use crate::publish::inscribed;
use crate::spine::{Spine, unavailable};

/// Most messages in one answer.
const MESSAGES_MAX: u32 = 200;

/// Why nothing can be told now: try again.
#[derive(Debug, Error)]
#[error("the store cannot be asked now")]
pub struct TraceError(#[from] StoreError);

/// All messages that are, or refer to, what was asked for; the document first, then in ledger order.
#[derive(Debug, Serialize)]
pub struct Trace {
    pub query: String,
    pub messages: Vec<TracedMessage>,
}

/// One message, from its acceptance to where it stands now.
#[derive(Debug, Serialize)]
pub struct TracedMessage {
    pub msg_id: MsgId,
    pub contract: String,
    /// A packet's kind `0` to `3`, or a status `01` to `16`.
    pub act: String,
    /// Number and notation of the document that it is, or is about.
    pub document: String,
    /// How it belongs to what was asked for: `is`, `about`, `acts-on`, `replaces`; empty when asked by its own id.
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
}

/// An agency as people know it.
#[derive(Debug, Serialize)]
pub struct TracedAgency {
    pub agency: AgencyId,
    pub code: String,
    pub name: String,
}

/// One message to one addressee.
#[derive(Debug, Serialize)]
pub struct TracedDelivery {
    pub delivery: DeliveryId,
    pub to: TracedAgency,
    pub state: &'static str,
    pub late: bool,
    pub reason: Option<String>,
    pub mark: Option<&'static str>,
    pub changed_ms: u64,
    pub changed: String,
}

/// One fact about the message.
#[derive(Debug, Serialize)]
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

/// What proves that a message was accepted, to anybody who trusts the log's key.
#[derive(Debug, Serialize)]
pub struct MessageEvidence {
    /// A signed note of the node.
    pub receipt: String,
    /// What stands in the tree, as hexadecimal digits: `0x01 ‖ u64be append_ms ‖ leaf`.
    pub entry: String,
    /// A C2SP tlog-proof; none until the record is sealed, within a minute.
    pub proof: Option<String>,
}

/// What a rebuild is held against.
#[derive(Debug, Serialize)]
pub struct Tables {
    /// The next offset of each partition.
    pub next: Vec<u64>,
    pub tables: Vec<(String, Digest)>,
}

/// How the node stands, in one screen.
#[derive(Debug, Serialize)]
pub struct Status {
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
}

impl Spine {
    /// Tells all about what a person asks for: a document's number and notation, its id, a message or a delivery.
    ///
    /// # Errors
    /// [`TraceError`].
    pub async fn trace(&self, query: &str) -> Result<Trace, TraceError> {
        let query = query.trim();
        let mut messages = Vec::new();
        for search in searches(query) {
            for found in self.store.find_messages(&search, MESSAGES_MAX).await? {
                if let Some(timeline) = self.store.timeline(found.message.msg_id).await? {
                    messages.push(self.told(&found.message, found.relations.first().copied(), &timeline));
                }
            }
            if !messages.is_empty() {
                break;
            }
        }
        messages.sort_by_key(|message| (!matches!(message.relation.as_str(), "" | "is"), message.accepted_ms));
        Ok(Trace {
            query: query.to_owned(),
            messages,
        })
    }

    /// Receipt, ledger entry and inclusion proof of one message; none for an id that was never accepted.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn evidence(&self, id: MsgId) -> Result<Option<MessageEvidence>, Unavailable> {
        let Some(message) = self.store.message(id).await.map_err(unavailable)? else {
            return Ok(None);
        };
        let entry = self.entry_at(&message.position).await?;
        let leaf = lgsp_audit::leaf_of(&entry.record).map_err(unavailable)?;
        let (folder, name, key) = (self.audit.clone(), self.ledger_name.clone(), self.log_verifier.clone());
        let at = message.position;
        let proving = move || crate::seal::prove(&folder, &name, at.partition, at.offset, &key);
        let proof = tokio::task::spawn_blocking(proving)
            .await
            .map_err(unavailable)?
            .map_err(unavailable)?;
        Ok(Some(MessageEvidence {
            receipt: self.receipt_note(id, inscribed(&message)),
            entry: lgsp_audit::entry(entry.append_ms, leaf)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            proof: proof.map(|proof| proof.to_text()),
        }))
    }

    fn told(&self, message: &MessageRow, relation: Option<Relation>, timeline: &Timeline) -> TracedMessage {
        let document = message
            .documents
            .iter()
            .map(|document| document.code.as_str())
            .find(|code| !code.is_empty());
        let day = message.accepted_ms.day_in_vietnam();
        TracedMessage {
            msg_id: message.msg_id,
            contract: message.contract.to_string(),
            act: message.act.clone(),
            document: document.unwrap_or_default().to_owned(),
            relation: relation.map(relation_name).unwrap_or_default().to_owned(),
            from: self.agency(&message.sender.agency, message.from_written.as_str(), day),
            system: message.system.to_string(),
            position: self.place(message.position),
            accepted_ms: message.accepted_ms.0,
            accepted: message.accepted_ms.iso_text(),
            due: message.due,
            deliveries: timeline
                .deliveries
                .iter()
                .map(|delivery| self.told_delivery(delivery, day))
                .collect(),
            events: timeline.events.iter().map(|event| self.told_event(event)).collect(),
            receipt: self.receipt_note(message.msg_id, inscribed(message)),
        }
    }

    fn told_delivery(&self, row: &DeliveryRow, day: DocumentDate) -> TracedDelivery {
        TracedDelivery {
            delivery: row.delivery,
            to: self.agency(&row.addressee.agency, row.written.as_str(), day),
            state: row.state.name(),
            late: row.late,
            reason: row.reason.as_ref().map(ToString::to_string),
            mark: row.mark.map(|(mark, _)| mark.name()),
            changed_ms: row.changed_ms.0,
            changed: row.changed_ms.iso_text(),
        }
    }

    fn told_event(&self, row: &EventRow) -> TracedEvent {
        TracedEvent {
            kind: row.kind.name(),
            position: self.place(row.position),
            at_ms: row.ledger_ms.0,
            at: row.ledger_ms.iso_text(),
            delivery: row.delivery,
            agency: row.agency.as_ref().map(ToString::to_string),
            system: row.system.to_string(),
            reason: row.reason.as_ref().map(ToString::to_string),
            effect: row.effect.name(),
        }
    }

    fn agency(&self, id: &AgencyId, code: &str, day: DocumentDate) -> TracedAgency {
        let ruling = self.rules.current();
        let name = ruling
            .registry
            .agency(id)
            .map(|agency| agency.name_on(day).to_owned())
            .unwrap_or_default();
        TracedAgency {
            agency: id.clone(),
            code: code.to_owned(),
            name,
        }
    }

    fn place(&self, position: lgsp_store::Position) -> String {
        format!("{}/{}/{}", self.ledger_name, position.partition, position.offset)
    }

    /// How far each partition is projected, and the hash of each table at just that point.
    ///
    /// # Errors
    /// [`TraceError`].
    pub async fn tables(&self) -> Result<Tables, TraceError> {
        let mut next = self.projected().await?;
        loop {
            let tables = self.store.table_hashes().await?;
            let after = self.projected().await?;
            if next == after {
                return Ok(Tables { next, tables });
            }
            next = after;
        }
    }

    async fn projected(&self) -> Result<Vec<u64>, TraceError> {
        let mut next = Vec::new();
        for partition in 0..self.ledger.partitions() {
            next.push(self.store.next_offset(partition).await?);
        }
        Ok(next)
    }

    /// How the node stands.
    ///
    /// # Errors
    /// [`TraceError`].
    pub async fn status(&self) -> Result<Status, TraceError> {
        let counts = self.store.counts().await?;
        let ruling = self.rules.current();
        let today = self.scribe.now().day_in_vietnam();
        Ok(Status {
            accepted: counts.accepted,
            repeats: counts.repeats,
            conflicts: counts.conflicts,
            open: counts.open,
            collected: counts.collected,
            delivered: counts.delivered,
            dead_lettered: counts.dead_lettered,
            withdrawn: counts.withdrawn,
            refusals: counts.refusals,
            refusals_summarised: counts.refusals_summarised,
            aliens: counts.aliens,
            unsealed_ms: self.late_ms(),
            control_size: ruling.rules.control_size,
            agencies: ruling.registry.agencies(today).len(),
        })
    }
}

/// What a text can be, the most certain first.
fn searches(query: &str) -> Vec<Search> {
    let mut searches = Vec::new();
    if let Ok(id) = MsgId::parse(query) {
        searches.push(Search::Message(id));
    }
    if let Ok(id) = DeliveryId::parse(query) {
        searches.push(Search::Delivery(id));
    }
    searches.push(Search::DocumentCode(query.to_owned()));
    searches.push(Search::DocumentId(query.to_owned()));
    searches
}

const fn relation_name(relation: Relation) -> &'static str {
    match relation {
        Relation::Is => "is",
        Relation::About => "about",
        Relation::ActsOn => "acts-on",
        Relation::Replaces => "replaces",
    }
}
