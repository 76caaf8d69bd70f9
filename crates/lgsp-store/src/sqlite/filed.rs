//! Documents as they are searched: filed when they are accepted, so that what came later has the greater id.

mod question;

use lgsp_types::{Accepted, DocumentDate, DocumentRef, Relation, words};
use rusqlite::{Connection, params};

pub(super) use question::search;
#[cfg(test)]
pub(super) use question::shapes;

use super::project::{Batch, Place};
use super::sayings::{key_of, natural_key};
use super::values::number;
use crate::rows::Reading;

/// Ledger time stands above so many bits of a number that tells apart what came in one millisecond.
const NUMBER_BITS: u32 = 20;
/// Most characters of a title.
const TITLE_MAX: usize = 200;

pub(super) const LAST: &str = "SELECT max(filed_id) FROM filed WHERE filed_id >= ?1 AND filed_id < ?2";

/// Files what is a document, or has words.
pub(super) fn write(batch: &Batch<'_>, place: Place, message: &Accepted, reading: &Reading) -> rusqlite::Result<()> {
    let documents = &message.clear.documents;
    let is = documents.iter().find(|document| document.relation == Relation::Is);
    let folded = words(&reading.texts.join(" "));
    if is.is_none() && folded.is_empty() {
        return Ok(());
    }
    let id = next_id(batch.transaction, place)?;
    write_row(batch.transaction, id, message, (is, reading))?;
    let envelope = &message.envelope;
    let sql = "INSERT INTO party (agency, filed_id) VALUES (?1, ?2) ON CONFLICT (agency, filed_id) DO NOTHING";
    for party in envelope.addressees.iter().chain([&envelope.sender]) {
        let row = params![party.agency.as_str(), id];
        batch.transaction.prepare_cached(sql)?.execute(row)?;
    }
    if !folded.is_empty() {
        let sql = "INSERT INTO words (rowid, text) VALUES (?1, ?2)";
        batch.transaction.prepare_cached(sql)?.execute(params![id, folded])?;
    }
    Ok(())
}

/// Greater than all of earlier ledger times, and free.
fn next_id(connection: &Connection, place: Place) -> rusqlite::Result<i64> {
    let least = number(place.ledger_ms).saturating_mul(1 << NUMBER_BITS);
    let above = least.saturating_add(1 << NUMBER_BITS);
    let last = |least: i64, above: i64| -> rusqlite::Result<Option<i64>> {
        let mut statement = connection.prepare_cached(LAST)?;
        statement.query_row(params![least, above], |row| row.get(0))
    };
    match last(least, above)? {
        None => Ok(least),
        Some(last) if last < above - 1 => Ok(last + 1),
        // A clock that was set back stands still in the ledger until it has caught up.
        Some(_) => Ok(last(0, i64::MAX)?.unwrap_or(least).saturating_add(1)),
    }
}

fn write_row(
    connection: &Connection,
    id: i64,
    message: &Accepted,
    (is, reading): (Option<&DocumentRef>, &Reading),
) -> rusqlite::Result<()> {
    let key = is.map(|document| key_of(document, &natural_key(message, document)));
    let code = is.map(|document| document.code.as_str()).unwrap_or_default();
    let (number, notation) = code.split_once('/').unwrap_or((code, ""));
    let dated = is.and_then(|document| DocumentDate::parse(document.date.trim()).ok());
    let title = reading.texts.first().map(String::as_str).unwrap_or_default();
    let title: String = title.chars().take(TITLE_MAX).collect();
    let sql = "INSERT INTO filed (filed_id, msg_id, doc_key, number, notation, dated, sender, title) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    connection.prepare_cached(sql)?.execute(params![
        id,
        message.msg_id.to_string(),
        key.unwrap_or_default(),
        words(number),
        words(notation),
        dated.map(DocumentDate::iso_text).unwrap_or_default(),
        message.envelope.sender.agency.as_str(),
        title,
    ])?;
    Ok(())
}
