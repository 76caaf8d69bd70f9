//! What a log is expected to hold, from what others kept of it: checkpoints and receipts.

use std::collections::BTreeMap;

use lgsp_types::Digest;

use super::control::Control;
use super::fault::{Fault, Flaw};
use crate::checkpoint::Checkpoint;
use crate::key::VerifierKey;
use crate::receipt::Receipt;
use crate::text::origin;
use crate::tree::Tree;

/// Which log is verified, and what it is held against; gathered before its first entry is read.
#[derive(Clone, Debug)]
pub struct Expected {
    pub(super) ledger: String,
    pub(super) partition: u32,
    /// Roots by size.
    pub(super) roots: BTreeMap<u64, Vec<Digest>>,
    /// Receipts by offset.
    pub(super) receipts: BTreeMap<u64, Vec<Receipt>>,
}

impl Expected {
    /// Nothing but a log of this ledger and partition.
    #[must_use]
    pub fn of(ledger: &str, partition: u32) -> Self {
        Self {
            ledger: ledger.to_owned(),
            partition,
            roots: BTreeMap::new(),
            receipts: BTreeMap::new(),
        }
    }

    /// The log's head as it was, signed by the log key that the caller trusts: never one that the ledger names itself.
    ///
    /// # Errors
    /// [`Fault`]: the checkpoint is forged or of another log. The log can still be verified without it.
    pub fn checkpoint(&mut self, note: &str, trusted_log_key: &VerifierKey) -> Result<Checkpoint, Fault> {
        let checkpoint =
            Checkpoint::open(note, trusted_log_key).map_err(|error| self.fault(None, Flaw::Checkpoint(error)))?;
        if checkpoint.origin != origin(&self.ledger, self.partition) {
            let found = checkpoint.origin;
            return Err(self.fault(None, Flaw::CheckpointOrigin { found }));
        }
        if checkpoint.size == 0 && checkpoint.root != Tree::default().root() {
            return Err(self.fault(None, Flaw::CheckpointRoot { size: 0 }));
        }
        if checkpoint.size > 0 {
            self.roots.entry(checkpoint.size).or_default().push(checkpoint.root);
        }
        Ok(checkpoint)
    }

    /// A receipt that a sender kept, signed by a node that the control log announced.
    ///
    /// # Errors
    /// [`Fault`]: the receipt is forged or of another log. The log can still be verified without it.
    pub fn receipt(&mut self, note: &str, control: &Control) -> Result<Receipt, Fault> {
        let keys: Vec<&VerifierKey> = control.node_keys().collect();
        let receipt = Receipt::open(note, &keys).map_err(|error| self.fault(None, Flaw::Receipt(error)))?;
        let position = &receipt.position;
        let found = origin(&position.ledger, position.partition);
        if found != origin(&self.ledger, self.partition) {
            return Err(self.fault(None, Flaw::ReceiptOrigin { found }));
        }
        self.receipts.entry(position.offset).or_default().push(receipt.clone());
        Ok(receipt)
    }

    pub(super) fn fault(&self, offset: Option<u64>, flaw: Flaw) -> Fault {
        Fault {
            ledger: self.ledger.clone(),
            partition: self.partition,
            offset,
            flaw,
        }
    }
}
