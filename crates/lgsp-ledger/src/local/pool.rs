//! A few read-only connections, used on threads that may block.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::file;
use crate::ledger::{Cause, ReadError};

/// So many reads run at once; the others wait their turn.
const READERS: u32 = 4;

#[derive(Debug)]
pub(super) struct Pool {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    turns: Arc<Semaphore>,
}

impl Pool {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            idle: Mutex::default(),
            turns: Arc::new(Semaphore::new(READERS as usize)),
        }
    }

    /// Runs `read` with a connection of its own. Cancel safe: a dropped read ends by itself.
    pub(super) async fn with<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Connection) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|_| ReadError::Closed)?;
        let pool = Arc::clone(self);
        let answer = spawn_blocking(move || {
            let connection = pool.take()?;
            let answer = read(&connection);
            // What could not be read through this connection may be readable through a new one.
            if answer.is_ok() && !pool.turns.is_closed() {
                pool.idle
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(connection);
            }
            drop(turn);
            answer
        });
        answer
            .await
            .map_err(|source| ReadError::Unavailable { source: source.into() })?
    }

    fn take(&self) -> Result<Connection, ReadError> {
        if let Some(connection) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(connection);
        }
        file::connect_reader(&self.path).map_err(|source| ReadError::Unavailable {
            source: Cause::from(source),
        })
    }

    /// Waits for the reads under way; later ones are refused.
    pub(super) async fn close(&self) {
        // An error only says that it is closed already.
        if let Ok(turns) = self.turns.acquire_many(READERS).await {
            turns.forget();
        }
        self.shut();
    }

    /// Later reads are refused; those under way close their connections by themselves.
    pub(super) fn shut(&self) {
        self.turns.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
