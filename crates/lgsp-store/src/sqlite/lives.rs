//! Where documents stand: told anew whenever something is said of one, and whole for whoever asks.

use std::collections::{BTreeMap, BTreeSet};

use lgsp_types::{
    AgencyCode, AgencyId, Delivery, DeliveryState, DocumentDate, DocumentRef, MsgId, Relation, UnixMs, What,
};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::project::{Batch, receiver};
use super::read;
use super::sayings::{ANSWERS, IS, RECALLS, REPLACES, UPDATES, key_of, keys, keys_of};
use super::values::{foreign, msg_id, number, parsed, parsed_if_any, party, state_of, time};
use crate::life::{Life, Recipient, Said, Saying, StatusCode, life};
use crate::rows::{DocumentRow, MessageRow};

/// All that is said under one key.
pub(super) const SAID: &str = "SELECT msg_id, what, by_key, natural_key, sender, accepted_ms, said_ms, content, due, \
     urgent, acts, dropped, added FROM saying WHERE doc_key = ?1";
/// What is said of a document by its number, under an id that no document has; and other documents of that number.
pub(super) const SAID_NATURALLY: &str = "SELECT s.msg_id, s.what, s.by_key, s.natural_key, s.sender, s.accepted_ms, \
     s.said_ms, s.content, s.due, s.urgent, s.acts, s.dropped, s.added FROM saying s \
     WHERE s.natural_key = ?2 AND s.natural_key <> '' AND s.doc_key <> ?1 AND (s.what = 'is' \
     OR NOT EXISTS (SELECT 1 FROM saying i WHERE i.doc_key = s.doc_key AND i.what = 'is'))";
/// Answers to what recalls or updates the document, given under that one's own id.
pub(super) const ANSWERED: &str = "SELECT s.msg_id, s.what, s.by_key, s.natural_key, s.sender, s.accepted_ms, \
     s.said_ms, s.content, s.due, s.urgent, s.acts, s.dropped, s.added FROM saying a \
     JOIN saying k ON k.msg_id = a.msg_id AND k.what = 'is' JOIN saying s ON s.doc_key = k.doc_key \
     WHERE a.doc_key = ?1 AND a.what IN ('recalls', 'updates') AND k.doc_key <> ?1 AND s.what IN ('15', '16')";
pub(super) const TO: &str =
    "SELECT delivery_id, agency, code, written, state FROM delivery WHERE msg_id = ?1 ORDER BY ordinal";
/// Who had deliveries of a message in hand.
pub(super) const HANDED: &str = "SELECT delivery_id, agency FROM event WHERE msg_id = ?1 AND kind IN (5, 6) \
     AND effect <> 'no effect' AND delivery_id IS NOT NULL AND agency IS NOT NULL";
/// The latest message that is this document, of its issuer.
pub(super) const FILED: &str = "SELECT max(f.filed_id) FROM saying s JOIN filed f ON f.msg_id = s.msg_id \
     WHERE s.doc_key = ?1 AND s.what = 'is' AND s.sender = ?2";
pub(super) const LIVES: &str = "SELECT agency, stand, waits, filed_id FROM life WHERE doc_key = ?1";
/// The documents that one replaces, by its own word.
pub(super) const REPLACED: &str = "SELECT doc_key FROM saying WHERE by_key = ?1 AND by_key <> ''";
pub(super) const ELSEWHERE: &str = "SELECT 1 FROM saying s JOIN saying i ON i.natural_key = s.natural_key \
     AND i.natural_key <> '' AND i.what = 'is' WHERE s.doc_key = ?1 LIMIT 1";
/// What a message speaks of: by id, and by number.
pub(super) const SPOKEN_OF: &str = "SELECT doc_key FROM saying WHERE msg_id = ?1 UNION \
     SELECT i.doc_key FROM saying s JOIN saying i ON i.natural_key = s.natural_key AND i.natural_key <> '' \
     AND i.what = 'is' WHERE s.msg_id = ?1";

/// A delivery that a successor has in hand is that one's word, too.
pub(super) fn handed_out(batch: &mut Batch<'_>, what: &What, delivery: &Delivery) -> rusqlite::Result<()> {
    if receiver(what).is_some_and(|receiver| receiver.agency != delivery.addressee) {
        moved(batch, delivery)?;
    }
    Ok(())
}

/// What became of a delivery changes where its document stands.
pub(super) fn moved(batch: &mut Batch<'_>, delivery: &Delivery) -> rusqlite::Result<()> {
    let keys = keys_of(batch.transaction, delivery.msg_id)?;
    batch.spoken_of.extend(keys);
    Ok(())
}

/// Writes down where these documents stand; what has not changed is not written.
pub(super) fn refresh(connection: &Connection, keys: &BTreeSet<String>) -> rusqlite::Result<()> {
    for key in keys {
        let told = life_of(connection, key)?;
        let Some(issuer) = &told.issuer else { continue };
        let filed: Option<i64> = connection
            .prepare_cached(FILED)?
            .query_row(params![key, issuer.as_str()], |row| row.get(0))?;
        if let Some(filed) = filed {
            keep(connection, &told, filed)?;
        }
    }
    Ok(())
}

