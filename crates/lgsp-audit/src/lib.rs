//! Layer 1, pure: leaf, record, Merkle tree, checkpoint, proof and verification of a ledger.
//! Knows no ledger, store or file: bytes come in as arguments, and so do time, salts and keys.

mod alien;
mod body;
mod bound;
mod cbor;
mod group;
mod key;
mod leaf;
mod proof;
mod record;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod strategy;
mod tree;

pub use alien::Alien;
pub use bound::{LEAF_MAX_BYTES, Unfit};
pub use group::{GROUP_MAX_LEAVES, NodeSignature};
pub use key::{KeyError, KeyId, NoteKey, VerifierKey};
pub use proof::{NotProven, ProofError, prove_consistency, prove_inclusion, verify_consistency, verify_inclusion};
pub use record::{Record, Unsigned, entry, entry_hash, leaf_hash, leaf_of, prepare, sign};
pub use tree::Tree;
