//! Layer 2: the spine: publish, project, open, fetch, acknowledge, seal. Knows no protocol of a far side, no transport.
//!
//! | where | what |
//! |---|---|
//! | `publish`, `refuse` | accepting a message, or recording why not |
//! | `project` | facts in offset order become rows |
//! | `collect` | what waits for a receiver, handing it out, its word |
//! | `dispatch` | what is pushed: which delivery is tried when, and what became of it |
//! | `redrive` | dead letters, and their next round |
//! | `seal`, `hashes` | leaf hashes, tree, checkpoints |
//! | `control` | configuration as facts, folded into the rules of this moment |
//! | `standby` | what a node does while another holds the ledger |
//! | `trace`, `rebuild` | finding a message and all that happened; making the store again |

mod collect;
mod control;
mod dispatch;
mod hashes;
mod project;
mod publish;
mod rebuild;
mod recent;
mod redrive;
mod refuse;
mod roster;
mod scribe;
mod seal;
mod spine;
mod standby;
mod stranded;
#[cfg(test)]
mod tests;
mod trace;
mod upload;
mod watch;
mod withdraw;

pub use control::{ControlError, Ruling};
pub use dispatch::{Blocks, PushLimits};
pub use project::ProjectError;
pub use rebuild::{Rebuilt, rebuild};
pub use redrive::{DeadLetter, RedriveError};
pub use seal::SealError;
pub use spine::{ImportError, Imported, Limits, Parts, Spine, StartError};
pub use standby::{Warm, stand_by};
pub use stranded::Waits;
