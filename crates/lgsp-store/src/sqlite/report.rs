//! What operators and the node itself ask of the whole: counts, refusals, conflicts to settle, objects, table hashes.

use aws_lc_rs::digest::{Context, SHA256};
use lgsp_types::{Digest, Finding, ReasonCode, SystemId, Tag, enc};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::schema::HASHED;
use super::values::{msg_id, number, parsed, position, reason_of, time, unsigned};
use crate::rows::{Conflict, Counts, Position, RefusalKind, RefusalRow};

/// Most conflicts answered at once.
const PENDING_MAX: u32 = 1_000;

pub(super) const PENDING: &str = "SELECT at_partition, at_offset, msg_id, request_tag FROM conflict \
     WHERE settled_offset IS NULL ORDER BY at_partition, at_offset LIMIT ?1";
pub(super) const TALLIES: &str = "SELECT what, sum(amount) AS amount FROM tally GROUP BY what";
pub(super) const REFUSALS: &str = "SELECT at_partition, at_offset, append_ms, ledger_ms, source, reason, \
     request_tag, minute, amount FROM refusal ORDER BY ledger_ms DESC, at_partition DESC, at_offset DESC LIMIT ?1";
pub(super) const FINDINGS: &str =
    "SELECT code, path FROM finding WHERE at_partition = ?1 AND at_offset = ?2 ORDER BY ordinal";
pub(super) const NAMED: &str = "SELECT digest FROM object WHERE digest = ?1 LIMIT 1";
pub(super) const DIGESTS: &str = "SELECT DISTINCT digest FROM object WHERE digest > ?1 ORDER BY digest LIMIT ?2";

pub(super) fn pending_conflicts(connection: &Connection) -> rusqlite::Result<Vec<Conflict>> {
    let conflict = |row: &Row<'_>| {
        Ok(Conflict {
            msg_id: msg_id(row)?,
            position: position(row)?,
            request_tag: parsed(row, "request_tag", Tag::parse)?,
        })
    };
    connection
        .prepare_cached(PENDING)?
        .query_map(params![PENDING_MAX], conflict)?
        .collect()
}

pub(super) fn counts(connection: &Connection) -> rusqlite::Result<Counts> {
    let mut counts = Counts::default();
    let mut statement = connection.prepare_cached(TALLIES)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let what: String = row.get("what")?;
        let slot = match what.as_str() {
            "accepted" => &mut counts.accepted,
            "repeats" => &mut counts.repeats,
            "conflicts" => &mut counts.conflicts,
            "open" => &mut counts.open,
            "collected" => &mut counts.collected,
            "delivered" => &mut counts.delivered,
            "dead-lettered" => &mut counts.dead_lettered,
            "withdrawn" => &mut counts.withdrawn,
            "refusals" => &mut counts.refusals,
            "refusals summarised" => &mut counts.refusals_summarised,
            "events" => &mut counts.events,
            "aliens" => &mut counts.aliens,
            _ => return Err(super::values::foreign("what")),
        };
        *slot = unsigned(row, "amount")?;
    }
    Ok(counts)
}

pub(super) fn refusals(connection: &Connection, limit: u32) -> rusqlite::Result<Vec<RefusalRow>> {
    let mut statement = connection.prepare_cached(REFUSALS)?;
    let rows = statement.query_map(params![limit], |row| refusal_row(connection, row))?;
    rows.collect()
}

fn refusal_row(connection: &Connection, row: &Row<'_>) -> rusqlite::Result<RefusalRow> {
    let position = position(row)?;
    let what = match reason_of(row)? {
        Some(reason) => RefusalKind::Call {
            system: parsed(row, "source", SystemId::parse)?,
            reason,
            request_tag: parsed(row, "request_tag", Tag::parse)?,
            findings: findings(connection, position)?,
        },
        None => RefusalKind::Summary {
            source: row.get("source")?,
            minute: unsigned(row, "minute")?,
            count: unsigned(row, "amount")?,
        },
    };
    Ok(RefusalRow {
        position,
        append_ms: time(row, "append_ms")?,
        ledger_ms: time(row, "ledger_ms")?,
        what,
    })
}

fn findings(connection: &Connection, at: Position) -> rusqlite::Result<Vec<Finding>> {
    let finding = |row: &Row<'_>| {
        Ok(Finding {
            code: parsed(row, "code", ReasonCode::parse)?,
            path: row.get("path")?,
        })
    };
    connection
        .prepare_cached(FINDINGS)?
        .query_map(params![at.partition, number(at.offset)], finding)?
        .collect()
}

pub(super) fn objects_named(connection: &Connection, digests: &[Digest]) -> rusqlite::Result<Vec<Digest>> {
    let mut statement = connection.prepare_cached(NAMED)?;
    let mut named = Vec::new();
    for digest in digests {
        named.extend(statement.query_row(params![digest.to_string()], digest_of).optional()?);
    }
    Ok(named)
}

pub(super) fn object_digests(
    connection: &Connection,
    after: Option<Digest>,
    limit: u32,
) -> rusqlite::Result<Vec<Digest>> {
    let after = after.map(|digest| digest.to_string()).unwrap_or_default();
    connection
        .prepare_cached(DIGESTS)?
        .query_map(params![after, limit], digest_of)?
        .collect()
}

fn digest_of(row: &Row<'_>) -> rusqlite::Result<Digest> {
    parsed(row, "digest", Digest::parse)
}

pub(super) fn table_hashes(connection: &Connection) -> rusqlite::Result<Vec<(String, Digest)>> {
    HASHED
        .iter()
        .map(|(table, columns, key)| Ok(((*table).to_owned(), table_hash(connection, table, columns, key)?)))
        .collect()
}

/// SHA-256 over the table's name, its columns, and each row's values in the order of the key: each value as a letter
/// of its type, then its big-endian number, or its length and bytes.
fn table_hash(connection: &Connection, table: &str, columns: &str, key: &str) -> rusqlite::Result<Digest> {
    let mut context = Context::new(&SHA256);
    context.update(&enc(&[b"lgsp/table/v1", table.as_bytes(), columns.as_bytes()]));
    let mut statement = connection.prepare(&format!("SELECT {columns} FROM {table} ORDER BY {key}"))?;
    let width = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..width {
            match row.get_ref(column)? {
                ValueRef::Null => context.update(b"0"),
                ValueRef::Integer(number) => {
                    context.update(b"n");
                    context.update(&number.to_be_bytes());
                }
                ValueRef::Text(text) => {
                    context.update(b"t");
                    context.update(&enc(&[text]));
                }
                ValueRef::Real(_) | ValueRef::Blob(_) => return Err(super::values::foreign("of another type")),
            }
        }
    }
    let mut hash = [0; 32];
    hash.iter_mut()
        .zip(context.finish().as_ref())
        .for_each(|(slot, byte)| *slot = *byte);
    Ok(Digest::from_bytes(hash))
}
