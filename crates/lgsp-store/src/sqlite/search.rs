//! Finding messages: by their document's number or id, by their own id, by a delivery's; and what refers to them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use lgsp_types::{DeliveryId, DocumentRef, MsgId, Relation, fold};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::read;
use super::values::{msg_id, relation_of};
use crate::rows::{Found, MessageRow, Search};

/// Messages with a reference to a document: by its id, or by its code, with any id or only where none is given.
pub(super) const NAMING: &str = "SELECT m.msg_id, m.accepted_ms, m.at_partition, m.at_offset FROM message m \
     WHERE m.msg_id IN (SELECT msg_id FROM document WHERE id_folded = ?1 AND id_folded <> '' \
     UNION SELECT msg_id FROM document WHERE code_folded = ?2 AND code_folded <> '' AND (?3 = 1 OR id_folded = '')) \
     ORDER BY m.accepted_ms DESC, m.at_partition DESC, m.at_offset DESC LIMIT ?4";
/// What one of those messages says of that document.
pub(super) const RELATIONS: &str = "SELECT relation FROM document \
     WHERE id_folded = ?1 AND id_folded <> '' AND msg_id = ?4 UNION SELECT relation FROM document \
     WHERE code_folded = ?2 AND code_folded <> '' AND (?3 = 1 OR id_folded = '') AND msg_id = ?4 ORDER BY relation";
pub(super) const MESSAGE_OF: &str = "SELECT msg_id FROM delivery WHERE delivery_id = ?1";

/// A document as references name it, folded; empty: not looked for by that.
#[derive(Debug)]
struct Named {
    id: String,
    code: String,
    /// Whether a reference by code counts that gives an id as well.
    any_id: bool,
}

/// Ledger time, partition and offset, the latest first.
type Latest = Reverse<(i64, i64, i64)>;

pub(super) fn find_messages(connection: &Connection, search: &Search, limit: u32) -> rusqlite::Result<Vec<Found>> {
    match search {
        Search::DocumentCode(code) => about(connection, &[Named::by_code(code)], limit),
        Search::DocumentId(id) => about(connection, &[Named::by_id(id)], limit),
        Search::Message(id) => around(connection, *id, limit),
        Search::Delivery(id) => match message_of(connection, *id)? {
            Some(id) => around(connection, id, limit),
            None => Ok(Vec::new()),
        },
    }
}

fn message_of(connection: &Connection, id: DeliveryId) -> rusqlite::Result<Option<MsgId>> {
    let mut statement = connection.prepare_cached(MESSAGE_OF)?;
    statement.query_row(params![id.to_string()], msg_id).optional()
}

/// A message, and those that refer to a document that it is.
fn around(connection: &Connection, id: MsgId, limit: u32) -> rusqlite::Result<Vec<Found>> {
    let Some(message) = read::message(connection, id)? else {
        return Ok(Vec::new());
    };
    let mut found = about(connection, &documents_of(&message), limit)?;
    found.retain(|found| found.message.msg_id != id);
    // The one that was asked for is never left out: it stands at its place among those that are answered.
    found.truncate((limit as usize).saturating_sub(1));
    let place = |message: &MessageRow| Reverse((message.accepted_ms, message.position));
    let at = found.partition_point(|found| place(&found.message) < place(&message));
    let relations = Vec::new();
    found.insert(at, Found { message, relations });
    found.truncate(limit as usize);
    Ok(found)
}

impl Named {
    fn by_code(code: &str) -> Self {
        Self {
            id: String::new(),
            code: fold(code),
            any_id: true,
        }
    }

    fn by_id(id: &str) -> Self {
        Self {
            id: fold(id),
            code: String::new(),
            any_id: false,
        }
    }

    /// One document: by its id; by its code where one of the two sides gives no id.
    fn one(document: &DocumentRef) -> Self {
        let id = fold(&document.id);
        Self {
            any_id: id.is_empty(),
            code: fold(&document.code),
            id,
        }
    }
}

/// The documents that a message is.
fn documents_of(message: &MessageRow) -> Vec<Named> {
    let is = message
        .documents
        .iter()
        .filter(|document| document.relation == Relation::Is);
    is.map(Named::one).collect()
}

fn about(connection: &Connection, documents: &[Named], limit: u32) -> rusqlite::Result<Vec<Found>> {
    let mut latest: BTreeMap<Latest, (MsgId, Vec<Relation>)> = BTreeMap::new();
    for document in documents {
        for (place, id) in naming(connection, document, limit)? {
            let (_, relations) = latest.entry(place).or_insert_with(|| (id, Vec::new()));
            for relation in relations_to(connection, document, id)? {
                if !relations.contains(&relation) {
                    relations.push(relation);
                }
            }
        }
    }
    let mut found = Vec::new();
    for (id, relations) in latest.into_values().take(limit as usize) {
        let message = read::message(connection, id)?;
        found.extend(message.map(|message| Found { message, relations }));
    }
    Ok(found)
}

fn naming(connection: &Connection, document: &Named, limit: u32) -> rusqlite::Result<Vec<(Latest, MsgId)>> {
    let place = |row: &Row<'_>| {
        let place = (row.get("accepted_ms")?, row.get("at_partition")?, row.get("at_offset")?);
        Ok((Reverse(place), msg_id(row)?))
    };
    connection
        .prepare_cached(NAMING)?
        .query_map(params![document.id, document.code, document.any_id, limit], place)?
        .collect()
}

fn relations_to(connection: &Connection, document: &Named, id: MsgId) -> rusqlite::Result<Vec<Relation>> {
    let of_message = params![document.id, document.code, document.any_id, id.to_string()];
    connection
        .prepare_cached(RELATIONS)?
        .query_map(of_message, relation_of)?
        .collect()
}
