//! Receipts: what the sender holds once a message is in the ledger.

use crate::{Digest, LedgerPosition, MsgId, UnixMs};

/// Proof of acceptance: whoever holds it holds the promise that the message is stored and will not be lost.
///
/// The same text can be computed again from the ledger at any time. Source: reliability.md 5.3, G1 and G6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub msg_id: MsgId,
    /// A copy of the Accepted fact; the first in the log is in force.
    pub position: LedgerPosition,
    pub append_ms: UnixMs,
    /// The leaf that will stand in the tree at `position.offset`.
    pub leaf_hash: Digest,
    /// A C2SP signed note over all of this, signed by the node.
    pub note: String,
    /// Whether this answers a repeat.
    pub repeat: bool,
}
