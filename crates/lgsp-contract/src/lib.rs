//! Layer 1, pure: does this payload fit the contract its envelope names, and what does a new version of a contract break?
//! It knows no clock, file or network: files come in as bytes, the day as an argument; nothing a schema refers to is fetched.

mod catalogue;
mod check;
mod compatible;
mod contract;
mod contracts;
mod dialect;
mod examine;
mod json;
mod marks;
mod rules;
#[cfg(test)]
mod shipped;
#[cfg(test)]
mod suite;

pub use catalogue::{Broken, Entry, Said, catalogue};
pub use check::FINDINGS_MAX;
pub use contract::{Contract, Folder, Problem, Title, Valid};
pub use contracts::Contracts;
pub use dialect::{SCHEMA_BYTES_MAX, check_schema};
pub use examine::{Examined, examine, unbroken};
pub use json::DEPTH_MAX;