/// One line of what is kept: where it stands, what is waited for, and the row that is found by it.
type Kept = (String, String, i64);

fn keep(connection: &Connection, told: &Life, filed: i64) -> rusqlite::Result<()> {
    let row = |row: &Row<'_>| {
        Ok((
            row.get("agency")?,
            (row.get("stand")?, row.get("waits")?, row.get("filed_id")?),
        ))
    };
    let before: BTreeMap<String, Kept> = connection
        .prepare_cached(LIVES)?
        .query_map(params![told.key], row)?
        .collect::<rusqlite::Result<_>>()?;
    let mut now = BTreeMap::new();
    for line in &told.lines {
        let owed = line.duties.iter().filter(|duty| duty.met_ms.is_none());
        let owed: Vec<(&str, UnixMs)> = owed.map(|duty| (duty.kind.name(), duty.since_ms)).collect();
        let waits: Vec<String> = owed.iter().map(|(kind, since)| format!("{kind}@{}", since.0)).collect();
        let agency = line.party.agency.as_str().to_owned();
        now.insert(agency, ((line.stand.name().to_owned(), waits.join(" "), filed), owed));
    }
    for gone in before.keys().filter(|agency| !now.contains_key(*agency)) {
        forget(connection, &told.key, gone)?;
    }
    for (agency, (kept, owed)) in &now {
        match before.get(agency) {
            Some(before) if before == kept => continue,
            Some(_) => forget(connection, &told.key, agency)?,
            None => {}
        }
        let (stand, waits, filed) = kept;
        connection
            .prepare_cached("INSERT INTO life (doc_key, agency, filed_id, stand, waits) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![told.key, agency, filed, stand, waits])?;
        let sql = "INSERT INTO waiting (doc_key, agency, duty, since_ms, filed_id) VALUES (?1, ?2, ?3, ?4, ?5)";
        for (kind, since) in owed {
            let row = params![told.key, agency, kind, number(since.0), filed];
            connection.prepare_cached(sql)?.execute(row)?;
        }
    }
    Ok(())
}

fn forget(connection: &Connection, key: &str, agency: &str) -> rusqlite::Result<()> {
    for sql in [
        "DELETE FROM life WHERE doc_key = ?1 AND agency = ?2",
        "DELETE FROM waiting WHERE doc_key = ?1 AND agency = ?2",
    ] {
        connection.prepare_cached(sql)?.execute(params![key, agency])?;
    }
    Ok(())
}

/// Where a document stands now.
pub(super) fn life_of(connection: &Connection, key: &str) -> rusqlite::Result<Life> {
    Ok(life(key, &sayings(connection, key)?))
}

/// All that was said of a document.
fn sayings(connection: &Connection, key: &str) -> rusqlite::Result<Vec<Saying>> {
    let mut all = Vec::new();
    let mut natural = BTreeSet::new();
    let mut statement = connection.prepare_cached(SAID)?;
    let mut rows = statement.query(params![key])?;
    while let Some(row) = rows.next()? {
        let saying = saying(connection, row)?;
        if matches!(saying.what, Said::Is { .. }) {
            natural.insert(row.get::<_, String>("natural_key")?);
        }
        all.push(saying);
    }
    for natural in natural {
        let mut statement = connection.prepare_cached(SAID_NATURALLY)?;
        let mut rows = statement.query(params![key, natural])?;
        while let Some(row) = rows.next()? {
            let mut saying = saying(connection, row)?;
            if matches!(saying.what, Said::Is { .. }) {
                saying.what = Said::HasItsNumber;
            }
            all.push(saying);
        }
    }
    let mut statement = connection.prepare_cached(ANSWERED)?;
    let mut rows = statement.query(params![key])?;
    while let Some(row) = rows.next()? {
        all.push(saying(connection, row)?);
    }
    Ok(all)
}

fn saying(connection: &Connection, row: &Row<'_>) -> rusqlite::Result<Saying> {
    let message = msg_id(row)?;
    let what = said(row)?;
    // Whom a plain status goes to says nothing of the document.
    let to = match what {
        Said::Status(code) if code != StatusCode::TakeBack => Vec::new(),
        Said::Answers | Said::HasItsNumber | Said::Replaces { .. } => Vec::new(),
        Said::Is { .. } | Said::Status(_) | Said::Recalls | Said::Updates { .. } => recipients(connection, message)?,
    };
    Ok(Saying {
        message,
        sender: parsed(row, "sender", AgencyId::stored)?,
        accepted_ms: time(row, "accepted_ms")?,
        said_ms: time(row, "said_ms")?,
        to,
        what,
    })
}

