//! References from one object to another, and who stands under whom.

use std::collections::HashSet;

use lgsp_types::{AgencyId, CodePattern, DocumentDate, SystemId};

use super::{CONFIG_CYCLE, CONFIG_REFERENCE, Findings};
use crate::model::Agency;
use crate::object::{ObjectRef, Objects};

const NAME_ANOTHER: &str = "name one that is in this file, or was imported before it";

/// Every id and every whole code that is named belongs to somebody.
pub(super) fn references(objects: &Objects, findings: &mut Findings) {
    let unknown_agency = |id: &AgencyId| !objects.agencies.contains_key(id);
    for agency in objects.agencies.values() {
        let object = ObjectRef::Agency(agency.id.clone());
        let parents = agency.parents.iter().map(|term| &term.is).enumerate();
        let parents = parents.map(|(at, id)| (format!("parents[{at}]"), id));
        let successors = agency.successors.iter().enumerate();
        let successors = successors.map(|(at, id)| (format!("successors[{at}]"), id));
        for (path, id) in parents.chain(successors).filter(|(_, id)| unknown_agency(id)) {
            findings.add(
                &object,
                path,
                &CONFIG_REFERENCE,
                format!("there is no agency `{id}`"),
                NAME_ANOTHER,
            );
        }
    }
    let codes: HashSet<&str> = objects
        .agencies
        .values()
        .flat_map(|agency| &agency.codes)
        .map(|term| term.is.as_str())
        .collect();
    for system in objects.systems.values() {
        let object = ObjectRef::System(system.id.clone());
        if unknown_agency(&system.agency) {
            let what = format!("there is no agency `{}`", system.agency);
            findings.add(&object, "agency", &CONFIG_REFERENCE, what, NAME_ANOTHER);
        }
        whole_codes(&object, "speaks_for", &system.speaks_for, &codes, findings);
    }
    for connector in objects.connectors.values() {
        let object = ObjectRef::Connector(connector.id.clone());
        if !objects.systems.contains_key(&connector.system) {
            let what = format!("there is no system `{}`", connector.system);
            findings.add(&object, "system", &CONFIG_REFERENCE, what, NAME_ANOTHER);
        }
        whole_codes(&object, "receives_for", &connector.receives_for, &codes, findings);
    }
    for grant in objects.grants.values() {
        let object = ObjectRef::Grant(grant.id.clone());
        whole_codes(&object, "senders", &grant.senders, &codes, findings);
        whole_codes(&object, "addressees", &grant.addressees, &codes, findings);
        known_systems(&object, "systems", &grant.systems, objects, findings);
    }
    for adapter in objects.adapters.values() {
        let object = ObjectRef::Adapter(adapter.id.clone());
        known_systems(&object, "speaks_as", &adapter.speaks_as, objects, findings);
    }
}

fn known_systems(object: &ObjectRef, list: &str, systems: &[SystemId], objects: &Objects, findings: &mut Findings) {
    for (at, system) in systems.iter().enumerate() {
        if !objects.systems.contains_key(system) {
            let what = format!("there is no system `{system}`");
            findings.add(object, format!("{list}[{at}]"), &CONFIG_REFERENCE, what, NAME_ANOTHER);
        }
    }
}

/// A pattern may stand for what is yet to come; a whole code that nobody has is a slip of the pen.
fn whole_codes(
    object: &ObjectRef,
    list: &str,
    patterns: &[CodePattern],
    codes: &HashSet<&str>,
    findings: &mut Findings,
) {
    for (at, pattern) in patterns.iter().enumerate() {
        let text = pattern.as_str();
        if !text.contains('*') && !codes.contains(text) {
            let what = format!("no agency has the code `{text}`");
            findings.add(object, format!("{list}[{at}]"), &CONFIG_REFERENCE, what, NAME_ANOTHER);
        }
    }
}

/// Nobody stands under himself on any day. A circle begins to exist on the first day of one of its terms.
pub(super) fn parents(objects: &Objects, findings: &mut Findings) {
    for agency in objects.agencies.values() {
        for (at, term) in agency.parents.iter().enumerate() {
            let Some(day) = term.within(agency.life()).from.or(earliest()) else {
                continue;
            };
            if term.is != agency.id && stands_under_itself(objects, agency, day) {
                let object = ObjectRef::Agency(agency.id.clone());
                let what = format!("on {} the agency stands under itself in the end", day.iso_text());
                let mend = "break the circle of parents";
                findings.add(&object, format!("parents[{at}]"), &CONFIG_CYCLE, what, mend);
            }
        }
    }
}

fn earliest() -> Option<DocumentDate> {
    DocumentDate::parse_iso("1900-01-01").ok()
}

fn stands_under_itself(objects: &Objects, agency: &Agency, day: DocumentDate) -> bool {
    let parent_of = |agency: &Agency| {
        let mut valid = agency
            .parents
            .iter()
            .filter(|term| term.within(agency.life()).contains(day));
        valid.next().and_then(|term| objects.agencies.get(&term.is))
    };
    let mut seen = HashSet::new();
    let mut above = parent_of(agency);
    while let Some(parent) = above {
        if parent.id == agency.id {
            return true;
        }
        // Another circle further up: it is found from its own members.
        if !seen.insert(&parent.id) {
            return false;
        }
        above = parent_of(parent);
    }
    false
}
