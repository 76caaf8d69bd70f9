//! Layer 2: the spine: publish, project, open, fetch, acknowledge, seal. Knows no protocol of a far side, no transport.
//!
//! | where | what |
//! |---|---|
//! | `publish`, `valid`, `refuse` | accepting a message, what it has to be, or recording why not |
//! | `project` | facts in offset order become rows |
//! | `collect` | what waits for a receiver, handing it out, its word |
//! | `dispatch` | what is pushed: which delivery is tried when, and what became of it |
//! | `redrive` | dead letters, and their next round |
//! | `seal`, `hashes` | leaf hashes, tree, checkpoints |
//! | `contracts` | versions of contracts come into force |
//! | `control` | configuration as facts, folded into the rules of this moment |
//! | `configure`, `chronicle` | changing it, by file or by hand; who changed what when |
//! | `standby` | what a node does while another holds the ledger |
//! | `documents`, `deadlines`, `reading` | where documents stand, what is late, finding them; what is read of a payload for it |
//! | `trace`, `rebuild` | finding a message and all that happened; making the store again |

mod chronicle;
mod collect;
mod configure;
mod contracts;
mod control;
mod deadlines;
mod dispatch;
mod documents;
mod hashes;
mod project;
mod publish;
mod reading;
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
mod valid;
mod watch;
mod withdraw;

pub use chronicle::{ChangedObject, Event, Made};
pub use configure::{ImportError, Imported, LeftObject, Planned};
pub use contracts::ContractsError;
pub use control::{ControlError, Ruling};
pub use deadlines::Deadlines;
pub use dispatch::PushLimits;
pub use documents::{SEARCH_INVALID, SearchError};
pub use project::ProjectError;
pub use rebuild::{Rebuilt, rebuild};
pub use redrive::{DeadLetter, RedriveError};
pub use seal::SealError;
pub use spine::{Limits, Parts, Spine, StartError};
pub use standby::{Warm, stand_by};
pub use stranded::Waits;
