//! Projecting a batch: fence, a row or more for each fact, tallies, and the next offset, in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use lgsp_types::{AgencyId, Fact, Kind, ReasonCode, Receiver, What};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::refused::Refusal;
use super::values::{number, unsigned};
use super::{accepted, deliveries, lives, refused};
use crate::claim::Effect;
use crate::failpoint;
use crate::rows::{Applied, Conflict, Position, Projected};
use crate::store::StoreError;

/// A batch under way.
pub(super) struct Batch<'t> {
    pub(super) transaction: &'t Transaction<'t>,
    pub(super) partition: u32,
    pub(super) applied: Applied,
    /// Ledger time so far.
    ledger_ms: u64,
    tally: BTreeMap<&'static str, i64>,
    /// Keys of documents of which something was said.
    pub(super) spoken_of: BTreeSet<String>,
}

/// Where and when a fact stands.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) append_ms: u64,
    pub(super) ledger_ms: u64,
}

/// Projects `facts` at `from`, all or none, under `epoch`. Blocks.
pub(super) fn apply(
    connection: &mut Connection,
    epoch: u64,
    partition: u32,
    from: u64,
    facts: &[Projected],
) -> Result<Applied, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut batch = begin(&transaction, epoch, partition, from)?;
    let mut next = from;
    for record in facts {
        if record.offset != next {
            let got = record.offset;
            return Err(StoreError::OutOfStep { partition, next, got });
        }
        batch.record(record)?;
        next += 1;
    }
    lives::refresh(&transaction, &batch.spoken_of)?;
    batch.write_tallies()?;
    batch.advance(epoch, from, next)?;
    let applied = batch.applied;
    failpoint::hit("inside-projection");
    transaction.commit()?;
    failpoint::hit("after-projection");
    Ok(applied)
}

/// None: there is no such partition.
pub(super) fn next_offset(connection: &Connection, partition: u32) -> rusqlite::Result<Option<u64>> {
    let sql = "SELECT next_offset FROM progress WHERE at_partition = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    statement
        .query_row(params![partition], |row| unsigned(row, "next_offset"))
        .optional()
}

/// Says clearly who may not go on; that nobody else does is up to [`Batch::advance`].
fn begin<'t>(transaction: &'t Transaction<'t>, epoch: u64, partition: u32, from: u64) -> Result<Batch<'t>, StoreError> {
    let sql = "SELECT epoch, next_offset, ledger_ms FROM progress WHERE at_partition = ?1";
    let progress: Option<(u64, u64, u64)> = transaction
        .prepare_cached(sql)?
        .query_row(params![partition], |row| {
            Ok((
                unsigned(row, "epoch")?,
                unsigned(row, "next_offset")?,
                unsigned(row, "ledger_ms")?,
            ))
        })
        .optional()?;
    let (by, next, ledger_ms) = progress.ok_or(StoreError::NoSuchPartition { partition })?;
    if by != epoch {
        return Err(StoreError::Fenced { partition, epoch, by });
    }
    if next != from {
        let got = from;
        return Err(StoreError::OutOfStep { partition, next, got });
    }
    Ok(Batch {
        transaction,
        partition,
        applied: Applied::default(),
        ledger_ms,
        tally: BTreeMap::new(),
        spoken_of: BTreeSet::new(),
    })
}

