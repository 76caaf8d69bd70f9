//! Reading one message, one delivery, one timeline.

use lgsp_types::{
    AgencyCode, AgencyId, Attachment, ConnectorId, ContractRef, DeliveryId, Digest, DocumentDate, DocumentRef, EventId,
    Kind, MsgId, SystemId, Tag,
};
use rusqlite::{Connection, OptionalExtension as _, Row, Rows, params};

use super::deliveries::standing_of;
use super::values::{
    mark_of, msg_id, named, number, parsed, parsed_if_any, party, position, reason_of, relation_of, role_of, time,
    unsigned,
};
use crate::claim::Effect;
use crate::rows::{AcceptedRow, DeliveryRow, EventRow, LoggedEvent, MessageRow, Position, Timeline};

/// Most events in one timeline.
const EVENTS_MAX: u32 = 10_000;

pub(super) const ACCEPTED: &str = "SELECT request_tag, at_partition, at_offset, append_ms, leaf_hash FROM message \
     WHERE msg_id = ?1";
pub(super) const MESSAGE: &str = "SELECT msg_id, at_partition, at_offset, append_ms, accepted_ms, leaf_hash, \
     request_tag, contract, sender_agency, sender_code, from_written, system, order_key, idempotency_key, purpose, \
     to_written, act, due FROM message WHERE msg_id = ?1";
pub(super) const DOCUMENTS: &str = "SELECT relation, id, organ, code, dated FROM document \
     WHERE at_partition = ?1 AND at_offset = ?2 ORDER BY ordinal";
pub(super) const OBJECTS: &str = "SELECT role, name, media_type, size_bytes, digest FROM object \
     WHERE at_partition = ?1 AND at_offset = ?2 ORDER BY ordinal";
pub(super) const DELIVERY: &str = "SELECT d.delivery_id, d.msg_id, d.agency, d.code, d.written, d.at_partition, \
     d.at_offset, d.accepted_ms, d.state, d.generation, d.attempts, d.handed_out, d.late, d.reason, d.last_event, \
     d.last_offset, d.changed_ms, k.mark, k.marked_ms \
     FROM delivery d LEFT JOIN mark k ON k.delivery_id = d.delivery_id WHERE d.delivery_id = ?1";
pub(super) const DEAD: &str = "SELECT delivery_id FROM delivery WHERE state = 'dead-lettered' \
     ORDER BY changed_ms DESC, delivery_id DESC LIMIT ?1";
pub(super) const DELIVERY_IDS: &str = "SELECT delivery_id FROM delivery WHERE msg_id = ?1 ORDER BY ordinal";
pub(super) const LOGGED: &str = "SELECT e.at_partition, e.at_offset, e.kind, e.event_id, e.append_ms, e.ledger_ms, \
     e.delivery_id, e.generation, e.attempt, e.agency, e.system, e.connector, e.reason, e.effect, e.msg_id, \
     m.system AS sender FROM event e LEFT JOIN message m ON m.msg_id = e.msg_id \
     WHERE e.at_partition = ?1 AND e.at_offset >= ?2 ORDER BY e.at_partition, e.at_offset LIMIT ?3";
pub(super) const EVENTS: &str = "SELECT at_partition, at_offset, kind, event_id, append_ms, ledger_ms, delivery_id, \
     generation, attempt, agency, system, connector, reason, effect FROM event \
     WHERE msg_id = ?1 ORDER BY at_partition, at_offset LIMIT ?2";

pub(super) fn accepted(connection: &Connection, id: MsgId) -> rusqlite::Result<Option<AcceptedRow>> {
    let mut statement = connection.prepare_cached(ACCEPTED)?;
    let row = |row: &Row<'_>| {
        Ok(AcceptedRow {
            request_tag: parsed(row, "request_tag", Tag::parse)?,
            position: position(row)?,
            append_ms: time(row, "append_ms")?,
            leaf_hash: parsed(row, "leaf_hash", Digest::parse)?,
        })
    };
    statement.query_row(params![id.to_string()], row).optional()
}

pub(super) fn message(connection: &Connection, id: MsgId) -> rusqlite::Result<Option<MessageRow>> {
    let mut statement = connection.prepare_cached(MESSAGE)?;
    let row = statement.query_row(params![id.to_string()], message_row).optional()?;
    let Some(mut message) = row else { return Ok(None) };
    let at = params![message.position.partition, number(message.position.offset)];
    let mut statement = connection.prepare_cached(DOCUMENTS)?;
    message.documents = statement
        .query_map(at, document_row)?
        .collect::<rusqlite::Result<_>>()?;
    let mut statement = connection.prepare_cached(OBJECTS)?;
    message.objects = statement.query_map(at, object_row)?.collect::<rusqlite::Result<_>>()?;
    Ok(Some(message))
}

fn message_row(row: &Row<'_>) -> rusqlite::Result<MessageRow> {
    let codes = |text: &str| text.split_ascii_whitespace().map(AgencyCode::parse).collect();
    Ok(MessageRow {
        msg_id: msg_id(row)?,
        request_tag: parsed(row, "request_tag", Tag::parse)?,
        position: position(row)?,
        append_ms: time(row, "append_ms")?,
        accepted_ms: time(row, "accepted_ms")?,
        leaf_hash: parsed(row, "leaf_hash", Digest::parse)?,
        contract: parsed(row, "contract", ContractRef::parse)?,
        sender: party(row, "sender_agency", "sender_code")?,
        from_written: parsed(row, "from_written", AgencyCode::parse)?,
        system: parsed(row, "system", SystemId::parse)?,
        order_key: row.get("order_key")?,
        idempotency_key: row.get("idempotency_key")?,
        purpose: row.get("purpose")?,
        to_written: parsed(row, "to_written", codes)?,
        act: row.get("act")?,
        due: parsed_if_any(row, "due", DocumentDate::parse_iso)?,
        documents: Vec::new(),
        objects: Vec::new(),
    })
}

