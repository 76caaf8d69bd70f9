//! What a ledger is to everyone who uses one: append, read, end, and to be woken when it has grown.

use std::error::Error;
use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;

/// The largest record in bytes that a ledger takes. Payloads are at most 256 KiB (exchange.md section 1).
pub const RECORD_BYTES_MAX: usize = 1024 * 1024;

/// What broke below; the text of an error never repeats it.
pub type Cause = Box<dyn Error + Send + Sync + 'static>;

/// An append-only log of records in partitions numbered from 0; offsets in a partition are dense from 0.
///
/// Source: exchange.md section 7, architecture.md section 3.
#[async_trait]
pub trait Ledger: Send + Sync + Debug {
    /// How many partitions there are; it never changes in a ledger's life.
    fn partitions(&self) -> u32;

    /// Appends one record of at most [`RECORD_BYTES_MAX`] bytes to one partition.
    ///
    /// The appends of one caller that waits for each answer are in the log in the order it made them. Whoever drops
    /// this future before its answer holds [`Append::Unknown`].
    async fn append(&self, partition: u32, record: Bytes) -> Append;

    /// Reads the records at `from`, `from + 1`, .. as far as `limit` and the log go; at or past the end: none.
    ///
    /// Every record is verified. Sound records before a damaged one are answered first, the damage by the read that
    /// begins with it.
    ///
    /// # Errors
    /// [`ReadError`]: stop at damage, try again when unavailable.
    async fn read(&self, partition: u32, from: u64, limit: ReadLimit) -> Result<Vec<Entry>, ReadError>;

    /// The offset that the next record of this partition will have.
    ///
    /// # Errors
    /// [`ReadError`]: try again when unavailable.
    async fn end(&self, partition: u32) -> Result<u64, ReadError>;

    /// Waits, without polling, until the end of this partition is greater than `past`; answers that end.
    ///
    /// Cancel safe: a dropped wait loses nothing.
    ///
    /// # Errors
    /// [`ReadError::Closed`] once no record can come any more.
    async fn grown(&self, partition: u32, past: u64) -> Result<u64, ReadError>;

    /// Takes no more records, waits for the answers of those that it took, and lets go of what it holds. Again: does
    /// nothing.
    async fn close(&self);
}

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "only `Appended` means that the record is in the log"]
pub enum Append {
    /// The log holds the record durably.
    Appended(Appended),
    /// The log certainly does not hold the record.
    Refused(Refusal),
    /// The log may hold the record: ask again with the same id.
    Unknown,
}

/// Where and when a record came into the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its place in the partition.
    pub offset: u64,
    /// The writer's clock at commit, Unix milliseconds; it may go back, the running maximum is ledger time.
    pub append_ms: u64,
}

/// Why the log certainly does not hold a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Try again when an operator made room.
    #[error("the ledger is full")]
    Full,
    /// Never try this record again.
    #[error("the record is larger than {RECORD_BYTES_MAX} bytes")]
    TooLarge,
    /// Try again later: the queue is full, or the ledger is closed or being reopened.
    #[error("the ledger is not ready")]
    NotReady,
    /// A mistake of the caller: partitions are numbered from 0 to `partitions() - 1`.
    #[error("the ledger has no such partition")]
    NoSuchPartition,
}

/// One record of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the partition.
    pub offset: u64,
    /// When it came, Unix milliseconds.
    pub append_ms: u64,
    /// Its bytes as they were appended.
    pub record: Bytes,
}

/// How much one read may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimit {
    /// At most so many records; 0 reads nothing.
    pub entries: usize,
    /// At most so many bytes of records; the first record is answered even if it alone is larger.
    pub bytes: usize,
}

/// Why a partition could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A mistake of the caller.
    #[error("the ledger has no partition {partition}")]
    NoSuchPartition { partition: u32 },
    /// Stop and call an operator: what the log holds is not what was appended.
    #[error("partition {partition} is damaged at offset {offset}: {what}")]
    Damaged {
        partition: u32,
        /// The first offset that cannot be answered as it was appended.
        offset: u64,
        what: &'static str,
        #[source]
        source: Option<Cause>,
    },
    /// Try again: nothing is known to be wrong with the log.
    #[error("the ledger could not be read")]
    Unavailable {
        #[source]
        source: Cause,
    },
    /// The ledger was closed.
    #[error("the ledger is closed")]
    Closed,
}
