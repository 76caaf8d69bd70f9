//! A receiver's list: what waits for some agencies, in ledger order; and the soft marks shown in it.

use std::collections::BTreeMap;

use lgsp_types::{
    AgencyCode, AgencyId, ContractRef, DeliveryId, DeliveryState, Mark, OpenDelivery, OpenQuery, OrderKey, SystemId,
    UnixMs,
};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::values::{mark_of, msg_id, number, parsed, state_of, time};

/// One agency's part of the list, behind a place in it; '' stands for every contract, and for none that blocks. Where one
/// does, the orders with a dead letter are looked up once, not for each row.
pub(super) const PLACES: &str = "WITH dead AS MATERIALIZED (\
     SELECT m.system, m.order_key, d.at_partition, min(d.at_offset) AS at_offset \
     FROM delivery d JOIN message m ON m.msg_id = d.msg_id \
     WHERE d.state = 'dead-lettered' AND d.agency = ?1 GROUP BY m.system, m.order_key, d.at_partition) \
     SELECT accepted_ms, at_partition, at_offset, ordinal, delivery_id FROM delivery own \
     WHERE listed = 1 AND agency = ?1 \
     AND (accepted_ms, at_partition, at_offset, ordinal) > (?2, ?3, ?4, ?5) \
     AND (?6 = '' OR contract_name = ?6) \
     AND (?8 OR state <> 'dead-lettered') \
     AND (?9 = '' OR NOT EXISTS (SELECT 1 FROM delivery again JOIN message m ON m.msg_id = again.msg_id \
     JOIN dead ON dead.system = m.system AND dead.order_key = m.order_key \
     AND dead.at_partition = own.at_partition AND dead.at_offset < own.at_offset \
     WHERE again.delivery_id = own.delivery_id AND instr(?9, ' ' || m.contract || ' ') > 0)) \
     ORDER BY accepted_ms, at_partition, at_offset, ordinal LIMIT ?7";
pub(super) const LISTED: &str = "SELECT d.delivery_id, d.msg_id, m.contract, m.from_written, d.written, m.system, m.order_key, d.agency, \
     d.accepted_ms, d.changed_ms, d.state, k.mark, k.marked_ms \
     FROM delivery d JOIN message m ON m.msg_id = d.msg_id LEFT JOIN mark k ON k.delivery_id = d.delivery_id \
     WHERE d.delivery_id = ?1";
/// An earlier delivery of the same sender, key and addressee that is a dead letter: those of one key share a partition.
pub(super) const DEAD_BEFORE: &str = "SELECT dead.delivery_id FROM delivery own JOIN message m ON m.msg_id = own.msg_id \
     JOIN delivery dead ON dead.state = 'dead-lettered' AND dead.agency = own.agency \
     AND dead.at_partition = own.at_partition AND dead.at_offset < own.at_offset \
     JOIN message before ON before.msg_id = dead.msg_id AND before.system = m.system AND before.order_key = m.order_key \
     WHERE own.delivery_id = ?1 LIMIT 1";
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
    query: &OpenQuery,
    blocking: &[ContractRef],
) -> rusqlite::Result<Vec<OpenDelivery>> {
    let after = query.after.map(|id| place(connection, id)).transpose()?.flatten();
    let after = after.unwrap_or(START);
    let first = first_places(connection, agencies, (query, blocking), after)?;
    let mut statement = connection.prepare_cached(LISTED)?;
    let rows = first.values().map(|id| statement.query_row(params![id], listed_row));
    rows.collect()
}

/// The first `limit` places of all these agencies together, and the deliveries there.
///
/// Each agency's part is read in order, and only as far as it can still be among the first.
fn first_places(
    connection: &Connection,
    agencies: &[AgencyId],
    (query, blocking): (&OpenQuery, &[ContractRef]),
    after: Place,
) -> rusqlite::Result<BTreeMap<Place, String>> {
    let mut first = BTreeMap::new();
    let mut statement = connection.prepare_cached(PLACES)?;
    let (ms, partition, offset, ordinal) = after;
    let contract = query.contract.as_deref().unwrap_or_default();
    let (limit, dead_letters) = (query.limit, query.dead_letters);
    // Each between two spaces, which no name has.
    let blocking: String = blocking.iter().map(|contract| format!(" {contract} ")).collect();
    for agency in agencies {
        let behind = params![
            agency.as_str(),
            ms,
            partition,
            offset,
            ordinal,
            contract,
            limit,
            dead_letters,
            blocking
        ];
        let mut rows = statement.query(behind)?;
        while let Some(row) = rows.next()? {
            let place = place_of(row)?;
            first.insert(place, row.get("delivery_id")?);
            if first.len() <= limit as usize {
                continue;
            }
            // What was just put in falls out again: so would all that come behind it.
            if first.pop_last().is_some_and(|(last, _)| last == place) {
                break;
            }
        }
    }
    Ok(first)
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

fn listed_row(row: &Row<'_>) -> rusqlite::Result<OpenDelivery> {
    let (accepted_ms, state) = (time(row, "accepted_ms")?, state_of(row)?);
    // A fetch shows in no list (exchange.md section 5.1).
    let changed_ms = if state == DeliveryState::Collected {
        accepted_ms
    } else {
        time(row, "changed_ms")?
    };
    let mark = mark_of(row)?;
    Ok(OpenDelivery {
        delivery: parsed(row, "delivery_id", DeliveryId::parse)?,
        msg_id: msg_id(row)?,
        contract: parsed(row, "contract", ContractRef::parse)?,
        from: parsed(row, "from_written", AgencyCode::parse)?,
        to: parsed(row, "written", AgencyCode::parse)?,
        order: OrderKey {
            system: parsed(row, "system", SystemId::parse)?,
            key: row.get("order_key")?,
            addressee: parsed(row, "agency", AgencyId::stored)?,
        },
        accepted_ms,
        changed_ms: mark.map_or(changed_ms, |(_, marked_ms)| changed_ms.max(marked_ms)),
        state,
        mark: mark.map(|(mark, _)| mark),
    })
}

pub(super) fn dead_before(connection: &Connection, id: DeliveryId) -> rusqlite::Result<Option<DeliveryId>> {
    let mut statement = connection.prepare_cached(DEAD_BEFORE)?;
    let dead = |row: &Row<'_>| parsed(row, "delivery_id", DeliveryId::parse);
    statement.query_row(params![id.to_string()], dead).optional()
}

/// False: there is no such delivery.
pub(super) fn set_mark(connection: &Connection, id: DeliveryId, mark: Mark, at: UnixMs) -> rusqlite::Result<bool> {
    let row = params![id.to_string(), mark.name(), number(at.0)];
    let set = connection.prepare_cached(SET_MARK)?.execute(row)?;
    Ok(set > 0)
}
