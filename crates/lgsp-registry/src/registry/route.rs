//! Where a message goes: through the successors to an agency that is there, and by the narrowest connector to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lgsp_types::{AgencyCode, AgencyId, ConnectorId, DocumentDate, Receiver, SystemId};
use thiserror::Error;

use super::Registry;
use crate::model::{Agency, Connector, Mode};

/// Where deliveries to an agency go on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The addressee itself, or the open agency at the end of its successors.
    pub agency: AgencyId,
    pub connector: ConnectorId,
    pub system: SystemId,
    pub mode: Mode,
    /// A pull delivery that waits longer is an alarm; none: the node's default.
    pub collect_within_hours: Option<u32>,
}

/// Why deliveries to an agency go nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoRoute {
    #[error("there is no agency `{agency}`")]
    Unknown { agency: AgencyId },
    #[error("`{agency}` begins on {}", from.iso_text())]
    NotYet { agency: AgencyId, from: DocumentDate },
    /// The last of the chain has no successor.
    #[error("`{agency}` was closed on {} and nobody follows it", to.iso_text())]
    Closed { agency: AgencyId, to: DocumentDate },
    #[error("`{agency}` has no connector to an active system")]
    NoConnector { agency: AgencyId },
}

/// An agency whose deliveries a system receives now, and by which agency and connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reception {
    /// As Accepted facts name it; maybe closed.
    pub addressee: AgencyId,
    /// The agency now, and the connector.
    pub receiver: Receiver,
}

/// A push connector, and what goes to it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushing {
    pub connector: Arc<Connector>,
    /// At least one.
    pub receptions: Vec<Reception>,
}

impl Registry {
    /// Where deliveries to this agency go on this day.
    ///
    /// # Errors
    /// [`NoRoute`], for the agency at which the way ends: a dead letter until the registry is completed.
    pub fn route(&self, agency: &AgencyId, day: DocumentDate) -> Result<Route, NoRoute> {
        let agency = self.heir(agency, day)?;
        let connector = self.connector_to(agency, day);
        let connector = connector.ok_or_else(|| NoRoute::NoConnector {
            agency: agency.id.clone(),
        })?;
        Ok(Route {
            agency: agency.id.clone(),
            connector: connector.id.clone(),
            system: connector.system.clone(),
            mode: connector.mode,
            collect_within_hours: connector.collect_within_hours,
        })
    }

    /// Every agency whose deliveries now go to a pull connector of this system, closed predecessors too; by id.
    #[must_use]
    pub fn receives(&self, system: &SystemId, day: DocumentDate) -> Vec<Reception> {
        self.routed_to(system, Mode::Pull, day)
    }

    /// The push connectors of systems that are active now, and the agencies whose deliveries go to each; by id.
    #[must_use]
    pub fn pushes(&self, day: DocumentDate) -> BTreeMap<ConnectorId, Pushing> {
        let push = |id: &&ConnectorId| self.connectors.get(*id).is_some_and(|it| it.mode == Mode::Push);
        let mut pushes = BTreeMap::new();
        for (system, connectors) in &self.connectors_of {
            if !connectors.iter().any(|id| push(&id)) {
                continue;
            }
            for reception in self.routed_to(system, Mode::Push, day) {
                let id = &reception.receiver.connector;
                let Some(connector) = self.connectors.get(id) else {
                    continue;
                };
                let pushing = pushes.entry(id.clone()).or_insert_with(|| Pushing {
                    connector: Arc::clone(connector),
                    receptions: Vec::new(),
                });
                pushing.receptions.push(reception);
            }
        }
        pushes
    }

    fn routed_to(&self, system: &SystemId, mode: Mode, day: DocumentDate) -> Vec<Reception> {
        let connectors = self.connectors_of.get(system).into_iter().flatten();
        let covered = connectors.filter_map(|connector| self.covered.get(connector)).flatten();
        let mut candidates: BTreeSet<&AgencyId> = BTreeSet::new();
        let mut open: Vec<&AgencyId> = covered.collect();
        while let Some(agency) = open.pop() {
            if candidates.insert(agency) {
                open.extend(self.predecessors.get(agency).into_iter().flatten());
            }
        }
        let routed = candidates.into_iter().filter_map(|addressee| {
            let route = self.route(addressee, day).ok()?;
            let receiver = Receiver {
                agency: route.agency,
                connector: route.connector,
            };
            let own = route.mode == mode && route.system == *system;
            own.then(|| Reception {
                addressee: addressee.clone(),
                receiver,
            })
        });
        routed.collect()
    }

    /// The agency itself while it is there, else the first of its successors that is.
    pub(super) fn heir(&self, agency: &AgencyId, day: DocumentDate) -> Result<&Agency, NoRoute> {
        let mut id = agency;
        // The registry has no circles; the bound keeps a broken one from hanging us.
        for _ in 0..=self.listed.len() {
            let agency = self.agency(id).ok_or_else(|| NoRoute::Unknown { agency: id.clone() })?;
            if let Some(from) = agency.from.filter(|from| *from > day) {
                return Err(NoRoute::NotYet {
                    agency: id.clone(),
                    from,
                });
            }
            let Some(to) = agency.to.filter(|to| *to < day) else {
                return Ok(agency);
            };
            id = agency
                .successors
                .first()
                .ok_or_else(|| NoRoute::Closed { agency: id.clone(), to })?;
        }
        Err(NoRoute::Unknown { agency: agency.clone() })
    }

    /// The connector with the narrowest claim to an open agency, among those of active systems.
    fn connector_to(&self, agency: &Agency, day: DocumentDate) -> Option<&Connector> {
        let claims = self
            .codes_of(agency, day)
            .flat_map(|code| self.receivers.covering(code));
        let mut best = None;
        for (narrow, id) in claims {
            let Some(connector) = self.connectors.get(id) else {
                continue;
            };
            let is_active = self.active_system(&connector.system, day).is_some();
            if is_active && best.is_none_or(|(narrowest, _)| narrow > narrowest) {
                best = Some((narrow, connector.as_ref()));
            }
        }
        best.map(|(_, connector)| connector)
    }

    /// Whether a system's `speaks_for` covers a code of this agency, of either scheme.
    pub(super) fn speaks_for(&self, system: &SystemId, agency: &Agency, day: DocumentDate) -> bool {
        let mut speakers = self.codes_of(agency, day).flat_map(|code| self.speakers.covering(code));
        speakers.any(|(_, speaker)| speaker == system)
    }

    /// The systems that are active on this day and speak for the agency that this code means on `codes_as_of`; by id.
    #[must_use]
    pub fn speakers_for(&self, code: &AgencyCode, codes_as_of: DocumentDate, day: DocumentDate) -> Vec<SystemId> {
        let agency = self.resolve(code, codes_as_of);
        let codes = agency.into_iter().flat_map(|agency| self.codes_of(agency, day));
        let speakers = codes
            .flat_map(|code| self.speakers.covering(code))
            .map(|(_, system)| system);
        let active = speakers.filter(|system| self.active_system(system, day).is_some());
        active.cloned().collect::<BTreeSet<SystemId>>().into_iter().collect()
    }

    /// The codes that mean this agency on this day.
    pub(super) fn codes_of<'a>(
        &'a self,
        agency: &'a Agency,
        day: DocumentDate,
    ) -> impl Iterator<Item = &'a AgencyCode> {
        let codes = agency.codes.iter().map(|term| &term.is);
        codes.filter(move |code| self.resolve(code, day).is_some_and(|holder| holder.id == agency.id))
    }
}
