//! What a process may know of the registry without asking.

use lgsp_types::{AgencyCode, AgencyId, AgencyView, DocumentDate, SystemId, SystemView};

use super::{Garbled, garbled};
use crate::adapter::v1::{View, view};
use crate::registry::v1 as registry;
use crate::write::write_agency;

/// The agencies as of one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgenciesOf {
    pub day: DocumentDate,
    pub agencies: Vec<AgencyView>,
}

/// A view, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ViewOf {
    pub systems: Vec<SystemView>,
    /// By day, the first is today.
    pub agencies: Vec<AgenciesOf>,
}

#[must_use]
pub fn write_view(of: &ViewOf) -> View {
    View {
        systems: of.systems.iter().map(write_system).collect(),
        agencies: of.agencies.iter().map(write_agencies).collect(),
    }
}

fn write_system(system: &SystemView) -> view::System {
    view::System {
        system: system.system.to_string(),
        agency_id: system.agency.to_string(),
        secret_ref: system.secret_ref.clone().unwrap_or_default(),
        key_id: system.key_id.clone(),
    }
}

fn write_agencies(of: &AgenciesOf) -> view::Agencies {
    view::Agencies {
        agencies: Some(registry::ListAgenciesResponse {
            as_of: of.day.iso_text(),
            agencies: of.agencies.iter().map(write_agency).collect(),
        }),
    }
}

/// # Errors
/// [`Garbled`]: the view that is in force stays.
pub fn read_view(view: View) -> Result<ViewOf, Garbled> {
    Ok(ViewOf {
        systems: view.systems.into_iter().map(read_system).collect::<Result<_, _>>()?,
        agencies: view.agencies.into_iter().map(read_agencies).collect::<Result<_, _>>()?,
    })
}

fn read_system(system: view::System) -> Result<SystemView, Garbled> {
    Ok(SystemView {
        system: SystemId::parse(&system.system).map_err(|_| garbled("view.systems.system"))?,
        agency: AgencyId::parse(&system.agency_id).map_err(|_| garbled("view.systems.agency_id"))?,
        secret_ref: Some(system.secret_ref).filter(|reference| !reference.is_empty()),
        key_id: system.key_id,
    })
}

fn read_agencies(agencies: view::Agencies) -> Result<AgenciesOf, Garbled> {
    let list = agencies.agencies.ok_or(garbled("view.agencies"))?;
    Ok(AgenciesOf {
        day: DocumentDate::parse_iso(&list.as_of).map_err(|_| garbled("view.agencies.as_of"))?,
        agencies: list.agencies.into_iter().map(read_agency).collect::<Result<_, _>>()?,
    })
}

fn read_agency(agency: registry::Agency) -> Result<AgencyView, Garbled> {
    let code = |text: &str| match text {
        "" => Ok(None),
        text => AgencyCode::parse(text)
            .map(Some)
            .map_err(|_| garbled("view.agencies.code")),
    };
    Ok(AgencyView {
        agency: AgencyId::parse(&agency.agency_id).map_err(|_| garbled("view.agencies.agency_id"))?,
        parent: match agency.parent.as_str() {
            "" => None,
            parent => Some(AgencyId::parse(parent).map_err(|_| garbled("view.agencies.parent"))?),
        },
        code: code(&agency.code)?,
        old_code: code(&agency.old_code)?,
        name: agency.name,
        mail: agency.mail,
        closed: agency.closed,
    })
}
