//! Reading a ledger from outside its node: beside a running writer, or when it is at rest.

use crate::kafka::TopicLog;
use crate::ledger::{Entry, ReadError, ReadLimit};
use crate::local::{FileLog, Manifest};

const BATCH: ReadLimit = ReadLimit {
    entries: 256,
    bytes: 4 * 1024 * 1024,
};

/// Reads a ledger without writing to it and in nobody's way; `lgsp verify` uses it beside a node.
///
/// Blocks the thread.
#[derive(Debug)]
pub struct Reader {
    log: Log,
    manifest: Manifest,
}

/// Where the records lie.
#[derive(Debug)]
pub(crate) enum Log {
    File(FileLog),
    Topic(TopicLog),
}

impl Reader {
    pub(crate) fn new(manifest: Manifest, log: Log) -> Self {
        Self { log, manifest }
    }

    /// What the ledger says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// How many partitions there are.
    #[must_use]
    pub fn partitions(&self) -> u32 {
        self.manifest.partitions
    }

    /// The offset that the next record of this partition will have.
    ///
    /// # Errors
    /// [`ReadError`]: stop at damage, try again when unavailable.
    pub fn end(&self, partition: u32) -> Result<u64, ReadError> {
        self.known(partition)?;
        match &self.log {
            Log::File(file) => file.end(partition),
            Log::Topic(topic) => topic.end(partition),
        }
    }

    /// Reads as [`crate::Ledger::read`] does.
    ///
    /// # Errors
    /// [`ReadError`]: stop at damage, try again when unavailable.
    pub fn read(&self, partition: u32, from: u64, limit: ReadLimit) -> Result<Vec<Entry>, ReadError> {
        self.known(partition)?;
        match &self.log {
            Log::File(file) => file.read(partition, from, limit),
            Log::Topic(topic) => topic.read(partition, from, limit),
        }
    }

    /// Every record from `from` to the end that the partition has now, each verified; ends after the first error.
    ///
    /// # Errors
    /// Those of [`Reader::end`].
    pub fn entries(&self, partition: u32, from: u64) -> Result<Entries<'_>, ReadError> {
        let end = self.end(partition)?;
        Ok(Entries {
            reader: self,
            partition,
            next: from,
            end,
            batch: Vec::new().into_iter(),
        })
    }

    fn known(&self, partition: u32) -> Result<(), ReadError> {
        if partition < self.manifest.partitions {
            Ok(())
        } else {
            Err(ReadError::NoSuchPartition { partition })
        }
    }
}

/// The records of one partition in order, a batch in memory at a time.
#[derive(Debug)]
pub struct Entries<'a> {
    reader: &'a Reader,
    partition: u32,
    next: u64,
    end: u64,
    batch: std::vec::IntoIter<Entry>,
}

impl Entries<'_> {
    /// Where this scan ends: the partition's end when it began.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        if self.batch.len() == 0 {
            match self.reader.read(self.partition, self.next, BATCH) {
                Ok(batch) => self.batch = batch.into_iter(),
                Err(error) => {
                    self.next = self.end;
                    return Some(Err(error));
                }
            }
        }
        let entry = self.batch.next();
        self.next = entry.as_ref().map_or(self.end, |entry| entry.offset + 1);
        Some(entry.ok_or(ReadError::Damaged {
            partition: self.partition,
            offset: self.next,
            what: "the log ends before its end",
            source: None,
        }))
    }
}
