//! Reading records out of a connection: dense, whole, and as they were appended, or not at all.

use bytes::Bytes;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, Rows};

use super::fault;
use super::sums::{self, Sum};
use crate::ledger::{Entry, ReadError, ReadLimit};

/// Reads up to `limit` from one snapshot. Sound records before a damaged one are answered; the next read names it.
pub(super) fn read(
    connection: &Connection,
    partition: u32,
    from: u64,
    limit: ReadLimit,
) -> Result<Vec<Entry>, ReadError> {
    let failed = |error| fault::while_reading(error, partition, from);
    let _snapshot = connection.unchecked_transaction().map_err(failed)?;
    let next = head(connection, partition)?.next;
    let Ok(first) = i64::try_from(from) else {
        return Ok(Vec::new());
    };
    let mut statement = connection
        .prepare_cached(&format!(
            "SELECT \"offset\", append_ms, sum, record FROM record_{partition} WHERE \"offset\" >= ?1 ORDER BY 1"
        ))
        .map_err(failed)?;
    let mut rows = statement.query([first]).map_err(failed)?;
    take(&mut rows, partition, from..next, limit)
}

fn take(
    rows: &mut Rows<'_>,
    partition: u32,
    offsets: std::ops::Range<u64>,
    limit: ReadLimit,
) -> Result<Vec<Entry>, ReadError> {
    let mut entries = Vec::new();
    let mut bytes = 0_usize;
    for offset in offsets {
        if entries.len() >= limit.entries {
            break;
        }
        let entry = match entry(rows, partition, offset) {
            Ok(entry) => entry,
            Err(_) if !entries.is_empty() => break,
            Err(error) => return Err(error),
        };
        bytes = bytes.saturating_add(entry.record.len());
        if bytes > limit.bytes && !entries.is_empty() {
            break;
        }
        entries.push(entry);
    }
    Ok(entries)
}

/// The next row, which has to be the record at `offset`.
fn entry(rows: &mut Rows<'_>, partition: u32, offset: u64) -> Result<Entry, ReadError> {
    let damaged = |what| ReadError::Damaged {
        partition,
        offset,
        what,
        source: None,
    };
    let row = rows
        .next()
        .map_err(|error| fault::while_reading(error, partition, offset))?;
    let Some(row) = row else {
        return Err(damaged("the record is missing"));
    };
    match unsigned(row, 0) {
        Some(found) if found == offset => {}
        _ => return Err(damaged("the record is missing")),
    }
    let (Some(append_ms), Some(sum), Ok(ValueRef::Blob(record))) = (unsigned(row, 1), sum(row, 2), row.get_ref(3))
    else {
        return Err(damaged("the row is not one of a record"));
    };
    if sum != sums::of_record(append_ms, record) {
        return Err(damaged("the record does not fit its sum"));
    }
    Ok(Entry {
        offset,
        append_ms,
        record: Bytes::copy_from_slice(record),
    })
}

/// What the file says of the end of one partition.
pub(super) struct Head {
    /// The offset of the next record.
    pub(super) next: u64,
    sum: Sum,
}

fn head(connection: &Connection, partition: u32) -> Result<Head, ReadError> {
    let failed = |error| fault::while_reading(error, partition, 0);
    let mut statement = connection
        .prepare_cached("SELECT next, sum FROM head WHERE partition = ?1")
        .map_err(failed)?;
    let mut rows = statement.query([partition]).map_err(failed)?;
    let row = rows.next().map_err(failed)?;
    let head = row.and_then(|row| {
        Some(Head {
            next: unsigned(row, 0)?,
            sum: sum(row, 1)?,
        })
    });
    head.ok_or(ReadError::Damaged {
        partition,
        offset: 0,
        what: "the partition has no head",
        source: None,
    })
}

/// The end of one partition, after its head was held against its last record.
pub(super) fn end(connection: &Connection, partition: u32) -> Result<u64, ReadError> {
    let failed = |error| fault::while_reading(error, partition, 0);
    let _snapshot = connection.unchecked_transaction().map_err(failed)?;
    let head = head(connection, partition)?;
    let last = last(connection, partition)?;
    let (next, sum) = last.unwrap_or((0, sums::NO_RECORD));
    if next == head.next && sums::of_head(partition, next, &sum) == head.sum {
        return Ok(next);
    }
    let what = "the partition's head does not fit its last record";
    Err(ReadError::Damaged {
        partition,
        offset: next.min(head.next),
        what,
        source: None,
    })
}

/// The offset after the last record, and that record's sum.
fn last(connection: &Connection, partition: u32) -> Result<Option<(u64, Sum)>, ReadError> {
    let failed = |error| fault::while_reading(error, partition, 0);
    let mut statement = connection
        .prepare_cached(&format!(
            "SELECT \"offset\", sum FROM record_{partition} ORDER BY 1 DESC LIMIT 1"
        ))
        .map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let Some(row) = rows.next().map_err(failed)? else {
        return Ok(None);
    };
    let last = unsigned(row, 0).and_then(|offset| Some((offset.checked_add(1)?, sum(row, 1)?)));
    let what = "the last row is not one of a record";
    last.map(Some).ok_or(ReadError::Damaged {
        partition,
        offset: 0,
        what,
        source: None,
    })
}

fn unsigned(row: &Row<'_>, column: usize) -> Option<u64> {
    match row.get_ref(column) {
        Ok(ValueRef::Integer(value)) => u64::try_from(value).ok(),
        _ => None,
    }
}

fn sum(row: &Row<'_>, column: usize) -> Option<Sum> {
    match row.get_ref(column) {
        Ok(ValueRef::Blob(bytes)) => Sum::try_from(bytes).ok(),
        _ => None,
    }
}
