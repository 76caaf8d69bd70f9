//! The ledger: an append-only log in partitions behind one trait; bytes in, bytes out (exchange.md section 7).
//!
//! | where | what |
//! |---|---|
//! | `ledger` | the trait [`Ledger`] and its answers |
//! | `local` | [`Local`]: one SQLite file, one writer thread, group commit |
//! | `kafka` | [`kafka::Kafka`]: one topic of Apache Kafka; [`kafka::Cluster`]: brokers of one's own for demo and tests |
//! | `tenure` | [`Tenure`]: the right of one node to a ledger; [`kafka::Lease`] gives it |
//! | `reader` | [`Reader`]: beside a running writer, of either kind |
//! | `conformance` | what every ledger has to pass (cargo feature `conformance`) |

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod kafka;
mod ledger;
mod local;
mod reader;
mod tenure;
#[cfg(test)]
mod twin;

pub use ledger::{Append, Appended, Cause, Entry, Ledger, RECORD_BYTES_MAX, ReadError, ReadLimit, Refusal};
pub use local::{Clock, CreateError, Local, Manifest, OpenError, PARTITIONS_MAX, Settings, is_ledger_name};
pub use reader::{Entries, Reader};
pub use tenure::{Lost, Tenure};
