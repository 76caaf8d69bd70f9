//! Layer 1, pure: leaf, record, Merkle tree, checkpoint, proof and verification of a ledger.
