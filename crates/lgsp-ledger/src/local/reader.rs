//! The file of a local ledger as whoever only reads it sees it: beside a running writer, or at rest.

use std::path::Path;

use rusqlite::Connection;

use super::check::{self, OpenError};
use super::{file, scan};
use crate::ledger::{Entry, ReadError, ReadLimit};
use crate::reader::{Log, Reader};

/// Without its writer's lock and without writing to it. SQLite keeps `-wal` and `-shm` files beside the ledger while it
/// is read; from a read-only folder a ledger at rest is read as it lies.
#[derive(Debug)]
pub(crate) struct FileLog {
    connection: Connection,
}

impl FileLog {
    /// Checks header, tables and manifest; the records are checked as they are read.
    pub(super) fn open(path: &Path) -> Result<Reader, OpenError> {
        check::presence(path)?;
        let connection = file::connect_reader(path).map_err(OpenError::sqlite)?;
        let manifest = check::manifest(&connection)?;
        Ok(Reader::new(manifest, Log::File(Self { connection })))
    }

    /// The end of a partition, after its head was held against its last record.
    pub(crate) fn end(&self, partition: u32) -> Result<u64, ReadError> {
        scan::end(&self.connection, partition)
    }

    pub(crate) fn read(&self, partition: u32, from: u64, limit: ReadLimit) -> Result<Vec<Entry>, ReadError> {
        scan::read(&self.connection, partition, from, limit)
    }
}
