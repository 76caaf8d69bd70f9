//! The ledger's file: its tables, how it is made, how connections to it are opened, and the lock of its writer.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, params};
use tracing::warn;

use super::fault::{self, Kind};
use super::sums;
use crate::ledger::Cause;

/// "LGSP" in the header of the file.
pub(super) const APPLICATION_ID: i32 = 0x4C47_5350;
/// Version of the tables below.
pub(super) const FORMAT: i64 = 1;
/// The most partitions that a local ledger can have.
pub const PARTITIONS_MAX: u32 = 256;

const NAME_CHARS_MAX: usize = 64;
/// How long a statement waits for a lock that another connection holds for a moment.
const LOCK_WAIT: Duration = Duration::from_secs(5);
const META: &str = "CREATE TABLE meta (id INTEGER PRIMARY KEY, format INTEGER NOT NULL, name TEXT NOT NULL, \
     partitions INTEGER NOT NULL, created_ms INTEGER NOT NULL, sum BLOB NOT NULL) STRICT";
const START: &str = "CREATE TABLE start (id INTEGER PRIMARY KEY, times INTEGER NOT NULL) STRICT";
const HEAD: &str = "CREATE TABLE head (partition INTEGER PRIMARY KEY, next INTEGER NOT NULL, sum BLOB NOT NULL) STRICT";

/// Why a ledger could not be made; nothing was made then.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Choose another path, or open what is there.
    #[error("{path} is already there")]
    Exists { path: PathBuf },
    /// Choose between 1 and [`PARTITIONS_MAX`].
    #[error("a local ledger has 1 to {PARTITIONS_MAX} partitions, not {partitions}")]
    Partitions { partitions: u32 },
    /// Choose a name of 1 to 64 characters out of `a-z`, `0-9`, `-` and `.`.
    #[error("a ledger's name has 1 to {NAME_CHARS_MAX} characters out of a-z, 0-9, `-` and `.`")]
    Name,
    /// Somebody makes or writes a ledger at this very path.
    #[error("another process holds the lock of {path}")]
    Locked { path: PathBuf },
    /// See to the disk or the rights, then try again.
    #[error("{path} could not be made")]
    Io {
        path: PathBuf,
        #[source]
        source: Cause,
    },
}

/// Every table of a ledger with `partitions` partitions, in the order in which they are made.
pub(super) fn schema(partitions: u32) -> Vec<(String, String)> {
    let fixed = [("meta", META), ("start", START), ("head", HEAD)];
    let fixed = fixed.into_iter().map(|(name, sql)| (name.to_owned(), sql.to_owned()));
    fixed
        .chain((0..partitions).map(|partition| (format!("record_{partition}"), record_table(partition))))
        .collect()
}

/// The sum stands before the record, so that it can be read without the record's overflow pages.
fn record_table(partition: u32) -> String {
    format!(
        "CREATE TABLE record_{partition} (\"offset\" INTEGER PRIMARY KEY, append_ms INTEGER NOT NULL, \
         sum BLOB NOT NULL, record BLOB NOT NULL) STRICT"
    )
}

/// Makes an empty ledger. It is built beside its path and renamed: a crash leaves no half-made ledger.
pub(super) fn create(path: &Path, name: &str, partitions: u32, created_ms: u64) -> Result<(), CreateError> {
    if partitions == 0 || partitions > PARTITIONS_MAX {
        return Err(CreateError::Partitions { partitions });
    }
    if !is_ledger_name(name) {
        return Err(CreateError::Name);
    }
    let failed = |source: Cause| CreateError::Io {
        path: path.to_owned(),
        source,
    };
    let _lock = Lock::take(path).map_err(|error| match error {
        TryLockError::WouldBlock => CreateError::Locked { path: path.to_owned() },
        TryLockError::Error(source) => failed(source.into()),
    })?;
    // A `-wal` left by a file that was deleted would be played into the new one.
    for taken in [path.to_owned(), beside(path, "-wal"), beside(path, "-journal")] {
        if taken.try_exists().map_err(|source| failed(source.into()))? {
            return Err(CreateError::Exists { path: taken });
        }
    }
    let draft = beside(path, ".new");
    sweep(&draft).map_err(|source| failed(source.into()))?;
    build(&draft, name, partitions, created_ms).map_err(|source| failed(source.into()))?;
    settle(&draft, path).map_err(|source| failed(source.into()))
}