fn document_row(row: &Row<'_>) -> rusqlite::Result<DocumentRef> {
    Ok(DocumentRef {
        relation: relation_of(row)?,
        id: row.get("id")?,
        organ: row.get("organ")?,
        code: row.get("code")?,
        date: row.get("dated")?,
    })
}

fn object_row(row: &Row<'_>) -> rusqlite::Result<Attachment> {
    Ok(Attachment {
        role: role_of(row)?,
        name: row.get("name")?,
        media_type: row.get("media_type")?,
        size_bytes: unsigned(row, "size_bytes")?,
        digest: parsed(row, "digest", Digest::parse)?,
    })
}

pub(super) fn delivery(connection: &Connection, id: DeliveryId) -> rusqlite::Result<Option<DeliveryRow>> {
    let mut statement = connection.prepare_cached(DELIVERY)?;
    statement.query_row(params![id.to_string()], delivery_row).optional()
}

fn delivery_row(row: &Row<'_>) -> rusqlite::Result<DeliveryRow> {
    let accepted = position(row)?;
    let standing = standing_of(row)?;
    Ok(DeliveryRow {
        delivery: parsed(row, "delivery_id", DeliveryId::parse)?,
        msg_id: msg_id(row)?,
        addressee: party(row, "agency", "code")?,
        written: parsed(row, "written", AgencyCode::parse)?,
        state: standing.state,
        generation: standing.generation,
        attempts: standing.attempts,
        handed_out: standing.handed_out,
        late: standing.late,
        reason: reason_of(row)?,
        last_event: parsed(row, "last_event", EventId::parse)?,
        accepted,
        last: Position {
            offset: unsigned(row, "last_offset")?,
            ..accepted
        },
        accepted_ms: time(row, "accepted_ms")?,
        changed_ms: time(row, "changed_ms")?,
        mark: mark_of(row)?,
    })
}

pub(super) fn timeline(connection: &Connection, id: MsgId) -> rusqlite::Result<Option<Timeline>> {
    let message = message(connection, id)?;
    let mut statement = connection.prepare_cached(EVENTS)?;
    let rows = statement.query_map(params![id.to_string(), EVENTS_MAX + 1], event_row)?;
    let mut events: Vec<EventRow> = rows.collect::<rusqlite::Result<_>>()?;
    if message.is_none() && events.is_empty() {
        return Ok(None);
    }
    let complete = events.len() <= EVENTS_MAX as usize;
    events.truncate(EVENTS_MAX as usize);
    Ok(Some(Timeline {
        message,
        deliveries: deliveries_of(connection, id)?,
        events,
        complete,
    }))
}

pub(super) fn events_from(
    connection: &Connection,
    partition: u32,
    from: u64,
    limit: u32,
) -> rusqlite::Result<Vec<LoggedEvent>> {
    let mut statement = connection.prepare_cached(LOGGED)?;
    let rows = statement.query_map(params![partition, number(from), limit], |row| {
        Ok(LoggedEvent {
            event: event_row(row)?,
            message: parsed_if_any(row, "msg_id", MsgId::parse)?,
            sender: parsed_if_any(row, "sender", SystemId::parse)?,
        })
    })?;
    rows.collect()
}

fn deliveries_of(connection: &Connection, id: MsgId) -> rusqlite::Result<Vec<DeliveryRow>> {
    let mut statement = connection.prepare_cached(DELIVERY_IDS)?;
    deliveries(connection, statement.query(params![id.to_string()])?)
}

pub(super) fn dead_letters(connection: &Connection, limit: u32) -> rusqlite::Result<Vec<DeliveryRow>> {
    let mut statement = connection.prepare_cached(DEAD)?;
    deliveries(connection, statement.query(params![limit])?)
}

fn deliveries(connection: &Connection, mut ids: Rows<'_>) -> rusqlite::Result<Vec<DeliveryRow>> {
    let mut deliveries = Vec::new();
    while let Some(row) = ids.next()? {
        let id = parsed(row, "delivery_id", DeliveryId::parse)?;
        deliveries.extend(delivery(connection, id)?);
    }
    Ok(deliveries)
}

fn event_row(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    let kind: u8 = row.get("kind")?;
    Ok(EventRow {
        kind: Kind::from_number(kind).ok_or_else(|| super::values::foreign("kind"))?,
        position: position(row)?,
        event_id: parsed(row, "event_id", EventId::parse)?,
        append_ms: time(row, "append_ms")?,
        ledger_ms: time(row, "ledger_ms")?,
        delivery: parsed_if_any(row, "delivery_id", DeliveryId::parse)?,
        generation: row.get("generation")?,
        attempt: row.get("attempt")?,
        agency: parsed_if_any(row, "agency", AgencyId::stored)?,
        system: parsed(row, "system", SystemId::parse)?,
        connector: parsed_if_any(row, "connector", ConnectorId::parse)?,
        reason: reason_of(row)?,
        effect: named(row, "effect", Effect::from_name)?,
    })
}
