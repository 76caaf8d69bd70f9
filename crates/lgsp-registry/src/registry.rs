//! The registry of one moment: immutable, cheap to share, everything found by hash map.

mod authorise;
mod grants;
mod route;

use std::collections::HashMap;
use std::sync::Arc;

use lgsp_types::{
    AdapterId, AgencyCode, AgencyId, AgencyView, ConnectorId, DocumentDate, Scheme, SystemId, SystemView, UnixMs,
};

pub use authorise::Authorised;
pub use route::{NoRoute, Pushing, Reception, Route};

use grants::Grants;

use crate::model::{Adapter, Agency, Connector, Mode, System};
use crate::object::Objects;
use crate::pattern::PatternIndex;
use crate::term::Period;

/// Agencies, systems, connectors, adapters and grants as they stand; made by [`crate::Control`] only.
///
/// Whoever decides takes one snapshot and keeps it for the whole decision.
#[derive(Debug, Default)]
pub struct Registry {
    /// By id.
    listed: Vec<Arc<Agency>>,
    agencies: HashMap<AgencyId, Arc<Agency>>,
    /// Each code's holders, by first day; no two on one day.
    holders: HashMap<AgencyCode, Vec<(Period, Arc<Agency>)>>,
    /// The agencies that name this one as their first successor.
    predecessors: HashMap<AgencyId, Vec<AgencyId>>,
    systems: HashMap<SystemId, Arc<System>>,
    connectors: HashMap<ConnectorId, Arc<Connector>>,
    connectors_of: HashMap<SystemId, Vec<ConnectorId>>,
    adapters: HashMap<AdapterId, Arc<Adapter>>,
    speakers: PatternIndex<SystemId>,
    receivers: PatternIndex<ConnectorId>,
    /// The agencies that a connector's patterns cover on some day.
    covered: HashMap<ConnectorId, Vec<AgencyId>>,
    grants: Grants,
}

impl Registry {
    pub(crate) fn new(objects: &Objects) -> Self {
        let mut registry = Self {
            listed: objects.agencies.values().cloned().collect(),
            grants: Grants::new(&objects.grants),
            ..Self::default()
        };
        for (id, system) in &objects.systems {
            for pattern in &system.speaks_for {
                registry.speakers.insert(pattern, id.clone());
            }
            registry.systems.insert(id.clone(), Arc::clone(system));
        }
        for (id, connector) in &objects.connectors {
            registry.add_connector(id, connector);
        }
        for (id, agency) in &objects.agencies {
            registry.add_agency(id, agency);
        }
        for (id, adapter) in &objects.adapters {
            registry.adapters.insert(id.clone(), Arc::clone(adapter));
        }
        for holdings in registry.holders.values_mut() {
            holdings.sort_by_key(|(period, _)| period.from);
        }
        registry
    }

    fn add_connector(&mut self, id: &ConnectorId, connector: &Arc<Connector>) {
        let Some(system) = self.systems.get(&connector.system) else {
            return;
        };
        for pattern in connector.receives_for(system) {
            self.receivers.insert(pattern, id.clone());
        }
        let own = self.connectors_of.entry(connector.system.clone()).or_default();
        own.push(id.clone());
        self.connectors.insert(id.clone(), Arc::clone(connector));
    }

    fn add_agency(&mut self, id: &AgencyId, agency: &Arc<Agency>) {
        self.agencies.insert(id.clone(), Arc::clone(agency));
        if let Some(successor) = agency.successors.first() {
            let predecessors = self.predecessors.entry(successor.clone()).or_default();
            predecessors.push(id.clone());
        }
        for term in &agency.codes {
            let holding = (term.within(agency.life()), Arc::clone(agency));
            self.holders.entry(term.is.clone()).or_default().push(holding);
            for (_, connector) in self.receivers.covering(&term.is) {
                let covered = self.covered.entry(connector.clone()).or_default();
                if covered.last() != Some(id) {
                    covered.push(id.clone());
                }
            }
        }
    }

    #[must_use]
    pub fn agency(&self, id: &AgencyId) -> Option<&Agency> {
        self.agencies.get(id).map(AsRef::as_ref)
    }

