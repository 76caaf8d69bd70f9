//! Layer 1, pure: agencies, systems, connectors, adapters, grants and the texts of contracts as of a date; who may speak
//! for whom, who may send what to whom, and where a message goes.
//! It knows no clock, file or network: texts, times and the facts of the control ledger come in as arguments.

mod canonical;
mod change;
mod check;
mod contract;
mod control;
mod difference;
mod edit;
mod file;
mod grant;
mod import;
mod model;
mod object;
mod pattern;
mod registry;
mod term;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

pub use change::{CHANGE_SET_MAX_BYTES, Change, ChangeSet, Source};
pub use check::Contradiction;
pub use contract::{ContractNotTaken, plan_contracts};
pub use control::{Control, Void};
pub use difference::{Difference, differences};
pub use edit::{EditError, plan_edit, text_to_edit};
pub use file::{ConfigError, FILE_MAX_BYTES, FILE_NAME_MAX_BYTES};
pub use grant::{ContractRange, ContractRangeError, Grant};
pub use import::{Import, Left, PlannedChangeSet, Take, WhyLeft, plan_import, plan_import_taking};
pub use model::{Adapter, Agency, AgencyKind, Connector, ContractText, Mode, PlainName, System};
pub use object::{Object, ObjectRef, ObjectRefError};
pub use registry::{Authorised, NoRoute, Pushing, Reception, Registry, Route};
pub use term::{Period, Term};
