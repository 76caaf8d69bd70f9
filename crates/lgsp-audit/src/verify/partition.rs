//! A data partition, held against the control log.

use super::control::Control;
use super::expected::Expected;
use super::fault::{Fault, Flaw};
use super::signatures::Signatures;
use super::walk::Walk;
use super::{LedgerEntry, Verified};
use crate::record::Record;

/// Verifies one partition, entry by entry in offset order.
#[derive(Clone, Debug)]
pub struct PartitionVerifier<'a> {
    control: &'a Control,
    walk: Walk,
    signatures: Signatures,
}

impl<'a> PartitionVerifier<'a> {
    #[must_use]
    pub fn new(control: &'a Control, expected: Expected) -> Self {
        Self {
            control,
            walk: Walk::new(expected),
            signatures: Signatures::default(),
        }
    }

    /// Checks the next entry: place, frame, leaf, keys of its kind, commitments, rules, signature, and what was expected of
    /// it. After a fault the next ones can still be checked.
    ///
    /// # Errors
    /// [`Fault`]: the first thing that is wrong with this entry.
    pub fn check(&mut self, entry: &LedgerEntry<'_>) -> Result<Record, Fault> {
        let inside = self.inspect(entry);
        self.walk.step(entry, inside)
    }

    fn inspect(&mut self, entry: &LedgerEntry<'_>) -> Result<Record, Flaw> {
        let record = Record::read(entry.record)?;
        let rules = record.fact.rules;
        self.control.check_rules(&rules)?;
        let keys = self.control.node_keys_at(record.signature().key_id, rules.control_size);
        self.signatures.check(&record, keys)?;
        Ok(record)
    }

    /// Ends the partition here: what was expected and has not come is missing.
    #[must_use]
    pub fn finish(self) -> Verified {
        self.walk.finish(self.signatures.verified())
    }
}