    /// What a code means on a day: its holder, or if that one gave it up or was closed by then, its last holder.
    ///
    /// None for a code that nobody has, or had by that day. Source: exchange.md section 3.
    #[must_use]
    pub fn resolve(&self, code: &AgencyCode, as_of: DocumentDate) -> Option<&Agency> {
        let holdings = self.holders.get(code)?;
        let begun = holdings.partition_point(|(period, _)| period.begun_by(as_of));
        let (_, holder) = begun.checked_sub(1).and_then(|last| holdings.get(last))?;
        Some(holder)
    }

    /// The agencies that follow a closed one; the first receives what is still addressed to it.
    #[must_use]
    pub fn successors(&self, id: &AgencyId) -> &[AgencyId] {
        self.agencies.get(id).map_or(&[], |agency| agency.successors.as_slice())
    }

    /// The agency a system belongs to, active or not.
    #[must_use]
    pub fn agency_of(&self, system: &SystemId) -> Option<AgencyId> {
        self.systems.get(system).map(|system| system.agency.clone())
    }

    /// What an adapter may know of a system; none if it is unknown or not active now.
    #[must_use]
    pub fn system(&self, id: &SystemId, now: UnixMs) -> Option<SystemView> {
        self.active_system(id, now.day_in_vietnam()).map(system_view)
    }

    /// Every system that is active now, by id.
    #[must_use]
    pub fn systems(&self, now: UnixMs) -> Vec<SystemView> {
        let today = now.day_in_vietnam();
        let active = self.systems.values().filter(|system| system.life().contains(today));
        let mut views: Vec<SystemView> = active.map(|system| system_view(system)).collect();
        views.sort_unstable_by(|one, other| one.system.cmp(&other.system));
        views
    }

    /// The systems that an adapter process speaks as and that are active now, in the order of its list; none: there is no
    /// such adapter.
    #[must_use]
    pub fn systems_of(&self, adapter: &AdapterId, now: UnixMs) -> Option<Vec<SystemView>> {
        let adapter = self.adapters.get(adapter)?;
        let views = adapter.speaks_as.iter().filter_map(|system| self.system(system, now));
        Some(views.collect())
    }

    /// May this adapter process speak as this system now?
    #[must_use]
    pub fn speaks_as(&self, adapter: &AdapterId, system: &SystemId, now: UnixMs) -> bool {
        let listed = |adapter: &Arc<Adapter>| adapter.speaks_as.contains(system);
        self.adapters.get(adapter).is_some_and(listed) && self.active_system(system, now.day_in_vietnam()).is_some()
    }

    /// The push connectors of this kind that bind a system, by id, while the system is active.
    #[must_use]
    pub fn pushed_by(&self, system: &SystemId, kind: &str, now: UnixMs) -> Vec<ConnectorId> {
        if self.active_system(system, now.day_in_vietnam()).is_none() {
            return Vec::new();
        }
        let own = self.connectors_of.get(system).into_iter().flatten();
        let of_kind = |id: &&ConnectorId| {
            let connector = self.connectors.get(*id);
            connector.is_some_and(|it| it.mode == Mode::Push && it.adapter.as_str() == kind)
        };
        own.filter(of_kind).cloned().collect()
    }

    fn active_system(&self, id: &SystemId, day: DocumentDate) -> Option<&System> {
        let system = self.systems.get(id)?;
        system.life().contains(day).then_some(system.as_ref())
    }

    /// Every agency that had begun by this day, closed ones too, as it was on it or at its end; by id.
    #[must_use]
    pub fn agencies(&self, as_of: DocumentDate) -> Vec<AgencyView> {
        let begun = self.listed.iter().filter(|agency| agency.life().begun_by(as_of));
        begun.map(|agency| view(agency, as_of)).collect()
    }
}

fn system_view(system: &System) -> SystemView {
    SystemView {
        system: system.id.clone(),
        agency: system.agency.clone(),
        secret_ref: system.secret_ref.clone().map(String::from),
        key_id: system.key_id.clone().map(String::from).unwrap_or_default(),
    }
}

fn view(agency: &Agency, as_of: DocumentDate) -> AgencyView {
    let day = agency.last_day_by(as_of);
    AgencyView {
        agency: agency.id.clone(),
        name: agency.name_on(day).to_owned(),
        parent: agency.parent_on(day).cloned(),
        code: agency.code_on(Scheme::Qd20, day).cloned(),
        old_code: agency.code_on(Scheme::Qcvn102, day).cloned(),
        mail: agency.mail.clone(),
        closed: agency.life().ended_before(as_of),
    }
}

#[cfg(test)]
mod tests;
