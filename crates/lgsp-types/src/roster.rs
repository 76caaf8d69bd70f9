//! The port that tells which systems an adapter process may speak as. Source: exchange.md section 4.

use std::fmt::Debug;

use crate::{AdapterId, ConnectorId, SystemId, SystemView};

/// Asked by whoever lets adapter processes in: at their coming, and again at each of their calls.
pub trait Roster: Send + Sync + Debug {
    /// The systems that this adapter speaks as and that are active now; none: there is no such adapter.
    fn systems(&self, adapter: &AdapterId) -> Option<Vec<SystemView>>;

    /// May it speak as this system now?
    fn speaks_as(&self, adapter: &AdapterId, system: &SystemId) -> bool;

    /// The push connectors of a kind of adapter that bind a system which is active now.
    fn connectors(&self, system: &SystemId, kind: &str) -> Vec<ConnectorId>;

    /// Another number whenever one of the answers may be another, but for the days on which systems begin and end.
    fn revision(&self) -> u64;
}