/// Whether a ledger can have this name: 1 to 64 characters out of `a-z`, `0-9`, `-` and `.`. It stands in positions and
/// receipts, which people read and type.
#[must_use]
pub fn is_ledger_name(name: &str) -> bool {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    !name.is_empty() && name.len() <= NAME_CHARS_MAX && name.chars().all(good)
}

/// Removes what a crash while creating left behind.
fn sweep(draft: &Path) -> io::Result<()> {
    for left in [
        draft.to_owned(),
        beside(draft, "-wal"),
        beside(draft, "-shm"),
        beside(draft, "-journal"),
    ] {
        match fs::remove_file(&left) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn build(draft: &Path, name: &str, partitions: u32, created_ms: u64) -> rusqlite::Result<()> {
    let mut connection = Connection::open(draft)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    let transaction = connection.transaction()?;
    for (_, sql) in schema(partitions) {
        transaction.execute(&sql, [])?;
    }
    let created_ms = i64::try_from(created_ms).unwrap_or(i64::MAX);
    let sum = sums::of_manifest(FORMAT, partitions.into(), created_ms, name.as_bytes());
    transaction.execute(
        "INSERT INTO meta (id, format, name, partitions, created_ms, sum) VALUES (1, ?1, ?2, ?3, ?4, ?5)",
        params![FORMAT, name, partitions, created_ms, sum],
    )?;
    transaction.execute("INSERT INTO start (id, times) VALUES (1, 0)", [])?;
    for partition in 0..partitions {
        let sum = sums::of_head(partition, 0, &sums::NO_RECORD);
        transaction.execute(
            "INSERT INTO head (partition, next, sum) VALUES (?1, 0, ?2)",
            params![partition, sum],
        )?;
    }
    transaction.commit()?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.close().map_err(|(_, error)| error)
}

/// Puts the draft in its place, durably.
fn settle(draft: &Path, path: &Path) -> io::Result<()> {
    File::open(draft)?.sync_all()?;
    fs::rename(draft, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// `<path><suffix>`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// A connection that may write. Nothing is written by opening it, and nothing is carried out of a write-ahead log by
/// closing it, before [`trust`].
pub(super) fn connect_writer(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    harden(&connection)?;
    Ok(connection)
}

/// Says that the file was checked: from here on a commit is durable and a clean close leaves one file.
pub(super) fn trust(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // The writer carries the log over itself, after it answered.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "cache_size", -16_384)
}

/// A connection that never writes to the ledger.
///
/// SQLite coordinates readers through `<file>-shm`. Where it cannot make one (a read-only folder or medium) and no
/// `-wal` is there to be read, the file is at rest and is read as it lies.
pub(super) fn connect_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    harden(&connection)?;
    match probe(&connection) {
        Err(error) if fault::kind(&error) == Kind::Io && is_at_rest(path) => {
            let as_it_lies = Connection::open_with_flags(immutable_uri(path), flags | OpenFlags::SQLITE_OPEN_URI)?;
            harden(&as_it_lies)?;
            Ok(as_it_lies)
        }
        Ok(()) | Err(_) => Ok(connection),
    }
}

fn harden(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(LOCK_WAIT)?;
    connection.set_prepared_statement_cache_capacity(PARTITIONS_MAX as usize * 4);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // A file that is cut under a map ends the process.
    connection.execute_batch("PRAGMA mmap_size = 0")
}

/// Opening is lazy: the first statement is what finds out whether the file can be read.
fn probe(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
}

fn is_at_rest(path: &Path) -> bool {
    fs::metadata(beside(path, "-wal")).map_or(true, |wal| wal.len() == 0)
}

/// Source: <https://www.sqlite.org/uri.html>, section 3.1.
fn immutable_uri(path: &Path) -> PathBuf {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    PathBuf::from(uri + "?immutable=1")
}

/// Held as long as somebody may write: `<file>.lock`, so that a reader of the ledger never meets it.
#[derive(Debug)]
pub(crate) struct Lock {
    pub(super) file: File,
}

impl Lock {
    pub(crate) fn take(path: &Path) -> Result<Self, TryLockError> {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(beside(path, ".lock"));
        let file = file.map_err(TryLockError::Error)?;
        file.try_lock()?;
        Ok(Self { file })
    }
}

/// Closing alone would not do: a process that is just being started by another thread holds our open files until its
/// exec, and the lock with them (flock(2)).
impl Drop for Lock {
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            warn!(
                error = &error as &dyn std::error::Error,
                "the writer's lock could not be given back"
            );
        }
    }
}
