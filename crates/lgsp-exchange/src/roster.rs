//! Which systems an adapter process may speak as, by the rules of this moment.

use lgsp_types::{AdapterId, ConnectorId, Roster, SystemId, SystemView};

use crate::spine::Spine;

impl Roster for Spine {
    fn systems(&self, adapter: &AdapterId) -> Option<Vec<SystemView>> {
        self.ruling().registry.systems_of(adapter, self.scribe.now())
    }

    fn speaks_as(&self, adapter: &AdapterId, system: &SystemId) -> bool {
        self.ruling().registry.speaks_as(adapter, system, self.scribe.now())
    }

    fn connectors(&self, system: &SystemId, kind: &str) -> Vec<ConnectorId> {
        self.ruling().registry.pushed_by(system, kind, self.scribe.now())
    }

    fn revision(&self) -> u64 {
        self.ruling().rules.control_size
    }
}
