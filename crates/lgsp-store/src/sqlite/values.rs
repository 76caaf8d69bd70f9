//! Our words in SQL's columns, and back: what does not read back was not written by us, so the store is damaged.

use std::error::Error as StdError;
use std::fmt;

use lgsp_types::{AgencyCode, AgencyId, DeliveryState, Mark, MsgId, Party, ReasonCode, Relation, Role, UnixMs};
use rusqlite::types::Type;
use rusqlite::{Error, Row};

use crate::rows::Position;

/// SQL's integers are signed; nobody lives to see the difference.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Reads what [`number`] wrote.
pub(super) fn unsigned(row: &Row<'_>, column: &'static str) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| foreign(column))
}

/// A column holds a word that is none of ours.
#[derive(Debug)]
struct Foreign {
    column: &'static str,
}

impl fmt::Display for Foreign {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "column `{}` holds what no store writes", self.column)
    }
}

impl StdError for Foreign {}

pub(super) fn foreign(column: &'static str) -> Error {
    Error::FromSqlConversionFailure(0, Type::Text, Box::new(Foreign { column }))
}

/// Reads a text column through the type's own `parse`.
pub(super) fn parsed<T, E>(
    row: &Row<'_>,
    column: &'static str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str().map_err(|_| foreign(column))?;
    parse(text).map_err(|_| foreign(column))
}

/// Reads a text column that may be NULL.
pub(super) fn parsed_if_any<T, E>(
    row: &Row<'_>,
    column: &'static str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> rusqlite::Result<Option<T>> {
    let text = row.get_ref(column)?.as_str_or_null().map_err(|_| foreign(column))?;
    text.map(parse).transpose().map_err(|_| foreign(column))
}

/// Reads a column that holds one of a few names.
pub(super) fn named<T>(
    row: &Row<'_>,
    column: &'static str,
    from_name: impl FnOnce(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    parsed(row, column, |name| from_name(name).ok_or(()))
}

pub(super) fn time(row: &Row<'_>, column: &'static str) -> rusqlite::Result<UnixMs> {
    unsigned(row, column).map(UnixMs)
}

pub(super) fn position(row: &Row<'_>) -> rusqlite::Result<Position> {
    Ok(Position {
        partition: row.get("at_partition")?,
        offset: unsigned(row, "at_offset")?,
    })
}

pub(super) fn msg_id(row: &Row<'_>) -> rusqlite::Result<MsgId> {
    parsed(row, "msg_id", MsgId::parse)
}

pub(super) fn party(row: &Row<'_>, agency: &'static str, code: &'static str) -> rusqlite::Result<Party> {
    Ok(Party {
        agency: parsed(row, agency, AgencyId::stored)?,
        code: parsed(row, code, AgencyCode::parse)?,
    })
}

pub(super) fn reason_of(row: &Row<'_>) -> rusqlite::Result<Option<ReasonCode>> {
    parsed_if_any(row, "reason", ReasonCode::parse)
}

pub(super) fn state_of(row: &Row<'_>) -> rusqlite::Result<DeliveryState> {
    named(row, "state", DeliveryState::from_name)
}

/// The soft mark that was joined to a delivery.
pub(super) fn mark_of(row: &Row<'_>) -> rusqlite::Result<Option<(Mark, UnixMs)>> {
    match parsed_if_any(row, "mark", |name| Mark::from_name(name).ok_or(()))? {
        Some(mark) => Ok(Some((mark, time(row, "marked_ms")?))),
        None => Ok(None),
    }
}

pub(super) const fn of_relation(relation: Relation) -> &'static str {
    match relation {
        Relation::Is => "is",
        Relation::About => "about",
        Relation::ActsOn => "acts on",
        Relation::Replaces => "replaces",
    }
}

pub(super) fn relation_of(row: &Row<'_>) -> rusqlite::Result<Relation> {
    named(row, "relation", |name| {
        let relations = [Relation::Is, Relation::About, Relation::ActsOn, Relation::Replaces];
        relations.into_iter().find(|relation| of_relation(*relation) == name)
    })
}

pub(super) const fn of_role(role: Role) -> &'static str {
    match role {
        Role::Original => "original",
        Role::Attachment => "attachment",
    }
}

pub(super) fn role_of(row: &Row<'_>) -> rusqlite::Result<Role> {
    named(row, "role", |name| {
        let roles = [Role::Original, Role::Attachment];
        roles.into_iter().find(|role| of_role(*role) == name)
    })
}
