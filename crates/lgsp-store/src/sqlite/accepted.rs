//! Accepted facts: the first of an id becomes a message with its deliveries, one with its tag is a repeat, another
//! is a conflict until its Conflict fact comes.

use lgsp_types::{
    Accepted, AgencyCode, AgencyId, Attachment, DeliveryId, Digest, DocumentRef, Fact, MsgId, Party, fold,
};
use rusqlite::{OptionalExtension as _, params};
use tracing::warn;

use super::project::{Batch, Place};
use super::values::{number, of_relation, of_role};
use super::{filed, sayings};
use crate::claim::{Effect, Standing};
use crate::rows::{Admitted, Conflict, Projected};

pub(super) fn take(
    batch: &mut Batch<'_>,
    place: Place,
    (fact, message): (&Fact, &Accepted),
    record: &Projected,
) -> rusqlite::Result<()> {
    let effect = match first(batch, message.msg_id)? {
        None => {
            admit(batch, place, fact, message, record.leaf_hash)?;
            sayings::write(batch, place, message, &record.reading)?;
            filed::write(batch, place, message, &record.reading)?;
            Effect::InForce
        }
        Some((_, tag)) if tag == message.request_tag.to_string() => {
            batch.count("repeats", 1);
            Effect::Repeat
        }
        Some((partition, _)) => {
            lose(batch, place, message, partition)?;
            Effect::NoEffect
        }
    };
    batch.event(place, fact, effect)
}

/// Partition and request tag of the Accepted fact that is in force.
fn first(batch: &Batch<'_>, id: MsgId) -> rusqlite::Result<Option<(u32, String)>> {
    let sql = "SELECT at_partition, request_tag FROM message WHERE msg_id = ?1";
    let mut statement = batch.transaction.prepare_cached(sql)?;
    let first = statement.query_row(params![id.to_string()], |row| Ok((row.get(0)?, row.get(1)?)));
    first.optional()
}

fn admit(
    batch: &mut Batch<'_>,
    place: Place,
    fact: &Fact,
    message: &Accepted,
    leaf_hash: Digest,
) -> rusqlite::Result<()> {
    write_message(batch, place, fact, message, leaf_hash)?;
    write_named(batch, place, message)?;
    let written = written(&message.envelope.addressees, &message.clear.to_written);
    for (ordinal, (addressee, written)) in (0_u32..).zip(message.envelope.addressees.iter().zip(written)) {
        let opened = write_delivery(batch, place, fact, message, (ordinal, addressee, written))?;
        batch.count("open", opened);
    }
    batch.count("accepted", 1);
    let agencies = message
        .envelope
        .addressees
        .iter()
        .map(|addressee| addressee.agency.clone());
    batch.applied.accepted.push(Admitted {
        msg_id: message.msg_id,
        addressees: agencies.collect::<Vec<AgencyId>>(),
    });
    Ok(())
}

fn write_message(
    batch: &Batch<'_>,
    place: Place,
    fact: &Fact,
    message: &Accepted,
    leaf_hash: Digest,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO message (msg_id, at_partition, at_offset, append_ms, accepted_ms, leaf_hash, event_id, \
               request_tag, contract, sender_agency, sender_code, from_written, system, order_key, idempotency_key, \
               purpose, to_written, act, due) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)";
    let (envelope, clear) = (&message.envelope, &message.clear);
    // No code has a blank in it.
    let to_written: Vec<&str> = clear.to_written.iter().map(AgencyCode::as_str).collect();
    batch.transaction.prepare_cached(sql)?.execute(params![
        message.msg_id.to_string(),
        batch.partition,
        number(place.offset),
        number(place.append_ms),
        number(place.ledger_ms),
        leaf_hash.to_string(),
        fact.event_id.to_string(),
        message.request_tag.to_string(),
        envelope.contract.to_string(),
        envelope.sender.agency.as_str(),
        envelope.sender.code.as_str(),
        clear.from_written.as_str(),
        envelope.system.as_str(),
        clear.order_key,
        clear.idempotency_key,
        envelope.purpose,
        to_written.join(" "),
        clear.act,
        clear.due.map(|day| day.iso_text()),
    ])?;
    Ok(())
}

/// What an Accepted fact names: a lost one's too, so that its objects are known and an operator finds it by its number.
fn write_named(batch: &Batch<'_>, place: Place, message: &Accepted) -> rusqlite::Result<()> {
    for (ordinal, document) in (0_u32..).zip(&message.clear.documents) {
        write_document(batch, place, message.msg_id, ordinal, document)?;
    }
    for (ordinal, object) in (0_u32..).zip(&message.objects) {
        write_object(batch, place, message.msg_id, ordinal, object)?;
    }
    Ok(())
}

fn write_document(
    batch: &Batch<'_>,
    place: Place,
    msg_id: MsgId,
    ordinal: u32,
    document: &DocumentRef,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO document (at_partition, at_offset, ordinal, msg_id, relation, id, organ, code, dated, \
               id_folded, code_folded) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    batch.transaction.prepare_cached(sql)?.execute(params![
        batch.partition,
        number(place.offset),
        ordinal,
        msg_id.to_string(),
        of_relation(document.relation),
        document.id,
        document.organ,
        document.code,
        document.date,
        fold(&document.id),
        fold(&document.code),
    ])?;
    Ok(())
}

