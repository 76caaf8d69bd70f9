//! Finding a message and telling all that happened to it; and how the node stands.

use async_trait::async_trait;
use lgsp_audit::Record;
use lgsp_store::{DeliveryRow, DocumentRow, EventRow, LoggedEvent, MessageRow, Search, Timeline};
use lgsp_types::{
    AgencyId, Caller, DeliveryId, DocumentDate, Happened, History, Kind, MessageEvidence, MsgId, NodeStatus,
    Operations, Relation, Scheme, Tables, Trace, TracedAgency, TracedDelivery, TracedEvent, TracedMessage, Unavailable,
    What,
};

use crate::documents::CHAIN_MAX;
use crate::publish::inscribed;
use crate::spine::{Spine, unavailable};

/// Most messages in one answer.
const MESSAGES_MAX: u32 = 200;
/// Facts of a history that are read at a time.
const HISTORY_PAGE: u32 = 500;
/// How a message belongs to what was asked for that speaks of another document of the same chain.
const LINKED: &str = "linked";

#[async_trait]
impl Operations for Spine {
    async fn trace(&self, viewer: Option<&Caller>, query: &str) -> Result<Trace, Unavailable> {
        let query = query.trim();
        let mut messages = Vec::new();
        for search in searches(query) {
            let found = self.store.find_messages(&search, MESSAGES_MAX).await;
            for found in found.map_err(unavailable)? {
                let timeline = self.store.timeline(found.message.msg_id).await.map_err(unavailable)?;
                let seen = timeline.and_then(|timeline| self.seen_by(viewer, &found.message, timeline));
                if let Some(timeline) = seen {
                    let relation = found.relations.first().copied();
                    messages.push(self.told(&found.message, relation, &timeline).await?);
                }
            }
            if !messages.is_empty() {
                break;
            }
        }
        messages.sort_by_key(|message| (!matches!(message.relation.as_str(), "" | "is"), message.accepted_ms));
        let mut documents = Vec::new();
        if viewer.is_none() {
            let found: Vec<MsgId> = messages.iter().map(|message| message.msg_id).collect();
            let lives = self.store.documents(&found, CHAIN_MAX).await.map_err(unavailable)?;
            self.link(&mut messages, &lives).await?;
            documents = self.told_lives(&lives);
        }
        Ok(Trace {
            query: query.to_owned(),
            messages,
            documents,
        })
    }

    async fn evidence(&self, viewer: Option<&Caller>, id: MsgId) -> Result<Option<MessageEvidence>, Unavailable> {
        let Some(timeline) = self.store.timeline(id).await.map_err(unavailable)? else {
            return Ok(None);
        };
        let Some(message) = timeline.message.clone() else {
            return Ok(None);
        };
        if self.seen_by(viewer, &message, timeline).is_none() {
            return Ok(None);
        }
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
            receipt: self.receipt_note(id, inscribed(message.accepted())),
            entry: lgsp_audit::entry(entry.append_ms, leaf),
            proof: proof.map(|proof| proof.to_text()),
        }))
    }

    async fn checkpoint(&self, partition: u32) -> Result<Option<String>, Unavailable> {
        if partition >= self.ledger.partitions() {
            return Ok(None);
        }
        let (folder, name) = (self.audit.clone(), self.ledger_name.clone());
        let reading = move || crate::seal::last_checkpoint(&folder, &name, partition);
        let read = tokio::task::spawn_blocking(reading).await.map_err(unavailable)?;
        read.map_err(unavailable)
    }

    async fn history(&self, viewer: Option<&Caller>, from: &[u64], limit: u32) -> Result<History, Unavailable> {
        let ends = self.projected().await?;
        let mut history = History {
            events: Vec::new(),
            next: from.to_vec(),
            complete: true,
        };
        for ((partition, next), end) in (0..).zip(&mut history.next).zip(ends) {
            while *next < end {
                if history.events.len() >= limit as usize {
                    history.complete = false;
                    break;
                }
                let page = self.store.events_from(partition, *next, HISTORY_PAGE).await;
                let page = page.map_err(unavailable)?;
                // What comes behind the last of a whole page may be facts that stand in no timeline.
                let whole = page.len() == HISTORY_PAGE as usize;
                let last = page.last().map_or(end, |logged| logged.event.position.offset + 1);
                for logged in page.into_iter().filter(|logged| concerns(viewer, logged)) {
                    history.events.push(self.happened(viewer.is_some(), logged).await?);
                }
                *next = if whole { last } else { end.max(last) };
            }
        }
        Ok(history)
    }

    async fn projected(&self) -> Result<Vec<u64>, Unavailable> {
        let mut next = Vec::new();
        for partition in 0..self.ledger.partitions() {
            next.push(self.store.next_offset(partition).await.map_err(unavailable)?);
        }
        Ok(next)
    }

    async fn tables(&self) -> Result<Tables, Unavailable> {
        let mut next = self.projected().await?;
        loop {
            let tables = self.store.table_hashes().await.map_err(unavailable)?;
            let after = self.projected().await?;
            if next == after {
                return Ok(Tables { next, tables });
            }
            next = after;
        }
    }

    async fn status(&self) -> Result<NodeStatus, Unavailable> {
        let counts = self.store.counts().await.map_err(unavailable)?;
        let ruling = self.rules.current();
        let today = self.scribe.now().day_in_vietnam();
        Ok(NodeStatus {
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
            epoch: self.tenure().epoch(),
            holder: self.tenure().holds().then(|| self.scribe.node().id),
            pushes: self.pushers.lines(),
            uncollected: self.alarms.uncollected(),
        })
    }
}

