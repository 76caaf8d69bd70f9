//! What is looked at before a file is taken for a ledger; nothing is ever repaired.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Error};

use super::fault::{self, Kind};
use super::file::{APPLICATION_ID, FORMAT, PARTITIONS_MAX, schema};
use super::scan;
use super::sums::{self, Sum};
use crate::ledger::{Cause, ReadError, ReadLimit};

/// So many of the last records of each partition are held against their sums when a ledger is opened.
const SUMS_AT_OPEN: u64 = 1_000;
const BATCH: ReadLimit = ReadLimit {
    entries: 256,
    bytes: 4 * 1024 * 1024,
};

/// What a ledger says of itself; none of it ever changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its name in positions and receipts.
    pub name: String,
    /// How many partitions it has.
    pub partitions: u32,
    /// When it was made, Unix milliseconds; 0: nobody wrote it down.
    pub created_ms: u64,
}

/// Why a file was not opened as a ledger. Nothing in the file was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Create the ledger, or correct the path.
    #[error("there is no ledger at {path}")]
    Missing { path: PathBuf },
    /// Correct the path, or restore the file.
    #[error("the file is not a ledger: {what}")]
    NotALedger {
        what: &'static str,
        #[source]
        source: Option<Cause>,
    },
    /// Use the program that wrote it, or a newer one.
    #[error("the ledger has format {format}, this program knows {FORMAT}")]
    Format { format: i64 },
    /// Stop, keep the file as it is, restore a copy.
    #[error("the ledger is damaged: {what}{}", place(*partition, *offset))]
    Damaged {
        what: &'static str,
        /// Where, if it can be said.
        partition: Option<u32>,
        /// The first offset that cannot be answered as it was appended, if it can be said.
        offset: Option<u64>,
        #[source]
        source: Option<Cause>,
    },
    /// Another process, or another part of this one, writes this ledger.
    #[error("another writer holds {path}")]
    Locked { path: PathBuf },
    /// See to the disk or the rights, then try again.
    #[error("the ledger could not be opened")]
    Io {
        #[source]
        source: Cause,
    },
}

fn place(partition: Option<u32>, offset: Option<u64>) -> String {
    let partition = partition
        .map(|partition| format!(", partition {partition}"))
        .unwrap_or_default();
    let offset = offset.map(|offset| format!(", offset {offset}")).unwrap_or_default();
    partition + &offset
}

impl OpenError {
    pub(super) fn io(source: impl Into<Cause>) -> Self {
        Self::Io { source: source.into() }
    }

    pub(super) fn damaged(what: &'static str) -> Self {
        Self::Damaged {
            what,
            partition: None,
            offset: None,
            source: None,
        }
    }

    pub(super) fn sqlite(error: Error) -> Self {
        match fault::kind(&error) {
            Kind::NotADatabase => Self::NotALedger {
                what: "it has no header of one",
                source: Some(Cause::from(error)),
            },
            Kind::Damaged => Self::Damaged {
                what: "the file's own structure is broken",
                partition: None,
                offset: None,
                source: Some(Cause::from(error)),
            },
            Kind::Full | Kind::Busy | Kind::Io => Self::io(error),
        }
    }

    fn reading(error: ReadError) -> Self {
        match error {
            ReadError::Damaged {
                partition,
                offset,
                what,
                source,
            } => Self::Damaged {
                what,
                partition: Some(partition),
                offset: Some(offset),
                source,
            },
            ReadError::Unavailable { source } => Self::Io { source },
            other @ (ReadError::NoSuchPartition { .. } | ReadError::Closed) => Self::io(other),
        }
    }
}

/// Is there a file at all; without opening it, which would drop the locks that this process holds on it (fcntl(2)).
pub(super) fn presence(path: &Path) -> Result<(), OpenError> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err(OpenError::NotALedger {
            what: "it is not a regular file",
            source: None,
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(OpenError::Missing { path: path.to_owned() }),
        Err(error) => Err(OpenError::io(error)),
    }
}

/// Header, tables and manifest.
pub(super) fn manifest(connection: &Connection) -> Result<Manifest, OpenError> {
    let id: i32 = connection
        .query_row("PRAGMA application_id", [], |row| row.get(0))
        .map_err(OpenError::sqlite)?;
    if id != APPLICATION_ID {
        return Err(OpenError::NotALedger {
            what: "its application id is another",
            source: None,
        });
    }
    let manifest = meta(connection)?;
    if tables(connection).map_err(OpenError::sqlite)? != schema(manifest.partitions) {
        return Err(OpenError::damaged("the tables are not those of a ledger"));
    }
    Ok(manifest)
}

