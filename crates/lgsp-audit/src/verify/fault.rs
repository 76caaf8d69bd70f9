//! What can be wrong with a ledger, each with a name that never changes.

use std::fmt;

use lgsp_types::LedgerPosition;
use thiserror::Error;

use crate::alien::Alien;
use crate::checkpoint::CheckpointError;
use crate::receipt::ReceiptError;

/// Something is wrong with a ledger, at this place: keep everything as it is and find out who can explain it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct Fault {
    pub ledger: String,
    pub partition: u32,
    /// The entry, where it can be said.
    pub offset: Option<u64>,
    #[source]
    pub flaw: Flaw,
}

impl Fault {
    /// The flaw's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.flaw.name()
    }

    /// The place of the entry, where it can be said.
    #[must_use]
    pub fn position(&self) -> Option<LedgerPosition> {
        let (ledger, partition) = (self.ledger.clone(), self.partition);
        self.offset.map(|offset| LedgerPosition {
            ledger,
            partition,
            offset,
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} in {}/{}", self.name(), self.ledger, self.partition)?;
        self.offset.map_or(Ok(()), |offset| write!(out, " at offset {offset}"))
    }
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Flaw {
    /// Entries are missing, doubled or out of order.
    #[error("the entry follows {expected} entries")]
    Gap { expected: u64 },
    #[error("the entry is no record of ours")]
    Alien(#[from] Alien),
    #[error("the entry names a control log of {named} entries, there are {known}")]
    RulesUnknown { named: u64, known: u64 },
    #[error("the entry names another root for the first {named} entries of the control log")]
    RulesRoot { named: u64 },
    #[error("the entry is signed by a key that was not announced before, or has ended")]
    KeyUnknown,
    #[error("the signature of the entry's node is wrong")]
    Signature,
    #[error("the key event cannot take effect: {what}")]
    KeyEvent { what: &'static str },
    /// The record or its time is not what was sealed.
    #[error("the entry is not the one that was sealed")]
    LeafHash,
    #[error("the checkpoint cannot be believed")]
    Checkpoint(#[source] CheckpointError),
    #[error("the checkpoint is of the log `{found}`")]
    CheckpointOrigin { found: String },
    /// One of the entries that the checkpoint covers is another, or was then.
    #[error("the first {size} entries do not have the root of the checkpoint")]
    CheckpointRoot { size: u64 },
    /// Entries that were there when the checkpoint was signed are gone.
    #[error("the checkpoint covers {size} entries")]
    CheckpointAhead { size: u64 },
    #[error("the receipt cannot be believed")]
    Receipt(#[source] ReceiptError),
    #[error("the receipt is of the log `{found}`")]
    ReceiptOrigin { found: String },
    #[error("the entry is not the one that the receipt promises")]
    ReceiptLeaf,
    /// The entry that the receipt promises is not there.
    #[error("the log ends before the entry that the receipt promises")]
    ReceiptAhead,
}

impl Flaw {
    /// The flaw's stable name, the same in every version.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Gap { .. } => "GAP",
            Self::Alien(alien) => alien.name(),
            Self::RulesUnknown { .. } => "RULES_UNKNOWN",
            Self::RulesRoot { .. } => "RULES_ROOT",
            Self::KeyUnknown => "KEY_UNKNOWN",
            Self::Signature => "SIGNATURE",
            Self::KeyEvent { .. } => "KEY_EVENT",
            Self::LeafHash => "LEAF_HASH",
            Self::Checkpoint(_) => "CHECKPOINT",
            Self::CheckpointOrigin { .. } => "CHECKPOINT_ORIGIN",
            Self::CheckpointRoot { .. } => "CHECKPOINT_ROOT",
            Self::CheckpointAhead { .. } => "CHECKPOINT_AHEAD",
            Self::Receipt(_) => "RECEIPT",
            Self::ReceiptOrigin { .. } => "RECEIPT_ORIGIN",
            Self::ReceiptLeaf => "RECEIPT_LEAF",
            Self::ReceiptAhead => "RECEIPT_AHEAD",
        }
    }
}
