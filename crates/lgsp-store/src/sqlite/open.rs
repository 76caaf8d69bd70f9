//! Opening a store: made if it is not there, refused if it is another's or another program's, its start counted.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use lgsp_types::Cause;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use thiserror::Error;

use super::fault::{self, Kind};
use super::pool::{self, Access};
use super::schema::{APPLICATION_ID, INDEX_OF_WORDS, INDEXES, TABLES, VERSION};

/// Why a store was not opened. Nothing in it was changed.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Make it again from the ledger.
    #[error(
        "the store at {path} has tables of version {found}, this program uses version {VERSION}: \
         run `lgsp rebuild --replace`"
    )]
    OtherVersion { path: PathBuf, found: i64 },
    /// Correct the settings; if they are right, make the store again from the ledger.
    #[error(
        "the store at {path} belongs to {found}, not to {wanted}: correct the settings or run `lgsp rebuild --replace`"
    )]
    OtherLedger {
        path: PathBuf,
        found: String,
        wanted: String,
    },
    /// Make it again from the ledger.
    #[error("the store at {path} is damaged or is no store: run `lgsp rebuild --replace`")]
    Damaged {
        path: PathBuf,
        #[source]
        source: Cause,
    },
    /// Make room, then start again.
    #[error("there is no room to open the store at {path}")]
    Full { path: PathBuf },
    /// See to the disk or the rights, then start again.
    #[error("the store at {path} cannot be opened")]
    Unavailable {
        path: PathBuf,
        #[source]
        source: Cause,
    },
}

/// Whose store it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) ledger: String,
    pub(super) id_key: String,
    pub(super) partitions: u32,
}

impl Identity {
    fn text(&self) -> String {
        let Self {
            ledger,
            id_key,
            partitions,
        } = self;
        format!("ledger `{ledger}` with id key {id_key} and {partitions} partitions")
    }
}

/// Checks the store, or makes it, and counts the start; answers the epoch and the connection. Blocks.
pub(super) fn open(path: &Path, identity: &Identity, access: Access) -> Result<(u64, Connection), OpenError> {
    let failed = |error: rusqlite::Error| of_sqlite(path, error);
    make_file(path).map_err(|error| of_io(path, error))?;
    let mut connection = pool::connect(path, access).map_err(failed)?;
    if is_blank(&connection).map_err(failed)? {
        create(&mut connection, identity).map_err(failed)?;
    }
    let version = version(&connection).map_err(failed)?;
    if version != VERSION {
        return Err(OpenError::OtherVersion {
            path: path.to_owned(),
            found: version,
        });
    }
    if !has_our_tables(&connection).map_err(failed)? {
        return Err(damaged(path, "its tables are not those of its version"));
    }
    let found = owner(&connection).map_err(failed)?;
    if found.as_ref() != Some(identity) {
        return Err(match found {
            Some(found) => OpenError::OtherLedger {
                path: path.to_owned(),
                found: found.text(),
                wanted: identity.text(),
            },
            None => damaged(path, "it does not say whose it is"),
        });
    }
    match start(&mut connection, identity.partitions).map_err(failed)? {
        Some(epoch) => Ok((epoch, connection)),
        None => Err(damaged(path, "it does not have the partitions it says")),
    }
}

/// SQLite gives its other files the rights of this one: what people write to each other is nobody else's business.
///
/// A file that is there is not opened here: closing it would drop the locks that this process holds on it (fcntl(2)).
fn make_file(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut file = OpenOptions::new();
            file.write(true).create_new(true).mode(0o600).open(path).map(drop)
        }
        Err(error) => Err(error),
    }
}

fn is_blank(connection: &Connection) -> rusqlite::Result<bool> {
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0 && application_id(connection)? == 0)
}

fn application_id(connection: &Connection) -> rusqlite::Result<i32> {
    connection.query_row("PRAGMA application_id", [], |row| row.get(0))
}