impl Batch<'_> {
    fn record(&mut self, record: &Projected) -> rusqlite::Result<()> {
        self.ledger_ms = self.ledger_ms.max(record.append_ms.0);
        let place = Place {
            offset: record.offset,
            append_ms: record.append_ms.0,
            ledger_ms: self.ledger_ms,
        };
        let Some(fact) = &record.fact else {
            return self.alien(place, record);
        };
        match &fact.what {
            What::Accepted(message) => accepted::take(self, place, (fact, message), record),
            What::Rejected {
                reason,
                request_tag,
                findings,
            } => {
                refused::write_findings(self, place, findings)?;
                let refusal = Refusal::call(&fact.actor.system, reason, *request_tag);
                refused::take(self, place, &refusal)
            }
            What::RejectSummary { source, minute, count } => {
                refused::take(self, place, &Refusal::summary(source, *minute, *count))
            }
            What::Conflict {
                msg_id,
                partition,
                offset,
                request_tag,
            } => {
                let position = Position {
                    partition: *partition,
                    offset: *offset,
                };
                let loser = Conflict {
                    msg_id: *msg_id,
                    position,
                    request_tag: *request_tag,
                };
                let effect = accepted::settle(self, place, &loser)?;
                self.event(place, fact, effect)
            }
            What::AttemptFailed { delivery, .. }
            | What::Collected { delivery, .. }
            | What::Delivered { delivery, .. }
            | What::DeadLettered { delivery, .. }
            | What::Redriven { delivery }
            | What::Withdrawn { delivery, .. }
            | What::AttemptStarted { delivery, .. } => {
                lives::handed_out(self, &fact.what, delivery)?;
                deliveries::take(self, place, fact, delivery)
            }
            What::LookupRequested(_)
            | What::LookupAnswered { .. }
            | What::LookupUnknown { .. }
            | What::Configured { .. }
            | What::Act { .. }
            | What::KeyEvent(_)
            | What::Shredded { .. }
            | What::SealAlarm { .. }
            | What::LedgerClosed { .. }
            | What::Proposed { .. } => self.event(place, fact, Effect::InForce),
        }
    }

    fn alien(&mut self, place: Place, record: &Projected) -> rusqlite::Result<()> {
        let sql = "INSERT INTO alien (at_partition, at_offset, append_ms, ledger_ms, leaf_hash) \
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        self.transaction.prepare_cached(sql)?.execute(params![
            self.partition,
            number(place.offset),
            number(place.append_ms),
            number(place.ledger_ms),
            record.leaf_hash.to_string(),
        ])?;
        self.count("aliens", 1);
        Ok(())
    }

    /// Writes a fact into its timeline.
    pub(super) fn event(&mut self, place: Place, fact: &Fact, effect: Effect) -> rusqlite::Result<()> {
        let sql = "INSERT INTO event (at_partition, at_offset, kind, event_id, append_ms, ledger_ms, msg_id, \
                   delivery_id, generation, attempt, agency, system, connector, reason, effect) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
        let delivery = fact.what.delivery();
        let receiver = receiver(&fact.what);
        let agency = receiver.map(|receiver| &receiver.agency).or(fact.actor.agency.as_ref());
        self.transaction.prepare_cached(sql)?.execute(params![
            self.partition,
            number(place.offset),
            fact.what.kind().number(),
            fact.event_id.to_string(),
            number(place.append_ms),
            number(place.ledger_ms),
            fact.what.msg_id().map(|id| id.to_string()),
            delivery.map(|delivery| delivery.id().to_string()),
            delivery.map_or(0, |delivery| delivery.generation),
            delivery.map_or(0, |delivery| delivery.attempt),
            agency.map(AgencyId::as_str),
            fact.actor.system.as_str(),
            receiver.map(|receiver| receiver.connector.as_str()),
            reason(&fact.what).map(ReasonCode::as_str),
            effect.name(),
        ])?;
        self.count("events", 1);
        Ok(())
    }

    /// Counts up, or down, what [`crate::Counts`] answers.
    pub(super) fn count(&mut self, what: &'static str, by: i64) {
        let amount = self.tally.entry(what).or_insert(0);
        *amount = amount.saturating_add(by);
    }

    pub(super) fn position(&self, place: Place) -> Position {
        Position {
            partition: self.partition,
            offset: place.offset,
        }
    }

    fn write_tallies(&self) -> rusqlite::Result<()> {
        let sql = "INSERT INTO tally (at_partition, what, amount) VALUES (?1, ?2, ?3) \
                   ON CONFLICT (at_partition, what) DO UPDATE SET amount = tally.amount + excluded.amount";
        let mut statement = self.transaction.prepare_cached(sql)?;
        for (what, amount) in &self.tally {
            statement.execute(params![self.partition, what, amount])?;
        }
        Ok(())
    }

    /// The fence: moves the next offset only if it is where this batch began, under our epoch.
    fn advance(&self, epoch: u64, from: u64, next: u64) -> Result<(), StoreError> {
        let partition = self.partition;
        let sql = "UPDATE progress SET next_offset = ?1, ledger_ms = ?2 \
                   WHERE at_partition = ?3 AND epoch = ?4 AND next_offset = ?5";
        let moved = self.transaction.prepare_cached(sql)?.execute(params![
            number(next),
            number(self.ledger_ms),
            partition,
            number(epoch),
            number(from),
        ])?;
        if moved == 1 {
            return Ok(());
        }
        Err(StoreError::Unavailable {
            source: "the partition was moved while a batch of it was being projected".into(),
        })
    }
}

pub(super) fn receiver(what: &What) -> Option<&Receiver> {
    match what {
        What::AttemptFailed { receiver, .. }
        | What::Collected { receiver, .. }
        | What::Delivered { receiver, .. }
        | What::AttemptStarted { receiver, .. } => Some(receiver),
        What::DeadLettered { receiver, .. } => receiver.as_ref(),
        What::Accepted(_)
        | What::Rejected { .. }
        | What::RejectSummary { .. }
        | What::Redriven { .. }
        | What::Withdrawn { .. }
        | What::Conflict { .. }
        | What::LookupRequested(_)
        | What::LookupAnswered { .. }
        | What::LookupUnknown { .. }
        | What::Configured { .. }
        | What::Act { .. }
        | What::KeyEvent(_)
        | What::Shredded { .. }
        | What::SealAlarm { .. }
        | What::LedgerClosed { .. }
        | What::Proposed { .. } => None,
    }
}

/// The code that says why, or for a look-up and an act: how it was decided, and which act it was.
pub(super) fn reason(what: &What) -> Option<&ReasonCode> {
    match what {
        What::Rejected { reason, .. }
        | What::AttemptFailed { reason, .. }
        | What::DeadLettered { reason, .. }
        | What::Withdrawn { reason, .. }
        | What::LookupAnswered { decision: reason, .. }
        | What::LookupUnknown { reason, .. }
        | What::Act { act: reason, .. }
        | What::Shredded { reason, .. }
        | What::SealAlarm { reason } => Some(reason),
        What::Accepted(_)
        | What::RejectSummary { .. }
        | What::Collected { .. }
        | What::Delivered { .. }
        | What::Redriven { .. }
        | What::Conflict { .. }
        | What::LookupRequested(_)
        | What::Configured { .. }
        | What::KeyEvent(_)
        | What::AttemptStarted { .. }
        | What::LedgerClosed { .. }
        | What::Proposed { .. } => None,
    }
}

/// The reason that a delivery keeps while it stands where this fact brought it.
pub(super) fn standing_reason(what: &What) -> Option<&ReasonCode> {
    let ends = matches!(what.kind(), Kind::DeadLettered | Kind::Withdrawn);
    if ends { reason(what) } else { None }
}
