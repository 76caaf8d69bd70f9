//! Facts about a delivery: asked of the claims rule, executed here.

use lgsp_types::{Delivery, DeliveryState, Fact, ReasonCode};
use rusqlite::{OptionalExtension as _, params};

use super::lives;
use super::project::{Batch, Place, standing_reason};
use super::values::{number, state_of};
use crate::claim::{Effect, Standing, is_listed, judge};
use crate::rows::Changed;

pub(super) fn take(batch: &mut Batch<'_>, place: Place, fact: &Fact, delivery: &Delivery) -> rusqlite::Result<()> {
    let Some(before) = standing(batch, delivery)? else {
        // Not in this partition, not of this message, or before it: nothing is known of it at this offset.
        return batch.event(place, fact, Effect::NoEffect);
    };
    let (effect, after) = judge(before, fact.what.kind(), delivery);
    if effect.counts() {
        write(batch, place, fact, delivery, after)?;
        if [before.state, after.state].contains(&DeliveryState::Withdrawn) {
            lives::moved(batch, delivery)?;
        }
        if after.state != before.state {
            batch.count(tally_of(before.state), -1);
            batch.count(tally_of(after.state), 1);
            batch.applied.changed.push(Changed {
                delivery: delivery.id(),
                addressee: delivery.addressee.clone(),
                from: before.state,
                to: after.state,
            });
        }
    } else if after != before {
        mark_handed_out(batch, delivery)?;
    }
    batch.event(place, fact, effect)
}

/// The name under which deliveries in this state are tallied.
pub(super) const fn tally_of(state: DeliveryState) -> &'static str {
    state.name()
}

fn standing(batch: &Batch<'_>, delivery: &Delivery) -> rusqlite::Result<Option<Standing>> {
    let sql = "SELECT state, generation, attempts, handed_out, late FROM delivery \
               WHERE delivery_id = ?1 AND at_partition = ?2";
    let mut statement = batch.transaction.prepare_cached(sql)?;
    let standing = statement.query_row(params![delivery.id().to_string(), batch.partition], standing_of);
    standing.optional()
}

pub(super) fn standing_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Standing> {
    Ok(Standing {
        state: state_of(row)?,
        generation: row.get("generation")?,
        attempts: row.get("attempts")?,
        handed_out: row.get("handed_out")?,
        late: row.get("late")?,
    })
}

fn write(batch: &Batch<'_>, place: Place, fact: &Fact, delivery: &Delivery, after: Standing) -> rusqlite::Result<()> {
    // On the right stand the values before. Only a change of state is a change that lists show.
    let sql = "UPDATE delivery SET \
               changed_ms = CASE WHEN state = ?2 THEN changed_ms ELSE ?10 END, \
               state = ?2, generation = ?3, attempts = ?4, handed_out = ?5, late = ?6, reason = ?7, listed = ?8, \
               last_event = ?9, last_offset = ?11 \
               WHERE delivery_id = ?1";
    let reason = standing_reason(&fact.what);
    batch.transaction.prepare_cached(sql)?.execute(params![
        delivery.id().to_string(),
        after.state.name(),
        after.generation,
        after.attempts,
        after.handed_out,
        after.late,
        reason.map(ReasonCode::as_str),
        is_listed(after.state, reason),
        fact.event_id.to_string(),
        number(place.ledger_ms),
        number(place.offset),
    ])?;
    Ok(())
}

/// A try that came too late to count has all the same let bytes out.
fn mark_handed_out(batch: &Batch<'_>, delivery: &Delivery) -> rusqlite::Result<()> {
    let sql = "UPDATE delivery SET handed_out = 1 WHERE delivery_id = ?1";
    let mut statement = batch.transaction.prepare_cached(sql)?;
    statement.execute(params![delivery.id().to_string()]).map(drop)
}
