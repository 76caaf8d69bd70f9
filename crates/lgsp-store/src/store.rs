//! What a store is to everyone who uses one: facts go in by batches, fenced; rows are asked for.

use std::fmt::Debug;

use async_trait::async_trait;
use lgsp_types::{AgencyId, Cause, ContractRef, DeliveryId, Digest, Mark, MsgId, OpenDelivery, OpenQuery, UnixMs};
use thiserror::Error;

use crate::rows::{
    AcceptedRow, Applied, Conflict, Counts, DeliveryRow, DocumentRow, FiledPage, Filter, Found, LoggedEvent,
    MessageRow, Projected, RefusalRow, Search, Timeline,
};

/// The projection of one ledger. All of it but the soft marks is a pure function of the ledger's facts.
///
/// All facts about a message stand in the partition of its Accepted fact, since its order key decides both
/// (exchange.md section 2); a fact about a message of another partition has no effect on it.
/// Source: exchange.md sections 2, 6 and 8.
#[async_trait]
pub trait Store: Send + Sync + Debug {
    /// The offset of this partition that is to be projected next.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn next_offset(&self, partition: u32) -> Result<u64, StoreError>;

    /// Projects the records at `from`, `from + 1`, .. in one SQL transaction: all of them or none.
    ///
    /// Whoever drops this future does not know which: ask [`Self::next_offset`].
    ///
    /// # Errors
    /// [`StoreError`]; nothing was projected then, but after [`StoreError::Unavailable`] ask [`Self::next_offset`].
    async fn apply(&self, partition: u32, from: u64, facts: Vec<Projected>) -> Result<Applied, StoreError>;

    /// Where the first Accepted fact of a message stands: the part of [`Self::message`] that each acceptance asks for.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn accepted(&self, id: MsgId) -> Result<Option<AcceptedRow>, StoreError>;

    /// # Errors
    /// [`StoreError`].
    async fn message(&self, id: MsgId) -> Result<Option<MessageRow>, StoreError>;

    /// # Errors
    /// [`StoreError`].
    async fn delivery(&self, id: DeliveryId) -> Result<Option<DeliveryRow>, StoreError>;

    /// The dead letters, the latest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn dead_letters(&self, limit: u32) -> Result<Vec<DeliveryRow>, StoreError>;

    /// The deliveries to these agencies that are still listed ([`crate::is_listed`]) and asked for, in the order of
    /// ledger time, partition, offset and addressee; all where `after` is no delivery of ours, so that nothing is hidden.
    /// Those of the contracts `blocking` are left out where they stand behind a dead letter of their order.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn open_deliveries(
        &self,
        agencies: &[AgencyId],
        query: &OpenQuery,
        blocking: &[ContractRef],
    ) -> Result<Vec<OpenDelivery>, StoreError>;

    /// A dead letter that comes earlier in the order of this delivery; none: there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn dead_before(&self, delivery: DeliveryId) -> Result<Option<DeliveryId>, StoreError>;

    /// Puts a soft mark in the place of the one before; false: there is no such delivery.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn set_mark(&self, delivery: DeliveryId, mark: Mark, at: UnixMs) -> Result<bool, StoreError>;

    /// At most `limit` messages that are, or refer to, what is looked for; the latest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find_messages(&self, search: &Search, limit: u32) -> Result<Vec<Found>, StoreError>;

    /// The documents that these messages are or speak of, and those that replace them or are replaced by them, from one to
    /// the next, at most `limit`; the one issued first comes first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn documents(&self, messages: &[MsgId], limit: u32) -> Result<Vec<DocumentRow>, StoreError>;

    /// The documents that are looked for, the latest first, from behind `after` (a page's `next`), at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn search(&self, filter: &Filter, after: Option<u64>, limit: u32) -> Result<FiledPage, StoreError>;

    /// All that is known of a message; none: no fact names it.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn timeline(&self, id: MsgId) -> Result<Option<Timeline>, StoreError>;

    /// The facts that stand in timelines, of one partition in ledger order, from `from` on, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn events_from(&self, partition: u32, from: u64, limit: u32) -> Result<Vec<LoggedEvent>, StoreError>;

    /// Conflicts without their Conflict fact, in ledger order of each partition; at most 1,000: settle them, ask again.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn pending_conflicts(&self) -> Result<Vec<Conflict>, StoreError>;

    /// # Errors
    /// [`StoreError`].
    async fn counts(&self) -> Result<Counts, StoreError>;

    /// The latest refusals first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn refusals(&self, limit: u32) -> Result<Vec<RefusalRow>, StoreError>;

    /// Those of these digests that an Accepted fact names, a lost one's too, in the order of the digests.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn objects_named(&self, digests: &[Digest]) -> Result<Vec<Digest>, StoreError>;

    /// Digests that Accepted facts name, each once and in order, from behind `after`; fewer than `limit`: the last.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn object_digests(&self, after: Option<Digest>, limit: u32) -> Result<Vec<Digest>, StoreError>;

    /// Each table whose rows come from facts, and the hash of its rows ordered by their key.
    ///
    /// Two stores that projected the same ledger to the same offsets answer the same, in whatever batches, in
    /// whatever order among partitions, with whatever restarts and under whatever rules. Soft marks, start epochs and
    /// what is kept for searching only are left out. Rows hold positions and ledger times: facts that were spread
    /// over another number of partitions are another ledger, and hash differently.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn table_hashes(&self) -> Result<Vec<(String, Digest)>, StoreError>;

    /// Waits for what is in progress and refuses what comes later; again: does nothing.
    async fn close(&self);
}

/// Why a store did not do what it was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Stop: a later start of the node has taken over the partition.
    #[error("the store was taken over: this node started with epoch {epoch}, partition {partition} is at epoch {by}")]
    Fenced { partition: u32, epoch: u64, by: u64 },
    /// Read on from `next`: the batch does not begin there, or its offsets are not dense.
    #[error("partition {partition} is projected to {next}, the batch has {got} where that should stand")]
    OutOfStep { partition: u32, next: u64, got: u64 },
    /// A mistake of the caller.
    #[error("the store has no partition {partition}")]
    NoSuchPartition { partition: u32 },
    /// Make room, then do the same again.
    #[error("there is no room for the store")]
    Full,
    /// Stop and make the store again from the ledger.
    #[error("the store is damaged: stop the node and run `lgsp rebuild --replace`")]
    Damaged {
        #[source]
        source: Cause,
    },
    /// Try again: nothing is known to be wrong with what the store holds.
    #[error("the store cannot be used now")]
    Unavailable {
        #[source]
        source: Cause,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}
