//! Verification of a whole ledger from its bytes: the control log first, then each partition, entry by entry.
//!
//! A caller who reads beside a running node notes the ends of the partitions, then reads the control log to its end, then the
//! partitions up to the ends it noted: so no entry names rules that are newer than the control log it is held against.
//! What cannot be seen from the entries alone, a tail that was cut or a history that was written anew, shows against a
//! checkpoint or receipt that somebody kept: see [`Expected`].

mod control;
mod expected;
mod fault;
mod partition;
mod signatures;
#[cfg(test)]
mod tests;
mod walk;

use bytes::Bytes;
use lgsp_types::Digest;

pub use control::{Control, ControlVerifier};
pub use expected::Expected;
pub use fault::{Fault, Flaw};
pub use partition::PartitionVerifier;

/// One entry of a partition, as its ledger holds it.
#[derive(Clone, Copy, Debug)]
pub struct LedgerEntry<'a> {
    pub offset: u64,
    /// The ledger's time of the append.
    pub append_ms: u64,
    pub record: &'a Bytes,
    /// The hash that the sealer keeps of it, where it is at hand: names the first leaf that is another.
    pub sealed_hash: Option<Digest>,
}

/// What was found in a log whose entries were all checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many entries it has.
    pub size: u64,
    /// The root of its tree.
    pub root: Digest,
    /// How many signatures of nodes were verified; leaves that were signed together count once.
    pub signatures: u64,
    /// What was expected and did not come.
    pub missing: Vec<Fault>,
}
