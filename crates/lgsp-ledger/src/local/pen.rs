//! The one connection that writes: a group of records in one transaction, one fsync.

use std::path::Path;

use rusqlite::{Connection, Error, TransactionState, params};
use tracing::warn;

use super::check::{self, Manifest, OpenError};
use super::fault::{self, Kind};
use super::file;
use super::queue::Waiting;
use super::sums;

/// After so much was committed the write-ahead log is carried over into the file, while nobody waits.
const CARRY_OVER_BYTES: usize = 8 * 1024 * 1024;
/// What a commit writes besides its records, about: two pages.
const COMMIT_BYTES: usize = 8 * 1024;
/// A write-ahead log that readers kept from starting anew is cut at this many pages, waiting for them.
const LOG_PAGES_MAX: i64 = 16 * 1024;

/// Why a group was not written.
#[derive(Debug)]
pub(super) enum Slip {
    /// Rolled back: certainly not in the log.
    Full,
    /// Not begun: certainly not in the log.
    Busy,
    /// The log may hold the group: the file has to be read again.
    Unsure(Error),
}

#[derive(Debug)]
pub(super) struct Pen {
    connection: Connection,
    inserts: Vec<String>,
    ends: Vec<u64>,
    /// Whether what a crash or a failed commit left in the write-ahead log is out of the way for good.
    settled: bool,
    uncarried_bytes: usize,
}

impl Pen {
    /// Opens, checks and settles the file. A full disk is no reason not to open: the first append will say so.
    pub(super) fn open(path: &Path, pages_max: Option<u32>) -> Result<(Self, Manifest), OpenError> {
        let connection = file::connect_writer(path).map_err(OpenError::sqlite)?;
        let manifest = check::manifest(&connection)?;
        let ends = check::whole(&connection, path, manifest.partitions)?;
        if connection.is_readonly("main").map_err(OpenError::sqlite)? {
            return Err(check::read_only(path));
        }
        file::trust(&connection).map_err(OpenError::sqlite)?;
        if let Some(pages) = pages_max {
            connection
                .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
                .map_err(OpenError::sqlite)?;
        }
        let inserts = (0..manifest.partitions).map(insert).collect();
        let mut pen = Self {
            connection,
            inserts,
            ends,
            settled: false,
            uncarried_bytes: 0,
        };
        match pen.settle() {
            Ok(()) => {}
            Err(error) if fault::kind(&error) == Kind::Full => warn!("no room: the ledger opens for reading"),
            Err(error) => return Err(OpenError::sqlite(error)),
        }
        Ok((pen, manifest))
    }

    /// The next offset of each partition.
    pub(super) fn ends(&self) -> &[u64] {
        &self.ends
    }

    /// A failed commit can leave its group whole in the write-ahead log although this process read that it is not in
    /// the ledger; a crash would then bring it back. One small commit of our own stands in its place for good. It
    /// counts the starts, so that it changes something.
    fn settle(&mut self) -> rusqlite::Result<()> {
        self.carry_over("PRAGMA wal_checkpoint(TRUNCATE)");
        let started = self
            .connection
            .execute("UPDATE start SET times = times + 1 WHERE id = 1", [])?;
        if started != 1 {
            return Err(Error::QueryReturnedNoRows);
        }
        self.settled = true;
        Ok(())
    }

    /// Writes the group at one time; answers the offset of each record.
    pub(super) fn write(&mut self, group: &[Waiting], append_ms: u64) -> Result<Vec<u64>, Slip> {
        if !self.settled {
            self.settle().map_err(|error| {
                if fault::kind(&error) == Kind::Full {
                    Slip::Full
                } else {
                    Slip::Unsure(error)
                }
            })?;
        }
        if let Err(error) = self.run("BEGIN IMMEDIATE") {
            return Err(if fault::kind(&error) == Kind::Busy {
                Slip::Busy
            } else {
                Slip::Unsure(error)
            });
        }
        let mut ends = self.ends.clone();
        match self.commit(group, append_ms, &mut ends) {
            Ok(offsets) => {
                #[cfg(test)]
                super::tests::bite::at("after its commit");
                self.ends = ends;
                let bytes: usize = group.iter().map(|waiting| waiting.record.len()).sum();
                self.uncarried_bytes = self.uncarried_bytes.saturating_add(bytes).saturating_add(COMMIT_BYTES);
                Ok(offsets)
            }
            Err(error) if fault::kind(&error) == Kind::Full && self.roll_back() => Err(Slip::Full),
            Err(error) => Err(Slip::Unsure(error)),
        }
    }

