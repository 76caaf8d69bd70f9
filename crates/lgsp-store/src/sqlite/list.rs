//! A receiver's list: what waits for some agencies, in ledger order; and the soft marks shown in it.

use lgsp_types::{AgencyCode, AgencyId, ContractRef, DeliveryId, DeliveryState, Mark, OpenDelivery, UnixMs};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::values::{mark_of, msg_id, number, parsed, state_of, time};

/// One agency's part of the list, behind a place in it; '' stands for every contract.
pub(super) const LISTED: &str = "SELECT d.delivery_id, d.msg_id, m.contract, m.from_written, d.written, \
     d.accepted_ms, d.changed_ms, d.state, k.mark, k.marked_ms, d.at_partition, d.at_offset, d.ordinal \
     FROM delivery d JOIN message m ON m.msg_id = d.msg_id LEFT JOIN mark k ON k.delivery_id = d.delivery_id \
     WHERE d.listed = 1 AND d.agency = ?1 \
     AND (d.accepted_ms, d.at_partition, d.at_offset, d.ordinal) > (?2, ?3, ?4, ?5) \
     AND (?6 = '' OR d.contract_name = ?6) \
     ORDER BY d.accepted_ms, d.at_partition, d.at_offset, d.ordinal LIMIT ?7";
pub(super) const PLACE: &str =
    "SELECT accepted_ms, at_partition, at_offset, ordinal FROM delivery WHERE delivery_id = ?1";
pub(super) const SET_MARK: &str = "INSERT INTO mark (delivery_id, mark, marked_ms) SELECT delivery_id, ?2, ?3 \
     FROM delivery WHERE delivery_id = ?1 \
     ON CONFLICT (delivery_id) DO UPDATE SET mark = excluded.mark, marked_ms = excluded.marked_ms";

/// Where a delivery stands in every list: ledger time, partition, offset, number of the addressee.
type Place = (i64, i64, i64, i64);

/// Before all.
const START: Place = (-1, -1, -1, -1);

pub(super) fn open_deliveries(
    connection: &Connection,
    agencies: &[AgencyId],
    contract: Option<&str>,
    after: Option<DeliveryId>,
    limit: u32,
) -> rusqlite::Result<Vec<OpenDelivery>> {
    let after = after.map(|id| place(connection, id)).transpose()?.flatten();
    let after = after.unwrap_or(START);
    let mut agencies: Vec<&AgencyId> = agencies.iter().collect();
    agencies.sort_unstable();
    agencies.dedup();
    let mut listed: Vec<(Place, OpenDelivery)> = Vec::new();
    let mut statement = connection.prepare_cached(LISTED)?;
    for agency in agencies {
        let (ms, partition, offset, ordinal) = after;
        let contract = contract.unwrap_or_default();
        let behind = params![agency.as_str(), ms, partition, offset, ordinal, contract, limit];
        for row in statement.query_map(behind, listed_row)? {
            listed.push(row?);
        }
        // Each agency's part is at most `limit` long, and so is what is kept of all parts so far.
        listed.sort_unstable_by_key(|(place, _)| *place);
        listed.truncate(limit as usize);
    }
    Ok(listed.into_iter().map(|(_, delivery)| delivery).collect())
}

fn place(connection: &Connection, id: DeliveryId) -> rusqlite::Result<Option<Place>> {
    let mut statement = connection.prepare_cached(PLACE)?;
    statement.query_row(params![id.to_string()], place_of).optional()
}

fn place_of(row: &Row<'_>) -> rusqlite::Result<Place> {
    Ok((
        row.get("accepted_ms")?,
        row.get("at_partition")?,
        row.get("at_offset")?,
        row.get("ordinal")?,
    ))
}

fn listed_row(row: &Row<'_>) -> rusqlite::Result<(Place, OpenDelivery)> {
    let (accepted_ms, state) = (time(row, "accepted_ms")?, state_of(row)?);
    // A fetch shows in no list (exchange.md section 5.1).
    let changed_ms = if state == DeliveryState::Collected {
        accepted_ms
    } else {
        time(row, "changed_ms")?
    };
    let mark = mark_of(row)?;
    let delivery = OpenDelivery {
        delivery: parsed(row, "delivery_id", DeliveryId::parse)?,
        msg_id: msg_id(row)?,
        contract: parsed(row, "contract", ContractRef::parse)?,
        from: parsed(row, "from_written", AgencyCode::parse)?,
        to: parsed(row, "written", AgencyCode::parse)?,
        accepted_ms,
        changed_ms: mark.map_or(changed_ms, |(_, marked_ms)| changed_ms.max(marked_ms)),
        state,
        mark: mark.map(|(mark, _)| mark),
    };
    Ok((place_of(row)?, delivery))
}

/// False: there is no such delivery.
pub(super) fn set_mark(connection: &Connection, id: DeliveryId, mark: Mark, at: UnixMs) -> rusqlite::Result<bool> {
    let row = params![id.to_string(), mark.name(), number(at.0)];
    let set = connection.prepare_cached(SET_MARK)?.execute(row)?;
    Ok(set > 0)
}