impl Spine {
    /// How many records of each partition are not projected yet.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn lag(&self) -> Result<Vec<u64>, Unavailable> {
        let mut lag = Vec::new();
        for (partition, next) in (0..).zip(self.projected().await?) {
            let end = self.ledger.end(partition).await.map_err(unavailable)?;
            lag.push(end.saturating_sub(next));
        }
        Ok(lag)
    }

    /// Adds what else was said of these documents: of those that replace, or are replaced by, what was asked for.
    async fn link(&self, messages: &mut Vec<TracedMessage>, lives: &[DocumentRow]) -> Result<(), Unavailable> {
        let mut sayings: Vec<_> = lives.iter().flat_map(|document| &document.sayings).collect();
        sayings.sort_by_key(|saying| saying.accepted_ms);
        for saying in sayings {
            if messages.len() >= MESSAGES_MAX as usize {
                break;
            }
            if messages.iter().any(|message| message.msg_id == saying.message) {
                continue;
            }
            let timeline = self.store.timeline(saying.message).await.map_err(unavailable)?;
            let Some(timeline) = timeline else { continue };
            if let Some(message) = &timeline.message {
                let mut told = self.told(message, None, &timeline).await?;
                LINKED.clone_into(&mut told.relation);
                messages.push(told);
            }
        }
        Ok(())
    }

    /// What this viewer may know of a message: all of it, its own part, or nothing.
    fn seen_by(&self, viewer: Option<&Caller>, message: &MessageRow, mut timeline: Timeline) -> Option<Timeline> {
        let Some(viewer) = viewer.filter(|viewer| viewer.system != message.system) else {
            return Some(timeline);
        };
        let own: Vec<_> = self.receptions(viewer).into_iter().map(|own| own.addressee).collect();
        timeline.deliveries.retain(|row| own.contains(&row.addressee.agency));
        let seen: Vec<_> = timeline.deliveries.iter().map(|row| row.delivery).collect();
        timeline
            .events
            .retain(|event| event.delivery.is_none_or(|delivery| seen.contains(&delivery)));
        (!seen.is_empty()).then_some(timeline)
    }

    async fn happened(&self, with_evidence: bool, logged: LoggedEvent) -> Result<Happened, Unavailable> {
        let position = logged.event.position;
        let evidence = if with_evidence && logged.event.kind == Kind::Delivered {
            let entry = self.entry_at(&position).await?;
            let what = Record::read(&entry.record).map_err(unavailable)?.fact.what;
            if let What::Delivered { evidence, .. } = what {
                Some(evidence)
            } else {
                None
            }
        } else {
            None
        };
        Ok(Happened {
            partition: position.partition,
            offset: position.offset,
            message: logged.message,
            event: self.told_event(&logged.event),
            evidence,
        })
    }

    async fn told(
        &self,
        message: &MessageRow,
        relation: Option<Relation>,
        timeline: &Timeline,
    ) -> Result<TracedMessage, Unavailable> {
        let (_, trace_id) = self.accepted_at(&message.position).await?;
        let document = message
            .documents
            .iter()
            .map(|document| document.code.as_str())
            .find(|code| !code.is_empty());
        let day = message.accepted_ms.day_in_vietnam();
        let mut deliveries = Vec::with_capacity(timeline.deliveries.len());
        for delivery in &timeline.deliveries {
            let behind = if delivery.state.waits() {
                self.waits_behind(&message.contract, delivery.delivery).await?
            } else {
                None
            };
            deliveries.push(self.told_delivery((delivery, behind), &timeline.events, day));
        }
        Ok(TracedMessage {
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
            deliveries,
            events: timeline.events.iter().map(|event| self.told_event(event)).collect(),
            receipt: self.receipt_note(message.msg_id, inscribed(message.accepted())),
            trace_id: trace_id.map(|id| id.to_string()).unwrap_or_default(),
        })
    }

    /// The last agency that a fact about this delivery names as its receiver, if that is not the addressee.
    fn receiver(&self, row: &DeliveryRow, events: &[EventRow]) -> Option<TracedAgency> {
        let own = events.iter().filter(|event| event.delivery == Some(row.delivery));
        let mut received = own
            .filter(|event| event.connector.is_some())
            .filter_map(|event| event.agency.as_ref());
        let last = received.next_back().filter(|agency| **agency != row.addressee.agency)?;
        let (ruling, today) = (self.rules.current(), self.scribe.now().day_in_vietnam());
        let code = ruling
            .registry
            .agency(last)
            .and_then(|agency| agency.code_on(Scheme::Qd20, today));
        let code = code.map(ToString::to_string).unwrap_or_default();
        Some(self.agency(last, &code, today))
    }

    fn told_delivery(
        &self,
        (row, behind): (&DeliveryRow, Option<DeliveryId>),
        events: &[EventRow],
        day: DocumentDate,
    ) -> TracedDelivery {
        TracedDelivery {
            delivery: row.delivery,
            to: self.agency(&row.addressee.agency, row.written.as_str(), day),
            receiver: self.receiver(row, events),
            state: row.state.name(),
            late: row.late,
            behind,
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

    pub(crate) fn agency(&self, id: &AgencyId, code: &str, day: DocumentDate) -> TracedAgency {
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
}

/// A sender hears of its own messages, an operator of all.
fn concerns(viewer: Option<&Caller>, logged: &LoggedEvent) -> bool {
    viewer.is_none_or(|viewer| logged.sender.as_ref() == Some(&viewer.system))
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