fn write_object(
    batch: &Batch<'_>,
    place: Place,
    msg_id: MsgId,
    ordinal: u32,
    object: &Attachment,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO object (at_partition, at_offset, ordinal, msg_id, role, name, media_type, size_bytes, \
               digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    batch.transaction.prepare_cached(sql)?.execute(params![
        batch.partition,
        number(place.offset),
        ordinal,
        msg_id.to_string(),
        of_role(object.role),
        object.name,
        object.media_type,
        number(object.size_bytes),
        object.digest.to_string(),
    ])?;
    Ok(())
}

/// Answers how many deliveries were opened: an addressee that a foreign hand named twice still gets one.
fn write_delivery(
    batch: &Batch<'_>,
    place: Place,
    fact: &Fact,
    message: &Accepted,
    (ordinal, addressee, written): (u32, &Party, &AgencyCode),
) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO delivery (delivery_id, msg_id, ordinal, agency, code, written, contract_name, \
               at_partition, at_offset, accepted_ms, state, generation, attempts, handed_out, late, reason, \
               last_event, last_offset, changed_ms, listed) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, 0, 0, 0, NULL, ?12, ?9, ?10, 1) \
               ON CONFLICT (delivery_id) DO NOTHING";
    let written = batch.transaction.prepare_cached(sql)?.execute(params![
        DeliveryId::of(message.msg_id, &addressee.agency).to_string(),
        message.msg_id.to_string(),
        ordinal,
        addressee.agency.as_str(),
        addressee.code.as_str(),
        written.as_str(),
        message.envelope.contract.name(),
        batch.partition,
        number(place.offset),
        number(place.ledger_ms),
        Standing::NEW.state.name(),
        fact.event_id.to_string(),
    ])?;
    Ok(i64::from(written > 0))
}

/// The code that the sender wrote for each addressee.
///
/// Addressees are de-duplicated by agency, codes are as written, so the two lists differ in length when two codes name
/// one agency. Then a code is found by its text or by the formula between the two schemes, in the sender's order;
/// where neither tells, the addressee's own code stands in.
pub(super) fn written<'a>(addressees: &'a [Party], to_written: &'a [AgencyCode]) -> Vec<&'a AgencyCode> {
    let mut codes: Vec<&AgencyCode> = Vec::with_capacity(to_written.len());
    for code in to_written {
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    if codes.len() == addressees.len() {
        return codes;
    }
    let names = |code: &AgencyCode, party: &Party| {
        *code == party.code || code.proposed_counterpart().as_ref() == Some(&party.code)
    };
    let found = |party: &'a Party| codes.iter().copied().find(|code| names(code, party));
    addressees
        .iter()
        .map(|party| found(party).unwrap_or(&party.code))
        .collect()
}

fn lose(batch: &mut Batch<'_>, place: Place, message: &Accepted, first_partition: u32) -> rusqlite::Result<()> {
    if first_partition != batch.partition {
        // The order key is part of the id and decides the partition: only a broken ledger holds this.
        warn!(message.id = %message.msg_id, partition = batch.partition, first_partition, "one id in two partitions");
    }
    let sql = "INSERT INTO conflict (at_partition, at_offset, msg_id, request_tag, settled_offset) \
               VALUES (?1, ?2, ?3, ?4, NULL)";
    batch.transaction.prepare_cached(sql)?.execute(params![
        batch.partition,
        number(place.offset),
        message.msg_id.to_string(),
        message.request_tag.to_string(),
    ])?;
    write_named(batch, place, message)?;
    batch.count("conflicts", 1);
    let position = batch.position(place);
    batch.applied.conflicts.push(Conflict {
        msg_id: message.msg_id,
        position,
        request_tag: message.request_tag,
    });
    Ok(())
}

/// A Conflict fact is the end state of the Accepted fact that it names; answers what it did.
pub(super) fn settle(batch: &mut Batch<'_>, place: Place, loser: &Conflict) -> rusqlite::Result<Effect> {
    let at = loser.position;
    if at.partition != batch.partition {
        return Ok(Effect::NoEffect);
    }
    let sql = "SELECT settled_offset FROM conflict \
               WHERE at_partition = ?1 AND at_offset = ?2 AND msg_id = ?3 AND request_tag = ?4";
    let (id, tag) = (loser.msg_id.to_string(), loser.request_tag.to_string());
    let mut statement = batch.transaction.prepare_cached(sql)?;
    let settled = statement.query_row(params![at.partition, number(at.offset), id, tag], |row| row.get(0));
    let settled: Option<Option<i64>> = settled.optional()?;
    match settled {
        None => return Ok(Effect::NoEffect),
        Some(Some(_)) => return Ok(Effect::Repeat),
        Some(None) => {}
    }
    let sql = "UPDATE conflict SET settled_offset = ?1 WHERE at_partition = ?2 AND at_offset = ?3";
    let row = params![number(place.offset), at.partition, number(at.offset)];
    batch.transaction.prepare_cached(sql)?.execute(row)?;
    batch.applied.conflicts.retain(|conflict| conflict.position != at);
    Ok(Effect::InForce)
}
