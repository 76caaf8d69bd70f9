//! What is checked of every log, whatever it holds: density, the tree, and what was expected.

use lgsp_types::MsgId;

use super::expected::Expected;
use super::fault::{Fault, Flaw};
use super::{LedgerEntry, Verified};
use crate::record::{Record, entry_hash};
use crate::tree::Tree;

/// A walk through a log, entry by entry.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    expected: Expected,
    /// The offset that the next entry should have.
    next: u64,
    tree: Tree,
}

impl Walk {
    pub(super) fn new(expected: Expected) -> Self {
        Self {
            expected,
            next: 0,
            tree: Tree::default(),
        }
    }

    pub(super) const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Takes the entry into the tree, whatever was found `inside` it; answers the first thing that is wrong with it.
    pub(super) fn step(&mut self, entry: &LedgerEntry<'_>, inside: Result<Record, Flaw>) -> Result<Record, Fault> {
        let gap = Flaw::Gap { expected: self.next };
        let in_place = if entry.offset == self.next { Ok(()) } else { Err(gap) };
        self.next = entry.offset.saturating_add(1);
        let msg_id = inside.as_ref().ok().and_then(|record| record.fact.what.msg_id());
        let as_kept = self.compare(entry, msg_id);
        // All three have been looked at: what comes first here tells most.
        let record = in_place.and(inside).and_then(|record| as_kept.map(|()| record));
        record.map_err(|flaw| self.expected.fault(Some(entry.offset), flaw))
    }

    /// Against the sealer's hash, the receipts for this offset, and the checkpoints of this size.
    fn compare(&mut self, entry: &LedgerEntry<'_>, msg_id: Option<MsgId>) -> Result<(), Flaw> {
        let leaf_hash = entry_hash(entry.append_ms, entry.record);
        self.tree.push(leaf_hash);
        let receipts = self.expected.receipts.remove(&entry.offset).unwrap_or_default();
        let roots = self.expected.roots.remove(&self.tree.size()).unwrap_or_default();
        if entry.sealed_hash.is_some_and(|sealed| sealed != leaf_hash) {
            return Err(Flaw::LeafHash);
        }
        let found = (leaf_hash, entry.append_ms, msg_id);
        if receipts
            .iter()
            .any(|receipt| (receipt.leaf_hash, receipt.append_ms.0, Some(receipt.msg_id)) != found)
        {
            return Err(Flaw::ReceiptLeaf);
        }
        if !roots.is_empty() && roots.iter().any(|root| *root != self.tree.root()) {
            return Err(Flaw::CheckpointRoot { size: self.tree.size() });
        }
        Ok(())
    }

    pub(super) fn finish(self, signatures: u64) -> Verified {
        let size = self.tree.size();
        let ahead = |size| move |checkpoint: &u64| (Some(size), Flaw::CheckpointAhead { size: *checkpoint });
        let checkpoints = self.expected.roots.keys().map(ahead(size));
        let receipts = self
            .expected
            .receipts
            .keys()
            .map(|offset| (Some(*offset), Flaw::ReceiptAhead));
        let missing = checkpoints
            .chain(receipts)
            .map(|(offset, flaw)| self.expected.fault(offset, flaw));
        Verified {
            size,
            root: self.tree.root(),
            signatures,
            missing: missing.collect(),
        }
    }
}
