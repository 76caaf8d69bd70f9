//! What an error of SQLite means for a ledger: damage, a full disk, somebody in the way, or the disk itself.

use rusqlite::{Error, ffi};

use crate::ledger::{Cause, ReadError};

/// What the error says about the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The file holds something that no ledger writes.
    Damaged,
    /// The first page is not one of SQLite.
    NotADatabase,
    /// No room; nothing was written that counts.
    Full,
    /// Another connection holds a lock for longer than we wait.
    Busy,
    /// The disk, rights, memory: says nothing about what the file holds.
    Io,
}

/// Sorts an error by what it says about the file.
pub(super) fn kind(error: &Error) -> Kind {
    if matches!(error, Error::InvalidPath(_) | Error::NulError(_)) {
        return Kind::Io;
    }
    // Everything else that is not SQLite's own: a column of another type, a row too few, a statement that does not
    // fit the schema. Our statements are constants, so it is the file that is wrong.
    error
        .sqlite_error()
        .map_or(Kind::Damaged, |failure| kind_of_code(failure.extended_code))
}

/// Source: <https://www.sqlite.org/rescode.html>; the low byte is the primary code.
fn kind_of_code(extended: i32) -> Kind {
    match extended {
        ffi::SQLITE_IOERR_SHORT_READ | ffi::SQLITE_IOERR_DATA | ffi::SQLITE_IOERR_CORRUPTFS => return Kind::Damaged,
        _ => {}
    }
    match extended & 0xff {
        ffi::SQLITE_NOTADB => Kind::NotADatabase,
        ffi::SQLITE_FULL => Kind::Full,
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => Kind::Busy,
        ffi::SQLITE_ERROR
        | ffi::SQLITE_CORRUPT
        | ffi::SQLITE_SCHEMA
        | ffi::SQLITE_TOOBIG
        | ffi::SQLITE_CONSTRAINT
        | ffi::SQLITE_MISMATCH
        | ffi::SQLITE_EMPTY
        | ffi::SQLITE_FORMAT
        | ffi::SQLITE_NOTFOUND
        | ffi::SQLITE_RANGE => Kind::Damaged,
        _ => Kind::Io,
    }
}

/// What a reader at `offset` is told about `error`.
pub(super) fn while_reading(error: Error, partition: u32, offset: u64) -> ReadError {
    match kind(&error) {
        Kind::Damaged | Kind::NotADatabase => {
            let what = "the file's own structure is broken";
            ReadError::Damaged {
                partition,
                offset,
                what,
                source: Some(Cause::from(error)),
            }
        }
        Kind::Full | Kind::Busy | Kind::Io => ReadError::Unavailable {
            source: Cause::from(error),
        },
    }
}
