//! Layer 1, pure: leaf, record, Merkle tree, checkpoint, proof and verification of a ledger.
//! Knows no ledger, store or file: bytes come in as arguments, and so do time, salts and keys.

mod alien;
mod body;
mod bound;
mod cbor;
mod checkpoint;
#[cfg(test)]
mod golden;
mod group;
mod key;
mod leaf;
mod note;
mod proof;
mod receipt;
mod record;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod strategy;
mod text;
mod tlog_proof;
mod tree;
mod verify;

pub use alien::Alien;
pub use bound::{LEAF_MAX_BYTES, Unfit};
pub use checkpoint::{Checkpoint, CheckpointError};
pub use group::{GROUP_MAX_LEAVES, LeafSignature};
pub use key::{KeyError, KeyId, NoteKey, VerifierKey};
pub use note::{Note, NoteError, NoteSignature};
pub use proof::{NotProven, ProofError, prove_consistency, prove_inclusion, verify_consistency, verify_inclusion};
pub use receipt::{INCLUSION_PROMISE_MS, Receipt, ReceiptError};
pub use record::{Record, Unsigned, entry, entry_hash, leaf_hash, leaf_of, prepare, sign};
pub use text::origin;
pub use tlog_proof::{TlogProof, TlogProofError};
pub use tree::Tree;
pub use verify::{Control, ControlVerifier, Expected, Fault, Flaw, LedgerEntry, PartitionVerifier, Verified};
