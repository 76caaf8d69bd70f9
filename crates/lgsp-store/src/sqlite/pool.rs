//! A few connections to one file, used on threads that may block; whoever finds none idle waits its turn.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use crate::store::StoreError;

/// How long a statement waits for a lock that another connection holds for a moment.
const LOCK_WAIT: Duration = Duration::from_secs(5);
/// Memory of the connection that writes.
const WRITER_CACHE_KIB: i64 = 32 * 1024;
/// The write-ahead log is carried over into the file when it has so many pages of 4,096 bytes: ids are spread over the
/// whole file, so a short log would write the same pages again and again.
const LOG_PAGES: u32 = 8 * 1024;
/// More than there are statements.
const STATEMENTS_KEPT: usize = 64;

/// What the connections of a pool may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    /// The store is full at so many pages of 4,096 bytes; none: when the disk is.
    Write {
        pages_max: Option<u32>,
    },
}

#[derive(Debug)]
pub(super) struct Pool {
    path: PathBuf,
    access: Access,
    size: u32,
    idle: Mutex<Vec<Connection>>,
    turns: Arc<Semaphore>,
}

impl Pool {
    /// A pool of at most `size` connections; these are open already.
    pub(super) fn new(path: PathBuf, access: Access, size: u32, open: Vec<Connection>) -> Self {
        Self {
            path,
            access,
            size,
            idle: Mutex::new(open),
            turns: Arc::new(Semaphore::new(size as usize)),
        }
    }

    /// Runs `work` with a connection of its own. What was begun ends, even if nobody waits for it any more.
    pub(super) async fn with<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(|_| StoreError::Closed)?;
        let pool = Arc::clone(self);
        let answer = spawn_blocking(move || pool.work(turn, work));
        answer
            .await
            .map_err(|source| StoreError::Unavailable { source: source.into() })?
    }

    /// As [`Self::with`], on this thread, which may block and belongs to the runtime.
    pub(super) fn with_here<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let turn = Handle::current().block_on(Arc::clone(&self.turns).acquire_owned());
        self.work(turn.map_err(|_| StoreError::Closed)?, work)
    }

    fn work<T>(
        &self,
        turn: OwnedSemaphorePermit,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.take()?;
        let answer = work(&mut connection);
        if is_good(&connection, &answer) && !self.turns.is_closed() {
            self.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(connection);
        }
        drop(turn);
        answer
    }

    fn take(&self) -> Result<Connection, StoreError> {
        if let Some(connection) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(connection);
        }
        Ok(connect(&self.path, self.access)?)
    }

    /// Waits for what is under way, refuses what comes later, and closes the connections.
    pub(super) async fn close(&self) {
        // An error only says that it is closed already.
        if let Ok(turns) = self.turns.acquire_many(self.size).await {
            turns.forget();
        }
        self.turns.close();
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        drop(spawn_blocking(move || drop(idle)).await);
    }
}

/// What could not be done through this connection may be possible through a new one.
fn is_good<T>(connection: &Connection, answer: &Result<T, StoreError>) -> bool {
    let broken = matches!(answer, Err(StoreError::Damaged { .. } | StoreError::Unavailable { .. }));
    !broken && connection.is_autocommit()
}

/// Opens an existing file.
pub(super) fn connect(path: &Path, access: Access) -> rusqlite::Result<Connection> {
    let mode = match access {
        Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Access::Write { .. } => OpenFlags::SQLITE_OPEN_READ_WRITE,
    };
    let connection = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(LOCK_WAIT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // Else values that are bound may make a kept statement be planned anew at every use: none of ours gains by that.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // A file that is cut under a map ends the process.
    connection.execute_batch("PRAGMA mmap_size = 0")?;
    if let Access::Write { pages_max } = access {
        // A commit may be lost with the power, never half of one: the ledger has all of it.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
        connection.execute_batch(&format!("PRAGMA wal_autocheckpoint = {LOG_PAGES}"))?;
        if let Some(pages) = pages_max {
            connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
        }
    }
    Ok(connection)
}

/// Carries the write-ahead log over into the file, so that closing leaves one file behind.
pub(super) fn carry_over(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}