    fn commit(&self, group: &[Waiting], append_ms: u64, ends: &mut [u64]) -> rusqlite::Result<Vec<u64>> {
        let offsets = self.insert_all(group, append_ms, ends)?;
        #[cfg(test)]
        super::tests::bite::at("before its commit");
        self.run("COMMIT")?;
        Ok(offsets)
    }

    fn insert_all(&self, group: &[Waiting], append_ms: u64, ends: &mut [u64]) -> rusqlite::Result<Vec<u64>> {
        let mut offsets = Vec::with_capacity(group.len());
        let mut last = vec![None; ends.len()];
        for Waiting { partition, record, .. } in group {
            let place = *partition as usize;
            let (Some(end), Some(insert), Some(last)) =
                (ends.get_mut(place), self.inserts.get(place), last.get_mut(place))
            else {
                return Err(Error::InvalidParameterName(String::from("partition")));
            };
            let sum = sums::of_record(append_ms, record);
            let row = params![signed(*end)?, signed(append_ms)?, sum, record.as_ref()];
            self.connection.prepare_cached(insert)?.execute(row)?;
            #[cfg(test)]
            super::tests::bite::at("in a group");
            offsets.push(*end);
            *last = Some(sum);
            *end += 1;
        }
        let mut head = self
            .connection
            .prepare_cached("UPDATE head SET next = ?2, sum = ?3 WHERE partition = ?1")?;
        for ((partition, end), last) in (0_u32..).zip(ends.iter()).zip(last) {
            let Some(last) = last else { continue };
            let row = params![partition, signed(*end)?, sums::of_head(partition, *end, &last)];
            if head.execute(row)? != 1 {
                return Err(Error::QueryReturnedNoRows);
            }
        }
        Ok(offsets)
    }

    fn run(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    /// SQLite rolls some failed transactions back by itself.
    fn roll_back(&self) -> bool {
        (self.connection.is_autocommit() || self.run("ROLLBACK").is_ok())
            && self.connection.is_autocommit()
            && self
                .connection
                .transaction_state(Some("main"))
                .is_ok_and(|state| state == TransactionState::None)
    }

    /// Carries the write-ahead log over into the file when it has grown enough. Call it while nobody waits.
    pub(super) fn rest(&mut self) {
        if self.uncarried_bytes < CARRY_OVER_BYTES {
            return;
        }
        self.uncarried_bytes = 0;
        if self.carry_over("PRAGMA wal_checkpoint(PASSIVE)") > LOG_PAGES_MAX {
            self.carry_over("PRAGMA wal_checkpoint(TRUNCATE)");
        }
    }

    /// Answers how many pages the log holds. What could not be carried over is durable where it is, and is tried again.
    fn carry_over(&self, sql: &str) -> i64 {
        let pages = self.connection.query_row(sql, [], |row| row.get(1));
        pages.unwrap_or_else(|error| {
            warn!(
                error = &error as &dyn std::error::Error,
                "the write-ahead log could not be carried over"
            );
            0
        })
    }

    /// Leaves one file behind, if no reader of another process is in the way.
    pub(super) fn close(self) {
        self.carry_over("PRAGMA wal_checkpoint(TRUNCATE)");
        if let Err((_, error)) = self.connection.close() {
            warn!(
                error = &error as &dyn std::error::Error,
                "the ledger could not be closed"
            );
        }
    }
}

fn insert(partition: u32) -> String {
    format!("INSERT INTO record_{partition} (\"offset\", append_ms, sum, record) VALUES (?1, ?2, ?3, ?4)")
}

/// SQLite's integers are signed; nobody lives to see the difference.
fn signed(value: u64) -> rusqlite::Result<i64> {
    i64::try_from(value).map_err(|error| Error::ToSqlConversionFailure(error.into()))
}