fn said(row: &Row<'_>) -> rusqlite::Result<Said> {
    let codes = |text: &str| text.split_ascii_whitespace().map(AgencyCode::parse).collect();
    let dropped: Vec<AgencyCode> = parsed(row, "dropped", codes)?;
    let what: String = row.get("what")?;
    Ok(match what.as_str() {
        IS => Said::Is {
            content: row.get("content")?,
            due: parsed_if_any(row, "due", DocumentDate::parse_iso)?,
            urgent: row.get("urgent")?,
            acts: row.get("acts")?,
        },
        RECALLS => Said::Recalls,
        UPDATES => Said::Updates {
            dropped,
            added: parsed(row, "added", codes)?,
        },
        REPLACES => Said::Replaces {
            by: row.get("by_key")?,
            organs: dropped,
        },
        ANSWERS => Said::Answers,
        code => Said::Status(StatusCode::from_name(code).ok_or_else(|| foreign("what"))?),
    })
}

fn recipients(connection: &Connection, message: MsgId) -> rusqlite::Result<Vec<Recipient>> {
    let mut handed: BTreeMap<String, Vec<AgencyId>> = BTreeMap::new();
    let mut statement = connection.prepare_cached(HANDED)?;
    let mut rows = statement.query(params![message.to_string()])?;
    while let Some(row) = rows.next()? {
        let agency = parsed(row, "agency", AgencyId::stored)?;
        handed.entry(row.get("delivery_id")?).or_default().push(agency);
    }
    let recipient = |row: &Row<'_>| {
        let party = party(row, "agency", "code")?;
        let mut received_by = handed.remove(&row.get::<_, String>("delivery_id")?).unwrap_or_default();
        received_by.retain(|agency| *agency != party.agency);
        received_by.sort_unstable();
        received_by.dedup();
        Ok(Recipient {
            written: parsed(row, "written", AgencyCode::parse)?,
            party,
            received_by,
            withdrawn: state_of(row)? == DeliveryState::Withdrawn,
        })
    };
    let mut statement = connection.prepare_cached(TO)?;
    statement.query_map(params![message.to_string()], recipient)?.collect()
}

/// [`crate::Store::documents`].
pub(super) fn documents(connection: &Connection, messages: &[MsgId], limit: u32) -> rusqlite::Result<Vec<DocumentRow>> {
    let mut told: BTreeMap<String, DocumentRow> = BTreeMap::new();
    let mut open = BTreeSet::new();
    for message in messages {
        open.extend(keys(connection, SPOKEN_OF, &message.to_string())?);
    }
    while let Some(key) = open.pop_first() {
        if told.len() >= limit as usize {
            break;
        }
        if let Some(document) = document(connection, &key)? {
            let others = document.life.replaced_by.iter().chain(&document.replaces);
            open.extend(
                others
                    .filter(|other| !told.contains_key(*other) && **other != key)
                    .cloned(),
            );
            told.insert(key, document);
        }
    }
    let mut told: Vec<DocumentRow> = told.into_values().collect();
    told.sort_by_key(|document| {
        document
            .sayings
            .iter()
            .map(|saying| (saying.accepted_ms, saying.message))
            .min()
    });
    Ok(told)
}

/// None: all that is said under this key belongs to a document that is known by another, or nothing is.
fn document(connection: &Connection, key: &str) -> rusqlite::Result<Option<DocumentRow>> {
    let mut sayings = sayings(connection, key)?;
    let life = life(key, &sayings);
    let first = |saying: &&Saying| life.issuer.is_none() || matches!(saying.what, Said::Is { .. });
    let first = sayings
        .iter()
        .filter(first)
        .min_by_key(|saying| (saying.accepted_ms, saying.message));
    let Some(first) = first.map(|first| first.message) else {
        return Ok(None);
    };
    let Some(message) = read::message(connection, first)? else {
        return Ok(None);
    };
    if life.issuer.is_none() && belongs_elsewhere(connection, key)? {
        return Ok(None);
    }
    sayings.sort_by_key(|saying| (saying.accepted_ms, saying.message));
    Ok(Some(DocumentRow {
        document: named(&message, key),
        life,
        sayings,
        replaces: keys(connection, REPLACED, key)?
            .into_iter()
            .filter(|other| other != key)
            .collect(),
    }))
}

/// Whether the number under which this is said is that of a document with another id.
fn belongs_elsewhere(connection: &Connection, key: &str) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(ELSEWHERE)?;
    let found: Option<i64> = statement.query_row(params![key], |row| row.get(0)).optional()?;
    Ok(found.is_some())
}

/// How that message names the document of this key.
fn named(message: &MessageRow, key: &str) -> DocumentRef {
    let is_it = |document: &&DocumentRef| key_of(document, key) == key;
    let named = message.documents.iter().find(is_it);
    named.cloned().unwrap_or_else(|| DocumentRef {
        relation: Relation::About,
        id: key.to_owned(),
        organ: String::new(),
        code: String::new(),
        date: String::new(),
    })
}

/// Agency, state and what is waited for, as they are kept for searching.
#[cfg(test)]
pub(super) fn kept(connection: &Connection, key: &str) -> rusqlite::Result<Vec<[String; 3]>> {
    let row = |row: &Row<'_>| Ok([row.get("agency")?, row.get("stand")?, row.get("waits")?]);
    connection.prepare(LIVES)?.query_map(params![key], row)?.collect()
}
