//! Layer 1: what is known about each message, projected from the ledger into SQL.
