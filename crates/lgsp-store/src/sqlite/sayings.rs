//! What a message says of documents: one row for each, so that where a document stands is computed from rows alone.

use std::collections::BTreeSet;

use lgsp_types::{Accepted, AgencyCode, Digest, DocumentRef, MsgId, Relation, Role, fold};
use rusqlite::{Connection, Row, params};

use super::project::{Batch, Place};
use super::values::number;
use crate::life::StatusCode;
use crate::rows::Reading;

/// The documents that a message is.
pub(super) const KEYS_OF: &str = "SELECT doc_key FROM saying WHERE msg_id = ?1 AND what = 'is'";
/// The documents with this number of this agency and date.
pub(super) const NATURALLY: &str =
    "SELECT doc_key FROM saying WHERE natural_key = ?1 AND natural_key <> '' AND what = 'is'";
/// The documents that the messages which are this document recall or update.
pub(super) const ACTED_ON: &str = "SELECT a.doc_key FROM saying k JOIN saying a ON a.msg_id = k.msg_id \
     WHERE k.doc_key = ?1 AND k.what = 'is' AND a.what IN ('recalls', 'updates')";

/// How a row says what is said; a status is its code.
pub(super) const IS: &str = "is";
pub(super) const RECALLS: &str = "recalls";
pub(super) const UPDATES: &str = "updates";
pub(super) const REPLACES: &str = "replaces";
pub(super) const ANSWERS: &str = "answers";

/// A row on its way.
struct Written<'a> {
    document: &'a DocumentRef,
    key: String,
    what: &'static str,
    by_key: &'a str,
}

/// Writes all that an accepted message says of documents, and whose state has to be told anew.
pub(super) fn write(
    batch: &mut Batch<'_>,
    place: Place,
    message: &Accepted,
    reading: &Reading,
) -> rusqlite::Result<()> {
    let documents = &message.clear.documents;
    let is = documents.iter().find(|document| document.relation == Relation::Is);
    let own_key = is
        .map(|document| key_of(document, &natural_key(message, document)))
        .unwrap_or_default();
    let mut acts = false;
    for document in documents {
        let natural = natural_key(message, document);
        let key = key_of(document, &natural);
        if key.is_empty() {
            continue;
        }
        let what = what_is_said(document.relation, &message.clear.act);
        acts |= [RECALLS, UPDATES].contains(&what);
        let by_key = if what == REPLACES { own_key.as_str() } else { "" };
        let written = Written {
            document,
            key,
            what,
            by_key,
        };
        write_one(batch, place, message, reading, &written)?;
        touch(batch, &written.key, &natural)?;
    }
    if acts {
        // A packet that recalls or updates under the document's own id is not that document a second time.
        let sql = "DELETE FROM saying WHERE msg_id = ?1 AND what = 'is' AND doc_key IN \
                   (SELECT doc_key FROM saying WHERE msg_id = ?1 AND what IN ('recalls', 'updates'))";
        let id = message.msg_id.to_string();
        batch.transaction.prepare_cached(sql)?.execute(params![id])?;
        let sql = "UPDATE saying SET acts = 1 WHERE msg_id = ?1 AND what = 'is'";
        batch.transaction.prepare_cached(sql)?.execute(params![id])?;
    }
    Ok(())
}

fn write_one(
    batch: &Batch<'_>,
    place: Place,
    message: &Accepted,
    reading: &Reading,
    written: &Written<'_>,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO saying (doc_key, msg_id, what, by_key, natural_key, sender, accepted_ms, said_ms, content, \
               due, urgent, acts, dropped, added) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, ?12, ?13) \
               ON CONFLICT (doc_key, msg_id, what) DO NOTHING";
    let replaced = reading.replaced.iter().find(|(id, _)| fold(id) == written.key);
    let dropped = match replaced {
        // For whom it is replaced.
        Some((_, organs)) if written.what == REPLACES => organs,
        _ => &reading.dropped,
    };
    let said_ms = reading.said_ms.map_or(place.ledger_ms, |said_ms| said_ms.0);
    batch.transaction.prepare_cached(sql)?.execute(params![
        written.key,
        message.msg_id.to_string(),
        written.what,
        written.by_key,
        natural_key(message, written.document),
        message.envelope.sender.agency.as_str(),
        number(place.ledger_ms),
        number(said_ms),
        content(message).to_string(),
        message.clear.due.map(|day| day.iso_text()),
        reading.urgent,
        joined(dropped),
        joined(&reading.added),
    ])?;
    Ok(())
}

/// What tells one content from another: the original's digest, else the payload's.
fn content(message: &Accepted) -> Digest {
    let original = message.objects.iter().find(|object| object.role == Role::Original);
    original.map_or_else(|| Digest::of(&message.payload), |object| object.digest)
}

/// No code has a blank in it.
fn joined(codes: &[AgencyCode]) -> String {
    let codes: Vec<&str> = codes.iter().map(AgencyCode::as_str).collect();
    codes.join(" ")
}

fn what_is_said(relation: Relation, act: &str) -> &'static str {
    match (relation, act) {
        (Relation::Is, _) => IS,
        (Relation::ActsOn, "1") => RECALLS,
        (Relation::ActsOn, "2") => UPDATES,
        (Relation::Replaces, _) => REPLACES,
        (Relation::About | Relation::ActsOn, _) => StatusCode::from_name(act).map_or(ANSWERS, StatusCode::name),
    }
}

/// What a document is known by: its id in any spelling that folds to the same; without one, its natural key.
pub(super) fn key_of(document: &DocumentRef, natural: &str) -> String {
    let id = fold(&document.id);
    if id.is_empty() { natural.to_owned() } else { id }
}

/// The agency that issued it, its date and its number: what a reply is matched by if its id is none that is known.
///
/// The agency by its permanent id, as the registry told it when the message was accepted: the sender of a document and of
/// a take-back, the addressee of any other status. Empty where it cannot be told. Source: vietnam.md 1.9.
pub(super) fn natural_key(message: &Accepted, document: &DocumentRef) -> String {
    let envelope = &message.envelope;
    let by_sender = document.relation == Relation::Is || message.clear.act == StatusCode::TakeBack.name();
    let issuer = if by_sender {
        Some(&envelope.sender)
    } else {
        envelope.addressees.first()
    };
    let (code, date) = (fold(&document.code), document.date.trim());
    match issuer {
        Some(issuer) if !(code.is_empty() || date.is_empty()) => format!("~{},{date},{code}", issuer.agency.as_str()),
        _ => String::new(),
    }
}

/// Something was said under this key: of that document, of those with the same number, and of what it acts on.
fn touch(batch: &mut Batch<'_>, key: &str, natural: &str) -> rusqlite::Result<()> {
    let mut touched = BTreeSet::from([key.to_owned()]);
    touched.extend(keys(batch.transaction, NATURALLY, natural)?);
    touched.extend(keys(batch.transaction, ACTED_ON, key)?);
    batch.spoken_of.extend(touched);
    Ok(())
}

/// The keys that one of the questions above answers.
pub(super) fn keys(connection: &Connection, sql: &str, asked: &str) -> rusqlite::Result<Vec<String>> {
    let key = |row: &Row<'_>| row.get(0);
    connection
        .prepare_cached(sql)?
        .query_map(params![asked], key)?
        .collect()
}

/// The documents that a message is.
pub(super) fn keys_of(connection: &Connection, message: MsgId) -> rusqlite::Result<Vec<String>> {
    keys(connection, KEYS_OF, &message.to_string())
}