/// -1: the file is a database of something else.
fn version(connection: &Connection) -> rusqlite::Result<i64> {
    if application_id(connection)? != APPLICATION_ID {
        return Ok(-1);
    }
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// All tables in one transaction: what a crash leaves is blank and made again.
fn create(connection: &mut Connection, identity: &Identity) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    for sql in TABLES.iter().chain(&INDEXES) {
        transaction.execute(sql, [])?;
    }
    transaction.execute(
        "INSERT INTO store (id, ledger, id_key, partitions, epoch) VALUES (1, ?1, ?2, ?3, 0)",
        params![identity.ledger, identity.id_key, identity.partitions],
    )?;
    for partition in 0..identity.partitions {
        transaction.execute(
            "INSERT INTO progress (at_partition, epoch, next_offset, ledger_ms) VALUES (?1, 0, 0, 0)",
            params![partition],
        )?;
    }
    transaction.commit()
}

fn has_our_tables(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND substr(name, 1, length(?1)) <> ?1 ORDER BY sql";
    let mut statement = connection.prepare(sql)?;
    let found: Vec<String> = statement
        .query_map([INDEX_OF_WORDS], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut ours: Vec<&str> = TABLES.iter().chain(&INDEXES).copied().collect();
    ours.sort_unstable();
    Ok(found == ours)
}

fn owner(connection: &Connection) -> rusqlite::Result<Option<Identity>> {
    let sql = "SELECT ledger, id_key, partitions FROM store WHERE id = 1";
    let identity = |row: &rusqlite::Row<'_>| {
        Ok(Identity {
            ledger: row.get("ledger")?,
            id_key: row.get("id_key")?,
            partitions: row.get("partitions")?,
        })
    };
    connection.query_row(sql, [], identity).optional()
}

/// Counts the start; from here on every earlier start of the node is fenced. None: partitions are missing.
fn start(connection: &mut Connection, partitions: u32) -> rusqlite::Result<Option<u64>> {
    let transaction: Transaction<'_> = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let sql = "UPDATE store SET epoch = epoch + 1 WHERE id = 1 RETURNING epoch";
    let epoch: i64 = transaction.query_row(sql, [], |row| row.get(0))?;
    let fenced = transaction.execute("UPDATE progress SET epoch = ?1", params![epoch])?;
    if fenced != partitions as usize {
        return Ok(None);
    }
    transaction.commit()?;
    Ok(u64::try_from(epoch).ok())
}

fn of_sqlite(path: &Path, error: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match fault::kind(&error) {
        Kind::Full => OpenError::Full { path },
        Kind::Damaged => OpenError::Damaged {
            path,
            source: error.into(),
        },
        Kind::Passing => OpenError::Unavailable {
            path,
            source: error.into(),
        },
    }
}

fn of_io(path: &Path, error: io::Error) -> OpenError {
    let path = path.to_owned();
    if error.kind() == io::ErrorKind::StorageFull {
        return OpenError::Full { path };
    }
    OpenError::Unavailable {
        path,
        source: error.into(),
    }
}

fn damaged(path: &Path, what: &'static str) -> OpenError {
    OpenError::Damaged {
        path: path.to_owned(),
        source: what.into(),
    }
}

/// Puts a closed store in the place of another that nobody has open.
///
/// A write-ahead log must never meet another store than its own, so the old one goes first: a crash in between leaves
/// no store, which the next start makes again from the ledger.
pub(super) fn replace(draft: &Path, path: &Path) -> io::Result<()> {
    if beside(draft, "-wal").try_exists()? {
        return Err(io::Error::other("the store that is to be put in place is still open"));
    }
    erase(path)?;
    fs::rename(draft, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Removes a store that nobody has open, and what SQLite keeps beside it.
pub(super) fn erase(path: &Path) -> io::Result<()> {
    for file in [
        path.to_owned(),
        beside(path, "-wal"),
        beside(path, "-shm"),
        beside(path, "-journal"),
    ] {
        match fs::remove_file(file) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}