fn meta(connection: &Connection) -> Result<Manifest, OpenError> {
    let sql = "SELECT format, partitions, created_ms, sum, name FROM meta WHERE id = 1";
    let (format, partitions, created_ms, sum, name): (i64, i64, i64, Sum, String) = connection
        .query_row(sql, [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })
        .map_err(OpenError::sqlite)?;
    if sum != sums::of_manifest(format, partitions, created_ms, name.as_bytes()) {
        return Err(OpenError::damaged("the manifest does not fit its sum"));
    }
    if format != FORMAT {
        return Err(OpenError::Format { format });
    }
    let partitions = u32::try_from(partitions)
        .ok()
        .filter(|count| (1..=PARTITIONS_MAX).contains(count));
    match (partitions, u64::try_from(created_ms)) {
        (Some(partitions), Ok(created_ms)) => Ok(Manifest {
            name,
            partitions,
            created_ms,
        }),
        _ => Err(OpenError::damaged("the manifest is out of bounds")),
    }
}

/// A trigger or a view that somebody put into the file would run with our rights: the tables are compared to the letter.
fn tables(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement = connection.prepare("SELECT name, sql FROM sqlite_schema ORDER BY rowid")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Everything that is checked before the first append: size, journal, density, heads, the last sums of each partition.
/// Answers the end of each partition.
pub(super) fn whole(connection: &Connection, path: &Path, partitions: u32) -> Result<Vec<u64>, OpenError> {
    journal(connection)?;
    size(connection, path)?;
    (0..partitions)
        .map(|partition| whole_partition(connection, partition).map_err(OpenError::reading))
        .collect()
}

/// Without its write-ahead log the file would have neither readers beside a writer nor our crash behaviour.
fn journal(connection: &Connection) -> Result<(), OpenError> {
    let mode: String = connection
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .map_err(OpenError::sqlite)?;
    if mode == "wal" {
        Ok(())
    } else {
        Err(OpenError::damaged("the journal is not a write-ahead log"))
    }
}

/// A ledger never shrinks. A file longer than its header says would be overwritten in its middle by the next append.
fn size(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let ask = |sql: &str| {
        connection
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .map_err(OpenError::sqlite)
    };
    let said = ask("PRAGMA page_count")?
        .saturating_mul(ask("PRAGMA page_size")?)
        .unsigned_abs();
    let found = fs::metadata(path).map_err(OpenError::io)?.len();
    if found > said {
        Err(OpenError::damaged("the file is longer than its header says"))
    } else {
        Ok(())
    }
}

fn whole_partition(connection: &Connection, partition: u32) -> Result<u64, ReadError> {
    let next = scan::end(connection, partition)?;
    density(connection, partition, next)?;
    let mut from = next.saturating_sub(SUMS_AT_OPEN);
    while from < next {
        let entries = scan::read(connection, partition, from, BATCH)?;
        from = entries.last().map_or(next, |entry| entry.offset + 1);
    }
    Ok(next)
}

/// Count = end. Where not, the first offset that is missing is named.
fn density(connection: &Connection, partition: u32, next: u64) -> Result<(), ReadError> {
    let failed = |error| fault::while_reading(error, partition, 0);
    let count = format!("SELECT count(*) FROM record_{partition}");
    let count: i64 = connection.query_row(&count, [], |row| row.get(0)).map_err(failed)?;
    if count.unsigned_abs() == next {
        return Ok(());
    }
    let mut statement = connection
        .prepare(&format!("SELECT \"offset\" FROM record_{partition} ORDER BY 1"))
        .map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let mut offset = 0_u64;
    while let Some(row) = rows
        .next()
        .map_err(|error| fault::while_reading(error, partition, offset))?
    {
        if row.get(0).map(i64::unsigned_abs).ok() != Some(offset) {
            break;
        }
        offset += 1;
    }
    Err(ReadError::Damaged {
        partition,
        offset,
        what: "the record is missing",
        source: None,
    })
}

/// SQLite opens a file for reading only when it lacks the right to write, and when the header forbids it.
pub(super) fn read_only(path: &Path) -> OpenError {
    match File::options().write(true).open(path) {
        // Closing this drops the fcntl locks of this process on the file; the ledger is not going to be opened.
        Ok(_) => OpenError::damaged("the header forbids writing"),
        Err(source) => OpenError::io(source),
    }
}
